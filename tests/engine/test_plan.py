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
    # recipes, epochs    rungs
    (1, 1, [(1, 1)]),
    (2, 5, [(2, 5)]),  # too few to drop any
    (3, 1, [(3, 1)]),  # one epoch cannot be cut
    (3, 2, [(3, 1), (1, 2)]),
    (8, 7, [(8, 1), (2, 7)]),
    (9, 13, [(9, 1), (3, 13)]),  # too few epochs for two drops
    (9, 14, [(9, 1), (3, 2), (1, 14)]),
    (48, 32, [(48, 1), (16, 4), (5, 32)]),
    (100, 50, [(100, 2), (33, 6), (11, 50)]),
    (1000, 200, [(1000, 7), (333, 22), (111, 200)]),
]


@pytest.mark.parametrize(("recipes", "epochs", "rungs"), HALVINGS)
def test_halving_is_the_table(recipes, epochs, rungs):
    """Successive halving has these rungs and no others."""
    assert table(halving(recipes, epochs)) == rungs


@given(recipes=st.integers(1, 3000), epochs=st.integers(1, 1000))
def test_every_halving_keeps_its_laws(recipes, epochs):
    """All start, one in three stays at each rung, the last rung is the horizon and the others lie at a ninth and at a
    twenty-seventh of it; a further rung would leave nobody, or no epochs between two rungs."""
    plan = halving(recipes, epochs)
    rungs = table(plan)
    assert (plan.recipes, plan.epochs) == (recipes, epochs) == (rungs[0][0], rungs[-1][1])
    for (more, early), (fewer, late) in itertools.pairwise(rungs):
        assert fewer == more // 3 >= 1
        assert 1 <= early < late
    for (_, at), share in zip(reversed(rungs[:-1]), (9, 27), strict=False):
        assert abs(at - epochs / share) <= 0.5 or at == 1
    assert len(rungs) == 3 or rungs[-1][0] < 3 or epochs < (2, 14)[len(rungs) - 1]


def test_top_k_is_one_epoch_and_then_the_best_to_the_end():
    """The baseline plan drops all but a ninth after one epoch, and nobody after that."""
    assert table(planning.top_k(90, 40)) == [(90, 1), (10, 40)]
    assert table(planning.top_k(3, 40)) == [(3, 1), (1, 40)]
    made = for_seconds(60, 2, [0.1], steps=50, kind="top_k")
    assert [rung.epochs for rung in made.rungs] == [1, for_seconds(60, 2, [0.1], steps=50).epochs]
    cost = for_seconds(60, 2, [0.1], steps=50).recipe_epochs()
    assert abs(made.recipe_epochs() - cost) < 0.1 * cost  # at equal time


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
    # plan              started    recipes at each rung
    (halving(90, 45), 90, (90, 30, 10)),
    (halving(90, 45), 45, (45, 15, 5)),  # fewer started: as many to the end by their share
    (halving(90, 45), 12, (12, 6, 3)),  # three at least
    (halving(90, 45), 2, (2, 2, 2)),
    (halving(9, 45), 9, (9, 3, 1)),
    (flat(20, 5), 7, (7,)),
]


@pytest.mark.parametrize(("plan", "started", "counts"), DESCENTS)
def test_fewer_that_started_descend_evenly(plan, started, counts):
    """Where only so many could start, so many are at each rung."""
    assert plan.counts(started) == counts


@given(recipes=st.integers(1, 3000), epochs=st.integers(1, 300), part=st.floats(0, 1))
def test_every_descent_keeps_its_laws(recipes, epochs, part):
    """Never more than the plan's own at a rung, never more than at the rung before, three at the end, or all, or the
    plan's own."""
    plan = halving(recipes, epochs)
    started = max(1, round(part * recipes))
    counts = plan.counts(started)
    assert counts[0] == started
    assert counts[-1] >= min(started, planning.FINISHERS, plan.rungs[-1].recipes)
    for (more, fewer), rung in zip(itertools.pairwise(counts), plan.rungs[1:], strict=True):
        assert fewer <= min(more, rung.recipes)


# A minute on two cores, 50 steps an epoch; the cheaper an epoch, the longer the horizon and the more recipes.
MINUTES = [
    # core-seconds of an epoch    rungs
    (100.0, [(2, 1)]),
    (30.0, [(2, 1)]),
    (2.0, [(18, 1), (6, 4)]),
    (0.2, [(61, 1), (20, 4), (6, 40)]),
    (0.02, [(447, 2), (149, 6), (49, 50)]),
    (0.002, [(600, 5), (200, 14), (66, 122)]),
]


@pytest.mark.parametrize(("cost", "rungs"), MINUTES)
def test_plan_for_a_minute_is_the_table(cost, rungs):
    """A minute on two cores, four seconds of them for the start, is planned like this."""
    assert table(for_seconds(60, 2, [cost], 4.0, steps=50)) == rungs


def test_cheap_epochs_reach_the_longest_horizon_and_the_widest_field():
    """The cheaper an epoch, the wider the field, up to the widest; then the longer the horizon, up to the longest."""
    costs = (1.0, 0.3, 0.1, 0.02, 0.01, 0.001, 0.0001)
    plans = [for_seconds(60, 2, [cost], 4.0, steps=50) for cost in costs]
    usual = planning.STEPS // 50
    assert all(plan.epochs <= usual or plan.recipes == planning.WIDEST for plan in plans)
    assert all(plan.epochs == usual for cost, plan in zip(costs, plans, strict=True) if 0.02 <= cost <= 0.1)
    assert [plan.epochs for plan in plans] == sorted(plan.epochs for plan in plans)
    assert [plan.recipe_epochs() for plan in plans] == sorted(plan.recipe_epochs() for plan in plans)
    longest = planning.GROWTH * planning.STEPS // 50
    assert (plans[-1].epochs, plans[-1].recipes) == (longest, planning.WIDEST)
    assert len(plans[-1].rungs) == 3


A_BUDGET = {
    "seconds": st.floats(0.1, 3600),
    "cores": st.integers(1, 64),
    "costs": st.lists(st.floats(1e-5, 1e3), min_size=1, max_size=5),
    "start": st.floats(0, 60),
}


def affordable(seconds, cores, costs, start):
    """Epochs of one recipe that fit: in the plan's share of 95 % of the seconds, or of all but 1.2 and 0.5 % where
    that is more, less the start; or of 30 % where the start takes most."""
    left = max(seconds - min(0.05 * seconds, 1.2 + 0.005 * seconds) - start, seconds * 0.3)
    return max(planning.SHARE * left * cores / (sum(costs) / len(costs)), 1.0)


@given(**A_BUDGET)
def test_plan_for_seconds_fits_its_own_model(seconds, cores, costs, start):
    """A plan costs at most what fits by its own cost model, times the surplus of recipes it has on purpose, and a
    recipe or two; there is always one epoch for one recipe, and the horizon is never beyond the longest."""
    plan = for_seconds(seconds, cores, costs, start)
    fits = affordable(seconds, cores, costs, start)
    assert plan.recipe_epochs() <= planning.SURPLUS * fits * 1.1 + 2 * plan.epochs
    assert plan.recipes >= 1
    assert 1 <= plan.epochs <= planning.MOST_EPOCHS
    assert plan == for_seconds(seconds, cores, list(costs), start)


@given(**A_BUDGET)
def test_plan_for_seconds_is_halving(seconds, cores, costs, start):
    """A plan for seconds is successive halving, and six trainings to the end fit, or the horizon is one epoch."""
    plan = for_seconds(seconds, cores, costs, start)
    assert plan == halving(plan.recipes, plan.epochs)
    assert plan.epochs == 1 or 6 * plan.epochs <= affordable(seconds, cores, costs, start)


@given(**A_BUDGET)
def test_plan_for_seconds_uses_what_it_has(seconds, cores, costs, start):
    """What fits is planned for, until the field is as wide as it gets."""
    plan, fits = for_seconds(seconds, cores, costs, start), affordable(seconds, cores, costs, start)
    if plan.epochs >= 8 and plan.recipes < planning.WIDEST - 1:
        assert plan.recipe_epochs() > 0.9 * fits


@given(seconds=st.floats(5, 600), cost=st.floats(1e-4, 5), cores=st.integers(1, 16))
def test_more_cores_never_buy_less(seconds, cost, cores):
    """Twice the cores never buy a shorter horizon, nor fewer epochs of all recipes together, up to rounding."""
    less, more = for_seconds(seconds, cores, [cost]), for_seconds(seconds, 2 * cores, [cost])
    assert more.epochs >= less.epochs
    assert more.recipe_epochs() >= 0.9 * less.recipe_epochs()


@given(**A_BUDGET, most=st.integers(1, 5000))
def test_memory_bounds_the_field(seconds, cores, costs, start, most):
    """No plan has more recipes than memory has room for, nor than the widest."""
    plan = for_seconds(seconds, cores, costs, start, most)
    assert plan.recipes <= min(most, planning.WIDEST)
    assert min(rung.recipes for rung in plan.rungs) >= 1


def test_plans_measure_nothing():
    """No clock and no random number is read where plans are made."""
    source = inspect.getsource(planning)
    assert not [word for word in ("import time", "perf_counter", "random", "numpy", "jax") if word in source]
    assert halving(9, 14) == Plan((Rung(9, 1), Rung(3, 2), Rung(1, 14)))
