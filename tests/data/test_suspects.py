"""What is suspicious in a table."""

import datetime

import numpy as np
import polars as pl
import pytest

from slalom import inspect
from slalom.errors import SlalomError
from slalom.suspects import alike, duplicates, giveaways, suspects

rng = np.random.default_rng(0)
N = 300
CODES = rng.integers(0, 3, N)
Y = rng.normal(size=N)
HONEST = pl.DataFrame(
    {
        "size": Y + 0.05 * rng.normal(size=N),
        "kind": rng.choice(["a", "b", "c"], N),
        "id": [f"row {i}" for i in range(N)],
        "day": pl.Series(rng.integers(0, 400, N)).cast(pl.Date),
        "holes": [None if i % 9 == 0 else float(v) for i, v in enumerate(Y)],
    }
)


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (np.array(["no", "maybe", "yes"])[CODES], True),
        (CODES, True),
        (CODES + rng.random(N) / 2, True),
        (pl.Series(CODES).cast(pl.Date), True),
        (3 * Y - 7, False),
        (np.exp(Y), False),
        (-Y, False),
    ],
)
def test_columns_that_give_the_answer_away(cells, classes):
    """A copy of the target in other words, in another unit, in its order."""
    frame = HONEST.with_columns(copy=pl.Series(cells))
    assert list(giveaways(frame, CODES.astype(float) if classes else Y, classes)) == ["copy"]


def test_honest_columns():
    """A column that says much, an id of every row, a date and a column of one value give nothing away; nor does
    anything where there are few rows, or one class has nearly all of them."""
    frame = HONEST.with_columns(one=pl.lit(1))
    assert giveaways(frame, Y, False) == {}
    assert giveaways(frame, CODES.astype(float), True) == {}
    few = HONEST.head(40).with_columns(copy=pl.Series(Y[:40]))
    assert giveaways(few, Y[:40], False) == {}
    rare = (np.arange(N) < 1).astype(float)
    assert giveaways(HONEST.select("kind"), rare, True) == {}


def test_only_known_targets_are_looked_at():
    """What is said of columns and classes comes from the rows whose targets may be looked at."""
    half = np.arange(N // 2)
    copied = np.where(np.arange(N) < N // 2, Y, rng.normal(size=N))
    frame = pl.DataFrame({"copy": copied})
    assert suspects(frame, Y) == ()
    assert len(suspects(frame, Y, rows=half)) == 1


def test_rows_that_are_there_twice():
    """Rows count that are the same in every cell and in the target."""
    frame = pl.DataFrame({"a": [1, 1, 1, 2, None, None], "b": ["x", "x", "x", "x", "y", "y"]})
    assert duplicates(frame, np.array([0.0, 0.0, 1.0, 0.0, 5.0, 5.0])) == 2
    (said,) = suspects(frame, np.array([0.0, 0.0, 1.0, 0.0, 5.0, 6.0]))
    assert said.startswith("1 row of 6 is the same as another one, target included")


def test_rare_classes():
    """Classes with less than a twentieth of the rows are named with their share, the rarest first."""
    codes = np.repeat([0, 1, 2], [1000, 30, 10])
    frame = pl.DataFrame({"a": rng.normal(size=len(codes))})
    (said,) = suspects(frame, codes, np.array(["much", "little", "none"]))
    assert said.startswith('Rare classes: "none" (1.0%), "little" (2.9%).')
    assert suspects(frame, np.arange(len(codes)) % 3, np.array(["a", "b", "c"])) == ()
    twenty = np.arange(len(codes)) % 40
    assert suspects(frame, twenty, np.arange(40)) == ()  # as rare as they must be


def test_columns_that_are_lines_of_each_other():
    """Columns of numbers with a correlation of 1 or -1."""
    x = rng.normal(size=(50, 2))
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "minus": 5 - 2 * x[:, 0], "near": x[:, 0] + 1e-3 * x[:, 1]})
    assert alike(frame) == [("a", "minus")]
    assert alike(frame.select("a")) == []


def test_a_table_is_inspected():
    """Every column with what it is and becomes; notes of what is suspicious; the caller decides where he knows."""
    frame = HONEST.with_columns(price=3 * pl.Series(Y), zip=pl.Series(rng.choice([1010, 2020, 3030], N)))
    found = inspect(frame, Y)
    rows = {row["column"]: row for row in found.columns.to_dicts()}
    assert list(rows) == frame.columns
    assert rows["size"] | {"holds": ""} == {
        "column": "size", "type": "numbers", "missing": 0, "different": N, "holds": "", "becomes": "a number",
    }  # fmt: skip
    assert rows["kind"]["becomes"] == "3 places"
    assert rows["id"]["becomes"] == "nothing"
    assert rows["day"]["becomes"] == "days + the season + the weekday"
    assert rows["holes"]["becomes"] == "a number + whether it is missing"
    assert rows["holes"]["missing"] == 34
    assert rows["zip"] | {"different": 3} == rows["zip"] | {"type": "whole numbers", "holds": "1010 to 3030"}
    assert any('Column "price" gives the answer away' in note for note in found.notes)
    assert found.task == "regression"
    assert found.becomes == 1 + 3 + 5 + 2 + 1 + 1
    told = inspect(frame, Y, columns={"zip": "category", "price": "drop"})
    assert told.columns.filter(pl.col("column") == "zip")["becomes"].item() == "3 places"
    assert not any("away" in note for note in told.notes)
    assert told.plain()["columns"][0]["column"] == "size"


def test_nonsense_is_refused():
    """As a race refuses it."""
    with pytest.raises(SlalomError, match="columns must be a dict"):
        inspect(HONEST, Y, columns=["zip"])
    with pytest.raises(SlalomError, match="reading must be one of separator, decimal, encoding"):
        inspect(HONEST, Y, reading={"sep": ","})
    with pytest.raises(SlalomError, match="y or target must be given"):
        inspect(HONEST)


def test_columns_of_other_kinds():
    """Lengths of time, bytes and lists are passed over; many columns and rows take no longer than a few."""
    frame = pl.DataFrame(
        {
            "length": [datetime.timedelta(hours=int(h)) for h in rng.integers(0, 99, N)],
            "bytes": [b"a", b"b"] * (N // 2),
            "list": [[1, 2]] * N,
        }
    )
    assert suspects(frame, Y) == ()
    assert duplicates(frame.select("list"), np.zeros(N)) == N - 1
    inspected = inspect(frame, Y, columns={"list": "drop", "bytes": "drop"})
    assert inspected.columns["holds"].to_list()[2] == "lists"
    wide = pl.DataFrame(rng.normal(size=(400, 3_000)))
    assert giveaways(wide, rng.normal(size=400), False) == {}
