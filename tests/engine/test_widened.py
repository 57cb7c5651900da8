"""Columns of zeros behind those of the table: they change nothing, and no model has them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom import load, rules, scaling
from slalom.crew import Crew
from slalom.finish import model_of
from slalom.lane import Data
from slalom.net import COLUMNS, EMBEDDINGS, Net, wide
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.seats import Placed
from slalom.step import signed, to_score

from .heats import BATCH, CHOOSE, EPOCHS, D, compiled, heat_of, table

pytestmark = pytest.mark.long

# An element-wise rule, one that sums over arrays, one with an average to score, and one that must not see the zeros.
RACED = ("adamw", "lamb", "ema", "muon")
SHAPE = {"depth": 1, "width": 6}
NET = Net(inputs=D, outputs=2, **SHAPE)
MANY = [
    Net(d, 2, depth, 6, embedding=e, learned_scale=scale)
    for d, depth, e, scale in itertools.product((1, 3, 8), (0, 2), EMBEDDINGS, (False, True))
]


def narrow_heat(task, **shape):
    """A heat whose X has the columns of the table alone."""
    heat = heat_of(task, **shape)
    heat.data = Placed(Data(np.ascontiguousarray(heat.prepared.x[:, :D]), heat.prepared.y))
    return heat


def pair_of(names, **shape):
    """The heat of a race and the narrow one, compiled."""
    heats = [heat_of("multiclass", **SHAPE, **shape), narrow_heat("multiclass", **SHAPE, **shape)]
    assert [heat.data.tree.x.shape[1] for heat in heats] == [COLUMNS, D]
    return [compiled(heat, names, 1) for heat in heats]


@pytest.fixture(scope="module")
def plain():
    """The wide and the narrow heat of plain nets."""
    return pair_of(RACED)


def racer_of(name, **fields):
    """A racer with everything that touches its weights: both penalties, and features left out."""
    rule = rules.REGISTRY[name]()
    middle = float(np.sqrt(np.prod(rule.rates)))
    common = {"batch_size": BATCH, "epochs": EPOCHS, "learning_rate": middle, "weight_decay": 0.01, "dropout": 0.1}
    return Racer(0, Recipe(rule=rule, l1=1e-3, **SHAPE, **common | fields), 0)


def zeros_of(tree):
    """What stands in the columns of zeros."""
    return tree[0]["w"][..., D:]


def same(one, other):
    """Whether two trees have the same bits."""
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


# --- the padding itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "kept"), [(1, 8), (7, 8), (8, 8), (9, 16), (30, 32), (100, 104)])
def test_x_is_kept_in_multiples_of_eight_columns(columns, kept):
    """`wide` is the next multiple of eight."""
    assert wide(columns) == kept


def test_prepared_columns_are_zeros_behind_the_tables_own():
    """In X as a race keeps it, every variant and every fold, nothing but 0 stands behind the columns of the table."""
    x = heat_of("regression").prepared.x
    assert x.shape[1] == wide(D)
    assert not x[:, D:].any()
    assert (np.abs(x[:, :D]).sum(0) > 0).all()


@pytest.mark.parametrize("net", MANY, ids=lambda net: f"{net.inputs}-{net.depth}-{net.embedding}-{net.learned_scale}")
@pytest.mark.parametrize("racers", [(), (5,)], ids=["one", "stacked"])
def test_narrowed_is_the_way_back_of_widened(net, racers):
    """Widened and narrowed again, weights are what they were, in NumPy, in JAX and stacked; an embedding has no zeros
    behind it."""
    weights, _ = net.init(np.random.default_rng(0))
    weights = jax.tree.map(lambda w: np.broadcast_to(w, (*racers, *w.shape)) + np.float32(0.5), weights)
    for kind in (lambda tree: tree, lambda tree: jax.tree.map(jnp.asarray, tree)):
        there = net.widened(kind(weights), wide(net.inputs))
        same(net.narrowed(there), weights)
        if net.embedding == "none":
            first = there[net.front]["w"]
            assert isinstance(first, np.ndarray) == isinstance(kind(weights)[net.front]["w"], np.ndarray)
            assert first.shape == (*racers, net.sizes[1], 8)
            assert not first[..., net.inputs :].any()
            if net.learned_scale:
                assert there[0]["scale"].shape == (*racers, 8, 1)
                assert not there[0]["scale"][..., net.inputs :, :].any()
            same(there[net.front + 1 :], weights[net.front + 1 :])
        else:
            same(there, weights)


def test_a_net_answers_zeros_alike():
    """A widened net on widened rows is the net on its rows."""
    weights, memory = NET.init(np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(D, 9)).astype(np.float32)
    padded = np.pad(x, [(0, COLUMNS - D), (0, 0)])
    outputs = [
        NET.apply(w, memory, rows, training=False)[0]
        for w, rows in ((weights, x), (NET.widened(weights, COLUMNS), padded))
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-6, atol=1e-6)  # a product of another shape may sum in another order


# --- rules ------------------------------------------------------------------------------------------------------------


def walked(rule, columns, steps=5):
    """(the weights of every step, the last that are scored) of a rule alone, with so many columns; there is no gradient
    in the columns of zeros, and none of the first biases, as in front of batch norm."""
    rng = np.random.default_rng(0)
    narrow, _ = NET.init(rng)
    weights = jax.tree.map(jnp.asarray, NET.widened(narrow, columns))
    memory, path = rule.init(weights), []
    for t in range(1, steps + 1):
        drawn = jax.tree.map(lambda w: rng.normal(size=w.shape).astype(np.float32), narrow)
        drawn[0]["b"][:] = 0
        gradient = jax.tree.map(jnp.asarray, NET.widened(drawn, columns))
        delta, memory = rule.step(gradient, memory, weights, t=jnp.float32(t), rate=jnp.float32(0.01))
        weights = jax.tree.map(jnp.add, weights, delta)
        path.append(weights)
    return path, rule.weights_to_score(weights, memory)


@pytest.mark.parametrize("name", rules.REGISTRY)
def test_zeros_mean_nothing_to_a_rule_that_says_so(name):
    """A rule that `ignores_zeros` takes the same steps with the columns of zeros as without, and leaves 0 in them;
    every rule leaves a bias at 0 that has no gradient."""
    rule = rules.REGISTRY[name]()
    narrow, scored = walked(rule, D)
    assert all((weights[0]["b"] == 0).all() for weights in [*narrow, scored])
    assert (narrow[-1][1]["b"] != 0).all()
    if not rule.ignores_zeros:
        assert name in ("muon", "from_optax")
        return
    path, padded = walked(rule, COLUMNS)
    for a, b in [*zip(narrow, path, strict=True), (scored, padded)]:
        assert (zeros_of(b) == 0).all()
        for n, w in zip(jax.tree.leaves(a), jax.tree.leaves(NET.narrowed(b)), strict=True):
            # Bit for bit where measured; a sum over the tree may be taken in another order.
            np.testing.assert_allclose(w, n, rtol=5e-7, atol=0)


def test_zeros_would_mean_something_to_muon():
    """Muon's steps have the size of its matrices' shapes: with columns of zeros they are others, so that it says no."""
    (narrow, _), (path, _) = walked(rules.Muon(), D), walked(rules.Muon(), COLUMNS)
    assert np.abs(narrow[-1][0]["w"] - NET.narrowed(path[-1])[0]["w"]).max() > 1e-4


def test_a_wrapping_rule_ignores_what_the_rule_inside_ignores():
    """Around Muon nothing ignores zeros, around Adam everything does, however many rules stand between."""
    for cls in (rules.ClipNorm, rules.ClipValue, rules.Lookahead, rules.EMA, rules.SWA):
        assert not cls(rules.Muon()).ignores_zeros
        assert cls(rules.Adam()).ignores_zeros
        assert not cls.ignores_zeros  # of the class, that of a rule that says nothing
    assert not rules.EMA(rules.ClipNorm(rules.Muon())).ignores_zeros


def test_the_l1_term_of_a_zero_is_zero():
    """λ₁ sign(w) moves no weight that is 0, of either sign: neither the columns of zeros nor a bias that is lost."""
    assert (np.asarray(jax.jit(signed)(np.float32(0.1), np.array([0.0, -0.0], np.float32))) == 0).all()


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RACED)
def test_training_with_zeros_is_training_without(plain, name):
    """A racer on the padded table is the racer on the table, bit for bit, at every stop; 0 stays in its own columns."""
    # A product over eight columns adds five zeros to the sum over three, and the sums over a tree run along columns:
    # measured bit for bit for all 32 rules. A device that sums otherwise would need a tolerance here.
    pair = [racer_of(name) for _ in plain]
    for stop in (1, 2, 7, 40):
        for heat, one in zip(plain, pair, strict=True):
            Crew(heat, [one]).advance(stop, [stop], lambda: False)
        padded, narrow = (one.state.weights for one in pair)
        assert (zeros_of(padded) == 0).all()
        same(NET.narrowed(padded), narrow)
        same(pair[0].best.weights, pair[1].best.weights)
    assert pair[0].costs == pair[1].costs
    assert np.isfinite(list(pair[0].costs.values())).all()
    first = plain[0].structure.net.init(np.random.default_rng([plain[0].seed, 3, 0, 0]))[0]
    assert np.abs(pair[0].state.weights[1]["w"] - first[1]["w"]).max() > 1e-3


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_learned_scale_has_no_use_for_columns_of_zeros(name, tmp_path):
    """A racer with a learned scale is on the padded table what it is on the table, bit for bit; its scale moves, and
    stays 0 in front of the columns of zeros; it is saved with the table's own columns."""
    heats = pair_of([name], learned_scale="learned")
    pair = [racer_of(name, learned_scale="learned") for _ in heats]
    for heat, one in zip(heats, pair, strict=True):
        Crew(heat, [one]).advance(40, [20, 40], lambda: False)
    padded, narrow = (one.state.weights for one in pair)
    assert padded[0]["scale"].shape == (COLUMNS, 1)
    assert not padded[0]["scale"][D:].any()
    same(heats[0].structure.net.narrowed(padded), narrow)
    assert np.abs(narrow[0]["scale"] - 1).min() > 1e-3
    assert_saved(heats[0], pair[0], tmp_path)


def test_a_rule_that_does_not_ignore_zeros_never_sees_them(plain):
    """The memory of Muon has the shapes of the narrow net, that of Adam those of the wide one."""
    heat = plain[0]
    shapes = {}
    for name in ("muon", "adamw"):
        one = racer_of(name)
        heat.enter(one)
        memory = heat.program.room.unpack(one.kind, one.state.rule)
        shapes[name] = {leaf.shape for leaf in jax.tree.leaves(memory) if leaf.ndim == 2 and 1 not in leaf.shape}
    assert shapes == {"muon": {(6, D), (3, 6)}, "adamw": {(6, COLUMNS), (3, 6)}}


def test_weights_to_score_are_widened_again():
    """What a rule is scored with has the columns of X, whether the rule sees the columns of zeros or not."""
    weights = NET.widened(NET.init(np.random.default_rng(0))[0], COLUMNS)
    for rule in (rules.Lookahead(rules.Muon()), rules.EMA(), rules.Adam()):
        memory = rule.init(weights if rule.ignores_zeros else NET.narrowed(weights))
        scored = to_score(NET, rule, weights, memory, COLUMNS)
        assert scored[0]["w"].shape == (6, COLUMNS)
        assert (zeros_of(scored) == 0).all()
        same(scored, weights)


@pytest.mark.parametrize("embedding", [name for name in EMBEDDINGS if name != "none"])
def test_an_embedded_net_races_on_the_tables_own_columns(embedding, tmp_path):
    """An embedding makes nothing of the columns of zeros: its net has the weights, the edges and the scores of a race
    without them, and the model that is saved predicts as it was scored."""
    pair = [racer_of("muon", embedding=embedding, scaling="robust_clip") for _ in range(2)]
    heats = pair_of(["muon"], embedding=embedding)
    for heat, one in zip(heats, pair, strict=True):
        Crew(heat, [one]).advance(20, [10, 20], lambda: False)
    same(pair[0].state, pair[1].state)
    assert pair[0].costs == pair[1].costs
    assert_saved(heats[0], pair[0], tmp_path)


def test_the_saved_model_has_the_narrow_shapes(plain, tmp_path):
    """A model has the shapes of its own net, on disk too, and predicts what its racer was scored with."""
    for name in ("adamw", "ema", "muon"):
        one = racer_of(name)
        Crew(plain[0], [one]).advance(20, [20], lambda: False)
        assert_saved(plain[0], one, tmp_path / name)
        same(Crew(plain[0], [one]).moment().weights, one.best.weights)


def assert_saved(heat, one, folder):
    """The model of a racer's best moment: its shapes, its predictions before and after the disk, its cost."""
    model = model_of(heat, one.recipe, 0, one.best)
    shapes = lambda tree: [leaf.shape for leaf in jax.tree.leaves(tree)]  # noqa: E731
    assert shapes(model.weights) == shapes(heat.structure.net.init(np.random.default_rng(0))[0])
    model.save(folder)
    again = load(folder)
    assert shapes(again.weights) == shapes(model.weights)
    x, y = table("multiclass")
    rows = x[CHOOSE]
    np.testing.assert_array_equal(again.answer(rows), model.answer(rows))
    cost = heat.metric.cost(heat.prepared.labels[CHOOSE], again.answer(rows))
    np.testing.assert_allclose(one.best.cost, cost, rtol=1e-5)  # float32
    assert scaling.REGISTRY[one.recipe.scaling] is type(again.scaler)
    assert len(np.unique(y)) == again.net.outputs
