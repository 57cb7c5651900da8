"""What came to halving: finalists with new seeds, racers that are stopped early, and starts of neighbours."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import start
from slalom.crew import Crew
from slalom.entry import FURTHER, Entry
from slalom.executor import Threads
from slalom.folder import RunFolder
from slalom.metrics import METRICS
from slalom.order import Order
from slalom.pace import ENOUGH, FINALISTS, SEEDS, Pace
from slalom.plan import Plan, Rung, flat
from slalom.racing import preview, race
from slalom.recipe import Recipe
from slalom.result import leaderboard
from slalom.space import PLAIN, shape_of
from slalom.track import Track

from .heats import TRAIN, bits, compiled, heat_of, racer
from .races import by_number, quickly, seen_by

PLAN = Plan((Rung(9, 2), Rung(3, 6)))
X = np.random.default_rng(0).normal(size=(150, 3))
Y = X @ [1.0, -2.0, 0.5]
SPACE = {"depth": [1], "width": [4], "rule": ["adam", "adamw"], "forbid": {"scaling": ["z_score"]}, "embedding": "none"}


@pytest.fixture(scope="module")
def heat():
    """A heat of two rules, in lanes of two."""
    return compiled(heat_of("regression", depth=1, activation="tanh"), ["adam", "sgd"], 2, None)


@pytest.fixture
def entries(monkeypatch):
    """The entries of the last race, in the order of their numbers."""
    quickly(monkeypatch)
    return seen_by(monkeypatch, by_number)


def some(heat, count, first=0, epochs=20, **fields):
    """Recipes of a heat that have not started, of rising learning rates."""
    found = []
    for number in range(first, first + count):
        one = racer("adam", number, learning_rate=1e-3 * (5 + number), epochs=epochs, **fields)
        found.append(Entry(number, one.recipe, heat, [one]))
    return found


# --- finalists --------------------------------------------------------------------------------------------------------


@given(share=st.floats(0.2, 18), count=st.integers(0, 5), workers=st.integers(1, 8), slow=st.floats(0.31, 5))
@settings(max_examples=100, deadline=None)
def test_as_many_finalists_and_seeds_run_as_fit(heat, share, count, workers, slow):
    """Two finalists or three run with two seeds to five, or nobody. With three seeds at least there may be time for
    further ones of the winner behind them; without, they are through in time but for the last seed, with which they
    would not be. More time never takes seeds away from as many finalists."""
    pace = Pace(PLAN, workers, modelled=1.0, measured=slow)
    ranked = some(heat, count)
    left = share * slow * pace.crew(heat, 1, 0, 6 * (len(TRAIN) // 8)) / workers  # of so many runs, were they divisible
    chosen, seeds, further = pace.finals(ranked, left)
    assert list(chosen) == ranked[: len(chosen)]
    assert (len(chosen), seeds) == (0, 0) or (2 <= len(chosen) <= FINALISTS and 2 <= seeds <= SEEDS)

    def seconds(entries, seeds):
        runs = [pace.crew(entry.heat, 1, 0, 6 * (len(TRAIN) // 8)) for entry in entries] * seeds
        return max(sum(runs) / workers, math.ceil(len(runs) / workers) * max(runs)) * pace.slowness

    if further:
        behind = seconds(chosen[:1], len(FURTHER))
        assert seeds >= ENOUGH
        assert seconds(chosen, seeds) + behind <= left
        assert seeds == SEEDS or 1.04 * (seconds(chosen, seeds + 1) + behind) > left
    elif seeds:  # one more than fits
        assert seconds(chosen, seeds - 1) <= left
        assert seeds == SEEDS or 1.04 * seconds(chosen, seeds) > left
    elif count >= 2:
        assert 1.04 * seconds(ranked[:2], 1) > left
    more, of_more, also = pace.finals(ranked, 2 * left)
    assert len(more) > len(chosen) or of_more >= seeds or also > further


def test_new_seeds_name_the_winner(heat):
    """Finalists run again with other weights and orders, from the start to the end; the first of the ranking is the one
    with the best mean of these, and no score of the search is touched."""
    raced = some(heat, 5, epochs=4, dropout=0.4)
    one = Track(flat(5, 4), [heat], raced, Threads(2), time.perf_counter() + 60)
    one.last = time.perf_counter() + 30
    ranked = one.run()
    finalists = ranked[:FINALISTS]
    assert ranked == sorted(ranked, key=lambda e: (e.replicated[0], e.best[0]))
    assert [e.number for e in finalists] != [e.number for e in sorted(finalists, key=lambda e: e.best[0])]
    assert [entry.seeds for entry in ranked] == [SEEDS] * 3 + [0] * 2
    assert {entry.number for entry in finalists} == {e.number for e in sorted(raced, key=lambda e: e.best[0])[:3]}
    assert [entry.replicated[0] for entry in finalists] == sorted(entry.replicated[0] for entry in finalists)
    for entry in finalists:
        assert [one.replicate for one in entry.again] == [1, 2, 3, 4, 5]
        assert len({bits(one) for one in (*entry.racers, *entry.again)}) == 1 + SEEDS
        assert all(one.step == 4 * heat.steps_per_epoch(0) for one in entry.again)
        means = {s: np.mean([one.costs[s] for one in entry.again]) for s in entry.again[0].costs}
        assert entry.replicated[0] == pytest.approx(min(means.values()))
        assert entry.chosen[0].best.cost == min(one.best.cost for one in entry.runs)
        assert entry.best[0] == min(entry.racers[0].costs.values())


def test_a_seed_that_not_all_have_run_does_not_count(heat):
    """Where the race is stopped among the finalists, a seed counts for all of them or for none."""
    one = Track(flat(2, 20), [heat], [], Threads(1), math.inf, started=some(heat, 2))
    for entry in one.started:
        entry.outcome, entry.racers[0].costs = "finished", {1: 1.0}
    one.pace.finals = lambda ranked, left: (ranked, 2, False)

    def cut_off(runs, epochs, **_):
        for racers in (runs[0].racers, runs[1].racers[:1]):
            Crew(heat, racers[:1]).advance(epochs * heat.steps_per_epoch(0), [], lambda: False)
        Crew(heat, runs[0].racers[1:]).advance(epochs * heat.steps_per_epoch(0), [], lambda: False)
        assert [run.unfinished(20) for run in runs] == [set(), {2}]

    one._race = cut_off
    one._finals()
    assert [[run.replicate for run in entry.again] for entry in one.started] == [[1], [1]]


def test_seeds_run_one_after_the_other(heat):
    """All finalists run with the first new seed before any runs with the second: where time is short, a few seeds
    count rather than none."""
    one = Track(flat(3, 20), [heat], [], Threads(1), math.inf)
    ran = []
    one._crew = lambda heat, crew, epochs, *, first: lambda: ran.extend(r.replicate for _, r in crew)
    runs = [entry.rerun(3) for entry in some(heat, 3)]
    tasks = one._crews(heat, runs, 20, first=False, share=1)
    for task in sorted(tasks, key=lambda task: task.priority):
        task.work()
    assert ran == sorted(ran)
    assert sorted(ran) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_the_leaderboard_has_finalists_in_the_order_of_their_new_seeds():
    """Scores of the search rank all recipes; finalists change places among themselves alone, baselines keep theirs."""
    plain = Recipe().to_plain()
    rows = [
        {"number": i, "wave": 0, "recipe": plain, "outcome": "finished", "cost": cost, "best_epoch": 1.0, "epochs": 1.0,
         "seconds": 0.0, "parameters": 1, "remark": "", "seeds": 2 * (again is not None), "again": again}
        for i, (cost, again) in enumerate([(1.0, 5.0), (2.0, 4.0), (4.0, None), (5.0, 3.0)])
    ]  # fmt: skip
    board = leaderboard(rows, [{"name": "trees", "outcome": "finished", "cost": 3.0, "seconds": 0.0}], METRICS["rmse"])
    assert board["name"].to_list() == ["recipe 3", "recipe 1", "trees", "recipe 2", "recipe 0"]
    assert board["new_seeds_score"].to_list() == [3.0, 4.0, None, None, 5.0]
    assert board["rank"].to_list() == [1, 2, 3, 4, 5]


def test_finalists_are_not_stopped_early(heat):
    """The seeds of a finalist are compared at equal steps, so none of them ends before the others."""
    raced = [Entry(n, (one := racer("sgd", n, learning_rate=0.4 + n / 10)).recipe, heat, [one]) for n in (0, 1)]
    one = Track(flat(2, 20), [heat], raced, Threads(2), time.perf_counter() + 60, patience=0.2)
    one.last = time.perf_counter() + 30
    one.run()
    assert {entry.outcome for entry in raced} == {"stopped early"}
    again = [run for entry in raced for run in entry.again]
    assert {(run.stopped_at, run.step) for run in again} == {(None, 20 * heat.steps_per_epoch(0))}


def test_finalists_get_no_more_time_than_they_need(heat):
    """The last start goes on until the time that three finalists with five seeds and the winner's further ones take is
    all that is left, or until their share begins where that is later."""
    raced = some(heat, 4, epochs=4)
    for need, share, expected in ((2.0, 40.0, 97.0), (20.0, 90.0, 90.0)):
        one = Track(flat(4, 4), [heat], raced, Threads(2), 100.0, last=share)
        assert one._last_start() == share  # nobody to go by
        one.started = some(heat, 4, epochs=4)
        for entry in one.started:
            entry.outcome, entry.racers[0].costs = "finished", {1: float(entry.number)}
        asked = []

        def again(entries, seeds=SEEDS, need=need, asked=asked):
            asked.append(([entry.number for entry in entries], seeds))
            return need if len(entries) > 1 else need / 2 * (entries[0].number == 2)  # the dearest decides

        one.pace.again = again
        assert one._last_start() == expected
        assert asked == [([0, 1, 2], SEEDS), *(([i], len(FURTHER)) for i in range(3))]


# --- stopping early ---------------------------------------------------------------------------------------------------


def test_a_racer_that_is_not_better_for_long_is_stopped(heat):
    """It ends at the first score that is further from its best one than its patience; a neighbour in its lane, which
    goes on, has the bits that it has alone, and nothing behind that score counts."""
    checks = list(range(5, 101, 5))
    wild, calm, alone = (racer("sgd", n, learning_rate=rate) for n, rate in ((0, 0.5), (1, 0.01), (1, 0.01)))
    free = racer("sgd", 0, learning_rate=0.5)
    Crew(heat, [free]).advance(100, checks, lambda: False)
    Crew(heat, [wild, calm]).advance(100, checks, lambda: False, patience=20)
    Crew(heat, [alone]).advance(100, checks, lambda: False)
    best, at, expected = math.inf, 0, None
    for step in checks:
        at, best = (step, free.costs[step]) if free.costs[step] < best else (at, best)
        if step - at > 20:
            expected = step
            break
    assert expected == 40
    assert (wild.stopped_at, wild.step, max(wild.costs)) == (expected, expected, expected)
    assert wild.costs == {step: cost for step, cost in free.costs.items() if step <= expected}
    assert (calm.stopped_at, calm.step) == (None, 100)
    assert bits(calm) == bits(alone)


def test_stopped_early_is_an_outcome(heat):
    """A recipe that is stopped leaves the race with that outcome and its score, and takes no place of others."""
    raced = [*some(heat, 2), Entry(2, (wild := racer("sgd", 2, learning_rate=0.5)).recipe, heat, [wild])]
    one = Track(Plan((Rung(3, 10), Rung(2, 20))), [heat], raced, Threads(2), math.inf, patience=0.2)
    ranked = one.run()
    assert raced[2].outcome == "stopped early"
    assert math.isfinite(raced[2].best[0])
    assert raced[2].epochs < 20
    assert [entry.outcome for entry in raced[:2]] == ["finished"] * 2
    assert raced[2] in ranked


# --- further starts ---------------------------------------------------------------------------------------------------


def further(prepared, heats, ranked, space, first=50):
    plan = Plan((Rung(40, 1), Rung(9, 20)))
    return start.further(Order(seconds=9.0, space=space), prepared, plan, heats, ranked, first)


def test_a_further_start_is_of_new_neighbours(entries):
    """Neighbours have the numbers from the first on, shapes and rules that have programs, and none is a recipe that was
    raced already; those of recipes outside the caller's own space are not made."""
    race(X, Y, recipes=6, epochs=2, space=SPACE)
    heats = list({id(entry.heat): entry.heat for entry in entries}.values())
    made = further(entries[0].heat.prepared, heats, entries, SPACE)
    assert 0 < len(made) <= 40
    assert all(50 <= entry.number < 90 and entry.heat in heats for entry in made)
    recipes = [entry.recipe for entry in (*entries, *made)]
    assert len({repr(recipe.with_epochs(1)) for recipe in recipes}) == len(recipes)
    assert {entry.recipe.depth for entry in made} == {1}
    assert "z_score" not in {entry.recipe.scaling for entry in made}
    assert further(entries[0].heat.prepared, heats, entries[:1], SPACE) == []  # the default recipe, which has depth 2


def test_no_neighbour_is_raced_twice(entries, monkeypatch):
    """What was raced already, or is a neighbour twice, is left out."""
    race(X, Y, recipes=6, epochs=2, space=SPACE)
    heats, prepared = list({id(entry.heat): entry.heat for entry in entries}.values()), entries[0].heat.prepared
    old, new = entries[3].recipe, entries[3].recipe.with_fields({"dropout": 0.123}).with_epochs(20)
    monkeypatch.setattr(start.Space, "near", lambda self, seed, number, parents: new if number % 2 else old)
    assert [entry.recipe for entry in further(prepared, heats, entries, SPACE)] == [new]


def test_own_space_and_own_recipes_race(entries):
    """Behind the default recipe the caller's own are raced, with the horizon of the race, then draws from his space."""
    mine = Recipe(rule="sgd", depth=1, width=9, learning_rate=0.01, batch_size=16, epochs=77, scaling="max_abs")
    result = race(X, Y, recipes=8, epochs=2, space=SPACE, also=[mine])
    recipes = [entry.recipe for entry in entries]
    assert recipes[0].with_fields({"batch_size": 128}) == Recipe(epochs=2)
    assert recipes[1] == mine.with_epochs(2)
    assert {(one.depth, one.width) for one in recipes[2:]} == {(1, 4)}
    assert {one.flat()["rule"] for one in recipes[2:]} == {"adam", "adamw"}
    assert "z_score" not in {one.scaling for one in recipes[2:]}
    assert "recipe 1" in result.leaderboard["name"].to_list()


def shapes_of(seconds, seed=0, **space):
    """(the shapes of a race, what is said of them)"""
    notes = []
    return start.shapes_of(start.Space(1000, 9, given=space), Order(seconds=seconds, seed=seed), notes), notes


def test_a_short_race_has_the_default_shape_as_the_own_space_has_it():
    """Below twenty seconds there is one shape to draw in; what the caller's own space says of shapes holds for it."""
    assert shapes_of(19.0) == ([PLAIN], []) == ([shape_of(start.Space(1000, 9).default())], [])
    assert len(shapes_of(60.0)[0]) == 2
    assert shapes_of(5.0, depth=[4]) == ([PLAIN | {"depth": 4}], [])


def test_what_is_not_opened_of_an_own_space_is_said():
    """Where there is not time for all shapes of the caller's space, the seed draws those that are opened, and a note
    names the values that no shape has."""
    opened = set()
    for seed in range(12):
        shapes, notes = shapes_of(15.0, seed, width=[16, 32])
        (width,) = {shape["width"] for shape in shapes}
        opened.add(width)
        assert notes == [f"the race opens 1 of the shapes in your space. Not among them: width {48 - width}."]
    assert opened == {16, 32}
    assert shapes_of(300.0, width=[16, 32])[1] == []


def test_own_recipes_come_first_in_a_race_that_is_continued(entries, tmp_path):
    """They have the first new numbers, and the draws go on behind them."""
    mine = Recipe(rule="sgd", depth=1, width=9, learning_rate=0.01, batch_size=16, scaling="max_abs")
    race(X, Y, recipes=3, epochs=2, space=SPACE, out=tmp_path / "run")
    race(X, Y, recipes=3, epochs=2, space=SPACE, also=[mine], extend=tmp_path / "run")
    assert [entry.number for entry in entries] == [3, 4, 5]
    assert entries[0].recipe == mine.with_epochs(2)
    assert {entry.recipe.width for entry in entries[1:]} == {4}


def test_a_continued_race_leads_with_what_was_not_raced_yet(entries, tmp_path):
    """Recipes of the portfolio that the race before had no room for come first, whatever own recipes it had; none is
    raced twice, with whatever horizon."""
    fixed = PLAIN | {"width": 8, "batch_size": 64, "rule": "adamw"}
    leading = start.Space(600, 1, fixed).leading([{name: fixed[name] for name in PLAIN}])
    assert len(leading) > 4
    mine = leading[0].with_fields({"learning_rate": 0.02})
    x = np.random.default_rng(1).normal(size=(900, 3))
    given = {"epochs": 1, "fixed": fixed}
    race(x, x[:, 0], recipes=4, also=[mine], out=tmp_path / "run", **given)
    first = [entry.recipe for entry in entries]
    assert RunFolder.extend(tmp_path / "run").settings()["order"]["plan"] == "halving"
    race(x, x[:, 0], recipes=len(leading), extend=tmp_path / "run", **given | {"epochs": 2})
    then = [entry.recipe for entry in entries]
    rates = [recipe.learning_rate for recipe in leading]
    assert [recipe.learning_rate for recipe in first] == [rates[0], 0.02, *rates[1:3]]
    assert [recipe.learning_rate for recipe in then[: len(rates) - 3]] == rates[3:]
    assert not {repr(one.with_epochs(1)) for one in first} & {repr(one.with_epochs(1)) for one in then}


def test_forbidden_scalings_leave_the_rule_of_memory():
    """Of a large table only the likeliest of the scalings that need a copy of it are raced, unless the caller names
    others."""
    cells = int(start.RARE_CELLS) + 1
    few = start.affordable(cells)
    assert "power" in start.affordable(1) - few
    scalings = lambda **space: start.scalings_of(Order(seconds=9.0, space=space), cells)  # noqa: E731
    assert scalings() == few
    assert scalings(forbid={"scaling": ["min_max", "max_abs"]}) == few - {"min_max", "max_abs"}
    assert scalings(scaling=["power"]) == {"power", Recipe().scaling}


def test_the_plan_of_the_best_after_one_epoch_can_be_asked_for():
    """`plan="top_k"` drops after one epoch, and once."""
    rungs = preview(X, Y, seconds=30, plan="top_k")["rungs"]
    assert (rungs[0][1], len(rungs)) == (1, 2)
    assert len(preview(X, Y, seconds=30)["rungs"]) == 3
