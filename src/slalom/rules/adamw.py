"""AdamW: Adam, and beside it every weight shrinks by its own share."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root
from slalom.types import Array, Setting


class AdamWMemory(NamedTuple):
    m: Array  # mean of the gradient
    v: Array  # mean of its square


@record
class AdamW(Rule):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101, Algorithm 2).

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        m̂ = m / (1 − β₁ᵗ)
        v̂ = v / (1 − β₂ᵗ)
        Δ = −η (m̂ / (√v̂ + ε) + λ w)

    beta1, beta2: [] how much of the past each mean keeps. epsilon: [] added outside the root. weight_decay: [] λ, the
    share that a weight loses in a step of rate 1. It is multiplied by the rate and acts on all parameters, gains and
    biases too, as in PyTorch (the paper multiplies it by the schedule alone; Keras's default is 0.004, Optax's 0.0001).

    >>> rule = AdamW(weight_decay=0.5)
    >>> delta, memory = rule.step(jnp.array([3.0]), rule.init(jnp.ones(1)), jnp.ones(1), t=1, rate=0.1)
    >>> round(float(delta[0]), 6)
    -0.15
    """

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean square keeps", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")
    weight_decay: Setting = setting(0.01, "[0, inf)", "the share of a weight that decays, times the rate")

    ignores_zeros = True

    def init(self, params):
        return over_tree(lambda p: AdamWMemory(m=jnp.zeros_like(p), v=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        k1, k2 = correction(f1, t), correction(f2, t)  # once for the whole tree

        @over_tree
        def one(g, memory, w):
            m = memory.m + f1 * (g - memory.m)
            v = memory.v + f2 * (g**2 - memory.v)
            m_hat = m * k1
            v_hat = v * k2
            delta = -rate * (m_hat / (root(v_hat) + self.epsilon) + self.weight_decay * w)
            return delta, AdamWMemory(m, v)

        return one(gradient, memory, params)
