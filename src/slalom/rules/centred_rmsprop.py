"""Centred RMSProp: the gradient, measured in units of its spread around its own mean."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, forgetting, over_tree
from slalom.types import Array, Setting


class CentredRMSPropMemory(NamedTuple):
    m: Array  # mean of the gradient
    q: Array  # its variance: mean of the square less the square of the mean
    b: Array  # fading sum of the scaled gradients


@record
class CentredRMSProp(Rule):
    """Centred RMSProp (Graves 2013, https://arxiv.org/abs/1308.0850, equations 38 to 41).

        q ← β (q + (1 − β) (g − m)²)
        m ← β m + (1 − β) g
        q̂ = max(q, φ (q + m²))
        b ← μ b + g / (√q̂ + ε)
        Δ = −η b

    beta: [] how much of the past the means keep. mu: [] how much of the sum a step keeps; 0 is no momentum.
    epsilon: [] added outside the root. q is v − m² of the paper, v ← β v + (1 − β) g², to the last digit that v − m²
    has, but it cannot fall below 0: the difference does by rounding, and then PyTorch's steps are NaN.
    floor: [] φ, the least share of the mean square v = q + m² that the variance is taken for. Where the gradient hardly
    changes the variance vanishes and the paper's steps grow without end; here none is longer than about η / √φ (with
    the default 32 η, before momentum). 0 is the paper's rule. As in PyTorch the rate stands outside the sum and ε
    outside the root (the paper, Keras and Optax have both inside).

    >>> rule = CentredRMSProp(beta=0.5)
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(jnp.zeros(2)), jnp.zeros(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.2, 0.2]
    """

    rates = (2e-4, 2e-2)
    ignores_zeros = True

    beta: Setting = setting(0.9, "[0, 1)", "how much of the past the means keep", keeps=True)
    mu: Setting = setting(0.0, "[0, 1)", "how much of the sum of past steps a step keeps", keeps=True)
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")
    floor: Setting = setting(1e-3, "[0, 1)", "the least share of the mean square that the variance is taken for")

    def init(self, params):
        return over_tree(lambda p: CentredRMSPropMemory(*(jnp.zeros_like(p) for _ in range(3))))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params, t
        f, f_mu = forgetting(self.beta), forgetting(self.mu)

        @over_tree
        def one(g, memory):
            q = memory.q + f * (g - memory.m) ** 2
            q = q - f * q
            m = memory.m + f * (g - memory.m)
            q_hat = jnp.maximum(q, self.floor * (q + m**2))
            b = (memory.b - f_mu * memory.b) + g / (jnp.sqrt(q_hat) + self.epsilon)
            delta = -rate * b
            return delta, CentredRMSPropMemory(m, q, b)

        return one(gradient, memory)
