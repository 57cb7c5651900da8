"""Quantile to normal: every column's ranks laid out as a normal distribution."""

from collections.abc import Callable
from typing import Self

import numpy as np
from scipy.special import ndtr, ndtri

from slalom.record import record
from slalom.scaling.base import Scaler, as_columns, as_fitted, each_column, is_constant
from slalom.types import Array

EDGE = 1e-7  # the smallest probability that is told from 0, as in scikit-learn: |z| ≤ 5.199


@record
class QuantileNormal(Scaler):
    """Quantile transformation to a normal distribution (scikit-learn's QuantileTransformer, no subsampling, no noise).

        p = F(x)                      F linear between Q quantiles of the N training rows
        z = Φ⁻¹(p), between Φ⁻¹(1e-7) and Φ⁻¹(1 − 1e-7), which is ±5.199
        F of a repeated value is the middle of its ranks; of the smallest value 0, of the largest 1
        a constant column gives z = 0 on the rows it was fitted to

    quantiles: [Q, D], in the units of the column, at the probabilities references: [Q]. Q = max(min(⌊N / 30⌋, 1000),
    10), at most N, as in RTDL and TabM. Missing cells are ignored by the fit and stay missing. Rows outside the
    training range get its end: there the inverse answers with the smallest or largest training value.
    scikit-learn also moves to an end what lies within 1e-7 of it in the column's own units; here no unit matters.

    >>> QuantileNormal.fit([[0], [1], [2], [3], [4]])([[2], [3], [9]]).round(3).tolist()
    [[0.0], [0.674], [5.199]]
    """

    shared = ("references",)

    quantiles: Array
    references: Array

    @classmethod
    def fit(cls, x: Array) -> Self:
        x = as_columns(x, "QuantileNormal.fit(x)")
        rows = x.shape[0]
        references = np.linspace(0, 1, max(2, min(max(min(rows // 30, 1000), 10), rows)))

        def fit_one(present: Array) -> Array:
            return np.percentile(present if present.size else np.zeros(1), references * 100)

        return cls(each_column(x, fit_one), references)

    def __call__(self, x: Array) -> Array:
        x = as_fitted(x, self.quantiles.shape[1], "QuantileNormal(x)")
        p = self._by_column(x, self._probability)
        # One digit inside the edge, so that the inverse knows it again.
        return np.clip(ndtri(p), ndtri(EDGE - np.spacing(1)), ndtri(1 - (EDGE - np.spacing(1))))

    def inverse(self, z: Array) -> Array:
        p = ndtr(as_fitted(z, self.quantiles.shape[1], "QuantileNormal.inverse(z)"))
        p = np.where(p - EDGE < 0, 0.0, np.where(p + EDGE > 1, 1.0, p))
        return self._by_column(p, lambda p, quantiles: np.interp(p, self.references, quantiles))

    def in_race(self) -> None:
        return None

    def _probability(self, x: Array, quantiles: Array) -> Array:
        """F of one column [N]: the mean of reading its steps from the left and from the right."""
        low, high = quantiles[0], quantiles[-1]
        if is_constant(quantiles):
            p = np.where(x < low, 0.0, np.where(x > high, 1.0, 0.5))
        else:
            from_left = np.interp(x, quantiles, self.references)
            from_right = -np.interp(-x, -quantiles[::-1], -self.references[::-1])
            between = np.clip((from_left + from_right) / 2, 0.0, 1.0)  # rounding may lead a digit outside
            p = np.where(x <= low, 0.0, np.where(x >= high, 1.0, between))
        return np.where(np.isnan(x), np.nan, p)

    def _by_column(self, x: Array, one: Callable[[Array, Array], Array]) -> Array:
        """`one` of each column of x [N, D] and its quantiles [Q]."""
        return np.stack([one(column, q) for column, q in zip(x.T, self.quantiles.T, strict=True)], axis=1)
