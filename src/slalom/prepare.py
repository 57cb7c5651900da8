"""From a table to what racers train on: encoded columns, one float32 copy of X, the target of each fold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from slalom import scaling
from slalom.data import Columns, Split, Target
from slalom.layers.piecewise_linear import quantile_edges
from slalom.net import wide
from slalom.scaling import InRace, RobustClip
from slalom.seats import blank
from slalom.types import Array
from slalom.unit import Unit


class Fold(NamedTuple):
    """One division of the rows: what a racer trains on and is scored on. Row numbers into X."""

    train: Array
    choose: Array
    evidence: Array


@dataclass(eq=False)
class Prepared:
    """The data of a race, on the host.

    x: [V P, wide(D)] float32: variants of the table, one below the other, each padded to P rows, with columns of zeros
    behind its own up to a multiple of eight. Variant 0 has every column
    by its median and quartiles, in float64 first: an outlier then costs the other rows no digits, as it would beside
    mean and standard deviation. The scalings that are centre and spread are applied to it inside the step.
    y: [U F P] float32: the target in each of U units, one variant a fold, since each fold fits the unit to its own
    training rows. Classes have no unit.
    """

    columns: Columns
    target: Target
    split: Split
    table: Array  # [N, D] float64, encoded: what scalers are fitted to
    labels: Array  # [N] float64: the target in its own unit, or class codes
    folds: tuple[Fold, ...]
    whole: Fold | None  # all rows that are not test rows, where folds are cross-fitted
    base: RobustClip  # its centre and spread alone
    x: Array
    y: Array
    padded: int
    scalings: tuple[str, ...]  # that may be raced
    stored: tuple[str, ...]  # those of them with a variant of X a fold, in this order
    units: tuple[str, ...]  # scalings of a regression target, in this order
    _fitted: dict[tuple, Any] = field(default_factory=dict)

    @property
    def all_folds(self) -> tuple[Fold, ...]:
        """The folds and, last, the whole."""
        return (*self.folds, *([self.whole] if self.whole else []))

    def fitted(self, name: str, fold: int) -> Any:
        """A scaler fitted to the training rows of a fold (once)."""
        if (name, fold) not in self._fitted:
            self._fitted[name, fold] = scaling.REGISTRY[name].fit(self.table[self.all_folds[fold].train])
        return self._fitted[name, fold]

    def in_race(self, name: str, fold: int) -> tuple[InRace, int]:
        """(centre, spread, clip) of a scaling in units of the stored X, and the first row of its variant."""
        numbers = self.fitted(name, fold).in_race()
        if numbers is None:
            ones = np.ones(self.table.shape[1])
            variant = 1 + self.stored.index(name) * len(self.all_folds) + fold
            return InRace(0 * ones, ones, np.inf), self.padded * variant
        centre = (numbers.centre - self.base.centre) / self.base.spread
        return InRace(centre, numbers.spread / self.base.spread, numbers.clip), 0

    def edges(self, name: str, fold: int, bins: int) -> Array:
        """The bins of a piecewise linear embedding: quantiles of the training rows of a fold, scaled (once)."""
        key = ("edges", name, fold, bins)
        if key not in self._fitted:
            rows = self.table[self.all_folds[fold].train]
            self._fitted[key] = quantile_edges(self.fitted(name, fold)(rows), bins)
        return self._fitted[key]

    def unit(self, name: str, fold: int) -> Unit | None:
        """The unit of the target fitted to the training rows of a fold (once); None for classes."""
        if self.target.task == "classification":
            return None
        if ("target", name, fold) not in self._fitted:
            self._fitted["target", name, fold] = Unit.fit(name, self.labels[self.all_folds[fold].train])
        return self._fitted["target", name, fold]

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
) -> Prepared:
    """Encode the table (fitted on the rows that are not held out of every fold) and lay out the arrays.

    scalings: the names that may be raced. units: the scalings of a regression target that may be. whole: whether a
    fold of all rows but the test rows is wanted besides.
    """
    fitted_on = np.unique(np.concatenate(split.train))
    columns = Columns.fit(frame, fitted_on)
    table = columns(frame)
    y = np.asarray(target.encode(labels), np.float64)
    folds = tuple(Fold(*rows) for rows in zip(split.train, split.choose, split.evidence, strict=True))
    none = np.array([], int)
    everything = Fold(fitted_on, none, none) if whole and len(folds) > 1 else None
    made = Prepared(
        columns, target, split, table, y, folds, everything, RobustClip.fit(table[fitted_on]),
        x=np.empty(0), y=np.empty(0), padded=bucket(len(y)), scalings=tuple(sorted(scalings)),
        stored=tuple(sorted(filter(is_stored, scalings))),
        units=tuple(units) if target.task == "regression" else (),
    )  # fmt: skip
    made.x, made.y = _tables(made), _targets(made)
    return made


def _tables(made: Prepared) -> Array:
    """X as it is kept: `Prepared.x`, then for each stored scaling a variant a fold."""
    n, width = made.table.shape
    folds = range(len(made.all_folds))
    x = blank((made.padded * (1 + len(made.stored) * len(folds)), wide(width)))
    x[:n, :width] = (made.table - made.base.centre) / made.base.spread
    for name in made.stored:
        for fold in folds:
            first = made.in_race(name, fold)[1]
            x[first : first + n, :width] = made.fitted(name, fold)(made.table)
    return x


def _targets(made: Prepared) -> Array:
    """y as it is kept: `Prepared.y`."""
    n = len(made.labels)
    y = blank((made.padded * len(made.all_folds) * max(len(made.units), 1),))
    for name in made.units or ("",):
        for fold in range(len(made.all_folds)):
            unit, first = made.unit(name, fold), made.first_target(name, fold)
            y[first : first + n] = unit(made.labels) if unit else made.labels
    return y
