"""The problems on which rules are compared with their papers: an ill-conditioned quadratic and a small net.

A paper is a generator `paper(gradient, w, rate, **settings)` of the points of a walk, in float64 NumPy; a module of
oracles holds it under the rule's registry name, and in `CASES` the rates and settings that it is tried with.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom import rules
from slalom.record import settings_of
from slalom.rules.base import Beta

# An ill-conditioned quadratic, ½ w'A w with eigenvalues from 0.01 to 10, turned so that its weights depend on each
# other. The rates of the cases keep every walk stable: a chaotic one would blow rounding up.
TURN = np.linalg.qr(np.random.default_rng(7).normal(size=(6, 6)))[0]
QUADRATIC = TURN @ np.diag(np.logspace(-2, 1, 6)) @ TURN.T
START = np.array([1.0, -2.0, 0.5, 3.0, -0.25, 1.5])
STEPS = 200
FALL = np.where(np.arange(STEPS) < 100, 1.0, 0.3)  # the rate moves, so that it matters where it stands

# A small net, 3 - 4 - 1 with tanh, all of its weights in one vector.
ROWS = np.random.default_rng(8).normal(size=(32, 3))
TARGETS = np.sin(2 * ROWS[:, 0]) + ROWS[:, 1] * ROWS[:, 2]
NET_START = np.random.default_rng(9).normal(size=21) * 0.5


def quadratic(w):
    """The gradient of the quadratic, of a NumPy or a JAX array."""
    return QUADRATIC @ w


def net_loss(w):
    hidden = jnp.tanh(ROWS @ w[:12].reshape(3, 4) + w[12:16])
    return jnp.mean((hidden @ w[16:20] + w[20] - TARGETS) ** 2)


net = jax.jit(jax.grad(net_loss))


def walked(step, memory, start, rates, gradient=quadratic):
    """Every point of a walk; `step(g, memory, w, t, rate) -> (delta, memory)`."""

    def one(carry, now):
        w, memory = carry
        delta, memory = step(gradient(w), memory, w, *now)
        return (w + delta, memory), w + delta

    t = jnp.arange(1, len(rates) + 1)
    return np.asarray(jax.jit(lambda c: jax.lax.scan(one, c, (t, jnp.asarray(rates)))[1])((jnp.asarray(start), memory)))


def by_slalom(rule, rates, start=START, gradient=quadratic, memory=None):
    memory = rule.init(jnp.asarray(start)) if memory is None else memory
    return walked(lambda g, m, w, t, eta: rule.step(g, m, w, t=t, rate=eta), memory, start, rates, gradient)


def by_optax(transformation, rates, start=START, gradient=quadratic):
    """The walk of an Optax transformation that knows nothing of the rate."""

    def step(g, memory, w, t, eta):
        update, memory = transformation.update(g, memory, w)
        return -eta * update, memory

    return walked(step, transformation.init(jnp.asarray(start)), start, rates, gradient)


def apart(mine, theirs):
    """How far two walks are apart at each step, measured in the largest weight of the second."""
    return np.abs(mine - theirs).max(axis=1) / np.abs(theirs).max(axis=1)


def assert_same_walk(mine, theirs, start=START, tolerance=1e-12):
    """Equal to 1e-12 of the size of each point: rounding, and no more, is allowed to differ."""
    assert np.isfinite(theirs).all()
    assert np.abs(theirs[-1] - start).max() > 0.1, "the walk is to lead somewhere"
    np.testing.assert_array_less(apart(mine, theirs), tolerance)


def traced(cls, settings):
    """The rule as a program has it: its settings arrays, its betas as 1 − β."""
    about = settings_of(cls)
    return cls(**{n: Beta(jnp.asarray(1 - v)) if about[n]["keeps"] else jnp.asarray(v) for n, v in settings.items()})


def assert_is_its_paper(name, paper, rate, settings):
    """200 steps down the quadratic, with settings as plain numbers and as a program has them, and 200 of the net."""
    cls, rates = rules.REGISTRY[name], rate * FALL
    walk = np.array(list(paper(quadratic, START, rates, **settings)))
    for rule in (cls(**settings), traced(cls, settings)):
        assert_same_walk(by_slalom(rule, rates), walk)
    walk = np.array(list(paper(lambda w: np.asarray(net(w)), NET_START, rates, **settings)))
    # A net has ways to blow rounding up that a quadratic has not.
    assert_same_walk(by_slalom(cls(**settings), rates, NET_START, net), walk, NET_START, 1e-9)


def each_case(cases):
    """A test for every rate and settings of a module's `CASES`."""
    rows = [pytest.param(name, *case, id=f"{name}-{i}") for name, of in cases.items() for i, case in enumerate(of)]
    return pytest.mark.parametrize(("name", "rate", "settings"), rows)
