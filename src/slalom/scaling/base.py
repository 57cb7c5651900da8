"""The contract of a scaler, written once.

    scaler = ZScore.fit(x)        # x [N, D]: the training rows only; the fit is the constructor
    z = scaler(x)                 # [N, D] float64
    x = scaler.inverse(z)

Fitting ignores missing cells (NaN); transforming hands them on. Infinite cells are refused by the fit, and go to the
scaling's limit afterwards. A column that is constant to the last digits (`is_constant`: one row, 0.3 beside 0.1 + 0.2,
or no value at all) gives its training rows one harmless value, and its scale is 1; `max_abs` has its size as the scale.
A target is a table of one column, [N, 1]. Settings, where a scaler has some, are keywords of `fit`.
A scaler's fields are arrays and numbers: stored by name, they rebuild it by `cls(**fields)`.
Everything is NumPy float64 on the host, also for float32, whole numbers and truth values: a column with a mean of 1e9
and a spread of 1 keeps its digits. (In float32 that column is constant before it comes here: its steps are 64.) In a
race there is one float32 copy of the data, and scalers that answer `in_race` are applied to each batch inside the step:

    z = squash((x − centre) / spread),   squash(u) = u / √(1 + (u / clip)²), the identity for clip = ∞

The data of the others is stored, scaled, beside that copy.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np

from slalom.errors import wrong
from slalom.types import Array

LARGEST = 1e300  # of a cell: below it differences and means do not overflow


class InRace(NamedTuple):
    """A scaler as the numbers that a program applies to a batch."""

    centre: Array  # [D] in the units of the column
    spread: Array  # [D] in the units of the column, never 0
    clip: float  # the bound that large values approach; ∞ for none


class Scaler(Protocol):
    """What every scaler answers (see the head of this file).

    shared: the arrays that are not numbers of the columns (their last axis is not D).
    """

    shared: ClassVar[tuple[str, ...]] = ()

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
    """Check and convert the rows of a fit to float64 [N, D]: at least one row and one column, no infinite cell."""
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise wrong(where, "a table of at least one row and one column: shape (rows, columns)", x.shape)
    extreme = np.abs(x) > LARGEST
    if extreme.any():
        row, column = np.argwhere(extreme)[0]
        raise wrong(
            f"Column {column} of {where}",
            f"missing (NaN) or between -{LARGEST:g} and {LARGEST:g} in every row",
            float(x[row, column]),
            "Make such cells missing first.",
        )
    return x


def as_fitted(x: Array, columns: int, where: str) -> Array:
    """Check and convert rows to float64 [N, D] with as many columns as the fit had."""
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != columns:
        raise wrong(where, f"a table with the {columns} columns of the fit", x.shape)
    return x


def each_column(x: Array, fit_one: Callable[[Array], Sequence[Array] | Array]) -> Array:
    """Fit to each column of x [N, D] by itself, on its present values: `fit_one` [n] -> [S] numbers; answers [S, D].

    One column at a time needs no masked copy of the table, and sums in pairs, which a sum down the rows does not.
    """
    fitted = np.array([fit_one(column[~np.isnan(column)]) for column in x.T], dtype=np.float64)
    return np.ascontiguousarray(fitted.T)


def beside(parts: Sequence[Any]) -> Any:
    """One scaler of all columns from scalers of one kind that were fitted to some columns each, side by side.

    >>> from slalom.scaling import MaxAbs
    >>> beside([MaxAbs.fit([[1, -2]]), MaxAbs.fit([[4]])]).largest.tolist()
    [1.0, 2.0, 4.0]
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    made = {}
    for field in fields(first):
        values = [getattr(part, field.name) for part in parts]
        by_column = np.ndim(values[0]) > 0 and field.name not in first.shared
        together = sum(values) if field.name == "columns" else values[0]  # how many, where that is all a scaler learns
        made[field.name] = np.concatenate(values, axis=-1) if by_column else together
    return type(first)(**made)


def is_constant(present: Array) -> bool:
    """Whether the present values [n] of a column are one value, to the last digits of float64; n = 0 counts as one.

    Not `std = 0`, which rounding breaks: a column of 0.1s would be blown up to ±1, and the column below to ±1 as well.

    >>> is_constant(np.array([0.3, 0.1 + 0.2])), is_constant(np.array([1e9, 1e9 + 1]))
    (True, False)
    """
    if present.size == 0:
        return True
    low, high = present.min(), present.max()
    return bool(high - low <= max(4 * np.finfo(np.float64).eps * max(abs(low), abs(high)), 1 / LARGEST))


def constant_value(present: Array) -> float:
    """The value of a constant column; 0 for a column that is missing throughout."""
    return float(present[0]) if present.size else 0.0


def mean_and_spread(present: Array) -> tuple[float, float]:
    """μ and σ of one column, taken between its ends, where a huge offset costs no digits and no square overflows."""
    if is_constant(present):
        return constant_value(present), 1.0
    low = np.min(present)
    extent = np.max(present) - low
    unit = (present - low) / extent  # in [0, 1]
    return low + extent * np.mean(unit), extent * np.std(unit)
