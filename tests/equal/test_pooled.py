"""The pool: its sets are the same every time, portfolios are the greedy ones, and plans on paper do what plans do."""

import argparse
import doctest
import inspect
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from benchmarks import pooled, portfolio, sets
from benchmarks.equal import sets as compared_on
from hypothesis import given
from hypothesis import strategies as st

from slalom.portfolio import LEADING
from slalom.space import Space

FOLD = argparse.Namespace(train=range(5_000))
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


def test_the_examples_are_true():
    """The examples in docstrings print what they say."""
    failed, tried = doctest.testmod(pooled)
    assert (failed, tried > 0) == (0, True)


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
    page = (DOCS / "racing.md").read_text(encoding="utf-8")
    by_hand = re.sub(r"<!-- bench: .*?<!-- end -->", "", page, flags=re.DOTALL)  # what no command writes over
    chosen_on = re.search(r"26 sets \(([^)]*)\)", by_hand)
    assert chosen_on
    used = re.split(r",\s+", chosen_on[1])
    assert len(used) == 26
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


def test_a_plan_that_wants_more_recipes_than_the_pool_has_is_not_told():
    """It would begin with some recipes twice, which counts against it: None, and a dash in the table."""
    recipes = [{"curve": [[1, c], [45, c]]} for c in range(1, 65)]
    told = {
        name: [pooled.tried(recipes, plan, budget, 45) is None for budget in (6, 12, 24)]
        for name, plan in pooled.PLANS.items()
    }
    assert told == {
        "all to the end": [False, False, False],
        "best ninth after one epoch": [False, True, True],
        "best fifth after one epoch": [False, False, True],
        "best third at a third": [False, False, False],
        "best third at a ninth and at a third": [False, False, True],
        "best quarter at a sixteenth and at a quarter": [False, True, True],
        "best third at 1/27 and at a ninth": [False, True, True],
        "best third at 1/27, 1/9 and 1/3": [False, True, True],
    }
    lines = portfolio.plans({"a": recipes, "b": recipes}).splitlines()
    for name, cells in told.items():
        (line,) = [line for line in lines if line.startswith(f"| {name} |")]
        assert [cell.strip() == "–" for cell in line.strip("|").split("|")[1:]] == cells


def test_diverged_recipes_are_the_worst_whatever_their_number():
    """Regrets stay numbers where most recipes, or all, have no cost; no diverged one is better than one with a cost."""
    inf = np.inf
    assert pooled.regrets(np.array([1.0, 2.0, 11.0, inf])).tolist() == pytest.approx([0, 1 / 5.5, 10 / 5.5, 2])
    assert pooled.regrets(np.array([1.0, 1.5, 2.0, 11.0, inf])).tolist() == [0, 0.5, 1, 10, 10]
    assert pooled.regrets(np.array([1.0, inf, inf])).tolist() == [0, 2, 2]
    assert pooled.regrets(np.full(3, inf)).tolist() == [2, 2, 2]
    broken, whole = {"curve": [[1, None], [45, None]]}, {"curve": [[1, 2.0], [45, 1.0]]}
    recipes = [whole] + [broken] * 20
    for plan in pooled.PLANS.values():
        assert (pooled.tried(recipes, plan, 3, 45) or 0) <= 2
    assert pooled.waited(recipes, 0.3, 45)[2] == pooled.waited([broken], 0.3, 45)[2] == 0


def test_patience_saves_epochs_and_says_what_is_lost():
    """A racer that would be better again behind its patience is stopped before; regrets are on the scale of the set."""
    falling = [[e, 100.0 - e] for e in range(1, 11)]
    late = [[1, 50.0], *([e, 60.0] for e in range(2, 10)), [10, 10.0]]
    early = [[1, 40.0], *([e, 45.0] for e in range(2, 11))]
    broken = [[1, 95.0], [2, None], [3, None], [4, None]]
    recipes = [{"curve": curve} for curve in (falling, late, early, broken)]
    assert [pooled.stopped(one["curve"], 3.0) for one in recipes] == [10, 5, 5, 4]
    saved, better, lost = pooled.waited(recipes, 0.3, 10)
    assert saved == pytest.approx((0 + 0.5 + 0.5 + 0) / 4)
    assert better == pytest.approx(0.5)  # the better third of four is the one that ends at 10
    assert lost == pytest.approx((40 - 10) / (65 - 10))  # 10, 40, 90 and 95: their median is 65
    assert pooled.waited(recipes, 1.0, 10) == (0, 0, 0)
    assert "| 0.3 | 25.0% | 50.0% |" in portfolio.patience({"a": [r | {"curve": scaled(r["curve"])} for r in recipes]})


def scaled(curve):
    """The curve over the epochs of the pool."""
    return [[at * portfolio.EPOCHS / 10, cost] for at, cost in curve]


def test_recipes_of_the_pool_are_the_same_on_every_set():
    """What only one task has is as it ships: labels are not smoothed, targets are z-scored. Behind the draws stands
    the portfolio that ships."""
    numbers, classes = (portfolio.pool(task, 5_000, 64) for task in ("regression", "classification"))
    assert numbers == classes
    assert len({str(recipe.to_plain()) for recipe in numbers[:64]}) == 64
    assert [recipe.learning_rate for recipe in numbers[64:]] == [one["learning_rate"] for one in LEADING]
    assert {(r.label_smoothing, r.target_scaling) for r in numbers} == {(0.0, "z_score")}
    assert {r.flat()["rule"] for r in numbers} == {"adamw", "muon"}


def test_so_many_are_chosen_out_of_so_many_recipes(tmp_path, capsys):
    """--recipes are the draws that the tables are about, --chosen of the portfolio, which may have the others too; both
    tables are written to the page."""
    made = [{"recipe": r.to_plain()} for r in portfolio.pool("regression", 5_000, 6)[:6]]
    curves = [[[1, 9.0], [45, cost]] for cost in (5.0, 4.0, 3.0, 2.0, 1.0, 0.5)]
    recipes = [one | {"curve": curve} for one, curve in zip(made, curves, strict=True)]
    file, page = tmp_path / "pool.json", tmp_path / "racing.md"
    file.write_text(json.dumps({"waves": {"recipes": recipes}}))
    page.write_text((DOCS / "racing.md").read_text(encoding="utf-8"), encoding="utf-8")
    portfolio.choose(file, 5, 2, page)
    said = capsys.readouterr().out
    assert "1. recipe 5: regret of the best so far 0.000" in said
    assert "2. recipe" in said
    assert "3. recipe" not in said
    assert said.count("1 sets (waves); 5 recipes each, 45 epochs.") == 2
    text = page.read_text(encoding="utf-8")
    assert text.count("1 sets (waves); 5 recipes each, 45 epochs.") == 2
    assert "Not measured anew yet" not in text


def test_a_pool_of_other_recipes_is_refused(tmp_path, monkeypatch):
    """A file says what its recipes are; neither further sets of another pool nor a choice among two are taken."""
    monkeypatch.setattr(portfolio, "Threads", lambda *_: argparse.Namespace(workers=1))
    monkeypatch.setattr(portfolio.seats, "make", lambda workers: None)
    monkeypatch.setattr(portfolio, "prepared_for", lambda *_: (argparse.Namespace(folds=[FOLD]), None))
    plain, file = [r.to_plain() for r in portfolio.pool("regression", 5_000, 5)[:5]], tmp_path / "pool.json"
    for held in ({"recipes": []}, {"recipes": [], "pool": portfolio.made_of(plain[:4]) | {"commit": "c"}}):
        file.write_text(json.dumps({"waves": held}))
        with pytest.raises(SystemExit, match=r"must hold one pool, .* for waves. Name another --json, or run"):
            portfolio.run(file, ["waves", "shop"], 5)
    held = json.loads(json.dumps({"waves": {"pool": portfolio.made_of(plain) | {"commit": "c"}}}))
    portfolio.refuse_others(file, held, portfolio.made_of(plain))
    assert portfolio.made_of(plain)["digest"] != portfolio.made_of(plain[::-1])["digest"]

    ends = [{"recipe": one, "curve": [[1, 9.0], [45, 1.0 + i]]} for i, one in enumerate(plain)]
    file.write_text(json.dumps({"waves": {"recipes": ends}, "shop": {"recipes": [*ends[:3], ends[4], ends[3]]}}))
    with pytest.raises(SystemExit, match=r"Got others for waves and shop: recipe 3 differs. Run the pool into a new"):
        portfolio.choose(file, 5, 2, None)
    file.write_text(json.dumps({"waves": {"recipes": ends}, "shop": {"recipes": ends[:4]}}))
    with pytest.raises(SystemExit, match="waves and shop: 5 and 4 recipes"):
        portfolio.choose(file, 5, 2, None)


def test_rules_stand_on_the_page_in_the_order_in_which_races_take_them():
    shown = {"schedule_free_adamw": "schedule-free AdamW", "adamw": "AdamW"}
    first = [shown.get(rule, rule.capitalize()) for rule in Space(10_000, 45).rules[:6]]
    assert f"| rule | {', '.join(first)}, then the rest" in (DOCS / "racing.md").read_text(encoding="utf-8")


@given(budget=st.floats(3, 100), epochs=st.integers(9, 200), name=st.sampled_from(list(pooled.PLANS)))
def test_plans_cost_what_they_are_given(budget, epochs, name):
    """The rungs of a plan on paper cost the trainings that it is given, up to the rounding of its recipes."""
    rungs = pooled.priced(pooled.PLANS[name], budget, epochs)
    ends = [0.0, *(end for _, end in rungs)]
    cost = sum(n * (end - before) for (n, end), before in zip(rungs, ends, strict=False)) / epochs
    assert cost == pytest.approx(budget, abs=len(rungs))
    assert all(more >= fewer for (more, _), (fewer, _) in itertools.pairwise(rungs))
