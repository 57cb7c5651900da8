"""Reads a table from a file: text, Parquet, Arrow, JSON lines or Excel, also packed."""

import io
import zipfile
from collections.abc import Callable, Collection
from os import PathLike
from pathlib import Path

import polars as pl

from slalom import forked
from slalom.data.base import Table, counted, refuse_duplicates, settle, shown
from slalom.data.packed import LIMIT, PACKED, unpacked
from slalom.data.text import Dialect, from_text
from slalom.errors import SlalomError, wrong

TEXT = (".csv", ".tsv", ".txt")
_FRAMES: dict[str, Callable[..., pl.DataFrame]] = {
    ".parquet": lambda source: pl.read_parquet(source, glob=False),
    ".feather": lambda source: pl.read_ipc(_held(source)),
    ".arrow": lambda source: pl.read_ipc(_held(source)),
    ".ipc": lambda source: pl.read_ipc(_held(source)),
    ".jsonl": lambda source: pl.read_ndjson(_held(source), infer_schema_length=None),
    ".ndjson": lambda source: pl.read_ndjson(_held(source), infer_schema_length=None),
}
_WORDS = {
    ".parquet": "a Parquet", ".feather": "a Feather", ".arrow": "an Arrow", ".ipc": "an Arrow",
    ".jsonl": "a JSON lines", ".ndjson": "a JSON lines",
}  # fmt: skip
EXCEL = ".xlsx"
FAULTS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)  # the second is no Exception to Python


def read(
    path: str | PathLike[str],
    *,
    as_text: Collection[str] = (),
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> Table:
    """Read a table from a file: .csv, .tsv or .txt; .parquet; .feather, .arrow or .ipc; .jsonl or .ndjson; .xlsx (its
    first sheet, with the extra `slalom[excel]`); each also inside a .gz or, alone, inside a .zip.

    Of text the separator (comma, semicolon, tab, bar), the decimal sign, the encoding (UTF-8, UTF-16 with a mark, else
    Windows Latin) and whether there is a header are found out; `.notes` says what was found. Without a header the
    columns are named "0", "1", …. Missing marks become null, and columns of text that hold numbers, booleans or dates
    become those (see `settle`).
    as_text: names of columns that stay text whatever their cells look like (a model knows which; see `Columns`).
    separator, decimal, encoding: of text, where they are not to be found out.

    Raises SlalomError, naming the file and the line: no such file, a folder, no data, a header only, a row with more or
    fewer fields than the header, a quote that is never closed, column names that stand twice, NUL bytes.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "houses.csv"
    >>> _ = file.write_text("rooms;price\\n3;100\\n?;120\\n")
    >>> table = read(file)
    >>> table.frame["rooms"].to_list(), table.notes[0]
    ([3, None], 'houses.csv: 2 rows and 2 columns, separated by semicolons.')
    """
    forked.check("Polars")
    dialect = Dialect(separator, decimal, encoding).checked()
    file = _checked(Path(path))
    packed = file.suffix.lower() in PACKED
    data, name = unpacked(file) if packed else (None, file.name)
    kind = Path(name.lower()).suffix
    if kind in TEXT:
        return from_text(_bytes(file) if data is None else data, file, as_text, dialect)
    if kind in _FRAMES:
        return _framed(file, data, kind, as_text)
    if kind == EXCEL:
        return _excel(file, data, as_text)
    held = f"{name} in {file.name}" if packed else file.name
    raise wrong(
        str(file), f"one of {', '.join((*TEXT, *_FRAMES, EXCEL))}, or one of these in a {' or '.join(PACKED)}", held
    )


def _checked(file: Path) -> Path:
    """A file that is there."""
    try:
        there, folder, regular = file.exists(), file.is_dir(), file.is_file()
    except (OSError, ValueError) as error:
        raise SlalomError(f"{shown(file, 200)} must be the path of a file. Got {error}.") from None
    if not there:
        raise SlalomError(f"{file} must be a file. There is none at this path.")
    if folder or not regular:
        raise SlalomError(f"{file} must be a file. Got a {'folder' if folder else 'device or pipe'}.")
    return file


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SlalomError(f"{file} must be a file that can be read. Got: {_first_line(error)}.") from None


def _framed(file: Path, data: bytes | None, kind: str, as_text: Collection[str]) -> Table:
    """The table in a file that says itself which columns it has."""
    try:
        frame = _FRAMES[kind](file if data is None else data)
    except (*FAULTS, OSError, ValueError) as error:
        if isinstance(error, SlalomError):
            raise
        raise SlalomError(f"{file} must be {_WORDS[kind]} file that can be read. Got: {_first_line(error)}.") from None
    if frame.height == 0 or frame.width == 0:
        raise SlalomError(f"{file} must hold at least one row and one column. Got {frame.height} x {frame.width}.")
    refuse_duplicates(frame.columns, str(file))
    frame, settled = settle(frame, as_text=as_text)
    first = f"{file.name}: {counted(frame.height, 'row')} and {counted(frame.width, 'column')}."
    return Table(frame, (first, *settled))


def _held(source: Path | bytes) -> bytes:
    """The bytes of a file: a path would be read as a pattern of names."""
    return source if isinstance(source, bytes) else source.read_bytes()


def _excel(file: Path, data: bytes | None, as_text: Collection[str]) -> Table:
    """The first sheet of a workbook, its header and columns found as those of a text are."""
    try:
        import fastexcel
    except ImportError:
        raise SlalomError("Excel files need a reader that is not installed: pip install 'slalom[excel]'.") from None
    _refuse_large(io.BytesIO(_bytes(file) if data is None else data), file)
    try:
        cells = pl.read_excel(
            _bytes(file) if data is None else data, engine="calamine", has_header=False, infer_schema_length=None
        )
    except (fastexcel.FastExcelError, *FAULTS, ValueError) as error:
        raise SlalomError(f"{file} must be an Excel file that can be read. Got: {_first_line(error)}.") from None
    table = from_text(cells.write_csv(include_header=False).encode(), file, as_text, Dialect(","))
    first = f"{file.name}: {counted(table.frame.height, 'row')} and {counted(table.frame.width, 'column')}."
    return Table(table.frame, (first, *table.notes[1:]))


def _refuse_large(book: io.BytesIO, file: Path) -> None:
    """Refuse a workbook, which is a zip, that says of itself that it unpacks to more than is read (SlalomError)."""
    try:
        with zipfile.ZipFile(book) as packed:
            size = sum(one.file_size for one in packed.infolist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return  # its reader says what is wrong
    if size > LIMIT:
        raise SlalomError(f"{file} must unpack to at most {LIMIT / 2**30:.0f} GiB. Got more.")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
