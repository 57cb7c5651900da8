"""The metrics that choose a winner: names, directions, and the few formulas; the rest is scikit-learn's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from slalom.errors import unknown, wrong
from slalom.types import Array


def rmse(y: Array, prediction: Array) -> float:
    """Root of the mean squared error √mean((ŷ − y)²), in the unit of the target.

    >>> rmse(np.array([0.0, 0.0]), np.array([3.0, 4.0])) == 12.5**0.5
    True
    """
    return float(np.sqrt(np.mean((np.asarray(prediction, np.float64) - y) ** 2)))


def mae(y: Array, prediction: Array) -> float:
    """Mean absolute error, in the unit of the target."""
    return float(np.mean(np.abs(np.asarray(prediction, np.float64) - y)))


def r2(y: Array, prediction: Array) -> float:
    """1 − Σ(ŷ − y)² / Σ(y − mean)²; 0 for a constant target that is met, −∞ for one that is missed."""
    residual, total = np.sum((prediction - y) ** 2), np.sum((y - np.mean(y)) ** 2)
    if total == 0:
        return 0.0 if residual == 0 else -np.inf
    return float(1 - residual / total)


def log_loss(y: Array, prediction: Array) -> float:
    """Mean of −log p(true class), p clipped to [1e-15, 1]; y [N] codes, prediction [N, C] probabilities."""
    return float(-np.mean(np.log(np.clip(prediction[np.arange(len(y)), y.astype(int)], 1e-15, 1))))


def accuracy(y: Array, prediction: Array) -> float:
    """Share of rows whose most probable class is the true one."""
    return float(np.mean(prediction.argmax(1) == y))


def _balanced_accuracy(y: Array, prediction: Array) -> float:
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(y, prediction.argmax(1)))


def _f1(y: Array, prediction: Array) -> float:
    from sklearn.metrics import f1_score

    average = "binary" if prediction.shape[1] == 2 else "macro"
    return float(f1_score(y, prediction.argmax(1), average=average, zero_division=0))


def _auc(y: Array, prediction: Array) -> float:
    from sklearn.metrics import roc_auc_score

    if len(np.unique(y)) < prediction.shape[1]:
        return float("nan")  # undefined where a class has no row
    if prediction.shape[1] == 2:
        return float(roc_auc_score(y, prediction[:, 1]))
    return float(roc_auc_score(y, prediction, multi_class="ovr"))


@dataclass(frozen=True)
class Metric:
    """A metric: of(y, prediction), and whether more is better.

    Regression: y and prediction [N] in the target's unit. Classification: y [N] class codes, prediction [N, C].
    """

    name: str
    of: Callable[[Array, Array], float]
    greater: bool
    task: str

    def cost(self, y: Array, prediction: Array) -> float:
        """The metric with its sign turned so that less is better; NaN and infinity are the worst: +∞."""
        if not np.isfinite(prediction).all():
            return float("inf")
        with np.errstate(over="ignore", invalid="ignore"):
            value = float(self.of(y, prediction))
        return float("inf") if not np.isfinite(value) else self.cost_of(value)

    def cost_of(self, score: float) -> float:
        """A score as a cost."""
        return -score if self.greater else score

    def score_of(self, cost: float) -> float:
        """A cost as a score, in the metric's own direction."""
        return -cost if self.greater else cost


METRICS = {
    m.name: m
    for m in (
        Metric("rmse", rmse, False, "regression"),
        Metric("mae", mae, False, "regression"),
        Metric("r2", r2, True, "regression"),
        Metric("log_loss", log_loss, False, "classification"),
        Metric("accuracy", accuracy, True, "classification"),
        Metric("balanced_accuracy", _balanced_accuracy, True, "classification"),
        Metric("f1", _f1, True, "classification"),
        Metric("auc", _auc, True, "classification"),
    )
}


def find_metric(metric: Any, task: str) -> Metric:
    """The metric for a name, a callable f(y, prediction) whose larger values are better, or None (the task's own).

    Raises SlalomError for an unknown name, or a metric of the other task.

    >>> find_metric(None, "regression").name, find_metric("auc", "classification").greater
    ('rmse', True)
    """
    if metric is None:
        return METRICS["rmse" if task == "regression" else "log_loss"]
    if callable(metric):
        return Metric(
            getattr(metric, "__name__", "metric"), metric, bool(getattr(metric, "greater_is_better", True)), task
        )
    fitting = [m.name for m in METRICS.values() if m.task == task]
    if metric not in METRICS:
        raise unknown("metric", str(metric), fitting)
    if METRICS[metric].task != task:
        raise wrong("metric", f"one for {task}: {', '.join(fitting)}", metric)
    return METRICS[metric]
