"""The baselines beside the racers: which rows they predict, and their rows of the journal."""

import math
from typing import Any

import numpy as np

from slalom.baselines import Baseline, Baselines, Numbers
from slalom.calibration import threshold
from slalom.metrics import Metric
from slalom.prepare import Prepared
from slalom.types import Array


class Rivals:
    """The baselines of a race, which are fitted in a process beside it; none where they are not wanted."""

    def __init__(self, numbers: Numbers, prepared: Prepared, *, there: bool = True) -> None:
        """numbers: the encoded columns."""
        self.prepared, self._baselines = prepared, None
        if there:
            folds, classes = [fold.train for fold in prepared.compared_folds], len(prepared.target.classes)
            self._baselines = Baselines(
                numbers, prepared.labels, folds, wanted_rows(prepared), classes, prepared.columns.categories,
                prepared.weights,
            )  # fmt: skip

    def rows(self, metric: Metric, deadline: float) -> list[dict[str, Any]]:
        """The rows of the journal of those that are done by a time.perf_counter(); their process is ended."""
        return baseline_rows(self._baselines.collect(deadline), self.prepared, metric) if self._baselines else []

    def close(self) -> None:
        """End the process."""
        if self._baselines:
            self._baselines.close()


def wanted_rows(prepared: Prepared) -> list[Array]:
    """The rows that the baselines predict: the choosing rows of each fold, and behind the last one's the test rows."""
    wanted = [fold.choose for fold in prepared.compared_folds]
    wanted[-1] = np.concatenate([wanted[-1], prepared.split.test])
    return wanted


def baseline_rows(found: list[Baseline], prepared: Prepared, metric: Metric) -> list[dict[str, Any]]:
    """The baselines as rows of the journal: cost on choosing rows (mean over the folds), score on test rows.

    Their predictions are those of `wanted_rows`. For test rows they are calibrated on choosing rows as the winner is,
    so that decisions between two classes are compared with decisions by a threshold that was fitted too.
    """
    rows: list[dict[str, Any]] = []
    test, labels = prepared.split.test, prepared.labels
    for baseline in found:
        row: dict[str, Any] = {"name": baseline.name, "seconds": baseline.seconds, "outcome": baseline.outcome}
        row |= {"cost": None, "test": None}
        if baseline.predictions:
            pairs = list(zip(prepared.folds, baseline.predictions, strict=False))
            chosen = [(labels[fold.choose], answer[: len(fold.choose)]) for fold, answer in pairs if len(fold.choose)]
            costs = [metric.cost(truth, answer) for truth, answer in chosen]
            row["cost"] = finite_or_none(float(np.mean(costs)) if costs else math.inf)
            if len(test):
                answer, cut = baseline.predictions[-1][-len(test) :], _threshold(chosen, metric)
                row["test"] = finite_or_none(metric.score_of(metric.cost(labels[test], answer, cut)))
        rows.append(row)
    return rows


def _threshold(chosen: list[tuple[Array, Array]], metric: Metric) -> float:
    """The threshold for a baseline's predictions of choosing rows, (labels, probabilities) of each fold; 0.5 where
    nothing is decided between two classes."""
    if metric.counted is None or not chosen or chosen[0][1].shape[1] != 2:
        return 0.5
    y, p = (np.concatenate(parts) for parts in zip(*chosen, strict=True))
    return threshold(p[:, 1], y, metric.counted)


def finite_or_none(value: float) -> float | None:
    """The value, or None where it is none that a person could read."""
    return value if math.isfinite(value) else None
