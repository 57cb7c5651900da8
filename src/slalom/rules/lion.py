"""Lion: every weight moves by the same length, in the direction of the mean gradient's sign."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, forgetting, over_tree
from slalom.types import Array, Setting


class LionMemory(NamedTuple):
    m: Array  # mean of the gradient


@record
class Lion(Rule):
    """Lion (Chen et al. 2023, https://arxiv.org/abs/2302.06675, Algorithm 2).

        c = β₁ m + (1 − β₁) g
        m ← β₂ m + (1 − β₂) g
        Δ = −η (sign(c) + λ w)

    beta1: [] how much of the past the direction keeps. beta2: [] how much of it the memory keeps. A sum of exactly 0
    has the sign 0 and moves nothing. weight_decay: [] λ, the share that a weight loses in a step of rate 1, decoupled
    and multiplied by the rate; Optax's default is 0.001, Keras has none. Rates are three to ten times smaller than
    Adam's, and decays as many times larger.

    >>> rule = Lion(weight_decay=0.5)
    >>> delta, memory = rule.step(jnp.array([3.0, -0.1]), rule.init(jnp.zeros(2)), jnp.ones(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.15, 0.05]
    """

    rates = (1e-4, 3e-3)
    ignores_zeros = True

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the direction keeps", keeps=True)
    beta2: Setting = setting(
        0.99, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True, search=(0.95, 0.99)
    )
    weight_decay: Setting = setting(0.0, "[0, inf)", "the share of a weight that decays, times the rate")

    def init(self, params):
        return over_tree(lambda p: LionMemory(m=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del t
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)

        @over_tree
        def one(g, memory, w):
            c = memory.m + f1 * (g - memory.m)
            m = memory.m + f2 * (g - memory.m)
            delta = -rate * (jnp.sign(c) + self.weight_decay * w)
            return delta, LionMemory(m)

        return one(gradient, memory, params)
