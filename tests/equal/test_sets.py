"""The comparison at equal seconds: every set is read as it is meant, its rows are divided alike every time."""

import doctest
import importlib

import numpy as np
import polars as pl
import pytest
import sklearn.datasets
from benchmarks.equal import sets


@pytest.mark.parametrize("module", ["sets", "costs", "encoded", "halving", "judge", "tables", "ours"])
def test_the_examples_are_true(module):
    """The examples in docstrings print what they say."""
    failed, tried = doctest.testmod(importlib.import_module(f"benchmarks.equal.{module}"))
    assert (failed, tried > 0) == (0, True)


@pytest.mark.parametrize("n", [5, 20, 101, 1797])
def test_dealt_rows_are_disjoint_and_cover_all(n):
    """Every row stands in exactly one part, six in ten train, two validate."""
    train, validation, test = sets.dealt(n, seed=3)
    assert sorted([*train, *validation, *test]) == list(range(n))
    assert (len(train), len(train) + len(validation)) == (round(0.6 * n), round(0.8 * n))


def test_the_same_seed_deals_the_same_rows_and_another_others():
    for a, b in zip(sets.dealt(200, 1), sets.dealt(200, 1), strict=True):
        assert (a == b).all()
    assert set(sets.dealt(200, 1)[2]) != set(sets.dealt(200, 2)[2])


@pytest.mark.parametrize("name", sets.SKLEARN)
def test_sets_of_scikit_learn_are_what_scikit_learn_holds(name):
    """Columns, targets and classes are scikit-learn's, and the target is none of the columns."""
    data = sets.SKLEARN[name]()
    held = getattr(sklearn.datasets, "load_" + name.replace(" ", "_"))()
    np.testing.assert_array_equal(data.frame.to_numpy(), held.data)
    np.testing.assert_array_equal(data.target, held.target)
    if name == "diabetes":
        assert (data.metric, data.classes) == ("rmse", ())
    else:
        assert (data.metric, data.classes) == ("log_loss", tuple(map(str, held.target_names)))
        assert sorted(set(data.target)) == list(range(len(data.classes)))
    assert data.split is None


def test_published_rows_hold_for_every_seed(tmp_path):
    """A set with rows of its own keeps them, words are words, and classes are judged by accuracy."""
    words = np.array([["a", "b"], ["c", "d"], ["a", "d"], ["c", "b"]])
    np.savez(
        tmp_path / "adult.npz", X_num=np.arange(8.0).reshape(4, 2), X_cat=words, y=np.array([0, 1, 1, 0]),
        idx_train=np.array([3, 0]), idx_val=np.array([1]), idx_test=np.array([2]),
    )  # fmt: skip
    data = sets.loaders(tmp_path, None)["adult"]()
    assert (data.metric, data.classes, data.frame.shape) == ("accuracy", ("0", "1"), (4, 4))
    assert data.frame["word 1"].to_list() == ["b", "d", "d", "b"]
    for seed in (0, 7):
        assert [list(part) for part in data.rows(seed)] == [[3, 0], [1], [2]]


def test_a_file_is_read_with_its_blanks_quotes_and_separator(tmp_path):
    """Blanks hidden in a column of numbers are missing numbers; what gives the answer away and ids are dropped."""
    (tmp_path / "Telco-Customer-Churn.csv").write_text(
        "customerID,total,plan,Churn\nx1,1.5,a,No\nx2, ,b,Yes\nx3,2,,No\n"
    )
    churn = sets.loaders(None, tmp_path)["churn"]()
    assert churn.frame.columns == ["total", "plan"]
    assert churn.frame["total"].to_list() == [1.5, None, 2.0]
    assert churn.frame["plan"].to_list() == ["a", "b", None]
    assert (churn.target.tolist(), churn.classes) == ([0, 1, 0], ("No", "Yes"))
    (tmp_path / "bank.csv").write_text('"age";"job";"y"\n56;"housemaid";"no"\n30;"cook";"yes"\n')
    bank = sets.loaders(None, tmp_path)["bank"]()
    assert bank.frame.rows() == [(56, "housemaid"), (30, "cook")]
    (tmp_path / "mammography.csv").write_text("0.5,1,'-1'\n0.25,2,'1'\n")
    first = sets.loaders(None, tmp_path)["mammography"]()
    assert (first.frame.rows(), first.target.tolist()) == ([(0.5, 1), (0.25, 2)], [0, 1])
    (tmp_path / "winequality-red.csv").write_text("7.4,0.7,5\n7.8,0.9,6\n")
    wine = sets.loaders(None, tmp_path)["wine quality"]()
    assert (wine.target.tolist(), wine.classes, wine.frame.shape) == ([5.0, 6.0], (), (2, 2))


def test_rows_without_a_target_leave_and_words_that_only_look_like_numbers_stay():
    frame = sets.tidied(pl.DataFrame({"a": ["1", "x", ""], "b": ["1", "", " 2 "], "c": [None, "", " "]}))
    assert frame["a"].to_list() == ["1", "x", None]
    assert frame["b"].to_list() == [1.0, None, 2.0]
    assert frame["c"].dtype == pl.String
