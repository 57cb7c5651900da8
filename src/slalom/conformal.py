"""Conformal prediction: intervals of numbers and sets of classes that hold the truth as often as they say."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from slalom.errors import wrong
from slalom.types import Array

LEVELS = tuple(percent / 100 for percent in range(50, 100))  # that are kept with a model
ROUND = 1e-9


class Conformal(NamedTuple):
    """How far predictions were off on rows that were not trained on: of each of `LEVELS` the half width of an interval,
    or by how much less than 1 the probability of a class may be that is in the set. ∞: so many rows say nothing of so
    high a level. rows: how many there were."""

    quantiles: tuple[float, ...]
    rows: int

    @classmethod
    def of(cls, y: Array, prediction: Array) -> "Conformal":
        """From predictions for rows y that were not trained on: [N] numbers, or probabilities [N, C] of codes y.

            regression      s = |y − ŷ|
            classification  s = 1 − p(true class)
            q(1 − α) = the ⌈(n + 1)(1 − α)⌉-th smallest s;  ∞ where there are not so many

        Source: Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World; Angelopoulos & Bates 2021,
        https://arxiv.org/abs/2107.07511, sections 1 and 2.

        >>> found = Conformal.of(np.zeros(9), np.arange(1.0, 10.0))
        >>> found.at(0.9), found.at(0.95)
        (9.0, inf)
        """
        scores = np.sort(np.abs(y - prediction) if prediction.ndim == 1 else 1 - _of_the_truth(y, prediction))
        n = len(scores)
        ranks = [math.ceil((n + 1) * level - ROUND) for level in LEVELS]
        return cls(tuple(float(scores[rank - 1]) if rank <= n else math.inf for rank in ranks), n)

    def at(self, level: float) -> float:
        """The quantile of a level, which must be one of 0.50, 0.51, …, 0.99 (SlalomError)."""
        place = round(level * 100) - 50 if isinstance(level, (int, float)) else -1
        if not 0 <= place < len(LEVELS) or abs(LEVELS[place] - level) > ROUND:
            raise wrong("level", "one of 0.50, 0.51, …, 0.99", level)
        return self.quantiles[place]

    def interval(self, prediction: Array, level: float) -> tuple[Array, Array]:
        """(low, high) [N] of numbers [N]: ŷ ± q."""
        half = self.at(level)
        return prediction - half, prediction + half

    def sets(self, p: Array, level: float) -> Array:
        """Which classes are in the set of each row [N, C], for probabilities [N, C]: those with p ≥ 1 − q, and the
        likeliest in any case."""
        found = p >= 1 - self.at(level) - ROUND
        found[np.arange(len(p)), p.argmax(1)] = True
        return found


def coverage(found: Conformal, y: Array, prediction: Array, level: float) -> tuple[float, float]:
    """(how often the truth lay inside, the mean width of an interval or size of a set) on other rows.

    >>> coverage(Conformal.of(np.zeros(99), np.linspace(0, 1, 99)), np.zeros(2), np.array([0.1, 3.0]), 0.9)[0]
    0.5
    """
    if prediction.ndim == 1:
        low, high = found.interval(prediction, level)
        return float(np.mean((low <= y) & (y <= high))), float(np.mean(high - low))
    inside = found.sets(prediction, level)
    return float(np.mean(_of_the_truth(y, inside))), float(inside.sum(1).mean())


def from_plain(quantiles: Sequence[float | None], rows: int) -> Conformal:
    """From what JSON holds, which has no infinity."""
    if len(quantiles) != len(LEVELS):
        raise ValueError(f"{len(quantiles)} quantiles, {len(LEVELS)} are wanted")
    return Conformal(tuple(math.inf if q is None else float(q) for q in quantiles), int(rows))


def to_plain(found: Conformal) -> dict[str, object]:
    """As JSON holds it."""
    return {"quantiles": [q if math.isfinite(q) else None for q in found.quantiles], "rows": found.rows}


def _of_the_truth(y: Array, table: Array) -> Array:
    return table[np.arange(len(y)), y.astype(int)]
