"""Z-score: every column to mean 0 and standard deviation 1."""

import math
from typing import Self

import numpy as np

from slalom.record import record
from slalom.scaling.base import InRace, Scaler, as_columns, constant_columns
from slalom.types import Array


@record
class ZScore(Scaler):
    """Column-wise standardisation.

        z = (x − μ) / σ          μ, σ over the N training rows (σ divides by N)
        a constant column gives z = 0 on the rows it was fitted to

    mean, spread: [D], in the units of the column. Missing cells are ignored by the fit and stay missing.

    >>> ZScore.fit([[0, 1], [2, 3], [4, 5]])([[2, 5]]).round(4).tolist()
    [[0.0, 1.2247]]
    """

    mean: Array
    spread: Array

    @classmethod
    def fit(cls, x: Array) -> Self:
        x = as_columns(x, "ZScore.fit(x)")
        constant = constant_columns(x)
        safe = np.where(constant, np.where(np.isnan(x), 0, x), x)  # a column that is missing throughout: mean 0
        mean = np.where(constant, np.nanmax(safe, axis=0), np.nanmean(safe, axis=0))
        return cls(mean, np.where(constant, 1.0, np.nanstd(safe, axis=0)))

    def __call__(self, x: Array) -> Array:
        return (np.asarray(x, np.float64) - self.mean) / self.spread

    def inverse(self, z: Array) -> Array:
        return np.asarray(z, np.float64) * self.spread + self.mean

    def in_race(self) -> InRace:
        return InRace(self.mean, self.spread, math.inf)
