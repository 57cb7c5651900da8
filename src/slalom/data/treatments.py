"""What single columns of a table become: numbers, cycles, whether a cell is missing, places, codes, hashed words."""

import zlib
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import polars as pl

from slalom.data.base import as_floats, as_words, missing_cells, refuse_infinite
from slalom.types import Array

DIGITS = 9  # of sines and cosines: sin π is 0, and no scaling makes a column of its rounding


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
class Cycle:
    """Where in a cycle a date lies: the season, the weekday, the time of day.

        sin(2π t), cos(2π t),   t = x / period, x in days since 1970-01-01 (whole: of whole days); 0, 0 where missing

    word: what the cycle is called. period: in days.
    """

    kind: ClassVar[str] = "cycle"
    name: str
    word: str
    period: float
    whole: bool = False

    @property
    def outputs(self) -> list[str]:
        return [f"{self.name} {self.word} sin", f"{self.name} {self.word} cos"]

    def write(self, column: pl.Series, out: Array) -> None:
        x = as_floats(column, "date")
        angle = 2 * np.pi * ((np.floor(x) if self.whole else x) % self.period) / self.period
        out[:, 0] = np.nan_to_num(np.round(np.sin(angle), DIGITS))
        out[:, 1] = np.nan_to_num(np.round(np.cos(angle), DIGITS))


@dataclass(frozen=True)
class Text:
    """Free text: its words, and pairs of neighbouring words, counted in a few columns that a hash deals them to.

        out[h mod P] += ±1 for each word and pair, divided by √(how many there are);   h = crc32, ± its highest bit

    places: P. Words are runs of letters and digits, in lower case. A missing cell is 0 in all places. Source:
    Weinberger et al. 2009, https://arxiv.org/abs/0902.2206.
    """

    kind: ClassVar[str] = "text"
    name: str
    places: int = 32

    @property
    def outputs(self) -> list[str]:
        return [f"{self.name} ~{k}" for k in range(self.places)]

    def write(self, column: pl.Series, out: Array) -> None:
        out[:] = 0
        rows, found = _words_and_pairs(as_words(column))
        known = found.unique()
        hashes = np.array([zlib.crc32(word.encode()) for word in known], np.int64)
        of = found.replace_strict(known, pl.Series(hashes), return_dtype=pl.Int64).to_numpy() if len(found) else hashes
        np.add.at(out, (rows, of % self.places), np.where(of >> 31, -1.0, 1.0))
        out /= np.sqrt(np.maximum(np.bincount(rows, minlength=len(out)), 1))[:, None]


def _words_and_pairs(text: pl.Series) -> tuple[Array, pl.Series]:
    """(the row of each, the words of all cells and behind them the pairs of neighbours)."""
    words = text.fill_null("").str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]+")
    rows = np.repeat(np.arange(len(words)), words.list.len().to_numpy())
    flat = words.explode().drop_nulls().alias("word")
    same = rows[:-1] == rows[1:] if len(rows) else np.empty(0, bool)
    pairs = (flat.head(max(len(flat) - 1, 0)) + " " + flat.tail(max(len(flat) - 1, 0))).filter(pl.Series(same))
    return np.concatenate([rows, rows[:-1][same]]) if len(rows) else rows, pl.concat([flat, pairs])


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


KINDS: dict[str, type] = {cls.kind: cls for cls in (Number, Cycle, Text, Presence, Category, Code)}
