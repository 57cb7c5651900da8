"""Suspects: columns that give the answer away, rows that are there twice, rare classes, columns that say the same."""

import numpy as np
import polars as pl

from slalom.data.base import as_words, counted, shown
from slalom.types import Array

ROWS, CELLS = 2_000, 400_000  # that columns are looked at by, at most
COLUMNS = 500  # that are looked at, the first ones
DUPLICATED = 200_000  # rows, up to which they are compared with each other
FEWEST = 50  # rows, below which nothing is said of columns
FEW_LEVELS = 50  # different values, up to which numbers are looked at like words
RIGHT = 0.995  # share of the rows that a column's levels decide rightly, from which on it gives the answer away
ALIKE = 0.9999  # rank correlation, share of variance: the same of numbers
BEYOND = 0.02  # by how much the former must be above the share of the largest class
RARE = 0.05  # share of the rows of a class, below which accuracy says little
SHOWN = 5


def suspects(
    frame: pl.DataFrame, labels: Array, classes: Array | None = None, rows: Array | None = None
) -> tuple[str, ...]:
    """What a person should know before a race, one sentence each: giveaways, duplicate rows (of 200,000 at most), rare
    classes.

    frame: the columns, without the target. labels: [N] numbers, or codes of the classes, whose labels are given. rows:
    whose targets may be looked at; all if None.

    >>> y = np.arange(100.0) % 7
    >>> suspects(pl.DataFrame({"copy": y * 2, "row": np.random.default_rng(0).permutation(100)}), y)
    ('Column "copy" gives the answer away: its values alone give the target. If it is not known when predictions are made, drop it.',)
    """  # noqa: E501 - a doctest
    rows = np.arange(len(labels)) if rows is None else rows
    found = [
        f"Column {shown(name)} gives the answer away: {why}. If it is not known when predictions are made, drop it."
        for name, why in giveaways(frame, labels, classes is not None, rows).items()
    ]
    if len(labels) <= DUPLICATED and (twice := duplicates(frame, labels)):
        found.append(
            f"{counted(twice, 'row')} of {len(labels):,} {'is' if twice == 1 else 'are'} the same as another one,"
            " target included: scores are the better for it, since some of them train and others are scored."
        )
    if classes is not None:
        found += _rare(labels[rows], classes)
    return tuple(found)


def giveaways(frame: pl.DataFrame, labels: Array, classification: bool, rows: Array | None = None) -> dict[str, str]:
    """Columns by each of which alone the target is known, and why: by some of these rows, all if None."""
    rows = np.arange(len(labels)) if rows is None else rows
    if len(rows) < FEWEST:
        return {}
    most = min(ROWS, max(CELLS // max(frame.width, 1), FEWEST))
    rows = rows[:: -(-len(rows) // most)]
    y, index, found = np.asarray(labels, np.float64)[rows], pl.Series(rows), {}
    ranks = pl.Series(y).rank().to_numpy()
    for column in frame[:, :COLUMNS].iter_columns():
        if not _looked_at(column.dtype):
            continue
        cells = column.gather(index)
        why = _of_levels(cells, y, classification) or _of_order(cells, y, ranks, classification)
        if why:
            found[column.name] = why
    return found


def _looked_at(dtype: pl.DataType) -> bool:
    """Whether a column is of numbers, truths, words or points in time."""
    words = dtype in (pl.Boolean, pl.String, pl.Categorical, pl.Enum)
    return words or dtype.is_numeric() or dtype == pl.Date or isinstance(dtype, pl.Datetime)


def _of_levels(cells: pl.Series, y: Array, classification: bool) -> str:
    """Why a column of few values gives the answer away; "" where it does not."""
    levels = as_words(cells).rank("dense").fill_null(0).to_numpy().astype(int)
    count = len(np.unique(levels))
    if not 1 < count <= min(FEW_LEVELS, len(y) // 10):
        return ""
    if classification:
        table = np.zeros((levels.max() + 1, int(y.max()) + 1), int)
        np.add.at(table, (levels, y.astype(int)), 1)
        right, largest = table.max(1).sum() / len(y), table.sum(0).max() / len(y)
        return f"its values decide {right:.1%} of the rows" if right >= max(RIGHT, largest + BEYOND) else ""
    sizes = np.bincount(levels)
    means = np.bincount(levels, y) / np.maximum(sizes, 1)
    left, whole = float(np.mean((y - means[levels]) ** 2)), float(np.var(y))
    return "its values alone give the target" if whole > 0 and 1 - left / whole >= ALIKE else ""


def _of_order(cells: pl.Series, y: Array, of_y: Array, classification: bool) -> str:
    """Why a column of numbers or dates gives the answer away. of_y: the ranks of y."""
    if not (cells.dtype.is_numeric() or cells.dtype.is_temporal()) or cells.null_count():
        return ""
    if cells.dtype.is_float() and cells.is_nan().any():
        return ""
    ranks = cells.rank().to_numpy()
    if classification:
        order = np.lexsort((y, ranks))
        runs = 1 + int((np.diff(y[order]) != 0).sum())
        count = len(np.unique(y))
        ties = np.diff(ranks[order]) == 0
        mixed = bool((ties & (np.diff(y[order]) != 0)).any())
        return f"sorted by it, the classes stand in {runs} runs" if 1 < runs <= count and not mixed else ""
    if len(np.unique(ranks)) < 3 or len(np.unique(y)) < 3:
        return ""
    alike = abs(float(np.corrcoef(ranks, of_y)[0, 1]))
    return "it orders all rows as the target does" if alike >= ALIKE else ""


def duplicates(frame: pl.DataFrame, labels: Array) -> int:
    """How many rows are the same as one before them, target included."""
    columns = [column for column in frame.iter_columns() if _looked_at(column.dtype)]
    both = pl.DataFrame([*columns, pl.Series("\0target", np.asarray(labels))])
    return len(both) - both.hash_rows().n_unique()


def alike(frame: pl.DataFrame) -> list[tuple[str, str]]:
    """Pairs of columns of numbers each of which is a line of the other: |correlation| = 1."""
    numbers = [c for c in frame[:, :COLUMNS].iter_columns() if c.dtype.is_numeric() and not c.null_count()]
    if len(numbers) < 2:
        return []
    x = np.stack([c.head(ROWS).cast(pl.Float64).to_numpy() for c in numbers], axis=1)
    x = x - x.mean(0)
    spread = np.sqrt((x**2).sum(0))
    kept = np.flatnonzero(np.isfinite(spread) & (spread > 0))
    found = np.triu(np.abs((x[:, kept] / spread[kept]).T @ (x[:, kept] / spread[kept])), 1) > 1 - 1e-9
    return [(numbers[kept[i]].name, numbers[kept[j]].name) for i, j in zip(*np.nonzero(found), strict=True)]


def _rare(codes: Array, classes: Array) -> list[str]:
    """What to say of classes with few rows."""
    shares = np.bincount(np.asarray(codes, int), minlength=len(classes)) / len(codes)
    rare = [k for k in np.argsort(shares) if shares[k] < RARE and shares[k] < 0.5 / len(classes)]
    if not rare:
        return []
    listed = ", ".join(f"{shown(classes[k])} ({shares[k]:.1%})" for k in rare[:SHOWN])
    return [
        f"Rare classes: {listed}{', …' * (len(rare) > SHOWN)}. Accuracy says little there; balanced_accuracy, auc"
        " and f1 say more, and class_weight=1 weighs all classes alike in training."
    ]
