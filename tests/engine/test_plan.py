"""The plan of a race as literal tables, and the laws that every plan keeps."""

import inspect
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slalom import plan as planning
from slalom.plan import Plan, Rung, flat, for_seconds, halving


def table(plan):
    """The rungs as (recipes, epochs)."""
    return [(rung.recipes, rung.epochs) for rung in plan.rungs]


# Each line is a plan; from left to right a race goes on, the recipes become a third and the epochs threefold.
HALVINGS = [
    # recipes, epochs, finishers    rungs
    (1, 1, 1, [(1, 1)]),
    (2, 5, 1, [(2, 5)]),
    (3, 2, 1, [(3, 2)]),  # two epochs cannot be cut into three
    (3, 3, 1, [(3, 1), (1, 3)]),
    (9, 9, 1, [(9, 1), (3, 3), (1, 9)]),
    (9, 3, 1, [(9, 1), (3, 3)]),  # few epochs: fewer rungs
    (9, 81, 1, [(9, 9), (3, 27), (1, 81)]),  # few recipes: fewer rungs
    (27, 27, 3, [(27, 3), (9, 9), (3, 27)]),  # three shall finish
    (27, 27, 9, [(27, 9), (9, 27)]),
    (26, 27, 9, [(26, 27)]),  # a third of 26 are 8: too few to finish
    (10, 10, 1, [(10, 1), (3, 3), (1, 10)]),  # what does not divide is rounded down
    (100, 50, 9, [(100, 5), (33, 16), (11, 50)]),
    (729, 81, 9, [(729, 1), (243, 3), (81, 9), (27, 27), (9, 81)]),
]


@pytest.mark.parametrize(("recipes", "epochs", "finishers", "rungs"), HALVINGS)
def test_halving_is_the_table(recipes, epochs, finishers, rungs):
    """Successive halving has these rungs and no others."""
    assert table(halving(recipes, epochs, finishers)) == rungs


@given(recipes=st.integers(1, 3000), epochs=st.integers(1, 1000), finishers=st.integers(1, 30))
def test_every_halving_keeps_its_laws(recipes, epochs, finishers):
    """All start, one in three stays at each rung for three times the epochs, the last rung is the horizon, and enough
    finish; a further rung would leave too few, or no epoch for the first."""
    plan = halving(recipes, epochs, finishers)
    rungs = table(plan)
    assert (plan.recipes, plan.epochs) == (recipes, epochs) == (rungs[0][0], rungs[-1][1])
    for (more, early), (fewer, late) in itertools.pairwise(rungs):
        assert fewer == more // 3 >= finishers
        assert 1 <= early == late // 3
    assert rungs[-1][0] // 3 < finishers or rungs[0][1] // 3 < 1


@given(recipes=st.integers(1, 300), epochs=st.integers(1, 100))
def test_costs_are_counted(recipes, epochs):
    """`recipe_epochs` is what walking through the plan recipe by recipe counts."""
    for plan in (flat(recipes, epochs), halving(recipes, epochs)):
        walked = 0
        for recipe in range(recipes):
            walked += max(rung.epochs for rung in plan.rungs if recipe < rung.recipes)
        assert plan.recipe_epochs() == walked
    assert table(flat(recipes, epochs)) == [(recipes, epochs)]


DESCENTS = [
    # plan                   started    recipes at each rung
    (halving(729, 81, 9), 729, (729, 243, 81, 27, 9)),
    (halving(729, 81, 9), 100, (100, 55, 30, 16, 9)),  # fewer started: still nine to the end
    (halving(729, 81, 9), 9, (9, 9, 9, 9, 9)),
    (halving(729, 81, 9), 4, (4, 4, 4, 4, 4)),  # fewer than nine started: all to the end
    (halving(9, 9), 9, (9, 3, 1)),
    (flat(20, 5), 7, (7,)),
]


@pytest.mark.parametrize(("plan", "started", "counts"), DESCENTS)
def test_fewer_that_started_descend_evenly(plan, started, counts):
    """Where only so many could start, so many are at each rung."""
    assert plan.counts(started) == counts


@given(recipes=st.integers(1, 3000), epochs=st.integers(1, 300), part=st.floats(0, 1))
def test_every_descent_keeps_its_laws(recipes, epochs, part):
    """Never more than the plan's own at a rung, never more than at the rung before, nine at the end, or all, or the
    plan's own."""
    plan = halving(recipes, epochs, 1)
    started = max(1, round(part * recipes))
    counts = plan.counts(started)
    assert counts[0] == started
    assert counts[-1] == min(started, planning.FINISHERS, plan.rungs[-1].recipes) or len(counts) == 1
    for (more, fewer), rung in zip(itertools.pairwise(counts), plan.rungs[1:], strict=True):
        assert fewer <= min(more, rung.recipes)


# A minute on two cores; the cheaper an epoch, the more recipes and rungs.
MINUTES = [
    # core-seconds of an epoch    rungs
    (100.0, [(1, 1)]),
    (30.0, [(3, 1)]),
    (2.0, [(14, 5)]),
    (0.2, [(122, 2), (40, 8), (14, 25)]),
]


@pytest.mark.parametrize(("cost", "rungs"), MINUTES)
def test_plan_for_a_minute_is_the_table(cost, rungs):
    """A minute on two cores, four seconds of them for the start, is planned like this."""
    assert table(for_seconds(60, 2, [cost], 4.0)) == rungs


def test_cheap_epochs_reach_the_longest_horizon_and_the_widest_field():
    """The cheaper an epoch, the longer the horizon, up to the longest; then the wider the field, up to the widest."""
    plans = [for_seconds(60, 2, [cost], 4.0) for cost in (1.0, 0.3, 0.1, 0.02, 0.01, 0.001, 0.0001)]
    assert [plan.recipes for plan in plans] == sorted(plan.recipes for plan in plans)
    assert plans[-1] == plans[-2]
    assert (plans[-1].epochs, plans[-1].recipes) == (planning.LONGEST, planning.WIDEST)
    assert len(plans[-1].rungs) == 5


A_BUDGET = {
    "seconds": st.floats(0.1, 3600),
    "cores": st.integers(1, 64),
    "costs": st.lists(st.floats(1e-5, 1e3), min_size=1, max_size=5),
    "start": st.floats(0, 60),
}


def affordable(seconds, cores, costs, start):
    """Epochs of one recipe that fit: in 95 % of the seconds less the start, or 30 % where the start takes most."""
    return max(max(seconds * 0.95 - start, seconds * 0.3) * cores / (sum(costs) / len(costs)), 1.0)


@given(**A_BUDGET)
def test_plan_for_seconds_fits_its_own_model(seconds, cores, costs, start):
    """A plan costs at most what fits by its own cost model, times the surplus of recipes it has on purpose, up to half
    a recipe a rung; there is always one epoch for one recipe, and the horizon is never beyond the longest."""
    plan = for_seconds(seconds, cores, costs, start)
    fits = affordable(seconds, cores, costs, start)
    assert plan.recipe_epochs() <= planning.SURPLUS * fits * (1 + 1e-9) + 0.5 * plan.epochs
    assert plan.recipes >= 1
    assert 1 <= plan.epochs <= planning.LONGEST
    assert plan == for_seconds(seconds, cores, list(costs), start)


@given(**A_BUDGET)
def test_plan_for_seconds_is_halving(seconds, cores, costs, start):
    """A plan for seconds keeps one in three at each rung, for three times the epochs, up to rounding; all finishers are
    there, unless not even those have an epoch each."""
    plan = for_seconds(seconds, cores, costs, start)
    for (more, early), (fewer, late) in itertools.pairwise(table(plan)):
        assert abs(fewer - more / 3) <= 1
        assert early == late // 3
    fits = affordable(seconds, cores, costs, start)
    if fits >= planning.FINISHERS + 1:
        assert plan.rungs[-1].recipes >= planning.FINISHERS
    if fits < planning.FINISHERS:
        assert table(plan) == [(int(fits), 1)]


@given(**A_BUDGET)
def test_plan_for_seconds_uses_what_it_has(seconds, cores, costs, start):
    """Nothing that fits is left unused but for the rounding of a horizon, until the field is as wide as it gets."""
    plan, fits = for_seconds(seconds, cores, costs, start), affordable(seconds, cores, costs, start)
    if plan.epochs >= 5 and plan.recipes < planning.WIDEST - 1:
        assert plan.recipe_epochs() > 0.6 * fits


@given(seconds=st.floats(5, 600), cost=st.floats(1e-4, 5), cores=st.integers(1, 16))
def test_more_cores_never_buy_less(seconds, cost, cores):
    """Twice the cores never buy fewer recipes, nor fewer epochs of all recipes together."""
    less, more = for_seconds(seconds, cores, [cost]), for_seconds(seconds, 2 * cores, [cost])
    assert more.recipes >= less.recipes
    assert more.recipe_epochs() >= less.recipe_epochs()


@given(**A_BUDGET, most=st.integers(1, 5000))
def test_memory_bounds_the_field(seconds, cores, costs, start, most):
    """No plan has more recipes than memory has room for (but for the nine that always run), nor than the widest."""
    plan = for_seconds(seconds, cores, costs, start, most)
    assert plan.recipes <= max(min(most, planning.WIDEST), planning.FINISHERS)
    assert min(rung.recipes for rung in plan.rungs) >= 1


def test_plans_measure_nothing():
    """No clock and no random number is read where plans are made."""
    source = inspect.getsource(planning)
    assert not [word for word in ("import time", "perf_counter", "random", "numpy", "jax") if word in source]
    assert halving(9, 9) == Plan((Rung(9, 1), Rung(3, 3), Rung(1, 9)))
