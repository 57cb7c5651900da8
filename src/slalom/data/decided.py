"""What each column of training rows becomes, and the sentence that says why; or what the caller says it is."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from slalom.data.base import as_floats, as_words, counted, refuse_infinite, shown
from slalom.data.treatments import Category, Code, Cycle, Number, Presence, Text, Treatment
from slalom.errors import SlalomError, unknown, wrong
from slalom.types import Array

KINDS_TO_NAME = ("number", "category", "date", "text", "drop")
MAX_LEVELS = 30  # places of a column of words; the rarer levels share one more, or all become codes
RARE_ROWS = 5  # training rows below which a level of many gets no code of its own
MAX_CODES = 5_000  # levels of a column with codes of their own
_ID_SHARE = 0.95  # of the cells of a column of words hold a value of their own: an id or free text
_ID_ROWS = 10  # fewer cells than this say nothing about ids
_TEXT_WORDS = 3.0  # words a cell on average, from which on cells are free text
_CYCLES = (  # of a date: the word, its period and the least span in days that it is seen in, whether of whole days
    ("season", 365.2425, 90.0, False),
    ("weekday", 7.0, 14.0, True),
    ("time of day", 1.0, 2.0, False),
)


def checked_kinds(given: Mapping[str, str], names: list[str]) -> dict[str, str]:
    """What the caller says columns are; a column or kind that there is not is refused (SlalomError).

    >>> checked_kinds({"zip": "category"}, ["zip", "size"])
    {'zip': 'category'}
    """
    for name, kind in given.items():
        if name not in names:
            raise unknown("columns", str(name), names)
        if kind not in KINDS_TO_NAME:
            raise unknown(f"columns: {shown(name)}", str(kind), KINDS_TO_NAME)
    return dict(given)


def decide(column: pl.Series, said: str | None = None) -> tuple[list[Treatment], str]:
    """What a column of training rows becomes, and a note where there is something to say; said: what the caller says
    that it is, one of KINDS_TO_NAME."""
    name, dtype = shown(column.name), column.dtype
    if said == "drop":
        return [], f"Column {name} is dropped, as asked."
    if column.null_count() == len(column):
        return [], f"Column {name} is dropped: it holds no values on the training rows."
    if said in ("category", "text"):
        words = as_words(column).alias(column.name)
        return ([Text(column.name)], "") if said == "text" else _decide_words(words, said)
    if dtype in (pl.String, pl.Categorical, pl.Enum) and said is None:
        return _decide_words(column.cast(pl.String))
    if not (dtype.is_numeric() or dtype.is_temporal() or dtype in (pl.Boolean, pl.String, pl.Categorical, pl.Enum)):
        raise wrong(f"Column {name}", "of numbers, text, booleans or dates", str(dtype), "Leave it out or flatten it.")
    of = said or ("boolean" if dtype == pl.Boolean else "date" if dtype.is_temporal() else "number")
    try:
        return _decide_numbers(column, of)
    except SlalomError as error:
        if said is None:
            raise
        raise SlalomError(f"columns: {name} is no {said}. {str(error).replace(', as in training', '')}") from None


def _decide_numbers(column: pl.Series, of: str) -> tuple[list[Treatment], str]:
    """What a column of numbers, booleans or dates becomes."""
    name = shown(column.name)
    x = as_floats(column, of)
    refuse_infinite(x, column.name)
    present = x[~np.isnan(x)]
    missing = len(x) - len(present)
    if len(present) == 0:
        return [], f"Column {name} is dropped: it holds no values on the training rows."
    if present.min() == present.max():
        if missing:
            return [Presence(column.name)], f"Column {name} holds one value or none: it becomes whether it is missing."
        return [], f"Column {name} is dropped: it is constant on the training rows."
    two = bool(((present == present.min()) | (present == present.max())).all())
    number = Number(column.name, of, float(np.median(present)), two)
    found: list[Treatment] = [number, *(_cycles(column, present) if of == "date" else [])]
    where = f"Column {name}: {number.fill:.6g}, the median, stands for {counted(missing, 'missing cell')}."
    return ([*found, Presence(column.name)], where) if missing else (found, "")


def _cycles(column: pl.Series, days: Array) -> list[Treatment]:
    """The cycles in which dates lie, as far as the training rows show more than a piece of them."""
    if column.dtype == pl.Duration:
        return []
    span, whole_days = float(days.max() - days.min()), bool((days % 1 == 0).all())
    return [
        Cycle(column.name, word, period, whole)
        for word, period, least, whole in _CYCLES
        if span >= least and not (whole_days and period <= 1)
    ]


def _decide_words(words: pl.Series, said: str | None = None) -> tuple[list[Treatment], str]:
    """What a column of words becomes."""
    name, there = f"Column {shown(words.name)}", words.drop_nulls()
    missing = len(words) > len(there)
    counts = there.alias("level").value_counts().sort(by=["count", "level"], descending=[True, False])
    levels = counts["level"].to_list()
    if len(levels) == 1 and not missing:
        return [], f"{name} is dropped: it is constant on the training rows."
    rarely = len(levels) > MAX_LEVELS and 2 * len(levels) >= len(there)
    if said is None and rarely and _words_a_cell(levels) >= _TEXT_WORDS:
        return [
            Text(words.name)
        ], f"{name} holds free text: its words are counted in {Text(words.name).places} columns."
    if said is None and len(there) >= _ID_ROWS and len(levels) >= _ID_SHARE * len(there):
        return [], f"{name} is dropped: {len(levels)} different texts in {len(there)} rows are ids."
    often = counts.filter(pl.col("count") >= RARE_ROWS).head(MAX_CODES)
    if len(often) > MAX_LEVELS:
        return _coded(
            words.name, often["level"].to_list(), len(levels), len(there) - int(often["count"].sum()), missing
        )
    rare = len(levels) - MAX_LEVELS
    category = Category(words.name, tuple(sorted(levels[:MAX_LEVELS])), rare > 0, missing)
    note = f"{name} has {len(levels)} levels: the {MAX_LEVELS} most frequent have a place each, {rare} share one."
    return [category], note if rare > 0 else ""


def _coded(name: str, often: list[str], levels: int, rows: int, missing: bool) -> tuple[list[Treatment], str]:
    """The codes of a column of words. often: the levels with one of their own. levels: all; rows: of the others."""
    code = Code(name, tuple(sorted(often)), rows >= RARE_ROWS, missing)
    note = f"Column {shown(name)} has {levels} levels: "
    if levels == len(often):
        return [code], note + "nets learn a vector for each."
    rare = "share one" if code.other else "have the mean of all"
    return [code], note + f"nets learn a vector for each of {len(often)}, {levels - len(often)} rarer ones {rare}."


def _words_a_cell(levels: list[str]) -> float:
    """Words of a level, on average over a thousand of them."""
    some = levels[:: max(1, len(levels) // 1_000)]
    return sum(len(level.split()) for level in some) / len(some)
