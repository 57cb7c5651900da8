"""The net against a plain float64 one, written out here: outputs, gradients, sizes, and prediction without JAX."""

import itertools
import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from slalom.layers import ACTIVATIONS
from slalom.layers.batch_norm import BatchNormMemory
from slalom.losses import LOSSES, measured, predictions
from slalom.net import NORMALISATIONS, PLACEMENTS, Net

WORKED = json.loads((Path(__file__).parents[1] / "worked_examples.json").read_text())
SHAPE = {"inputs": 3, "outputs": 2, "depth": 2, "width": 5}
ROWS = 7
EVERY_NET = [
    Net(**SHAPE, activation=a, normalisation=n, placement=p)
    for a, n, p in itertools.product(ACTIVATIONS, NORMALISATIONS, PLACEMENTS)
    if n != "none" or p == "before"
]
EACH_NET = pytest.mark.parametrize(
    "net", EVERY_NET, ids=[f"{n.activation}-{n.normalisation}-{n.placement}" for n in EVERY_NET]
)
F64 = {
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x * scipy.special.expit(x),
    "gelu": lambda x: x * scipy.special.ndtr(x),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "tanh": np.tanh,
    "sigmoid": scipy.special.expit,
}


def plain_outputs(net, weights, memory, x, *, training):
    """The outputs [N, C] for rows x [N, D], rows first, as a text book writes it; batch statistics in training."""

    def normalise(h, layer, kept):
        if net.normalisation == "layer_norm":
            mean, variance = h.mean(1, keepdims=True), h.var(1, keepdims=True)
        elif training:
            mean, variance = h.mean(0), h.var(0)
        else:
            mean, variance = kept.mean[:, 0] / kept.weight, kept.variance[:, 0] / kept.weight
        return (h - mean) / np.sqrt(variance + 1e-5) * layer["gain"][:, 0] + layer["shift"][:, 0]

    h = x
    for layer, kept in zip(weights[:-1], memory, strict=True):
        h = h @ layer["w"].T + layer["b"][:, 0]
        if net.normalisation != "none" and net.placement == "before":
            h = normalise(h, layer, kept)
        h = F64[net.activation](h)
        if net.normalisation != "none" and net.placement == "after":
            h = normalise(h, layer, kept)
    return h @ weights[-1]["w"].T + weights[-1]["b"][:, 0]


def random_state(net, rng, dtype=np.float32):
    """Weights and memory with no element at its starting value, so that every term of the formula counts."""
    weights, memory = net.init(rng)
    weights = jax.tree.map(lambda a: (a + 0.3 * rng.normal(size=a.shape)).astype(dtype), weights)
    size = (net.width, 1)
    if net.normalisation == "batch_norm":
        memory = tuple(
            BatchNormMemory(
                rng.normal(size=size).astype(dtype), rng.uniform(0.2, 1, size).astype(dtype), np.asarray(0.7, dtype)
            )
            for _ in memory
        )
    return weights, memory


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
    [n for n in EVERY_NET if n.activation == "silu" or (n.placement == "after" and n.normalisation == "batch_norm")],
    ids=lambda n: f"{n.activation}-{n.normalisation}-{n.placement}",
)
def test_gradient_of_a_net_is_its_slope(net):
    """The gradient that trains a net, along a random direction of all weights, is the plain net's slope there."""
    rng = np.random.default_rng(4)
    weights, memory = random_state(net, rng, np.float64)
    x, c = rng.normal(size=(ROWS, 3)), rng.normal(size=(ROWS, 2))
    with jax.enable_x64(True):
        loss = lambda w: (jnp.sin(net.apply(w, memory, x.T, training=True)[0].T) * c).sum()  # noqa: E731
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
def test_parameters_are_counted(depth):
    """`parameters` is the number of numbers that `init` makes."""
    for normalisation in NORMALISATIONS:
        net = Net(**SHAPE | {"depth": depth}, normalisation=normalisation)
        weights, _ = net.init(np.random.default_rng(0))
        assert net.parameters == sum(leaf.size for leaf in jax.tree.leaves(weights))


def test_flops_are_counted():
    """`flops` counts 2 a multiply-add: three products a layer, but no gradient of the table itself."""
    assert Net(16, 3, 2, 64).flops(64) == 6 * 64 * (16 * 64 + 64 * 64 + 64 * 3) - 2 * 64 * 16 * 64 == 1_908_736
    assert Net(16, 3, 2, 64).parameters == 16 * 64 + 64 + 64 * 64 + 64 + 64 * 3 + 3 == 5_443
    for depth, batch in itertools.product((0, 1, 3), (1, 32)):
        net = Net(7, 2, depth, 5)
        total = 0
        for i, (a, b) in enumerate(itertools.pairwise(net.sizes)):
            forward = weight_gradient = input_gradient = 2 * batch * a * b
            total += forward + weight_gradient + (input_gradient if i else 0)
        assert net.flops(batch) == total


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


def test_back_propagation_worked_example():
    """The widely used teaching net of two sigmoid layers: hidden features, outputs, loss and every gradient."""
    about = WORKED["back_propagation"]
    net = Net(inputs=2, outputs=2, depth=1, width=2, activation="sigmoid")
    with jax.enable_x64(True):
        w1, w2 = (np.array(about[k]).reshape(2, 2) for k in ("w1_to_w4", "w5_to_w8"))
        weights = ({"w": w1, "b": np.full((2, 1), about["b1"])}, {"w": w2, "b": np.full((2, 1), about["b2"])})
        x, target = jnp.array(about["inputs"])[:, None], jnp.array(about["targets"])[:, None]

        def loss(weights):
            outputs, _ = net.apply(weights, ((),), x, training=True)
            outputs = jax.nn.sigmoid(outputs)
            return 0.5 * ((outputs - target) ** 2).sum(), outputs

        (value, outputs), gradient = jax.value_and_grad(loss, has_aux=True)(jax.tree.map(jnp.asarray, weights))
    nine = 1e-9  # the digits that are printed
    np.testing.assert_allclose(outputs[:, 0], about["outputs"], atol=nine)
    np.testing.assert_allclose(value, about["loss"], atol=nine)
    np.testing.assert_allclose(gradient[1]["w"].ravel(), about["d_w5_to_w8"], atol=nine)
    np.testing.assert_allclose(gradient[0]["w"].ravel(), about["d_w1_to_w4"], atol=nine)


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
