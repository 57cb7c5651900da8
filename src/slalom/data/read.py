"""Reads a table from a file: CSV with its separator, header and encoding found out and said, or Parquet."""

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Collection, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from slalom.data.base import Table, counted, refuse_duplicates, settle, shown
from slalom.errors import SlalomError, wrong

_TEXT = (".csv", ".tsv", ".txt")
_SEPARATORS = "\t;|,"  # the comma last: it also stands inside numbers and words
_SEPARATOR_WORDS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}
_BLANK_LINES = re.compile(rb"(?:[ \t]*\r?\n)+")
_SAMPLE_LINES = 50
_UNPACKED_LIMIT = 16 * 2**30  # bytes; a small .gz can unpack to more than any memory


class _Layout(NamedTuple):
    """How the lines of a text file are to be read."""

    separator: str
    names: tuple[str, ...]
    has_header: bool
    notes: tuple[str, ...]
    line: int = 0  # lines of the file before the header, less one where a header had to be added


def read(path: str | PathLike[str], *, as_text: Collection[str] = ()) -> Table:
    """Read a table from a .csv, .tsv or .txt file (each also with .gz) or a .parquet file.

    The separator (comma, semicolon, tab, bar), the encoding (UTF-8, UTF-16 with a mark, else Windows Latin) and whether
    there is a header are found out; `.notes` says what was found. Without a header the columns are named "0", "1", ….
    Missing marks become null, and columns of text that hold numbers, booleans or dates become those (see `settle`).
    as_text: names of columns that stay text whatever their cells look like (a model knows which; see `Columns`).

    Raises SlalomError, naming the file and the line: no such file, a folder, no data, a header only, a row with more or
    fewer fields than the header, a quote that is never closed, column names that stand twice, NUL bytes.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "houses.csv"
    >>> _ = file.write_text("rooms;price\\n3;100\\n?;120\\n")
    >>> table = read(file)
    >>> table.frame["rooms"].to_list(), table.notes[0]
    ([3, None], 'houses.csv: 2 rows and 2 columns, separated by semicolons.')
    """
    file = _checked(Path(path))
    if file.name.lower().endswith(".parquet"):
        return _read_parquet(file, as_text)
    data, notes = _as_utf8(_unpacked(file), file)
    if not data or data.isspace():
        raise SlalomError(f"{file} must hold a table. Got an empty file.")
    above = _BLANK_LINES.match(data)
    data = data[above.end() :] if above else data
    layout = _sniff(data, file)._replace(line=above[0].count(b"\n") if above else 0)
    if not layout.has_header:
        data = layout.separator.join(layout.names).encode() + b"\n" + data
        layout = layout._replace(line=layout.line - 1)
    frame, blank = _parse(data, layout, as_text, file)
    if frame.height == 0:
        raise SlalomError(f"{file} must hold a header and rows. Got a header only.")
    decimal = "." if layout.separator == "," else ","
    frame, settled = settle(frame, as_text=as_text, decimal=decimal)
    by = f", separated by {_SEPARATOR_WORDS[layout.separator]}" if frame.width > 1 else ""
    first = f"{file.name}: {counted(frame.height, 'row')} and {counted(frame.width, 'column')}{by}."
    skipped = (f"{counted(blank, 'blank line')} left out.",) if blank else ()
    return Table(frame, (first, *notes, *layout.notes, *skipped, *settled))


def _checked(file: Path) -> Path:
    """A file that is there and whose name says what it holds."""
    try:
        there, folder, regular = file.exists(), file.is_dir(), file.is_file()
    except (OSError, ValueError) as error:
        raise SlalomError(f"{shown(file, 200)} must be the path of a file. Got {error}.") from None
    if not there:
        raise SlalomError(f"{file} must be a file. There is none at this path.")
    if folder or not regular:
        raise SlalomError(f"{file} must be a file. Got a {'folder' if folder else 'device or pipe'}.")
    name = file.name.lower().removesuffix(".gz")
    if not name.endswith(_TEXT) and not file.name.lower().endswith(".parquet"):
        raise wrong(str(file), "a .csv, .tsv, .txt (or one of these with .gz) or .parquet file", file.name)
    return file


def _read_parquet(file: Path, as_text: Collection[str]) -> Table:
    try:
        frame = pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SlalomError(f"{file} must be a Parquet file that can be read. Got: {_first_line(error)}.") from None
    if frame.height == 0 or frame.width == 0:
        raise SlalomError(f"{file} must hold at least one row and one column. Got {frame.height} x {frame.width}.")
    frame, settled = settle(frame, as_text=as_text)
    return Table(
        frame, (f"{file.name}: {counted(frame.height, 'row')} and {counted(frame.width, 'column')}.", *settled)
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _unpacked(file: Path) -> bytes:
    """The bytes of a file, unpacked."""
    try:
        if not file.name.lower().endswith(".gz"):
            return file.read_bytes()
        with gzip.open(file) as packed:
            data = packed.read(_UNPACKED_LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SlalomError(f"{file} must be a file that can be read. Got: {_first_line(error)}.") from None
    if len(data) > _UNPACKED_LIMIT:
        raise SlalomError(f"{file} must unpack to at most {_UNPACKED_LIMIT / 2**30:.0f} GiB. Got more.")
    return data


def _as_utf8(data: bytes, file: Path) -> tuple[bytes, list[str]]:
    """The text as UTF-8 without a mark, lines ended by newlines, and what had to be changed for that."""
    notes = []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise SlalomError(f"{file} must be text. Its mark says UTF-16, but byte {error.start} is not.") from None
        notes.append("The encoding is UTF-16.")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise SlalomError(f"{file} must be text. Got a NUL byte on line {line}. Save it as UTF-8 text.")
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            notes.append(f"Byte {error.start} is not UTF-8: the encoding is taken to be Windows Latin (cp1252).")
            data = _from_latin(data).encode()
    if b"\r" in data[:100_000] and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    tail = data[-4096:]
    end = tail[len(tail.rstrip(b"\r\n")) :]
    return (data if end in (b"", b"\n", b"\r\n") else data[: -len(end)]), notes


def _from_latin(data: bytes) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:  # five bytes have no meaning in cp1252
        return data.decode("latin-1")


def _records(text: io.StringIO, separator: str, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The records of a text with the number of the line on which each ends; cells of any size."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        reader = csv.reader(text, delimiter=separator, strict=strict)
        for cells in reader:
            yield reader.line_num, cells
    finally:
        csv.field_size_limit(limit)


def _is_blank(cells: list[str]) -> bool:
    return not cells or (len(cells) == 1 and not cells[0].strip())


def _first_records(data: bytes, separator: str) -> list[list[str]]:
    """The records of the first lines that are not blank; a record that the sample cuts is left out."""
    end, lines = 0, 0
    while lines < _SAMPLE_LINES and end >= 0:
        end, lines = data.find(b"\n", end) + 1 or -1, lines + 1
    sample = (data if end < 0 else data[:end]).decode(errors="replace")
    found = [cells for _, cells in _records(io.StringIO(sample, newline=""), separator) if not _is_blank(cells)]
    return found[:-1] if end >= 0 and len(found) > 2 else found


def _sniff(data: bytes, file: Path) -> _Layout:
    """The separator under which most lines have as many fields as the first, and whether that first is a header."""

    def agreement(separator: str) -> tuple[float, int]:
        widths = [len(cells) for cells in _first_records(data, separator)]
        same = widths.count(widths[0]) / len(widths) if widths[0] > 1 and len(widths) > 1 else 0.0
        return same, 0 if same else widths[0]

    separator = max(_SEPARATORS, key=agreement)  # the first of them where several agree
    if agreement(separator) == (0.0, 1):
        separator = ","
    first, notes = _first_records(data, separator)[0], []
    numbers = [number for cell in first if (number := _number(cell, separator)) is not None]
    has_header = not numbers or _are_names(numbers, sum(cell.strip() != "" for cell in first))
    if has_header:
        if numbers:
            notes.append("The first line is taken for the header, because its numbers count up.")
        names, renamed = _named(first)
        notes += renamed
    else:
        names = [str(k) for k in range(len(first))]
        notes.append(f'The first line holds numbers, so there is no header: columns are "0" to "{len(first) - 1}".')
    refuse_duplicates(names, str(file), "Rename them, or put a line of names above the rows if there is none.")
    return _Layout(separator, tuple(names), has_header, tuple(notes))


def _number(cell: str, separator: str) -> float | None:
    text = cell.strip().strip("'")
    try:
        number = float(text if separator == "," else text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def _are_names(numbers: list[float], cells: int) -> bool:
    """Whether numbers of the first line are names: 0, 1, 2, … or 1, 2, 3, … throughout, or years such as 2019, 2020."""
    count_up = len(numbers) > 1 and numbers == [numbers[0] + k for k in range(len(numbers))]
    throughout = numbers[0] in (0, 1) and len(numbers) == cells
    return count_up and (throughout or 1900 <= numbers[0] <= numbers[-1] <= 2100)


def _named(first: list[str]) -> tuple[list[str], list[str]]:
    """The names of the header; a blank one is named after its place, counted from 0, and a note says so."""
    names, notes = list(first), []
    for place, name in enumerate(first):
        if not name.strip():
            names[place] = f"unnamed_{place}"
            while names[place] in first:
                names[place] += "_"
            notes.append(f"Column {place + 1} has no name in the header: it is called {shown(names[place])}.")
    return names, notes


def _parse(data: bytes, layout: _Layout, as_text: Collection[str], file: Path) -> tuple[pl.DataFrame, int]:
    """The cells as a frame with the layout's names, and how many blank lines were left out."""
    texts = {name: pl.String for name in as_text if name in layout.names}
    frame = None
    ways: list[dict[str, Any]] = [{"schema_overrides": texts, "infer_schema_length": 10_000}, {"infer_schema": False}]
    for how in ways:  # a surprise after the rows that were looked at: all as text, and `settle` finds the numbers
        try:
            frame = pl.read_csv(data, separator=layout.separator, **how)
            break
        except pl.exceptions.PolarsError:
            continue
    if frame is None or frame.width != len(layout.names):
        rows = [cells for _, cells in _scan(data, layout, file)]
        full = [cells for cells in rows if not _is_blank(cells)]
        columns = zip(*full, strict=True) if full else [()] * len(layout.names)
        frame = pl.DataFrame([pl.Series(n, c, pl.String) for n, c in zip(layout.names, columns, strict=True)])
        return frame, len(rows) - len(full)
    frame.columns = list(layout.names)
    if not _may_have_short_rows(frame, data, layout.separator):
        return frame, 0
    kept = [not _is_blank(cells) for _, cells in _scan(data, layout, file)]
    return frame.filter(pl.Series(kept)), len(kept) - sum(kept)


def _may_have_short_rows(frame: pl.DataFrame, data: bytes, separator: str) -> bool:
    """Whether a row may have been short: polars refuses long rows, but fills short ones (and blank lines) with null.

    A short row leaves a null in the last column, and takes a separator from the sum over the file.
    """
    if frame.width == 1 or frame[:, -1].null_count() == 0:
        return False
    return b'"' in data or data.count(separator.encode()) != (frame.height + 1) * (frame.width - 1)


def _scan(data: bytes, layout: _Layout, file: Path) -> Iterator[tuple[int, list[str]]]:
    """The records below the header with their lines, one by one; the first that is not whole is refused."""
    width, line = len(layout.names), layout.line
    try:
        for place, (number, cells) in enumerate(
            _records(io.StringIO(data.decode(), newline=""), layout.separator, strict=True)
        ):
            line = layout.line + number
            if place and not _is_blank(cells) and len(cells) != width:
                where, do = f"{file}, line {line},", "Complete the row, or quote cells that hold the separator."
                if len(cells) == width + 1:
                    do = "Quote cells that hold the separator, or name the first column if it holds row names."
                raise wrong(where, f"{counted(width, 'field')} wide, like the header", len(cells), do)
            if place:
                yield line, cells
    except csv.Error:
        raise SlalomError(
            f"{file}, line {line + 1}, must close its quotes. Got a quote that is not closed, or text behind one. "
            "Write a quote inside a quoted cell twice."
        ) from None
