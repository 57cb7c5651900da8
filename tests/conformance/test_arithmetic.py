"""The arithmetic that rules share keeps its digits over the whole range of float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom.rules.base import Beta, correction, debias, forgetting, root
from slalom.step import signed

ULP = 2.0**-23  # of float32, in parts of a number
TINY = float(np.finfo(np.float32).tiny)
BOTH = pytest.mark.parametrize("run", [lambda f: f, jax.jit], ids=["at once", "in a program"])


def every_size(seed=0, count=100_000):
    """Normal positive float32 numbers of every exponent, drawn evenly from their bits, and the ends."""
    least, largest = np.array([TINY, np.finfo(np.float32).max], np.float32).view(np.uint32)
    drawn = np.random.default_rng(seed).integers(least, largest, count).astype(np.uint32)
    return np.concatenate([drawn, np.array([least, largest])]).astype(np.uint32).view(np.float32)


# --- root -------------------------------------------------------------------------------------------------------------


@BOTH
def test_the_root_is_a_root_over_the_whole_range(run):
    """√x of every normal float32, the least and the largest too, has all its digits but the last."""
    x = every_size()
    exact = np.sqrt(x.astype(np.float64))
    # Three roundings: the reciprocal root to 1 ulp, and a product; measured 1.4.
    assert np.abs(np.asarray(run(root)(x), np.float64) / exact - 1).max() < 2 * ULP


@BOTH
def test_the_root_of_a_power_of_four_is_exact(run):
    """√4ᵏ is 2ᵏ, and √1 is 1, to the last bit."""
    k = np.arange(-60, 61)
    np.testing.assert_array_equal(run(root)((4.0**k).astype(np.float32)), (2.0**k).astype(np.float32))


@BOTH
def test_the_root_of_zero_is_zero(run):
    """√0 is 0, of either sign, where x · (1 / √x) would be 0 · ∞."""
    with jax.debug_nans(True):
        assert (np.asarray(run(root)(np.array([0.0, -0.0], np.float32))) == 0).all()


@BOTH
def test_the_root_of_a_subnormal_number_is_no_more_than_it_is(run):
    """Below the normal numbers the root falls to 0, evenly and never above √x: processors may take such x for 0."""
    x = (np.array([1e-45, 1e-42, 1e-40, 1e-39, 5e-39, 1.17e-38])).astype(np.float32)
    assert (x < TINY).all()
    assert (x > 0).all()
    y = np.asarray(run(root)(x), np.float64)
    assert (y >= 0).all()
    assert (y <= np.sqrt(x.astype(np.float64))).all()
    assert (np.diff(y) >= 0).all()


@BOTH
def test_the_root_of_no_number_is_no_number(run):
    """√NaN and √∞ are NaN: what diverged is not hidden behind a finite step."""
    assert np.isnan(run(root)(np.array([np.nan, np.inf], np.float32))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_root_keeps_shape_and_type(dtype):
    """A root has x's shape and type, without a promotion; float64 keeps its own digits and its own least number."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        x = jnp.asarray([[1e-30, 2.0], [3.0, 1e30]], dtype)
        y = jax.jit(root)(x)
        assert (y.shape, y.dtype) == (x.shape, x.dtype)
        np.testing.assert_allclose(y, np.sqrt(np.asarray(x)), rtol=4 * np.finfo(dtype).eps)
        if dtype == "float64":
            np.testing.assert_allclose(root(jnp.float64(1e-300)), 1e-150, rtol=1e-15)


# --- correction -------------------------------------------------------------------------------------------------------

FORGETS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.003, 0.05, 0.1, 0.3, 0.5, 0.9, 0.999)  # 1 − β
STEPS = (1, 2, 3, 10, 31, 100, 1e3, 1e4, 1e5, 1e6, 1e7)


def exact_debias(f, t):
    """1 − (1 − f)ᵗ in float64 of a float32 f, from the binomial series where t f is small: no expm1, no log1p."""
    f = float(np.float32(f))
    if t * f > 1e-2:
        return 1.0 - (1.0 - f) ** t  # loses 1e-16 of a number above 1e-2, and t · 1e-16 of the power: 1e-9 at 1e7
    term, total = 1.0, 0.0
    for k in range(1, 12):  # (t f)ᵏ / k! is then below 1e-24
        term *= -f * (t - k + 1) / k
        total -= term
    return total


@BOTH
@pytest.mark.parametrize("f", FORGETS)
def test_the_correction_keeps_its_digits(run, f):
    """1 − βᵗ and its reciprocal keep six digits and a half, however near to 1 β is and however long the training."""
    t = np.array(STEPS, np.float32)
    exact = np.array([exact_debias(f, n) for n in STEPS])
    # log1p, a product, expm1: each an ulp of float32, the product's weighs t f e⁻ᵗᶠ / (1 − e⁻ᵗᶠ) ≤ 1. Measured 1.5.
    one_minus = np.asarray(run(debias)(jnp.float32(f), t), np.float64)
    np.testing.assert_allclose(one_minus, exact, rtol=3 * ULP)
    np.testing.assert_allclose(run(correction)(jnp.float32(f), t), 1 / exact, rtol=4 * ULP)


def test_the_correction_of_a_difference_would_not():
    """1 − βᵗ from a float32 β has lost digits at β = 0.99999 that the test above would miss."""
    naive = 1 - np.float32(1 - 1e-5) ** np.float32(1)
    assert abs(naive / exact_debias(1e-5, 1) - 1) > 1e-4


@BOTH
def test_the_correction_falls_to_one(run):
    """From 1 / (1 − β) at step 1 the factor falls to exactly 1; where nothing is kept it is 1 throughout."""
    t = np.array([1, 2, 5, 100, 1e4, 1e6, 1e7], np.float32)
    for f in (1e-4, 0.1, 0.999):
        k = np.asarray(run(correction)(jnp.float32(f), t))
        assert (np.diff(k) <= 0).all()
        assert k[-1] == 1.0
    np.testing.assert_array_equal(run(correction)(jnp.float32(1), t), np.ones(len(t)))


def test_plain_numbers_and_betas_of_a_program_are_one():
    """1 − β of a setting and of a number of a program give the same correction, without β's rounding in between."""
    for beta in (0.9, 0.999, 0.9999):
        handed = Beta(jnp.float32(1 - beta))
        assert forgetting(handed) == np.float32(1 - beta)
        plain, traced = (correction(forgetting(b), jnp.float32(100)) for b in (beta, handed))
        np.testing.assert_allclose(plain, traced, rtol=2 * ULP)
        np.testing.assert_allclose(traced, 1 / (1 - beta**100), rtol=4 * ULP)


# --- signed -----------------------------------------------------------------------------------------------------------


@BOTH
def test_a_signed_size_is_size_times_sign(run):
    """size · sign(w), bit for bit, for every size of w, ±∞ and ±0, where it is 0."""
    w = np.concatenate([every_size(), -every_size(1), np.array([0.0, -0.0, np.inf, -np.inf])]).astype(np.float32)
    for size in (0.0, 1e-5, 0.3):
        expected = np.float32(size) * np.sign(w)
        np.testing.assert_array_equal(run(signed)(jnp.float32(size), w), expected)


@BOTH
def test_a_signed_size_of_no_number_hides_none(run):
    """Of a NaN it is no more than ± size, and the weight that it is taken from stays NaN."""
    w = np.array([np.nan, -np.nan], np.float32)
    y = np.asarray(run(signed)(jnp.float32(0.3), w))
    assert (np.isnan(y) | (np.abs(y) == np.float32(0.3))).all()
    assert np.isnan(w - 0.1 * y).all()


def test_side_by_side_every_racer_has_its_own_size():
    """In a lane each racer's size is its own; a racer without the penalty has 0."""
    w = np.array([[2.0, -3.0, 0.0]] * 3, np.float32)
    y = jax.jit(jax.vmap(signed))(np.array([0.0, 0.5, 2.0], np.float32), w)
    np.testing.assert_array_equal(y, [[0, 0, 0], [0.5, -0.5, 0], [2, -2, 0]])
