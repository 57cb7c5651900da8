"""The laws that every update rule of the registry keeps."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom import rules
from slalom.errors import SlalomError
from slalom.record import from_plain, parts_of, settings_of, to_plain, within
from slalom.rules.base import Beta

EACH_RULE = pytest.mark.parametrize("cls", rules.REGISTRY.values(), ids=rules.REGISTRY.keys())
EACH_SETTING = pytest.mark.parametrize(
    ("cls", "name"),
    [(cls, name) for cls in rules.REGISTRY.values() for name in settings_of(cls)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)


def params(dtype=jnp.float32):
    """A small tree of parameters, none of them zero."""
    return {"w": jnp.array([[1.0, -2.0, 3.0], [0.5, 0.25, -1.5]], dtype), "b": (jnp.array([0.75, -4.0], dtype),)}


def gradients(steps, dtype=jnp.float32, seed=0):
    """A gradient for every step, stacked; the sizes of its elements differ by factors up to 1e5."""
    random = np.random.default_rng(seed)
    size = lambda p: 10.0 ** random.uniform(-3, 2, p.shape)  # noqa: E731
    draw = lambda p: np.float32(size(p) * (0.3 + random.normal(size=(steps, *p.shape))))  # noqa: E731
    return jax.tree.map(lambda p: jnp.asarray(draw(p), dtype), params())


def other_settings(cls, factor):
    """Settings beside the defaults, inside their intervals: what means forget, and every other number, times factor."""
    chosen = {}
    for name, about in settings_of(cls).items():
        value = 1 - (1 - about["default"]) * factor if about["keeps"] else about["default"] * factor
        chosen[name] = value if within(value, about["interval"]) else about["default"]
    inside = {name: type(getattr(cls(), name)) for name in parts_of(cls)}
    return chosen | {name: kind(**other_settings(kind, factor)) for name, kind in inside.items()}


def in_program(cls, settings, dtype=jnp.float32):
    """The rule as a program has it: every setting an array, every beta as 1 − β, in the rules inside it too."""
    about = settings_of(cls)
    number = lambda value: jnp.asarray(value, dtype)  # noqa: E731
    inside = {n: in_program(type(settings[n]), vars(settings[n]), dtype) for n in parts_of(cls) if n in settings}
    own = {n: v for n, v in settings.items() if n not in inside}
    return cls(**{n: Beta(number(1 - v)) if about[n]["keeps"] else number(v) for n, v in own.items()}, **inside)


def path(rule, start, gradient, rate):
    """The parameters after each step [T, …] and the last memory; gradient [T, …] and rate [T] are given."""

    def step(carry, now):
        weights, memory = carry
        t, g, eta = now
        delta, memory = rule.step(g, memory, weights, t=t, rate=eta)
        weights = jax.tree.map(jnp.add, weights, delta)
        return (weights, memory), weights

    t = jnp.arange(1, len(rate) + 1).astype(rate.dtype)
    (_, memory), weights = jax.lax.scan(step, (start, rule.init(start)), (t, gradient, rate))
    return weights, memory


one_by_one = jax.jit(path)
side_by_side = jax.jit(jax.vmap(path))


@functools.cache
def lane(cls):
    """Three racers of a rule, different in settings, start, gradients and rate: alone, and stacked."""
    alone = [
        (
            in_program(cls, other_settings(cls, factor)),
            jax.tree.map(lambda p, f=factor: p * f, params()),
            gradients(20, seed=seed),
            jnp.linspace(0.01, 0.001, 20) * factor,
        )
        for seed, factor in enumerate([0.5, 1.0, 2.0])
    ]
    return alone, jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone)


def all_finite(tree):
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))


@EACH_RULE
def test_the_first_step_goes_downhill(cls):
    """A small first step lowers a quadratic, in every array by itself; where the arrays are vectors, in every element.

    (A rule may turn a matrix as a whole, so that single elements of it climb.)
    """
    rule = cls()
    for start in (params(), jax.tree.map(jnp.ravel, params())):
        delta, _ = rule.step(start, rule.init(start), start, t=1, rate=1e-3)  # the gradient of Σ w² / 2 is w
        for w, d in zip(jax.tree.leaves(start), jax.tree.leaves(delta), strict=True):
            assert jnp.sum(d * (2 * w + d)) < 0  # (w + d)² − w², whose digits a tiny step does not lose
            assert w.ndim > 1 or bool((w * d < 0).all())


@EACH_RULE
def test_a_rate_of_zero_moves_nothing(cls):
    """At rate 0 the parameters stay where they are, to the last bit."""
    weights, _ = one_by_one(in_program(cls, other_settings(cls, 2.0)), params(), gradients(20), jnp.zeros(20))
    for w, start in zip(jax.tree.leaves(weights), jax.tree.leaves(params()), strict=True):
        np.testing.assert_array_equal(w, np.broadcast_to(start, w.shape))


@EACH_RULE
def test_weights_to_score_are_weights(cls):
    """The weights that are scored have the parameters' shapes and types and are finite; at rate 0 they are these."""
    rule = in_program(cls, other_settings(cls, 2.0))
    for rate in (jnp.zeros(20), jnp.linspace(0.0, 0.01, 20)):
        weights, memory = one_by_one(rule, params(), gradients(20), rate)
        last = jax.tree.map(lambda w: w[-1], weights)
        scored = rule.weights_to_score(last, memory)
        assert jax.tree.structure(scored) == jax.tree.structure(last)
        assert all_finite((scored, memory))
        for s, w, start in zip(*map(jax.tree.leaves, (scored, last, params())), strict=True):
            assert (s.shape, s.dtype) == (w.shape, w.dtype)
            if not rate.any():
                np.testing.assert_array_equal(s, start)


@EACH_RULE
def test_weights_to_score_side_by_side_equal_one_by_one(cls):
    """Racers of one lane are scored with the weights that each would have alone, and a remark can be made on each."""
    alone, stacked = lane(cls)
    scored = jax.jit(jax.vmap(lambda rule, w, m: rule.weights_to_score(w, m)))
    together, memories = side_by_side(*stacked)
    together = scored(stacked[0], jax.tree.map(lambda w: w[:, -1], together), memories)
    for k, arguments in enumerate(alone):
        weights, memory = one_by_one(*arguments)
        mine = arguments[0].weights_to_score(jax.tree.map(lambda w: w[-1], weights), memory)
        for m, theirs in zip(jax.tree.leaves(mine), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(theirs[k], m, rtol=3e-6, atol=1e-6)
        assert isinstance(arguments[0].remark(jax.tree.map(lambda leaf, k=k: leaf[k], memories)), str)


@EACH_RULE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_keeps_shapes_and_types(cls, dtype):
    """A step answers with parameters' shapes and types and with the same kind of memory, promoting nothing silently."""
    with jax.enable_x64(dtype == "float64"), jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        start = params(dtype)
        rule = in_program(cls, other_settings(cls, 1.0), dtype)
        memory = rule.init(start)
        t, rate = jnp.asarray(1, dtype), jnp.asarray(0.01, dtype)
        delta, after = jax.eval_shape(lambda: rule.step(start, memory, start, t=t, rate=rate))
        like = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)  # noqa: E731
        assert like(delta) == like(start)
        assert like(after) == like(memory)
        assert jax.tree.structure(rule.weights_to_score(start, memory)) == jax.tree.structure(start)


@EACH_RULE
def test_side_by_side_equals_one_by_one(cls):
    """Racers in one lane walk as each would alone, with their own settings, rates and weights."""
    alone, stacked = lane(cls)
    together = side_by_side(*stacked)
    for k, arguments in enumerate(alone):
        for mine, theirs in zip(jax.tree.leaves(one_by_one(*arguments)), jax.tree.leaves(together), strict=True):
            # A fused multiply-add more or less rounds each of 20 steps differently.
            np.testing.assert_allclose(theirs[k], mine, rtol=3e-6, atol=1e-6)


@EACH_RULE
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_diverged_racer_touches_no_neighbour(cls, poison):
    """NaN and infinity in one racer leave every bit of the others as it was."""
    _, stacked = lane(cls)
    rule, start, gradient, rate = stacked
    poisoned = jax.tree.map(lambda g: g.at[1].set(poison), gradient)
    well, ill = side_by_side(rule, start, gradient, rate), side_by_side(rule, start, poisoned, rate)
    cut = cls is rules.ClipValue and np.isinf(poison)  # an infinite element is cut like any other, on purpose
    assert all_finite(jax.tree.map(lambda w: w[1], ill[0])) == cut
    for w, i in zip(jax.tree.leaves(well), jax.tree.leaves(ill), strict=True):
        np.testing.assert_array_equal(np.asarray(w)[[0, 2]], np.asarray(i)[[0, 2]])


@EACH_RULE
def test_a_step_is_traced_once(cls):
    """New settings, rates, weights and step numbers run the program that is there: nothing is traced again."""
    traced = []

    @jax.jit
    def step(rule, g, memory, weights, t, rate):
        traced.append(cls)
        return rule.step(g, memory, weights, t=t, rate=rate)

    memory = cls().init(params())
    for t, factor in enumerate([0.5, 1.0, 2.0], start=1):
        rule = in_program(cls, other_settings(cls, factor))
        rate = jnp.asarray(0.1 * factor)
        _, memory = step(rule, params(), memory, params(), jnp.asarray(float(t)), rate)
    assert len(traced) == 1


@EACH_RULE
def test_a_gradient_of_zero_is_no_division_by_zero(cls):
    """Where no gradient has ever been seen the step is finite."""
    nothing = jax.tree.map(jnp.zeros_like, gradients(5))
    assert all_finite(one_by_one(in_program(cls, other_settings(cls, 1.0)), params(), nothing, jnp.ones(5)))


@EACH_RULE
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999999])
def test_nothing_undefined_is_computed(cls, kept):
    """No NaN arises anywhere, not even in a branch that is not taken, however much or little the means keep."""
    betas = {name: kept for name, about in settings_of(cls).items() if about["keeps"]}
    with jax.debug_nans(True):
        for rule in (cls(**betas), in_program(cls, other_settings(cls, 1.0) | betas)):
            memory = rule.init(params())
            for t in (1, 2, 7):
                delta, memory = rule.step(params(), memory, params(), t=t, rate=0.1)
                assert all_finite((delta, memory))


@EACH_RULE
@pytest.mark.parametrize("kept", [0.9, 0.9999])
def test_float32_keeps_its_digits(cls, kept):
    """200 steps in float32, settings as numbers of a program, end within 3e-6 of the same steps in float64."""
    settings = other_settings(cls, 1.0)
    settings |= {name: kept for name, about in settings_of(cls).items() if about["keeps"]}
    nowhere = lambda tree: jax.tree.map(jnp.zeros_like, tree)  # noqa: E731 - so that only the steps are summed up
    rate = np.full(200, 2.0**-7)
    narrow, _ = one_by_one(in_program(cls, settings), nowhere(params()), gradients(200), jnp.asarray(rate, "float32"))
    with jax.enable_x64(True):
        start, given = nowhere(params("float64")), gradients(200, "float64")
        wide, _ = one_by_one(in_program(cls, settings, "float64"), start, given, jnp.asarray(rate))
        wide = jax.tree.map(np.asarray, wide)
    for n, w in zip(jax.tree.leaves(narrow), jax.tree.leaves(wide), strict=True):
        # Optax computes 1 − βᵗ as a difference, which loses a digit (measured: 7e-6).
        assert np.abs(n - w).max() < (1e-5 if cls is rules.FromOptax else 3e-6) * np.abs(w).max()


@EACH_SETTING
@pytest.mark.parametrize("value", ["below", "above", float("nan"), True, "0.5", None])
def test_a_wrong_setting_is_named_in_a_sentence(cls, name, value):
    """A setting outside its interval is refused when the rule is built, with where, what was wanted and what came."""
    interval = settings_of(cls)[name]["interval"]
    low, high = (float(end) for end in interval.strip("[]()").split(","))
    value = {"below": low - 1, "above": high + 1}.get(value, value)
    wanted = f"in {interval}" if type(value) is float else f"a number in {interval}"
    with pytest.raises(SlalomError) as raised:
        cls(**{name: value})
    assert str(raised.value) == f"{cls.__name__}({name}=…) must be {wanted}. Got {value!r}."


@EACH_SETTING
def test_the_ends_of_an_interval_belong_or_not(cls, name):
    """A closed end is a setting; an open end is refused."""
    interval = settings_of(cls)[name]["interval"]
    low, high = (float(end) for end in interval.strip("[]()").split(","))
    for end, closed in ((low, interval[0] == "["), (high, interval[-1] == "]")):
        if closed:
            assert getattr(cls(**{name: end}), name) == end
        else:
            with pytest.raises(SlalomError):
                cls(**{name: end})


@EACH_RULE
def test_the_docstring_names_every_setting(cls):
    """Every setting is explained where the formula stands, and the formula and an example are there."""
    for name in settings_of(cls):
        assert name in cls.__doc__
    assert "Δ = " in cls.__doc__
    assert ">>> " in cls.__doc__


@EACH_RULE
def test_plain_data_and_back(cls):
    """A rule is its name and its settings, and comes back from them."""
    rule = cls(**other_settings(cls, 0.5))
    assert from_plain("rule", to_plain(rule, rules.REGISTRY), rules.REGISTRY) == rule
