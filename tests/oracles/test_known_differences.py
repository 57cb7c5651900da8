"""Where libraries mean different rules by one name: that they differ, by how much, and in what."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from slalom import rules

from .problems import FALL, START, STEPS, apart, assert_same_walk, by_optax, by_slalom, quadratic, walked

LEVEL = np.ones(STEPS)
NONE = 1e-200  # an ε that adds nothing and keeps 0 / 0 away


def loop(update, rates, start=START):
    """The walk of a rule written in NumPy: update(g, t, w, rate, memory) -> (w, memory); the memory starts at None."""
    w, memory, points = start, None, []
    for t, eta in enumerate(rates, start=1):
        w, memory = update(quadratic(w), t, w, eta, memory)
        points.append(w)
    return np.array(points)


def first_step(rule, g, rate=1.0):
    g = jnp.asarray(g)
    delta, _ = rule.step(g, rule.init(jnp.zeros_like(g)), jnp.zeros_like(g), t=1, rate=rate)
    return np.asarray(delta)


# --- momentum ---------------------------------------------------------------------------------------------------------


def test_the_rate_inside_the_momentum_matters_once_it_moves(float64):
    """The same at a constant rate; after a fall of the rate, Keras's velocity is that of a sum grown by it."""
    rule, velocity = rules.Momentum(mu=0.9), rules.VelocityMomentum(mu=0.9)
    assert_same_walk(by_slalom(rule, 0.05 * LEVEL), by_slalom(velocity, 0.05 * LEVEL))

    fall = np.where(np.arange(STEPS) < 20, 0.05, 0.005)
    mine, keras = by_slalom(rule, fall), by_slalom(velocity, fall)
    assert apart(mine, keras)[:20].max() < 1e-12
    assert apart(mine, keras)[20:].max() > 0.1

    def grown(g, memory, w, t, rate):  # the sum is grown tenfold where the rate falls to a tenth
        memory = jax.tree.map(lambda v: jnp.where(t == 21, 10 * v, v), memory)
        return rule.step(g, memory, w, t=t, rate=rate)

    assert_same_walk(walked(grown, rule.init(jnp.asarray(START)), START, fall), keras)


def test_pytorchs_dampening_is_the_averaged_momentum(float64):
    """PyTorch leaves the dampening out at the first step: so does this mean; Optax's mean damps it too."""

    def pytorch(g, t, w, eta, buffer, beta=0.9):
        buffer = g if t == 1 else beta * buffer + (1 - beta) * g
        return w - eta * buffer, buffer

    mine = by_slalom(rules.AveragedMomentum(beta=0.9), 0.1 * FALL)
    assert_same_walk(mine, loop(pytorch, 0.1 * FALL))
    damped = by_optax(optax.ema(0.9, debias=False), 0.1 * FALL)
    np.testing.assert_allclose((damped[0] - START) * 10, mine[0] - START, rtol=1e-12)
    assert apart(mine, damped)[-1] > 1e-3


# --- a rate for every weight ------------------------------------------------------------------------------------------


def test_adagrads_of_the_libraries_start_differently():
    """At rate 0.01 PyTorch's first step is 0.01 in every weight; Keras's and Optax's is short where g is small."""
    g = np.array([1e-3, 1.0, 100.0])
    np.testing.assert_allclose(-first_step(rules.Adagrad(), g, 0.01), [0.01, 0.01, 0.01], rtol=1e-5)
    optax_like = first_step(rules.Adagrad(start=0.1 + 1e-7), g, 0.01)
    np.testing.assert_allclose(-optax_like, [3.162e-5, 9.535e-3, 1.0e-2], rtol=1e-3)
    update, _ = optax.adagrad(0.01).update(jnp.asarray(g), optax.adagrad(0.01).init(jnp.asarray(g)))
    np.testing.assert_allclose(update, optax_like, rtol=1e-5)


@pytest.mark.parametrize(("epsilon", "low", "high"), [(NONE, 0.0, 1e-12), (1e-2, 0.05, 1.0)])
def test_the_place_of_rmsprops_epsilon_matters(epsilon, low, high, float64):
    """Inside the root, as in Keras and Optax, ε shortens steps more: another rule; without ε there is one rule."""
    rule, theirs = rules.RMSProp(beta=0.9, epsilon=epsilon), optax.scale_by_rms(0.9, epsilon, eps_in_sqrt=True)
    mine, ours = rule.init(jnp.zeros(6)), theirs.init(jnp.zeros(6))
    for t, g in enumerate(np.random.default_rng(0).normal(size=(STEPS, 6)) * 0.1, start=1):
        delta, mine = rule.step(jnp.asarray(g), mine, None, t=t, rate=1.0)
        update, ours = theirs.update(jnp.asarray(g), ours)
        shorter = 1 - np.abs(update) / np.abs(delta)
        assert (shorter > low - 1e-12).all()
        assert (shorter < high).all()


def test_the_rate_inside_rmsprops_momentum_matters_once_it_moves(float64):
    """Optax's RMSProp with momentum has the rate inside the sum: the same at a constant rate, another under a fall."""
    inside = optax.chain(optax.scale_by_rms(0.9, 0.5, eps_in_sqrt=False), optax.identity())

    def optax_step(g, memory, w, t, rate):
        scaled, of_scale = inside.update(g, memory[0])
        update, of_sum = optax.trace(0.9).update(-rate * scaled, memory[1])
        return update, (of_scale, of_sum)

    start = (inside.init(jnp.asarray(START)), optax.trace(0.9).init(jnp.asarray(START)))
    rule = rules.RMSPropMomentum(beta=0.9, mu=0.9, epsilon=0.5)
    fall = np.where(np.arange(STEPS) < 20, 0.01, 0.001)
    assert_same_walk(by_slalom(rule, 0.01 * LEVEL), walked(optax_step, start, START, 0.01 * LEVEL))
    assert apart(by_slalom(rule, fall), walked(optax_step, start, START, fall))[20:].max() > 0.01


def of_constant(gradient, steps=200):
    """The steps of the centred RMSProp, rate 1, where every gradient is the same, in float32."""
    rule = rules.CentredRMSProp()
    g = jnp.full(1, gradient, "float32")
    memory, steps_taken = rule.init(g), []
    for t in range(1, steps + 1):
        delta, memory = rule.step(g, memory, g, t=t, rate=1.0)
        steps_taken.append(float(delta[0]))
    return np.array(steps_taken)


@pytest.mark.parametrize("gradient", [3.0, 0.1, 1e-3, 12345.678])
def test_centred_rmsprop_survives_a_constant_gradient(gradient):
    """A variance that vanishes gives no NaN and no step beyond 1 / √φ, while v − m² in float32 falls below 0."""
    taken = of_constant(gradient)
    assert np.isfinite(taken).all()
    assert (taken < 0).all()
    assert np.abs(taken).max() < 1.001 / np.sqrt(1e-3)


@pytest.mark.parametrize("gradient", [3.0, 12345.678])
def test_the_plain_variance_falls_below_zero(gradient):
    """Where all gradients are the same, v − m² in float32, as PyTorch takes it, is negative dozens of times."""
    g, v, m = np.float32(gradient), np.float32(0), np.float32(0)
    differences = []
    for _ in range(200):
        v, m = np.float32(0.9) * v + np.float32(0.1) * (g * g), m + np.float32(0.1) * (g - m)
        differences.append(v - m * m)
    assert sum(d < 0 for d in differences) > 50


# --- Adam's family ----------------------------------------------------------------------------------------------------


def keras_adam(epsilon, beta1=0.9, beta2=0.999):
    """Adam with ε added to √v before the correction of v."""

    def update(g, t, w, eta, memory):
        m, v = (0 * w, 0 * w) if memory is None else memory
        m, v = m + (g - m) * (1 - beta1), v + (g * g - v) * (1 - beta2)
        alpha = eta * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        return w - m * alpha / (np.sqrt(v) + epsilon), (m, v)

    return update


def test_keras_adam_has_a_larger_epsilon_at_first(float64):
    """At ε = 0.01 Keras's Adam is another rule: this one with ε / √(1 − β₂ᵗ), 32 times as much at the first step."""
    theirs = loop(keras_adam(1e-2), 0.05 * FALL)
    assert 1e-3 < apart(by_slalom(rules.Adam(epsilon=1e-2), 0.05 * FALL), theirs).max() < 0.5

    def step(g, memory, w, t, rate):
        return rules.Adam(epsilon=1e-2 / jnp.sqrt(-jnp.expm1(t * jnp.log(0.999)))).step(g, memory, w, t=t, rate=rate)

    assert_same_walk(walked(step, rules.Adam().init(jnp.asarray(START)), START, 0.05 * FALL), theirs)
    assert_same_walk(by_slalom(rules.Adam(epsilon=NONE), 0.05 * FALL), loop(keras_adam(0.0), 0.05 * FALL))


def test_optaxs_amsgrad_takes_the_maximum_of_the_corrected_v(float64):
    """Optax's maximum never forgets the first steps: its root is never smaller, its steps shorter, its walk behind."""
    rule, theirs = rules.AMSGrad(beta2=0.999), optax.scale_by_amsgrad(0.9, 0.999)
    difference = np.abs(by_slalom(rule, 0.01 * LEVEL) - by_optax(theirs, 0.01 * LEVEL)).max(axis=1)
    np.testing.assert_allclose(difference[[0, 99, 199]], [0, 0.11, 0.19], atol=0.01)

    given = np.random.default_rng(0).normal(size=(STEPS, 6)) * np.geomspace(10, 0.1, STEPS)[:, None]
    mine, ours = rule.init(jnp.zeros(6)), theirs.init(jnp.zeros(6))
    for t, g in enumerate(given, start=1):
        delta, mine = rule.step(g, mine, None, t=t, rate=1.0)
        update, ours = theirs.update(jnp.asarray(g), ours)
        shares = np.abs(update) / np.abs(delta)
        assert (shares < 1 + 1e-12).all()
    assert shares.max() < 0.6


def torch_radam(epsilon, beta1=0.9, beta2=0.999, early=1.0):
    """RAdam as PyTorch computes it: ε is added to √v before the correction of v."""

    def update(g, t, w, eta, memory):
        m, v = (0 * w, 0 * w) if memory is None else memory
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        step = m / (1 - beta1**t) * early
        if rho > 5:
            r = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
            step = m / (1 - beta1**t) * r * (1 - beta2**t) ** 0.5 / (np.sqrt(v) + epsilon)
        return w - eta * step, (m, v)

    return update


@pytest.mark.parametrize("beta2", [0.9, 0.999])
def test_pytorchs_radam_has_its_epsilon_before_the_correction(beta2, float64):
    """At ε = 0.01 PyTorch's RAdam is another rule from its first rectified step on; without ε it is this one."""
    mine, theirs = by_slalom(rules.RAdam(beta2=beta2, epsilon=1e-2), 0.03 * FALL), torch_radam(1e-2, beta2=beta2)
    difference = apart(mine, loop(theirs, 0.03 * FALL))
    assert difference[:5].max() < 1e-12
    assert difference[5] > 1e-6
    assert difference.max() > 1e-4
    without = by_slalom(rules.RAdam(beta2=beta2, epsilon=NONE), 0.03 * FALL)
    assert_same_walk(without, loop(torch_radam(0.0, beta2=beta2), 0.03 * FALL))


def test_radam_of_its_authors_leaves_the_first_steps_out(float64):
    """With early = 0 the first five steps move nothing, as the authors' code; PyTorch's and Optax's are momentum's."""
    points = by_slalom(rules.RAdam(early=0.0), 0.03 * FALL)
    np.testing.assert_array_equal(points[:5], np.broadcast_to(START, (5, 6)))
    assert np.abs(points[5] - START).min() > 0
    assert_same_walk(points, loop(torch_radam(1e-8, early=0.0), 0.03 * FALL), tolerance=1e-6)  # ε's place
    moving = by_slalom(rules.RAdam(), 0.03 * FALL)[:5]
    assert np.abs(moving - START).max() > 0.1


def test_three_rules_are_called_nadam(float64):
    """PyTorch's, Keras's (ψ = 1) and Optax's (no schedule) differ from the first step on, and their walks with them."""
    three = [rules.NAdam(), rules.NAdam(momentum_decay=1.0), rules.NAdamSimple()]
    first = [-float(first_step(rule, [7.0])[0]) for rule in three]
    np.testing.assert_allclose(first, [1.056453, 1.062786, 1.473684], atol=2e-6)
    walks = [by_slalom(rule, 0.01 * FALL) for rule in three]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert apart(walks[a], walks[b])[-1] > 1e-4
    theirs = optax.nadam(1.0)
    assert_same_walk(walks[2], by_optax(optax.chain(theirs, optax.scale(-1.0)), 0.01 * FALL))


def test_kerass_adamax_adds_its_epsilon_to_the_largest_size(float64):
    """At ε = 0.1 Keras's Adamax is another rule, with shorter steps as sizes fade; without ε it is this one."""

    def keras(epsilon):
        def update(g, t, w, eta, memory):
            m, u = (0 * w, 0 * w) if memory is None else memory
            m, u = m + (g - m) * 0.1, np.maximum(0.9 * u, np.abs(g))
            return w - eta * m / ((1 - 0.9**t) * (u + epsilon)), (m, u)

        return update

    rates = 0.05 * FALL
    assert apart(by_slalom(rules.Adamax(beta2=0.9, epsilon=0.1), rates), loop(keras(0.1), rates)).max() > 1e-4
    assert_same_walk(by_slalom(rules.Adamax(beta2=0.9, epsilon=NONE), rates), loop(keras(0.0), rates))


@pytest.mark.parametrize(("epsilon", "low", "high"), [(NONE, 0.0, 1e-12), (1e-2, 1e-4, 1.0)])
def test_adabound_is_its_authors_code_but_for_epsilon(epsilon, low, high, float64):
    """The authors scale their final rate by rate / first rate: φ is final rate / first rate, under any schedule.

    Their ε is added before the correction of v, which is another rule as soon as it matters.
    """
    rates, final = 0.02 * FALL, 0.1

    def authors(g, t, w, eta, memory):
        m, v = (0 * w, 0 * w) if memory is None else memory
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        final_lr = final * eta / rates[0]
        low, high = final_lr * (1 - 1 / (1e-2 * t + 1)), final_lr * (1 + 1 / (1e-2 * t))
        size = eta * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) / (np.sqrt(v) + epsilon)
        return w - np.clip(size, low, high) * m, (m, v)

    rule = rules.AdaBound(epsilon=epsilon, final_rate=final / rates[0], gamma=1e-2)
    assert low <= apart(by_slalom(rule, rates), loop(authors, rates)).max() < high


# --- decay ------------------------------------------------------------------------------------------------------------


def test_decoupled_decay_is_no_penalty(float64):
    """With Adam, a penalty λ w in the gradient is divided by the gradient's size: large gradients hardly decay."""
    decoupled = by_slalom(rules.AdamW(weight_decay=0.1), 0.01 * LEVEL)
    penalised = by_slalom(rules.Adam(), 0.01 * LEVEL, gradient=lambda w: quadratic(w) + 0.1 * w)
    assert apart(decoupled, penalised)[-1] > 0.01
    assert np.abs(first_step(rules.Adam(), [50.0 + 0.1 * 2.0]) - first_step(rules.Adam(), [50.0])) < 1e-6
