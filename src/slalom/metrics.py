"""The metrics that choose a winner: names, directions, and the few formulas; the rest is scikit-learn's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from slalom.errors import SlalomError, unknown, wrong
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
    """1 − Σ(ŷ − y)² / Σ(y − mean)²; of a constant target 1 if it is met and 0 if it is missed (scikit-learn's)."""
    residual, total = np.sum((prediction - y) ** 2), np.sum((y - np.mean(y)) ** 2)
    if np.ptp(y) == 0:  # not total == 0: that of 0.1s is rounding noise
        return 1.0 if residual == 0 else 0.0
    return float(1 - residual / total)


def pinball(y: Array, prediction: Array, quantile: float = 0.5) -> float:
    """The loss of quantiles, mean(max(τ d, (τ − 1) d)), d = y − ŷ, in the unit of the target; at τ = 0.5 half the MAE.

    >>> round(pinball(np.array([2.0, 0.0]), np.array([1.0, 1.0]), 0.9), 4)  # (0.9 + 0.1) / 2
    0.5
    """
    d = y - np.asarray(prediction, np.float64)
    return float(np.mean(np.maximum(quantile * d, (quantile - 1) * d)))


def log_loss(y: Array, prediction: Array) -> float:
    """Mean of −log p(true class), p clipped to [1e-15, 1]; y [N] codes, prediction [N, C] probabilities."""
    return float(-np.mean(np.log(np.clip(prediction[np.arange(len(y)), y.astype(int)], 1e-15, 1))))


def accuracy(y: Array, prediction: Array) -> float:
    """Share of rows whose most probable class is the true one."""
    return float(np.mean(prediction.argmax(1) == y))


def balanced_accuracy(y: Array, prediction: Array) -> float:
    """The mean over the classes that have rows of the share of their rows that are recognised.

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([[1.0, 0], [1, 0], [1, 0], [1, 0]]))
    0.5
    """
    codes, classes = y.astype(int), prediction.shape[1]
    rows = np.bincount(codes, minlength=classes)
    right = np.bincount(codes[prediction.argmax(1) == codes], minlength=classes)
    return float(np.mean(right[rows > 0] / rows[rows > 0]))


def _f1(y: Array, prediction: Array) -> float:
    from sklearn.metrics import f1_score

    average = "binary" if prediction.shape[1] == 2 else "macro"
    return float(f1_score(y, prediction.argmax(1), average=average, zero_division=0))


def _auc(y: Array, prediction: Array) -> float:
    """Of several classes the mean over those that have rows, each against all others; NaN where but one class has."""
    from sklearn.metrics import roc_auc_score

    there = np.unique(y).astype(int)
    if len(there) < 2:
        return float("nan")
    if prediction.shape[1] == 2:
        return float(roc_auc_score(y, prediction[:, 1]))
    return float(np.mean([roc_auc_score(y == c, prediction[:, c]) for c in there]))


def decided(prediction: Array, threshold: float = 0.5) -> Array:
    """The class codes [N] for probabilities [N, C]: the most probable class; of two, class 1 where p > threshold.

    >>> decided(np.array([[0.7, 0.3], [0.9, 0.1]]), 0.2).tolist()
    [1, 0]
    """
    return (prediction[:, 1] > threshold).astype(int) if prediction.shape[1] == 2 else prediction.argmax(1)


def accuracy_of(tn: Array, fp: Array, fn: Array, tp: Array) -> Array:
    """(tn + tp) / n, from counts of rows: true and false ones that were put into class 0 (n) and class 1 (p)."""
    return _share(tn + tp, tn + fp + fn + tp)


def balanced_accuracy_of(tn: Array, fp: Array, fn: Array, tp: Array) -> Array:
    """(tn / (tn + fp) + tp / (fn + tp)) / 2, from the same counts; of one class alone its own share."""
    there = ((tn + fp) > 0) + 1.0 * ((fn + tp) > 0)
    return _share(_share(tn, tn + fp) + _share(tp, fn + tp), there)


def f1_of(tn: Array, fp: Array, fn: Array, tp: Array) -> Array:
    """2 tp / (2 tp + fp + fn), from the same counts; 0 where class 1 neither is there nor was found."""
    return _share(2 * tp, 2 * tp + fp + fn + 0 * tn)


def _share(part: Array, whole: Array) -> Array:
    """part / whole, 0 of nothing."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)


@dataclass(frozen=True)
class Metric:
    """A metric: of(y, prediction), and whether more is better.

    Regression: y and prediction [N] in the target's unit. Classification: y [N] class codes, prediction [N, C].
    counted: the same for two classes from counts (tn, fp, fn, tp), where nothing counts but the class that is decided
    for; None for any other metric.
    """

    name: str
    of: Callable[[Array, Array], float]
    greater: bool
    task: str
    counted: Callable[[Array, Array, Array, Array], Array] | None = None

    def cost(self, y: Array, prediction: Array, threshold: float = 0.5) -> float:
        """The metric with its sign turned so that less is better; NaN and infinity are the worst: +∞.

        threshold: of two classes the second is decided for where p > threshold; other metrics than those that look at
        decisions alone do not know it.
        """
        if not np.isfinite(prediction).all():
            return float("inf")
        if self.counted and threshold != 0.5:
            prediction = np.eye(prediction.shape[1])[decided(prediction, threshold)]
        with np.errstate(over="ignore", invalid="ignore"):
            value = float(self.of(y, prediction))
        return float("inf") if not np.isfinite(value) else self.cost_of(value)

    def cost_of(self, score: float) -> float:
        """A score as a cost."""
        return -score if self.greater else score

    def score_of(self, cost: float) -> float:
        """A cost as a score, in the metric's own direction."""
        return -cost if self.greater else cost

    def possible(self, score: float) -> float:
        """A score, or the end of an interval of it, that the metric can have: errors are not below 0, shares and r2 not
        above 1; of a caller's own metric every one.

        >>> METRICS["log_loss"].possible(-0.1), METRICS["auc"].possible(1.02)
        (0.0, 1.0)
        """
        if not is_named(self.name):
            return score
        return min(score, 1.0) if self.greater else max(score, 0.0)


METRICS = {
    m.name: m
    for m in (
        Metric("rmse", rmse, False, "regression"),
        Metric("mae", mae, False, "regression"),
        Metric("r2", r2, True, "regression"),
        Metric("pinball", pinball, False, "regression"),
        Metric("log_loss", log_loss, False, "classification"),
        Metric("accuracy", accuracy, True, "classification", accuracy_of),
        Metric("balanced_accuracy", balanced_accuracy, True, "classification", balanced_accuracy_of),
        Metric("f1", _f1, True, "classification", f1_of),
        Metric("auc", _auc, True, "classification"),
    )
}


def find_metric(metric: Any, task: str) -> Metric:
    """The metric for a name, a callable f(y, prediction) whose larger values are better, or None (the task's own).

    `pinball` is that of the median, `pinball:0.9` that of the quantile 0.9. The loss `quantile` of a recipe and this
    metric do not know of each other: give both the same quantile.

    Raises SlalomError for an unknown name, or a metric of the other task.

    >>> find_metric("pinball:0.9", "regression").of(np.array([1.0]), np.array([0.0]))
    0.9
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
    name, colon, number = str(metric).partition(":")
    if name not in METRICS or (colon and name != "pinball"):
        raise unknown("metric", str(metric), fitting)
    if METRICS[name].task != task:
        raise wrong("metric", f"one for {task}: {', '.join(fitting)}", metric)
    return _pinball_at(number) if colon else METRICS[name]


def is_named(metric: str) -> bool:
    """Whether a metric can be found by this name; that of a function in Python cannot."""
    try:
        return find_metric(metric, METRICS[metric.partition(":")[0]].task) is not None
    except (KeyError, SlalomError):
        return False


def _pinball_at(number: str) -> Metric:
    """The metric `pinball:NUMBER`."""
    try:
        quantile = float(number)
    except ValueError:
        quantile = 0.0
    if not 0 < quantile < 1:
        raise wrong("metric", "pinball:τ with a quantile τ in (0, 1), such as pinball:0.9", f"pinball:{number}")
    return Metric(f"pinball:{number}", partial(pinball, quantile=quantile), False, "regression")
