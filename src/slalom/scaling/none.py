"""None: the columns as they came."""

import math
from typing import Self

import numpy as np

from slalom.record import record
from slalom.scaling.base import InRace, Scaler, as_columns, as_fitted
from slalom.types import Array


@record
class NoScaling(Scaler):
    """No scaling at all.

        z = x

    columns: [] the number of columns, all that the fit learns. What comes back may be the caller's own array.

    >>> NoScaling.fit([[0, 1], [2, 3]])([[5, 6]]).tolist()
    [[5.0, 6.0]]
    """

    columns: int

    @classmethod
    def fit(cls, x: Array) -> Self:
        return cls(as_columns(x, "NoScaling.fit(x)").shape[1])

    def __call__(self, x: Array) -> Array:
        return as_fitted(x, self.columns, "NoScaling(x)")

    def inverse(self, z: Array) -> Array:
        return as_fitted(z, self.columns, "NoScaling.inverse(z)")

    def in_race(self) -> InRace:
        return InRace(np.zeros(self.columns), np.ones(self.columns), math.inf)
