"""Turns a table into numbers: fitted on the training rows, the same at prediction, readable as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import polars as pl

from slalom.data.base import Table, counted, shown
from slalom.data.decided import checked_kinds, decide
from slalom.data.treatments import KINDS, Category, Code, Number, Text, Treatment
from slalom.errors import SlalomError, nearest, wrong
from slalom.types import Array

_FIELDS: dict[str, Any] = {  # of all treatments
    "name": str, "of": str, "word": str, "fill": (int, float), "period": (int, float), "places": int,
    "two": bool, "whole": bool, "other": bool, "missing": bool, "levels": tuple,
}  # fmt: skip
_FIRST = 1_000  # cells by which columns are told apart before they are compared whole


@dataclass(frozen=True)
class Columns:
    """The way from a table to numbers [N, D], fitted on training rows only.

        number    value, missing → median of the training rows; + whether it is, if training rows had missing cells
        boolean   0 or 1, otherwise like a number;   date   days since 1970-01-01, otherwise like a number; + sine and
                  cosine of the season, the weekday, the time of day, where training rows show them
        words     one place a level (the 30 most frequent; rarer ones share a place), missing a level of its own if
                  training rows had it; a level that was never seen: 0 in all places, or the shared place
        words of more than 30 levels that at least 5 rows have: one column of codes, see `Code`; all rarer levels share
                  one, if at least 5 rows have them (the 5,000 most frequent have one of their own)
        text      more than 30 different cells, half of all at least, of three words or more on average: hashed words,
                  see `Text`
        dropped   constant on the training rows, without any value, the same as another column, words of which nearly
                  every row has its own (ids)

    names: the D output columns; the first `numeric` of them are numbers of more than two values, which a net may embed,
    then come all others, and last the codes of words, each in the order of the table. input_names: the columns of the
    table it was fitted on, without the target. notes: what was decided, one sentence each. The record holds plain data
    only; see `to_plain`.

    >>> frame = pl.DataFrame({"size": [1.0, None, 3.0, 5.0], "kind": ["a", "b", "a", None]})
    >>> columns = Columns.fit(frame, rows=[0, 1, 2])
    >>> columns.names
    ('size', 'size is missing', 'kind=a', 'kind=b')
    >>> columns(pl.DataFrame({"kind": ["b", "new"], "size": [None, 4]})).tolist()
    [[2.0, 1.0, 0.0, 1.0], [4.0, 0.0, 0.0, 0.0]]
    """

    input_names: tuple[str, ...]
    treatments: tuple[Treatment, ...]
    notes: tuple[str, ...] = ()
    target: str | None = None

    @classmethod
    def fit(
        cls,
        frame: pl.DataFrame,
        rows: Sequence[int] | Array | None = None,
        *,
        target: str | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> Self:
        """Decide on every column from the training rows (indices; all of them if None).

        frame: as `read` or `frame_of` hand it out. target: a column that is no input, here and at prediction. kinds:
        of columns for which the caller decides: number, category, date, text or drop.
        Raises SlalomError for infinite numbers (column and count), columns of lists and the like, and if nothing is
        left: no column varies on the training rows.
        """
        inputs = frame.drop(target) if target in frame.columns else frame
        index = None if rows is None else pl.Series(np.asarray(rows, dtype=np.int64))
        treatments: list[Treatment] = []
        notes: list[str] = []
        said_of = checked_kinds(kinds or {}, inputs.columns)
        seen: dict[tuple[Any, ...], list[str]] = {}
        for name in inputs.columns:
            column, kind = _of(inputs[name], index), said_of.get(name)
            alike = [] if kind or column.dtype.is_nested() else seen.setdefault(_beginning(column), [])
            first = next((one for one in alike if column.equals(_of(inputs[one], index), check_names=False)), None)
            if first is not None:
                notes.append(f"Column {shown(name)} is dropped: it is the same as {shown(first)} on the training rows.")
                continue
            alike.append(name)
            made, said = decide(column, kind)
            treatments += made
            notes += [said] if said else []
        treatments.sort(key=lambda treatment: (isinstance(treatment, Code), not _embeddable(treatment)))
        if not treatments:
            raise SlalomError(
                "The table must have a column, besides the target, that varies on the training rows and is no id. "
                f"Got {counted(inputs.width, 'column')}. " + " ".join(notes[:3])
            )
        return cls(tuple(inputs.columns), tuple(treatments), tuple(notes), target)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the D output columns, all different."""
        names: dict[str, None] = {}
        for name in (name for treatment in self.treatments for name in treatment.outputs):
            while name in names:
                name += "'"
            names[name] = None
        return tuple(names)

    @property
    def width(self) -> int:
        """D, how many output columns there are."""
        return sum(t.places if isinstance(t, Text) else len(t.outputs) for t in self.treatments)

    @property
    def numeric(self) -> int:
        """How many output columns, the first ones, are numbers of more than two values."""
        return sum(map(_embeddable, self.treatments))

    @property
    def categories(self) -> tuple[int, ...]:
        """How many codes each of the last output columns has, those of words with many levels."""
        return tuple(treatment.rows for treatment in self.treatments if isinstance(treatment, Code))

    @property
    def text_names(self) -> tuple[str, ...]:
        """The input columns that are words: `read(file, as_text=columns.text_names)` keeps 007 as it stands."""
        return tuple(t.name for t in self.treatments if isinstance(t, (Category, Code, Text)))

    def align(self, frame: pl.DataFrame) -> Table:
        """The input columns of a table in the order they were fitted in, by name, and notes on what was ignored.

        Unnamed columns ("0", "1", …, as arrays have) are taken by position. A column that was dropped may be absent.
        Raises SlalomError, with the nearest name, if a column is missing, or if the number of unnamed ones differs.
        """
        given = frame.drop(self.target) if self.target in frame.columns else frame
        wanted = list(dict.fromkeys(treatment.name for treatment in self.treatments))
        unnamed = [names == [str(k) for k in range(len(names))] for names in (given.columns, list(self.input_names))]
        if any(unnamed) and (all(unnamed) or any(name not in given.columns for name in wanted)):
            if given.width != len(self.input_names):
                do = "Give the columns in the order of training."
                raise wrong("The table", f"{len(self.input_names)} columns wide, as in training", given.width, do)
            return Table(given.rename(dict(zip(given.columns, self.input_names, strict=True))).select(wanted))
        for name in wanted:
            if name not in given.columns:
                near = nearest(name, given.columns)
                hint = f" Did you mean {shown(near)}?" if near else ""
                raise SlalomError(f"The table must have the column {shown(name)}, as in training. It has none.{hint}")
        extra = [shown(name) for name in given.columns if name not in self.input_names]
        listed = ", ".join(extra[:10]) + (", …" if len(extra) > 10 else "")
        notes = (f"Columns that were not there in training are ignored: {listed}.",) if extra else ()
        return Table(given.select(wanted), notes)

    def __call__(self, frame: pl.DataFrame, dtype: Any = np.float64) -> Array:
        """The numbers [N, D] of a table, float64 or float32, row by row in memory.

        Columns are found by `align`. 1 and "1", 1 and 1.0, true and "True" are the same. Never writes to the table.
        Raises SlalomError for infinite numbers, and for words in a column that held numbers.
        """
        aligned, dtype = self.align(frame).frame, np.dtype(dtype)
        if dtype not in (np.float64, np.float32):
            raise wrong("columns(…, dtype=…)", "float64 or float32", str(dtype))
        widths = [len(treatment.outputs) for treatment in self.treatments]
        out = np.empty((aligned.height, sum(widths)), dtype)
        at = 0
        for treatment, width in zip(self.treatments, widths, strict=True):
            treatment.write(aligned[treatment.name], out[:, at : at + width])
            at += width
        return out

    def to_plain(self) -> dict[str, Any]:
        """As dictionaries, lists, text and numbers, fit for JSON.

        >>> Columns.fit(pl.DataFrame({"a": [1, 2]})).to_plain()["treatments"]
        [{'kind': 'number', 'name': 'a', 'of': 'number', 'fill': 1.5, 'two': True}]
        """
        treatments: list[dict[str, Any]] = [{"kind": t.kind, **asdict(t)} for t in self.treatments]  # type: ignore
        return {
            "input_names": list(self.input_names),
            "target": self.target,
            "treatments": [{k: list(v) if isinstance(v, tuple) else v for k, v in t.items()} for t in treatments],
            "notes": list(self.notes),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """The record that `to_plain` wrote, also after a way through JSON.

        >>> Columns.from_plain(Columns.fit(pl.DataFrame({"a": [1, 2]})).to_plain()).names
        ('a',)
        """
        treatments = []
        for given in plain["treatments"]:
            values = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items() if k != "kind"}
            treatments.append(_sound(KINDS[given["kind"]](**values)))
        names, notes, target = tuple(plain["input_names"]), tuple(plain["notes"]), plain["target"]
        for text in (*names, *notes, target or ""):
            if not isinstance(text, str):
                raise ValueError(f"a name or a note of columns is {text!r:.60}")
        if len(set(names)) < len(names) or not {t.name for t in treatments} <= set(names):
            raise ValueError("the names of the columns are not those of its inputs")
        return cls(names, tuple(treatments), notes, target)


def _sound(treatment: Treatment) -> Treatment:
    """A treatment from plain data, refused (ValueError) where it holds anything but what such a one may."""
    for name, value in vars(treatment).items():
        wanted = _FIELDS[name]
        if isinstance(value, bool) != (wanted is bool) or not isinstance(value, wanted):
            raise ValueError(f"{name} of a column is {value!r:.60}")
        if isinstance(value, tuple) and not all(isinstance(level, str) for level in value):
            raise ValueError(f"a level of a column is no text: {value!r:.60}")
        if isinstance(value, tuple) and len(set(value)) < len(value):
            raise ValueError(f"a level of a column is there twice: {value!r:.60}")
    for name, least in (("fill", -np.inf), ("period", 0.0)):
        if not least < float(getattr(treatment, name, 1.0)) < np.inf:
            raise ValueError(f"{name} of a column is {getattr(treatment, name)!r:.60}")
    if isinstance(treatment, Text) and not 1 <= treatment.places <= 2**12:
        raise ValueError(f"places of a column of text are {treatment.places}")
    return treatment


def _embeddable(treatment: Treatment) -> bool:
    """Whether the one output column of a treatment holds numbers of more than two values."""
    return isinstance(treatment, Number) and not treatment.two


def _of(column: pl.Series, index: pl.Series | None) -> pl.Series:
    """The training rows of a column."""
    return column if index is None else column.gather(index)


def _beginning(column: pl.Series) -> tuple[Any, ...]:
    """What two columns have in common that are the same, cell by cell: their type, gaps and first cells."""
    return str(column.dtype), column.null_count(), column.head(_FIRST).hash().sum()
