"""A table as numbers that are made some columns at a time, from a frame that gives its memory back meanwhile."""

import threading
from collections import Counter

import numpy as np
import polars as pl

from slalom.data.columns import Columns
from slalom.data.treatments import Category, Treatment
from slalom.types import Array

CELLS = 2**20  # of a piece, at most: 8 MB in float64


class Encoded:
    """The numbers [N, D], float64, of the rows of a frame. Only the frame is held, and of that only columns that are
    still needed (`done`).

    shape: (N, D). columns: the way from the frame to the numbers.

    >>> frame = pl.DataFrame({"size": [1.0, 2.0, 4.0], "kind": ["a", "b", "a"]})
    >>> table = Encoded(Columns.fit(frame), frame)
    >>> table.shape, table.pieces(), table.some(range(0, 2)).tolist()
    ((3, 3), [range(0, 3)], [[1.0, 1.0], [2.0, 0.0], [4.0, 1.0]])
    """

    def __init__(self, columns: Columns, frame: pl.DataFrame) -> None:
        self.columns, self.shape = columns, (frame.height, len(columns.names))
        self._cells = {series.name: series for series in columns.align(frame).frame.iter_columns()}
        self._waiting = Counter[str]()
        for treatment in columns.treatments:
            self._waiting[treatment.name] += len(treatment.outputs)
        self._found: dict[str, dict[int, Array]] = {}  # by column and first place of the treatment
        self._lock = threading.Lock()

    def pieces(self) -> list[range]:
        """All columns as runs of neighbours, each of at most CELLS cells or one column."""
        rows, width = self.shape
        step = max(1, CELLS // max(rows, 1))
        return [range(i, min(i + step, width)) for i in range(0, width, step)]

    def some(self, run: range) -> Array:
        """All rows, some columns: [N, len(run)]."""
        out = np.empty((self.shape[0], len(run)))
        for name, treatment, first, wanted in self._inside(run):
            mine = out[:, wanted.start - run.start : wanted.stop - run.start]
            inside = slice(wanted.start - first, wanted.stop - first)
            if len(wanted) == len(treatment.outputs):
                treatment.write(self._cells[name], mine)
            elif isinstance(treatment, Category):
                mine[:] = self._whole(name, first, treatment)[:, None] == np.arange(inside.start, inside.stop)
            else:
                mine[:] = self._whole(name, first, treatment)[:, inside]
        return out

    def _whole(self, name: str, first: int, treatment: Treatment) -> Array:
        """What a treatment makes of a column, found once for all pieces of it; of words their places alone."""
        found = self._found.setdefault(name, {})
        if first not in found:
            if isinstance(treatment, Category):
                found[first] = treatment.places(self._cells[name])
            else:
                made = np.empty((self.shape[0], len(treatment.outputs)))
                treatment.write(self._cells[name], made)
                found[first] = made
        return found[first]

    def done(self, run: range) -> None:
        """Forget the cells of these columns: they are not asked for again."""
        with self._lock:
            for name, _, _, wanted in self._inside(run):
                self._waiting[name] -= len(wanted)
                if not self._waiting[name]:
                    del self._cells[name]
                    self._found.pop(name, None)

    def _inside(self, run: range):  # type: ignore[no-untyped-def]
        """(name, treatment, its first column, those of its columns that are in the run) of all that have some."""
        first = 0
        for treatment in self.columns.treatments:
            width = len(treatment.outputs)
            wanted = range(max(run.start, first), min(run.stop, first + width))
            if len(wanted):
                yield treatment.name, treatment, first, wanted
            first += width
