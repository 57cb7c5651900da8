"""Laws of dealing rows that hang together."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom.data import split_by_group, split_by_time
from slalom.errors import SlalomError

few = settings(derandomize=True, deadline=None, database=None, max_examples=40)


@few
@given(
    n=st.integers(20, 600), groups=st.integers(3, 60), skew=st.floats(0, 3), seed=st.integers(0, 99), test=st.booleans()
)
def test_no_group_is_on_two_sides(n, groups, skew, seed, test):
    """All rows are dealt, none twice; no group is in training and held out, or among the test rows and others."""
    weights = 1.0 / np.arange(1, groups + 1) ** skew
    of = np.random.default_rng(seed).choice(groups, n, p=weights / weights.sum())
    if len(np.unique(of)) < 3:
        return
    s = split_by_group(of, seed=seed, test=test)
    counts = np.bincount(of)
    giant = set(np.flatnonzero(2 * counts > n))
    small = sum(count for group, count in enumerate(counts) if group not in giant)
    assert len(s.train) == min(5, len(set(of) - giant) - len(set(of[s.test])))
    assert (len(s.test) > 0) == test
    least = min(count for group, count in enumerate(counts) if count and group not in giant)
    assert len(s.test) <= max(1.5 * max(1, round(0.2 * small)), least)
    assert not any(giant & set(of[rows]) for rows in (s.test, *s.choose, *s.evidence))
    for train, choose, evidence in zip(s.train, s.choose, s.evidence, strict=True):
        assert min(len(train), len(choose)) > 0
        together = np.concatenate([train, choose, evidence, s.test])
        np.testing.assert_array_equal(np.sort(together), np.arange(n))
        held = set(of[choose]) | set(of[evidence])
        assert not set(of[train]) & held
        assert not set(of[s.test]) & (set(of[train]) | held)
        if len(held) > 1:
            assert not set(of[choose]) & set(of[evidence])
    again = split_by_group(of, seed=seed, test=test)
    np.testing.assert_array_equal(np.concatenate(s.train), np.concatenate(again.train))
    held = np.concatenate([np.concatenate(s.choose), np.concatenate(s.evidence)])
    always = np.flatnonzero(np.isin(of, list(giant)))
    np.testing.assert_array_equal(np.sort(held), np.setdiff1d(np.arange(n), [*s.test, *always]))  # once each


def test_shares_of_many_small_groups():
    """Groups of four rows: 20 % test; of 10,000 rows one fold with the usual shares, to within a few groups."""
    s = split_by_group(np.repeat(np.arange(2_500), 4), seed=3)
    assert len(s.train) == 1
    for rows, wanted in ((s.test, 2_000), (s.choose[0], 1_200), (s.evidence[0], 520), (s.train[0], 6_280)):
        assert abs(len(rows) - wanted) < 0.02 * wanted + 8
    other = split_by_group(np.repeat(np.arange(2_500), 4), seed=4)
    assert set(other.test) != set(s.test)


@pytest.mark.parametrize("seed", range(12))
def test_a_giant_group_trains(seed):
    """A group with most rows is never held out, and the others are dealt as if it were not there."""
    of = np.concatenate([np.zeros(900, int), np.repeat(np.arange(1, 51), 2)])
    s = split_by_group(of, seed=seed)
    assert len(s.train) == 5
    assert 16 <= len(s.test) <= 24
    assert min(len(rows) for rows in s.train) >= 960
    large = split_by_group(np.concatenate([np.zeros(5000, int), np.repeat(np.arange(1, 501), 2)]), seed=seed)
    assert len(large.train[0]) > 5500
    assert 150 <= len(large.choose[0]) + len(large.evidence[0]) <= 190


def test_too_few_groups():
    """Two groups cannot be training, held out and test; without test rows they can."""
    of = np.arange(40) % 2
    with pytest.raises(SlalomError, match=r"^group must be of at least 3 groups. Got 2."):
        split_by_group(of, seed=0)
    s = split_by_group(of, seed=0, test=False)
    assert len(s.train) == 2
    assert {len(s.choose[0]), len(s.evidence[0])} == {14, 6}


@few
@given(n=st.integers(100, 500), ties=st.integers(1, 3), seed=st.integers(0, 99), test=st.booleans())
def test_what_is_later_is_held_out(n, ties, seed, test):
    """Training, choosing, evidence and test rows follow each other in time; no moment is in two of them."""
    moments = np.random.default_rng(seed).permutation(n) // ties
    s = split_by_time(moments, test=test)
    kinds = [s.train[0], s.choose[0], s.evidence[0]] + ([s.test] if test else [])
    np.testing.assert_array_equal(np.sort(np.concatenate([*kinds, s.test[:0]])), np.arange(n))
    for earlier, later in itertools.pairwise(kinds):
        assert moments[earlier].max() < moments[later].min()
    assert len(s.train) == 1


def test_words_and_dates_are_moments():
    """Whatever can be sorted is a moment."""
    days = np.datetime64("2024-01-01") + np.arange(100)
    for moments in (days, days.astype(str)):
        assert split_by_time(moments).test.tolist() == list(range(80, 100))


def test_too_few_moments():
    """Rows of one moment stay together, so that two moments are too few."""
    with pytest.raises(SlalomError, match=r"^time must have moments enough for training, choosing, evidence and test"):
        split_by_time(np.arange(100) // 50)


@pytest.mark.parametrize(
    "deal", [lambda n: split_by_time(np.arange(n)), lambda n: split_by_group(np.arange(n), seed=0)]
)
def test_short_tables(deal):
    """Fewer than 20 rows are refused."""
    with pytest.raises(SlalomError, match=r"^The table must be at least 20 rows long. Got 19."):
        deal(19)
    assert len(deal(20).test) == 4
