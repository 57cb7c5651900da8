"""Momentum: step along a sum of past gradients that fades."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, forgetting, over_tree
from slalom.types import Array, Setting


class MomentumMemory(NamedTuple):
    v: Array  # fading sum of the gradients


@record
class Momentum(Rule):
    """Heavy-ball momentum (Polyak 1964, https://doi.org/10.1016/0041-5553(64)90137-5), with the rate outside the sum.

        v ← μ v + g
        Δ = −η v

    mu: [] how much of the sum a step keeps; steps grow up to 1 / (1 − μ) times longer than SGD's at the same rate.
    As PyTorch and Optax. With the rate inside (v ← μ v − η g; Δ = v: Keras, `VelocityMomentum`) the path is the same
    while η is constant, and another as soon as a schedule moves η. The weighted mean, s ← β s + (1 − β) g; Δ = −η s, is
    this rule at the rate (1 − β) η; started at s₁ = g₁, as `AveragedMomentum` is, it is this rule with the
    memory v₀ = g₁ / (1 − β).

    >>> rule = Momentum(mu=0.5)
    >>> delta, memory = rule.step(jnp.array([1.0]), rule.init(jnp.zeros(1)), jnp.zeros(1), t=1, rate=0.1)
    >>> delta, memory = rule.step(jnp.array([1.0]), memory, jnp.zeros(1), t=2, rate=0.1)
    >>> round(float(delta[0]), 6)
    -0.15
    """

    rates = (2e-3, 0.2)
    ignores_zeros = True

    mu: Setting = setting(
        0.9, "[0, 1)", "how much of the sum of past gradients a step keeps", keeps=True, search=(0.8, 0.9, 0.95)
    )

    def init(self, params):
        return over_tree(lambda p: MomentumMemory(v=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params, t
        f = forgetting(self.mu)

        @over_tree
        def one(g, memory):
            v = (memory.v - f * memory.v) + g
            delta = -rate * v
            return delta, MomentumMemory(v)

        return one(gradient, memory)
