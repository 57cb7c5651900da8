"""Sigmoid: every column squashed to between 0 and 1 by the logistic function, in its own unit."""

from typing import Self

import numpy as np
from scipy.special import expit, logit

from slalom.record import record
from slalom.scaling.base import Scaler, as_columns, as_fitted
from slalom.types import Array


@record
class Sigmoid(Scaler):
    """Sigmoid scaling: the logistic function of the cells as they came.

        z = 1 / (1 + e⁻ˣ)
        x = log(z / (1 − z))          the inverse; −∞ for z ≤ 0, ∞ for z ≥ 1, their limits

    columns: [] the number of columns, all that the fit learns: a constant column gives one value between 0 and 1.
    Missing cells stay missing. The function saturates: a column far from 0 or of a wide range becomes 0s and 1s, which
    `z_score_sigmoid` avoids. In float64 z is 1 above x = 36.7, and 0 below −745; on the way back the error is
    1e-16 eˣ for x > 0 (1e-7 at 20, 1 at 36), and 1e-16 |x| for x < 0, since small numbers have more digits than numbers
    near 1. No library has this scaler under a name of its own.

    >>> Sigmoid.fit([[0, 1], [2, 3]])([[0, 3]]).round(4).tolist()
    [[0.5, 0.9526]]
    >>> Sigmoid.fit([[0]]).inverse([[0.5], [1.0], [-0.1]]).tolist()
    [[0.0], [inf], [-inf]]
    """

    columns: int

    @classmethod
    def fit(cls, x: Array) -> Self:
        return cls(as_columns(x, "Sigmoid.fit(x)").shape[1])

    def __call__(self, x: Array) -> Array:
        return expit(as_fitted(x, self.columns, "Sigmoid(x)"))

    def inverse(self, z: Array) -> Array:
        return logit(np.clip(as_fitted(z, self.columns, "Sigmoid.inverse(z)"), 0, 1))

    def in_race(self) -> None:
        return None
