"""The layers against their formulas, written once more in float64, and their hand-written gradients."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom.errors import SlalomError
from slalom.layers import (
    ACTIVATIONS,
    BatchNorm,
    ChannelDropout,
    Dense,
    Dropout,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Periodic,
    PiecewiseLinear,
    quantile_edges,
    rows_first,
    rows_last,
)
from slalom.layers.base import hashed, standardise
from slalom.layers.batch_norm import BatchNormMemory
from slalom.net import Net
from slalom.rules import SGD
from slalom.step import Knobs, State, Structure, step

EPSILON = 1e-5  # of both normalisations, as the registry's defaults say


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def finite_difference(f, x, h=1e-6):
    """df/dx of a scalar function, element by element, by central differences: error h² f''' / 6 + 1e-16 / h."""
    x, slope = np.array(x, np.float64), np.zeros(np.shape(x))
    for i in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        slope[i] = (float(f(up)) - float(f(down))) / (2 * h)
    return slope


def naive_standardise(x, axis):
    """The formula, in whatever array library x comes from."""
    return (x - x.mean(axis, keepdims=True)) / (x.var(axis, keepdims=True) + EPSILON) ** 0.5


# --- dense ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_dense_is_w_x_plus_b(rng, kind):
    """Dense answers W x + b, with NumPy and with JAX alike."""
    w, b, x = rng.normal(size=(4, 3)), rng.normal(size=(4, 1)), rng.normal(size=(3, 5))
    with jax.enable_x64(True):
        weights = {"w": kind(w), "b": kind(b)}
        y, memory = Dense().apply(weights, (), kind(x), training=True, key=0)
        expected = np.array([[sum(w[i, k] * x[k, j] for k in range(3)) + b[i, 0] for j in range(5)] for i in range(4)])
        np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-13)  # float64: sums of three
        assert memory == ()
        assert isinstance(y, np.ndarray) == (kind is np.asarray)


def test_dense_backward_is_the_derivative(rng):
    """Dense's hand-written backward pass is the derivative of W x + b in W, b and x."""
    w, b, x, c = rng.normal(size=(4, 3)), rng.normal(size=(4, 1)), rng.normal(size=(3, 5)), rng.normal(size=(4, 5))
    with jax.enable_x64(True):

        def loss(w, b, x):
            y, _ = Dense().apply({"w": w, "b": b}, (), x, training=True, key=0)
            return (c * jnp.sin(y)).sum()  # not linear in y, so that the incoming gradient differs everywhere

        got = jax.jit(jax.grad(loss, (0, 1, 2)))(*[jnp.asarray(a) for a in (w, b, x)])
    naive = lambda w, b, x: (c * np.sin(w @ x + b)).sum()  # noqa: E731
    slopes = (
        finite_difference(lambda v: naive(v, b, x), w),
        finite_difference(lambda v: naive(w, v, x), b),
        finite_difference(lambda v: naive(w, b, v), x),
    )
    for gradient, slope in zip(got, slopes, strict=True):
        np.testing.assert_allclose(gradient, slope, atol=1e-8)  # of the differences


def test_dense_starts_with_the_variance_of_its_gain():
    """Dense starts with W ~ N(0, gain² / in), b = 0, float32, and no two racers' draws the same."""
    weights, memory = Dense().init(np.random.default_rng(0), 200, 500, 2**0.5)
    spread = weights["w"].std() / np.sqrt(2 / 200)
    assert weights["w"].shape == (500, 200)
    assert weights["w"].dtype == np.float32
    assert abs(spread - 1) < 4 / np.sqrt(2 * weights["w"].size)  # four standard errors of a spread
    assert abs(weights["w"].mean()) < 4 * np.sqrt(2 / 200) / np.sqrt(weights["w"].size)
    np.testing.assert_array_equal(weights["b"], np.zeros((500, 1), np.float32))
    assert memory == ()
    other, _ = Dense().init(np.random.default_rng(1), 200, 500, 2**0.5)
    assert (other["w"] != weights["w"]).mean() > 0.99


# --- standardise and the normalisations -------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
def test_standardise_is_its_formula(rng, axis):
    """Standardise answers (x − μ) / √(σ² + ε), with μ and σ² (divided by the count) beside it."""
    x = rng.normal(3, 0.01, size=(4, 6))  # variance 1e-4: ε = 1e-5 matters
    with jax.enable_x64(True):
        y, mean, variance = standardise(jnp.asarray(x), axis, EPSILON)
        np.testing.assert_allclose(y, naive_standardise(x, axis), rtol=1e-10)
        np.testing.assert_allclose(mean, x.mean(axis, keepdims=True), rtol=1e-14)
        np.testing.assert_allclose(variance, x.var(axis, keepdims=True), rtol=1e-10)


@pytest.mark.parametrize("axis", [0, 1])
def test_standardise_backward_is_the_derivative(rng, axis):
    """The hand-written backward pass equals autodiff of the naive formula and finite differences."""
    x, c = rng.normal(1, 0.02, size=(4, 6)), rng.normal(size=(4, 6))  # small enough that ε matters
    with jax.enable_x64(True):
        both = [
            lambda x: (c * jnp.sin(standardise(x, axis, EPSILON)[0])).sum(),
            lambda x: (c * jnp.sin(naive_standardise(x, axis))).sum(),
        ]
        mine, naive = jax.jit(lambda x: [jax.grad(f)(x) for f in both])(jnp.asarray(x))
    np.testing.assert_allclose(mine, naive, rtol=1e-9, atol=1e-11)
    # third derivatives are about 1 / σ³ = 1e5: 1e-7 with h = 1e-6 on gradients of about 50
    slope = finite_difference(lambda x: (c * np.sin(naive_standardise(x, axis))).sum(), x)
    np.testing.assert_allclose(mine, slope, atol=1e-6)


def test_nothing_flows_back_through_the_moments(rng):
    """The μ and σ² that are handed out feed moving averages: they carry no gradient."""
    x = jnp.asarray(rng.normal(size=(3, 4)), jnp.float32)
    gradient = jax.jit(jax.grad(lambda x: sum(m.sum() for m in standardise(x, 1, EPSILON)[1:])))(x)
    np.testing.assert_array_equal(gradient, np.zeros((3, 4)))


def test_standardise_keeps_its_digits_far_from_zero(rng):
    """In float32, a feature with mean 3,000 and spread 1 is standardised to three digits (E[x²] − μ² keeps none)."""
    x = (3000 + rng.normal(size=(1, 64))).astype(np.float32)
    y, _, variance = standardise(jnp.asarray(x), 1, EPSILON)
    exact = naive_standardise(x.astype(np.float64), 1)
    assert abs(float(variance[0, 0]) / x.astype(np.float64).var() - 1) < 1e-3
    np.testing.assert_allclose(y, exact, atol=1e-3)  # μ is known to 3000 · 6e-8 · √64 ≈ 1e-3 at worst


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm()], ids=["batch_norm", "layer_norm"])
def test_normalisation_and_its_gradients(rng, layer):
    """In training, y = gain (x − μ) / √(σ² + ε) + shift over the layer's axis, and its gradients are those of this."""
    axis = 1 if isinstance(layer, BatchNorm) else 0
    x, c = rng.normal(1, 0.1, size=(4, 6)), rng.normal(size=(4, 6))
    gain, shift = rng.normal(size=(4, 1)), rng.normal(size=(4, 1))
    with jax.enable_x64(True):
        _, memory = layer.init(rng, 4, 4)

        def mine(x, gain, shift):
            y, _ = layer.apply({"gain": gain, "shift": shift}, memory, x, training=True, key=0)
            return (c * jnp.sin(y)).sum()

        def naive(x, gain, shift):
            return (c * jnp.sin(gain * naive_standardise(x, axis) + shift)).sum()

        args = [jnp.asarray(a) for a in (x, gain, shift)]
        got, expected = jax.jit(lambda *a: [jax.value_and_grad(f, (0, 1, 2))(*a) for f in (mine, naive)])(*args)
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-12)
    for a, b in zip(got[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


SHAPES = {"dense": (6, 3), "signal": (5, 3, 4), "image": (5, 3, 2, 4), "volume": (5, 3, 2, 3, 2)}  # (N, C, …)
EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


@EACH_SHAPE
def test_rows_last_and_back(rng, shape):
    """`rows_last` takes the rows behind all other axes, `rows_first` back, in NumPy and in JAX."""
    x = rng.normal(size=shape)
    last = rows_last(x)
    assert last.shape == (*shape[1:], shape[0])
    np.testing.assert_array_equal(last[..., 2 % shape[0]], x[2 % shape[0]])
    np.testing.assert_array_equal(rows_first(last), x)
    inside = rows_last(jnp.asarray(x))
    assert isinstance(inside, jax.Array)
    np.testing.assert_array_equal(rows_first(inside), jnp.asarray(x))


def loops(x, members):
    """Every element of x (N, C, …) by the mean and variance of the elements that `members(place)` selects."""
    y = np.empty_like(x)
    for place in np.ndindex(*x.shape):
        group = x[members(place)]
        mean = sum(group.ravel()) / group.size
        variance = sum((group.ravel() - mean) ** 2) / group.size
        y[place] = (x[place] - mean) / math.sqrt(variance + EPSILON)
    return y


@EACH_SHAPE
@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm(), GroupNorm(groups=3), InstanceNorm()], ids=repr)
def test_normalisations_of_images_are_their_formulas(rng, layer, shape):
    """What is averaged over: a channel of all rows, a row, a group of a row's channels, a channel of a row."""
    shape = (shape[0], 6, *shape[2:])
    if isinstance(layer, InstanceNorm) and len(shape) == 2:
        return
    members = {
        BatchNorm: lambda place: np.s_[:, place[1]],
        LayerNorm: lambda place: np.s_[place[0]],
        GroupNorm: lambda place: np.s_[place[0], place[1] // 2 * 2 : place[1] // 2 * 2 + 2],
        InstanceNorm: lambda place: np.s_[place[0], place[1]],
    }[type(layer)]
    x, gain, shift = 3 + 0.01 * rng.normal(size=shape), rng.normal(size=(6, 1)), rng.normal(size=(6, 1))
    one = (1, 6) + (1,) * (len(shape) - 2)
    expected = loops(x, members) * gain.reshape(one) + shift.reshape(one)
    with jax.enable_x64(True):
        _, memory = layer.init(rng, 6, 6)
        y, _ = layer.apply({"gain": gain, "shift": shift}, memory, rows_last(jnp.asarray(x)), training=True, key=0)
    np.testing.assert_allclose(rows_first(y), expected, rtol=1e-9, atol=1e-9)


@EACH_SHAPE
def test_moving_averages_of_other_libraries(rng, shape):
    """PyTorch's and Keras's moving averages, from their formulas, are the memory here as the docstring says: they start
    at 0 and 1 instead of being divided by their weight, PyTorch's variance divides by n − 1, Keras's momentum is 1 − ρ.
    """
    rho, layer = 0.1, BatchNorm()
    n = math.prod(shape) // shape[1]
    axes = (0, *range(2, len(shape)))
    torch, keras = ({"mean": np.zeros(3), "variance": np.ones(3)} for _ in range(2))
    with jax.enable_x64(True):
        weights, memory = layer.init(rng, 3, 3)
        memory = jax.tree.map(lambda a: a.astype(np.float64), memory)
        for k in range(1, 6):
            x = rng.normal(4, 2, size=shape)
            _, memory = layer.apply(weights, memory, rows_last(jnp.asarray(x)), training=True, key=0)
            torch["mean"] = (1 - rho) * torch["mean"] + rho * x.mean(axes)
            torch["variance"] = (1 - rho) * torch["variance"] + rho * x.var(axes, ddof=1)
            keras["mean"] = 0.9 * keras["mean"] + (1 - 0.9) * x.mean(axes)
            keras["variance"] = 0.9 * keras["variance"] + (1 - 0.9) * x.var(axes)
            start = (1 - rho) ** k
            mean, variance = memory.mean[:, 0], memory.variance[:, 0]
            np.testing.assert_allclose(torch["mean"], mean, rtol=1e-12)
            np.testing.assert_allclose(torch["variance"], start + n / (n - 1) * variance, rtol=1e-12)
            np.testing.assert_allclose(keras["mean"], mean, rtol=1e-12)
            np.testing.assert_allclose(keras["variance"], start + variance, rtol=1e-12)
            np.testing.assert_allclose(memory.weight, 1 - start, rtol=1e-12)
        fair = mean / memory.weight
        assert np.abs(fair - torch["mean"]).min() > 1  # after 5 batches of mean 4 PyTorch's still holds 59 % of its 0
        assert abs(fair.mean() - 4) < 1.5


def test_groups_that_do_not_divide_are_refused(rng):
    """Group norm is refused where its groups do not divide the features, before anything is trained."""
    for groups, features in ((4, 6), (8, 4), (1.5, 3)):
        with pytest.raises(SlalomError) as raised:
            GroupNorm(groups=groups).init(rng, features, features)
        sentence = f"GroupNorm(groups=…) must be a divisor of the {features} features. Got {groups!r}."
        assert str(raised.value) == sentence


def test_instance_norm_refuses_dense_data(rng):
    """Dense data has no pixels to average over: instance norm says so."""
    weights, _ = InstanceNorm().init(rng, 3, 3)
    with pytest.raises(SlalomError) as raised:
        InstanceNorm().apply(weights, (), np.ones((3, 4)), training=False, key=0)
    assert str(raised.value) == (
        "InstanceNorm(x) must be of shape [C, …, N] with pixels. Got (3, 4). Use layer_norm or batch_norm for it."
    )


def test_one_group_is_layer_norm_and_one_channel_a_group_is_instance_norm(rng):
    """Group norm has layer norm and, on images, instance norm at its ends."""
    x = rng.normal(size=(6, 3, 2, 4)).astype(np.float32)
    weights = {"gain": rng.normal(size=(6, 1)), "shift": rng.normal(size=(6, 1))}
    for groups, other in ((1, LayerNorm()), (6, InstanceNorm())):
        both = [one.apply(weights, (), x, training=False, key=0)[0] for one in (GroupNorm(groups=groups), other)]
        np.testing.assert_allclose(*both, atol=1e-6)


def test_layer_norm_takes_a_gain_for_every_pixel(rng):
    """Weights of x's own axes, as PyTorch's LayerNorm learns them, are taken as they are."""
    x, gain, shift = rng.normal(size=(3, 2, 5)), rng.normal(size=(3, 2, 1)), rng.normal(size=(3, 2, 1))
    y, _ = LayerNorm().apply({"gain": gain, "shift": shift}, (), x, training=False, key=0)
    expected = (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + EPSILON) * gain + shift
    np.testing.assert_allclose(y, expected, rtol=1e-12)


@pytest.mark.parametrize("rho", [0.1, 0.5, 1.0])
def test_moving_averages_are_debiased(rng, rho):
    """Otherwise than in training, μ and σ² are the batches' weighted means, with weights ρ (1 − ρ)ᵏ that sum to one."""
    batches = rng.normal(2, 3, size=(7, 2, 5))
    layer = BatchNorm(rho=rho)
    with jax.enable_x64(True):
        weights, memory = layer.init(rng, 2, 2)
        memory = jax.tree.map(lambda a: a.astype(np.float64), memory)
        train = jax.jit(lambda memory, x: layer.apply(weights, memory, x, training=True, key=0)[1])
        for done, batch in enumerate(batches, start=1):
            memory = train(memory, batch)
            share = rho * (1 - rho) ** np.arange(done - 1, -1, -1.0)
            share /= share.sum()
            mean = (share[:, None] * batches[:done].mean(2)).sum(0)[:, None]
            variance = (share[:, None] * batches[:done].var(2)).sum(0)[:, None]  # divided by B, as in training
            x = np.array([[0.5, 4.0, 9.0]] * 2)
            expected = (x - mean) / np.sqrt(variance + EPSILON)
            for kind in (jnp.asarray, np.asarray):
                kept = BatchNormMemory(*[kind(a) for a in memory])
                y, after = layer.apply(weights, kept, kind(x), training=False, key=0)
                np.testing.assert_allclose(y, expected, rtol=1e-10)
                assert all(np.array_equal(a, b) for a, b in zip(after, memory, strict=True))


def test_training_and_prediction_agree_after_one_batch(rng):
    """After one batch the moving averages are that batch's own: training and prediction agree."""
    x = jnp.asarray(rng.normal(5, 2, size=(3, 8)), jnp.float32)
    layer = BatchNorm()
    weights, memory = layer.init(rng, 3, 3)
    trained, memory = layer.apply(weights, memory, x, training=True, key=0)
    predicted, _ = layer.apply(weights, memory, x, training=False, key=0)
    np.testing.assert_allclose(predicted, trained, atol=2e-6)  # float32: one division by the weight 0.1


def test_batch_of_one_row_is_its_shift(rng):
    """A batch of one row gives y = shift in training, and a gradient of zero instead of NaN."""
    layer, x = BatchNorm(), jnp.asarray(rng.normal(size=(3, 1)), jnp.float32)
    weights, memory = layer.init(rng, 3, 3)
    weights["shift"] = np.array([[1.0], [-2.0], [0.5]], np.float32)
    apply = lambda x: layer.apply(weights, memory, x, training=True, key=0)[0]  # noqa: E731
    np.testing.assert_array_equal(apply(x), weights["shift"])
    np.testing.assert_array_equal(jax.jit(jax.grad(lambda x: (apply(x) ** 2).sum()))(x), np.zeros((3, 1)))


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_layer_norm_rows_do_not_touch_each_other(rng, kind):
    """Layer norm treats every row by itself, in training as otherwise, by the formula over its features."""
    x = rng.normal(size=(4, 3)).astype(np.float32)
    layer = LayerNorm()
    weights, _ = layer.init(rng, 4, 4)
    both = [layer.apply(weights, (), kind(x), training=training, key=0)[0] for training in (True, False)]
    np.testing.assert_array_equal(*both)
    np.testing.assert_allclose(both[0], naive_standardise(x.astype(np.float64), 0), atol=1e-6)  # float32
    other = x.copy()
    other[:, 2] = 1e6
    np.testing.assert_allclose(layer.apply(weights, (), kind(other), training=True, key=0)[0][:, :2], both[0][:, :2])


# --- dropout ----------------------------------------------------------------------------------------------------------

SIZE = (200, 200)
FOUR_ERRORS = 4 * 0.5 / math.sqrt(SIZE[0] * SIZE[1])  # of a share of one half over so many draws: 0.01


DRAW = jax.jit(lambda key, p, x: Dropout(p).apply((), (), x, training=True, key=key)[0])


def dropped(p, key, x=None):
    """Dropout in training, p a number of the program, as racers have it."""
    return np.asarray(DRAW(np.uint32(key), np.float32(p), np.ones(SIZE, np.float32) if x is None else x))


def test_dropout_of_zero_leaves_every_bit(rng):
    """p = 0 leaves x as it is, bit for bit, odd numbers included; so does prediction at any p."""
    x = rng.normal(size=(20, 20)).astype(np.float32)
    x[1, :4] = [0.0, -0.0, np.inf, 1.2e-38]
    np.testing.assert_array_equal(dropped(0.0, 3, x=x).view(np.uint32), x.view(np.uint32))
    y, _ = Dropout(p=0.9).apply((), (), x, training=False, key=0)
    assert y is x


def test_dropout_at_the_edges_of_a_draw(monkeypatch):
    """The smallest draw stays at p = 0 and goes at any larger p; the largest stays at every p below 1."""
    for draw, p, kept in [(0, 0.0, True), (0, 1e-6, False), (2**32 - 1, 0.999999, True), (2**31, 0.5, True)]:
        monkeypatch.setattr("slalom.layers.base.drawn", lambda shape, key, d=draw: jnp.full(shape, d, jnp.uint32))
        y, _ = Dropout(p=p).apply((), (), jnp.ones((1, 1)), training=True, key=jnp.uint32(0))
        assert bool(y[0, 0] > 0) == kept


@pytest.mark.parametrize("p", [0.01, 0.2, 0.4, 0.5, 0.9])
def test_dropout_rate_and_scale(p):
    """A share p of the elements is 0, the others are multiplied by 1 / (1 − p), so that the mean stays."""
    y = dropped(p, 11)
    kept = y != 0
    assert abs(kept.mean() - (1 - p)) < 4 * math.sqrt(p * (1 - p) / y.size)  # four standard errors
    np.testing.assert_allclose(y[kept], 1 / (1 - p), rtol=2e-7)  # float32
    rows, columns = kept.mean(1), kept.mean(0)
    for part in (rows, columns):  # no row and no column is special: five standard errors of 200 draws
        assert np.abs(part - (1 - p)).max() < 5 * math.sqrt(p * (1 - p) / 200) + 1 / 200


@pytest.mark.parametrize("other", [8, 7 + 2**16, 7 + 2**31, 7 ^ 0x9E3779B9], ids=["next", "middle", "top", "golden"])
def test_masks_of_two_keys_are_independent(other):
    """Masks under two keys, one bit apart or more, agree as often as two coins do; under one key they are the same."""
    one, two = dropped(0.5, 7) != 0, dropped(0.5, other) != 0
    assert abs((one == two).mean() - 0.5) < FOUR_ERRORS
    np.testing.assert_array_equal(dropped(0.5, 7) != 0, one)


def test_neighbours_within_a_mask_are_independent():
    """Whether an element is left out says nothing about the next ones, along features and along rows."""
    kept = dropped(0.5, 1) != 0
    for lag in (1, 2, 3, 16, 64):
        assert abs((kept[lag:] == kept[:-lag]).mean() - 0.5) < 1.1 * FOUR_ERRORS
        assert abs((kept[:, lag:] == kept[:, :-lag]).mean() - 0.5) < 1.1 * FOUR_ERRORS


def test_racers_side_by_side_draw_as_if_alone():
    """Under vmap a racer's mask is the one it draws alone, and racers' masks are independent of each other."""
    keys = jnp.array([5, 6, 5], jnp.uint32)
    ps = jnp.array([0.5, 0.5, 0.25], jnp.float32)
    together = np.asarray(jax.vmap(DRAW, (0, 0, None))(keys, ps, np.ones(SIZE, np.float32)))
    for i in range(3):
        np.testing.assert_array_equal(together[i], dropped(float(ps[i]), int(keys[i])))
    assert abs(((together[0] != 0) == (together[1] != 0)).mean() - 0.5) < FOUR_ERRORS


def test_layers_and_steps_and_racers_draw_their_own_masks():
    """Each racer, step and layer has a mask of its own: any two agree as often as two coins do."""
    masks = {(racer, t): mask_of_a_step(racer, t) for racer in (0, 1, 0xDEADBEEF) for t in (1, 2, 3, 1000)}
    names = list(masks)
    for i, a in enumerate(names):
        assert abs(masks[a].mean() - 0.5) < 4 * 0.5 / math.sqrt(masks[a].size)
        for b in names[:i]:
            agree = (masks[a] == masks[b]).mean()
            assert abs(agree - 0.5) < 5 * 0.5 / math.sqrt(masks[a].size), (a, b)  # 66 pairs: five standard errors
    depth = 3
    net = Net(inputs=1, outputs=100, depth=depth, width=100)
    one = {"w": np.eye(100, dtype=np.float32), "b": np.zeros((100, 1), np.float32)}
    first = {"w": np.zeros((100, 1), np.float32), "b": np.ones((100, 1), np.float32)}
    y, _ = net.apply(
        (first, one, one, one), ((),) * depth, jnp.ones((1, 400)), training=True, key=jnp.uint32(9), dropout=0.5
    )
    # An element passes all three layers with probability 1/8 if their masks are independent, 1/2 if they are one.
    assert abs((np.asarray(y) != 0).mean() - 0.125) < 4 * math.sqrt(0.125 * 0.875 / y.size)
    np.testing.assert_allclose(np.unique(np.asarray(y)), [0, 8])


def test_no_two_steps_of_many_share_a_mask():
    """Among the masks of 200 steps no pair agrees more than chance has it: 20,000 coin tosses, six standard errors; and
    all of them together spread as coin tosses do."""
    t = np.arange(1, 201, dtype=np.uint32)
    keys = (np.uint32(123456) ^ (t * np.uint32(0x27D4EB2F))) * np.uint32(0x165667B1)  # as `racer.step` makes them
    masks = np.asarray(jax.vmap(DRAW, (0, None, None))(keys, np.float32(0.5), np.ones(SIZE, np.float32))) != 0
    signs = (2.0 * masks - 1).reshape(200, -1)
    z = (signs @ signs.T)[np.triu_indices(200, 1)] / math.sqrt(signs.shape[1])
    assert abs(math.sqrt((z**2).mean()) - 1) < 0.03  # 19,900 pairs: four standard errors are 0.02
    assert np.abs(z).max() < 6


WIDE = 10_000
ONE_STEP = jax.jit(step, static_argnums=(0, 1))


def mask_of_a_step(key, t):
    """Which of the hidden features a step kept: those whose outgoing weight was moved by it."""
    net = Net(inputs=1, outputs=1, depth=1, width=WIDE)
    weights = (
        {"w": np.zeros((WIDE, 1), np.float32), "b": np.ones((WIDE, 1), np.float32)},
        {"w": np.zeros((1, WIDE), np.float32), "b": np.zeros((1, 1), np.float32)},
    )
    zero, none = np.float32(0), np.zeros(0, np.float32)
    knobs = Knobs(
        np.zeros(1, np.float32), np.ones(1, np.float32), squash=zero, table=np.int32(0), target=np.int32(0),
            order=np.int32(0),
        key=np.uint32(key), dropout=np.float32(0.5), penalty=zero, l1=zero, smoothing=zero,
        loss=zero, settings=none,
    )  # fmt: skip
    state = State(weights, ((),), ({"w": None, "b": None},) * 2)
    rows, x, y = np.zeros(1, np.int32), np.zeros((1, 1), np.float32), np.ones(1, np.float32)
    after = ONE_STEP(Structure(net, 1, "squared_error"), SGD(), state, knobs, np.int32(t), np.float32(1), rows, x, y)
    moved = np.asarray(after.weights[-1]["w"][0])
    np.testing.assert_allclose(np.unique(moved), [0, 4])  # −η · 2 (0 − 1) · 1 / (1 − p)
    return moved != 0


def test_the_hash_is_flat_in_every_bit():
    """Every one of the 32 bits of the hash is set for half of the counters."""
    h = np.asarray(hashed(jnp.arange(2**16, dtype=jnp.uint32), jnp.uint32(123)))
    share = [((h >> bit) & 1).mean() for bit in range(32)]
    assert np.abs(np.array(share) - 0.5).max() < 5 * 0.5 / 2**8  # five standard errors of 65,536 draws


@pytest.mark.parametrize("shape", [(20, 3, 4, 300), (20, 12, 300), (20, 2, 3, 2, 300)], ids=str)
def test_channel_dropout_leaves_out_whole_channels(shape):
    """A channel of a row goes or stays as a whole; channels and rows are drawn by themselves, with the given share."""
    y, _ = ChannelDropout(p=0.3).apply((), (), jnp.ones(shape), training=True, key=jnp.uint32(4))
    pixels = np.asarray(y).reshape(20, -1, 300)
    assert (pixels == pixels[:, :1]).all()
    kept = pixels[:, 0] != 0
    np.testing.assert_allclose(pixels[:, 0][kept], 1 / 0.7, rtol=2e-7)
    assert abs(kept.mean() - 0.7) < 4 * math.sqrt(0.21 / kept.size)
    for part in (kept.mean(0), kept.mean(1)):
        assert 0 < part.min() <= part.max() < 1  # no row and no channel is left out or kept throughout


def test_channel_dropout_of_dense_data_is_dropout(rng):
    """For dense data a channel is an element: the same mask as dropout's, bit for bit."""
    x = jnp.asarray(rng.normal(size=(30, 40)), jnp.float32)
    both = [one.apply((), (), x, training=True, key=jnp.uint32(9))[0] for one in (ChannelDropout(0.4), Dropout(0.4))]
    np.testing.assert_array_equal(*both)


# --- embeddings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 4])
def test_periodic_is_its_formula(rng, k):
    """Every column comes as itself and k − 1 mixtures of its own waves, in the order of the columns."""
    d, waves = 3, Periodic.waves
    weights, _ = Periodic(sigma=0.7).init(rng, d, d * k)
    weights = {name: w.astype(np.float64) for name, w in weights.items()}
    x = rng.normal(size=(d, 5))
    y, memory = Periodic().apply(weights, (), x, training=False, key=0)
    assert (y.shape, memory) == ((d * k, 5), ())
    for i in range(d):
        for row in range(5):
            f, phase = weights["frequency"][i, :, 0], weights["phase"][i, :, 0]
            z = [math.cos(2 * math.pi * f[m] * x[i, row] + phase[m]) for m in range(waves)]
            mixtures = [sum(weights["w"][i, j] * z) + weights["b"][i, j, 0] for j in range(k - 1)]
            np.testing.assert_allclose(y[i * k : (i + 1) * k, row], [x[i, row], *mixtures], rtol=1e-12)


def test_periodic_starts_as_its_formula():
    """f ~ N(0, σ²), φ ~ U(−π, π), W and b ~ U(−1/√M, 1/√M): spreads and bounds, within four standard errors."""
    weights, _ = Periodic(sigma=0.25).init(np.random.default_rng(0), 500, 2000)
    f = weights["frequency"]
    assert abs(f.std() / 0.25 - 1) < 4 / math.sqrt(2 * f.size)
    for name, bound in (("phase", math.pi), ("w", 0.25), ("b", 0.25)):
        w = weights[name]
        assert 0.99 * bound < np.abs(w).max() <= np.float32(bound)
        assert abs(w.var() / (bound**2 / 3) - 1) < 4 * math.sqrt(0.8 / w.size)  # of a uniform variance


def plain_encoding(x, edges):
    """Equation 1 of the paper, one number of one column, as it stands there; bins without width taken out before."""
    real = [(b, c) for b, c in itertools.pairwise(edges) if c > b]
    found = {}
    for t, (b, c) in enumerate(real):
        if x < b and t > 0:
            found[b] = 0.0
        elif x >= c and t < len(real) - 1:
            found[b] = 1.0
        else:
            found[b] = (x - b) / (c - b)
    return [found[b] if c > b else 0.0 for b, c in itertools.pairwise(edges)]


EDGES = {
    "plain": [-2.0, -1.0, 0.5, 1.0, 3.0],
    "repeated inside": [-2.0, 0.5, 0.5, 0.5, 3.0],
    "repeated first": [-2.0, -2.0, -2.0, 0.5, 3.0],
    "repeated last": [-2.0, -1.0, 3.0, 3.0, 3.0],
    "binary": [0.0, 0.0, 0.0, 1.0, 1.0],
    "constant": [0.5] * 5,
}


def test_piecewise_linear_is_its_formula():
    """Every column runs through its own bins as equation 1 says; bins without width give 0, a constant column zeros."""
    edges = np.array(list(EDGES.values()))
    x = np.tile([-5.0, -2.0, -1.5, 0.0, 0.5, 0.7, 1.0, 2.9, 3.0, 40.0], (len(edges), 1))
    _, memory = PiecewiseLinear().init(np.random.default_rng(0), len(edges), 4 * len(edges), edges=edges)
    y, after = PiecewiseLinear().apply({}, memory, x, training=False, key=0)
    assert after is memory
    expected = [plain_encoding(v, bins) for bins, row in zip(edges, x, strict=True) for v in row]
    np.testing.assert_allclose(y.reshape(len(edges), 4, -1).transpose(0, 2, 1).reshape(-1, 4), expected, rtol=1e-12)
    assert (y.reshape(len(edges), 4, -1)[list(EDGES).index("constant")] == 0).all()
    inside = jax.jit(lambda x: PiecewiseLinear().apply({}, memory, x, training=True, key=0)[0])(x.astype(np.float32))
    np.testing.assert_allclose(inside, y, rtol=1e-6)


def test_piecewise_linear_tells_values_apart(rng):
    """With edges at quantiles the sum over a column's bins rises with the value, beyond the training rows too."""
    train = np.exp(rng.normal(size=(500, 1)))
    edges = quantile_edges(train, 8)
    _, memory = PiecewiseLinear().init(rng, 1, 8, edges=edges)
    x = np.linspace(-3, 2 * train.max(), 200)[None]
    y, _ = PiecewiseLinear().apply({}, memory, x, training=False, key=0)
    assert (np.diff(y.sum(0)) > 0).all()
    inside = (train[:, 0] > edges[0, 3]) & (train[:, 0] < edges[0, 4])
    assert abs(inside.mean() - 1 / 8) < 0.01  # every bin holds as many training rows


def test_quantile_edges_of_odd_columns():
    """Repeated quantiles, constant, missing and nearly equal values give edges that rise, none that nearly touch."""
    nan = np.nan
    columns = [
        [0.0, 0.0, 0.0, 0.0, 1.0], [0.1] * 5, [nan] * 5, [nan, 3.0, nan, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0, 3.0 + 1e-6],
    ]  # fmt: skip
    edges = quantile_edges(np.array(columns).T, 4)
    assert edges.dtype == np.float32
    np.testing.assert_allclose(
        edges,
        [[0, 0, 0, 0, 1], [0.1] * 5, [0] * 5, [1, 1.5, 2, 2.5, 3], [0, 1, 2, 3, 3]],
        rtol=1e-6,
    )
    gaps = np.diff(edges)
    assert ((gaps == 0) | (gaps > 1e-6)).all()
    assert (quantile_edges(np.zeros((0, 2)), 3) == 0).all()


def test_embeddings_refuse_what_does_not_fit(rng):
    """Features that no column count divides, edges of another shape, falling or missing ones: each a full sentence."""
    fails = [
        (
            lambda: Periodic().init(rng, 3, 8),
            "Periodic.init(outputs=…) must be a whole multiple of the 3 columns. Got 8.",
        ),
        (
            lambda: PiecewiseLinear().init(rng, 2, 1),
            "PiecewiseLinear.init(outputs=…) must be a whole multiple of the 2 columns. Got 1.",
        ),
        (
            lambda: PiecewiseLinear().init(rng, 1, 2, edges=np.zeros((1, 2))),
            "PiecewiseLinear.init(edges=…) must be of shape (1, 3). Got (1, 2).",
        ),
        (
            lambda: PiecewiseLinear().init(rng, 1, 2, edges=[[0.0, 2.0, 1.0]]),
            "PiecewiseLinear.init(edges=…) must be finite and rising in every row. Got [[0.0, 2.0, 1.0]].",
        ),
        (
            lambda: PiecewiseLinear().init(rng, 1, 1, edges=[[0.0, float("nan")]]),
            "PiecewiseLinear.init(edges=…) must be finite and rising in every row. Got [[0.0, nan]].",
        ),
    ]
    for fail, sentence in fails:
        with pytest.raises(SlalomError) as raised:
            fail()
        assert str(raised.value) == sentence


# --- activations ------------------------------------------------------------------------------------------------------

PLAIN = {
    "relu": lambda x: max(x, 0.0),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2)),
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "softplus": lambda x: math.log1p(math.exp(x)),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_its_formula(name):
    """An activation is its formula, in float64 and float32, in NumPy and in JAX, and keeps the dtype."""
    x = np.array([-30.0, -4.0, -1.0, -1e-3, 0.0, 1e-3, 0.5, 1.0, 4.0, 30.0])
    expected = np.array([PLAIN[name](v) for v in x])
    f = ACTIVATIONS[name].of
    np.testing.assert_allclose(f(x), expected, rtol=1e-12, atol=1e-15)
    for y in (f(x.astype(np.float32)), f(jnp.asarray(x, jnp.float32))):
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=3e-7)  # gelu: 1 + erf loses digits below −1


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "mish", "elu", "selu", "softplus", "identity"])
def test_gain_keeps_the_size_of_a_signal(name):
    """Behind weights of the activation's gain, a standard normal signal has mean square 1 (for these exactly)."""
    z, about = np.linspace(-12, 12, 200_001), ACTIVATIONS[name]
    density = np.exp(-(z**2) / 2)
    assert abs((density * about.of(about.gain * z) ** 2).sum() / density.sum() - 1) < 1e-5
