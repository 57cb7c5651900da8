"""The laws that every layer of the registry keeps, and every activation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom import layers
from slalom.errors import SlalomError
from slalom.layers import ACTIVATIONS, REGISTRY
from slalom.record import from_plain, settings_of, to_plain, within

FEATURES, ROWS = 32, 7  # four features for each of eight groups
SHAPES = {2: (FEATURES, ROWS), 3: (FEATURES, 5, ROWS), 4: (FEATURES, 3, 4, ROWS), 5: (FEATURES, 2, 3, 2, ROWS)}
STRUCTURE = {"groups"}  # settings that change the program: no numbers of one
EACH_LAYER = pytest.mark.parametrize("cls", REGISTRY.values(), ids=REGISTRY.keys())
EACH_CASE = pytest.mark.parametrize(
    ("cls", "axes"),
    [(cls, axes) for cls in REGISTRY.values() for axes in cls.axes],
    ids=[f"{name}-{axes}" for name, cls in REGISTRY.items() for axes in cls.axes],
)
EACH_SETTING = pytest.mark.parametrize(
    ("cls", "name"),
    [(cls, name) for cls in REGISTRY.values() for name in settings_of(cls)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
EACH_ACTIVATION = pytest.mark.parametrize("name", ACTIVATIONS)


def outputs_of(cls):
    return FEATURES if cls.keeps_shape else 3 * FEATURES


def numbers(cls, factor=1.0):
    """Settings that may be numbers of a program, beside the defaults and inside their intervals."""
    about = {n: a for n, a in settings_of(cls).items() if n not in STRUCTURE}
    chosen = {n: a["default"] * factor for n, a in about.items()}
    return {n: v if within(v, about[n]["interval"]) else about[n]["default"] for n, v in chosen.items()}


def data(axes, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(0.3, 1.5, SHAPES[axes]).astype(dtype)


@functools.cache
def state(cls, axes, seed=0):
    """Weights away from their start, and the memory after two batches: every term of the formula counts. NumPy."""
    rng = np.random.default_rng(100 + seed)
    weights, memory = cls().init(rng, FEATURES, outputs_of(cls))
    weights = jax.tree.map(lambda w: (w + 0.3 * rng.normal(size=w.shape)).astype(np.float32), weights)
    for batch in (1, 2):
        x = jnp.asarray(data(axes, 10 * seed + batch))
        memory = cls().apply(weights, memory, x, training=True, key=jnp.uint32(batch))[1]
    return weights, jax.tree.map(np.asarray, memory)


def cast(tree, dtype):
    return jax.tree.map(lambda a: np.asarray(a, dtype), tree)


def walked(cls, settings, weights, memory, x, key):
    """(y, the next memory, the gradients of Σ sin y in weights and x) in training, and y in prediction."""
    layer = cls(**settings)

    def loss(weights, x):
        y, after = layer.apply(weights, memory, x, training=True, key=key)
        return jnp.sin(y).sum(), (y, after)

    (_, (y, after)), gradients = jax.value_and_grad(loss, (0, 1), has_aux=True)(weights, x)
    return y, after, gradients, layer.apply(weights, memory, x, training=False, key=key)[0]


@functools.cache
def alone(cls):
    return jax.jit(functools.partial(walked, cls))


@functools.cache
def lane(cls):
    return jax.jit(jax.vmap(functools.partial(walked, cls)))


def racers(cls, axes):
    """Three racers that differ in everything: settings, weights, memory, data and key."""
    return [
        (cast(numbers(cls, factor), np.float32), *state(cls, axes, seed), data(axes, seed), np.uint32(5 + seed))
        for seed, factor in enumerate([0.5, 1.0, 1.5])
    ]


def stacked(many):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *many)


def close(one, other, **tolerance):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


@EACH_CASE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes_and_types_are_kept(cls, axes, dtype):
    """A layer answers in x's type, with x's axes, and with the same kind of memory; it promotes nothing silently."""
    with jax.enable_x64(dtype == "float64"), jax.numpy_dtype_promotion("strict"):
        weights, memory = cast(state(cls, axes), dtype)
        x = data(axes, dtype=dtype)
        layer = cls(**cast(numbers(cls), dtype))
        for training in (True, False):
            apply = lambda x, t=training: layer.apply(weights, memory, x, training=t, key=jnp.uint32(0))  # noqa: E731
            y, after = jax.eval_shape(apply, x)
            assert (y.shape, y.dtype) == ((outputs_of(cls), *x.shape[1:]), dtype)
            assert jax.tree.structure(after) == jax.tree.structure(memory)
            close(jax.tree.map(lambda a: a.shape, after), jax.tree.map(lambda a: a.shape, memory))
            assert all(a.dtype == dtype for a in jax.tree.leaves(after))


@EACH_LAYER
def test_a_layer_starts_in_float32(cls):
    """`init` answers NumPy float32, decided by the draws alone."""
    make = lambda: jax.tree.leaves(cls().init(np.random.default_rng(3), FEATURES, outputs_of(cls)))  # noqa: E731
    for a, b in zip(make(), make(), strict=True):
        assert isinstance(a, np.ndarray)
        assert a.dtype == np.float32
        np.testing.assert_array_equal(a, b)


@EACH_CASE
def test_side_by_side_equals_one_by_one(cls, axes):
    """Racers of one lane answer, remember and pass gradients back as each alone, with settings of their own."""
    many = racers(cls, axes)
    together = lane(cls)(*stacked(many))
    for k, one in enumerate(many):
        mine = jax.tree.map(lambda leaf, k=k: leaf[k], together)
        close(mine, alone(cls)(*one), rtol=2e-5, atol=2e-5)  # sums in another order


@EACH_CASE
def test_a_broken_neighbour_is_not_felt(cls, axes):
    """NaN and infinity in one racer change no bit of the others."""
    many = racers(cls, axes)
    healthy = lane(cls)(*stacked(many))
    settings, weights, memory, x, key = many[1]
    broken = jax.tree.map(lambda w: np.full_like(w, np.inf), weights)
    many[1] = (settings, broken, memory, np.full_like(x, np.nan), key)
    for a, b in zip(jax.tree.leaves(healthy), jax.tree.leaves(lane(cls)(*stacked(many))), strict=True):
        np.testing.assert_array_equal(np.asarray(a)[[0, 2]], np.asarray(b)[[0, 2]])


@EACH_CASE
def test_gradients_are_slopes(cls, axes):
    """The gradient in weights and x, hand-written or not, is the slope of the layer's answer in a random direction."""
    rng = np.random.default_rng(7)
    with jax.enable_x64(True):
        weights, memory = cast(state(cls, axes), np.float64)
        x = data(axes, dtype=np.float64)
        layer, c = cls(), rng.normal(size=(outputs_of(cls), *x.shape[1:]))

        @jax.jit
        def loss(at):
            y, _ = layer.apply(at[0], memory, at[1], training=True, key=jnp.uint32(3))
            return (c * jnp.sin(y)).sum()

        at = (weights, x)
        towards = jax.tree.map(lambda a: rng.normal(size=a.shape), at)
        gradient = jax.jit(jax.grad(loss))(at)
        pairs = zip(jax.tree.leaves(gradient), jax.tree.leaves(towards), strict=True)
        mine = sum(float((g * d).sum()) for g, d in pairs)
        along = lambda h: float(loss(jax.tree.map(lambda a, d: a + h * d, at, towards)))  # noqa: E731
        h = 1e-4
        slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)  # error h⁴
    assert abs(slope) > 1e-2
    np.testing.assert_allclose(mine, slope, rtol=1e-6)


@EACH_CASE
@pytest.mark.parametrize("kind", ["constant", "zero", "huge", "one row", "far from zero"])
def test_odd_data_stays_finite(cls, axes, kind):
    """Data without spread, of one row, of 1e15 and at 3e3 ± 1 gives finite answers and gradients, no NaN on the way."""
    settings, weights, memory, x, key = racers(cls, axes)[1]
    x = {"constant": 0 * x + 1.5, "zero": 0 * x, "huge": 1e15 * x, "one row": x[..., :1], "far from zero": 3e3 + x}[
        kind
    ]
    with jax.debug_nans(True):
        result = alone(cls)(settings, weights, memory, x.astype(np.float32), key)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result))


@EACH_CASE
def test_prediction_is_the_same_in_numpy(cls, axes):
    """With NumPy arrays a layer predicts in NumPy, in float32, what it predicts in a program; nothing is changed."""
    (weights, memory), x = state(cls, axes), data(axes)
    before = jax.tree.map(np.copy, (weights, memory, x))
    y, after = cls().apply(weights, memory, x, training=False, key=0)
    inside = jax.jit(lambda w, m, x: cls().apply(w, m, x, training=False, key=0)[0])(weights, memory, x)
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, inside, rtol=1e-5, atol=1e-5)
    for leaf, same in zip(jax.tree.leaves((weights, after, x)), jax.tree.leaves(before), strict=True):
        np.testing.assert_array_equal(leaf, same)


@EACH_CASE
def test_rows_are_predicted_by_themselves(cls, axes):
    """In prediction a row's answer does not change with the other rows, nor with the key."""
    (weights, memory), x = state(cls, axes), data(axes)
    other = np.concatenate([x[..., :2], 100 * data(axes, 9)], -1)
    y = [cls().apply(weights, memory, v, training=False, key=k)[0][..., :2] for k, v in enumerate((x, other))]
    np.testing.assert_allclose(*y, rtol=1e-5, atol=1e-5)  # a product of another shape sums in another order


@EACH_CASE
def test_training_and_prediction_agree(cls, axes):
    """After training on one batch alone, and where nothing is left out, the batch is predicted as it was trained."""
    layer = cls(**{name: 0.0 for name in settings_of(cls) if name == "p"})
    weights, _ = state(cls, axes)
    memory = layer.init(np.random.default_rng(0), FEATURES, outputs_of(cls))[1]
    x = jnp.asarray(data(axes))
    for _ in range(2):
        trained, memory = layer.apply(weights, memory, x, training=True, key=jnp.uint32(1))
    predicted, _ = layer.apply(weights, memory, x, training=False, key=jnp.uint32(1))
    np.testing.assert_allclose(trained, predicted, rtol=1e-5, atol=1e-5)


@EACH_CASE
def test_float32_keeps_its_digits(cls, axes):
    """Answers, memory and gradients in float32 lie within 1e-5 of those in float64, relative to the largest of each."""
    one = racers(cls, axes)[0]
    narrow = jax.tree.map(np.asarray, alone(cls)(*one))
    with jax.enable_x64(True):
        wide = jax.tree.map(np.asarray, alone(cls)(*cast(one[:4], np.float64), one[4]))
    for n, w in zip(jax.tree.leaves(narrow), jax.tree.leaves(wide), strict=True):
        assert np.abs(n - w).max() <= 1e-5 * np.abs(w).max()


@EACH_SETTING
@pytest.mark.parametrize("value", ["below", "above", float("nan"), True, "0.5", None])
def test_a_wrong_setting_is_named_in_a_sentence(cls, name, value):
    """A setting outside its interval is refused when the layer is built, with where, what was wanted and what came."""
    interval = settings_of(cls)[name]["interval"]
    low, high = (float(end) for end in interval.strip("[]()").split(","))
    value = {"below": low - 1, "above": high + 1}.get(value, value)
    wanted = f"in {interval}" if type(value) is float else f"a number in {interval}"
    with pytest.raises(SlalomError) as raised:
        cls(**{name: value})
    assert str(raised.value) == f"{cls.__name__}({name}=…) must be {wanted}. Got {value!r}."


@EACH_LAYER
def test_the_docstring_names_every_setting(cls):
    """Every setting is explained where the formula stands, and the formula and an example are there."""
    for name in settings_of(cls):
        assert f"{name}: [] " in cls.__doc__
    assert "y = " in cls.__doc__ or "yₜ = " in cls.__doc__
    assert ">>> " in cls.__doc__
    assert "x [" in cls.__doc__


@EACH_LAYER
def test_plain_data_and_back(cls):
    """A layer is its name and its settings, and comes back from them."""
    layer = cls(**numbers(cls, 0.5))
    assert from_plain("layer", to_plain(layer, layers.REGISTRY), layers.REGISTRY) == layer


# --- activations ------------------------------------------------------------------------------------------------------


@EACH_ACTIVATION
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_activation_is_the_same_in_numpy(name, dtype):
    """NumPy and JAX agree on every activation, and it keeps the type and the shape of what it is given."""
    f, x = ACTIVATIONS[name].of, np.linspace(-30, 30, 602).reshape(2, 301).astype(dtype)
    with jax.enable_x64(dtype == "float64"), jax.numpy_dtype_promotion("strict"):
        inside, plain = jax.jit(f)(x), f(x)
    assert isinstance(plain, np.ndarray)
    assert inside.dtype == plain.dtype == dtype
    assert inside.shape == plain.shape == x.shape
    np.testing.assert_allclose(plain, inside, rtol=40 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)


@EACH_ACTIVATION
def test_an_activation_survives_extreme_numbers(name):
    """Numbers of ±1e30 raise no warning and give no NaN, in value and in gradient."""
    x = np.array([-1e30, -0.0, 0.0, 1e30], np.float32)
    f = ACTIVATIONS[name].of
    assert np.isfinite(f(x)).all()
    with jax.debug_nans(True):
        assert np.isfinite(jax.jit(jax.grad(lambda x: f(x).sum()))(x)).all()


@EACH_ACTIVATION
def test_the_gradient_of_an_activation_is_its_slope(name):
    """The derivative in a program is the slope of the NumPy function."""
    f, x, h = ACTIVATIONS[name].of, np.array([-8.0, -2.5, -0.4, 0.3, 1.7, 9.0]), 1e-5
    with jax.enable_x64(True):
        mine = jax.jit(jax.grad(lambda x: f(x).sum()))(x)
    np.testing.assert_allclose(mine, (f(x + h) - f(x - h)) / (2 * h), rtol=1e-7, atol=1e-9)
