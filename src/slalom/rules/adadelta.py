"""Adadelta: the gradient in units of its recent size, times the size that recent steps had."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, forgetting, over_tree, root
from slalom.types import Array, Setting


class AdadeltaMemory(NamedTuple):
    v: Array  # mean of the squared gradient
    u: Array  # mean of the squared step of rate 1


@record
class Adadelta(Rule):
    """Adadelta (Zeiler 2012, https://arxiv.org/abs/1212.5701, Algorithm 1).

        v ← ρ v + (1 − ρ) g²
        d = √(u + ε) / √(v + ε) g
        u ← ρ u + (1 − ρ) d²
        Δ = −η d

    rho: [] how much of the past both means keep. epsilon: [] added inside both roots; it starts the motion: the first
    step is √(ε / (1 − ρ)), 0.003 with the defaults, and later steps grow or shrink from there. The paper has no rate
    (η = 1), and a constant rate other than 1 shortens the steps without being remembered in u, as in PyTorch, Optax and
    Keras (whose defaults are ρ = 0.95, ε = 1e-7 and the rate 0.001).

    >>> rule = Adadelta(rho=0.5, epsilon=1.0)
    >>> delta, memory = rule.step(jnp.array([4.0]), rule.init(jnp.zeros(1)), jnp.zeros(1), t=1, rate=1.0)
    >>> round(float(delta[0]), 4), round(float(memory.u[0]), 4)
    (-1.3333, 0.8889)
    """

    rates = (1.0, 30.0)
    ignores_zeros = True

    rho: Setting = setting(0.9, "[0, 1)", "how much of the past the mean squares keep", keeps=True)
    epsilon: Setting = setting(1e-6, "(0, inf)", "added inside both roots")

    def init(self, params):
        return over_tree(lambda p: AdadeltaMemory(v=jnp.zeros_like(p), u=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params, t
        f = forgetting(self.rho)

        @over_tree
        def one(g, memory):
            v = memory.v + f * (g**2 - memory.v)
            d = root(memory.u + self.epsilon) / root(v + self.epsilon) * g
            u = memory.u + f * (d**2 - memory.u)
            delta = -rate * d
            return delta, AdadeltaMemory(v, u)

        return one(gradient, memory)
