"""From a table to what racers train on: one float32 copy of X, the scalers and the target of each fold."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from slalom import budget, scaling
from slalom.data import Columns, Encoded, Split, Target
from slalom.executor import cores
from slalom.layers.piecewise_linear import quantile_edges
from slalom.net import wide
from slalom.scaling import InRace, RobustClip
from slalom.scaling.base import beside
from slalom.seats import blank, give_back
from slalom.types import Array
from slalom.unit import MEAN, Unit

LARGEST = 1e30  # of a cell in float32: differences and products with centres and spreads stay finite
CHUNK = 2**16  # rows that are scaled at once: what is made on the way stays small
Sink = Callable[[range, Array], None]


class Fold(NamedTuple):
    """One division of the rows: what a racer trains on and is scored on. Row numbers into X."""

    train: Array
    choose: Array
    evidence: Array


@dataclass(eq=False)
class Prepared:
    """The data of a race, on the host.

    x: [V P, wide(D, codes)] float32: variants of the table, one below the other, each padded to P rows, with columns of
    zeros behind its own up to a multiple of eight. Variant 0 has every column by its median and quartiles, in float64
    first: an outlier then costs the other rows no digits, as it would beside mean and standard deviation. The scalings
    that are centre and spread are applied to it inside the step. Codes, the last of the columns, are in all variants as
    they are; to scalers they are columns of zeros.
    y: [U F P] float32: the target in each of U units, one variant a fold, since each fold fits the unit to its own
    training rows. A target that may be counts is there in units of its mean as well. Classes have no unit.
    """

    columns: Columns
    rows: int  # N
    test_rows: pl.DataFrame  # as they came: the model takes them at the very end
    target: Target
    split: Split
    labels: Array  # [N] float64: the target in its own unit, or class codes
    folds: tuple[Fold, ...]
    whole: Fold | None  # all rows that are not test rows, where folds are cross-fitted
    refit: Fold | None  # the rows that the winner is trained on once more, where that is asked for
    scalings: tuple[str, ...]  # that may be raced
    stored: tuple[str, ...]  # those of them with a variant of X a fold, in this order
    units: tuple[str, ...]  # scalings of a regression target, in this order
    padded: int
    base: RobustClip | None = None  # its centre and spread alone
    digest: bytes = b""  # of the table
    x: Array = field(default_factory=lambda: np.empty(0))
    y: Array = field(default_factory=lambda: np.empty(0))
    weights: Array | None = None  # [N] of rows in training; None where all count alike
    room: float = math.inf  # bytes that a limit on memory leaves beside x and y
    kept: int = 0  # bytes of what scored rows added to costs, that the racers of a race keep together
    _fitted: dict[tuple, Any] = field(default_factory=dict)

    @cached_property
    def width(self) -> int:
        """D, the columns as numbers."""
        return len(self.columns.names)

    @cached_property
    def plain(self) -> int:
        """How many of the columns, all but the last ones, hold no codes."""
        return self.width - len(self.columns.categories)

    @cached_property
    def negative(self) -> int:
        """How many targets of a regression are below 0."""
        return int((self.labels < 0).sum())

    @property
    def all_folds(self) -> tuple[Fold, ...]:
        """The folds and, behind them, the whole, and the rows of a refit."""
        return (*self.compared_folds, *([self.refit] if self.refit else []))

    @property
    def compared_folds(self) -> tuple[Fold, ...]:
        """The folds and the whole, none of which has a test row among those that it trains on."""
        return (*self.folds, *([self.whole] if self.whole else []))

    def fitted(self, name: str, fold: int) -> Any:
        """A scaler of the race, fitted to the training rows of a fold."""
        return self._fitted[name, fold]

    def in_race(self, name: str, fold: int) -> tuple[InRace, int]:
        """(centre, spread, clip) of a scaling in units of the stored X, and the first row of its variant."""
        assert self.base is not None
        numbers = self.fitted(name, fold).in_race()
        if numbers is None:
            ones = np.ones(self.width)
            return InRace(0 * ones, ones, np.inf), self.first_row(name, fold)
        centre = (numbers.centre - self.base.centre) / self.base.spread
        return InRace(centre, numbers.spread / self.base.spread, numbers.clip), 0

    def first_row(self, name: str, fold: int) -> int:
        """The first row of a stored scaling's variant of X."""
        return self.padded * (1 + self.stored.index(name) * len(self.all_folds) + fold)

    def as_raced(self, name: str, fold: int, rows: Array) -> Array:
        """Rows of X as the first layer gets them in the program: [M, D] float32, in a scaling fitted to a fold."""
        numbers, first = self.in_race(name, fold)
        stored = self.x[first + rows, : self.width]
        u = (stored - numbers.centre) / numbers.spread
        made = np.asarray(u / np.hypot(1, u / numbers.clip), np.float32)
        made[:, self.plain :] = stored[:, self.plain :]
        return made

    def edges(self, name: str, fold: int, bins: int) -> Array:
        """The bins of a piecewise linear embedding of the columns of numbers: quantiles of the training rows of a fold,
        scaled as in the program (once)."""
        key = ("edges", name, fold, bins)
        if key not in self._fitted:
            numbers, first = self.in_race(name, fold)
            train, found = first + self.all_folds[fold].train, []
            for column in range(self.columns.numeric):
                u = (self.x[train, column] - numbers.centre[column]) / numbers.spread[column]
                found.append(quantile_edges((u / np.hypot(1, u / numbers.clip))[:, None], bins))
            self._fitted[key] = np.concatenate(found)
        return self._fitted[key]

    def unit(self, name: str, fold: int) -> Unit | None:
        """The unit of the target fitted to the training rows of a fold (once); None for classes."""
        if self.target.task == "classification":
            return None
        if ("target", name, fold) not in self._fitted:
            self._fitted["target", name, fold] = Unit.fit(name, self.labels[self.all_folds[fold].train])
        return self._fitted["target", name, fold]

    def class_counts(self, fold: int) -> Array:
        """How many training rows of a fold each class has (counted once)."""
        if ("counts", fold) not in self._fitted:
            codes = self.labels[self.all_folds[fold].train].astype(int)
            self._fitted["counts", fold] = np.bincount(codes, minlength=len(self.target.classes))
        return self._fitted["counts", fold]

    def first_target(self, name: str, fold: int) -> int:
        """The first row of y in a unit, for a fold."""
        place = self.units.index(name) if self.units else 0
        return self.padded * (place * len(self.all_folds) + fold)


def bucket(rows: int) -> int:
    """Rows padded up to a bucket, at most an eighth more: tables of nearly the same length share compiled programs.

    >>> bucket(1000), bucket(1_000_000)
    (1024, 1048576)
    """
    unit = 2 ** max(int(np.log2(max(rows, 1))) - 2, 4)
    return -(-rows // unit) * unit


def is_stored(name: str) -> bool:
    """Whether a scaling needs a stored variant of the data (it is not centre and spread)."""
    return scaling.REGISTRY[name].fit(np.arange(4.0)[:, None]).in_race() is None


def prepare(
    frame: pl.DataFrame,
    labels: Any,
    target: Target,
    split: Split,
    scalings: set[str],
    units: Sequence[str] = ("z_score",),
    *,
    whole: bool,
    refit: bool | str = False,
    sink: Sink | None = None,
    weights: Array | None = None,
    kinds: Mapping[str, str] | None = None,
    memory: int | None = None,
    spare: Sequence[str] = (),
) -> Prepared:
    """Encode the table (fitted on the rows that are not held out of every fold) and lay out the arrays.

    frame: its columns are forgotten one by one, where nobody else holds them. scalings: the names that may be raced.
    units: the scalings of a regression target that may be. whole: whether a fold of all rows but the test rows is
    wanted besides. refit: whether one of all rows that are not test rows is ("all": of all rows), where the whole is
    not the same. sink: called with the encoded columns, some at a time, from several threads: (which, [N, some]
    float64). weights: of the rows in training. kinds: of columns, as
    of `Columns.fit`. memory: a limit in bytes. spare: scalings that are left out, the first first, where it is too low.
    """
    fitted_on = np.unique(np.concatenate(split.train))
    columns = Columns.fit(frame, fitted_on, kinds=kinds)
    table, test_rows, read = Encoded(columns, frame), frame[split.test], int(frame.estimated_size())
    del frame
    give_back()
    y = np.asarray(target.encode(labels), np.float64)
    folds = tuple(Fold(*rows) for rows in zip(split.train, split.choose, split.evidence, strict=True))
    none = np.array([], int)
    if target.task == "regression" and not (y < 0).any():
        units = (*units, MEAN)  # of poisson
    everything = Fold(fitted_on, none, none) if whole and len(folds) > 1 else None
    made = Prepared(
        columns, len(y), test_rows, target, split, y, folds, everything, _refit_fold(len(y), split, everything, refit),
        padded=bucket(len(y)),
        scalings=tuple(sorted(scalings)),
        stored=tuple(sorted(filter(is_stored, scalings))),
        units=tuple(units) if target.task == "regression" else (),
        weights=weights,
    )  # fmt: skip
    _fit_into(memory, made, read, spare)
    _lay_out(made, table, fitted_on, sink)
    made.y = _targets(made)
    return made


def _fit_into(memory: int | None, made: Prepared, read: int, spare: Sequence[str]) -> None:
    """Leave out the spare scalings that a limit on memory has no room for (SlalomError: `budget.left_out`)."""
    spare, once = [s for s in spare if s in made.stored], 4 * made.padded * wide(made.width, made.width - made.plain)
    fixed = once + 4 * made.padded * len(made.all_folds) * max(len(made.units), 1)  # x as it is, and y
    needed = len(made.stored) - len(spare)
    out, room = budget.left_out(memory, read + fixed, once * len(made.all_folds), needed, len(spare))
    made.room, left = room - fixed, set(spare[:out])
    made.scalings, made.stored = (tuple(s for s in names if s not in left) for names in (made.scalings, made.stored))


def _refit_fold(n: int, split: Split, whole: Fold | None, refit: bool | str) -> Fold | None:
    """The rows of a refit as a fold without rows to score; None where it is not asked for, or the whole has them."""
    left = np.array([], int) if refit == "all" else split.test
    if not refit or (whole and len(left) == len(split.test)):
        return None
    none = np.array([], int)
    return Fold(np.setdiff1d(np.arange(n), left), none, none)


def _lay_out(made: Prepared, encoded: Encoded, fitted_on: Array, sink: Sink | None) -> None:
    """Fit the scalers and fill X (`Prepared.x`), some columns at a time and on all cores: X grows as the frame shrinks,
    and no float64 copy of a large table is ever there."""
    n, width = encoded.shape
    codes = len(made.columns.categories)
    x = made.x = blank((made.padded * (1 + len(made.stored) * len(made.all_folds)), wide(width, codes)))

    def piece(run: range) -> tuple[RobustClip, dict[tuple, Any], bytes]:
        table, plain = encoded.some(run), range(run.start, min(run.stop, made.plain))
        encoded.done(run)
        seen = _without_codes(table, len(plain))
        base, parts = RobustClip.fit(seen[fitted_on]), {}

        def fill(first: int, scaled: Callable[[Array], Array]) -> None:
            for i in range(0, n, CHUNK):
                rows = slice(first + i, first + min(i + CHUNK, n))
                found = scaled(seen[i : i + CHUNK])
                x[rows, run.start : run.stop] = np.clip(found, -LARGEST, LARGEST, out=found)
                x[rows, run.start + len(plain) : run.stop] = table[i : i + CHUNK, len(plain) :]

        fill(0, lambda some: (some - base.centre) / base.spread)
        for fold, rows in enumerate(made.all_folds):
            train = seen[rows.train]
            for name in made.scalings:
                parts[name, fold] = scaling.REGISTRY[name].fit(train)
        for name, fold in parts:
            if name in made.stored:
                fill(made.first_row(name, fold), parts[name, fold])
        if sink:
            sink(run, table)
        return base, parts, hashlib.blake2b(np.ascontiguousarray(table).data, digest_size=16).digest()

    with ThreadPoolExecutor(cores()) as pool:
        pieces = list(pool.map(piece, encoded.pieces()))
    give_back()
    made.base = beside([base for base, _, _ in pieces])
    made.digest = b"".join(digest for _, _, digest in pieces)
    made._fitted |= {key: beside([parts[key] for _, parts, _ in pieces]) for key in pieces[0][1]}


def _without_codes(table: Array, plain: int) -> Array:
    """Columns [N, D] with zeros in the place of codes, which stand behind the first `plain`."""
    if plain >= table.shape[1]:
        return table
    seen = table.copy()
    seen[:, max(plain, 0) :] = 0
    return seen


def _targets(made: Prepared) -> Array:
    """y as it is kept: `Prepared.y`."""
    n = len(made.labels)
    y = blank((made.padded * len(made.all_folds) * max(len(made.units), 1),))
    for name in made.units or ("",):
        for fold in range(len(made.all_folds)):
            unit, first = made.unit(name, fold), made.first_target(name, fold)
            y[first : first + n] = unit(made.labels) if unit else made.labels
    return y
