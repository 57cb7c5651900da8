"""AdaBelief: step along the mean gradient, measured in units of how much the gradients stray from it."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root
from slalom.types import Array, Setting


class AdaBeliefMemory(NamedTuple):
    m: Array  # mean of the gradient
    s: Array  # mean of its squared distance from that mean


@record
class AdaBelief(Rule):
    """AdaBelief (Zhuang et al. 2020, https://arxiv.org/abs/2010.07468, Algorithm 2).

        m ← β₁ m + (1 − β₁) g
        s ← β₂ s + (1 − β₂) (g − m)² + ε
        m̂ = m / (1 − β₁ᵗ)
        ŝ = s / (1 − β₂ᵗ)
        Δ = −η m̂ / (√ŝ + ε)

    beta1, beta2: [] how much of the past each mean keeps. epsilon: [] in both places, as in the paper; inside s it adds
    up, to ε / (1 − β₂). With 1e-8 or more instead of 1e-16 it soon hides the distances. Optax has two numbers for it,
    `eps_root` inside s and `eps` outside the root. Where the gradient hardly changes steps grow far beyond the rate.

    >>> rule = AdaBelief()
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(jnp.zeros(2)), jnp.zeros(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.111111, 0.111111]
    """

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean distance keeps", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-16, "(0, inf)", "added to the mean distance at every step, and to its root")

    ignores_zeros = True

    def init(self, params):
        return over_tree(lambda p: AdaBeliefMemory(m=jnp.zeros_like(p), s=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        k1, k2 = correction(f1, t), correction(f2, t)  # once for the whole tree

        @over_tree
        def one(g, memory):
            m = memory.m + f1 * (g - memory.m)
            s = memory.s + f2 * ((g - m) ** 2 - memory.s) + self.epsilon
            m_hat = m * k1
            s_hat = s * k2
            delta = -rate * m_hat / (root(s_hat) + self.epsilon)
            return delta, AdaBeliefMemory(m, s)

        return one(gradient, memory)
