"""Backward passes written by hand, where a plain formula and autodiff in float64 would answer the same."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom.layers import ACTIVATIONS, BatchNorm, Dense
from slalom.layers.base import standardise
from slalom.layers.dense import product
from slalom.layers.periodic import wave
from slalom.net import NORMALISATIONS, PLACEMENTS, Net

F = 4
BATCHES = {
    "many rows": (F, 50),
    "two rows": (F, 2),
    "one row": (F, 1),
    "an image": (F, 3, 2, 5),
    "one pixel": (F, 1, 1, 6),
}
EACH_BATCH = pytest.mark.parametrize("shape", BATCHES.values(), ids=BATCHES.keys())


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def close(got, expected, **tolerance):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


# --- batch norm -------------------------------------------------------------------------------------------------------


def plain_batch_norm(x, gain, shift, epsilon):
    """gain (x − μ) / √(σ² + ε) + shift, as a text book has it; autodiff takes its gradient."""
    axes = tuple(range(1, x.ndim))
    one = (F, *[1] * (x.ndim - 1))
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return gain.reshape(one) * (x - mean) / jnp.sqrt(variance + epsilon) + shift.reshape(one)


def batch_norm(x, gain, shift, epsilon):
    _, memory = BatchNorm().init(np.random.default_rng(0), F, F)
    layer = BatchNorm(epsilon=epsilon)
    return layer.apply({"gain": gain, "shift": shift}, memory, x, training=True, key=0)[0]


def slopes(of, c):
    """A program of the value and of every gradient of Σ c sin y, which is not linear in y."""
    return jax.jit(jax.value_and_grad(lambda *given: (c * jnp.sin(of(*given))).sum(), (0, 1, 2, 3)))


@EACH_BATCH
@pytest.mark.parametrize("epsilon", [1e-5, 1e-3, 0.3])
def test_every_gradient_of_batch_norm_is_autodiffs(rng, shape, epsilon):
    """The gradients in x, gain, shift and ε are those of autodiff on the plain formula, in float64, for every batch;
    features of spread 1, of a spread below √ε, far from zero and of the gain 0 are among them."""
    centre, spread = np.array([0.0, 1.0, 300.0, -2.0]), np.array([1.0, 1e-3, 1.0, 0.5])
    one = (F, *[1] * (len(shape) - 1))
    x = centre.reshape(one) + spread.reshape(one) * rng.normal(size=shape)
    gain, shift = np.array([[1.5], [-0.7], [0.2], [0.0]]), rng.normal(size=(F, 1))
    c = rng.normal(size=shape)
    with jax.enable_x64(True):
        given = [jnp.asarray(a, "float64") for a in (x, gain, shift, epsilon)]
        mine, plain = (slopes(of, c)(*given) for of in (batch_norm, plain_batch_norm))
        # autodiff takes a difference of terms of the size of gain / √(σ² + ε), 300 at most: 1e-13 of it
        close(mine, plain, rtol=1e-8, atol=1e-10)
    assert np.abs(mine[1][1]).max() > 1e-4 or shape[1:] == (1,)


def test_one_row_has_no_gradient_in_x(rng):
    """A batch of one row is its own mean: y = shift, and nothing flows back to x, gain or ε, exactly."""
    x, gain, shift = (rng.normal(size=(F, 1)).astype(np.float32) for _ in range(3))
    y, back = jax.vjp(batch_norm, *map(jnp.asarray, (x, gain, shift)), jnp.float32(1e-5))
    np.testing.assert_array_equal(y, shift)
    dx, dgain, dshift, depsilon = back(jnp.ones((F, 1)))
    assert not np.any(dx)
    assert not np.any(dgain)
    assert depsilon == 0
    np.testing.assert_array_equal(dshift, np.ones((F, 1)))


@EACH_BATCH
def test_a_gradient_in_x_moves_no_mean(rng, shape):
    """Σ dx over the batch is 0, and Σ y dx is what ε leaves of it: ε / (σ² + ε) of gain / √(σ² + ε) dgain."""
    epsilon, axes = 1e-2, tuple(range(1, len(shape)))
    with jax.enable_x64(True):
        x, g = (jnp.asarray(rng.normal(0, 0.2, size=shape)) for _ in range(2))
        gain, shift = (jnp.asarray(rng.normal(size=(F, 1))) for _ in range(2))
        dx, dgain, *_ = jax.vjp(batch_norm, x, gain, shift, jnp.float64(epsilon))[1](g)
        np.testing.assert_allclose(dx.sum(axes), 0, atol=1e-13)
        variance = np.asarray(x.var(axes))
        y = np.asarray(plain_batch_norm(x, jnp.ones((F, 1)), jnp.zeros((F, 1)), epsilon))
        left = (gain * dgain)[:, 0] * epsilon / (variance + epsilon) ** 1.5
        np.testing.assert_allclose((y * dx).sum(axes), left, rtol=1e-9, atol=1e-13)


def test_nothing_flows_back_through_the_moving_averages(rng):
    """The memory that batch norm hands on carries no gradient into its weights or its batch."""
    weights, memory = BatchNorm().init(rng, F, F)

    def carried(weights, x):
        _, after = BatchNorm().apply(weights, memory, x, training=True, key=0)
        return sum(leaf.sum() for leaf in after)

    for gradient in jax.tree.leaves(jax.grad(carried, (0, 1))(weights, jnp.asarray(rng.normal(size=(F, 7))))):
        assert not np.any(gradient)


def test_racers_of_a_lane_have_their_own_epsilon(rng):
    """In a lane every racer's gradients, the one in ε too, are those that it has alone."""
    given = [
        rng.normal(size=(3, F, 9)),
        rng.normal(size=(3, F, 1)),
        rng.normal(size=(3, F, 1)),
        np.array([1e-5, 0.1, 2]),
    ]
    with jax.enable_x64(True):
        of = slopes(batch_norm, rng.normal(size=(F, 9)))
        together = jax.jit(jax.vmap(of))(*given)
        for k in range(3):
            close(jax.tree.map(lambda leaf, k=k: leaf[k], together), of(*[a[k] for a in given]), rtol=1e-11, atol=1e-13)
        assert (np.abs(together[1][3]) > 1e-6).all()


@pytest.mark.parametrize("axes", [0, 1, (0, 2)])
def test_the_gradient_of_standardise_in_epsilon_is_autodiffs(rng, axes):
    """What layer, group and instance norm share passes the gradient in ε back as well."""
    x, c = rng.normal(0, 0.1, size=(4, 5, 3)), rng.normal(size=(4, 5, 3))

    def plain(x, epsilon):
        return (x - x.mean(axes, keepdims=True)) / jnp.sqrt(x.var(axes, keepdims=True) + epsilon)

    with jax.enable_x64(True):
        of = [lambda e: (c * jnp.sin(standardise(x, axes, e)[0])).sum(), lambda e: (c * jnp.sin(plain(x, e))).sum()]
        x = jnp.asarray(x)
        mine, autodiff = (jax.grad(one)(jnp.float64(0.01)) for one in of)
        np.testing.assert_allclose(mine, autodiff, rtol=1e-10)
        assert abs(autodiff) > 1e-2


# --- biases that are lost ---------------------------------------------------------------------------------------------

NETS = [Net(3, 2, 2, 5, "tanh", n, p) for n in NORMALISATIONS for p in PLACEMENTS]
EACH_NET = pytest.mark.parametrize("net", NETS, ids=lambda net: f"{net.normalisation}-{net.placement}")


def state_of(net, rng, dtype=np.float64):
    """Weights with no element at its start, and the memory of the start."""
    weights, memory = net.init(rng)
    return jax.tree.map(lambda w: (w + 0.3 * rng.normal(size=w.shape)).astype(dtype), weights), memory


def outputs_of(net, memory, x, bias, weights):
    """Outputs in training, with other biases of the hidden layers."""
    hidden = [{**layer, "b": b} for layer, b in zip(weights[:-1], bias, strict=True)]
    return net.apply((*hidden, weights[-1]), memory, x, training=True)[0]


def plain_outputs(net, x, bias, weights):
    """The same with every bias added, by the plain formulas."""
    for layer, b in zip(weights[:-1], bias, strict=True):
        x = jnp.tanh(plain_batch_norm_of(layer, layer["w"] @ x + b))
    return weights[-1]["w"] @ x + weights[-1]["b"]


def plain_batch_norm_of(layer, x):
    mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    return layer["gain"] * (x - mean) / jnp.sqrt(variance + 1e-5) + layer["shift"]


@EACH_NET
def test_a_bias_is_lost_where_batch_norm_stands_behind_it(rng, net):
    """Hidden biases change nothing, to the last bit, where `bias_is_lost` says so, and something in every other net."""
    weights, memory = state_of(net, rng, np.float32)
    x = jnp.asarray(rng.normal(size=(3, 8)), jnp.float32)
    own = [layer["b"] for layer in weights[:-1]]
    other = [b + np.float32(1) * rng.normal(size=b.shape).astype(np.float32) for b in own]
    outputs = [outputs_of(net, memory, x, bias, weights) for bias in (own, other)]
    assert net.bias_is_lost == ((net.normalisation, net.placement) == ("batch_norm", "before"))
    assert np.array_equal(*outputs) == net.bias_is_lost
    gradient = jax.grad(lambda bias: jnp.sin(outputs_of(net, memory, x, bias, weights)).sum())(own)
    for g in gradient:
        assert g.shape == (5, 1)  # they are there all the same: models have the shapes that they always had
        assert (np.abs(g) == 0).all() == net.bias_is_lost


def test_lost_biases_are_lost_in_the_plain_formula_too(rng):
    """With every bias added and batch norm by its formula, in float64, outputs and all other gradients are the net's,
    and the gradient in the biases is 0 up to rounding: leaving them out leaves nothing out."""
    net = Net(3, 2, 2, 5, "tanh", "batch_norm")
    weights, memory = state_of(net, rng)
    x, c, bias = rng.normal(size=(3, 8)), rng.normal(size=(2, 8)), [rng.normal(size=(5, 1)) for _ in range(2)]
    with jax.enable_x64(True):
        x = jnp.asarray(x)
        of = [functools.partial(outputs_of, net, memory, x), functools.partial(plain_outputs, net, x)]
        both = [jax.value_and_grad(lambda b, w, f=f: (c * jnp.sin(f(b, w))).sum(), (0, 1)) for f in of]
        (mine, (lost, gradient)), (plain, (zero, expected)) = (jax.jit(one)(bias, weights) for one in both)
        np.testing.assert_allclose(mine, plain, rtol=1e-12)
        for g, z, one, layer in zip(lost, zero, gradient, expected, strict=False):
            assert not np.any(g)
            np.testing.assert_allclose(z, 0, atol=1e-12)
            close([one[k] for k in ("w", "gain", "shift")], [layer[k] for k in ("w", "gain", "shift")], rtol=1e-9)
        close(gradient[-1], expected[-1], rtol=1e-9)
        assert np.abs(gradient[-1]["b"]).min() > 1e-3  # the last layer's bias is not lost


def test_lost_biases_of_a_residual_net_are_lost_in_the_plain_formula_too(rng):
    """In a residual net with batch norm the biases of the first layer and of a block's second change nothing, in the
    net and, up to rounding, in the plain formula; those of a block's first layer do, and are left in."""
    net = Net(3, 2, 2, 5, "tanh", "batch_norm", block="residual")
    weights, memory = state_of(net, rng)
    x, c, bias = rng.normal(size=(3, 8)), rng.normal(size=(2, 8)), [rng.normal(size=(5, 1)) for _ in range(5)]

    def plain(bias, weights):
        dense = lambda i, x: weights[i]["w"] @ x + (bias[i] if i < 5 else weights[i]["b"])  # noqa: E731
        h = dense(0, x)
        for i in (1, 3):
            h = h + dense(i + 1, jnp.tanh(dense(i, plain_batch_norm_of(weights[i - 1], h))))
        return dense(5, jnp.tanh(plain_batch_norm_of(weights[4], h)))

    with jax.enable_x64(True):
        x = jnp.asarray(x)
        of = [functools.partial(outputs_of, net, memory, x), plain]
        both = [jax.value_and_grad(lambda b, w, f=f: (c * jnp.sin(f(b, w))).sum(), (0, 1)) for f in of]
        (mine, (lost, gradient)), (value, (zero, expected)) = (jax.jit(one)(bias, weights) for one in both)
    np.testing.assert_allclose(mine, value, rtol=1e-12)
    for i, (g, z) in enumerate(zip(lost, zero, strict=True)):
        if i % 2:
            close(g, z, rtol=1e-9)
            assert np.abs(g).min() > 1e-4
        else:
            assert not np.any(g)
            np.testing.assert_allclose(z, 0, atol=1e-12)
    for one, layer in zip(gradient, expected, strict=True):
        close([one[k] for k in one if k != "b"], [layer[k] for k in one if k != "b"], rtol=1e-8, atol=1e-12)


def test_what_was_trained_without_biases_is_predicted_so(rng):
    """A batch-norm net that has seen one batch, its biases at their start, predicts that batch as it trained it."""
    net = Net(3, 2, 2, 5, "tanh", "batch_norm")
    weights, memory = net.init(rng)
    x = rng.normal(2, 3, size=(8, 3)).astype(np.float32)
    trained, after = net.apply(weights, memory, jnp.asarray(x.T), training=True)
    after = jax.tree.map(np.asarray, after)
    np.testing.assert_allclose(net.predict(weights, after, x), trained, rtol=1e-4, atol=1e-5)


# --- dense, waves, activations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 33])
def test_the_product_has_autodiffs_gradients(rng, rows):
    """W x, whose backward pass is written out, has the gradients of `W @ x`, alone and stacked, in float32 too."""
    w, x, c = (rng.normal(size=s).astype(np.float32) for s in ((3, 4, 5), (3, 5, rows), (4, rows)))
    mine, plain = (
        jax.jit(jax.vmap(jax.grad(lambda w, x, f=f: (c * jnp.sin(f(w, x))).sum(), (0, 1))))
        for f in (product, jnp.matmul)
    )
    close(mine(w, x), plain(w, x), rtol=1e-5, atol=1e-5)  # the same sums of 33 in another order
    alone = jax.jit(jax.grad(lambda w, x: (c * jnp.sin(product(w, x))).sum(), (0, 1)))
    close(alone(w[1], x[1]), jax.tree.map(lambda a: a[1], mine(w, x)), rtol=1e-5, atol=1e-5)
    bias = jax.grad(
        lambda b: (c * Dense().apply({"w": w[0], "b": b}, (), jnp.asarray(x[0]), training=True, key=0)[0]).sum()
    )
    np.testing.assert_allclose(bias(jnp.zeros((4, 1))), c.sum(1, keepdims=True), rtol=1e-5, atol=1e-5)


def test_a_wave_and_its_slope_keep_their_digits(rng):
    """cos 2πu and −2π sin 2πu of the polynomials, in float32, for any u, between and at the turns."""
    u = np.concatenate([rng.uniform(-3, 3, 5000), rng.uniform(-1e4, 1e4, 5000), np.arange(-8, 9) / 4]).astype(
        np.float32
    )
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(wave)))(u)
    turns = 2 * np.pi * np.remainder(u.astype(np.float64), 1)
    np.testing.assert_allclose(value, np.cos(turns), rtol=0, atol=5e-7)  # of terms up to 20 that cancel
    np.testing.assert_allclose(slope, -2 * np.pi * np.sin(turns), rtol=0, atol=5e-6)


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_gradient_at_zero_is_a_slope_there(name, zero):
    """At 0 the gradient of an activation lies between its slopes on the left and on the right; relu's is 0."""
    f = ACTIVATIONS[name].of
    gradient = float(jax.grad(lambda x: f(x))(jnp.float32(zero)))
    h = 1e-6
    left, right = (float(f(np.array(s * h)) - f(np.array(0.0))) / (s * h) for s in (-1, 1))
    assert min(left, right) - 1e-5 < gradient < max(left, right) + 1e-5
    assert name != "relu" or gradient == 0
