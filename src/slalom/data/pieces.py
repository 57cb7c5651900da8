"""Reads a table some rows at a time, so that a file may be larger than memory."""

import os
from collections.abc import Collection, Iterator
from os import PathLike
from pathlib import Path

import polars as pl

from slalom.data.base import settle
from slalom.data.read import FAULTS, TEXT, read
from slalom.data.text import Dialect, from_text, separator_of
from slalom.errors import SlalomError

BYTES = 2**26  # of text that are read at once
ROWS = 2**18  # of a Parquet file
WIDE = ("utf-16", "utf-32", "utf16", "utf32", "u16", "u32")  # encodings whose line ends are no single bytes


def pieces(
    path: str | PathLike[str],
    *,
    as_text: Collection[str] = (),
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> Iterator[pl.DataFrame]:
    """The rows of a file in their order, some at a time; arguments and errors as of `read`.

    Text and Parquet files are never held whole; others are, and so is text that is packed or in UTF-16. What a column
    of text holds is found out piece by piece: a model's columns take both 1 and "1".

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = file.write_text("a,b\\n1,2\\n3,4\\n")
    >>> [piece.rows() for piece in pieces(file)]
    [[(1, 2), (3, 4)]]
    """
    file, given = Path(path), {"separator": separator, "decimal": decimal, "encoding": encoding}
    kind, size = file.suffix.lower(), os.path.getsize(file) if file.is_file() else 0
    if kind == ".parquet" and size > BYTES:
        yield from _parquet(file, as_text)
    elif kind in TEXT and size > BYTES and not _wide(file, encoding):
        yield from _text(file, as_text, Dialect(separator, decimal, encoding).checked())
    else:
        yield read(file, as_text=as_text, **given).frame


def _parquet(file: Path, as_text: Collection[str]) -> Iterator[pl.DataFrame]:
    try:
        lazy = pl.scan_parquet(file, glob=False)
        rows = lazy.select(pl.len()).collect().item()
        for first in range(0, rows, ROWS):
            yield settle(lazy.slice(first, ROWS).collect(), as_text=as_text).frame
    except (*FAULTS, OSError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise SlalomError(f"{file} must be a Parquet file that can be read. Got: {said}.") from None


def _wide(file: Path, encoding: str | None) -> bool:
    """Whether a text has line ends that are not one byte."""
    with file.open("rb") as handle:
        marked = handle.read(2) in (b"\xff\xfe", b"\xfe\xff")
    return marked if encoding is None else encoding.lower().replace("_", "-").startswith(WIDE)


def _text(file: Path, as_text: Collection[str], dialect: Dialect) -> Iterator[pl.DataFrame]:
    """Whole records at a time, under the names of the first."""
    names, before = list[str](), 0
    for block in _records(file):
        if not names:
            dialect = dialect._replace(separator=dialect.separator or separator_of(block, file))
        if not names or block.strip():
            frame = from_text(block, file, as_text, dialect, before, names).frame
            names = frame.columns
            yield frame
        before += block.count(b"\n")


def _records(file: Path) -> Iterator[bytes]:
    """The bytes of a file, cut behind ends of lines that are not inside quotes."""
    left, begun = b"", False
    with file.open("rb") as handle:
        while read_now := handle.read(BYTES):
            block = left + read_now
            end = block.rfind(b"\n") + 1
            quotes = block.count(b'"', 0, end)
            while end and quotes % 2:
                last, end = end, block.rfind(b"\n", 0, end - 1) + 1
                quotes -= block.count(b'"', end, last)
            if end and (begun or block[:end].strip().count(b"\n")):  # the first holds a header and, perhaps, a row
                begun = True
                yield block[:end]
                left = block[end:]
            else:
                left = block
    if left:
        yield left
