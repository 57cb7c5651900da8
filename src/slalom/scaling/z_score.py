"""Z-score: every column to mean 0 and standard deviation 1."""

import math
from typing import Self

import numpy as np

from slalom.record import record
from slalom.scaling.base import InRace, Scaler, as_columns, as_fitted, constant_value, each_column, is_constant
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


def mean_and_spread(present: Array) -> tuple[float, float]:
    """μ and σ of one column, taken between its ends, where a huge offset costs no digits and no square overflows."""
    if is_constant(present):
        return constant_value(present), 1.0
    low = np.min(present)
    extent = np.max(present) - low
    unit = (present - low) / extent  # in [0, 1]
    return low + extent * np.mean(unit), extent * np.std(unit)
