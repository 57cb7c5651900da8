"""What a pool says: which recipes make the best portfolio, and how good plans would have been, tried out on paper."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Plan = list[tuple[float, float]]  # (recipes, share of the horizon) of each rung; recipes relative to each other
PLANS: dict[str, Plan] = {
    "all to the end": [(1, 1)],
    "best ninth after one epoch": [(9, 0), (1, 1)],
    "best fifth after one epoch": [(5, 0), (1, 1)],
    "best third at a third": [(3, 1 / 3), (1, 1)],
    "best third at a ninth and at a third": [(9, 1 / 9), (3, 1 / 3), (1, 1)],
    "best quarter at a sixteenth and at a quarter": [(16, 1 / 16), (4, 1 / 4), (1, 1)],
    "best third at 1/27 and at a ninth": [(9, 1 / 27), (3, 1 / 9), (1, 1)],
    "best third at 1/27, 1/9 and 1/3": [(27, 1 / 27), (9, 1 / 9), (3, 1 / 3), (1, 1)],
}
PATIENCES = (0.1, 0.2, 0.3, 0.5)  # shares of the horizon; a race has 0.3
RESAMPLES = 300
LOST = 2.0  # the regret of what has no cost, at least; of a portfolio none above it counts
Curve = Sequence[Sequence[float | None]]  # (epoch, cost), None where it is not finite


def best_until(curve: Curve, epoch: float) -> float:
    """The least cost of a curve of (epoch, cost) up to an epoch; ∞ where there is none.

    >>> best_until([[1, 3.0], [2, 1.0], [3, 2.0]], 2), best_until([[1, None]], 1)
    (1.0, inf)
    """
    return min(
        (cost for at, cost in curve if cost is not None and at is not None and at <= epoch + 1e-9), default=np.inf
    )


def regrets(costs: np.ndarray) -> np.ndarray:
    """Costs of the recipes of a set as regrets: 0 is the best one, 1 the median, or where that is infinite the worst
    one that came to an end. Infinite costs are as bad as the worst finite one, and 2 at least.

    >>> regrets(np.array([1.0, 2.0, 3.0])).tolist(), regrets(np.array([1.0, 3.0, np.inf, np.inf, np.inf])).tolist()
    ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 2.0, 2.0])
    """
    there = np.isfinite(costs)
    found = np.full(len(costs), LOST)
    if there.any():
        found[there] = (costs[there] - costs[there].min()) / unit(costs)
        found[~there] = max(LOST, found[there].max())
    return found


def unit(costs: np.ndarray) -> float:
    """The cost that is a regret of 1: how far the best of a set is from its median, or from its worst finite cost where
    the median is infinite."""
    finite = costs[np.isfinite(costs)]
    return float(max(min(np.median(costs), finite.max()) - finite.min(), 1e-12)) if len(finite) else 1e-12


def portfolio(table: np.ndarray, count: int) -> list[int]:
    """The recipes, one after the other, that lower the mean over the sets of the best regret most.

    table: [sets, recipes] of regrets, of which nothing above 2 counts.

    >>> portfolio(np.array([[0.0, 0.2, 1.0], [1.0, 0.2, 0.0]]), 2)
    [1, 0]
    """
    table, chosen = np.minimum(table, LOST), list[int]()
    now = np.full(len(table), LOST)
    for _ in range(count):
        means = np.minimum(table, now[:, None]).mean(0)
        means[chosen] = np.inf
        chosen.append(int(means.argmin()))
        now = np.minimum(now, table[:, chosen[-1]])
    return chosen


def priced(plan: Plan, budget: float, epochs: int) -> list[tuple[int, float]]:
    """The plan with as many recipes as so many trainings to the end pay for: (recipes, epochs) of each rung.

    >>> priced([(9, 1 / 9), (3, 1 / 3), (1, 1)], 7.0, 45)
    [(27, 5.0), (9, 15.0), (3, 45)]
    """
    ends = [max(share * epochs, 1.0) for _, share in plan]
    cost = sum(n * (end - before) for (n, _), end, before in zip(plan, ends, [0.0, *ends], strict=False)) / epochs
    return [(max(1, round(n * budget / cost)), end) for (n, _), end in zip(plan, ends, strict=True)]


def tried(recipes: Sequence[dict[str, Any]], plan: Plan, budget: float, epochs: int) -> float | None:
    """The mean regret of the best finisher of a plan, over random orders of the pool's recipes; None where the plan
    begins with more recipes than the pool has: drawn twice, they would count against it.
    """
    rungs = priced(plan, budget, epochs)
    if rungs[0][0] > len(recipes):
        return None
    scores = {end: np.array([best_until(one["curve"], end) for one in recipes]) for _, end in rungs}
    regret, rng, found = regrets(scores[rungs[-1][1]]), np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        alive = rng.permutation(len(recipes))[: rungs[0][0]]
        for (_, end), (stay, _) in pairwise(rungs):
            alive = alive[np.argsort(scores[end][alive], kind="stable")[:stay]]
        found.append(regret[alive].min())
    return float(np.mean(found))


def stopped(curve: Curve, wait: float) -> float:
    """The epoch at which a racer ends that is stopped when it was not better for more than so many epochs.

    >>> stopped([[1, 3.0], [2, 1.0], [3, 2.0], [4, 2.0], [5, 0.5]], 1.5), stopped([[1, 3.0], [2, 1.0]], 1.5)
    (4, 2)
    """
    best, since = np.inf, np.inf
    for at, cost in curve:
        assert at is not None
        if cost is not None and cost < best:
            best, since = cost, at
        if at - since > wait:
            return at
    return curve[-1][0] or 0.0


def waited(recipes: Sequence[dict[str, Any]], patience: float, epochs: int) -> tuple[float, float, float]:
    """What stopping early does to the recipes of a set: the mean share of their epochs that it saves, the same of the
    better third, and the regret of the best cost that is left."""
    curves = [one["curve"] for one in recipes]
    ends = np.array([curve[-1][0] for curve in curves])
    until = np.array([stopped(curve, patience * epochs) for curve in curves])
    full = np.array([best_until(curve, end) for curve, end in zip(curves, ends, strict=True)])
    left = min(best_until(curve, end) for curve, end in zip(curves, until, strict=True))
    saved, better = 1 - until / ends, np.argsort(full, kind="stable")[: max(len(full) // 3, 1)]
    lost = (left - full.min()) / unit(full) if np.isfinite(left) else 0.0
    return float(saved.mean()), float(saved[better].mean()), float(lost)
