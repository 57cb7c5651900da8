"""Every part in the engine: what stands alone in the rooms of rules, schedules and scalers races as it is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom import rules, scaling, schedules
from slalom.crew import Crew
from slalom.errors import SlalomError
from slalom.losses import LOSSES
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.record import parts_of, settings_of
from slalom.rules import at_horizon
from slalom.schedules import ByEpoch, Plateau, Warmup
from slalom.step import kind_of

from .heats import BATCH, STEPS, TRAIN, bits, compiled, first_weights, heat_of, plain_loss, table, weights_of

PER_EPOCH = len(TRAIN) // BATCH
SHAPE = {"activation": "tanh"}


@pytest.fixture(scope="module")
def every_rule():
    """One program of all the rules there are."""
    return compiled(heat_of("regression", **SHAPE), rules.REGISTRY, 2)


@pytest.fixture(scope="module")
def averaging():
    """Rules that are scored with other weights than they step with, in a net with batch norm."""
    return compiled(heat_of("regression", normalisation="batch_norm", **SHAPE), ["ema", "adam", "schedule_free_sgd"], 2)


def softened(rule):
    """The rule with a large ε, inside it too."""
    if "epsilon" in settings_of(rule):
        far_away = {"d0": 1e-3} if "d0" in settings_of(rule) else {}  # Prodigy begins at a rate that moves nothing
        return dataclasses.replace(rule, epsilon=1e-3, **far_away)
    return dataclasses.replace(rule, **{name: softened(getattr(rule, name)) for name in parts_of(rule)})


def racer_of(rule, heat, **fields):
    """A racer of a rule at a middling rate, with a large ε: no division by a gradient that is zero but for rounding."""
    made = softened(rules.REGISTRY[rule]())
    rate = 0.3 * np.sqrt(np.prod(made.rates))
    net = heat.structure.net
    common = {"batch_size": BATCH, "epochs": 20, "depth": net.depth, "width": net.width}
    fields = {"learning_rate": rate, "schedule": "cosine"} | fields
    return Racer(0, Recipe(rule=made, normalisation=net.normalisation, activation="tanh", **common, **fields), 0)


def batches(heat, first, count):
    """Rows [count, B] of steps from `first` on, with the scaled columns and targets."""
    x, y = table("regression")
    rows = heat.shuffles.batches(TRAIN, 0, 0, start=first, count=count, batch=BATCH, per_epoch=PER_EPOCH)
    return rows, scaling.ZScore.fit(x[TRAIN])(x), (y - y[TRAIN].mean()) / y[TRAIN].std()


def alone(heat, recipe, steps):
    """The weights of every step of a rule that is used alone, in float64, and the weights that each is scored with."""
    rows, z, y = batches(heat, 0, steps)
    gradient = plain_loss(heat.structure.net, "squared_error")
    factor = np.asarray(recipe.rate_factor()(np.arange(steps), STEPS)) * np.ones(steps)
    rule = at_horizon(recipe.rule, STEPS)
    path, scored = [], []
    with jax.enable_x64(True):
        weights = jax.tree.map(lambda w: jnp.asarray(w, "float64"), first_weights(heat))
        memory = rule.init(weights)
        one = jax.jit(lambda g, m, w, t, rate: rule.step(g, m, w, t=t, rate=rate))
        for t in range(steps):
            g, _ = gradient(weights, jnp.asarray(z[rows[t]]), jnp.asarray(y[rows[t]]))
            delta, memory = one(g, memory, weights, t + 1.0, recipe.learning_rate * factor[t])
            weights = jax.tree.map(jnp.add, weights, delta)
            path.append(weights)
            scored.append(rule.weights_to_score(weights, memory))
    return path, scored, rule.remark(memory)


def far(one, other):
    """The largest difference between two trees."""
    return max(
        np.abs(np.asarray(a) - np.asarray(b)).max() for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True)
    )


@pytest.mark.parametrize("name", rules.REGISTRY)
def test_every_rule_races_as_it_walks_alone(every_rule, name):
    """Eighteen steps of a racer are those of its rule alone in float64: its weights, the weights that are scored, and
    what the rule says of the training."""
    one = racer_of(name, every_rule)
    Crew(every_rule, [one]).advance(18, [18], lambda: False)
    path, scored, remark = alone(every_rule, one.recipe, 18)
    moved = far(path[-1], first_weights(every_rule))
    assert moved > 1e-4
    # float32 against float64 over eighteen steps, in parts of the way gone; Muon's products of matrices lose most
    assert far(weights_of(every_rule, one), path[-1]) < 2e-3 * moved
    assert far(one.best.weights, scored[-1]) < 2e-3 * moved
    assert far(Crew(every_rule, [one]).moment().weights, one.best.weights) == 0
    assert one.remark == remark


def test_scored_weights_are_the_average(averaging):
    """A racer with an average of its weights is scored with it: the cost is that of the averaged net."""
    one = racer_of("ema", averaging)
    Crew(averaging, [one]).advance(STEPS, [50, STEPS], lambda: False)
    assert far(one.best.weights, weights_of(averaging, one)) > 1e-3
    plain = racer_of("adam", averaging, learning_rate=one.recipe.learning_rate)
    Crew(averaging, [plain]).advance(STEPS, [50, STEPS], lambda: False)
    assert far(plain.state.weights, one.state.weights) < 1e-6  # the way itself is that of the rule inside
    assert plain.costs[STEPS] != one.costs[STEPS]


@pytest.mark.parametrize("step", [3, 40])
def test_batch_norm_is_gathered_anew_for_averaged_weights(averaging, step):
    """Where other weights are scored, batch norm's averages are those that these weights have on the last sixteen
    batches (on all of them, in turn, where there were fewer)."""
    one = racer_of("ema", averaging)
    Crew(averaging, [one]).advance(step, [step], lambda: False)
    net = averaging.structure.net
    count = min(step, 16)
    rows, z, _ = batches(averaging, step - count, count)
    memory = net.init(np.random.default_rng(0))[1]
    for i in range(16):
        batch = jnp.asarray(z[rows[i % count]].T, jnp.float32)
        memory = net.apply(one.best.weights, memory, batch, training=True, key=0)[1]
    for mine, expected in zip(one.best.memory, memory, strict=True):
        for a, b in zip(mine, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_rules_that_score_their_own_weights_compile_nothing_more(every_rule, averaging):
    """Only rules with weights of their own to score pay for it."""
    kinds = {name for name, cls in rules.REGISTRY.items() if kind_of(cls()) in every_rule.program.room.averaging}
    assert kinds == {"ema", "swa", "lookahead", "schedule_free_sgd", "schedule_free_adamw"}
    heat = compiled(heat_of("regression", **SHAPE), ["adam", "clip_norm"], 2)
    assert heat.program.average is None


@pytest.mark.parametrize("name", schedules.REGISTRY)
@pytest.mark.parametrize("by", ["step", "epoch"])
def test_every_schedule_races_as_it_is_alone(every_rule, name, by):
    """SGD's way under a schedule is that of the schedule's own factors, by step and by epoch, with a warm-up."""
    one = racer_of("sgd", every_rule, schedule=name, schedule_by=by, warmup=0.1, learning_rate=0.05)
    Crew(every_rule, [one]).advance(STEPS, [], lambda: False)
    whole = Warmup(schedules.REGISTRY[name](), 0.1)
    assert one.recipe.rate_factor() == (ByEpoch(whole, 20) if by == "epoch" else whole)
    path, _, _ = alone(every_rule, one.recipe, STEPS)
    assert far(weights_of(every_rule, one), path[-1]) < 1e-4
    again = racer_of("sgd", every_rule, schedule="constant", warmup=0.1, learning_rate=0.05)
    Crew(every_rule, [again]).advance(STEPS, [], lambda: False)
    assert (bits(again) == bits(one)) == (name in ("constant", "plateau") and by == "step")


def test_plateau_lowers_the_rate_of_its_own_racer(every_rule):
    """A racer's rate falls from the step on at which its scores have not improved for the patience; the way from there
    is that of the lower rate; its neighbour is not touched."""
    stubborn = {"schedule": Plateau(patience=12, fall=0.1, threshold=0.9), "learning_rate": 0.05}
    one, free = (
        racer_of("sgd", every_rule, **stubborn),
        racer_of("sgd", every_rule, schedule="constant", learning_rate=0.05),
    )
    Crew(every_rule, [one, free]).advance(STEPS, list(range(5, STEPS + 1, 5)), lambda: False)
    plateau, memory, falls = one.recipe.schedule, one.recipe.schedule.start(), []
    for step, cost in one.costs.items():
        before, memory = memory, plateau.observe(memory, step, cost, STEPS)
        falls += [(step, memory.factor)] if memory.factor != before.factor else []
    assert one.falls == falls
    assert falls[0][0] < 40
    rows, z, y = batches(every_rule, 0, STEPS)
    gradient, weights = plain_loss(every_rule.structure.net, "squared_error"), first_weights(every_rule)
    for t in range(STEPS):
        rate = 0.05 * next((factor for step, factor in reversed(falls) if t >= step), 1.0)
        g, _ = gradient(weights, np.float32(z[rows[t]]), np.float32(y[rows[t]]))
        weights = jax.tree.map(lambda w, g, rate=rate: w - rate * g, weights, g)
    assert far(weights_of(every_rule, one), weights) < 1e-4
    lonely = racer_of("sgd", every_rule, schedule="constant", learning_rate=0.05)
    Crew(every_rule, [lonely]).advance(STEPS, [], lambda: False)
    assert bits(lonely) == bits(free)


def test_plateau_in_pieces_is_plateau_in_one(every_rule):
    """Rungs between the checks change nothing."""
    ways = []
    for stops in ([STEPS], [35, 40, STEPS]):
        one = racer_of("adam", every_rule, schedule=Plateau(patience=7, threshold=0.5))
        for stop in stops:
            Crew(every_rule, [one]).advance(stop, list(range(5, STEPS + 1, 5)), lambda: False)
        ways.append((bits(one), one.falls))
    assert ways[0] == ways[1]
    assert len(ways[0][1]) > 1


@pytest.mark.parametrize("name", scaling.REGISTRY)
def test_every_target_scaling_races(name):
    """A racer trained on a scaled target is the net of that scaling: its cost is the metric of the predictions in the
    target's own unit."""
    x, y = table("regression")
    if name == "sigmoid":  # 1 / (1 + e⁻¹⁰⁰) is 1
        with pytest.raises(SlalomError, match=r"^target_scaling must be a scaling that this target comes back from\. "):
            heat_of("regression", units=[name])
        return
    heat = compiled(heat_of("regression", units=[name], **SHAPE), ["adam"], 1)
    one = racer_of("adam", heat, target_scaling=name, learning_rate=1e-3)
    Crew(heat, [one]).advance(20, [20], lambda: False)
    unit = scaling.REGISTRY[name].fit(y[TRAIN][:, None])
    np.testing.assert_allclose(heat.data.tree.y[: len(y)], unit(y[:, None])[:, 0], rtol=1e-6, atol=1e-6)
    choose = heat.prepared.folds[0].choose
    out = heat.structure.net.predict(
        one.best.weights, one.best.memory, np.float32(scaling.ZScore.fit(x[TRAIN])(x)[choose])
    )
    z = out[0].astype(np.float64)
    if unit.in_race() is None or np.isfinite(unit.in_race().clip):
        ends = unit(y[TRAIN][:, None])
        z = np.clip(z, ends.min(), ends.max())
    rmse = np.sqrt(np.mean((unit.inverse(z[:, None])[:, 0] - y[choose]) ** 2))
    np.testing.assert_allclose(one.best.cost, rmse, rtol=1e-4)


def test_penalties_and_smoothing_reach_the_step():
    """L1 adds λ₁ sign(w) to the gradient, L2 adds λ w; smoothed labels are what the loss says they are."""
    heat = compiled(heat_of("multiclass", **SHAPE), ["sgd"], 1)
    fields = {"l1": 0.02, "weight_decay": 0.03, "label_smoothing": 0.2, "schedule": "constant", "learning_rate": 0.1}
    one = racer_of("sgd", heat, **fields)
    Crew(heat, [one]).advance(1, [], lambda: False)
    x, y = table("multiclass")
    rows, weights = (
        heat.shuffles.batches(TRAIN, 0, 0, start=0, count=1, batch=BATCH, per_epoch=PER_EPOCH)[0],
        first_weights(heat),
    )
    z = jnp.asarray(scaling.ZScore.fit(x[TRAIN])(x)[rows].T, jnp.float32)

    def loss(weights):
        out, _ = heat.structure.net.apply(weights, ((), ()), z, training=True, key=0)
        return LOSSES["softmax"](out, jnp.asarray(y[rows], jnp.float32), 0.2)

    g = jax.grad(loss)(weights)
    expected = jax.tree.map(lambda w, g: w - 0.1 * (g + 0.03 * w + 0.02 * np.sign(w)), weights, g)
    assert far(weights_of(heat, one), expected) < 1e-6
    for field in ("l1", "weight_decay", "label_smoothing"):
        other = racer_of("sgd", heat, **fields | {field: 0.0})
        Crew(heat, [other]).advance(1, [], lambda: False)
        assert far(other.state.weights, one.state.weights) > 1e-5, field
