"""Laws of dealing rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom.data import Split, split, split_given
from slalom.errors import SlalomError

few = settings(derandomize=True, deadline=None, database=None, max_examples=40)


def refusal(act, *args, **options):
    with pytest.raises(SlalomError) as caught:
        act(*args, **options)
    return str(caught.value)


def parts(s: Split):
    return list(zip(s.train, s.choose, s.evidence, strict=True))


def check(s, n):
    """In every fold the parts are sorted, not empty, disjoint and cover all rows; folds train on as many rows, ±1."""
    for train, choose, evidence in parts(s):
        for rows in (train, choose, evidence, s.test):
            assert (np.diff(rows) > 0).all()
            assert rows.dtype.kind == "i"
        assert min(len(train), len(choose), len(evidence)) > 0
        together = np.concatenate([train, choose, evidence, s.test])
        np.testing.assert_array_equal(np.sort(together), np.arange(n))
    sizes = [len(train) for train in s.train]
    assert max(sizes) - min(sizes) <= 1


@few
@given(
    n=st.integers(20, 700),
    classes=st.integers(0, 30),
    skew=st.floats(0, 4),
    seed=st.integers(0, 2**40),
    folds=st.sampled_from(["auto", 1, 2, 3, 5, 8]),
)
def test_rows_are_dealt(n, classes, skew, seed, folds):
    """Whatever the classes, the seed and the folds: all rows are dealt, none twice, no part is empty."""
    codes = np.random.default_rng(seed).choice(classes, n, p=_shares(classes, skew)) if classes else None
    s = split(n, codes, seed=seed, folds=folds)
    check(s, n)
    assert len(s.test) == round(0.2 * n)
    assert len(s.train) == (5 if folds == "auto" else folds)
    again = split(n, codes, seed=seed, folds=folds)
    for one, other in zip(
        (*s.train, *s.choose, *s.evidence, s.test),
        (*again.train, *again.choose, *again.evidence, again.test),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def _shares(classes, skew):
    weights = 1.0 / np.arange(1, classes + 1) ** skew
    return weights / weights.sum()


@few
@given(n=st.integers(100, 700), classes=st.integers(2, 8), seed=st.integers(0, 99), folds=st.sampled_from([1, 5]))
def test_every_class_is_trained_on(n, classes, seed, folds):
    """Every class has a member in the training rows of every fold, down to those that have one member."""
    codes = np.random.default_rng(seed).choice(classes, n, p=_shares(classes, 3))
    codes[0] = classes  # a class of one
    codes[1:3] = classes + 1  # a class of two
    s = split(n, codes, seed=seed, folds=folds)
    for train in s.train:
        assert set(codes[train]) == set(codes)
        assert 0 in train


@few
@given(n=st.integers(100, 3000), seed=st.integers(0, 99), folds=st.sampled_from([1, 3, 5]))
def test_proportions(n, seed, folds):
    """Every part has each class in its proportion, to within three rows: one for each of three draws."""
    codes = np.arange(n) % 10 // 7  # 70 % and 30 %
    s = split(n, codes, seed=seed, folds=folds)
    for rows in (s.test, *s.train, *s.choose, *s.evidence):
        assert abs(codes[rows].sum() - 0.3 * len(rows)) <= 3


def test_folds_cross():
    """The rows held out of the folds are disjoint, and together all rows that are not test rows."""
    s = split(1003, seed=3)
    held_out = np.concatenate([*s.choose, *s.evidence])
    np.testing.assert_array_equal(np.sort(np.concatenate([held_out, s.test])), np.arange(1003))


def test_sizes_of_folds():
    """Below 5,000 rows: 20 % test rows, then five folds that hold out a fifth each, 30 % of that evidence."""
    s = split(1000, seed=0)
    assert len(s.test) == 200
    assert [len(rows) for rows in s.train] == [640] * 5
    assert [len(rows) for rows in s.choose] == [112] * 5
    assert [len(rows) for rows in s.evidence] == [48] * 5
    assert len(split(4999, seed=0).train) == 5


@pytest.mark.parametrize(
    ("n", "sizes"),
    [
        (5_000, (3140, 600, 260, 1000)),
        (20_640, (12_962, 2477, 1073, 4128)),
        (1_000_000, (920_000, 20_000, 10_000, 50_000)),
    ],
)
def test_sizes_of_one_fold(n, sizes):
    """From 5,000 rows on: 20 % test rows; of the others 15 % choose and 6.5 % are evidence; all three have a most."""
    s = split(n, seed=0)
    assert len(s.train) == 1
    assert (len(s.train[0]), len(s.choose[0]), len(s.evidence[0]), len(s.test)) == sizes
    check(s, n)


def test_twenty_rows():
    """Twenty rows are enough, also of ten classes of two, or of twenty classes."""
    for codes in (None, np.arange(20) // 2, np.arange(20), np.r_[0, np.ones(19, int)]):
        for folds in ("auto", 1):
            check(split(20, codes, seed=0, folds=folds), 20)


def test_rows_are_random():
    """Seeds deal differently, and every row is a test row a fifth of the time."""
    n, times = 60, 2000
    counts = np.zeros(n)
    codes = np.arange(n) % 3
    for seed in range(times):
        counts[split(n, codes, seed=seed).test] += 1
    deviation = np.sqrt(times * 0.2 * 0.8)
    assert np.abs(counts - 0.2 * times).max() < 4.5 * deviation  # 60 rows: 1 in 2,500 tries would be beyond by chance


def test_rare_classes_are_tested_in_proportion():
    """A class of four, one of them kept for training, has each of the others as often in the test as all other rows."""
    codes = np.r_[np.zeros(56, int), np.ones(4, int)]
    tested = [codes[split(60, codes, seed=seed).test].sum() for seed in range(1000)]
    assert abs(np.mean(tested) - 3 * 12 / 58) < 0.07  # 12 of 58 rows; a fixed start would take 0 or 1 each time


def test_codes_may_be_any_numbers():
    """Only which rows are of one class counts, not the numbers."""
    codes = np.arange(200) % 3
    for one, other in zip(split(200, codes, seed=1).train, split(200, codes * 1000 - 7, seed=1).train, strict=True):
        np.testing.assert_array_equal(one, other)


@few
@given(n=st.integers(20, 300), m=st.integers(2, 300), seed=st.integers(0, 99), classes=st.booleans())
def test_rows_that_were_given(n, m, seed, classes):
    """With rows held out by the caller all others train, 30 % of them are evidence, and there are no test rows."""
    s = split_given(n, m, np.arange(m) % 3 if classes else None, seed=seed)
    check(s, n + m)
    np.testing.assert_array_equal(s.train[0], np.arange(n))
    assert len(s.test) == 0
    assert len(s.evidence[0]) == max(1, round(0.3 * m))
    again = split_given(n, m, np.arange(m) % 3 if classes else None, seed=seed)
    np.testing.assert_array_equal(s.evidence[0], again.evidence[0])


@pytest.mark.parametrize(
    ("act", "arguments", "options", "sentence"),
    [
        (split, (19,), {}, "The table must be at least 20 rows long. Got 19. Bring more rows."),
        (split, (0,), {}, "The table must be at least 20 rows long. Got 0. Bring more rows."),
        (split, (30, np.zeros(29)), {}, "split(codes=…) must be one class a row: shape (30,). Got (29,)."),
        (split, (30,), {"seed": -1}, "seed must be a whole number from 0 on. Got -1."),
        (split, (30,), {"seed": 1.5}, "seed must be a whole number from 0 on. Got 1.5."),
        (split, (30,), {"folds": 13}, "split(folds=…) must be 'auto' or a whole number from 1 to 12. Got 13."),
        (split, (30,), {"folds": 0}, "split(folds=…) must be 'auto' or a whole number from 1 to 12. Got 0."),
        (split_given, (19, 9), {}, "The table must be at least 20 rows long. Got 19. Bring more rows."),
        (split_given, (30, 1), {}, "The validation table must be at least 2 rows long. Got 1. Bring more rows."),
    ],
)
def test_refusals(act, arguments, options, sentence):
    """What cannot be dealt is refused with one sentence."""
    assert refusal(act, *arguments, **{"seed": 0, **options}) == sentence


@pytest.mark.parametrize("n", [10, 11, 19, 100, 6000])
def test_without_test_rows(n):
    """All rows serve the race; ten are enough then."""
    s = split(n, np.arange(n) % 2, seed=0, test=False)
    check(s, n)
    assert len(s.test) == 0
    assert refusal(split, 9, seed=0, test=False).startswith("The table must be at least 10 rows long. Got 9.")
