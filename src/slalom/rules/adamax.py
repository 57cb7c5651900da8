"""Adamax: Adam whose unit of size is the largest recent gradient."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree
from slalom.types import Array, Setting


class AdamaxMemory(NamedTuple):
    m: Array  # mean of the gradient
    u: Array  # the largest recent size of the gradient


@record
class Adamax(Rule):
    """Adamax (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980, Algorithm 2).

        m ← β₁ m + (1 − β₁) g
        u ← max(β₂ u, |g| + ε)
        m̂ = m / (1 − β₁ᵗ)
        Δ = −η m̂ / u

    beta1: [] how much of the past the mean keeps. beta2: [] how much of the largest size is left a step later.
    epsilon: [] added to the size of the gradient, as in PyTorch and Optax (the paper has none and divides by zero where
    no gradient has been seen; Keras adds it to u, which is another rule where ε matters).

    >>> rule = Adamax(beta2=0.5)
    >>> delta, memory = rule.step(jnp.array([4.0]), rule.init(jnp.zeros(1)), jnp.zeros(1), t=1, rate=0.1)
    >>> delta, memory = rule.step(jnp.array([0.0]), memory, jnp.zeros(1), t=2, rate=0.1)
    >>> float(memory.u[0])
    2.0
    """

    rates = (1e-3, 5e-2)
    ignores_zeros = True

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the largest size is left a step later", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the size of the gradient")

    def init(self, params):
        return over_tree(lambda p: AdamaxMemory(m=jnp.zeros_like(p), u=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        k1 = correction(f1, t)  # once for the whole tree

        @over_tree
        def one(g, memory):
            m = memory.m + f1 * (g - memory.m)
            u = jnp.maximum(memory.u - f2 * memory.u, jnp.abs(g) + self.epsilon)
            m_hat = m * k1
            delta = -rate * m_hat / u
            return delta, AdamaxMemory(m, u)

        return one(gradient, memory)
