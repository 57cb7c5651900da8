"""Laws of taking tables from memory."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slalom.data import frame_of
from slalom.errors import SlalomError

few = settings(derandomize=True, deadline=None, database=None, max_examples=40)


def refusal(X):
    with pytest.raises(SlalomError) as caught:
        frame_of(X)
    return str(caught.value)


PLAIN = {"i": [1, 2, 3], "f": [1.5, None, 2.5], "s": ["x", "y", None], "b": [True, False, True]}


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame, pa.table, dict])
def test_every_make_is_one_frame(make):
    """pandas, polars and PyArrow frames and dictionaries give the same frame."""
    given_cells = {"f": [1.5, np.nan, 2.5], "s": np.array(["x", "y", None], object)} if make is dict else {}
    frame = frame_of(make({**PLAIN, **given_cells})).frame
    assert frame.columns == ["i", "f", "s", "b"]
    assert frame.with_columns(pl.col("f").fill_nan(None)).rows() == list(zip(*PLAIN.values(), strict=True))


def test_pandas_dtypes():
    """Every pandas dtype arrives as what it holds; categories stay categories, whatever they are made of."""
    frame = frame_of(
        pd.DataFrame(
            {
                "nullable": pd.array([1, None], dtype="Int64"),
                "truth": pd.array([True, None], dtype="boolean"),
                "category": pd.Categorical([1, 2]),
                "object": np.array([1, "x"], dtype=object),
                "numbers": np.array(["1", " "], dtype=object),
                "time": pd.to_datetime(["2020-01-02", None]),
                "zone": pd.to_datetime(["2020-01-02", None]).tz_localize("UTC"),
                "lasts": pd.to_timedelta([1, 2], unit="D"),
                "truths": np.array([True, None], dtype=object),
                "half": np.array([1, 2], np.float16),
            }
        )
    ).frame
    kinds = [str(t).split("(")[0] for t in frame.dtypes]
    expected = "Float64 Boolean Categorical String Int64 Datetime Datetime Duration Boolean Float32"
    assert kinds == expected.split()
    assert frame["object"].to_list() == ["1", "x"]
    assert frame["category"].to_list() == ["1", "2"]
    assert frame["truth"].to_list() == frame["truths"].to_list() == [True, None]
    assert frame["time"].dt.year().to_list() == [2020, None]


def test_pandas_needs_no_pyarrow(monkeypatch):
    """A pandas frame is taken where PyArrow is not installed."""
    frame = pd.DataFrame({"a": [1, 2], "s": np.array(["x", None], dtype=object), "c": pd.Categorical(["u", "v"])})
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert frame_of(frame).frame.rows() == [(1, "x", "u"), (2, None, "v")]


def test_names_that_are_no_text():
    """Integer and tuple names become text; two that become the same are refused."""
    assert frame_of(pd.DataFrame([[1, 2]], columns=[7, ("a", 1)])).frame.columns == ["7", "('a', 1)"]
    assert refusal(pd.DataFrame([[1, 2]], columns=[1, "1"])) == (
        'X must name every column differently. Got "1" more than once. Rename them.'
    )
    assert 'Got "a" more than once' in refusal(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_series_are_one_column():
    """A series is a table of one column."""
    assert frame_of(pd.Series([1, 2], name="a")).frame.to_dict(as_series=False) == {"a": [1, 2]}
    assert frame_of(pl.Series([1, 2])).frame.to_dict(as_series=False) == {"0": [1, 2]}


@few
@given(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.float16, np.int8, np.uint8, np.int64, np.bool_, ">f8", ">i4"]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
    ),
    st.sampled_from("CF"),
)
def test_arrays_keep_their_numbers(a, order):
    """Arrays of every kind of number, in either order, read-only or not, keep every number; floats their width."""
    a = np.array(a, order=order)
    a.flags.writeable = False
    frame = frame_of(a).frame
    assert frame.columns == [str(k) for k in range(a.shape[1])]
    np.testing.assert_array_equal(frame.cast(pl.Float64).to_numpy(), a.astype(np.float64))
    if a.dtype == np.float32:
        assert set(frame.dtypes) == {pl.Float32}


def test_shapes():
    """A 1-D array is one column; lists of rows, tuples and objects with __array__ are tables."""

    class Like:
        def __array__(self, dtype=None, copy=None):
            return np.eye(2)

    assert frame_of(np.arange(3)).frame.shape == (3, 1)
    assert frame_of([[1, 2], [3, 4]]).frame.rows() == [(1, 2), (3, 4)]
    assert frame_of(((1, 2.5),)).frame.rows() == [(1, 2.5)]
    assert frame_of(Like()).frame.rows() == [(1.0, 0.0), (0.0, 1.0)]


def test_masked_cells_are_missing():
    """A masked cell is a missing cell."""
    frame = frame_of(np.ma.array([[1, 2], [3, 4]], mask=[[False, True], [False, False]])).frame
    assert frame.rows() == [(1, None), (3, 4)]


def test_object_arrays():
    """Columns of Python objects become numbers, truths, dates or, if words are among them, words."""
    now, day = datetime.datetime(2024, 5, 1, 12), datetime.date(2024, 5, 1)
    rows = [
        [1, 2.5, True, "x", "1", now, decimal.Decimal("1.5"), 10**30, None, day],
        [None, np.nan, None, 2.0, "2", None, 2, 1, None, day],
    ]
    frame = frame_of(np.array(rows, dtype=object)).frame
    kinds = [str(t).split("(")[0] for t in frame.dtypes]
    assert kinds == [
        "Int64",
        "Float64",
        "Boolean",
        "String",
        "Int64",
        "Datetime",
        "Float64",
        "Float64",
        "Boolean",
        "Date",
    ]
    assert frame["3"].to_list() == ["x", "2"]
    assert frame["7"].to_list() == [1e30, 1.0]


def test_text_arrays():
    """Text and byte arrays are settled like text from a file."""
    assert frame_of(np.array([["1", "x"], ["2", "NA"]])).frame.rows() == [(1, "x"), (2, None)]
    assert frame_of(np.array([[b"1", b"x"]])).frame.rows() == [(1, "x")]
    assert frame_of(np.array([["1", "x"]]), as_text=["0"]).frame.rows() == [("1", "x")]


@pytest.mark.parametrize("unit", ["D", "s", "ms", "us", "ns", "h"])
def test_dates_of_numpy(unit):
    """Points in time and spans of every unit arrive, with what is not there missing."""
    frame = frame_of(np.array([["2024-05-01"], ["NaT"]], dtype=f"M8[{unit}]")).frame
    assert frame["0"].dt.year().to_list() == [2024, None]
    assert frame_of(np.array([24, 48], dtype="m8[h]").astype(f"m8[{unit}]")).frame["0"].dt.total_days().to_list() == [
        1,
        2,
    ]


WANTED = "X must be a data frame, an array of shape (rows, columns) or a list of rows"


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        ("houses.csv", f"{WANTED}. Got 'houses.csv'. Use read(path) for a file."),
        (None, f"{WANTED}. Got None. Use read(path) for a file."),
        (
            scipy.sparse.csr_matrix((20_000, 20_000)),
            "X must have at most 200,000,000 cells where it is sparse. Got 20,000 x 20,000. Take fewer columns, as"
            " sklearn.decomposition.TruncatedSVD makes them.",
        ),
        (np.zeros((2, 2, 2)), f"{WANTED}, of numbers, text or dates. Got shape (2, 2, 2) of float64."),
        (np.zeros((2, 2), complex), f"{WANTED}, of numbers, text or dates. Got shape (2, 2) of complex128."),
        (3, f"{WANTED}, of numbers, text or dates. Got shape () of int64."),
        ([[1, 2], [3]], f"{WANTED}. Got rows of different lengths."),
        ([["a", 2], ["b"]], f"{WANTED}. Got rows of different lengths."),
        ({"a": [1, 2], "b": [1]}, f"{WANTED}. Got columns of different lengths."),
        (np.zeros((0, 2)), "X must have at least one row and one column. Got shape (0, 2)."),
        (np.zeros((2, 0)), "X must have at least one row and one column. Got shape (2, 0)."),
        (pd.DataFrame(), "X must have at least one row and one column. Got shape (0, 0)."),
        (pl.LazyFrame({"a": [1]}), f"{WANTED}. Got a lazy frame. Use X.collect()."),
        (
            np.array([[1j], [1]], dtype=object),
            "Column '0' of X must hold numbers, text or dates. Got 1j: an argument must be a string or a number.",
        ),
        (
            pd.DataFrame({"a": [[1], [2]]}),
            "Column 'a' of X must hold numbers, text or dates. Got [1]: an argument must be a string or a number.",
        ),
        (
            pd.DataFrame({"z": [1j]}),
            "Column 'z' of X must be a column of real numbers, text or dates. Got complex128.",
        ),
    ],
    ids=lambda x: type(x).__name__,
)
def test_refusals(X, sentence):
    """What is no table is refused with one sentence."""
    assert refusal(X) == sentence


def test_the_table_is_not_changed():
    """Taking a frame changes nothing in it."""
    for X in (pd.DataFrame({"a": ["1", " "]}), pl.DataFrame({"a": ["1", " "]}), np.array([["1"], [" "]], object)):
        before = X.copy() if hasattr(X, "copy") else X.clone()
        frame_of(X)
        assert np.array_equal(np.asarray(X), np.asarray(before))


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_sparse_matrices_are_made_dense(kind):
    """A sparse matrix has the cells that its array has."""
    x = np.array([[0.0, 2.0], [3.0, 0.0]])
    assert frame_of(kind(x)).frame.rows() == [(0.0, 2.0), (3.0, 0.0)]
