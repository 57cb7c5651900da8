"""Laws of the target."""

import decimal
import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_iris

from slalom.data import Target, find_target
from slalom.errors import SlalomError

few = settings(derandomize=True, deadline=None, database=None, max_examples=40)


def refusal(act, *args, **options):
    with pytest.raises(SlalomError) as caught:
        act(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("y", "task"),
    [
        ([0.5, 1.5, 0.5, 1.5], "regression"),
        (np.linspace(0, 1, 50, dtype=np.float32), "regression"),
        (["a", "b", "a"], "classification"),
        ([True, False], "classification"),
        ([0, 1, 0], "classification"),
        ([0.0, 1.0, 0.0], "classification"),
        ([-1, 1, 1], "classification"),
        (np.arange(20).repeat(10), "classification"),
        (np.arange(20).repeat(10)[1:], "regression"),
        (np.arange(21).repeat(10), "regression"),
        ([1, 2, 3, 1, 2, 3], "regression"),
        (np.array([1000, 2000]).repeat(3), "classification"),
        (pd.Series(["a", "b", "a"], dtype="category"), "classification"),
        (pl.Series(["a", "b", "a"], dtype=pl.Categorical), "classification"),
        (load_diabetes().target, "regression"),
        (load_iris().target, "classification"),
    ],
)
def test_the_task_is_decided(y, task):
    """Fractions and many whole numbers are regression; text, truths and few whole numbers that repeat are classes."""
    target = Target.fit(y)
    assert target.task == task
    assert task in target.notes[0]


def test_notes():
    """The decision is said with its reason, and how to change it."""
    assert Target.fit([0, 1] * 10, name="y").notes == (
        'Target "y": classification into 2 classes (0, 1), because it holds 2 distinct whole numbers '
        "(name the task regression to change that).",
    )
    assert Target.fit(range(30), name="y").notes == (
        'Target "y": regression, because it holds 30 distinct whole numbers '
        "(name the task classification to change that).",
    )
    assert Target.fit(pd.Series(["u", "v"], name="end")).notes == (
        'Target "end": classification into 2 classes ("u", "v"), because it holds text.',
    )
    assert Target.fit([0, 1], "regression").notes == ('Target "target": regression, as asked.',)


def test_the_task_can_be_named():
    """A task that is named is taken."""
    assert Target.fit([0, 1, 1], "regression").task == "regression"
    assert Target.fit(list(range(30)) * 2, "classification").outputs == 30
    assert Target.fit([0.5, 1.5, 0.5], "classification").decode([1, 0]).tolist() == [1.5, 0.5]
    assert Target.fit([True, False], "regression").encode([True, False]).tolist() == [1.0, 0.0]
    assert Target.fit(["1.5", "2"], "regression").encode(["1.5", " 2"]).tolist() == [1.5, 2.0]
    assert refusal(Target.fit, [0, 1], "regressio") == (
        "task must be one of auto, regression, classification. Got 'regressio'. Did you mean 'regression'?"
    )


LABELS = [
    np.array(["b", "a", "c", "a", "b", "c"]),
    np.array(["b", "a", "c", "a", "b", "c"], dtype=object),
    np.array([True, False, True]),
    np.array([True, False, True], dtype=object),
    np.array([-1, 1, 1]),
    np.array([1, 2, 2], dtype=np.uint8),
    np.array([0.0, 1.0, 1.0]),
    np.array([0.0, 1.0, 1.0], dtype=np.float16),
    np.array([3, 5, 5], dtype=object),
    np.array(["'1'", "'-1'", "'1'"]),
    np.array([2**53, 2**53 + 1]),
    pd.Series(["x", "y", "x"]),
    pd.Series([1, 2, 1], dtype="Int64"),
    pl.Series(["x", "y", "x"]),
    pl.Series([True, False]),
    pa.array(["x", "y", "x"]),
    ["x", "y", "x"],
    ("no", "yes"),
]


@pytest.mark.parametrize("y", LABELS, ids=lambda y: f"{type(y).__name__}-{getattr(y, 'dtype', '')}")
def test_labels_come_back(y):
    """Decoding what was encoded gives the labels letter by letter, in the dtype they came in; so through JSON."""
    target = Target.fit(y)
    back = Target.from_plain(json.loads(json.dumps(target.to_plain(), allow_nan=False)))
    for t in (target, back):
        codes = t.encode(y)
        assert codes.dtype == np.int64
        assert t.decode(codes).tolist() == list(y.tolist() if hasattr(y, "tolist") else y)
        assert t.classes.dtype == target.classes.dtype
        if isinstance(y, np.ndarray):
            assert t.decode(codes).dtype == y.dtype
        assert t.notes == target.notes
        assert (t.task, t.name, t.mean, t.spread) == ("classification", target.name, 0.0, 1.0)


@few
@given(
    st.lists(
        st.one_of(st.sampled_from("abcde"), st.text(st.characters(exclude_characters="\0"), max_size=2)),
        min_size=40,
        max_size=60,
    )
)
def test_classes_are_sorted(labels):
    """Classes are sorted and all different, and code k is class k (NumPy's text ends at a NUL byte)."""
    y = labels * 2
    if len(set(y)) < 2:
        return
    target = Target.fit(np.array(y, dtype=object))
    assert target.classes.tolist() == sorted(set(y))
    assert target.encode(y).tolist() == [sorted(set(y)).index(label) for label in y]


def test_outputs():
    """A net puts out one number for regression and two classes, else one a class."""
    assert Target.fit([0.5, 1.0, 2.0]).outputs == 1
    assert Target.fit(["a", "b"]).outputs == 1
    assert Target.fit(["a", "b", "c"] * 2).outputs == 3


def test_unseen_labels():
    """A label the fit has not seen is refused with the known ones."""
    target = Target.fit(["no", "yes"], name="y")
    assert (
        refusal(target.encode, ["no", "yess"]) == "Target \"y\" must be one of no, yes. Got 'yess'. Did you mean 'yes'?"
    )
    assert refusal(target.encode, [0, 1]) == 'Target "y" must be labels such as no. Got 0.'
    assert "must be one of 0, 1. Got '2'." in refusal(Target.fit([0, 1]).encode, [2])
    assert Target.fit([0, 1]).encode([1.0, 0.0]).tolist() == [1, 0]


@few
@given(st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 3)), min_size=2, max_size=30), st.integers(0, 10))
def test_standardised(values, cut):
    """Mean and spread are those of the training rows alone, whatever the others hold."""
    values = [*values, 0.5]
    rows = list(range(max(1, len(values) - cut)))
    target = Target.fit(values, rows=rows)
    y = np.array(values)[rows]
    assert target.mean == pytest.approx(y.mean(), abs=1e-9)
    assert target.spread == (pytest.approx(y.std()) if y.max() > y.min() else 1.0)
    assert target.standardised(target.encode(values)).mean == pytest.approx(np.mean(values), abs=1e-9)
    changed = [v if k in rows else 7.25 for k, v in enumerate(values)]
    other = Target.fit(changed, "regression", rows=rows)
    assert (other.mean, other.spread) == (target.mean, target.spread)


@pytest.mark.parametrize("y", [[0.1] * 9, [7.0] * 9, [1e9 + 0.1] * 9])
def test_constant_regression(y):
    """A constant target has spread 1 and its value for mean, to the bit."""
    target = Target.fit(y, "regression")
    assert (target.mean, target.spread) == (y[0], 1.0)


def test_offsets_and_sizes():
    """Targets far from 0 and very small ones keep their spread; one too small to be squared has spread 1."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal(1000)
    assert Target.fit(1e9 + z).spread == pytest.approx(z.std(), rel=1e-6)
    assert Target.fit(1e-12 * z).spread == pytest.approx(1e-12 * z.std())
    assert Target.fit(1e-300 * z).spread == 1.0


def test_regression_values_pass():
    """Regression encodes to float64 and decodes to the same numbers."""
    y = np.array([1.5, -2.25, 3.0], dtype=np.float32)
    target = Target.fit(y)
    assert target.encode(y).dtype == np.float64
    assert target.decode(target.encode(y)).tolist() == y.tolist()
    back = Target.from_plain(json.loads(json.dumps(target.to_plain())))
    assert (back.mean, back.spread, back.task) == (target.mean, target.spread, "regression")
    assert back.encode([1.5]).tolist() == [1.5]
    assert Target.fit([decimal.Decimal("1.5"), 2]).encode([decimal.Decimal("1.5"), 2]).tolist() == [1.5, 2.0]


@pytest.mark.parametrize("make", [np.array, pd.DataFrame, lambda y: pl.DataFrame(y, orient="row"), list])
def test_one_column_is_flattened(make):
    """A target of one column is taken as that column; several are refused."""
    assert Target.fit(make([[1.5], [2.0]])).encode(make([[1.5], [2.0]])).tolist() == [1.5, 2.0]
    got = "shape (2, 2)"
    assert refusal(Target.fit, np.ones((2, 2))) == f'Target "target" must have one value a row, and rows. Got {got}.'


@pytest.mark.parametrize(
    "y",
    [
        [1.0, math.nan, None, 2.0],
        np.array([1.0, np.nan, np.nan, 2.0]),
        ["a", None, math.nan, "b"],
        pd.Series([1, None, pd.NA, 2], dtype="Int64"),
        pd.Series(["a", None, None, "b"], dtype="category"),
        pl.Series([1, None, None, 2]),
        pl.Series(["a", None, None, "b"]),
        pl.Series([True, None, None, False]),
        np.ma.array([1.0, 2.0, 3.0, 4.0], mask=[0, 1, 1, 0]),
        np.ma.array([1.0, 2.0, np.nan, 4.0], mask=[0, 1, 0, 0]),
    ],
    ids=lambda y: f"{type(y).__name__}-{getattr(y, 'dtype', '')}",
)
def test_missing_values(y):
    """Missing target values are refused with their count, whatever says missing."""
    sentence = 'Target "t" must be known in every row. Got 2 missing of 4. Leave these rows out.'
    assert refusal(Target.fit, y, name="t") == sentence
    assert "Got 2 missing of 4" in refusal(Target.fit([1.0, 2.5]).encode, y)


@pytest.mark.parametrize("y", [[1.0, math.inf, 2.5, -math.inf], [0, math.inf, 1, -math.inf], [1.5, 1e308, 1e200, 2]])
def test_infinite_values(y):
    """Infinite target values, and such that cannot be squared, are refused with their count."""
    assert 'Target "t" must hold finite numbers below 1e+150. Got 2 of 4 that are not, such as ' in refusal(
        Target.fit, y, name="t"
    )
    assert "Got 2 of 4 that are not" in refusal(Target.fit, np.array(y, dtype=object))


@pytest.mark.parametrize(
    ("y", "task", "sentence"),
    [
        (["a"] * 4, "auto", 'Target "t" must have at least two classes. Got "a" in every row.'),
        ([1] * 4, "auto", 'Target "t" must have at least two classes. Got "1" in every row.'),
        ([True] * 4, "auto", 'Target "t" must have at least two classes. Got "True" in every row.'),
        (
            ["1", "$1,200", "2"],
            "regression",
            "Target \"t\" must be numbers for the task regression. Got '$1,200'. "
            "Turn them into numbers, or choose the task classification.",
        ),
        (
            ["1", "inf", "2"],
            "regression",
            'Target "t" must hold finite numbers below 1e+150. Got 1 of 3 that is not, such as inf.',
        ),
        (
            [f"name {k}" for k in range(9)],
            "auto",
            'Target "t" must be numbers, or classes that repeat. Got 9 distinct values in 9 rows, such as "name 0".',
        ),
        (
            np.linspace(0, 1, 9),
            "classification",
            'Target "t" must be numbers, or classes that repeat. Got 9 distinct values in 9 rows, such as "0.0".',
        ),
        ([], "auto", 'Target "t" must have one value a row, and rows. Got shape (0,).'),
        (3, "auto", 'Target "t" must have one value a row, and rows. Got shape ().'),
        ([[1, 2], [3]], "auto", 'Target "t" must have one value a row. Got rows of different lengths.'),
        (["a", 1, "a"], "auto", 'Target "t" must be of one kind. Got text and 1. Write all labels as text.'),
        (
            np.array(["2024-05-01", "2024-05-02"], dtype="M8[D]"),
            "auto",
            'Target "t" must be numbers, text or booleans. Got datetime64[D].',
        ),
        ([1j, 2j], "auto", 'Target "t" must be numbers, text or booleans. Got complex128.'),
        (np.array([b"a", b"b"]), "auto", 'Target "t" must be numbers, text or booleans. Got |S1.'),
        (np.array([{1}, {2}], dtype=object), "auto", 'Target "t" must be numbers, text or booleans. Got set.'),
    ],
)
def test_refusals(y, task, sentence):
    """What cannot be a target is refused with one sentence."""
    assert refusal(Target.fit, y, task, name="t") == sentence


def test_find_target():
    """An unknown target is refused with the names there are and the nearest."""
    frame = pl.DataFrame({"longitude": [1.0], "median_house_value": [2.0]})
    assert find_target(frame, "median_house_value").to_list() == [2.0]
    assert refusal(find_target, frame, "median_hose_value") == (
        "target must be one of longitude, median_house_value. Got 'median_hose_value'. "
        "Did you mean 'median_house_value'?"
    )
    assert refusal(find_target, frame, "q").endswith("Got 'q'.")
