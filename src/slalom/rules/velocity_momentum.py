"""Momentum with a velocity: the learning rate stands inside the sum, and is remembered with the gradient."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, forgetting, over_tree
from slalom.types import Array, Setting


class VelocityMomentumMemory(NamedTuple):
    v: Array  # the velocity: the last step


@record
class VelocityMomentum(Rule):
    """Momentum with a velocity (Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html, equation 1).

        v ← μ v − η g
        Δ = v

    mu: [] how much of its velocity a step keeps. This is the momentum of Keras and TensorFlow. At a constant rate it
    walks as `Momentum` does. When a schedule lowers the rate, the velocity that is there goes on as it was and fades by
    μ a step, while `Momentum` is slower at once; and a rate of 0 does not stop it (only one that was 0 from the start).

    >>> rule = VelocityMomentum(mu=0.5)
    >>> delta, memory = rule.step(jnp.array([1.0]), rule.init(jnp.zeros(1)), jnp.zeros(1), t=1, rate=0.1)
    >>> delta, memory = rule.step(jnp.array([1.0]), memory, jnp.zeros(1), t=2, rate=0.0)
    >>> round(float(delta[0]), 6)
    -0.05
    """

    rates = (2e-3, 0.2)
    ignores_zeros = True

    mu: Setting = setting(0.9, "[0, 1)", "how much of its velocity a step keeps", keeps=True, search=(0.8, 0.9, 0.95))

    def init(self, params):
        return over_tree(lambda p: VelocityMomentumMemory(v=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params, t
        f = forgetting(self.mu)

        @over_tree
        def one(g, memory):
            v = (memory.v - f * memory.v) - rate * g
            delta = v
            return delta, VelocityMomentumMemory(v)

        return one(gradient, memory)
