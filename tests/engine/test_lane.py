"""The laws of the engine: a racer is its formulas, alone and in company, in one call and in many."""

import math
import threading
import types
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

from slalom import rules, scaling
from slalom.crew import Crew
from slalom.data import Split, Target
from slalom.lane import call_steps, score_shape, width
from slalom.net import Net
from slalom.prepare import bucket, is_stored, prepare
from slalom.racer import Racer, draw_key
from slalom.record import settings_of
from slalom.room import Room
from slalom.shuffles import Shuffles
from slalom.step import Structure, rebuilt, scaled, settings_vector

from .heats import (
    BATCH,
    CHOOSE,
    RECIPES,
    SEED,
    STEPS,
    TRAIN,
    N,
    advanced,
    bits,
    compiled,
    first_weights,
    heat_of,
    kinds,
    plain_loss,
    racer,
    recipe_of,
    table,
    weights_of,
)


@pytest.fixture(scope="module")
def everything():
    """Nine rules, four places, batch norm: the program that most laws are tried on."""
    heat = heat_of("regression", activation="silu", normalisation="batch_norm")
    return compiled(heat, RECIPES, 4)


@pytest.fixture(scope="module")
def adam_alone():
    """The same structure with Adam as its only rule."""
    return compiled(heat_of("regression", activation="silu", normalisation="batch_norm"), ["adam"], 4)


@pytest.fixture(scope="module")
def lane_of_one():
    """The same structure with one place."""
    return compiled(heat_of("regression", activation="silu", normalisation="batch_norm"), ["adam"], 1)


@pytest.fixture(scope="module")
def classes():
    """Three classes, layer norm behind the activation."""
    heat = heat_of("multiclass", activation="gelu", normalisation="layer_norm", placement="after")
    return compiled(heat, ["nesterov", "adamw"], 2)


@pytest.fixture(scope="module")
def binary():
    """Two classes, no normalisation."""
    return compiled(heat_of("binary", activation="tanh"), ["momentum", "adagrad"], 2)


# --- (a) a racer is its formulas --------------------------------------------------------------------------------------


def plain_factor(name, t, horizon, warmup):
    """The schedules at their default settings, as cases."""
    w = int(warmup * horizon) if warmup < 1 else int(warmup)
    if t < w:
        return (t + 1) / w
    t, horizon = t - w, horizon - w
    return {
        "constant": 1.0,
        "cosine": (1 + math.cos(math.pi * t / horizon)) / 2,
        "step": 0.5 ** (t // (0.25 * horizon)),
        "exponential": 0.1 ** (t / (0.5 * horizon)),
    }[name]


def plain_rule(name, g, w, m, t, eta, s, decay):
    """One step of a rule for one array in float64, as its paper writes it; m is a dictionary of its memory."""
    get = lambda key: m.get(key, np.zeros_like(w))  # noqa: E731
    if name == "sgd":
        return w - eta * g
    if name in ("momentum", "nesterov"):
        m["v"] = s["mu"] * get("v") + g
        return w - eta * (m["v"] if name == "momentum" else g + s["mu"] * m["v"])
    if name == "adagrad":
        m["s"] = get("s") + g * g
        return w - eta * g / (np.sqrt(m["s"]) + s["epsilon"])
    if name == "rmsprop":
        m["v"] = s["beta"] * get("v") + (1 - s["beta"]) * g * g
        return w - eta * g / (np.sqrt(m["v"]) + s["epsilon"])
    b1, b2, eps = s["beta1"], s["beta2"], s["epsilon"]
    m["m"], m["v"] = b1 * get("m") + (1 - b1) * g, b2 * get("v") + (1 - b2) * g * g
    m["u"] = np.maximum(get("u"), m["v"])
    mean, square = m["m"] / (1 - b1**t), (m["u"] if name == "amsgrad" else m["v"]) / (1 - b2**t)
    if name == "radam":
        long = 2 / (1 - b2) - 1
        rho = long - 2 * t * b2**t / (1 - b2**t)
        if rho <= s["threshold"]:
            return w - eta * mean
        mean = mean * np.sqrt((rho - 4) * (rho - 2) * long / ((long - 4) * (long - 2) * rho))
    return w - eta * (mean / (np.sqrt(square) + eps) + (decay * w if name == "adamw" else 0))


def plain_training(heat, one, gradient):
    """A racer's whole training in float64, with nothing of the engine but its first weights and its row orders."""
    recipe, weights = one.recipe, jax.tree.map(np.float64, first_weights(heat, one.fold))
    train = heat.prepared.folds[one.fold].train
    x, y = table({"squared_error": "regression", "logistic": "binary", "softmax": "multiclass"}[heat.structure.loss])
    scaler = scaling.REGISTRY[recipe.scaling].fit(x[train])
    z = scaler(x)
    if heat.structure.loss == "squared_error":
        y = (y - y[train].mean()) / y[train].std()
    name = type(recipe.rule).__name__.lower()
    settings = {key: getattr(recipe.rule, key) for key in settings_of(recipe.rule)}
    flat, tree = jax.tree.flatten(weights)
    memory = [{} for _ in flat]
    moving = {}
    order = Shuffles(SEED)
    for step in range(STEPS):
        epoch, i = divmod(step, len(train) // BATCH)
        rows = order.epoch(train, 0, one.fold, epoch)[i * BATCH : (i + 1) * BATCH]
        g, moments = gradient(tree.unflatten(flat), z[rows], np.asarray(y[rows], np.float64))
        rate = recipe.learning_rate * plain_factor(recipe.to_plain()["schedule"]["name"], step, STEPS, recipe.warmup)
        penalty = 0.0 if name == "adamw" else recipe.weight_decay
        flat = [
            plain_rule(name, np.asarray(a) + penalty * w, w, m, step + 1, rate, settings, recipe.weight_decay)
            for a, w, m in zip(jax.tree.leaves(g), flat, memory, strict=True)
        ]
        for layer, pair in enumerate(moments):
            kept = moving.get(layer, (0.0, 0.0))
            moving[layer] = [0.9 * old + 0.1 * np.asarray(new) for old, new in zip(kept, pair, strict=True)]
    return tree.unflatten(flat), moving


@pytest.mark.parametrize(
    ("name", "rule", "fields"),
    [("everything", rule, {}) for rule in RECIPES]
    + [
        ("classes", "nesterov", {}),
        ("classes", "adamw", {"rule.epsilon": 1e-8}),
        ("binary", "momentum", {}),
        ("binary", "adagrad", {"rule.epsilon": 1e-10}),
    ],
)
def test_racer_is_a_plain_float64_loop(request, name, rule, fields):
    """A racer's weights after a whole training are those of a plain float64 loop over the same batches: scaling, loss,
    normalisation, penalty, rule, schedule with its warm-up, and batch norm's moving averages."""
    heat = request.getfixturevalue(name)
    (one,) = advanced(heat, [racer(rule, **fields)])
    with jax.enable_x64(True):
        if not hasattr(heat, "plain"):
            heat.plain = plain_loss(heat.structure.net, heat.structure.loss)
        weights, moving = plain_training(heat, one, heat.plain)
    leaves = [jax.tree.leaves(tree) for tree in (weights_of(heat, one), weights, first_weights(heat))]
    for mine, plain, _ in zip(*leaves, strict=True):
        # float32 rounds each of 100 steps by about 1e-7 of a weight, and training adds these up: measured 3e-7 to 3e-6
        # (2e-5 with AMSGrad, in the biases in front of batch norm).
        np.testing.assert_allclose(mine, plain, rtol=0, atol=5e-5)
    assert max(np.abs(plain - first).max() for _, plain, first in zip(*leaves, strict=True)) > 0.03
    for layer, (mean, variance) in moving.items():
        kept = one.state.memory[layer]
        np.testing.assert_allclose(kept.mean[:, 0], mean, atol=5e-5)
        np.testing.assert_allclose(kept.variance[:, 0], variance, rtol=1e-4)
        np.testing.assert_allclose(kept.weight, 1 - 0.9**STEPS, rtol=1e-5)


def test_fold_is_a_race_of_its_own():
    """A racer of a fold trains on that fold's rows in their own order, with the scaler and the unit of the target that
    were fitted to them, a stored variant of the columns too; racers of both folds share a lane."""
    x, y = table("regression")
    order = np.argsort(y)  # the folds train on quite different targets
    parts = [(np.sort(order[:45]), np.sort(order[45:])), (np.sort(order[15:]), np.sort(order[:15]))]
    none = np.array([], int)
    split = Split(tuple(p[0] for p in parts), tuple(p[1] for p in parts), (none, none), none)
    heat = compiled(heat_of("regression", split, activation="tanh"), ["adagrad"], 2)
    pair = [Racer(0, recipe_of("adagrad"), fold) for fold in (0, 1)]
    advanced(heat, pair)
    with jax.enable_x64(True):
        gradient = plain_loss(heat.structure.net, "squared_error")
        plain = [plain_training(heat, one, gradient)[0] for one in pair]
    for one, weights in zip(pair, plain, strict=True):
        for a, b in zip(*map(jax.tree.leaves, (weights_of(heat, one), weights)), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=5e-5)  # as above
        train, choose = parts[one.fold]
        scaler = scaling.REGISTRY["quantile_normal"].fit(x[train])
        z = scaler(x[choose]).astype(np.float32)
        outputs = heat.structure.net.predict(weights_of(heat, one), one.state.memory, z)
        prediction = outputs[0].astype(np.float64) * y[train].std() + y[train].mean()
        np.testing.assert_allclose(one.costs[STEPS], np.sqrt(((prediction - y[choose]) ** 2).mean()), rtol=1e-5)


def test_orders_are_permutations_of_the_training_rows():
    """The order of an epoch is a permutation of the fold's rows, its own for each epoch, fold and replicate, the same
    for every racer and whatever is kept; batches take it from the front and drop what is left of an epoch."""
    rows = np.array([3, 5, 8, 9, 11, 20, 21])
    one, forgetful = Shuffles(0), Shuffles(0, capacity=1)
    seen = {}
    for key in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, 0)]:
        order = one.epoch(rows, *key)
        np.testing.assert_array_equal(np.sort(order), rows)
        np.testing.assert_array_equal(forgetful.epoch(rows, *key), order)
        assert order.dtype == np.int32
        seen[key] = order.tolist()
    assert len({tuple(order) for order in seen.values()}) == 4
    assert Shuffles(1).epoch(rows, 0, 0, 0).tolist() != seen[0, 0, 0]
    taken = one.batches(rows, 0, 0, start=1, count=4, batch=3, per_epoch=2)
    first, second, third = (one.epoch(rows, 0, 0, epoch) for epoch in range(3))
    np.testing.assert_array_equal(taken, [first[3:6], second[:3], second[3:6], third[:3]])


# --- (b) to (e) alone, in company, in pieces --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def company():
    """Racers of one rule that differ in everything else, dropout among it; numbers give each its own draws."""
    return lambda: [
        racer(number=1, dropout=0.3, learning_rate=0.01),
        racer(number=2, dropout=0.1, scaling="quantile_normal", weight_decay=0.1),
        racer(number=3, scaling="none", schedule="step"),
        racer(number=4, dropout=0.5, scaling="min_max", warmup=0.5),
    ]


def test_racer_alone_and_in_any_place_is_the_same(everything, company):
    """A racer alone in its lane, the other places filled with copies, and the same racer in any place among others have
    equal weights, memories and scores, bit for bit."""
    alone = advanced(everything, company()[:1])[0]
    assert len(alone.costs) == 1
    for place in range(4):
        others = company()
        lane = others[1 : place + 1] + others[:1] + others[place + 1 :]
        assert lane[place].number == 1
        advanced(everything, lane)
        assert bits(lane[place]) == bits(alone)
        assert lane[place].costs == alone.costs
        assert len({bits(one) for one in lane}) == 4
    pair = advanced(everything, company()[:2])
    assert bits(pair[0]) == bits(alone)


@pytest.mark.parametrize("ill", ["rate", "nan", "inf"])
def test_ill_neighbour_changes_no_bit(everything, company, ill):
    """A neighbour that diverges, or whose weights are NaN or infinite from the start, changes no bit of the others."""
    well = advanced(everything, company())
    lane = company()
    sick = lane[1] = racer(number=2, learning_rate=1e6 if ill == "rate" else 1e-3)
    if ill != "rate":
        everything.enter(sick)
        poison = np.float32(ill)
        sick.state = sick.state._replace(weights=jax.tree.map(lambda a: a * 0 + poison, sick.state.weights))
    advanced(everything, lane)
    assert sick.diverged
    assert sick.costs[STEPS] == math.inf or sick.costs[STEPS] > 1e3
    for i in (0, 2, 3):
        assert bits(lane[i]) == bits(well[i])
        assert lane[i].costs == well[i].costs
        assert not lane[i].diverged


@pytest.mark.parametrize("name", ["everything", "lane_of_one", "classes"])
def test_one_call_or_several(request, name):
    """Taking a racer to its end in one call, or by single steps and odd pieces, gives the same bits."""
    heat = request.getfixturevalue(name)
    rule = "adamw" if name == "classes" else "adam"
    whole = advanced(heat, [racer(rule, dropout=0.2)])[0]
    pieces = advanced(heat, [racer(rule, dropout=0.2)], 1, 2, 5, 42, 99, STEPS)[0]
    assert whole.step == pieces.step == STEPS
    assert bits(whole) == bits(pieces)


def test_checks_only_look(everything):
    """Scoring a racer on the way changes no bit of it, and its cost at a check is the same whoever else is scored."""
    checked, plain = racer(dropout=0.2), racer(dropout=0.2)
    Crew(everything, [checked]).advance(STEPS, [10, 55, STEPS], lambda: False)
    advanced(everything, [plain])
    assert bits(checked) == bits(plain)
    assert list(checked.costs) == [10, 55, STEPS]
    assert checked.costs[STEPS] == plain.costs[STEPS]


def test_best_moment_is_kept(everything):
    """A racer keeps the weights of the check with the least cost, not of the last, and not of a tie that came later."""
    one = racer("sgd", learning_rate=0.6, weight_decay=0.0)  # so large that it does not settle
    Crew(everything, [one]).advance(STEPS, list(range(4, STEPS + 1, 4)), lambda: False)
    step = min(one.costs, key=lambda s: (one.costs[s], s))
    assert step < STEPS
    assert (one.best.cost, one.best.step) == (one.costs[step], step)
    again = racer("sgd", learning_rate=0.6, weight_decay=0.0)
    Crew(everything, [again]).advance(step, [step], lambda: False)
    for a, b in zip(*map(jax.tree.leaves, (one.best.weights, weights_of(everything, again))), strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_setting_reaches_the_program(everything):
    """The numbers of a recipe stand in the racer's knobs: dropout, penalty, the rule's settings with betas as 1 − β;
    dropout makes another training."""
    one = racer(
        "radam", dropout=0.3, weight_decay=0.02, **{"rule.beta1": 0.8, "rule.beta2": 0.99, "rule.epsilon": 1e-3}
    )
    everything.enter(one)
    assert one.knobs.dropout == np.float32(0.3)
    assert one.knobs.penalty == np.float32(0.02)
    np.testing.assert_allclose(one.knobs.settings, np.float32([0.2, 0.01, 1e-3, 5.0, 1.0]), rtol=1e-7)
    decoupled = racer("adamw", weight_decay=0.02)
    everything.enter(decoupled)
    assert decoupled.knobs.penalty == 0
    assert decoupled.knobs.settings[3] == np.float32(0.02)
    with_, without = (advanced(everything, [racer(dropout=p)], 10)[0] for p in (0.3, 0.0))
    assert bits(with_) != bits(without)


def test_score_is_the_metric_of_the_prediction(everything):
    """A racer's cost at a check is the RMSE, in the target's unit, of the NumPy net on the scaler's transform of the
    choosing rows; the best moment holds the weights that had it."""
    one = racer("radam", scaling="quantile_normal", dropout=0.4)
    Crew(everything, [one]).advance(30, [10, 20, 30], lambda: False)
    prepared, net = everything.prepared, everything.structure.net
    x, y = table("regression")
    scaler = scaling.REGISTRY["quantile_normal"].fit(x[TRAIN])
    outputs = net.predict(one.best.weights, one.best.memory, scaler(x[CHOOSE]).astype(np.float32))
    prediction = outputs[0].astype(np.float64) * y[TRAIN].std() + y[TRAIN].mean()
    np.testing.assert_allclose(one.best.cost, np.sqrt(((prediction - y[CHOOSE]) ** 2).mean()), rtol=1e-5)  # float32
    assert one.best.cost == one.costs[one.best.step]
    np.testing.assert_allclose(prepared.unit("z_score", 0).inverse([0.0]), y[TRAIN].mean(), rtol=1e-15)


def test_halting_stops_between_calls(everything):
    """A lane that is told to stop makes no further step, and says how many it made."""
    asked = iter([False] + [True] * 9)
    one = racer()
    limit = min(everything.program.steps, STEPS)
    made = Crew(everything, [one]).advance(STEPS, [], lambda: next(asked))
    assert made == one.step == limit
    assert Crew(everything, [racer()]).advance(STEPS, [], lambda: True) == 0


def test_places_left_over_count_for_nothing(everything):
    """The number of updates is that of the living racers, not of the copies that fill the lane."""
    assert Crew(everything, [racer(), racer(number=1)]).advance(7, [], lambda: False) == 14
    assert Crew(everything, [racer()]).advance(7, [], lambda: False) == 7


def test_lane_of_one_is_the_racer(everything, lane_of_one):
    """A lane of one place trains the same racer as a place of four, up to the rounding of differently ordered sums."""
    one, of_four = (advanced(heat, [racer(dropout=0.3)])[0] for heat in (lane_of_one, everything))
    for a, b in zip(*(jax.tree.leaves(r.state.weights) for r in (one, of_four)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-4)  # as against the float64 loop
    assert one.diverged is False


# --- (f) to (h) programs, rooms, threads ------------------------------------------------------------------------------


def test_program_of_one_rule_and_of_all(everything, adam_alone, company):
    """A racer has the same bits from a program that holds its rule alone and from one that holds all rules."""
    all_rules, one_rule = (advanced(heat, company()) for heat in (everything, adam_alone))
    for a, b in zip(all_rules, one_rule, strict=True):
        for x, y in zip(jax.tree.leaves(a.state.weights), jax.tree.leaves(b.state.weights), strict=True):
            np.testing.assert_array_equal(x, y)
        assert a.costs == b.costs


@pytest.mark.parametrize("name", rules.REGISTRY)
def test_room_holds_every_rules_memory(name):
    """What a rule packs into the room it unpacks again, each array in its own place, and no other place changes."""
    net = Net(3, 2, 2, 4, normalisation="layer_norm")
    weights, _ = net.init(np.random.default_rng(0))
    room = Room(kinds(rules.REGISTRY), net, weights)
    (kind,) = kinds([name])
    vector = np.array(settings_vector(rules.REGISTRY[name]()), np.float32)
    memory = jax.tree.map(np.asarray, rebuilt(kind, vector).init(weights))
    count = len(jax.tree.leaves(memory))
    places = room.places[kind]
    assert len(places) == len(set(places)) == count
    filled = jax.tree.unflatten(
        jax.tree.structure(memory), [np.full(leaf.shape, i + 1.0) for i, leaf in enumerate(jax.tree.leaves(memory))]
    )
    before = tuple(np.full(shape, -1.0, dtype) for shape, dtype in room.shapes)
    packed = room.pack(kind, filled, before)
    unpacked = room.unpack(kind, packed)
    assert jax.tree.structure(unpacked) == jax.tree.structure(memory)
    for a, b in zip(jax.tree.leaves(unpacked), jax.tree.leaves(filled), strict=True):
        assert a is b
    for place, (array, old) in enumerate(zip(packed, before, strict=True)):
        assert array.shape == old.shape == room.shapes[place][0]
        assert (array is old) == (place not in places)


def test_room_is_as_small_as_its_largest_rule():
    """Of each shape the room has as many arrays as the rule that needs most of it, whichever rule comes first."""
    net = Net(3, 2, 2, 4)
    weights, _ = net.init(np.random.default_rng(0))
    everyone = kinds(rules.REGISTRY)
    alone = [Counter(Room([kind], net, weights).shapes) for kind in everyone]
    most = {shape: max(needs[shape] for needs in alone) for shape in set().union(*alone)}
    assert Counter(Room(everyone, net, weights).shapes) == most
    assert Counter(Room(everyone[::-1], net, weights).shapes) == most
    assert len(Room(kinds(["amsgrad"]), net, weights).shapes) == 3 * len(jax.tree.leaves(weights))
    assert len(Room(kinds(["sgd"]), net, weights).shapes) == 0


def test_two_threads_are_as_one(everything, company):
    """Lanes of different rules that two threads advance at once have the bits that one after another gives them."""
    makers = [company, lambda: [racer("radam", number=i) for i in range(4)]] * 2
    apart = [advanced(everything, make()) for make in makers]
    together = [make() for make in makers]
    gate = threading.Barrier(len(together))

    def work(lane):
        gate.wait()
        advanced(everything, lane, *range(10, STEPS + 1, 10))

    threads = [threading.Thread(target=work, args=(lane,)) for lane in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(apart, together, strict=True):
        assert [bits(a) for a in one] == [bits(b) for b in other]


def test_seed_decides_first_weights_and_draws():
    """First weights belong to the seed and the replicate, not to the recipe; the draws to its number too."""
    heats = [heat_of("regression") for _ in range(2)]
    heats[1].seed = SEED + 1
    for heat in heats:
        compiled(heat, ["adam"], 1)
    entered = {}
    for key, heat, one in [
        ("a", heats[0], Racer(1, recipe_of("adam"), 0)),
        ("b", heats[0], Racer(2, recipe_of("adam"), 0)),
        ("replicate", heats[0], Racer(1, recipe_of("adam"), 0, replicate=1)),
        ("seed", heats[1], Racer(1, recipe_of("adam"), 0)),
    ]:
        heat.enter(one)
        entered[key] = one
    first = {key: bits(one) for key, one in entered.items()}
    assert first["a"] == first["b"]
    assert len(set(first.values())) == 3
    assert len({int(one.knobs.key) for one in entered.values()}) == 4
    keys = {
        int(draw_key(seed, replicate, number)) for seed in range(20) for replicate in range(5) for number in range(100)
    }
    assert len(keys) > 10_000 - 5  # 32 bits: 0.01 pairs expected to meet


# --- (i) scalings in the step -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", scaling.REGISTRY)
def test_scaling_in_the_step_is_the_scalers_own(everything, name):
    """The rows that a racer sees are the fitted scaler's transform of the table, whether it is centre and spread, bent
    by the smooth clip, or a stored variant."""
    one = racer(scaling=name)
    everything.enter(one)
    x, _ = table("regression")
    exact = scaling.REGISTRY[name].fit(x[TRAIN])(x)
    rows = np.arange(N) + one.knobs.table
    seen = scaled(jnp.asarray(everything.data.tree.x[rows]), jax.tree.map(jnp.asarray, one.knobs))
    assert (seen[:, x.shape[1] :] == 0).all()  # the columns of zeros that fill the last eight
    seen = seen[:, : x.shape[1]]
    # float32 keeps 6e-8 of a number; a column at 50 ± 10 in its own unit has lost 50 · 6e-8 when it is unscaled
    np.testing.assert_allclose(seen, exact, rtol=2e-6, atol=2e-6 if name != "none" else 1e-5)
    assert (int(one.knobs.table) > 0) == is_stored(name)


@pytest.mark.parametrize(
    ("name", "outlier"),
    [(name, size) for name in ("robust_clip", "quantile_normal") for size in (1e3, 1e6, 1e9, 1e15, 1e20)],
)
def test_scalings_that_bear_outliers_bear_them_in_the_step(name, outlier):
    """One cell of any size spoils neither the robust nor the quantile scaling of the other rows inside a program."""
    x = np.random.default_rng(0).normal(size=(200, 1))
    x[7] = outlier
    none = np.array([], int)
    split = Split((np.arange(200),), (none,), (none,), none)
    y = np.arange(200) / 7
    prepared = prepare(pl.DataFrame(x, schema=["a"]), y, Target.fit(y), split, {name}, whole=False)
    numbers, first = prepared.in_race(name, 0)
    squash = np.float32(0 if np.isinf(numbers.clip) else 1 / numbers.clip**2)
    knobs = types.SimpleNamespace(
        centre=np.float32(numbers.centre), factor=np.float32(1 / numbers.spread), squash=squash
    )
    seen = scaled(prepared.x[first : first + 200, :1], knobs)
    np.testing.assert_allclose(seen, prepared.fitted(name, 0)(x), atol=1e-3)  # a thousandth of the spread


# --- shapes that are pure functions -----------------------------------------------------------------------------------


def test_width_is_a_function_of_the_structure():
    """K falls from 8 to 1 as batch times widest layer grows, whatever the loss and the normalisation."""
    of = lambda batch, width_, **f: width(Structure(Net(3, 1, 2, width_, **f), batch, "softmax"))  # noqa: E731
    assert [of(8, 8), of(32, 16), of(32, 17), of(64, 64), of(64, 65), of(64, 128), of(64, 129)] == [8, 8, 4, 4, 2, 2, 1]
    assert of(32, 16, normalisation="batch_norm") == 8
    assert width(Structure(Net(3, 1, 2, 64), 64, "softmax"), "gpu") == 1024
    assert width(Structure(Net(3, 1, 2, 2**20), 64, "softmax"), "gpu") == 8


def test_calls_are_short():
    """A call has at least one step, at most 4,096, and never more than 2²¹ row numbers."""
    for batch, size, places, lanes in [(8, 8, 8, 4), (1024, 1024, 1, 1), (2**20, 2, 1, 1), (1, 1, 1, 16)]:
        steps = call_steps(Structure(Net(3, 1, 2, size), batch, "softmax"), places, lanes)
        assert 1 <= steps <= 4096
        assert steps == 1 or steps * batch * places * lanes <= 2**21


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 1000, 1024, 1025, 2500, 100_000])
def test_score_shape_holds_the_rows(rows):
    """The chunks of a score hold all rows, at most 1,024 each, and waste less than 16 a chunk."""
    chunks, size = score_shape(rows)
    assert rows <= chunks * size < rows + 16 * chunks
    assert size <= 1024


@pytest.mark.parametrize("rows", [1, 2, 63, 64, 65, 1000, 4097, 1_000_001])
def test_bucket_wastes_little(rows):
    """A bucket holds its rows, wastes at most a quarter of them from 64 on, and is its own bucket."""
    assert bucket(rows) >= rows
    assert bucket(bucket(rows)) == bucket(rows)
    assert bucket(rows) - rows < max(16, rows / 4)
