"""Z-score: every column to mean 0 and standard deviation 1."""

import math
from typing import Self

from slalom.record import record
from slalom.scaling.base import InRace, Scaler, as_columns, as_fitted, each_column, mean_and_spread
from slalom.types import Array


@record
class ZScore(Scaler):
    """Column-wise standardisation.

        z = (x − μ) / σ          μ, σ over the N training rows (σ divides by N)
        a constant column gives z = 0 on the rows it was fitted to (σ = 1)

    mean, spread: [D], in the units of the column. Missing cells are ignored by the fit and stay missing.

    >>> ZScore.fit([[0, 1], [2, 3], [4, 5]])([[2, 5]]).round(4).tolist()
    [[0.0, 1.2247]]
    """

    mean: Array
    spread: Array

    @classmethod
    def fit(cls, x: Array) -> Self:
        mean, spread = each_column(as_columns(x, "ZScore.fit(x)"), mean_and_spread)
        return cls(mean, spread)

    def __call__(self, x: Array) -> Array:
        return (as_fitted(x, len(self.mean), "ZScore(x)") - self.mean) / self.spread

    def inverse(self, z: Array) -> Array:
        return as_fitted(z, len(self.mean), "ZScore.inverse(z)") * self.spread + self.mean

    def in_race(self) -> InRace:
        return InRace(self.mean, self.spread, math.inf)
