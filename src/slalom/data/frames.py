"""Takes a table that is in memory, of any make: pandas, polars and PyArrow frames, NumPy arrays, lists of rows."""

import math
from collections.abc import Collection, Iterable
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from slalom import forked
from slalom.data.base import Table, refuse_duplicates, settle
from slalom.errors import SlalomError, WrongKindError, wrong
from slalom.types import Array

_SPARSE_CELLS = 200_000_000
_WANTED = "a data frame, an array of shape (rows, columns) or a list of rows"


def frame_of(X: Any, *, as_text: Collection[str] = ()) -> Table:
    """Take whatever table a caller holds in memory.

    Frames (pandas, polars, PyArrow and what else narwhals knows) keep their column names, as text. Arrays [N, D], [N]
    (one column), lists of rows and anything NumPy can take get the names "0", "1", …; a masked cell is missing. A
    dictionary is taken as name -> column. Columns of text or of Python objects become what they hold (see `settle`);
    an object column of numbers and words becomes words, 2.0 among them as "2".
    as_text: names of columns that stay text whatever their cells look like.

    Sparse matrices are made dense. Raises SlalomError for complex or 3-D data, rows of different lengths, no rows or
    columns, names twice, and sparse matrices of more than 2·10⁸ cells.

    >>> frame_of([[1, "a"], [2, "b"]]).frame.rows()
    [(1, 'a'), (2, 'b')]
    """
    forked.check("Polars")
    if isinstance(X, (str, bytes)) or X is None or hasattr(X, "__fspath__"):
        raise wrong("X", _WANTED, X, "Use read(path) for a file.")
    if hasattr(X, "tocsr"):
        X = _dense(X)
    frame = _from_frame(X)
    if frame is None:
        frame = _from_array(X)
    if frame.height == 0 or frame.width == 0:
        raise SlalomError(f"X must have at least one row and one column. Got shape {frame.shape}.")
    return settle(frame, as_text=as_text)


def _dense(X: Any) -> Array:
    """A sparse matrix as an array."""
    if math.prod(X.shape) > _SPARSE_CELLS:
        shape = " x ".join(f"{n:,}" for n in X.shape)
        do = "Take fewer columns, as sklearn.decomposition.TruncatedSVD makes them."
        raise SlalomError(f"X must have at most {_SPARSE_CELLS:,} cells where it is sparse. Got {shape}. {do}")
    return X.toarray()


def _from_frame(X: Any) -> pl.DataFrame | None:
    """A frame or series of any make, or a dictionary of columns, as polars; None if X is no such thing."""
    if isinstance(X, pl.DataFrame):
        return X
    if isinstance(X, pl.LazyFrame):
        raise SlalomError(f"X must be {_WANTED}. Got a lazy frame. Use X.collect().")
    names = [str(name) for name in X] if isinstance(X, dict) else [str(name) for name in getattr(X, "columns", ())]
    refuse_duplicates(names, "X")
    if isinstance(X, dict):
        columns = [_series(str(name), _as_array(cells)) for name, cells in X.items()]
        if len({len(column) for column in columns}) > 1:
            raise SlalomError(f"X must be {_WANTED}. Got columns of different lengths.")
        return pl.DataFrame(columns)
    try:
        known = nw.from_native(X, eager_only=True, allow_series=True)
    except TypeError:
        if names:
            raise SlalomError(f"X must be {_WANTED}. Got a {type(X).__name__}. Use its own way to pandas.") from None
        return None
    if isinstance(known, nw.Series):
        known = known.alias("0" if known.name in (None, "") else str(known.name)).to_frame()
        names = known.columns
    if not known.implementation.is_pandas_like():
        return known.to_polars()
    # not narwhals' own way to polars: for pandas it needs PyArrow, and refuses columns of mixed objects
    return pl.DataFrame([_from_pandas(name, c) for name, c in zip(names, known.iter_columns(), strict=True)])


def _from_pandas(name: str, column: Any) -> pl.Series:
    """One pandas column, categories of whatever kind as categories of text."""
    if column.dtype in (nw.Categorical, nw.Enum):
        cells = column.to_numpy()
        return _words(name, cells).cast(pl.Categorical)
    return _series(name, column.to_numpy())


def _from_array(X: Any) -> pl.DataFrame:
    """Anything NumPy can take as [N] or [N, D], column by column."""
    a = _as_array(X)
    if a.ndim not in (1, 2) or a.dtype.kind in "cV":
        raise SlalomError(f"X must be {_WANTED}, of numbers, text or dates. Got shape {a.shape} of {a.dtype}.")
    if 0 in a.shape:
        raise SlalomError(f"X must have at least one row and one column. Got shape {a.shape}.")
    if a.ndim == 1:
        a = a[:, None]
    return pl.DataFrame([_series(str(k), a[:, k]) for k in range(a.shape[1])])


def _as_array(X: Any) -> Array:
    """Anything as an array; a list of 1 and "a" keeps its 1."""
    try:
        a = X if isinstance(X, np.ma.MaskedArray) else np.asarray(X)
        return np.asarray(X, dtype=object) if a.dtype.kind in "US" and not isinstance(X, np.ndarray) else a
    except (ValueError, TypeError):
        raise SlalomError(f"X must be {_WANTED}. Got rows of different lengths.") from None


def _series(name: str, cells: Array) -> pl.Series:
    """One column of an array [N] as polars, copied once at most."""
    if cells.ndim != 1 or cells.dtype.kind in "cV":
        raise SlalomError(f"Column {name!r} of X must be a column of real numbers, text or dates. Got {cells.dtype}.")
    if isinstance(cells, np.ma.MaskedArray):
        return _series(name, cells.data).set(pl.Series(np.ma.getmaskarray(cells)), None)
    kind = cells.dtype.kind
    if kind == "f" and cells.dtype.itemsize not in (4, 8):
        cells = cells.astype(np.float32 if cells.dtype.itemsize == 2 else np.float64)
    if not cells.dtype.isnative:
        cells = cells.astype(cells.dtype.newbyteorder("="))
    if kind in "mM" and np.datetime_data(cells.dtype)[0] not in ("ms", "us", "ns"):
        cells = cells.astype(f"{kind}8[us]")
    if kind in "biufmM":
        return pl.Series(name, cells)
    if kind == "S":
        cells = np.char.decode(cells, "utf-8", "replace")
    return _objects(name, cells.astype(object))


def _is_missing(cell: object) -> bool:
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and cell != cell)


def _objects(name: str, cells: Array) -> pl.Series:
    """A column of Python objects: numbers, truths, dates or, if anything else is among them, words."""
    there = [cell for cell in cells if not _is_missing(cell)]
    kinds = {type(cell) for cell in there}
    if kinds <= {bool, np.bool_}:
        return pl.Series(name, [None if _is_missing(c) else bool(c) for c in cells], dtype=pl.Boolean)
    if any(issubclass(kind, (complex, np.complexfloating, list, tuple, dict, set, np.ndarray)) for kind in kinds):
        odd = next(
            cell
            for cell in there
            if isinstance(cell, (complex, np.complexfloating, list, tuple, dict, set, np.ndarray))
        )
        raise WrongKindError(
            f"Column {name!r} of X must hold numbers, text or dates. Got {odd!r:.60}: an argument must be a string or a"
            " number."
        )
    if not kinds & {str, np.str_}:
        values = [None if _is_missing(cell) else cell for cell in cells]
        try:
            if all(hasattr(kind, "__float__") for kind in kinds):
                return _numbers(name, values)
            return pl.Series(name, values, strict=True)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            pass
    return _words(name, cells)


def _numbers(name: str, values: list[Any]) -> pl.Series:
    """Python numbers as whole numbers where they all are and fit, else as floats."""
    if all(cell is None or isinstance(cell, (int, np.integer)) for cell in values):
        try:
            return pl.Series(name, [None if cell is None else int(cell) for cell in values], dtype=pl.Int64)
        except (OverflowError, pl.exceptions.PolarsError):
            pass
    return pl.Series(name, [None if cell is None else float(cell) for cell in values], dtype=pl.Float64)


def _words(name: str, cells: Iterable[Any]) -> pl.Series:
    """Every cell as text, a whole float like the integer it is, so that 2.0 and "2" are one category."""

    def word(cell: Any) -> str:
        whole = isinstance(cell, (float, np.floating)) and float(cell).is_integer()
        return str(int(cell)) if whole else str(cell)

    return pl.Series(name, [None if _is_missing(cell) else word(cell) for cell in cells], dtype=pl.String)
