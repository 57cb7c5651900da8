"""Corrected: what the score of a winner is worth, given that it was chosen by it: a bootstrap of the whole choice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from slalom.types import Array

RESAMPLES = 200
BYTES = 2**28  # of means at once


class Curve(NamedTuple):
    """The scored moments of one recipe: what each choosing row of each fold added to the cost.

    steps: [m], ascending. rows: for each fold [m, M, k], of whose means the cost is a function.
    """

    steps: Array
    rows: tuple[Array, ...]


@dataclass(frozen=True)
class Start:
    """Recipes that went through the rungs together: curves, the step of each rung for each of them, and how many of
    them passed it. The last rung is the end, which nobody has to pass."""

    curves: Sequence[Curve]
    rungs: Sequence[Array]  # for each rung [recipes]: the step at which a recipe comes to it
    passed: Sequence[int]  # one fewer than the rungs


class Corrected(NamedTuple):
    """A cost as it was found (optimistic), corrected, and the ends of the corrected one's 95 % interval."""

    found: float
    corrected: float
    low: float
    high: float


def corrected(
    starts: Sequence[Start], of: Callable[[Array], Array], *, resamples: int = RESAMPLES, seed: int = 0
) -> Corrected:  # fmt: skip
    """The cost that the choice of the best moment of the best recipe promises on rows that did not choose it.

    Each of B samples draws the choosing rows of every fold with replacement, and the whole choice is made again by its
    rows: who passes each rung, which moment of each recipe is the best, which recipe. Two estimates come of it:

        beyond = mean over the samples of cost(what it chose; the rows that it has not)
        within = found + mean over the samples of (cost(what it chose; all rows) − cost(what it chose; its rows))
        corrected = (beyond + within) / 2

    The first is a little too bad, since a sample chooses by fewer different rows than there are; the second a little
    too good, since all rows have those of the sample among them. In races whose truth is known their mean is off by
    less than a fifth of what `found` is (docs/evidence.md); either alone is not.

    Nothing is trained: a recipe that was dropped has no moments behind its rung, whatever a sample would have done with
    it, and is chosen from those that it has.

    starts: one after the other. of: from means over rows [..., k] to costs [...]. The ends are the 2.5 % and 97.5 %
    quantiles of the samples' costs on the rows that they have not, moved to the corrected one. All are NaN where no
    moment has a finite cost.
    Source: Tsamardinos et al. 2018, Machine Learning 107 (bootstrap bias corrected cross-validation), algorithm 4, for
    the first; Efron & Tibshirani 1993, chapter 17 (the optimism of the apparent error), for the second.

    >>> rng = np.random.default_rng(0)  # forty recipes, all of them as good as the others: 1 on average
    >>> curves = [Curve(np.array([1]), (rng.exponential(1.0, (1, 200, 1)),)) for _ in range(40)]
    >>> found = corrected([Start(curves, [np.ones(40)], [])], lambda means: means[..., 0])
    >>> found.found < 0.9, abs(found.corrected - 1) < 0.05
    (True, True)
    """
    curves = [curve for start in starts for curve in start.curves]
    folds = range(len(curves[0].rows)) if curves else range(0)
    draw = np.random.default_rng([seed, resamples])
    inside, outside, whole = [], [], []
    with np.errstate(all="ignore"):
        for fold in folds:
            rows = np.concatenate([curve.rows[fold] for curve in curves])  # [T, M, k]
            n = rows.shape[1]
            counts = draw.multinomial(n, np.full(n, 1 / n), size=resamples)
            left = (counts == 0).astype(np.float32)
            left[left.sum(1) == 0] = np.nan  # a sample that has every row: nothing is left to be scored on
            inside.append(_costs(rows, counts.astype(np.float32) / n, of))
            outside.append(_costs(rows, left / left.sum(1, keepdims=True), of))
            whole.append(_costs(rows, np.full((1, n), 1 / n, np.float32), of))
        if not folds:
            return Corrected(*[np.nan] * 4)
        within, beyond, all_rows = (_worst(np.mean(costs, axis=0)) for costs in (inside, outside, whole))
    found = float(all_rows[0].min())
    chosen = _chosen(starts, within)
    told, inside_own = (_of_chosen(costs, chosen) for costs in (beyond, within))
    with np.errstate(invalid="ignore"):
        optimism = all_rows[0][np.maximum(chosen, 0)] - inside_own
    known = np.isfinite(told) & np.isfinite(optimism) & (chosen >= 0)
    if not known.any() or not np.isfinite(found):
        return Corrected(found, *[np.nan] * 3)
    mean = float((told[known].mean() + found + optimism[known].mean()) / 2)
    low, high = np.quantile(told[known], [0.025, 0.975]) - told[known].mean() + mean
    return Corrected(found, mean, float(low), float(high))


def _of_chosen(costs: Array, chosen: Array) -> Array:
    """The cost [B] of what each sample chose, of costs [B, T]."""
    return np.take_along_axis(costs, np.maximum(chosen, 0)[:, None], 1)[:, 0]


def _costs(rows: Array, weights: Array, of: Callable[[Array], Array]) -> Array:
    """The costs [B, T] of moments with rows [T, M, k], for weights [B, M] of the rows."""
    moments, n, k = rows.shape
    some = max(1, BYTES // (8 * max(n, len(weights)) * k))
    parts = []
    for first in range(0, moments, some):
        few = rows[first : first + some]
        flat = few.transpose(1, 0, 2).reshape(n, -1)  # [M, some k]
        parts.append(of((weights @ flat).reshape(len(weights), len(few), k).astype(np.float64)))
    return np.concatenate(parts, axis=1)


def _worst(costs: Array) -> Array:
    """The same with ∞ for what is no number."""
    return np.where(np.isfinite(costs), costs, np.inf)


def _chosen(starts: Sequence[Start], costs: Array) -> Array:
    """The moment [B] that each sample chooses by its costs [B, T] of all moments; -1 where none is finite."""
    least, which, first = [], [], 0
    for start in starts:
        cost, moment = _ended(start, costs, first)
        first += sum(len(curve.steps) for curve in start.curves)
        least.append(cost)
        which.append(moment)
    cost, moment = np.concatenate(least, axis=1), np.concatenate(which, axis=1)
    best = cost.argmin(1)[:, None]
    found = np.take_along_axis(moment, best, 1)[:, 0]
    return np.where(np.isfinite(np.take_along_axis(cost, best, 1)[:, 0]), found, -1)


def _ended(start: Start, costs: Array, first: int) -> tuple[Array, Array]:
    """(cost, moment) [B, recipes] of the best moment of each recipe of a start up to where it ends in each sample."""
    shape = (len(start.rungs), len(costs), len(start.curves))
    best, moment = np.full(shape, np.inf), np.full(shape, first)
    for i, curve in enumerate(start.curves):
        own = costs[:, first : first + len(curve.steps)]
        for j, at in enumerate(start.rungs):
            count = int(np.searchsorted(curve.steps, at[i], side="right"))
            if count:
                best[j, :, i], moment[j, :, i] = own[:, :count].min(1), first + own[:, :count].argmin(1)
        first += len(curve.steps)
    cost, at_end, alive = best[0].copy(), moment[0].copy(), np.ones(shape[1:], bool)
    for j, passed in enumerate(start.passed):
        rank = np.where(alive, best[j], np.inf).argsort(1, kind="stable").argsort(1, kind="stable")
        alive &= rank < passed
        cost[alive], at_end[alive] = best[j + 1][alive], moment[j + 1][alive]
    return cost, at_end
