"""Selection: which of many models make a good mean, chosen greedily and with replacement; pure functions."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from slalom.types import Array

ROUNDS = 30  # models of the mean, counted as often as they were chosen


class Selection(NamedTuple):
    """How often each candidate was chosen, and the cost of the mean of those."""

    counts: tuple[int, ...]
    cost: float


def greedy(
    candidates: Sequence[Sequence[Array]],
    cost: Callable[[Sequence[Array]], float],
    rounds: int = ROUNDS,
    *,
    allowed: Callable[[tuple[int, ...], int], bool] = lambda counts, new: True,
    late: Callable[[], bool] = lambda: False,
) -> Selection:
    """The mean of predictions with the least cost that greedy choice with replacement finds.

        e₁ = p₀,   eᵣ₊₁ = (r eᵣ + pⱼ) / (r + 1),  j = argmin cost,   answer: the eᵣ of least cost, r = 1 … rounds

    A candidate may be chosen again, which gives it weight; a round adds the best one even where that is worse than
    before, and the best of all rounds is kept. Of equals the first candidate and the fewest rounds are taken.

    candidates: the predictions pⱼ of each, as the same parts (of the folds, say) each; the first is the start.
    cost: of such parts, less is better. allowed: whether a candidate that was not chosen yet may be, given the counts
    so far. late: whether to stop with what there is; asked before each cost.
    Source: Caruana et al. 2004, https://www.cs.cornell.edu/~alexn/papers/shotgun.icml04.revised.rev2.pdf

    >>> y = np.array([0.0, 0.0])
    >>> models = [[np.array([1.0, 0.5])], [np.array([-1.0, 0.0])]]
    >>> greedy(models, lambda parts: float(abs(parts[0] - y).max()), rounds=2)
    Selection(counts=(1, 1), cost=0.25)
    """
    total = [np.array(part, np.float64) for part in candidates[0]]
    counts = [1] + [0] * (len(candidates) - 1)
    best = Selection(tuple(counts), cost(candidates[0]))
    for r in range(1, rounds):
        found = np.full(len(candidates), np.inf)
        for j, parts in enumerate(candidates):
            if late():
                return best
            if counts[j] or allowed(tuple(counts), j):
                found[j] = cost([(t + p) / (r + 1) for t, p in zip(total, parts, strict=True)])
        chosen = int(found.argmin())
        if not np.isfinite(found[chosen]):
            break
        total = [t + p for t, p in zip(total, candidates[chosen], strict=True)]
        counts[chosen] += 1
        if found[chosen] < best.cost:
            best = Selection(tuple(counts), float(found[chosen]))
    return best


def affordable(evaluations: float, rounds: int = ROUNDS, fewest: int = 5) -> tuple[int, int]:
    """(candidates, rounds) of a greedy choice that takes at most about so many evaluations of the cost: first fewer
    candidates, and where they would be fewer than 5, fewer rounds.

    >>> affordable(1200), affordable(300), affordable(60)
    ((40, 30), (10, 30), (5, 12))
    """
    candidates = max(fewest, int(evaluations / rounds))
    return candidates, max(2, min(rounds, int(evaluations / candidates)))
