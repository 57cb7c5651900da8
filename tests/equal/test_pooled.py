"""The pool: its sets are the same every time, portfolios are the greedy ones, and plans on paper do what plans do."""

import inspect
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from benchmarks import pooled, sets
from benchmarks.equal import sets as compared_on
from hypothesis import given
from hypothesis import strategies as st

DOCS = Path(__file__).parents[2] / "docs"
TABLES = st.integers(1, 6).flatmap(
    lambda rows: st.lists(st.lists(st.floats(0, 3), min_size=5, max_size=5), min_size=rows, max_size=rows)
)


@pytest.mark.parametrize("name", ["shop", "incomes", "waves", "moons", "words"])
def test_a_set_is_always_the_same(name):
    """A set that is made twice has the same cells and the same target, and no two sets have the same."""
    one, two = sets.made(name), sets.made(name)
    assert one.frame.equals(two.frame)
    assert (one.y == two.y).all()
    assert len(one.frame) == len(one.y)
    assert one.task in ("regression", "classification")


def test_there_are_sets_enough():
    """Space and portfolio are tuned on sets of both tasks, and each keeps its number whatever is added behind it."""
    assert len(sets.NAMED) >= 26
    tasks = [sets.made(name).task for name in ("friedman1", "moons")]
    assert tasks == ["regression", "classification"]
    first = sets.NAMED["friedman1"](np.random.default_rng([7, 5]))  # as when the shipped portfolio was chosen
    assert (sets.made("friedman1").y == first.y).all()


def test_nothing_is_compared_on_what_was_tuned_on():
    """Tuning sets, and the sets of the shipped portfolio as racing.md names them, are none of those compared on; of the
    others that something was seen on, results.md tells each."""
    plain = lambda name: name.replace(" ", "_")  # noqa: E731
    compared = set(map(plain, compared_on.RTDL | compared_on.TABLES | compared_on.SKLEARN))
    chosen_on = re.search(r"17 sets \(([^)]*)\)", (DOCS / "racing.md").read_text(encoding="utf-8"))
    assert chosen_on
    used = chosen_on[1].split(", ")
    assert len(used) == 17
    assert set(used) <= set(sets.NAMED)
    assert not compared & set(sets.NAMED)
    assert not any(name in inspect.getsource(sets) for name in ("load_", "fetch_"))  # they are all made
    assert set(map(plain, compared_on.SEEN)) <= compared
    told = (
        (DOCS / "results.md").read_text(encoding="utf-8").partition("## What was seen before")[2].partition("\n## ")[0]
    )
    assert all(name in told.lower() for name in compared_on.SEEN)


@given(TABLES)
def test_portfolio_is_greedy(table):
    """Each recipe of a portfolio is the one that lowers the mean of the best regrets most; none comes twice."""
    table = np.minimum(np.array(table), 2.0)
    chosen = pooled.portfolio(table, 3)
    assert len(set(chosen)) == 3
    now = np.full(len(table), 2.0)
    for i in chosen:
        means = [np.minimum(now, table[:, j]).mean() for j in range(5)]
        left = [mean for j, mean in enumerate(means) if j not in chosen[: chosen.index(i)]]
        assert means[i] == pytest.approx(min(left))
        now = np.minimum(now, table[:, i])


def test_a_plan_that_drops_by_the_final_order_loses_nothing():
    """Where costs at a ninth are already those of the end, halving finds the best of all that it starts."""
    rng = np.random.default_rng(0)
    recipes = [{"curve": [[1, c], [5, c], [15, c], [45, c]]} for c in rng.permutation(40) + 1.0]
    all_to_the_end, halved = (pooled.tried(recipes, pooled.PLANS[name], 4, 45) for name in list(pooled.PLANS)[:5:4])
    assert halved < all_to_the_end
    assert pooled.tried(recipes, pooled.PLANS["all to the end"], 40, 45) == 0


def test_a_plan_that_is_misled_early_pays_for_it():
    """Where the first epoch says the opposite of the end, dropping after one epoch finds the worst."""
    recipes = [{"curve": [[1, 100.0 - c], [45, float(c)]]} for c in range(1, 41)]
    early = pooled.tried(recipes, pooled.PLANS["best ninth after one epoch"], 4, 45)
    assert early > pooled.tried(recipes, pooled.PLANS["all to the end"], 4, 45)


@given(budget=st.floats(3, 100), epochs=st.integers(9, 200), name=st.sampled_from(list(pooled.PLANS)))
def test_plans_cost_what_they_are_given(budget, epochs, name):
    """The rungs of a plan on paper cost the trainings that it is given, up to the rounding of its recipes."""
    rungs = pooled.priced(pooled.PLANS[name], budget, epochs)
    ends = [0.0, *(end for _, end in rungs)]
    cost = sum(n * (end - before) for (n, end), before in zip(rungs, ends, strict=False)) / epochs
    assert cost == pytest.approx(budget, abs=len(rungs))
    assert all(more >= fewer for (more, _), (fewer, _) in itertools.pairwise(rungs))
