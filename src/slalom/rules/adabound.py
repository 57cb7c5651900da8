"""AdaBound: Adam whose rate of every weight is held between bounds that close on one common rate."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root
from slalom.types import Array, Setting


class AdaBoundMemory(NamedTuple):
    m: Array  # mean of the gradient
    v: Array  # mean of its square


@record
class AdaBound(Rule):
    """AdaBound (Luo, Xiong, Liu & Sun 2019, https://openreview.net/forum?id=Bkg3g2R9FX, Algorithm 2), bias-corrected.

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        v̂ = v / (1 − β₂ᵗ)
        low = φ (1 − 1 / (γ t + 1))
        high = φ (1 + 1 / (γ t))
        a = clip(1 / ((1 − β₁ᵗ) (√v̂ + ε)), low, high)
        Δ = −η a m

    beta1, beta2: [] how much of the past each mean keeps. epsilon: [] added outside the root, after the correction.
    final_rate: [] φ, the rate of the SGD that the rule becomes, as a multiple of the learning rate: 100 is the authors'
    final rate 0.1 over their rate 0.001. A schedule therefore moves the bounds with the rate, as the authors' code does
    (it scales its final rate by rate / first rate), and no first rate has to be remembered. gamma: [] γ, how fast the
    bounds close: they are 2 φ and φ / 2 after 1 / γ steps. The bias corrections are the authors' code's (which adds ε
    before the correction of v); the paper has none, and divides the rate by √t.

    >>> rule = AdaBound(beta1=0.5, final_rate=1.0, gamma=1.0)
    >>> delta, memory = rule.step(jnp.array([4.0, 0.01]), rule.init(jnp.zeros(2)), jnp.zeros(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.1, -0.001]
    """

    rates = (3e-4, 2e-2)
    ignores_zeros = True

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(0.999, "[0, 1)", "how much of the past the mean square keeps", keeps=True)
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")
    final_rate: Setting = setting(
        100.0, "(0, inf)", "the rate of the SGD it becomes, times the learning rate", search=(10.0, 100.0)
    )
    gamma: Setting = setting(1e-3, "(0, inf)", "how fast the bounds close, one over steps", search=(1e-3, 1e-2))

    def init(self, params):
        return over_tree(lambda p: AdaBoundMemory(m=jnp.zeros_like(p), v=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        k1, k2 = correction(f1, t), correction(f2, t)  # once for the whole tree
        passed = self.gamma * t
        low = self.final_rate * (passed / (passed + 1))  # 1 − 1 / (γ t + 1) without its rounding
        high = self.final_rate * (1 + 1 / passed)

        @over_tree
        def one(g, memory):
            m = memory.m + f1 * (g - memory.m)
            v = memory.v + f2 * (g**2 - memory.v)
            v_hat = v * k2
            a = jnp.clip(k1 / (root(v_hat) + self.epsilon), low, high)
            delta = -rate * a * m
            return delta, AdaBoundMemory(m, v)

        return one(gradient, memory)
