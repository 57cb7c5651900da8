"""Adam: step along the mean gradient, measured in units of its own size."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root
from slalom.types import Array, Setting


class AdamMemory(NamedTuple):
    m: Array  # mean of the gradient
    v: Array  # mean of its square


@record
class Adam(Rule):
    """Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980, Algorithm 1).

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        m̂ = m / (1 − β₁ᵗ)
        v̂ = v / (1 − β₂ᵗ)
        Δ = −η m̂ / (√(v̂ + ε₀) + ε)

    beta1, beta2: [] how much of the past each mean keeps. epsilon: [] added outside the root, as in the paper and in
    PyTorch and Optax (Keras adds it before the correction of v, which is this rule with ε / √(1 − β₂ᵗ)).
    epsilon_root: [] ε₀, added inside the root, where some writings have their only ε (Optax's `eps_root`).

    >>> rule = Adam()
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(jnp.zeros(2)), jnp.zeros(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.1, 0.1]
    """

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean square keeps", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")
    epsilon_root: Setting = setting(0.0, "[0, inf)", "added inside the root")

    ignores_zeros = True

    def init(self, params):
        return over_tree(lambda p: AdamMemory(m=jnp.zeros_like(p), v=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        k1, k2 = correction(f1, t), correction(f2, t)  # once for the whole tree

        @over_tree
        def one(g, memory):
            m = memory.m + f1 * (g - memory.m)
            v = memory.v + f2 * (g**2 - memory.v)
            m_hat = m * k1
            v_hat = v * k2
            delta = -rate * m_hat / (root(v_hat + self.epsilon_root) + self.epsilon)
            return delta, AdamMemory(m, v)

        return one(gradient, memory)
