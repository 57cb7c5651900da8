"""Robust: every column by its median and the distance of its quartiles, which outliers do not move."""

import math
from typing import Self

import numpy as np

from slalom.record import record
from slalom.scaling.base import InRace, Scaler, as_columns, as_fitted, constant_value, each_column, is_constant
from slalom.types import Array


@record
class Robust(Scaler):
    """Robust scaling (scikit-learn's RobustScaler with its defaults).

        z = (x − median) / IQR          IQR = q₇₅ − q₂₅, the quartile distance of the N training rows
        IQR counts as 1 where the quartiles are equal; a constant column gives z = 0 on the rows it was fitted to

    centre, spread: [D], median and IQR, in the units of the column. Missing cells are ignored by the fit and stay
    missing. An outlier moves neither number, and stays as far out as it was: `robust_clip` bends it back.
    A column most of whose values are equal has equal quartiles, and keeps its own unit; `robust_clip` takes half its
    range there. scikit-learn's unit_variance=True multiplies z by 1.349, the IQR of a standard normal distribution, so
    that normal columns get standard deviation 1 instead of 0.741; here, as by default there, IQR is the unit.
    scikit-learn takes an IQR below 2.2e-15 for 0, whatever the column's unit; here no unit matters.

    >>> Robust.fit([[0], [1], [2], [3], [4]])([[4], [1000]]).tolist()
    [[1.0], [499.0]]
    """

    centre: Array
    spread: Array

    @classmethod
    def fit(cls, x: Array) -> Self:
        centre, spread = each_column(as_columns(x, "Robust.fit(x)"), median_and_quartile_distance)
        return cls(centre, spread)

    def __call__(self, x: Array) -> Array:
        return (as_fitted(x, len(self.centre), "Robust(x)") - self.centre) / self.spread

    def inverse(self, z: Array) -> Array:
        return as_fitted(z, len(self.centre), "Robust.inverse(z)") * self.spread + self.centre

    def in_race(self) -> InRace:
        return InRace(self.centre, self.spread, math.inf)


def median_and_quartile_distance(present: Array) -> tuple[float, float]:
    """Median and IQR of one column."""
    if is_constant(present):
        return constant_value(present), 1.0
    quarter, median, three_quarters = np.quantile(present, [0.25, 0.5, 0.75])
    equal = is_constant(np.array([quarter, three_quarters]))
    return median, 1.0 if equal else three_quarters - quarter
