"""Codes of levels in a race: their vectors are learnt as the formula says, and scaling never touches them."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

from slalom import Recipe, fit, load, race, rules, scaling
from slalom.cost import step_seconds
from slalom.crew import Crew
from slalom.data import Split, Target
from slalom.finish import model_of, structure_of
from slalom.heat import Heat
from slalom.lane import Data
from slalom.layers import Embedding
from slalom.layers.embedding import BY_PRODUCT, looked_up
from slalom.metrics import find_metric
from slalom.net import FEATURES, Net, wide
from slalom.prepare import prepare
from slalom.racer import Racer
from slalom.rules.muon import OtherMemory
from slalom.seats import Placed
from slalom.shuffles import Shuffles
from slalom.step import Structure, gradient_of, kind_of, outputs

from .heats import bits

N, LEVELS = 360, 33
TRAIN, CHOOSE, TEST = np.arange(0, 264), np.arange(264, 320), np.arange(320, N)
NONE = np.array([], int)
RECIPE = Recipe(rule="adam", learning_rate=0.01, batch_size=24, epochs=20, depth=1, width=6, activation="silu")


def towns():
    """Numbers, words of two levels, and towns: 33 in training, an unseen one and missing cells among the others."""
    rng = np.random.default_rng(0)
    town = rng.permuted(np.arange(N) % LEVELS).astype(int)
    town[TRAIN] = rng.permuted(np.arange(len(TRAIN)) % LEVELS)
    a, b = rng.normal(50, 10, N), rng.lognormal(0, 1, N)
    y = np.cos(town) + (a - 50) / 10 * np.sin(town) + 0.1 * b
    names = np.array([f"town {k:02}" for k in town], object)
    names[[270, 300]], names[[271, 330]] = "nowhere", None
    return pl.DataFrame({"town": list(names), "a": a, "sea": rng.choice(["x", "y"], N), "b": b}), y


def heat_of(recipe=RECIPE, names=("adam",), width=1):
    """A heat on the towns, compiled."""
    frame, y = towns()
    split = Split((TRAIN,), (CHOOSE,), (NONE,), TEST)
    target = Target.fit(y, "regression")
    made = prepare(frame, y, target, split, set(scaling.REGISTRY), ["z_score"], whole=False)
    kinds = tuple(kind_of(rules.REGISTRY[name]()) for name in names)
    structure, data = structure_of(recipe, made), Placed(Data(made.x, made.y))
    heat = Heat(structure, made, data, find_metric(None, "regression"), Shuffles(0), 0, kinds)
    heat.compile(width, 1)
    return heat


@pytest.fixture(scope="module")
def single():
    return heat_of()


def racer(number=0, recipe=RECIPE, **fields):
    return Racer(number, recipe.with_fields(fields), 0)


# --- the layer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [3, 70, BY_PRODUCT, BY_PRODUCT + 1, 2000])
def test_a_lookup_is_its_formula(rows):
    """Value and gradient are those of a float64 loop over the rows of the batch, by product as by scattering, of codes
    that repeat, of those that are no row's number, and of whatever else a float may be."""
    rng = np.random.default_rng(rows)
    table, g = rng.normal(size=(5, rows)), rng.normal(size=(5, 40))
    x = rng.integers(0, min(rows, 20), 40).astype(float)
    x[:7] = [rows - 1, rows, -1, np.nan, np.inf, 1e30, rows - 1]
    y, d = np.zeros((5, 40)), np.zeros((5, rows))
    for b, code in enumerate(x):
        own = np.full(rows, 1 / rows)
        if code in range(rows):
            own = np.eye(1, rows, int(code))[0]
        y[:, b], d = table @ own, d + np.outer(g[:, b], own)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        with jax.enable_x64(dtype == np.float64):
            value, back = jax.jit(lambda t, x, g: (looked_up(t, x), jax.vjp(looked_up, t, x)[1](g)))(
                table.astype(dtype), x.astype(dtype), g.astype(dtype)
            )
            np.testing.assert_allclose(value, y, atol=tolerance)
            np.testing.assert_allclose(back[0], d, atol=tolerance)
            assert not back[1].any()
    weights = {"table0": table[None].astype(np.float32)}
    plain, _ = Embedding().apply(weights, (), x[None].astype(np.float32), training=False, key=0)
    assert isinstance(plain, np.ndarray)
    np.testing.assert_allclose(plain, y, atol=1e-5)


@pytest.mark.parametrize("rows", [40, 700])
def test_lookups_side_by_side_are_those_one_by_one(rows):
    """Three racers in a lane have the bits of each alone, in value and gradient, and the NaN of one is not felt."""
    rng = np.random.default_rng(1)
    table, g = rng.normal(size=(3, 4, rows)).astype(np.float32), rng.normal(size=(3, 4, 30)).astype(np.float32)
    x = rng.integers(0, rows + 1, (3, 30)).astype(np.float32)
    both = lambda t, x, g: (looked_up(t, x), jax.vjp(looked_up, t, x)[1](g)[0])  # noqa: E731
    lane, alone = jax.jit(jax.vmap(both)), jax.jit(both)
    together = lane(table, x, g)
    table[1], g[1], x[1] = np.nan, np.inf, np.nan
    broken = lane(table, x, g)
    for k in (0, 2):
        for one, many, ill in zip(alone(table[k], x[k], g[k]), together, broken, strict=True):
            np.testing.assert_array_equal(np.asarray(many)[k], np.asarray(ill)[k])
            np.testing.assert_allclose(np.asarray(many)[k], one, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(together[0])[0], np.asarray(alone(table[0], x[0], g[0])[0]))


# --- the data ---------------------------------------------------------------------------------------------------------


def test_codes_stand_in_every_variant_as_they_are(single):
    """Codes are the last columns of the table, in all stored variants and whatever the scaling of a racer; columns of
    zeros fill up the others to a multiple of eight, and codes of unseen and missing cells lie behind the levels."""
    made, (frame, _) = single.prepared, towns()
    table = made.columns(frame)
    assert made.columns.names == ("a", "b", "sea=x", "sea=y", "town")
    assert (made.columns.categories, made.plain) == ((LEVELS,), 4)
    assert made.x.shape[1] == wide(5, 1) == 9
    town = [f"town {k:02}" for k in range(LEVELS)]
    codes = [town.index(name) if name in town else LEVELS for name in frame["town"]]
    assert table[:, 4].tolist() == codes
    assert set(made.stored) > {"quantile_normal", "power"}
    for first in range(0, len(made.x), made.padded):
        np.testing.assert_array_equal(made.x[first : first + N, 4], codes)
        assert not made.x[first : first + N, 5:].any()
    for name in made.scalings:
        np.testing.assert_array_equal(made.as_raced(name, 0, CHOOSE)[:, 4], table[CHOOSE, 4])
        plain = scaling.REGISTRY[name].fit(table[TRAIN, :4])(table[CHOOSE, :4])
        np.testing.assert_allclose(made.as_raced(name, 0, CHOOSE)[:, :4], plain, rtol=1e-4, atol=1e-4)


def test_a_table_of_codes_alone(tmp_path):
    """A table whose one column is codes can be trained on, predicted and saved."""
    frame, y = towns()
    model = fit(frame.select("town"), y, recipe=RECIPE.with_fields({"learned_scale": "learned"}))
    assert model.net.sizes == (FEATURES, 6, 1)
    model.save(tmp_path)
    np.testing.assert_array_equal(load(tmp_path).predict(frame), model.predict(frame))
    assert np.isfinite(model.predict(pl.DataFrame({"town": ["elsewhere", None]}))).all()


# --- the net and its step ---------------------------------------------------------------------------------------------


def silu(h):
    return h / (1 + np.exp(-h))


def slope(h):
    s = 1 / (1 + np.exp(-h))
    return s * (1 + h * (1 - s))


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("name", ["z_score", "robust_clip", "quantile_normal"])
def test_a_gradient_is_that_of_a_float64_net(single, scale, name):
    """The gradient of a step in all weights, the vectors among them, is what the chain rule gives in float64 NumPy,
    row by row, from a scaler that saw no codes."""
    heat, made = single, single.prepared
    recipe = RECIPE.with_fields({"scaling": name, "learned_scale": "learned" if scale else "none"})
    one = Racer(0, recipe, 0)
    heat.enter(one)
    structure = structure_of(recipe, made)
    net, rng = structure.net, np.random.default_rng(5)
    weights, memory = net.init(rng)
    weights = jax.tree.map(lambda w: (w + 0.3 * rng.normal(size=w.shape)).astype(np.float32), weights)
    rows = np.array([0, 1, 2, 3, 264, 270, 271, 2])  # two have no vector of their own
    given = (one.knobs, jnp.int32(1), jnp.asarray(rows, jnp.int32), jnp.asarray(made.x), jnp.asarray(made.y))
    found = net.narrowed(gradient_of(structure, net.widened(weights, made.x.shape[1]), memory, *given)[0])

    v, *s, first, last = jax.tree.map(np.float64, weights)
    table, s = v["table0"][0], s[0]["scale"] if scale else np.ones((FEATURES + 4, 1))
    x = made.columns(towns()[0])
    z = scaling.REGISTRY[name].fit(x[TRAIN, :4])(x[:, :4])
    y = (made.labels - made.labels[TRAIN].mean()) / made.labels[TRAIN].std()
    zero = lambda a: np.zeros(a.shape)  # noqa: E731
    d = {k: zero(a) for k, a in (("t", table), ("s", s), ("w", first["w"]), ("b", first["b"]))}
    d |= {"u": zero(last["w"]), "c": zero(last["b"])}
    for r in rows:
        own = np.eye(LEVELS)[int(x[r, 4])] if x[r, 4] < LEVELS else np.full(LEVELS, 1 / LEVELS)
        f = np.concatenate([table @ own, z[r]])[:, None]
        h = first["w"] @ (s * f) + first["b"]
        e = 2 * (last["w"] @ silu(h) + last["b"] - y[r]) / len(rows)
        dh = (last["w"].T @ e) * slope(h)
        df = first["w"].T @ dh
        d["u"] += e @ silu(h).T
        d["c"] += e
        d["w"] += dh @ (s * f).T
        d["b"] += dh
        d["s"] += df * f
        d["t"] += np.outer((s * df)[:FEATURES], own)
    expected = [d["t"][None], *([d["s"]] if scale else []), d["b"], d["w"], d["c"], d["u"]]
    for mine, plain in zip(jax.tree.leaves(found), expected, strict=True):
        np.testing.assert_allclose(mine, plain, rtol=2e-4, atol=2e-5)
    assert np.abs(expected[0]).max() > 0.01

    out = outputs(structure, net.widened(weights, made.x.shape[1]), memory, *given[:1], *given[2:4])
    np.testing.assert_allclose(out, net.predict(weights, memory, made.as_raced(name, 0, rows)), atol=1e-4)


NETS = {
    "plain": {},
    "periodic, scale": {"embedding": "periodic", "learned_scale": "learned"},
    "residual, batch norm": {"block": "residual", "normalisation": "batch_norm"},
    "linear": {"depth": 0},
    "bins": {"embedding": "piecewise_linear"},
}


@pytest.mark.parametrize("fields", NETS.values(), ids=NETS.keys())
def test_only_learned_features_pass_a_gradient_on(fields):
    """In every kind of net the gradient of all weights is the one of a net that passes all gradients on."""
    rng = np.random.default_rng(2)
    net = RECIPE.with_fields(fields).net(7, 2, 3, (35, 600))
    weights, memory = net.init(rng)
    weights = jax.tree.map(lambda w: (w + 0.2 * rng.normal(size=w.shape)).astype(np.float32), weights)
    x = np.concatenate([rng.normal(size=(5, 9)), rng.integers(0, 36, (2, 9))]).astype(np.float32)

    def gradient(passed):
        own = net if passed is None else AllPassed(**dataclasses.asdict(net))
        loss = lambda w: jnp.sin(own.apply(w, memory, jnp.asarray(x), training=True)[0]).sum()  # noqa: E731
        return jax.jit(jax.grad(loss))(weights)

    for some, every in zip(jax.tree.leaves(gradient(None)), jax.tree.leaves(gradient(-1)), strict=True):
        np.testing.assert_allclose(some, every, rtol=1e-4, atol=1e-5)
    assert 0 < net.passed < net.sizes[0]


class AllPassed(Net):
    """A net whose first dense layer passes the gradient of all features on."""

    passed = -1


def test_shape_and_cost_of_codes():
    """Each column of codes becomes FEATURES features in front of all others; its table counts among the parameters, and
    a step with more of them costs more."""
    net = Recipe(embedding="periodic").net(10, 3, 4, (31, 900))
    assert (net.plain, net.resolved, net.front) == (8, 4, 2)
    assert net.sizes[0] == 2 * FEATURES + 4 * 4 + 4
    leaves = jax.tree.leaves(net.init(np.random.default_rng(0))[0])
    assert net.parameters == sum(leaf.size for leaf in leaves)
    assert Net(3, 1, 1, 4, categories=[5]) == Net(3, 1, 1, 4, categories=(5,))
    of = lambda *codes: step_seconds(Structure(Recipe().net(9, 1, 3, codes), 128, "softmax"), 1)  # noqa: E731
    times = [of(), of(31), of(400), of(600), of(600, 600), of(5000, 5000)]
    assert sorted(times) == times
    assert len(set(times)) == 6


# --- in a race --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{}, {"embedding": "periodic", "learned_scale": "learned"}], ids=["plain", "waves"])
def test_a_racer_of_codes_is_the_same_alone_and_in_company(fields, tmp_path):
    """A racer has the same bits beside another as alone; its score is that of its model, saved and read back, with
    unseen and missing towns among the rows."""
    recipe = RECIPE.with_fields(fields)
    heat = heat_of(recipe, ("adam", "muon"), 2)
    made = [racer(4, recipe, dropout=0.1), racer(5, recipe, scaling="robust_clip"), racer(4, recipe, dropout=0.1)]
    ill = [racer(4, recipe, dropout=0.1), racer(6, recipe, learning_rate=1e18)]
    for crew in (made[:2], made[2:], ill):
        Crew(heat, crew).advance(60, [30, 60], lambda: False)
    assert bits(made[0]) == bits(made[2]) == bits(ill[0])
    assert bits(made[0]) != bits(made[1])
    assert ill[1].diverged
    muon = racer(7, recipe, rule="muon")
    Crew(heat, [muon]).advance(60, [30, 60], lambda: False)
    frame, _ = towns()
    for one in (made[1], muon):
        model = model_of(heat, one.recipe, 0, one.best)
        model.save(tmp_path)
        again = load(tmp_path)
        assert again.net == heat.structure.net
        answer = again.predict(frame)
        np.testing.assert_array_equal(answer, model.predict(frame))
        cost = heat.metric.cost(heat.prepared.labels[CHOOSE], answer[CHOOSE])
        np.testing.assert_allclose(one.best.cost, cost, rtol=1e-5)


def test_muon_takes_no_table_for_a_matrix():
    """Vectors walk by AdamW under Muon, in one table as in another."""
    net = RECIPE.net(5, 1, 2, (40,))
    memory = rules.Muon().init(net.init(np.random.default_rng(0))[0])
    assert isinstance(memory[0]["table0"], OtherMemory)


@pytest.mark.parametrize("name", [name for name in rules.REGISTRY if name != "from_optax"])
def test_every_rule_learns_vectors(name):
    """Two steps of every rule move the vectors of levels in the batch, and keep all finite."""
    rule, net = rules.REGISTRY[name](), RECIPE.net(2, 1, 1, (40,))
    weights, memory = jax.tree.map(jnp.asarray, net.init(np.random.default_rng(0)))
    x = jnp.asarray(np.stack([np.linspace(-1, 1, 8), np.arange(8.0)]), jnp.float32)
    loss = lambda w: ((net.apply(w, memory, x, training=True)[0] - 1) ** 2).mean()  # noqa: E731
    before, state = weights, rule.init(weights)
    for t in (1.0, 2.0):
        delta, state = rule.step(jax.grad(loss)(weights), state, weights, t=jnp.float32(t), rate=jnp.float32(0.01))
        weights = jax.tree.map(jnp.add, weights, delta)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(weights))
    moved = jnp.abs(weights[0]["table0"] - before[0]["table0"])[0].max(0)
    assert bool((moved[:8] > 0).all())


def test_an_unseen_level_is_the_mean_of_all_vectors():
    """A town that no training row had is predicted as a net does that is given the mean of all vectors."""
    frame, y = towns()
    known = frame["town"].is_in([f"town {k:02}" for k in range(LEVELS)]).fill_null(False)
    model = fit(frame.filter(known), y[known.to_numpy()], recipe=RECIPE)
    unseen = model.predict(frame.with_columns(town=pl.lit("nowhere")))
    mean = model.weights[0]["table0"].mean(2, keepdims=True)
    flat = dataclasses.replace(model, weights=({"table0": 0 * model.weights[0]["table0"] + mean}, *model.weights[1:]))
    np.testing.assert_allclose(flat.predict(frame), unseen, rtol=1e-4)
    assert np.abs(model.predict(frame) - unseen).max() > 0.1


def test_a_race_on_codes(tmp_path):
    """A race, its baselines, its ensemble and its refit on test rows take codes, and so does its continuation."""
    frame, y = towns()
    given = {"fixed": {"depth": 1, "width": 8, "embedding": "none", "rule": "adam"}, "recipes": 4, "epochs": 8}
    result = race(frame, y, out=tmp_path / "run", refit="all", **given)
    assert np.isfinite(result.model.predict(frame)).all()
    assert np.isfinite(result.ensemble.predict(frame)).all()
    assert result.about["refit"]["rows"] == len(frame)
    baselines = result.leaderboard.filter(pl.col("kind") == "baseline")
    assert baselines["outcome"].to_list() == ["finished"] * 3
    again = race(frame, y, extend=tmp_path / "run", **given)
    about = json.loads((tmp_path / "run" / "model" / "model.json").read_text(encoding="utf-8"))
    assert about["net"]["categories"] == list(again.model.columns.categories)
    np.testing.assert_array_equal(load(tmp_path / "run").predict(frame), again.model.predict(frame))
