"""Z-score and sigmoid: every column standardised, then squashed to between 0 and 1 by the logistic function."""

from typing import Self

import numpy as np
from scipy.special import expit, logit

from slalom.record import record
from slalom.scaling.base import Scaler, as_columns, as_fitted, each_column, mean_and_spread
from slalom.types import Array


@record
class ZScoreSigmoid(Scaler):
    """Sigmoid scaling of the standardised columns.

        u = (x − μ) / σ          μ, σ over the N training rows (σ divides by N)
        z = 1 / (1 + e⁻ᵘ)
        x = μ + σ log(z / (1 − z))          the inverse; −∞ for z ≤ 0, ∞ for z ≥ 1, their limits
        a constant column gives z = 1/2 on the rows it was fitted to (σ = 1)

    mean, spread: [D], in the units of the column. Missing cells are ignored by the fit and stay missing. Outliers bend
    towards 0 and 1. In float64 z is 1 above u = 36.7, and 0 below −745; on the way back the error in units of σ is
    1e-16 eᵘ for u > 0 (1e-13 at 7, 1e-7 at 20), and 1e-16 |u| for u < 0.

    >>> ZScoreSigmoid.fit([[0, 1], [2, 3], [4, 5]])([[2, 5]]).round(4).tolist()
    [[0.5, 0.7729]]
    """

    mean: Array
    spread: Array

    @classmethod
    def fit(cls, x: Array) -> Self:
        mean, spread = each_column(as_columns(x, "ZScoreSigmoid.fit(x)"), mean_and_spread)
        return cls(mean, spread)

    def __call__(self, x: Array) -> Array:
        return expit((as_fitted(x, len(self.mean), "ZScoreSigmoid(x)") - self.mean) / self.spread)

    def inverse(self, z: Array) -> Array:
        u = logit(np.clip(as_fitted(z, len(self.mean), "ZScoreSigmoid.inverse(z)"), 0, 1))
        return u * self.spread + self.mean

    def in_race(self) -> None:
        return None
