"""Nesterov: momentum whose gradient is looked up one step ahead."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, forgetting, over_tree
from slalom.types import Array, Setting


class NesterovMemory(NamedTuple):
    v: Array  # fading sum of the gradients


@record
class Nesterov(Rule):
    """Nesterov momentum (Nesterov 1983; Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html).

        v ← μ v + g
        Δ = −η (g + μ v)

    mu: [] how much of the sum a step keeps. The look-ahead is written as PyTorch and Optax write it: the parameters
    are the papers' point ahead, so that g is an ordinary gradient. The rate stands outside the sum.

    >>> rule = Nesterov(mu=0.5)
    >>> delta, memory = rule.step(jnp.array([1.0]), rule.init(jnp.zeros(1)), jnp.zeros(1), t=1, rate=0.1)
    >>> round(float(delta[0]), 6)
    -0.15
    """

    rates = (2e-3, 0.2)
    ignores_zeros = True

    mu: Setting = setting(
        0.9, "[0, 1)", "how much of the sum of past gradients a step keeps", keeps=True, search=(0.8, 0.9, 0.95)
    )

    def init(self, params):
        return over_tree(lambda p: NesterovMemory(v=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params, t
        f = forgetting(self.mu)

        @over_tree
        def one(g, memory):
            v = (memory.v - f * memory.v) + g
            delta = -rate * (g + (v - f * v))
            return delta, NesterovMemory(v)

        return one(gradient, memory)
