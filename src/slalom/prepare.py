"""From a table to what racers train on: encoded columns, one float32 copy of X, the target of each fold."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from slalom import scaling
from slalom.data import Columns, Split, Target
from slalom.scaling import InRace, RobustClip
from slalom.types import Array


class Fold(NamedTuple):
    """One division of the rows: what a racer trains on and is scored on. Row numbers into X."""

    train: Array
    choose: Array
    evidence: Array
    mean: float  # of the target on the training rows; 0 for classes
    spread: float  # of the target on the training rows; 1 for classes


@dataclass(eq=False)
class Prepared:
    """The data of a race, on the host.

    x: [V P, D] float32: variants of the table, one below the other, each padded to P rows. Variant 0 has every column
    by its median and quartiles, in float64 first: an outlier then costs the other rows no digits, as it would beside
    mean and standard deviation. The scalings that are centre and spread are applied to it inside the step.
    y: [F P] float32, one variant a fold, since each fold standardises the target with its own training rows.
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
    _fitted: dict[tuple[str, int], Any] = field(default_factory=dict)

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
            return InRace(0 * ones, ones, np.inf), self.padded * (1 + fold)
        centre = (numbers.centre - self.base.centre) / self.base.spread
        return InRace(centre, numbers.spread / self.base.spread, numbers.clip), 0


def bucket(rows: int) -> int:
    """Rows padded up to a bucket, at most an eighth more: tables of nearly the same length share compiled programs.

    >>> bucket(1000), bucket(1_000_000)
    (1024, 1048576)
    """
    unit = 2 ** max(int(np.log2(max(rows, 1))) - 2, 4)
    return -(-rows // unit) * unit


def stored(name: str) -> bool:
    """Whether a scaling needs a stored variant of the data (it is not centre and spread)."""
    return scaling.REGISTRY[name].fit(np.arange(4.0)[:, None]).in_race() is None


def prepare(
    frame: pl.DataFrame, labels: Any, target: Target, split: Split, scalings: set[str], *, whole: bool
) -> Prepared:
    """Encode the table (fitted on the rows that are not held out of every fold) and lay out the arrays.

    scalings: the names that may be raced. whole: whether a fold of all rows but the test rows is wanted besides.
    """
    fitted_on = np.unique(np.concatenate(split.train))
    columns = Columns.fit(frame, fitted_on)
    table = columns(frame)
    y = np.asarray(target.encode(labels), np.float64)
    folds = tuple(_fold(y, target, *rows) for rows in zip(split.train, split.choose, split.evidence, strict=True))
    everything = _fold(y, target, fitted_on, *[np.array([], int)] * 2) if whole and len(folds) > 1 else None
    base = RobustClip.fit(table[fitted_on])
    made = Prepared(columns, target, split, table, y, folds, everything, base, np.empty(0), np.empty(0), bucket(len(y)))
    made.x = _variants(made, [name for name in sorted(scalings) if stored(name)])
    made.y = np.zeros(made.padded * len(made.all_folds), np.float32)
    for i, fold in enumerate(made.all_folds):
        made.y[i * made.padded : i * made.padded + len(y)] = (y - fold.mean) / fold.spread
    return made


def _fold(y: Array, target: Target, train: Array, choose: Array, evidence: Array) -> Fold:
    unit = target.standardised(y, train) if target.task == "regression" else target
    return Fold(train, choose, evidence, unit.mean, unit.spread)


def _variants(made: Prepared, names: list[str]) -> Array:
    """X as it is stored: `Prepared.x`, then a variant a fold of the stored scaling (there is one: quantile-normal)."""
    n, width = made.table.shape
    kinds = len(names) * len(made.all_folds)
    if len(names) > 1:
        raise NotImplementedError(f"one stored scaling is provided for, not {names}")
    x = np.zeros((made.padded * (1 + kinds), width), np.float32)
    x[:n] = (made.table - made.base.centre) / made.base.spread
    for name in names:
        for i in range(len(made.all_folds)):
            first = made.padded * (1 + i)
            x[first : first + n] = made.fitted(name, i)(made.table)
    return x
