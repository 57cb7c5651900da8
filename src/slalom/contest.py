"""Contests: what searches with each value of a field found, as plain numbers, and how they are compared fairly."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from slalom.types import Array

REACHED = 0.5  # of the values: the target of a profile is what this share of them came to


@dataclass(frozen=True)
class Contender:
    """A value of the field, with what its searches found: for each the best cost of every recipe on choosing rows, in
    their order (the first is the default recipe; ∞ where it diverged), and the core-seconds of training.

    score, low, high: mean score on evidence rows of the best recipe of each search with new seeds, and its 95 %
    interval, searches, seeds and rows drawn anew; runs: how many. None: nothing came to its end.
    """

    value: str
    costs: tuple[tuple[float, ...], ...]
    seconds: float
    runs: int
    score: float | None
    low: float | None
    high: float | None

    @property
    def diverged(self) -> float:
        """The share of its recipes that diverged."""
        every = [cost for search in self.costs for cost in search]
        return float(np.mean(~np.isfinite(every))) if every else 0.0


@dataclass(frozen=True)
class Pair:
    """Two values compared on evidence rows: by how much the first is better, in the unit of the metric, the 95 %
    interval, and p, corrected for all pairs with the best."""

    first: str
    second: str
    better: float
    low: float | None
    high: float | None
    p: float | None

    @property
    def tie(self) -> bool:
        """Whether the difference may be chance."""
        return self.p is None or self.p >= 0.05


@dataclass(frozen=True)
class Comparison:
    """A field compared over its values on one table: the contenders, the best on choosing rows first, that one beside
    each other, the cost of a constant prediction, and what they all had alike."""

    table: str
    over: str
    metric: str
    greater: bool
    recipes: int
    epochs: int
    constant: float
    contenders: tuple[Contender, ...]
    pairs: tuple[Pair, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON-able data, with the expected best costs beside."""
        plain = asdict(self)
        for one, contender in zip(plain["contenders"], self.contenders, strict=True):
            one["expected"] = [list(row) for row in expected(contender, self.constant)]
            one["diverged"] = contender.diverged
        return plain


def expected_best(costs: Sequence[float]) -> list[float]:
    """The expected least cost of k recipes drawn out of these, k = 1 … n, with replacement.

        E[min of k] = Σᵢ c₍ᵢ₎ ((1 − (i − 1)/n)^k − (1 − i/n)^k),   c₍₁₎ ≤ c₍₂₎ ≤ …

    Source: Dodge et al. 2019, https://arxiv.org/abs/1909.03004, equation 8; 2021, https://arxiv.org/abs/2110.00613.

    >>> [round(cost, 4) for cost in expected_best([1.0, 2.0])]
    [1.5, 1.25]
    """
    n, ordered = len(costs), np.sort(np.asarray(costs, float))
    left = 1 - np.arange(n + 1) / n
    return [float(ordered @ (left[:-1] ** k - left[1:] ** k)) for k in range(1, n + 1)]


def expected(one: Contender, constant: float) -> list[tuple[float, float, float]]:
    """(the median over the searches, the least, the most) of the expected best cost of k recipes, k = 1 … n; a recipe
    that diverged is worth a constant prediction."""
    searches = [expected_best([min(cost, constant) for cost in search]) for search in one.costs]
    return [(float(np.median(k)), min(k), max(k)) for k in zip(*searches, strict=True)]


def seconds_to(one: Contender, constant: float, target: float) -> float:
    """Core-seconds of training until the expected best cost comes to a target, the median over the searches; ∞ where
    it does not."""
    each = one.seconds / max(sum(map(len, one.costs)), 1)
    for k, (median, _, _) in enumerate(expected(one, constant), start=1):
        if median <= target:
            return k * each
    return math.inf


def profile(tables: Sequence[Comparison]) -> dict[str, list[tuple[float, float]]]:
    """The performance profile of each value over several tables: (τ, the share of the tables on which it came to the
    target in at most τ times the time of the fastest), for each τ at which one of them rises.

        ρ(τ) = share of tables with t / t_fastest ≤ τ

    The target of a table is the expected best cost that half of the values come to with all their recipes.
    Source: Dolan & Moré 2002, Mathematical Programming 91 (2).

    Raises ValueError where the tables have not the same values.
    """
    names = sorted(one.value for one in tables[0].contenders) if tables else []
    if any(sorted(one.value for one in table.contenders) != names for table in tables):
        raise ValueError("the tables must be compared over the same values.")
    ratios: dict[str, list[float]] = {name: [] for name in names}
    for table in tables:
        ends = [expected(one, table.constant)[-1][0] for one in table.contenders]
        target = float(np.sort(ends)[max(math.ceil(REACHED * len(ends)) - 1, 0)])
        times = {one.value: seconds_to(one, table.constant, target) for one in table.contenders}
        for name, needed in times.items():
            ratios[name].append(needed / min(times.values()))
    taus = sorted({ratio for each in ratios.values() for ratio in each if math.isfinite(ratio)})
    return {name: [(tau, float(np.mean(np.array(each) <= tau))) for tau in taus] for name, each in ratios.items()}


def constant_cost(labels: Array, train: Array, choose: Array, classes: int, cost: Any) -> float:
    """The cost on choosing rows of predicting the mean of the training rows, or every class as often as it is."""
    y = labels[choose]
    if classes:
        shares = np.maximum(np.bincount(labels[train].astype(int), minlength=classes), 0.5)
        return float(cost(y, np.tile(shares / shares.sum(), (len(y), 1))))
    return float(cost(y, np.full(len(y), labels[train].mean())))
