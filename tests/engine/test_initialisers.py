"""The initialisers: their variances, bounds and gains, and that orthogonal ones are orthogonal."""

import math

import jax
import numpy as np
import pytest

from slalom.layers import INITIALISERS, Initialiser, initialisers

EACH = pytest.mark.parametrize("name", INITIALISERS)
DRAWN = pytest.mark.parametrize("name", [name for name in INITIALISERS if name != "orthogonal"])
INPUTS, OUTPUTS = 400, 100
FAN = {"he": INPUTS / 2, "glorot": (INPUTS + OUTPUTS) / 2, "lecun": INPUTS, "auto": INPUTS}


def drawn(name, seed=0, inputs=INPUTS, outputs=OUTPUTS, gain=1.0):
    return INITIALISERS[name].of(np.random.default_rng(seed), inputs, outputs, gain)


@EACH
def test_an_initialiser_draws_weights(name):
    """W [out, in] in float32, decided by the draws; its gain multiplies it; no inputs are no division by zero."""
    w = drawn(name)
    assert (w.shape, w.dtype) == ((OUTPUTS, INPUTS), np.float32)
    np.testing.assert_array_equal(w, drawn(name))
    assert (w != drawn(name, 1)).mean() > 0.99
    np.testing.assert_allclose(drawn(name, gain=0.5), 0.5 * w, rtol=2e-7, atol=1e-9)
    assert drawn(name, inputs=0).shape == (OUTPUTS, 0)
    assert isinstance(INITIALISERS[name], Initialiser)
    assert INITIALISERS[name].of.__doc__
    assert "http" in INITIALISERS[name].source or "LeCun" in INITIALISERS[name].source


@DRAWN
@pytest.mark.parametrize("gain", [1.0, 1.7])
def test_the_variance_is_its_formula(name, gain):
    """Mean 0 and variance gain² / fan, within four standard errors, and the bounds or the tails of the distribution."""
    w, spread = drawn(name, gain=gain).astype(np.float64), gain / math.sqrt(FAN[name.split("_")[0]])
    assert abs(w.mean()) < 4 * spread / math.sqrt(w.size)
    fourth = 0.8 if name.endswith("uniform") else 2.0  # variance of (w / spread)²
    assert abs((w**2).mean() / spread**2 - 1) < 4 * math.sqrt(fourth / w.size)
    if name.endswith("uniform"):
        assert 0.999 < np.abs(w).max() / (math.sqrt(3) * spread) < 1 + 1e-6
    else:
        assert np.abs(w).max() > 3.5 * spread  # not cut off


@DRAWN
def test_jax_has_the_same_variances(name):
    """JAX's initialisers of the same name have the same variance, whatever their tails."""
    if name == "auto":
        return
    theirs = getattr(jax.nn.initializers, name)(in_axis=1, out_axis=0)(jax.random.key(0), (OUTPUTS, INPUTS))
    assert abs(float((theirs**2).mean()) / (drawn(name) ** 2).mean() - 1) < 8 * math.sqrt(2 / theirs.size)


@pytest.mark.parametrize("shape", [(30, 30), (30, 7), (7, 30), (1, 1)])
def test_orthogonal_is_orthogonal(shape):
    """The shorter side of W is an orthonormal system, times the gain."""
    w = drawn("orthogonal", 3, *shape, gain=2.0).astype(np.float64)
    small = w @ w.T if shape[1] <= shape[0] else w.T @ w
    np.testing.assert_allclose(small, 4 * np.eye(min(shape)), atol=1e-5)


def test_orthogonal_is_uniform():
    """Q is uniform among all rotations: its diagonal is as often negative as positive, and its trace has variance 1."""
    matrices = np.array([drawn("orthogonal", seed, 3, 3) for seed in range(3000)])
    diagonals = matrices.diagonal(axis1=1, axis2=2)
    assert abs(diagonals.mean()) < 4 * math.sqrt(1 / 3 / diagonals.size)
    assert abs((diagonals.sum(1) ** 2).mean() - 1) < 4 * math.sqrt(3 / 3000)


def test_auto_is_the_dense_layers_own():
    """`auto` draws what a dense layer draws for itself, bit for bit."""
    from slalom.layers import Dense

    weights, _ = Dense().init(np.random.default_rng(0), INPUTS, OUTPUTS, 2**0.5)
    np.testing.assert_array_equal(weights["w"], drawn("auto", gain=2**0.5))
    assert INITIALISERS["auto"].of is initialisers.lecun_normal
