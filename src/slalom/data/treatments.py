"""What single columns of a table become: numbers, whether a cell is missing, a place or a code for every word."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import polars as pl

from slalom.data.base import as_floats, as_words, missing_cells, refuse_infinite
from slalom.types import Array


class Treatment(Protocol):
    """What one input column becomes; a dataclass of plain data."""

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """The input column."""
        ...

    @property
    def outputs(self) -> list[str]:
        """The names of the output columns, in order."""
        ...

    def write(self, column: pl.Series, out: Array) -> None:
        """Fill out [N, len(outputs)] from the cells of the column."""
        ...


@dataclass(frozen=True)
class Number:
    """A column of numbers, booleans or dates (`of`).

        value = x, or fill where x is missing

    fill: the median of the training rows, in the unit of the column; dates count in days since 1970-01-01. two: the
    training rows hold two different values and no more: an embedding would have nothing to say of them.
    """

    kind: ClassVar[str] = "number"
    name: str
    of: str
    fill: float
    two: bool = False

    @property
    def outputs(self) -> list[str]:
        return [self.name]

    def write(self, column: pl.Series, out: Array) -> None:
        x = as_floats(column, self.of)
        refuse_infinite(x, column.name, out.dtype)
        missing = np.isnan(x)
        out[:, 0] = np.where(missing, self.fill, x) if missing.any() else x


@dataclass(frozen=True)
class Presence:
    """Whether a cell is there: 1 where it is missing, else 0. Beside a column of numbers, if training rows were
    missing, and in the place of one that holds one value where it holds any."""

    kind: ClassVar[str] = "presence"
    name: str

    @property
    def outputs(self) -> list[str]:
        return [f"{self.name} is missing"]

    def write(self, column: pl.Series, out: Array) -> None:
        missing = missing_cells(column) if column.dtype == pl.String else column.is_null()
        if column.dtype.is_float():
            missing = missing | column.is_nan().fill_null(True)
        out[:, 0] = missing.to_numpy()


@dataclass(frozen=True)
class Category:
    """A column of words: 1 in the place of its level, else 0.

    levels: those with a place of their own. other: rarer levels share a place, and so do unseen ones; without it an
    unseen level is 0 in all places. missing: a missing cell has a place, because training rows had some.
    """

    kind: ClassVar[str] = "category"
    name: str
    levels: tuple[str, ...]
    other: bool
    missing: bool

    @property
    def outputs(self) -> list[str]:
        extra = [f"{self.name} is another"] * self.other + [f"{self.name} is missing"] * self.missing
        return [f"{self.name}={level}" for level in self.levels] + extra

    def places(self, column: pl.Series) -> Array:
        """The output column [N] in which each cell has its 1; -1 where it has none."""
        return places(column, self.levels, self.other, self.missing).astype(np.int16)

    def write(self, column: pl.Series, out: Array) -> None:
        place = self.places(column)
        out[:] = 0
        rows = np.flatnonzero(place >= 0)
        out[rows, place[rows]] = 1


@dataclass(frozen=True)
class Code:
    """A column of words with many levels: the number of its level, for which a net has a learned vector.

        code = 0 … L − 1   one of the levels
        code = L           a rarer level or an unseen one, where `other`
        the next           a missing cell, where `missing`
        code = rows        whatever has none of these: it has no vector of its own

    levels: the L with a code of their own. other: rarer levels share one. missing: training rows had missing cells.
    """

    kind: ClassVar[str] = "code"
    name: str
    levels: tuple[str, ...]
    other: bool
    missing: bool

    @property
    def outputs(self) -> list[str]:
        return [self.name]

    @property
    def rows(self) -> int:
        """How many codes stand for something that training rows had."""
        return len(self.levels) + self.other + self.missing

    def write(self, column: pl.Series, out: Array) -> None:
        place = places(column, self.levels, self.other, self.missing)
        out[:, 0] = np.where(place < 0, self.rows, place)


def places(column: pl.Series, levels: tuple[str, ...], other: bool, missing: bool) -> Array:
    """The number of each cell's level [N]: behind the levels stands `other`, behind that a missing cell; -1 for none.

    >>> places(pl.Series(["b", None, "new", "a"]), ("a", "b"), False, True).tolist()
    [1, 2, -1, 0]
    """
    words = as_words(column)
    if column.dtype == pl.Boolean:  # "True" of the one file and "true" of the other
        words = words.replace({level.lower(): level for level in levels})
    numbers = list(range(len(levels)))
    place = words.replace_strict(list(levels), numbers, default=-1, return_dtype=pl.Int64).to_numpy()
    absent = words.is_null().to_numpy()
    place = np.where(absent, len(levels) + other if missing else -1, place)
    return np.where(~absent & (place < 0) & other, len(levels), place)


KINDS: dict[str, type] = {cls.kind: cls for cls in (Number, Presence, Category, Code)}
