"""Min-max: every column to a range between two numbers, 0 and 1 unless others are asked for."""

import math
from typing import Self

import numpy as np

from slalom.errors import wrong
from slalom.record import record, setting
from slalom.scaling.base import InRace, Scaler, as_columns, as_fitted, constant_value, each_column, is_constant
from slalom.types import Array, Setting


@record
class MinMax(Scaler):
    """Min-max scaling.

        z = low + (high − low) (x − min) / (max − min)          min, max over the N training rows
        a constant column gives z = low on the rows it was fitted to (max − min counts as 1)

    minimum, extent: [D], min and max − min, in the units of the column. low, high: [] the ends of the target range,
    given to `fit`. New rows outside the training range leave the target range: nothing is clipped. One outlier squeezes
    the rest of its column. Missing cells are ignored by the fit and stay missing.

    >>> MinMax.fit([[0, 1], [10, 3]], low=-1)([[5, 5]]).tolist()
    [[0.0, 3.0]]
    """

    minimum: Array
    extent: Array
    low: Setting = setting(0.0, "(-inf, inf)", "the lower end of the target range")
    high: Setting = setting(1.0, "(-inf, inf)", "the upper end of the target range")

    @classmethod
    def fit(cls, x: Array, **settings: Setting) -> Self:
        minimum, extent = each_column(as_columns(x, "MinMax.fit(x)"), minimum_and_extent)
        made = cls(minimum, extent, **settings)
        if not made.low < made.high:
            raise wrong("MinMax(high=…)", f"above low = {made.low!r}", made.high)
        return made

    def __call__(self, x: Array) -> Array:
        x = as_fitted(x, len(self.minimum), "MinMax(x)")
        return self.low + (self.high - self.low) * ((x - self.minimum) / self.extent)

    def inverse(self, z: Array) -> Array:
        z = as_fitted(z, len(self.minimum), "MinMax.inverse(z)")
        return self.minimum + self.extent * ((z - self.low) / (self.high - self.low))

    def in_race(self) -> InRace:
        spread = self.extent / (self.high - self.low)
        return InRace(self.minimum - self.low * spread, spread, math.inf)


def minimum_and_extent(present: Array) -> tuple[float, float]:
    """min and max − min of one column."""
    if is_constant(present):
        return constant_value(present), 1.0
    return np.min(present), np.max(present) - np.min(present)
