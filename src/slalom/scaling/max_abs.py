"""Max-abs: every column divided by its largest absolute value, so that 0 stays 0."""

import math
from typing import Self

import numpy as np

from slalom.record import record
from slalom.scaling.base import LARGEST, InRace, Scaler, as_columns, as_fitted, each_column
from slalom.types import Array


@record
class MaxAbs(Scaler):
    """Max-abs scaling (scikit-learn's MaxAbsScaler).

        z = x / max |x|          max over the N training rows
        a column of 0s gives z = 0 (max |x| counts as 1); any other constant column gives 1 or −1 throughout

    largest: [D], max |x|, in the units of the column. Training rows lie between −1 and 1, new ones may lie outside:
    nothing is clipped. Nothing is shifted, so that 0 stays 0 and signs stay; beside a huge offset the rest of a column
    is squeezed (1e9 ± 1 becomes 1 ± 1e-9). Missing cells are ignored by the fit and stay missing.
    scikit-learn takes a max |x| below 2.2e-15 for 0, whatever the column's unit; here no unit matters.

    >>> MaxAbs.fit([[-4, 1], [2, 3]])([[2, 6]]).tolist()
    [[0.5, 2.0]]
    """

    largest: Array

    @classmethod
    def fit(cls, x: Array) -> Self:
        (largest,) = each_column(as_columns(x, "MaxAbs.fit(x)"), largest_absolute_value)
        return cls(largest)

    def __call__(self, x: Array) -> Array:
        return as_fitted(x, len(self.largest), "MaxAbs(x)") / self.largest

    def inverse(self, z: Array) -> Array:
        return as_fitted(z, len(self.largest), "MaxAbs.inverse(z)") * self.largest

    def in_race(self) -> InRace:
        return InRace(np.zeros(len(self.largest)), self.largest, math.inf)


def largest_absolute_value(present: Array) -> tuple[float]:
    """max |x| of one column, 1 where that is 0 or so small that 1 / max |x| would overflow."""
    largest = max(np.max(present), -np.min(present)) if present.size else 0.0
    return (largest if largest > 1 / LARGEST else 1.0,)
