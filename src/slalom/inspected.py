"""Inspected: what a table is understood to be, column by column, before anything is trained on it."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from slalom.data import Columns, Target
from slalom.data.base import as_words, counted, shown
from slalom.data.treatments import Category, Code, Cycle, Number, Presence, Text, Treatment
from slalom.suspects import alike, suspects
from slalom.table import About, table_of

LEVELS = 3  # that are shown of a column of words
PAIRS = 5  # of columns that say the same


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found. rows: how many; columns: a frame with a row for each column of the table: its name, type,
    missing cells, different values, what it holds, and what it becomes; becomes: how many numbers a net gets; notes:
    what was decided, and what to look at, one sentence each."""

    source: str
    rows: int
    task: str
    columns: pl.DataFrame
    becomes: int
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Inspection({self.rows:,} rows, {len(self.columns)} columns that become {self.becomes}, {self.task})"

    def plain(self) -> dict[str, Any]:
        """As JSON-able data."""
        about = {"source": self.source, "rows": self.rows, "task": self.task, "becomes": self.becomes}
        return about | {"columns": self.columns.to_dicts(), "notes": list(self.notes)}


def inspect(
    X: Any,
    y: Any = None,
    *,
    target: str | None = None,
    task: str = "auto",
    columns: dict[str, str] | None = None,
    reading: dict[str, str] | None = None,
) -> Inspection:
    """Say what `race` would understand a table to be; nothing is trained or written.

    X, y, target, task, columns, reading: as in `race`. All rows are looked at; a race decides on its training rows.
    Raises SlalomError as `race` would.

    >>> found = inspect(pl.DataFrame({"size": [1.0, 2.5, 3.0] * 7, "kind": ["a", "b", "c"] * 7}), [0.5, 1.5, 9.0] * 7)
    >>> found.columns["becomes"].to_list(), found.becomes
    (['a number', '3 places'], 4)
    """
    table = table_of(X, y, target, about=About({}, columns or {}, reading or {}))
    goal = Target.fit(table.labels, task, name=table.target or "target")
    frame = table.taken()
    made = Columns.fit(frame, kinds=table.about.kinds)
    labels, classes = goal.encode(table.labels), goal.classes if goal.task == "classification" else None
    dropped = [name for name, kind in table.about.kinds.items() if kind == "drop"]
    pairs = [f"{shown(a)} and {shown(b)}" for a, b in alike(frame.drop(dropped))]
    said = [f"Columns that are lines of each other: {'; '.join(pairs[:PAIRS])}{'; …' * (len(pairs) > PAIRS)}."]
    notes = (
        *table.notes,
        *goal.notes,
        *made.notes,
        *suspects(frame.drop(dropped), labels, classes),
        *(said if pairs else []),
    )
    rows = [_row(column, made) for column in frame.iter_columns()]
    return Inspection(table.source, len(frame), goal.task, pl.DataFrame(rows), len(made.names), notes)


def _row(column: pl.Series, made: Columns) -> dict[str, Any]:
    """A column of the table as a row of the inspection."""
    mine = [treatment for treatment in made.treatments if treatment.name == column.name]
    return {
        "column": column.name,
        "type": _type(column.dtype),
        "missing": int(column.null_count()),
        "different": 0 if column.dtype.is_nested() else int(column.n_unique()) - (column.null_count() > 0),
        "holds": _held(column),
        "becomes": " + ".join(map(_words, mine)) or "nothing",
    }


def _type(dtype: pl.DataType) -> str:
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_integer():
        return "whole numbers"
    if dtype.is_numeric():
        return "numbers"
    return "dates" if dtype.is_temporal() else "words"


def _held(column: pl.Series) -> str:
    """The range of numbers and dates, the most frequent words."""
    there = column.drop_nulls()
    if not len(there) or there.dtype.is_nested():
        return "lists" if len(there) else "nothing"
    if there.dtype.is_numeric():
        numbers = there.cast(pl.Float64).to_numpy()
        return f"{numbers.min():.6g} to {numbers.max():.6g}"
    if there.dtype.is_temporal():
        return f"{there.min()!s} to {there.max()!s}"
    counts = as_words(there).alias("level").value_counts(sort=True)
    listed = ", ".join(shown(level, 20) for level in counts["level"].head(LEVELS))
    return listed + (", …" if len(counts) > LEVELS else "")


def _words(treatment: Treatment) -> str:
    """What a column becomes, in words."""
    if isinstance(treatment, Number):
        return {"number": "a number", "boolean": "0 or 1", "date": "days"}[treatment.of]
    if isinstance(treatment, Cycle):
        return f"the {treatment.word}"
    if isinstance(treatment, Text):
        return f"{treatment.places} columns of hashed words"
    if isinstance(treatment, Presence):
        return "whether it is missing"
    if isinstance(treatment, Category):
        return counted(len(treatment.outputs), "place")
    assert isinstance(treatment, Code)
    return f"a learned vector for each of {treatment.rows} levels"
