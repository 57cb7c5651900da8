"""The net against a plain float64 one, written out here: outputs, gradients, sizes, and prediction without JAX."""

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from slalom.blocks import BLOCKS
from slalom.errors import SlalomError
from slalom.layers import ACTIVATIONS, INITIALISERS, Dropout, Scale
from slalom.layers.batch_norm import BatchNormMemory
from slalom.losses import LOSSES, measured, predictions
from slalom.net import EMBEDDINGS, NORMALISATIONS, PLACEMENTS, Net

SHAPE = {"inputs": 3, "outputs": 2, "depth": 2, "width": 5}
ROWS = 7
EVERY_NET = [
    Net(**SHAPE | {"width": 16 if n == "group_norm" else 5}, activation=a, normalisation=n, placement=p, embedding=e)
    for a, n, p, e in itertools.product(ACTIVATIONS, NORMALISATIONS, PLACEMENTS, EMBEDDINGS)
    if (a in ("relu", "silu") or (n, e) == ("none", "none")) and (n != "none" or p == "before")
]
EVERY_NET += [
    Net(**SHAPE, activation="silu", normalisation=n, embedding=e, learned_scale=True)
    for n, e in itertools.product(("none", "batch_norm"), EMBEDDINGS)
]
EVERY_NET += [
    Net(**SHAPE | {"width": 16 if n == "group_norm" else 5}, activation=a, normalisation=n, block="residual")
    for a, n in itertools.product(("relu", "silu"), NORMALISATIONS)
]
EVERY_NET += [Net(**SHAPE, normalisation="batch_norm", embedding="periodic", learned_scale=True, block="residual")]
EVERY_NET += [
    Net(**SHAPE, activation="silu", embedding=e, embedding_size=k, embedded=d, learned_scale=True, block=b)
    for e, k, d, b in (
        ("periodic", 8, -1, "plain"), ("periodic", 2, 2, "residual"), ("periodic", 0, 1, "plain"),
        ("piecewise_linear", 5, 2, "plain"), ("piecewise_linear", 32, -1, "residual"),
    )
]  # fmt: skip


def name_of(net):
    parts = (net.activation, net.normalisation, net.placement, net.embedding, net.block)
    return "-".join(parts) + "-scaled" * net.learned_scale + f"-{net.embedding_size}-{net.embedded}"


EACH_NET = pytest.mark.parametrize("net", EVERY_NET, ids=name_of)
F64 = {
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x * scipy.special.expit(x),
    "gelu": lambda x: x * scipy.special.ndtr(x),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "tanh": np.tanh,
    "sigmoid": scipy.special.expit,
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "identity": lambda x: x,
}


def plain_outputs(net, weights, memory, x, *, training):
    """The outputs [N, C] for rows x [N, D], rows first, as a text book writes it; batch statistics in training."""

    def normalise(h, layer, kept):
        if net.normalisation == "layer_norm":
            mean, variance = h.mean(1, keepdims=True), h.var(1, keepdims=True)
        elif net.normalisation == "group_norm":  # 16 features: two groups of eight
            halves = h.reshape(-1, 2, 8)
            mean, variance = (np.repeat(m, 8, 1) for m in (halves.mean(2), halves.var(2)))
        elif training:
            mean, variance = h.mean(0), h.var(0)
        else:
            mean, variance = kept.mean[:, 0] / kept.weight, kept.variance[:, 0] / kept.weight
        return (h - mean) / np.sqrt(variance + 1e-5) * layer["gain"][:, 0] + layer["shift"][:, 0]

    h = x
    if net.embedding != "none":
        h = embedded(net, weights[0], memory[0], x)
        weights, memory = weights[1:], memory[1:]
    if net.learned_scale:
        h = h * weights[0]["scale"][:, 0]
        weights, memory = weights[1:], memory[1:]
    if net.block == "residual":
        return residual(net, weights, memory, h, normalise)
    for layer, kept in zip(weights[:-1], memory, strict=True):
        h = h @ layer["w"].T + layer["b"][:, 0]
        if net.normalisation != "none" and net.placement == "before":
            h = normalise(h, layer, kept)
        h = F64[net.activation](h)
        if net.normalisation != "none" and net.placement == "after":
            h = normalise(h, layer, kept)
    return h @ weights[-1]["w"].T + weights[-1]["b"][:, 0]


def residual(net, weights, memory, h, normalise):
    """The outputs [N, C] for features h [N, F] of residual blocks, as Gorishniy et al. 2021 write them."""
    dense = lambda layer, h: h @ layer["w"].T + layer["b"][:, 0]  # noqa: E731
    act, last = F64[net.activation], len(weights) - 1

    def norm(i, h):
        return normalise(h, weights[i], memory[i]) if net.normalisation != "none" else h

    h = dense(weights[0], h)
    for i in range(1, last, 2):
        h = h + dense(weights[i + 1], act(dense(weights[i], norm(i - 1, h))))
    return dense(weights[last], act(norm(last - 1, h)))


def embedded(net, own, kept, x):
    """Each column as its features, side by side, for rows x [N, D]."""
    parts = []
    for i, column in enumerate(x.T):
        if i == net.embedded:
            return np.concatenate([*parts, x[:, i:]], 1)
        if net.embedding == "periodic":
            waves = np.cos(2 * np.pi * np.outer(column, own["frequency"][i]) + own["phase"][i, :, 0])
            parts += [column[:, None], waves @ own["w"][i].T + own["b"][i, :, 0]]
        else:
            edges = kept.edges[i]
            t = np.clip(np.searchsorted(edges, column, "right") - 1, 0, len(edges) - 2)  # the bin that x stands in
            place = (column - edges[t]) / np.diff(edges)[t]
            bins = np.arange(len(edges) - 1)
            parts.append(np.where(bins == t[:, None], place[:, None], 1.0 * (bins < t[:, None])))
    return np.concatenate(parts, 1)


def random_state(net, rng, dtype=np.float32):
    """Weights and memory with no element at its starting value, so that every term of the formula counts."""
    edges = np.sort(rng.normal(size=(net.resolved, net.bins + 1)), 1).astype(np.float32) if net.bins else None
    weights, memory = net.init(rng, edges=edges)
    weights = jax.tree.map(lambda a: (a + 0.3 * rng.normal(size=a.shape)).astype(dtype), weights)
    size = (net.width, 1)
    if net.normalisation == "batch_norm":
        memory = tuple(
            BatchNormMemory(
                rng.normal(size=size).astype(dtype), rng.uniform(0.2, 1, size).astype(dtype), np.full(1, 0.7, dtype)
            )
            if isinstance(one, BatchNormMemory)
            else one
            for one in memory
        )
    return weights, jax.tree.map(lambda a: a.astype(dtype), memory)


@EACH_NET
def test_net_is_the_plain_one(net):
    """A net answers as the plain float64 net does: in training, in a program and in NumPy's prediction."""
    rng = np.random.default_rng(3)
    weights, memory = random_state(net, rng)
    x = rng.normal(size=(ROWS, 3)).astype(np.float32)
    apply = jax.jit(lambda w, m, x: [net.apply(w, m, x, training=training)[0] for training in (False, True)])
    inside = apply(weights, memory, x.T)
    for training in (False, True):
        exact = plain_outputs(net, weights, memory, x.astype(np.float64), training=training)
        np.testing.assert_allclose(inside[training].T, exact, rtol=1e-5, atol=2e-5)  # float32, three layers deep
    alone = net.predict(weights, memory, x)
    assert isinstance(alone, np.ndarray)
    assert alone.dtype == np.float32
    np.testing.assert_allclose(alone, inside[False], rtol=1e-5, atol=1e-5)  # the same sums in another order
    assert np.abs(alone).max() > 0.1


@pytest.mark.parametrize(
    "net",
    # a kink of a rectifier within 2e-4 would be no slope: residual nets have enough layers to meet one
    [
        n
        for n in EVERY_NET
        if n.activation != "relu" or (n.normalisation in ("none", "batch_norm") and n.block == "plain")
    ],
    ids=name_of,
)
def test_gradient_of_a_net_is_its_slope(net):
    """The gradient that trains a net, along a random direction of all weights, is the plain net's slope there."""
    rng = np.random.default_rng(4)
    weights, memory = random_state(net, rng, np.float64)
    x, c = rng.normal(size=(ROWS, 3)), rng.normal(size=(ROWS, 2))
    with jax.enable_x64(True):
        loss = lambda w: (jnp.sin(net.apply(w, memory, jnp.asarray(x.T), training=True)[0].T) * c).sum()  # noqa: E731
        gradient = jax.jit(jax.grad(loss))(jax.tree.map(jnp.asarray, weights))
    towards = jax.tree.map(lambda a: rng.normal(size=a.shape), weights)
    mine = sum(
        (np.asarray(g) * d).sum() for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(towards), strict=True)
    )

    def along(h):
        moved = jax.tree.map(lambda w, d: w + h * d, weights, towards)
        return (np.sin(plain_outputs(net, moved, memory, x, training=True)) * c).sum()

    slope = (8 * (along(1e-4) - along(-1e-4)) - (along(2e-4) - along(-2e-4))) / 12e-4  # error h⁴: 1e-12 at best
    assert abs(slope) > 1e-3
    np.testing.assert_allclose(mine, slope, rtol=1e-6)


def test_batch_norm_carries_its_memory_through_the_net():
    """A step of training moves every layer's moving averages towards its own batch, in the layers' order."""
    net = Net(**SHAPE, normalisation="batch_norm")
    rng = np.random.default_rng(0)
    weights, memory = net.init(rng)
    x = rng.normal(size=(ROWS, 3)).astype(np.float32)
    _, after = net.apply(weights, memory, jnp.asarray(x.T), training=True)
    before_norm = x @ weights[0]["w"].T
    np.testing.assert_allclose(after[0].mean[:, 0], 0.1 * before_norm.mean(0), atol=1e-6)
    np.testing.assert_allclose(after[0].variance[:, 0], 0.1 * before_norm.var(0), atol=1e-6)
    assert len(after) == 2
    assert not np.allclose(after[0].mean, after[1].mean)
    _, unmoved = net.apply(weights, after, jnp.asarray(x.T), training=False)
    assert unmoved is not after
    assert all(a is b for a, b in zip(jax.tree.leaves(unmoved), jax.tree.leaves(after), strict=True))


def test_depth_zero_is_a_linear_model():
    """A net of depth 0 is W x + b: no memory, no activation, whatever normalisation is named."""
    net = Net(inputs=3, outputs=2, depth=0, width=99, activation="tanh", normalisation="batch_norm")
    weights, memory = net.init(np.random.default_rng(0))
    assert (net.sizes, net.parameters, memory, len(weights)) == ((3, 2), 8, (), 1)
    x = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    expected = weights[0]["w"].astype(np.float64) @ x.T + weights[0]["b"]
    np.testing.assert_allclose(net.predict(weights, memory, x), expected, atol=1e-6)
    inside, carried = net.apply(weights, memory, jnp.asarray(x.T), training=True, dropout=jnp.float32(0.9))
    np.testing.assert_allclose(inside, expected, atol=1e-6)  # no hidden feature, nothing to leave out
    assert carried == ()


@pytest.mark.parametrize("depth", [0, 1, 4])
@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize(("scale", "block"), [(False, "plain"), (True, "plain"), (False, "residual")])
def test_parameters_are_counted(depth, embedding, scale, block):
    """`parameters` is the number of numbers that `init` makes; `sizes` are the features between the layers it makes."""
    for normalisation in NORMALISATIONS:
        net = Net(**SHAPE | {"depth": depth}, normalisation=normalisation, embedding=embedding, learned_scale=scale)
        net = dataclasses.replace(net, block=block)
        hidden = 2 * depth + 1 if block == "residual" and depth else depth
        weights, memory = net.init(np.random.default_rng(0))
        assert net.parameters == sum(leaf.size for leaf in jax.tree.leaves(weights))
        dense = [w["w"].shape for w in weights[net.front :]]
        assert dense == [(b, a) for a, b in itertools.pairwise(net.sizes)]
        assert len(weights) == len(memory) + 1 == hidden + 1 + (embedding != "none") + scale
        assert all(isinstance(layer, dict) for layer in weights)
        assert all(one == () or hasattr(one, "_fields") for one in memory)  # as a model folder takes them
        matrices = [w for layer in weights for w in layer.values() if w.ndim == 2 and min(w.shape) > 1]
        assert len(matrices) == len(dense)  # what rules for matrices take for one is a dense layer's W
        assert net.bins == (16 if embedding == "piecewise_linear" else 0)


def test_flops_are_counted():
    """`flops` counts 2 a multiply-add: three products a layer, but no gradient of the table itself."""
    assert Net(16, 3, 2, 64).flops(64) == 6 * 64 * (16 * 64 + 64 * 64 + 64 * 3) - 2 * 64 * 16 * 64 == 1_908_736
    assert Net(16, 3, 2, 64).parameters == 16 * 64 + 64 + 64 * 64 + 64 + 64 * 3 + 3 == 5_443
    for depth, batch, embedding, block in itertools.product((0, 1, 3), (1, 32), EMBEDDINGS, BLOCKS):
        net = Net(7, 2, depth, 5, embedding=embedding, block=block, learned_scale=batch == 1)
        assert len(net.sizes) == 2 + (2 * depth + 1 if block == "residual" and depth else depth)
        total = 0
        for i, (a, b) in enumerate(itertools.pairwise(net.sizes)):
            forward = weight_gradient = input_gradient = 2 * batch * a * b
            total += forward + weight_gradient + (input_gradient if i or embedding == "periodic" else 0)
        if embedding == "periodic":
            total += 3 * 2 * batch * 7 * 3 * 16  # three mixtures of 16 waves for each of 7 columns
        assert net.flops(batch) == total


@pytest.mark.parametrize(("size", "embedded"), [(0, -1), (8, -1), (6, 2), (0, 1)])
@pytest.mark.parametrize("embedding", ["periodic", "piecewise_linear"])
def test_embeddings_are_counted(embedding, size, embedded):
    """Of an embedding of any size, of some columns or all, `parameters`, `sizes`, `bins` and `flops` say what `init`
    makes and a step computes: the gradient of what it made of the columns, where there is something to learn in it."""
    net = Net(**SHAPE, embedding=embedding, embedding_size=size, embedded=embedded, learned_scale=True)
    k, d = size or {"periodic": 4, "piecewise_linear": 16}[embedding], 3 if embedded < 0 else embedded
    weights, memory = net.init(np.random.default_rng(0))
    assert net.sizes == (d * k + 3 - d, 5, 5, 2)
    assert net.parameters == sum(leaf.size for leaf in jax.tree.leaves(weights))
    assert net.bins == (k if embedding == "piecewise_linear" else 0)
    assert weights[1]["scale"].shape == (net.sizes[0], 1)
    if embedding == "periodic":
        assert weights[0]["w"].shape == (d, k - 1, 16)
    else:
        assert memory[0].edges.shape == (d, k + 1)
    learned = embedding == "periodic"
    first = 2 * net.sizes[0] * 5 + (d * k * 5 if learned else 0)  # W x, the gradient in W, and that in x where needed
    assert net.flops(7) == 2 * 7 * (first + 3 * (25 + 10) + (3 * d * 16 * (k - 1) if learned else 0))


def test_sigma_spreads_the_first_frequencies():
    """A periodic embedding starts with frequencies of spread sigma, 0.1 where it is 0, and all else is the same."""
    net = Net(300, 2, 1, 5, embedding="periodic")
    own, wide = (net.init(np.random.default_rng(0), sigma=sigma)[0] for sigma in (0.0, 2.5))
    np.testing.assert_allclose(wide[0]["frequency"], 25 * own[0]["frequency"], rtol=1e-6)
    assert abs(wide[0]["frequency"].std() / 2.5 - 1) < 0.05
    for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(wide), strict=True):
        assert a.shape == (300, 16, 1) or np.array_equal(a, b)


@pytest.mark.parametrize("embedding", ["periodic", "piecewise_linear"])
def test_an_embedding_stands_in_front(embedding):
    """An embedded net is the same net on the embedded columns, its own weights and memory standing in front."""
    net = Net(**SHAPE, normalisation="batch_norm", embedding=embedding)
    weights, memory = random_state(net, np.random.default_rng(2))
    x = np.random.default_rng(1).normal(size=(ROWS, 3)).astype(np.float32)
    layer, k = EMBEDDINGS[embedding]
    made, _ = layer.apply(weights[0], memory[0], x.T, training=False, key=0)
    behind = Net(**SHAPE | {"inputs": 3 * k}, normalisation="batch_norm")
    assert (behind.sizes, made.shape) == (net.sizes, (3 * k, ROWS))
    expected = behind.predict(weights[1:], memory[1:], made.T)
    np.testing.assert_array_equal(net.predict(weights, memory, x), expected)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("depth", [0, 2])
def test_a_learned_scale_is_its_layer_in_front_of_the_first_dense_layer(embedding, depth):
    """A scaled net is the net behind on features that `Scale` has scaled; at its start it is the net without scale."""
    shape = SHAPE | {"depth": depth}
    net, plain = (Net(**shape, embedding=embedding, learned_scale=scale) for scale in (True, False))
    weights, memory = random_state(net, np.random.default_rng(2))
    x = np.random.default_rng(1).normal(size=(ROWS, 3)).astype(np.float32)
    at = net.front - 1
    layer = EMBEDDINGS[embedding][0]
    made = layer.apply(weights[0], memory[0], x.T, training=False, key=0)[0] if layer else x.T
    scaled, _ = Scale().apply(weights[at], (), made, training=False, key=0)
    behind = Net(**shape | {"inputs": len(scaled)})
    expected = behind.predict(weights[at + 1 :], memory[at + 1 :], scaled.T)
    np.testing.assert_allclose(net.predict(weights, memory, x), expected, rtol=1e-5, atol=1e-6)
    assert np.abs(weights[at]["scale"] - 1).max() > 0.1
    start, first = net.init(np.random.default_rng(0))
    without, kept = plain.init(np.random.default_rng(0))
    assert (start[at]["scale"] == 1).all()
    np.testing.assert_array_equal(net.predict(start, first, x), plain.predict(without, kept, x))


def test_a_residual_block_leaves_features_out_in_two_places():
    """In a residual net dropout stands behind a block's activation and behind its second layer, each with draws of its
    own; nowhere else."""
    net = Net(**SHAPE | {"width": 8}, activation="tanh", block="residual")
    weights, memory = random_state(net, np.random.default_rng(2))
    x, key, p = np.random.default_rng(1).normal(size=(3, ROWS)).astype(np.float32), np.uint32(77), np.float32(0.4)
    masks = []

    def drop(i, h):
        own = key ^ np.uint32(0x9E3779B9 * (i + 1) % 2**32)
        masks.append(np.asarray(Dropout(p).apply((), (), jnp.ones((8, ROWS)), training=True, key=own)[0]))
        return h * masks[-1]

    dense = lambda i, h: weights[i]["w"] @ h + weights[i]["b"]  # noqa: E731
    h = dense(0, x)
    for i in (1, 3):
        h = h + drop(i + 1, dense(i + 1, drop(i, np.tanh(dense(i, h)))))
    expected = dense(5, np.tanh(h))
    got, carried = net.apply(weights, memory, jnp.asarray(x), training=True, key=key, dropout=p)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert carried == ((),) * 5
    assert len({mask.tobytes() for mask in masks}) == 4
    assert {round(float(m), 4) for mask in masks for m in mask.ravel()} == {0, 1.6667}


def test_an_idle_residual_block_hands_on_what_it_is_given():
    """With W₂ and b₂ at 0 a block adds nothing: the net is its first layer, the activation and its last layer."""
    net = Net(**SHAPE, activation="tanh", block="residual")
    weights, memory = random_state(net, np.random.default_rng(2))
    idle = tuple(jax.tree.map(np.zeros_like, w) if i in (2, 4) else w for i, w in enumerate(weights))
    x = np.random.default_rng(1).normal(size=(ROWS, 3)).astype(np.float32)
    expected = Net(**SHAPE | {"depth": 1}, activation="tanh").predict((weights[0], weights[-1]), ((),), x)
    np.testing.assert_allclose(net.predict(idle, memory, x), expected, rtol=1e-5, atol=1e-6)
    assert np.abs(net.predict(weights, memory, x) - expected).max() > 0.1


def test_edges_are_kept_and_not_learned():
    """The edges given to `init` are the memory, untouched by a step; a net without bins has no use for them."""
    edges = np.sort(np.random.default_rng(0).normal(size=(3, 17)), 1).astype(np.float32)
    net = Net(**SHAPE, embedding="piecewise_linear")
    weights, memory = net.init(np.random.default_rng(0), edges=edges)
    np.testing.assert_array_equal(memory[0].edges, edges)
    assert weights[0] == {}
    _, after = net.apply(weights, memory, jnp.ones((3, 4)), training=True)
    assert after[0].edges is memory[0].edges
    assert net.init(np.random.default_rng(0))[1][0].edges.shape == (3, 17)
    plain, _ = Net(**SHAPE).init(np.random.default_rng(0), edges=edges)
    for a, b in zip(plain, Net(**SHAPE).init(np.random.default_rng(0))[0], strict=True):
        np.testing.assert_array_equal(a["w"], b["w"])


@pytest.mark.parametrize(("width", "groups"), [(64, 8), (48, 4), (32, 4), (16, 2), (24, 2), (8, 1), (5, 1), (100, 4)])
def test_groups_of_a_net_have_eight_features(width, groups):
    """A net's group norm has 8, 4 or 2 groups of at least eight features, and one where the width has no such."""
    assert NORMALISATIONS["group_norm"](width).groups == groups


@pytest.mark.parametrize("name", INITIALISERS)
def test_initialisers_of_a_net(name):
    """A net's dense layers are drawn as the initialiser says, at the activation's gain where it knows of none."""
    net = Net(**SHAPE, activation="relu", normalisation="layer_norm", placement="after")
    weights, _ = net.init(np.random.default_rng(4), name)
    rng, about = np.random.default_rng(4), INITIALISERS[name]
    for i, (a, b) in enumerate(itertools.pairwise(net.sizes)):
        gain = math.sqrt(2) if about.scaled and i < net.depth else 1.0
        np.testing.assert_array_equal(weights[i]["w"], about.of(rng, a, b, gain))
        assert not weights[i]["b"].any()
    net, rng = dataclasses.replace(net, block="residual"), np.random.default_rng(4)
    weights, _ = net.init(np.random.default_rng(4), name)
    for i, (a, b) in enumerate(itertools.pairwise(net.sizes)):
        gain = math.sqrt(2) if about.scaled and i in (1, 3) else 1.0  # in front of an activation
        np.testing.assert_array_equal(weights[i]["w"], about.of(rng, a, b, gain))
    with pytest.raises(SlalomError, match=r"^initialiser must be one of auto, .* Did you mean 'he_normal'\?$"):
        net.init(rng, "he_norml")


def test_init_is_decided_by_its_draws():
    """The same draws give the same weights, whatever the placement and the activation's gain scale them by."""
    make = lambda **fields: Net(**SHAPE, **fields).init(np.random.default_rng(8))[0]  # noqa: E731
    relu, tanh = make(activation="relu"), make(activation="tanh")
    again = make(activation="relu", normalisation="batch_norm", placement="after")
    for a, b, c in zip(relu, tanh, again, strict=True):
        np.testing.assert_array_equal(a["w"], c["w"])
        gain = 1.0 if a is relu[-1] else math.sqrt(2)  # the last layer is not followed by an activation
        np.testing.assert_allclose(a["w"], gain * b["w"], rtol=2e-7)


def test_prediction_does_not_depend_on_chunks():
    """Rows are predicted the same in chunks of 3 as at once, up to rounding; no rows give no outputs."""
    net = Net(**SHAPE, activation="silu", normalisation="layer_norm")
    weights, memory = random_state(net, np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(10, 3)).astype(np.float32)
    np.testing.assert_allclose(net.predict(weights, memory, x, 3), net.predict(weights, memory, x), atol=2e-6)
    assert net.predict(weights, memory, x[:0]).shape == (2, 0)


# --- losses and predictions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "classes"), [("squared_error", 0), ("logistic", 2), ("softmax", 4)])
def test_losses_are_the_mean_surprise_of_their_predictions(loss, classes):
    """A loss is the mean square of the error, or minus the mean log-probability that its prediction gives the class."""
    rng = np.random.default_rng(0)
    outputs = rng.normal(scale=4, size=(max(1, classes if classes > 2 else 1), 50))
    y = rng.normal(size=50) if not classes else rng.integers(classes, size=50).astype(float)
    prediction = predictions(loss, outputs, None)
    if classes:
        np.testing.assert_allclose(prediction.sum(1), 1, rtol=1e-12)
        expected = -np.log(prediction[np.arange(50), y.astype(int)]).mean()
    else:
        expected = ((prediction - y) ** 2).mean()
    got = LOSSES[loss](jnp.asarray(outputs, jnp.float32), jnp.asarray(y, jnp.float32))
    np.testing.assert_allclose(got, expected, rtol=2e-6)  # float32
    unit = math.log(4) if loss == "softmax" else 1.0
    np.testing.assert_allclose(measured(loss, outputs, y), expected / unit, rtol=1e-12)


def plain_smoothed(outputs, y, s, classes):
    """Minus the mean log-probability under smoothed labels, class by class, in float64."""
    total = 0.0
    for z, label in zip(outputs.T, y, strict=True):
        z = np.array([0.0, z[0]]) if classes == 2 else z
        logs = z - z.max() - math.log(np.exp(z - z.max()).sum())
        total -= sum(((1 - s) * (c == label) + s / classes) * logs[c] for c in range(classes))
    return total / len(y)


@pytest.mark.parametrize(("loss", "classes"), [("logistic", 2), ("softmax", 5)])
@pytest.mark.parametrize("s", [0.0, 0.1, 0.6, 1.0])
def test_label_smoothing_is_its_formula(loss, classes, s):
    """The share s of the truth is spread over all classes: value and gradient, also as a number of a program."""
    rng = np.random.default_rng(1)
    outputs, y = rng.normal(scale=3, size=(classes if classes > 2 else 1, 20)), rng.integers(classes, size=20) + 0.0
    with jax.enable_x64(True):
        both = jax.jit(jax.value_and_grad(LOSSES[loss]))(outputs, y, s)
        fixed = jax.value_and_grad(LOSSES[loss])(outputs, y, smoothing=s)
    towards, h = rng.normal(size=outputs.shape), 1e-5
    slope = [plain_smoothed(outputs + step * towards, y, s, classes) for step in (h, -h)]
    for value, gradient in (both, fixed):
        np.testing.assert_allclose(value, plain_smoothed(outputs, y, s, classes), rtol=1e-12)
        np.testing.assert_allclose(
            (np.asarray(gradient) * towards).sum(), (slope[0] - slope[1]) / (2 * h), rtol=1e-8, atol=1e-9
        )


@pytest.mark.parametrize(("loss", "classes"), [("squared_error", 0), ("logistic", 2), ("softmax", 4)])
def test_no_smoothing_is_the_loss_itself(loss, classes):
    """At smoothing 0 the loss and its gradient are what they are without, bit for bit; squared error knows none."""
    rng = np.random.default_rng(2)
    outputs = rng.normal(scale=4, size=(classes if classes > 2 else 1, 64)).astype(np.float32)
    y = (rng.integers(classes, size=64) if classes else rng.normal(size=64)).astype(np.float32)
    run = jax.jit(jax.value_and_grad(LOSSES[loss]))
    without, traced = run(outputs, y), run(outputs, y, np.float32(0))
    for a, b in zip(without, traced, strict=True):
        np.testing.assert_array_equal(a, b)
    smoothed = run(outputs, y, np.float32(0.3))[0]
    assert (smoothed == without[0]) == (loss == "squared_error")


def test_predictions_are_in_the_unit_of_the_target():
    """A regression's outputs come back as outputs · spread + mean, in float64."""
    got = predictions("squared_error", np.array([[0.0, 1.0, -2.0]], np.float32), lambda z: z * 0.5 + 1e9)
    assert got.dtype == np.float64
    assert got.tolist() == [1e9, 1e9 + 0.5, 1e9 - 1.0]


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_huge_outputs_are_sure_not_nan(loss):
    """Outputs of ±1e30 give probabilities 0 and 1, without a warning."""
    outputs = np.array([[1e30, -1e30]]) if loss == "logistic" else np.array([[-1e30, 1e30], [1e30, -1e30]])
    np.testing.assert_allclose(predictions(loss, outputs, None), [[0, 1], [1, 0]], atol=1e-300)
