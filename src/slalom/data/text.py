"""Text as a table: CSV with its separator, header, encoding and decimal sign found out, or as they are given."""

import codecs
import csv
import io
import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from slalom.data.base import Table, counted, refuse_duplicates, settle, shown
from slalom.errors import SlalomError, wrong

_SEPARATORS = "\t;|,"  # the comma last: it also stands inside numbers and words
_SEPARATOR_WORDS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}
_BLANK_LINES = re.compile(rb"(?:[ \t]*\r?\n)+")
_SAMPLE_LINES = 50
_HEAD = 2**20  # bytes, by which a layout is found


class Dialect(NamedTuple):
    """How a text is to be read, as far as its reader says so; None: as it looks."""

    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def checked(self) -> "Dialect":
        """The same, refused where it cannot be (SlalomError)."""
        for name, value in self._asdict().items():
            if not isinstance(value, (str, type(None))):
                raise wrong(name, "text", value)
        if self.separator is not None and (len(self.separator.encode()) != 1 or self.separator in '"\r\n'):
            raise wrong("separator", "one sign, as in , or ; or a tab", self.separator)
        if self.decimal not in (None, ".", ","):
            raise wrong("decimal", "a point or a comma", self.decimal)
        if self.decimal is not None and self.decimal == self.separator:
            raise SlalomError(f"separator and decimal must differ. Both are {self.decimal!r}.")
        try:
            known = codecs.lookup(self.encoding or "utf-8")._is_text_encoding
        except LookupError:
            known = False
        if not known:
            raise wrong("encoding", "one that Python knows, as in utf-8, cp1252, utf-16", self.encoding)
        return self


class _Layout(NamedTuple):
    """How the lines of a text file are to be read."""

    separator: str
    names: tuple[str, ...]
    has_header: bool
    notes: tuple[str, ...]
    line: int = 0  # lines of the file before the header, less one where a header had to be added


def from_text(
    data: bytes, file: Path, as_text: Collection[str], dialect: Dialect, before: int = 0, names: Collection[str] = ()
) -> Table:
    """The table in the bytes of a text file; see `read`. before: lines of the file that are not among them. names: of
    the columns, where these bytes have no header of their own."""
    data, notes = _as_utf8(data, file, dialect.encoding)
    if not data or data.isspace():
        raise SlalomError(f"{file} must hold a table. Got an empty file.")
    above = _BLANK_LINES.match(data)
    data = data[above.end() :] if above else data
    if names:
        layout = _Layout(dialect.separator or ",", tuple(names), False, ())
    else:
        layout = _sniff(data, file, dialect.separator)
    layout = layout._replace(line=before + (above[0].count(b"\n") if above else 0))
    if not layout.has_header:
        data = layout.separator.join(layout.names).encode() + b"\n" + data
        layout = layout._replace(line=layout.line - 1)
    frame, blank = _parse(data, layout, as_text, file, typed=dialect.decimal != ",")
    if frame.height == 0:
        raise SlalomError(f"{file} must hold a header and rows. Got a header only.")
    decimal = dialect.decimal or ("." if layout.separator == "," else ",")
    frame, settled = settle(frame, as_text=as_text, decimal=decimal, surely=bool(dialect.decimal))
    word = _SEPARATOR_WORDS.get(layout.separator, f"the sign {shown(layout.separator)}")
    by = f", separated by {word}" if frame.width > 1 else ""
    first = f"{file.name}: {counted(frame.height, 'row')} and {counted(frame.width, 'column')}{by}."
    skipped = (f"{counted(blank, 'blank line')} left out.",) if blank else ()
    return Table(frame, (first, *notes, *layout.notes, *skipped, *settled))


def separator_of(data: bytes, file: Path) -> str:
    """The separator of the text that these bytes are the beginning of."""
    return _sniff(_begun(data), file).separator


def _begun(data: bytes) -> bytes:
    """The bytes behind a mark and blank lines, as far as a layout is looked for."""
    data = data[:_HEAD].removeprefix(b"\xef\xbb\xbf")
    above = _BLANK_LINES.match(data)
    return data[above.end() :] if above else data


def _as_utf8(data: bytes, file: Path, encoding: str | None = None) -> tuple[bytes, list[str]]:
    """The text as UTF-8 without a mark, lines ended by newlines, and what had to be changed for that."""
    notes = []
    if encoding:
        try:
            data = data.decode(encoding).removeprefix("\ufeff").encode()
        except UnicodeError as error:
            where = f"Byte {error.start} is not" if isinstance(error, UnicodeDecodeError) else f"Got: {error}"
            raise SlalomError(f"{file} must be text in {encoding}. {where}.") from None
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
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


def _sniff(data: bytes, file: Path, separator: str | None = None) -> _Layout:
    """The separator under which most lines have as many fields as the first, and whether that first is a header."""

    def agreement(separator: str) -> tuple[float, int]:
        widths = [len(cells) for cells in _first_records(data, separator)]
        same = widths.count(widths[0]) / len(widths) if widths[0] > 1 and len(widths) > 1 else 0.0
        return same, 0 if same else widths[0]

    if separator is None:
        separator = max(_SEPARATORS, key=agreement)  # the first of them where several agree
        separator = "," if agreement(separator) == (0.0, 1) else separator
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


def _parse(
    data: bytes, layout: _Layout, as_text: Collection[str], file: Path, *, typed: bool
) -> tuple[pl.DataFrame, int]:
    """The cells as a frame with the layout's names, and how many blank lines were left out. typed: whether 1.5 is a
    number."""
    texts = {name: pl.String for name in as_text if name in layout.names}
    frame = None
    ways: list[dict[str, Any]] = [{"schema_overrides": texts, "infer_schema_length": 10_000}, {"infer_schema": False}]
    for how in ways[
        not typed :
    ]:  # a surprise after the rows that were looked at: all as text, and `settle` finds the numbers
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
