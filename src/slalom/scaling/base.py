"""The contract of a scaler, written once.

    scaler = ZScore.fit(x)        # x [N, D]: the training rows only; the fit is the constructor
    z = scaler(x)                 # [N, D] float64
    x = scaler.inverse(z)

Fitting ignores missing cells (NaN); transforming hands them on. Everything is NumPy float64 on the host: a column with
a mean of 1e9 and a spread of 1 keeps its digits. In a race there is one float32 copy of the data, and scalers that answer
`in_race` are applied to each batch inside the step:

    z = squash((x − centre) / spread),   squash(u) = u / √(1 + (u / clip)²), the identity for clip = ∞
"""

from typing import NamedTuple, Protocol, Self

import numpy as np

from slalom.errors import wrong
from slalom.types import Array


class InRace(NamedTuple):
    """A scaler as the numbers that a program applies to a batch."""

    centre: Array  # [D] in the units of the column
    spread: Array  # [D] in the units of the column, never 0
    clip: float  # the bound that large values approach; ∞ for none


class Scaler(Protocol):
    """What every scaler answers (see the head of this file)."""

    @classmethod
    def fit(cls, x: Array) -> Self:
        """Fit to the training rows x [N, D]."""
        ...

    def __call__(self, x: Array) -> Array:
        """x [N, D] in the scaled units."""
        ...

    def inverse(self, z: Array) -> Array:
        """z [N, D] back in the units of the columns."""
        ...

    def in_race(self) -> InRace | None:
        """The scaler as numbers of a program, or None if it cannot be written so (its data is then stored once)."""
        ...


def as_columns(x: Array, where: str) -> Array:
    """Check and convert to float64 [N, D] with at least one row."""
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] == 0:
        raise wrong(where, "a table of at least one row: shape (rows, columns)", x.shape)
    return x


def constant_columns(x: Array) -> Array:
    """[D] True where every present value of a column is the same: max = min, as std = 0 misses columns of 0.1s."""
    low = np.min(x, axis=0, where=~np.isnan(x), initial=np.inf)
    high = np.max(x, axis=0, where=~np.isnan(x), initial=-np.inf)
    return high <= low  # also true for a column that is missing throughout
