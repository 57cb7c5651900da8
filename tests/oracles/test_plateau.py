"""Reduce on plateau against PyTorch: recorded sequences, its rule as a loop, and where the two differ on purpose."""

import math

import numpy as np
import optax
import pytest

from slalom.schedules import ByEpoch, Cosine, Plateau, Warmup
from slalom.schedules.base import plateau_of

COSTS = [5, 4, 3.9, 3.95, 3.9, 3.88, 3.9999, 3.879, 3.9, 3.9, 3.9, 3.9, math.nan, 3.5, math.inf, 3.6, 3.49, 3.48] + [
    3.6
] * 10

# Recorded from PyTorch 2.13.0 (eps=0): settings here, the rate after each of COSTS, the rate after each of twelve 1s.
PYTORCH = {
    "factor=0.1, patience=2": (
        Plateau(fall=0.1, patience=2),
        [1] * 10 + [0.1] * 10 + [0.01] * 3 + [0.001] * 3 + [0.0001] * 2,
        [1] * 3 + [0.1] * 3 + [0.01] * 3 + [0.001] * 3,
    ),
    "factor=0.5, patience=1, cooldown=3, threshold=0.01, min_lr=0.05": (
        Plateau(fall=0.5, patience=1, cooldown=3, threshold=0.01, floor=0.05),
        [1] * 4 + [0.5] * 5 + [0.25] * 6 + [0.125] * 5 + [0.0625] * 5 + [0.05] * 3,
        [1] * 2 + [0.5] * 5 + [0.25] * 5,
    ),
    "factor=0.5, patience=0, cooldown=2, threshold=0": (
        Plateau(fall=0.5, patience=0, cooldown=2, threshold=0),
        [0.5 ** (i // 3) for i in range(28)],
        [1] + [0.5] * 3 + [0.25] * 3 + [0.125] * 3 + [0.0625] * 2,
    ),
}


def counted(costs, *, factor, patience, threshold, cooldown, floor):
    """PyTorch's rule, with its two counters and its words, one cost an epoch."""
    rate, best, bad, cooling, rates = 1.0, math.inf, 0, 0, []
    for cost in costs:
        if cost < best * (1 - threshold):
            best, bad = cost, 0
        else:
            bad += 1
        if cooling > 0:
            cooling, bad = cooling - 1, 0
        if bad > patience:
            rate, cooling, bad = max(rate * factor, floor), cooldown, 0
        rates.append(rate)
    return rates


@pytest.mark.parametrize("name", PYTORCH)
def test_plateau_agrees_with_pytorch(name):
    """The factors after a row of positive costs, a NaN and an infinity among them, and after a flat row."""
    plateau, rates, flat = PYTORCH[name]
    np.testing.assert_allclose(plateau.over(COSTS), rates, rtol=1e-12)
    np.testing.assert_allclose(plateau.over([1.0] * 12), flat, rtol=1e-12)


@pytest.mark.parametrize("patience", [0, 1, 2, 7])
@pytest.mark.parametrize("cooldown", [0, 1, 5])
@pytest.mark.parametrize("threshold", [0, 1e-4, 0.03])
def test_plateau_is_the_counting_rule_of_pytorch(patience, cooldown, threshold):
    """Over 400 noisy costs, some of them NaN, the moment that one waits from gives what two counters give."""
    rng = np.random.default_rng([patience, cooldown])
    costs = 3 * 0.995 ** np.arange(400) * rng.uniform(1, 1.2, 400)
    costs[rng.random(400) < 0.05] = math.nan
    own = Plateau(fall=0.7, patience=patience, cooldown=cooldown, threshold=threshold, floor=1e-3).over(costs)
    theirs = counted(costs, factor=0.7, patience=patience, cooldown=cooldown, threshold=threshold, floor=1e-3)
    np.testing.assert_allclose(own, theirs, rtol=1e-12)
    assert own[-1] < 1


def test_an_improvement_while_it_cools_down_shortens_nothing():
    """As in PyTorch, an improvement within the cool-down is kept as the best cost, and the waiting begins after it."""
    costs = [1, 1, 1, 0.5, *[0.5] * 12]
    given = {"patience": 1, "threshold": 0, "cooldown": 5, "floor": 0}
    own = Plateau(fall=0.5, **given).over(costs)
    np.testing.assert_array_equal(own, counted(costs, factor=0.5, **given))
    assert own.tolist() == [1] * 2 + [0.5] * 7 + [0.25] * 7


def test_first_costs_that_are_nan_are_no_improvement():
    """PyTorch's recorded factors where the first three costs are NaN (factor=0.5, patience=2)."""
    costs = [math.nan] * 3 + [2, 2, 2, 1, 1, 1, 1]
    assert Plateau(fall=0.5, patience=2).over(costs).tolist() == [1] * 2 + [0.5] * 7 + [0.25]
    assert Plateau(fall=0.5, patience=2).over([-math.inf] * 3 + [2.0]).tolist() == [1, 1, 0.5, 0.5]


@pytest.mark.parametrize("cost", [1.0, 0.0, -1.0, -0.93])
def test_a_flat_cost_of_any_sign_reduces(cost):
    """No improvement is none below zero too (PyTorch was recorded never to reduce on a flat −1)."""
    assert Plateau(fall=0.1, patience=2).over([cost] * 7).round(9).tolist() == [1, 1, 1, 0.1, 0.1, 0.1, 0.01]


def test_optax_never_reduces_on_a_flat_negative_cost():
    """Optax's threshold has the wrong sign below zero, so that the same cost again is an improvement."""
    scales = {}
    for cost in (1.0, -1.0):
        rule = optax.contrib.reduce_on_plateau(factor=0.1, patience=2)
        state = rule.init({"w": 0.0})
        for _ in range(8):
            _, state = rule.update({"w": 1.0}, state, value=cost)
        scales[cost] = float(state.scale)
    assert scales[-1.0] == 1
    assert scales[1.0] == pytest.approx(1e-3)
    assert Plateau(fall=0.1, patience=2).over([-1.0] * 8)[-1] == pytest.approx(1e-2)


def test_a_score_that_climbs_does_not_reduce():
    """A negative cost that falls, as the negative of a rising accuracy, is an improvement; one through zero, too."""
    for costs in (-np.linspace(0.5, 0.99, 50), np.linspace(2, -2, 50)):
        assert Plateau(patience=1).over(costs).tolist() == [1] * 50


def test_the_threshold_is_a_share_of_the_best_cost_of_any_sign():
    """Below zero, as above, a cost that is better by less than the share of |best| does not count; at 0 any does."""
    for best in (100.0, -100.0):
        assert Plateau(fall=0.5, patience=0, threshold=0.01).over([best, best - 0.99])[-1] == 0.5
        assert Plateau(fall=0.5, patience=0, threshold=0.01).over([best, best - 1.01])[-1] == 1
        assert Plateau(fall=0.5, patience=0, threshold=0).over([best, best - 1e-12])[-1] == 1
        assert Plateau(fall=0.5, patience=0, threshold=0).over([best, best])[-1] == 0.5
    assert Plateau(fall=0.5, patience=0, threshold=0.5).over([0.0, -1e-300])[-1] == 1


@pytest.mark.parametrize("apart", [1, 7, 50])
def test_costs_that_lie_apart_in_time(apart):
    """With a cost every so many steps, lengths in steps and in fractions of the horizon give what costs by one give."""
    costs, horizon = COSTS * 2, len(COSTS) * 2 * apart
    expected = Plateau(fall=0.5, patience=3, cooldown=2).over(costs)
    for unit in (apart, apart / horizon):
        plateau = Plateau(fall=0.5, patience=3 * unit, cooldown=2 * unit)
        memory, factors = plateau.start(), []
        for i, cost in enumerate(costs):
            memory = plateau.observe(memory, (i + 1) * apart, cost, horizon)
            factors.append(memory.factor)
        np.testing.assert_array_equal(factors, expected)


def test_the_rate_falls_at_the_first_cost_after_the_patience():
    """A patience of 10 steps and costs at steps 4, 14, 15 and 40: it falls at 15, and waits anew from there."""
    plateau = Plateau(fall=0.5, patience=10)
    memory, found = plateau.start(), {}
    for step in (4, 14, 15, 25, 40):
        memory = plateau.observe(memory, step, -1.0, 1000)
        found[step] = memory.factor
    assert found == {4: 1, 14: 1, 15: 0.5, 25: 0.5, 40: 0.25}


def test_observing_changes_nothing_but_its_answer():
    """The state machine is pure: the same memory and cost give the same answer, in numbers of Python."""
    plateau = Plateau(fall=0.5, patience=1)
    before = plateau.observe(plateau.start(), 1, np.float32(2), 10)
    kept = tuple(before)
    assert plateau.observe(before, 3, 2.0, 10) == plateau.observe(before, 3, 2.0, 10) == (0.5, 2.0, 3.0)
    assert tuple(before) == kept
    assert {type(number) for number in plateau.observe(before, np.int64(3), np.float32(2), 10)} == {float}


def test_the_engine_finds_a_plateau_in_what_wraps_it():
    """A plateau is found alone, behind a warm-up and by epoch; other schedules and functions have none."""
    plateau = Plateau(patience=20, cooldown=0.25)
    assert plateau_of(plateau) is plateau
    assert plateau_of(Warmup(plateau, 5)) is plateau
    assert plateau_of(Cosine()) is plateau_of(Warmup(Cosine(), 5)) is plateau_of(ByEpoch(Cosine(), 5)) is None
    assert plateau_of(lambda t: 1) is plateau_of(Warmup(lambda step, horizon: 1, 5)) is None
    assert plateau_of(Warmup(ByEpoch(plateau, 200), 5)) == Plateau(patience=0.1, cooldown=0.25)


@pytest.mark.parametrize("steps", [1, 7, 196])
def test_a_plateau_by_epoch_counts_epochs(steps):
    """By epoch, a patience of 2 is 2 epochs: one cost at the end of each gives what costs by one give."""
    epochs = len(COSTS)
    plateau = plateau_of(ByEpoch(Plateau(fall=0.5, patience=2, cooldown=1), epochs))
    memory, factors = plateau.start(), []
    for i, cost in enumerate(COSTS):
        memory = plateau.observe(memory, (i + 1) * steps, cost, epochs * steps)
        factors.append(memory.factor)
    np.testing.assert_array_equal(factors, Plateau(fall=0.5, patience=2, cooldown=1).over(COSTS))


def test_a_patience_of_more_epochs_than_there_are_never_reduces_before_the_end():
    """A patience that reaches beyond the horizon stays a length of the horizon, and is not taken for so many steps."""
    plateau = plateau_of(ByEpoch(Plateau(patience=30), 10))
    memory = plateau.start()
    for step in range(1, 1000):
        memory = plateau.observe(memory, step, 1.0, 1000)
    assert memory.factor == 1
