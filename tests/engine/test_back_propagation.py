"""Back-propagation number by number: against automatic differentiation, and as the text that a lesson prints."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import SigmoidNet
from slalom.errors import SlalomError

TEACHING = SigmoidNet([[[0.15, 0.2], [0.25, 0.3]], [[0.4, 0.45], [0.5, 0.55]]], [0.35, 0.6])


def error(weights, biases, inputs, targets):
    """½ Σ (target − out)² in JAX."""
    x = inputs
    for w, b in zip(weights, biases, strict=True):
        x = 1 / (1 + jnp.exp(-(w @ x + b)))
    return 0.5 * ((targets - x) ** 2).sum()


@pytest.mark.long
@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.booleans(), st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_every_derivative_is_autodiffs(sizes, shared, seed):
    """On nets of any sizes, biases shared or not, every derivative is what automatic differentiation finds."""
    rng = np.random.default_rng(seed)
    net = SigmoidNet.random(sizes, seed, shared)
    net = SigmoidNet([3 * w for w in net.weights], [rng.normal(size=b.shape) for b in net.biases])
    inputs, targets = rng.normal(size=sizes[0]), rng.random(sizes[-1])
    back = net.backward(inputs, targets)
    with jax.enable_x64(True), jax.disable_jit():
        value, (dw, db) = jax.value_and_grad(error, (0, 1))(net.weights, net.biases, inputs, targets)
    assert back.loss == pytest.approx(float(value), rel=1e-12)
    for mine, theirs in zip((*back.de_dw, *back.de_db), (*dw, *db), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-14)
    for i in range(len(net.weights)):  # each derivative is the product of its named factors
        np.testing.assert_allclose(back.de_dnet[i], back.de_dout[i] * back.dout_dnet[i], rtol=1e-15)
        np.testing.assert_allclose(back.de_dw[i], np.outer(back.de_dnet[i], back.dnet_dw[i]), rtol=1e-15)


def test_steps_lower_the_error():
    """10,000 steps bring the teaching net's error from 0.298 to 0.00004, each step lower than the one before."""
    net, losses = TEACHING, []
    for _ in range(10_000):
        losses.append(net.backward([0.05, 0.1], [0.01, 0.99]).loss)
        net = net.step([0.05, 0.1], [0.01, 0.99], 0.5, biases=False)
    assert (np.diff(losses) < 0).all()
    assert losses[0] == pytest.approx(0.298371109, abs=1e-9)
    assert losses[-1] == pytest.approx(3.51e-5, abs=1e-7)  # the number that the widely used lesson ends with


def test_biases_move_unless_told_not_to():
    """A step moves the biases by their own derivatives; a shared bias by the sum over its units."""
    back, after = TEACHING.backward([0.05, 0.1], [0.01, 0.99]), TEACHING.step([0.05, 0.1], [0.01, 0.99], 0.5)
    for b, d, delta, moved in zip(TEACHING.biases, back.de_db, back.de_dnet, after.biases, strict=True):
        assert d == pytest.approx(delta.sum(), rel=1e-15)
        assert moved == pytest.approx(b - 0.5 * d, rel=1e-15)


def test_a_saturated_net_has_numbers():
    """Net inputs of ±1000 overflow nothing: the activations are 0 and 1, the derivatives 0."""
    back = SigmoidNet([[[1000.0], [-1000.0]]], [0.0]).backward([1.0], [0.0, 1.0])
    assert back.loss == 1.0
    assert back.de_dw[0].ravel().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("net", [TEACHING, SigmoidNet.random([3, 4, 2, 1], 1)], ids=["shared", "a bias a unit"])
def test_the_text_shows_every_number(net):
    """The text has a line for each net input, activation, derivative and step, with the number at its end."""
    inputs, targets = np.linspace(0.1, 0.9, net.weights[0].shape[1]), np.linspace(0.2, 0.8, len(net.weights[-1]))
    text = net.explain(inputs, targets, learning_rate=0.5)
    shown = {}
    for line in text.splitlines():
        if re.match("  .* = ", line):
            name = re.split(" = | ← ", line.strip())[0]
            shown[("step " if "←" in line else "") + name] = float(line.rsplit(" = ", 1)[1])
    forward, back, after = net.forward(inputs), net.backward(inputs, targets), net.step(inputs, targets, 0.5)
    expected = {"E": back.loss}
    for i, w in enumerate(net.weights):
        for j in range(len(w)):
            at = f"[{i + 1}][{j + 1}]"
            expected[f"net{at}"], expected[f"out{at}"] = forward.net[i][j], forward.out[i][j]
            expected[f"∂E/∂out{at}"], expected[f"∂E/∂net{at}"] = back.de_dout[i][j], back.de_dnet[i][j]
            expected[f"∂out{at}/∂net{at}"] = back.dout_dnet[i][j]
            for k in range(w.shape[1]):
                name = f"w[{i + 1}][{j + 1},{k + 1}]"
                expected[f"∂E/∂{name}"], expected[f"step {name}"] = back.de_dw[i][j, k], after.weights[i][j, k]
            if net.biases[i].ndim:
                expected[f"∂E/∂b{at}"], expected[f"step b{at}"] = back.de_db[i][j], after.biases[i][j]
        if not net.biases[i].ndim:
            expected[f"∂E/∂b[{i + 1}]"], expected[f"step b[{i + 1}]"] = back.de_db[i], after.biases[i]
    assert set(shown) == set(expected)
    for name, value in expected.items():
        assert shown[name] == pytest.approx(float(value), rel=1e-8), name
    assert "0.15 · 0.05 + 0.2 · 0.1 + 0.35 = 0.3775" in TEACHING.explain([0.05, 0.1], [0.01, 0.99])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: SigmoidNet([], []),
            "SigmoidNet must be one array of weights and one bias for each layer, at least one.",
        ),
        (lambda: SigmoidNet([[1.0]], [0.0]), "SigmoidNet(weights=…)[0] must be of shape (outputs, inputs). Got (1,)."),
        (
            lambda: SigmoidNet([np.ones((2, 3)), np.ones((1, 3))], [0.0, 0.0]),
            "SigmoidNet(weights=…)[1] must be of 2 columns, one for each unit of the layer before. Got (1, 3).",
        ),
        (
            lambda: SigmoidNet([np.ones((2, 3))], [np.ones(3)]),
            "SigmoidNet(biases=…)[0] must be one number, or 2: one a unit. Got (3,).",
        ),
        (lambda: TEACHING.forward([1.0]), "SigmoidNet: inputs must be one row of 2 numbers. Got (1,)."),
        (lambda: TEACHING.backward([1.0, 2.0], 1.0), "SigmoidNet: targets must be one row of 2 numbers. Got ()."),
        (
            lambda: TEACHING.step([1.0, 2.0], [1.0, 2.0], np.inf),
            "SigmoidNet.step(learning_rate=…) must be a finite number. Got inf.",
        ),
        (
            lambda: SigmoidNet.random([3]),
            "SigmoidNet.random(sizes=…) must be the inputs and the units of at least one layer. Got [3].",
        ),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    """Shapes that do not fit are refused in one sentence."""
    with pytest.raises(SlalomError) as raised:
        call()
    assert str(raised.value).startswith(sentence)
