"""Laws of turning a table into numbers."""

import datetime
import json
import math
import zlib

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom.data import Columns, Encoded, frame_of, read
from slalom.errors import SlalomError

few = settings(derandomize=True, deadline=None, database=None, max_examples=40)


def refusal(act, *args, **options):
    with pytest.raises(SlalomError) as caught:
        act(*args, **options)
    return str(caught.value)


def encoded(column, rows=None):
    """(output names, numbers) of a table of one column beside one that always stays."""
    frame = pl.DataFrame({"stays": range(len(column)), "a": column}, strict=False)
    columns = Columns.fit(frame, rows)
    return columns.names[1:], columns(frame)[:, 1:].tolist(), columns.notes


def test_numbers_pass():
    """A column of numbers without missing cells is itself, without a note."""
    assert encoded([1.5, 2.5, -3.0]) == (("a",), [[1.5], [2.5], [-3.0]], ())


def test_missing_numbers():
    """A missing number (null or NaN) is the median of the training rows, and a second column says where."""
    names, x, notes = encoded([1.0, None, 2.0, 4.0, math.nan, 100.0], rows=[0, 1, 2, 3])
    assert names == ("a", "a is missing")
    assert x == [[1, 0], [2, 1], [2, 0], [4, 0], [2, 1], [100, 0]]
    assert notes == ('Column "a": 2, the median, stands for 1 missing cell.',)


def test_missing_only_at_prediction():
    """Where training rows had no missing cell there is no second column, and a missing cell is their median."""
    names, x, _ = encoded([1.0, 3.0, None], rows=[0, 1])
    assert (names, x) == (("a",), [[1], [3], [2]])


def test_truths():
    """Booleans are 0 and 1, missing ones like numbers."""
    names, x, _ = encoded([True, False, True, None])
    assert (names, x) == (("a", "a is missing"), [[1, 0], [0, 0], [1, 0], [1, 1]])


def test_dates():
    """Dates count in days since 1970-01-01, hours as fractions; spans and times of day in days."""
    start = datetime.datetime(1970, 1, 1)
    day, hour = datetime.timedelta(days=1), datetime.timedelta(hours=6)
    assert encoded([start + day, start + 2 * day + hour, None])[1] == [[1, 0], [2.25, 0], [1.625, 1]]
    assert encoded([(start + 3 * day).date(), start.date()])[1] == [[3], [0]]
    assert encoded([day, hour])[1] == [[1], [0.25]]
    assert encoded([datetime.time(12), datetime.time(6)])[1] == [[0.5], [0.25]]
    for unit in ("ms", "us", "ns"):
        frame = pl.DataFrame({"a": pl.Series([start, start + hour], dtype=pl.Datetime(unit, "UTC"))})
        assert Columns.fit(frame)(frame).tolist() == [[0], [0.25]]


def test_words():
    """Each level has a place, in the order of the alphabet; an unseen one is 0 in all, and so is a missing one."""
    names, x, notes = encoded(["b", "a", "b", "new", None], rows=[0, 1, 2])
    assert names == ("a=a", "a=b")
    assert x == [[0, 1], [1, 0], [0, 1], [0, 0], [0, 0]]
    assert notes == ()


def test_missing_words():
    """A missing word is a level of its own if training rows had one."""
    names, x, _ = encoded(["b", "a", None, "new"], rows=[0, 1, 2])
    assert names == ("a=a", "a=b", "a is missing")
    assert x == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_many_levels():
    """Of more than 30 levels the most frequent have a place each; rarer and unseen ones share one."""
    words = [f"w{k:02}" for k in range(40) for _ in range(31 - k if k < 30 else 1)]
    names, x, notes = encoded([*words, "new", None], rows=range(len(words)))
    assert names == (*(f"a=w{k:02}" for k in range(30)), "a is another")
    x = np.array(x)
    assert x.sum(axis=1).tolist() == [1] * (len(words) + 1) + [0]
    assert x[-2, 30] == 1
    assert x[words.index("w29"), 29] == 1
    assert x[words.index("w30"), 30] == 1
    assert notes == ('Column "a" has 40 levels: the 30 most frequent have a place each, 10 share one.',)
    assert encoded([f"w{k:02}" for k in range(30)] * 2)[0][-1] == "a=w29"


def many(levels, rows=5, rare=(), missing=0):
    """Words: so many levels of so many rows each, rare ones of as many as is said, and missing cells."""
    often = [f"w{k:04}" for k in range(levels) for _ in range(rows)]
    return [*often, *(f"r{k}" for k, count in enumerate(rare) for _ in range(count)), *[None] * missing]


def test_thirty_one_frequent_levels_become_codes():
    """From 31 levels of at least five rows on a column is its codes, in the order of the alphabet, behind all other
    columns; rarer and unseen levels share a code, a missing cell has one."""
    words = many(31, rare=(4, 4), missing=1)
    frame = pl.DataFrame({"a": words, "b": range(len(words)), "c": ["x", "y"] * (len(words) // 2)})
    columns = Columns.fit(frame)
    assert (columns.names, columns.categories, columns.numeric) == (("b", "c=x", "c=y", "a"), (33,), 1)
    assert columns.notes == ('Column "a" has 33 levels: nets learn a vector for each of 31, 2 rarer ones share one.',)
    later = pl.DataFrame({"a": ["w0000", "w0030", "r0", "new", None], "b": [0] * 5, "c": ["x"] * 5})
    assert columns(later)[:, -1].tolist() == [0, 30, 31, 31, 32]
    assert columns.text_names == ("c", "a")


def test_thirty_levels_have_places():
    """Thirty levels of five rows, with however many of four, have a place each."""
    columns = Columns.fit(pl.DataFrame({"a": many(30, rare=(4,) * 9)}))
    assert (len(columns.names), columns.categories) == (31, ())


def test_what_no_training_row_had_has_the_code_behind_all():
    """Without rare levels and missing cells in training, and where fewer than five rows have rare levels, such cells
    have the code behind the last: no vector was learnt for them."""
    for rare, missing, last in (((), 0, 40), ((2, 2), 0, 40), ((), 1, 41)):
        columns = Columns.fit(pl.DataFrame({"a": many(40, rare=rare, missing=missing)}))
        assert columns.categories == (last,)
        x = columns(pl.DataFrame({"a": ["new", None, "r0"]}))[:, -1]
        assert x.tolist() == [last, 40, last]
    assert "2 rarer ones have the mean of all." in Columns.fit(pl.DataFrame({"a": many(40, rare=(2, 2))})).notes[0]
    assert columns.notes == ('Column "a" has 40 levels: nets learn a vector for each.',)


def test_at_most_five_thousand_levels_have_a_code():
    """The most frequent levels have codes of their own, the others share one."""
    words = pl.Series("a", many(5_000, rows=6) + [f"z{k}" for k in range(20) for _ in range(5)])
    columns = Columns.fit(pl.DataFrame({"a": words}))
    assert columns.categories == (5_001,)
    assert columns(pl.DataFrame({"a": ["w4999", "z0"]}))[:, 0].tolist() == [4999, 5000]


@few
@given(st.lists(st.one_of(st.none(), st.integers(0, 60)), min_size=220, max_size=400), st.booleans())
def test_codes_are_a_dictionary(cells, as_numbers):
    """The code of a cell is what a plain dictionary of the training rows says, whatever stands in the other rows and
    through JSON; the whole in pieces is the whole at once."""
    train = [None if c is None else f"{c % 45}" for c in cells[:200]]
    words = train + [None if c is None else f"{c}" for c in cells[200:]]
    frame = pl.DataFrame({"k": range(len(words)), "a": words}, schema={"k": pl.Int64, "a": pl.String})
    columns = Columns.fit(frame, range(200))
    columns = Columns.from_plain(json.loads(json.dumps(columns.to_plain())))
    assert columns == Columns.fit(frame[:200])
    counts = {w: train.count(w) for w in train if w is not None}
    often = sorted(w for w, n in counts.items() if n >= 5)
    if len(often) <= 30:
        assert columns.categories == ()
        return
    other = len(often) if sum(n for n in counts.values() if n < 5) >= 5 else None
    missing = len(often) + (other is not None) if None in train else None
    rows = len(often) + (other is not None) + (missing is not None)
    code = {w: i for i, w in enumerate(often)}
    plain = [(missing if w is None else code.get(w, other)) for w in words]
    assert columns.categories == (rows,)
    given = frame.with_columns(pl.col("a").cast(pl.Int64)) if as_numbers else frame
    found = columns(given)[:, -1].tolist()
    assert found == [rows if p is None else p for p in plain]
    assert Encoded(columns, frame).some(range(1, 2))[:, 0].tolist() == found


def test_many_levels_with_missing():
    """Missing and rare words have different places."""
    words = [f"w{k:02}" for k in range(40)] * 2
    names, x, _ = encoded([*words, None])
    assert names[-2:] == ("a is another", "a is missing")
    assert x[-1] == [0] * 31 + [1]


def test_categories_of_polars():
    """Categorical and enum columns are words."""
    for kind in (pl.Categorical, pl.Enum(["u", "v", "unused"])):
        names, x, _ = encoded(pl.Series(["u", "v", "u"], dtype=kind))
        assert (names, x) == (("a=u", "a=v"), [[1, 0], [0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("column", "note"),
    [
        ([0.1, 0.1, 0.1], "it is constant on the training rows"),
        (["x", "x", "x"], "it is constant on the training rows"),
        ([True, True, True], "it is constant on the training rows"),
        ([None, None, None], "it holds no values on the training rows"),
        ([math.nan, None, math.nan], "it holds no values on the training rows"),
    ],
)
def test_constant_columns(column, note):
    """A column that does not vary is dropped, and a note says so, also where it varies beyond the training rows."""
    assert encoded(column) == ((), [[], [], []], (f'Column "a" is dropped: {note}.',))
    assert encoded([*column, None], rows=[0, 1, 2])[0] == ()


def test_one_number_or_none():
    """A column of one number and missing cells becomes whether it is missing."""
    names, x, notes = encoded([7.0, None, 7.0, 8.0, math.nan], rows=[0, 1, 2])
    assert (names, x) == (("a is missing",), [[0], [1], [0], [0], [1]])
    assert notes == ('Column "a" holds one value or none: it becomes whether it is missing.',)
    columns = Columns.fit(frame_of({"a": [1.0, None]}).frame)
    assert columns(pl.DataFrame({"a": ["x", " "]})).tolist() == [[0.0], [1.0]]


def test_ids():
    """Words of which nearly every row has its own are dropped; ten of twelve are levels; numbers are never ids."""
    assert encoded([f"id{k}" for k in range(100)])[2] == (
        'Column "a" is dropped: 100 different texts in 100 rows are ids.',
    )
    assert encoded([f"id{k}" for k in range(96)] + ["id0"] * 4)[0] == ()
    assert len(encoded([f"id{k}" for k in range(94)] + ["id0"] * 6)[0]) == 31
    assert encoded(list(range(7, 107)))[0] == ("a",)
    assert len(encoded(["a", "b", "c"])[0]) == 3


def test_names_differ():
    """No two output columns have one name."""
    frame = pl.DataFrame({"a": ["b", None], "a=b": [1, 2], "a is missing": [2, 3]})
    assert Columns.fit(frame).names == ("a=b", "a is missing", "a=b'", "a is missing'")


numbers = st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(math.nan))
words = st.one_of(st.none(), st.sampled_from("abcdefg"))


@few
@given(
    table=st.lists(st.tuples(numbers, words, st.booleans()), min_size=8, max_size=30),
    other=st.lists(st.tuples(numbers, words, st.booleans()), min_size=30, max_size=30),
)
def test_only_training_rows_count(table, other):
    """Whatever stands in the other rows, the fit is the same; and every number that comes out is finite."""
    schema = {"n": pl.Float64, "w": pl.String, "b": pl.Boolean}
    rows = list(range(5))
    first = pl.DataFrame(table, schema=schema, orient="row").with_columns(k=pl.int_range(pl.len()))
    second = pl.DataFrame(table[:5] + other, schema=schema, orient="row").with_columns(k=pl.int_range(pl.len()))
    columns = Columns.fit(first, rows)
    assert columns == Columns.fit(second, rows)
    assert np.isfinite(columns(second)).all()
    assert columns(second).shape == (second.height, len(columns.names))


@few
@given(st.lists(st.tuples(numbers, words, st.booleans()), min_size=2, max_size=30))
def test_rows_one_by_one(table):
    """A row alone gives what it gives among others."""
    schema = {"n": pl.Float64, "w": pl.String, "b": pl.Boolean}
    frame = pl.DataFrame(table, schema=schema, orient="row").with_columns(k=pl.int_range(pl.len()))
    columns = Columns.fit(frame)
    alone = np.concatenate([columns(frame[[k]]) for k in range(frame.height)])
    np.testing.assert_array_equal(columns(frame), alone)


@few
@given(st.lists(st.tuples(numbers, words, st.booleans()), min_size=2, max_size=30))
def test_round_trip(table):
    """Through JSON and back it is the same record with the same answers."""
    schema = {"n": pl.Float64, "w": pl.String, "b": pl.Boolean}
    frame = pl.DataFrame(table, schema=schema, orient="row").with_columns(k=pl.int_range(pl.len()))
    columns = Columns.fit(frame, target="t")
    back = Columns.from_plain(json.loads(json.dumps(columns.to_plain(), allow_nan=False)))
    assert back == columns
    np.testing.assert_array_equal(back(frame), columns(frame))


TRAINED = pl.DataFrame({"size": [1.0, 2.0, 4.0], "kind": ["u", "v", "u"], "old": [True, False, True]})


@pytest.fixture
def columns():
    return Columns.fit(TRAINED)


def test_order_is_free(columns):
    """Columns are found by name, in whatever order."""
    np.testing.assert_array_equal(columns(TRAINED.select("old", "size", "kind")), columns(TRAINED))


def test_missing_column(columns):
    """A column that is not there is named, with the nearest that is."""
    assert refusal(columns, TRAINED.rename({"size": "sice"})) == (
        'The table must have the column "size", as in training. It has none. Did you mean "sice"?'
    )
    assert refusal(columns, TRAINED.drop("kind")) == (
        'The table must have the column "kind", as in training. It has none.'
    )


def test_dropped_columns_need_not_be_there():
    """A column that was dropped may be missing at prediction."""
    columns = Columns.fit(TRAINED.with_columns(same=pl.lit(1)))
    assert columns.input_names == ("size", "kind", "old", "same")
    np.testing.assert_array_equal(columns(TRAINED), columns(TRAINED.with_columns(same=pl.lit(2))))


def test_extra_columns(columns):
    """Columns that were not there are ignored, and said."""
    more = TRAINED.with_columns(b=pl.lit("x"), c=pl.lit(None))
    np.testing.assert_array_equal(columns(more), columns(TRAINED))
    assert columns.align(more).notes == ('Columns that were not there in training are ignored: "b", "c".',)
    assert columns.align(TRAINED).notes == ()


def test_target_is_no_input():
    """The target is no input, in training and at prediction, and nothing is said of it."""
    columns = Columns.fit(TRAINED, target="size")
    assert columns.input_names == ("kind", "old")
    assert columns.align(TRAINED).notes == ()
    np.testing.assert_array_equal(columns(TRAINED), columns(TRAINED.drop("size")))


def test_arrays_align_by_place():
    """Unnamed columns are taken by place if their number is that of training, trained on names or not."""
    named = Columns.fit(TRAINED)
    assert named(frame_of([[1.0, "u", True]]).frame).tolist() == [[1, 1, 0, 1]]
    unnamed = Columns.fit(frame_of([[1.0, "u", True], [2.0, "v", False]]).frame)
    assert unnamed(TRAINED)[0].tolist() == [1, 1, 0, 1]
    for columns in (named, unnamed):
        for width in (2, 4):
            assert refusal(columns, frame_of([[1.0] * width]).frame) == (
                f"The table must be 3 columns wide, as in training. Got {width}. "
                "Give the columns in the order of training."
            )


def test_file_without_header(tmp_path):
    """A file without a header can be predicted with its target in it, wherever that stands, or without it."""
    path = tmp_path / "t.csv"
    path.write_text("1.5,0,7\n2.5,1,8\n3.5,0,9\n")
    frame = read(path).frame
    for target in ("0", "1", "2"):
        columns = Columns.fit(frame, target=target)
        np.testing.assert_array_equal(columns(frame), columns(frame.drop(target)))
        bare = frame_of(frame.drop(target).to_numpy()).frame
        if target != "0" and target != "1":
            np.testing.assert_array_equal(columns(bare), columns(frame))


@pytest.mark.parametrize(
    "drifted",
    [
        {"size": [1, 2, 4]},
        {"size": ["1", " 2.0", "4"]},
        {"size": np.array([1, 2, 4], np.float32)},
        {"size": pl.Series(["1", "2", "4"], dtype=pl.Categorical)},
        {"kind": pl.Series(["u", "v", "u"], dtype=pl.Categorical)},
        {"old": [1, 0, 1]},
        {"old": ["True", "false", "TRUE"]},
        {"old": ["1", "0", "1"]},
        {"old": [1.0, 0.0, 1.0]},
    ],
)
def test_drift_of_kinds(columns, drifted):
    """1, 1.0, "1" and true, "True", 1 are the same where the column was trained on one of them."""
    np.testing.assert_array_equal(
        columns(TRAINED.with_columns(pl.Series(*cells) for cells in drifted.items())), columns(TRAINED)
    )


def test_drift_of_words():
    """Words that look like numbers or booleans are found again however they come."""
    columns = Columns.fit(frame_of(pd.DataFrame({"k": pd.Categorical([1, 2, 1])})).frame)
    assert columns.names == ("k=1", "k=2")
    for k in ([1, 2], [1.0, 2.0], ["1", "2"], pl.Series([1.0, 2.0], dtype=pl.Float32)):
        assert columns(pl.DataFrame({"k": k})).tolist() == [[1, 0], [0, 1]]
    assert columns(pl.DataFrame({"k": [1.0, math.nan, 2.5]})).tolist() == [[1, 0], [0, 0], [0, 0]]
    columns = Columns.fit(pl.DataFrame({"k": ["True", "False", "maybe"]}))
    assert columns(pl.DataFrame({"k": [True, False]})).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_drift_of_dates():
    """A date column takes dates as text and dates without a time."""
    columns = Columns.fit(pl.DataFrame({"d": [datetime.datetime(2024, 5, 1), datetime.datetime(2024, 5, 3)]}))
    day = columns(pl.DataFrame({"d": [datetime.date(2024, 5, 1)]}))
    np.testing.assert_array_equal(columns(pl.DataFrame({"d": ["2024-05-01"]})), day)
    assert columns(pl.DataFrame({"d": [None]})).tolist() == [[day[0, 0] + 1]]


def test_leading_zeros(tmp_path):
    """Words such as 007 keep their zeros at prediction when the file is read as the columns ask."""
    train, new = tmp_path / "train.csv", tmp_path / "new.csv"
    train.write_text("k,n\n007,1\n7,2\nx,3\n")
    new.write_text("k,n\n007,1\n7,2\n")
    columns = Columns.fit(read(train).frame)
    assert columns.text_names == ("k",)
    assert columns(read(new, as_text=columns.text_names).frame)[:, 1:].tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("drifted", "sentence"),
    [
        ({"size": ["1", "2", "large"]}, "Column \"size\" must be a column of numbers, as in training. Got 'large'."),
        ({"old": ["yes", "no", "no"]}, "Column \"old\" must be a column of booleans, as in training. Got 'yes'."),
        (
            {"size": [datetime.date(2024, 5, 1)] * 3},
            "Column \"size\" must be a column of numbers, as in training. Got 'Date'.",
        ),
        ({"size": [[1], [2], [3]]}, "Column \"size\" must be a column of numbers, as in training. Got 'List(Int64)'."),
    ],
)
def test_drift_that_has_no_meaning(columns, drifted, sentence):
    """Words in a column of numbers are refused with an example."""
    assert refusal(columns, TRAINED.with_columns(pl.Series(*cells) for cells in drifted.items())) == sentence


def test_dates_are_no_numbers():
    """A column of dates takes no numbers and no other words."""
    columns = Columns.fit(pl.DataFrame({"d": [datetime.date(2024, 5, 1), datetime.date(2024, 5, 3)]}))
    for cell, got in ((3, "Int64"), ("3", "3"), ("May", "May")):
        assert refusal(columns, pl.DataFrame({"d": [cell]})) == (
            f"Column \"d\" must be a column of dates, as in training. Got '{got}'."
        )


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e308])
def test_infinite_cells(columns, value):
    """Infinite and unsquarable numbers are refused with column and count, in training and at prediction."""
    frame = pl.DataFrame({"size": [value, value, 1.0], "kind": ["u", "v", "u"], "old": [True, True, False]})
    sentence = f'Column "size" must hold finite numbers below 1e+150. Got 2 that are not, such as {value:g}.'
    assert refusal(Columns.fit, frame) == sentence
    assert refusal(columns, frame) == sentence
    assert "Got 1 that is not" in refusal(columns, frame[1:])
    missing = frame.with_columns(size=pl.Series([value, None, math.nan]))
    assert "Got 1 that is not" in refusal(columns, missing)


def test_beyond_float32(columns):
    """A number that float32 cannot hold is refused there and kept in float64."""
    frame = TRAINED.with_columns(size=pl.Series([1e39, 1.0, 2.0]))
    assert columns(frame)[0, 0] == 1e39
    assert "must hold finite numbers below 3e+38. Got 1 that is not, such as 1e+39." in refusal(
        columns, frame, np.float32
    )


def test_numbers_of_more_than_two_values_come_first():
    """The first `numeric` output columns are the numbers and dates of at least three values on the training rows, in
    the order of the table; then come truths, numbers of two values, words and what is missing, in that order too."""
    frame = pl.DataFrame({
        "word": ["a", "b", "a", "b", "c"], "half": [1.0, None, 3.0, 2.0, None],
        "truth": [True, False, None, True, True],
        "two": [5, 5, 7, 5, 9], "when": pl.Series(range(5)).cast(pl.Date), "one": [1, None, 1, 1, None],
    })  # fmt: skip
    columns = Columns.fit(frame, [0, 1, 2, 3])
    names = (
        "half",
        "when",
        "word=a",
        "word=b",
        "half is missing",
        "truth",
        "truth is missing",
        "two",
        "one is missing",
    )
    assert columns.names == names
    assert columns.numeric == 2
    again = Columns.from_plain(columns.to_plain())
    assert (again, again.numeric) == (columns, 2)
    x = columns(frame)
    np.testing.assert_array_equal(x[:, 0], [1, 2, 3, 2, 2])
    np.testing.assert_array_equal(x[:, names.index("two")], frame["two"])  # 9 was not there in training
    np.testing.assert_array_equal(x[:, names.index("half is missing")], [0, 1, 0, 0, 1])
    np.testing.assert_array_equal(x[:, names.index("truth is missing")], [0, 0, 1, 0, 0])
    shuffled = frame.select(sorted(frame.columns))
    np.testing.assert_array_equal(columns(shuffled), x)
    encoded = Encoded(columns, frame)
    np.testing.assert_array_equal(np.concatenate([encoded.some(range(i, i + 1)) for i in range(9)], 1), x)
    encoded.done(range(0, 1))  # of the cells of half, one of two columns
    missing = range(names.index("half is missing"), names.index("half is missing") + 1)
    np.testing.assert_array_equal(encoded.some(missing), x[:, missing])
    encoded.done(missing)
    with pytest.raises(KeyError):
        encoded.some(missing)


def test_digits():
    """A column with a mean of 1e9 and a spread of 1, and one of 1e-300, keep their digits."""
    frame = pl.DataFrame({"a": [1e9 + 1, 1e9 + 2, None], "b": [1e-300, 2e-300, 5e-324]})
    columns = Columns.fit(frame)
    assert columns.names == ("b", "a", "a is missing")  # a has two values
    np.testing.assert_array_equal(columns(frame)[:, [1, 0]].T, [[1e9 + 1, 1e9 + 2, 1e9 + 1.5], frame["b"]])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, "float32"])
def test_dtypes(columns, dtype):
    """The numbers come in the dtype that is asked for, row by row in memory."""
    x = columns(TRAINED, dtype)
    assert x.dtype == dtype
    assert x.flags.c_contiguous
    np.testing.assert_allclose(x, columns(TRAINED))


def test_other_dtypes(columns):
    """Nothing but float64 and float32 comes out."""
    assert refusal(columns, TRAINED, np.int64) == "columns(…, dtype=…) must be float64 or float32. Got 'int64'."


def test_nothing_left():
    """A table of which every column is dropped is refused, with the reasons."""
    assert refusal(Columns.fit, pl.DataFrame({"a": [1, 1], "t": [1, 2]}), target="t") == (
        "The table must have a column, besides the target, that varies on the training rows and is no id. "
        'Got 1 column. Column "a" is dropped: it is constant on the training rows.'
    )
    assert "Got 0 columns." in refusal(Columns.fit, pl.DataFrame({"t": [1, 2]}), target="t")


def test_columns_without_a_meaning():
    """A column of lists is refused with its type."""
    assert refusal(Columns.fit, pl.DataFrame({"a": [[1], [2]]})) == (
        "Column \"a\" must be of numbers, text, booleans or dates. Got 'List(Int64)'. Leave it out or flatten it."
    )


def test_the_table_is_not_changed(columns):
    """Neither fitting nor encoding writes to the table, also where no copy was made of the caller's array."""
    a = np.asfortranarray([[1.0, 5.0], [np.nan, 6.0], [3.0, 7.0]])
    before, frame = a.copy(), frame_of(a).frame
    x = Columns.fit(frame)(frame)
    x[:] = 9
    np.testing.assert_array_equal(a, before)
    assert frame.height == 3


def test_kinds_of_numbers():
    """Every numeric dtype of polars is a number, decimals too."""
    for dtype in (pl.Int8, pl.UInt64, pl.Int128, pl.Float32, pl.Decimal(10, 2)):
        assert encoded(pl.Series([1, 2, None], dtype=dtype))[1] == [[1, 0], [2, 0], [1.5, 1]]


def test_dates_lie_in_cycles():
    """Dates that span a year are days, season and weekday; with hours the time of day too. A missing one is 0, 0."""
    start = datetime.datetime(2023, 1, 2)  # a Monday
    days = [start + datetime.timedelta(days=k) for k in range(400)]
    columns = Columns.fit(pl.DataFrame({"d": days}))
    assert columns.names == ("d", "d season sin", "d season cos", "d weekday sin", "d weekday cos")
    assert columns.numeric == 1
    x = columns(pl.DataFrame({"d": [start, start + datetime.timedelta(days=7, hours=5), None]}))
    np.testing.assert_allclose(x[0, 3:], x[1, 3:], atol=1e-12)  # both Mondays
    np.testing.assert_allclose(x[2, 1:], 0)
    np.testing.assert_allclose(np.hypot(x[:2, 1], x[:2, 2]), 1)
    turned = np.arctan2(x[1, 1], x[1, 2]) - np.arctan2(x[0, 1], x[0, 2])
    np.testing.assert_allclose(turned % (2 * np.pi), 2 * np.pi * (7 + 5 / 24) / 365.2425, rtol=1e-6)
    hours = [start + datetime.timedelta(hours=k) for k in range(60)]
    columns = Columns.fit(pl.DataFrame({"d": hours}))
    assert columns.names == ("d", "d time of day sin", "d time of day cos")
    x = columns(pl.DataFrame({"d": [start + datetime.timedelta(hours=6), datetime.datetime(2030, 5, 5, 12)]}))
    np.testing.assert_allclose(x[:, 1:], [[1, 0], [0, -1]], atol=1e-9)
    again = Columns.from_plain(json.loads(json.dumps(columns.to_plain())))
    assert again == columns


def test_free_text_is_hashed():
    """Cells of several words become counts of words and pairs in 32 columns, alike where they share words; order counts
    by the pairs, case does not, and a missing cell is nothing."""
    rng = np.random.default_rng(0)
    words = ["red", "green", "old", "new", "house", "boat", "near", "far", "lake", "town"]
    text = [" ".join(rng.choice(words, 6)) for _ in range(200)]
    columns = Columns.fit(pl.DataFrame({"t": text}))
    assert columns.names == tuple(f"t ~{k}" for k in range(32))
    assert "holds free text" in columns.notes[0]
    assert columns.text_names == ("t",)
    rows = ["Red house, near lake", "red HOUSE near lake!", "lake near house red", None, ""]
    x = columns(pl.DataFrame({"t": rows}))
    np.testing.assert_array_equal(x[0], x[1])
    assert (x[0] != x[2]).any()
    assert not x[3:].any()
    one = columns(pl.DataFrame({"t": ["red"]}))[0]
    assert np.abs(one).sum() == 1
    hashed = zlib.crc32(b"red")
    assert one[hashed % 32] == (-1 if hashed >> 31 else 1)
    np.testing.assert_allclose(np.abs(columns(pl.DataFrame({"t": ["red red"]}))[0]).sum(), 3 / np.sqrt(3))
    single = [columns(pl.DataFrame({"t": [row]}, schema={"t": pl.String}))[0] for row in rows]
    np.testing.assert_array_equal(np.stack(single), x)
    assert Columns.from_plain(json.loads(json.dumps(columns.to_plain()))) == columns


def test_the_same_column_twice():
    """A column that is the same as one before it on the training rows is dropped; one that differs in a cell is not."""
    frame = pl.DataFrame({"a": [1.0, 2.0, None], "b": [1.0, 2.0, None], "c": [1.0, 2.0, 3.0], "w": ["x", "y", "x"]})
    columns = Columns.fit(frame)
    assert {name for name in columns.names if name[0] == "b"} == set()
    assert 'Column "b" is dropped: it is the same as "a" on the training rows.' in columns.notes
    assert "c" in columns.names
    assert "b" in Columns.fit(frame, kinds={"b": "number"}).names
    assert "c" not in Columns.fit(frame, [0, 1]).names


@pytest.mark.parametrize(
    ("kind", "cells", "names"),
    [
        ("category", [3, 1, 3, 1], ("a=1", "a=3")),
        ("category", [True, False, True, True], ("a=false", "a=true")),
        ("number", ["1", "2.5", None, "4"], ("a", "a is missing")),
        ("date", ["2024-05-01", "2024-05-02", "2024-05-03", None], ("a", "a is missing")),
        ("text", ["one", "two", None, "three"], tuple(f"a ~{k}" for k in range(32))),
        ("drop", [1.0, 2.0, 3.0, 4.0], ()),
    ],
)
def test_kinds_that_the_caller_names(kind, cells, names):
    """A column is what the caller says that it is."""
    frame = pl.DataFrame({"a": cells, "b": [1.0, 2.0, 3.0, 5.0]})
    columns = Columns.fit(frame, kinds={"a": kind})
    assert tuple(name for name in columns.names if name != "b") == names
    assert np.isfinite(columns(frame)).all()
    if kind == "drop":
        assert columns.notes == ('Column "a" is dropped, as asked.',)


def test_ids_that_are_categories():
    """A column whose cells all differ is a category where the caller says so."""
    frame = pl.DataFrame({"a": [f"k{i}" for i in range(20)]})
    assert len(Columns.fit(frame, kinds={"a": "category"}).names) == 20


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ({"c": "number"}, "columns must be one of a, b. Got 'c'."),
        ({"a": "wrods"}, "columns: \"a\" must be one of number, category, date, text, drop. Got 'wrods'."),
        ({"a": "number"}, 'columns: "a" is no number. Column "a" must be a column of numbers. Got \'x\'.'),
        ({"a": "date"}, 'columns: "a" is no date. Column "a" must be a column of dates. Got \'x\'.'),
    ],
)
def test_kinds_that_cannot_be(kinds, said):
    """Columns that there are not, kinds that there are not, and cells that are of no such kind are refused."""
    with pytest.raises(SlalomError) as error:
        Columns.fit(pl.DataFrame({"a": ["x", "y"], "b": [1, 2]}), kinds=kinds)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("columns_a_piece", [1, 3, 7, 40])
def test_pieces_cut_columns_anywhere(monkeypatch, columns_a_piece):
    """Cycles, hashed words, places and numbers are the same wherever a piece begins and ends."""
    rng = np.random.default_rng(0)
    start = datetime.datetime(2023, 1, 2)
    frame = pl.DataFrame(
        {
            "d": [start + datetime.timedelta(hours=int(h)) for h in rng.integers(0, 9999, 100)],
            "t": [" ".join(rng.choice(["red", "green", "old", "house", "lake"], 6)) for _ in range(100)],
            "k": rng.choice(list("abcdefg"), 100),
            "n": [None if i % 5 == 0 else float(i) for i in range(100)],
        }
    )
    columns = Columns.fit(frame)
    monkeypatch.setattr("slalom.data.encoded.CELLS", 100 * columns_a_piece)
    table = Encoded(columns, frame)
    found = []
    for run in table.pieces():
        found.append(table.some(run))
        table.done(run)
    assert len(found) == -(-len(columns.names) // columns_a_piece)
    np.testing.assert_array_equal(np.hstack(found), columns(frame))


def test_words_that_repeat_are_levels():
    """Job titles of three words are levels, since each stands in many rows; remarks are text."""
    titles = [f"Vice President of {k}" for k in range(36)]
    assert Columns.fit(pl.DataFrame({"a": titles * 20})).categories == (36,)
    assert len(Columns.fit(pl.DataFrame({"a": titles})).names) == 32
