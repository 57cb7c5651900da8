"""What the files of this folder share: a table with its notes, missing marks, and cells as numbers, dates or words."""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from slalom.errors import SlalomError, wrong
from slalom.types import Array

BLANKS = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "null", "?"})  # missing wherever they stand
DASHES = frozenset({"-", "none"})  # missing among numbers, truths and dates; among words they may be an answer

_LARGEST = {"float64": 1e150, "float32": 3e38}
_NANOSECONDS_A_DAY = 86_400e9
_LOOK = 1_000  # cells that are tried before a whole column is
_ISO_DATE = r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]\d|$)"


class Table(NamedTuple):
    """A frame and what was decided while it was understood, one sentence a note.

    >>> Table(pl.DataFrame({"a": [1]}), ("One row.",)).notes
    ('One row.',)
    """

    frame: pl.DataFrame
    notes: tuple[str, ...] = ()


def shown(name: object, limit: int = 60) -> str:
    """A name as it stands in a sentence: quoted, on one line, control signs escaped, cut when long.

    >>> shown("a" * 100, 5), shown("two\\nlines")
    ('"aaaaa…"', '"two\\\\nlines"')
    """
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(name))
    return f'"{text if len(text) <= limit else text[:limit] + "…"}"'


def counted(n: int, what: str) -> str:
    """A count in words.

    >>> counted(1, "row"), counted(2, "row")
    ('1 row', '2 rows')
    """
    return f"{n} {what}{'s' * (n != 1)}"


def refuse_duplicates(names: Collection[str], where: str, do: str = "Rename them.") -> None:
    """Refuse column names that stand twice, naming them.

    >>> refuse_duplicates(["a", "b", "a"], "houses.csv")
    Traceback (most recent call last):
    slalom.errors.SlalomError: houses.csv must name every column differently. Got "a" more than once. Rename them.
    """
    if len(set(names)) == len(names):
        return
    seen: set[str] = set()
    twice = dict.fromkeys(n for n in names if n in seen or seen.add(n))  # type: ignore[func-returns-value]
    listed = ", ".join(shown(n) for n in list(twice)[:5])
    raise SlalomError(f"{where} must name every column differently. Got {listed} more than once. {do}")


def missing_cells(text: pl.Series, marks: Collection[str] = BLANKS | DASHES) -> pl.Series:
    """[N] True where a text cell says that there is nothing (null included), whatever its case and outer blanks.

    >>> missing_cells(pl.Series(["x", " ", "N/A", None])).to_list()
    [False, True, True, True]
    """
    return text.is_null() | text.str.strip_chars().str.to_lowercase().is_in(sorted(marks)).fill_null(True)


def parse_numbers(text: pl.Series, decimal: str = ".", *, surely: bool = False) -> pl.Series | None:
    """A text column as whole numbers or floats; None unless every cell that is there is a number.

    decimal: "," also reads 1,5 as 1.5, in a column where no cell holds a point. surely: with a point it is none of
    numbers then.

    >>> parse_numbers(pl.Series(["1", None, " 2"])).to_list(), parse_numbers(pl.Series(["1", "x"]))
    ([1, None, 2], None)
    """
    pointed = bool(text.str.contains(".", literal=True).any())
    if decimal == "," and surely and pointed:
        return None
    if decimal == "," and not pointed:
        text = text.str.replace(",", ".", literal=True)
    for part in (text.head(_LOOK), text):
        bare = part.str.strip_chars()
        floats = bare.cast(pl.Float64, strict=False)
        if floats.null_count() > part.null_count():
            return None
    whole = bare.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == text.null_count() else floats


def parse_truths(text: pl.Series) -> pl.Series | None:
    """A text column as booleans; None unless every cell that is there says true or false, in any case.

    >>> parse_truths(pl.Series(["True", "FALSE", None])).to_list()
    [True, False, None]
    """
    for part in (text.head(_LOOK), text):
        low = part.str.strip_chars().str.to_lowercase()
        if not low.drop_nulls().is_in(["true", "false"]).all():
            return None
    return low == "true"


def parse_dates(text: pl.Series) -> pl.Series | None:
    """A text column as points in time; None unless every cell that is there is a date with the year first.

    Understood: 2024-05-01, 2024/05/01, 2024-05-01 12:30, 2024-05-01T12:30:00.5, and these with Z.

    >>> parse_dates(pl.Series(["2024-05-01", None])).dt.year().to_list(), parse_dates(pl.Series(["1/5/2024"]))
    ([2024, None], None)
    """
    for part in (text.head(_LOOK), text):
        bare = part.str.strip_chars()
        if not bare.drop_nulls().str.contains(_ISO_DATE).all():
            return None
    try:
        dates = bare.str.to_datetime(strict=False)
    except pl.exceptions.PolarsError:
        return None
    return dates if dates.null_count() == text.null_count() else None


def settle(frame: pl.DataFrame, *, as_text: Collection[str] = (), decimal: str = ".", surely: bool = False) -> Table:
    """Give every text column what it really holds: numbers, booleans, dates with the year first, or words.

    Missing marks (an empty or blank cell, NA, N/A, nan, null, ?) become null; `-` and `None` do so only in columns of
    numbers, booleans or dates, because among words they may be an answer. Words stay as they are, letter by letter.
    as_text: names of columns that stay words even where all cells look like numbers. decimal, surely: as of
    `parse_numbers`.

    >>> settle(pl.DataFrame({"a": ["1", " ", "3"]}))[1]
    ('Column "a": 1 cell such as " " counts as missing.',)
    """
    columns: list[pl.Series] = []
    notes: list[str] = []
    for column in frame.iter_columns():
        if column.dtype == pl.String:
            column, said = _settled(column, column.name in as_text, decimal, surely)
            notes += said
        elif column.dtype in (pl.Int128, pl.UInt128):
            column = column.cast(pl.Float64)
        columns.append(column)
    return Table(pl.DataFrame(columns), tuple(notes))


def _settled(column: pl.Series, stays_text: bool, decimal: str, surely: bool) -> tuple[pl.Series, list[str]]:
    """One text column as what it holds, and the notes on it."""
    blank = missing_cells(column)
    text = column.set(blank, None) if blank.any() else column
    found = None
    if not stays_text and text.null_count() < len(text):
        found = parse_numbers(text, decimal, surely=surely)
        for parse in (parse_truths, parse_dates):
            found = parse(text) if found is None else found
    notes = []
    if found is None:
        blank = missing_cells(column, BLANKS)
        text = column.set(blank, None) if blank.any() else column
        notes += [] if stays_text else _nearly_numbers(text)
    marked = column.filter(blank & column.is_not_null())
    if len(marked):
        cells = f"{counted(len(marked), 'cell')} such as {shown(marked[0])}"
        notes.append(f"Column {shown(column.name)}: {cells} count{'s' * (len(marked) == 1)} as missing.")
    if decimal == "," and found is not None and found.dtype.is_numeric() and text.str.contains(",").any():
        notes.append(f"Column {shown(column.name)}: the comma is read as the decimal sign.")
    return (text if found is None else found).alias(column.name), notes


def _nearly_numbers(text: pl.Series) -> list[str]:
    """A note on a column of words in which nine of ten cells are numbers: a stray cell may be all that is wrong."""
    there = text.drop_nulls()
    if not len(there) or there.head(_LOOK).cast(pl.Float64, strict=False).is_not_null().mean() < 0.9:  # type: ignore
        return []
    stray = there.filter(there.str.strip_chars().cast(pl.Float64, strict=False).is_null())
    if not 0 < len(stray) <= 0.1 * len(there):
        return []
    return [
        f"Column {shown(text.name)} is read as words, because {len(stray)} of its {len(there)} cells "
        f"{'is no number' if len(stray) == 1 else 'are no numbers'}, such as {shown(stray[0])}."
    ]


def as_floats(column: pl.Series, of: str = "number") -> Array:
    """[N] A column as floats, missing cells as NaN; float32 stays float32, nothing is copied that need not be.

    of: "number", "boolean" (0 and 1) or "date" (days since 1970-01-01; durations in days, times of day in days).
    Text is read as what is wanted. Raises SlalomError, with an example, if it cannot be.

    >>> as_floats(pl.Series(["1", None, "2"])), as_floats(pl.Series(["1970-01-02"]), "date")
    (array([ 1., nan,  2.]), array([1.]))
    """
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        column = _read_text(column.cast(pl.String), of)
    if column.dtype.is_temporal() and of == "date":
        return _days(column)
    if column.dtype == pl.Null or (of != "date" and (column.dtype == pl.Boolean or column.dtype.is_numeric())):
        return (column if column.dtype.is_float() else column.cast(pl.Float64)).to_numpy()
    raise wrong(f"Column {shown(column.name)}", f"a column of {of}s, as in training", str(column.dtype))


def _read_text(text: pl.Series, of: str) -> pl.Series:
    """Cells of text as what training rows held."""
    clean = text.set(missing_cells(text), None)
    for parse in (parse_dates,) if of == "date" else (parse_numbers, parse_truths):
        found = parse(clean)
        if found is not None:
            return found
    there = clean.drop_nulls().str.strip_chars()
    odd = there.filter(there.cast(pl.Float64, strict=False).is_null()) if of != "date" else there
    example = odd[0] if len(odd) else there[0]
    raise wrong(f"Column {shown(text.name)}", f"a column of {of}s, as in training", example)


def _days(column: pl.Series) -> Array:
    """[N] Points in time as days since 1970-01-01, lengths and times of day as days."""
    if column.dtype == pl.Time:
        return column.cast(pl.Int64).cast(pl.Float64).to_numpy() / _NANOSECONDS_A_DAY
    if column.dtype == pl.Date:
        return column.cast(pl.Int32).cast(pl.Float64).to_numpy()
    unit = {"ms": 1e-6, "us": 1e-3, "ns": 1.0}[column.dtype.time_unit]  # type: ignore[attr-defined]
    return column.to_physical().cast(pl.Float64).to_numpy() / (_NANOSECONDS_A_DAY * unit)


def as_words(column: pl.Series) -> pl.Series:
    """A column as text, so that 1, 1.0 and "1" are the same word; missing cells as null.

    >>> as_words(pl.Series([1.0, None, 2.5])).to_list(), as_words(pl.Series([True])).to_list()
    (['1', None, '2.5'], ['true'])
    """
    text = column.cast(pl.String)
    if column.dtype.is_float():
        whole = (column % 1 == 0) & (column.abs() < 2**53)
        text = column.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole.fill_null(False), text)
        return text.set(column.is_nan().fill_null(False), None)
    return text


def refuse_infinite(x: Array, name: str, dtype: Any = np.float64) -> None:
    """Refuse a column x [N] with numbers that are infinite, or too large to be squared (in float32: to be stored).

    >>> refuse_infinite(np.array([1.0, np.inf, np.nan]), "size")
    Traceback (most recent call last):
    slalom.errors.SlalomError: Column "size" must hold finite numbers below 1e+150. Got 1 that is not, such as inf.
    """
    limit = _LARGEST[np.dtype(dtype).name]
    if len(x) == 0 or (float(np.max(x)) <= limit and float(np.min(x)) >= -limit):
        return
    bad = x[np.abs(x) > np.float64(limit)]  # NaN, a missing cell, is not among them
    if len(bad):
        got = f"{len(bad)} that {'is' if len(bad) == 1 else 'are'} not, such as {bad[0]:g}"
        raise SlalomError(f"Column {shown(name)} must hold finite numbers below {limit:g}. Got {got}.")
