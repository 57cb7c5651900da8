"""Permuted: what each column of the table is worth to a trained recipe, by shuffling it on rows that chose nothing."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from slalom.entry import Entry
from slalom.losses import predictions
from slalom.metrics import Metric
from slalom.racer import Racer
from slalom.types import Array

REPEATS = 5  # shuffles of each column


class Worth(NamedTuple):
    """By how much the score falls when a column of the table is shuffled, in the unit of the metric, and the standard
    error of that, with 4 degrees of freedom."""

    column: str
    worth: float
    error: float


def columns(
    entry: Entry, metric: Metric, *, seed: int = 0, late: Callable[[], bool] = lambda: False
) -> list[Worth] | None:
    """What each column of the table is worth to the racers of a recipe at their best moments, on the evidence rows of
    their folds; what is worth most first.

        worth = mean over shuffles and seeds of cost(column shuffled) − cost(as it is)
        error = s √(1 + 1 / R),   s of the R shuffles, each the mean over the seeds: the cost as it is, which all
        differences share, is off by as much as that of any other order of an idle column

    All numbers that a column became are shuffled together, by the same order for every seed. Two columns that say the
    same stand in for each other: both may have next to no worth. None where it became late.
    Source: Breiman 2001, Machine Learning 45 (1); Fisher, Rudin & Dominici 2019, JMLR 20 (177).
    """
    prepared, seeds = entry.heat.prepared, sorted({racer.replicate for racer in entry.racers})
    y = prepared.labels[np.concatenate([fold.evidence for fold in prepared.folds])]
    inputs = {seed: [(r, _seen(entry, r)) for r in entry.racers if r.replicate == seed and r.best] for seed in seeds}
    inputs = {seed: some for seed, some in inputs.items() if len(some) == len(prepared.folds)}
    if not inputs or not len(y):
        return []
    cost = lambda some: metric.cost(y, np.concatenate([_answer(entry, racer, x) for racer, x in some]))  # noqa: E731
    usual = {seed: cost(some) for seed, some in inputs.items()}
    draw, found = np.random.default_rng([seed, 7]), []
    for name, which in _groups(prepared.columns.treatments).items():
        gaps = []
        for _ in range(REPEATS):
            orders = [draw.permutation(len(fold.evidence)) for fold in prepared.folds]
            if late():
                return None
            seeds_gaps = []
            for replicate, some in inputs.items():
                shuffled = [(racer, _shuffled(x, which, orders[racer.fold])) for racer, x in some]
                seeds_gaps.append(cost(shuffled) - usual[replicate])
            gaps.append(float(np.mean(seeds_gaps)))
        known = np.array([gap for gap in gaps if math.isfinite(gap)])
        if len(known) > 1:
            error = float(known.std(ddof=1)) * math.sqrt(1 + 1 / len(known))
            found.append(Worth(name, float(known.mean()), error))
    return sorted(found, key=lambda one: -one.worth)


def _groups(treatments: Sequence[Any]) -> dict[str, list[int]]:
    """The places of the numbers that each column of the table became."""
    found, at = dict[str, list[int]](), 0
    for treatment in treatments:
        width = len(treatment.outputs)
        found.setdefault(treatment.name, []).extend(range(at, at + width))
        at += width
    return found


def _seen(entry: Entry, racer: Racer) -> Array:
    """The evidence rows of a racer's fold as its first layer gets them."""
    prepared = entry.heat.prepared
    return prepared.as_raced(entry.recipe.scaling, racer.fold, prepared.folds[racer.fold].evidence)


def _shuffled(x: Array, which: list[int], order: Array) -> Array:
    made = x.copy()
    made[:, which] = x[order][:, which]
    return made


def _answer(entry: Entry, racer: Racer, x: Array) -> Array:
    assert racer.best is not None
    outputs = entry.heat.structure.net.predict(racer.best.weights, racer.best.memory, x).astype(np.float64)
    unit = entry.heat.prepared.unit(entry.recipe.unit, racer.fold)
    return predictions(entry.heat.structure.loss, outputs, unit.inverse if unit else None)
