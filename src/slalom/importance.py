"""Importance: which fields decided about how recipes did, and the best that each value of a field was good for."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from slalom.types import Array

TOP = 0.2  # of the recipes, the best
BINS = 6  # of numbers, with as many recipes each
FEWEST = 25  # recipes, below which nothing is said
SHUFFLES = 200
EDGE = 0.05  # of a range, from either end: a best recipe there lies at the edge


class Importance(NamedTuple):
    """How much a field decided: divergence is 0 where the best recipes have the values that all have, and grows without
    bound; what chance alone gives is taken off. p: how often chance alone gives as much. recipes: those that have the
    field."""

    divergence: float
    p: float
    recipes: int


class Level(NamedTuple):
    """A value of a field, or a bin of its numbers from low to high: how many recipes have it, the share of them that
    diverged, and the best cost of one (∞ for none)."""

    low: Any
    high: Any
    recipes: int
    diverged: float
    best: float


def importance(values: Sequence[Any], costs: Array, *, top: float = TOP, seed: int = 0) -> Importance:
    """How much a field decided about being among the best recipes: a functional ANOVA of "is among the best" by one
    field, as PED-ANOVA computes it from densities.

        V = Σ_b q_b (p_b / q_b − 1)²,   q, p the shares of all and of the best recipes in bin b of the field
        answer: V − mean of V over 200 shuffles of the costs

    The bins are the values of names, and six bins of ranks of numbers. values: of each recipe; None where it has not
    the field, those are left out. costs: less is better, NaN and ∞ are the worst.
    Source: Watanabe, Bansal & Hutter 2023, https://arxiv.org/abs/2304.10255 (there with kernel densities, without the
    correction for chance).

    >>> rng = np.random.default_rng(0); good, idle = rng.random(200), rng.random(200)
    >>> importance(good, good).divergence > 2, abs(importance(idle, good).divergence) < 0.1
    (True, True)
    """
    bins, costs = _binned(values, costs)
    n = len(bins)
    best = max(1, round(top * n))
    if n < FEWEST or len(np.unique(bins)) < 2:
        return Importance(0.0, 1.0, n)
    draw = np.random.default_rng([seed, n])
    shares = np.bincount(bins) / n
    # Recipes of one cost, those that diverged above all, are no better than each other: chance orders them.
    order = np.lexsort((draw.random(n), costs))
    value = float(_divergence(bins[order[None, :best]], shares)[0])
    chance = _divergence(bins[_shuffled(n, seed)[:, :best]], shares)
    return Importance(value - float(chance.mean()), float((1 + (chance >= value).sum()) / (1 + SHUFFLES)), n)


def profile(values: Sequence[Any], costs: Array) -> list[Level]:
    """The best cost as a function of a field, the other fields as they were best beside it.

    >>> [(level.low, level.best) for level in profile(["a", "b", "a"], np.array([3.0, 2.0, 1.0]))]
    [('a', 1.0), ('b', 2.0)]
    """
    known = [(value, cost) for value, cost in zip(values, costs, strict=True) if value is not None]
    if not known:
        return []
    given, found = np.array([cost for _, cost in known], float), []
    bins, edges = _bins([value for value, _ in known])
    for b in range(len(edges)):
        some = given[bins == b]
        finite = np.isfinite(some)
        if len(some):
            best = float(some[finite].min()) if finite.any() else math.inf
            found.append(Level(*edges[b], len(some), float(1 - finite.mean()), best))
    return found


def at_edge(value: float, low: float, high: float, *, log: bool) -> str:
    """Whether a number lies at the lower or the upper edge of its range, within a twentieth of it; "" if at neither.

    >>> at_edge(0.0199, 1e-3, 2e-2, log=True), at_edge(0.005, 1e-3, 2e-2, log=True)
    ('upper', '')
    """
    if not low < high or value <= 0 < log:
        return ""
    axis = math.log if log else float
    place = (axis(value) - axis(low)) / (axis(high) - axis(low))
    return "lower" if place < EDGE else "upper" if place > 1 - EDGE else ""


@lru_cache(maxsize=8)
def _shuffled(n: int, seed: int) -> Array:
    """So many orders [SHUFFLES, n], the same for every field of as many recipes."""
    return np.random.default_rng([seed, n, SHUFFLES]).random((SHUFFLES, n)).argsort(1)


def _binned(values: Sequence[Any], costs: Array) -> tuple[Array, Array]:
    """(bin, cost) of the recipes that have the field."""
    there = [i for i, value in enumerate(values) if value is not None]
    worst = np.where(np.isfinite(costs), costs, np.inf)
    if not there:
        return np.zeros(0, int), np.zeros(0)
    return _bins([values[i] for i in there])[0], worst[there]


def _bins(values: Sequence[Any]) -> tuple[Array, list[tuple[Any, Any]]]:
    """The bin of each value, and the (least, largest) value of each bin: names and few numbers have one each."""
    if all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in values):
        numbers = np.asarray(values, float)
        levels = np.unique(numbers)
        if len(levels) > BINS:
            cuts = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1]))
            bins = np.searchsorted(cuts, numbers, side="right")
            kept = np.unique(bins)
            bins = np.searchsorted(kept, bins)
            return bins, [(numbers[bins == b].min(), numbers[bins == b].max()) for b in range(len(kept))]
        return np.searchsorted(levels, numbers), [(level, level) for level in levels.tolist()]
    names = sorted(set(map(str, values)))
    return np.array([names.index(str(value)) for value in values]), [(name, name) for name in names]


def _divergence(best: Array, shares: Array) -> Array:
    """V [S] for the bins [S, best] of the best, S times."""
    rows, bins = len(best), len(shares)
    counted = np.bincount((best + bins * np.arange(rows)[:, None]).ravel(), minlength=rows * bins)
    found, there = counted.reshape(rows, bins) / best.shape[1], shares > 0
    return np.sum(shares[there] * (found[:, there] / shares[there] - 1) ** 2, axis=1)
