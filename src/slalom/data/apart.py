"""Deals rows that hang together: no group has rows on two sides, or what is later is predicted from what was before."""

import numpy as np

from slalom.data.split import (
    CHOOSE,
    CROSS_FITTED_BELOW,
    EVIDENCE,
    EVIDENCE_OF_HELD_OUT,
    TEST,
    Split,
    evenly,
    generator,
    refuse_short,
    share,
)
from slalom.errors import SlalomError, wrong
from slalom.types import Array

FOLDS = 5
MOST_OF_A_SHARE = 1.5  # times the share of rows that was wanted, which whole groups may come to


def split_by_group(groups: Array, *, seed: int, test: bool = True) -> Split:
    """Deal rows whole groups at a time: patients, shops, wells, whatever has several rows that are alike.

        test        groups with about 20 % of the rows
        held out    of the others: below 5,000 rows five folds (as many as there are groups, where those are fewer),
                    from there on groups with about 21.5 % of the rows; of these groups some with about 30 % of the rows
                    are evidence, the others choose
        training    the rest

    groups: [n] anything that can be sorted. No group is both in training and held out, or among the test rows and any
    other; where one group alone is held out, its rows both choose and are evidence. A group with more than half of all
    rows always trains, and the shares are those of the other rows. test: whether there are test rows.
    A function of its arguments. Raises SlalomError below 20 rows (10 without test) and with too few groups.

    >>> s = split_by_group(np.repeat(np.arange(50), 4), seed=0)
    >>> len(s.train), {int(row) // 4 for row in s.test} & {int(row) // 4 for row in s.train[0]}
    (5, set())
    """
    groups = np.asarray(groups)
    n = len(groups)
    refuse_short(n, test=test)
    members = _members(groups)
    always = [group for group, rows in enumerate(members) if 2 * len(rows) > n]
    needed = 2 + test
    if len(members) < needed:
        raise wrong("group", f"of at least {needed} groups", len(members), "Leave it out, or bring more groups.")
    draw = generator(seed)
    order = [int(group) for group in draw.permutation(len(members)) if group not in always]
    spare = 2 - len(always)
    tested = _taken(order, members, share(_count(order, members), *TEST), draw, spare=spare) if test else []
    left = [group for group in order if group not in set(tested)]
    rows = _count(left, members)
    if rows + _count(always, members) >= CROSS_FITTED_BELOW:
        wanted = share(rows, *CHOOSE) + share(rows, *EVIDENCE)
        held = [_taken(left, members, wanted, draw, spare=spare - 1)]
    else:
        held = _dealt(left, members, min(FOLDS, len(left)))
    everything = _rows(left + always, members)
    parts = [_two_kinds(fold, members, draw) for fold in held]
    train = tuple(np.setdiff1d(everything, _rows(fold, members)) for fold in held)
    return Split(train, tuple(c for c, _ in parts), tuple(e for _, e in parts), _rows(tested, members))


def split_by_time(times: Array, *, test: bool = True) -> Split:
    """Deal rows by time: what was first trains, what came later is predicted.

        training | choosing (15 %) | evidence (6.5 %) | test (the last 20 %)

    times: [n] anything that can be sorted. Rows of one moment are never dealt to two kinds; they go to the earlier one.
    test: whether there are test rows. Nothing is drawn. Raises SlalomError below 20 rows (10 without test), and where
    the moments are too few for that.

    >>> s = split_by_time(np.arange(1000.0)[::-1])
    >>> int(s.test.max()), int(s.evidence[0].max()), int(s.choose[0].max()), int(s.train[0].max())
    (199, 251, 371, 999)
    """
    times = np.asarray(times)
    n = len(times)
    refuse_short(n, test=test)
    moments = np.unique(times, return_inverse=True)[1]
    order = np.argsort(moments, kind="stable")
    in_order = moments[order]
    ends, end = [], n
    rest = n - share(n, *TEST) if test else n
    wanted = [share(n, *TEST)] * test + [share(rest, *EVIDENCE), share(rest, *CHOOSE)]
    for count in wanted:
        start = max(end - count, 0)
        if start and in_order[start - 1] == in_order[start]:  # its moment belongs to what is earlier
            start = int(np.searchsorted(in_order, in_order[start], side="right"))
        ends.append((start, end))
        end = start
    if end == 0 or any(first >= last for first, last in ends):
        raise SlalomError(
            f"time must have moments enough for training, choosing, evidence{' and test' * test} rows. Got"
            f" {in_order[-1] + 1} in {n} rows."
        )
    kinds = [np.sort(order[first:last]) for first, last in ends]
    tested = kinds.pop(0) if test else np.array([], np.intp)
    return Split((np.sort(order[:end]),), (kinds[1],), (kinds[0],), tested)


def _members(groups: Array) -> list[Array]:
    """The rows of each group."""
    codes = np.unique(groups, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _rows(chosen: list[int], members: list[Array]) -> Array:
    """The rows of some groups, sorted."""
    return np.sort(np.concatenate([members[group] for group in chosen])) if chosen else np.array([], np.intp)


def _count(chosen: list[int], members: list[Array]) -> int:
    """How many rows some groups have."""
    return sum(len(members[group]) for group in chosen)


def _taken(order: list[int], members: list[Array], rows: int, draw: np.random.Generator, spare: int) -> list[int]:
    """Groups in random order with about so many rows, those that are too large passed over; the smallest one where all
    are. So many are left over."""
    found: list[int] = []
    total = 0
    for group in draw.permutation(order):
        if len(found) >= len(order) - spare or total >= rows:
            break
        if total + len(members[group]) <= MOST_OF_A_SHARE * rows:
            found.append(int(group))
            total += len(members[group])
    return found or [min(order, key=lambda group: len(members[group]))]


def _dealt(order: list[int], members: list[Array], folds: int) -> list[list[int]]:
    """Groups dealt to folds, the largest first, each to the fold with the fewest rows so far."""
    dealt: list[list[int]] = [[] for _ in range(folds)]
    rows = np.zeros(folds, int)
    for group in sorted(order, key=lambda group: -len(members[group])):
        fold = int(rows.argmin())
        dealt[fold].append(group)
        rows[fold] += len(members[group])
    return dealt


def _two_kinds(held: list[int], members: list[Array], draw: np.random.Generator) -> tuple[Array, Array]:
    """(choosing rows, evidence rows) of groups that are held out: whole groups, or the rows of the one there is."""
    rows = share(sum(len(members[group]) for group in held), EVIDENCE_OF_HELD_OUT)
    if len(held) > 1:
        shown = _taken(held, members, rows, draw, spare=1)
        return _rows([group for group in held if group not in set(shown)], members), _rows(shown, members)
    own = members[held[0]]
    if len(own) < 2:  # a group of one row, all that a fold holds out: it chooses
        return own, np.array([], np.intp)
    evidence, choose = evenly(own, rows, draw)
    return np.sort(choose), np.sort(evidence)
