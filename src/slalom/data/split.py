"""Deals rows into four kinds: training, choosing, evidence and test; pure functions of counts, classes and a seed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from slalom.errors import wrong
from slalom.types import Array

FEWEST_ROWS = 20
FEWEST_UNTESTED = 10  # where no test rows are wanted
CROSS_FITTED_BELOW = 5_000  # rows; from here on one division of the rows is enough
TEST, CHOOSE, EVIDENCE = (0.20, 50_000), (0.15, 20_000), (0.065, 10_000)  # share, and at most this many rows
EVIDENCE_OF_HELD_OUT = 0.30  # of the rows held out of a fold, and of rows the caller gave for validation
_STREAM = 0x51A10  # keeps the draws of this file apart from others of the same seed


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows serve what, as sorted row numbers; a fold is one (train, choose, evidence), disjoint from `test`.

    train: rows that weights are fitted to. choose: rows that choose between recipes and epochs. evidence: rows that do
    neither and decide what is said. test: rows for one look at the very end; empty where the caller gave validation.
    In every fold the four are disjoint and cover all rows.

    >>> s = split(100, seed=0)
    >>> len(s.train), len(s.train[0]), len(s.choose[0]), len(s.evidence[0]), len(s.test)
    (5, 64, 11, 5, 20)
    """

    train: tuple[Array, ...]
    choose: tuple[Array, ...]
    evidence: tuple[Array, ...]
    test: Array


def split(
    n: int, codes: Array | None = None, *, seed: int, folds: int | Literal["auto"] = "auto", test: bool = True
) -> Split:
    """Deal n rows into training, choosing, evidence and test rows.

        test        20 % of all rows, at most 50,000
        one fold    of the others 15 % choose (at most 20,000), 6.5 % are evidence (at most 10,000), the rest train
        k folds     the others are dealt to k folds; of the rows of fold k, held out of its training, 30 % are evidence
                    and 70 % choose; k = 5 below 5,000 rows, one fold from there on, unless `folds` says

    codes: [n] class codes; every part then has the classes in proportion, to within a row, and each class keeps one
    member that is not a test row; where that is its only one, it is in the training rows of every fold. test: whether
    there are test rows at all.
    A function of its arguments: the same seed deals the same rows. Raises SlalomError below 20 rows, 10 without test.

    >>> split(10_000, seed=0).choose[0].shape, split(100, seed=1, folds=2).train[0].shape
    ((1200,), (40,))
    """
    refuse_short(n, test=test)
    classes = _checked_codes(codes, n)
    draw = generator(seed)
    if folds == "auto":
        folds = 5 if n < CROSS_FITTED_BELOW else 1
    n_test = share(n, *TEST) if test else 0
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or not 1 <= folds <= (n - n_test) // 2:
        raise wrong("split(folds=…)", f"'auto' or a whole number from 1 to {(n - n_test) // 2}", folds)
    order = _side_by_side(classes, draw)
    if folds == 1:
        return _one_fold(n, n_test, order, classes, draw)
    kept = _one_of_each(order, classes, n - n_test - 2 * folds)
    test, _ = evenly(_without(order, kept), n_test, draw)
    return _cross_fitted(_without(order, test), test, classes, folds, draw)


def split_given(n_train: int, n_validation: int, codes: Array | None = None, *, seed: int) -> Split:
    """The split where the caller holds rows out: one fold, no test rows.

    Row numbers count through the caller's training rows (all of them train) and then, from n_train on, through the
    validation rows: a random 30 % of these are evidence, 70 % choose. codes: [n_validation] class codes, to keep their
    proportions.
    Raises SlalomError below 20 training rows or 2 validation rows.

    >>> s = split_given(100, 10, seed=0)
    >>> len(s.train[0]), len(s.choose[0]), len(s.evidence[0]), len(s.test), int(s.choose[0].min()) >= 100
    (100, 7, 3, 0, True)
    """
    if n_train < FEWEST_ROWS:
        raise wrong("The table", f"at least {FEWEST_ROWS} rows long", n_train, "Bring more rows.")
    if n_validation < 2:
        raise wrong("The validation table", "at least 2 rows long", n_validation, "Bring more rows.")
    draw = generator(seed)
    order = _side_by_side(_checked_codes(codes, n_validation), draw)
    evidence, choose = evenly(order, share(n_validation, EVIDENCE_OF_HELD_OUT), draw)
    train = np.arange(n_train)
    return Split((train,), (np.sort(choose) + n_train,), (np.sort(evidence) + n_train,), np.array([], dtype=np.intp))


def _checked_codes(codes: Array | None, n: int) -> Array:
    """[n] whole numbers from 0 on; all 0 where there are no classes."""
    if codes is None:
        return np.zeros(n, dtype=np.intp)
    codes = np.asarray(codes)
    if codes.shape != (n,):
        raise wrong("split(codes=…)", f"one class a row: shape ({n},)", codes.shape)
    return np.unique(codes, return_inverse=True)[1]


def refuse_short(n: int, *, test: bool) -> None:
    """Refuse a table of too few rows to divide (SlalomError)."""
    fewest = FEWEST_ROWS if test else FEWEST_UNTESTED
    if n < fewest:
        raise wrong("The table", f"at least {fewest} rows long", n, "Bring more rows.")


def generator(seed: int) -> np.random.Generator:
    """The draws of a division of rows."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise wrong("seed", "a whole number from 0 on", seed)
    return np.random.default_rng([int(seed), _STREAM])


def share(n: int, part: float, most: int | None = None) -> int:
    """A part of n as a whole number: at least 1 row, at most `most`."""
    rows = max(1, round(part * n))
    return rows if most is None else min(rows, most)


def _side_by_side(classes: Array, draw: np.random.Generator) -> Array:
    """All rows in random order, then sorted by class: the members of a class stand side by side."""
    order = draw.permutation(len(classes))
    return order[np.argsort(classes[order], kind="stable")]


def evenly(order: Array, k: int, draw: np.random.Generator) -> tuple[Array, Array]:
    """Take k rows at even distances, from a random start, and hand back (taken, left).

        row i is taken where ⌊(i + 1) k / n + u⌋ > ⌊i k / n + u⌋,  u uniform in [0, 1)

    Exactly k are taken, and of any run of m rows (a class) m k / n to within one.
    """
    marks = np.floor(np.arange(len(order) + 1) * k / max(len(order), 1) + draw.random())
    taken = np.diff(marks) > 0
    return order[taken], order[~taken]


def _one_of_each(order: Array, classes: Array, most: int) -> Array:
    """The first member of each class in the order; at most so many."""
    at = np.flatnonzero(np.diff(classes[order], prepend=-1))
    return order[at][: max(most, 0)]


def _without(order: Array, rows: Array) -> Array:
    return order[~np.isin(order, rows)]


def _one_fold(n: int, n_test: int, order: Array, classes: Array, draw: np.random.Generator) -> Split:
    """One division of the rows; a member of each class is set aside for training first."""
    n_choose, n_evidence = share(n - n_test, *CHOOSE), share(n - n_test, *EVIDENCE)
    kept = _one_of_each(order, classes, n - n_test - n_choose - n_evidence)
    test, rest = evenly(_without(order, kept), n_test, draw)
    choose, rest = evenly(rest, n_choose, draw)
    evidence, rest = evenly(rest, n_evidence, draw)
    train = np.concatenate([kept, rest])
    return Split((np.sort(train),), (np.sort(choose),), (np.sort(evidence),), np.sort(test))


def _cross_fitted(order: Array, test: Array, classes: Array, folds: int, draw: np.random.Generator) -> Split:
    """Deal the rows, class by class, to the folds in turn; a class with one member here is never held out."""
    alone = np.bincount(classes[order], minlength=classes.max() + 1)[classes[order]] == 1
    alone &= np.cumsum(alone) <= len(order) - 2 * folds  # so that each fold still holds two rows out
    always, dealt = order[alone], order[~alone]
    train, choose, evidence = [], [], []
    for k in range(folds):
        held_out = dealt[k::folds]
        some, others = evenly(held_out, share(len(held_out), EVIDENCE_OF_HELD_OUT), draw)
        evidence.append(np.sort(some))
        choose.append(np.sort(others))
        train.append(np.sort(np.concatenate([always, _without(dealt, held_out)])))
    return Split(tuple(train), tuple(choose), tuple(evidence), np.sort(test))
