"""AMSGrad: Adam that never forgets the largest size a gradient had."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root
from slalom.types import Array, Setting


class AMSGradMemory(NamedTuple):
    m: Array  # mean of the gradient
    v: Array  # mean of its square
    u: Array  # the largest v so far


@record
class AMSGrad(Rule):
    """AMSGrad (Reddi, Kale & Kumar 2018, https://openreview.net/forum?id=ryQu7f-RZ, Algorithm 2), bias-corrected.

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        u ← max(u, v)
        m̂ = m / (1 − β₁ᵗ)
        û = u / (1 − β₂ᵗ)
        Δ = −η m̂ / (√û + ε)

    beta1, beta2: [] how much of the past each mean keeps. epsilon: [] added outside the root. The paper corrects no
    bias; here the maximum is taken of the raw v and corrected afterwards, as in PyTorch and Keras (Optax takes the
    maximum of the corrected v, which never forgets the noise of the first steps: another rule).

    >>> rule = AMSGrad(beta2=0.5)
    >>> delta, memory = rule.step(jnp.array([4.0]), rule.init(jnp.zeros(1)), jnp.zeros(1), t=1, rate=0.1)
    >>> delta, memory = rule.step(jnp.array([0.0]), memory, jnp.zeros(1), t=2, rate=0.1)
    >>> float(memory.v[0]), float(memory.u[0])
    (4.0, 8.0)
    """

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean square keeps", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")

    ignores_zeros = True

    def init(self, params):
        return over_tree(lambda p: AMSGradMemory(m=jnp.zeros_like(p), v=jnp.zeros_like(p), u=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        k1, k2 = correction(f1, t), correction(f2, t)  # once for the whole tree

        @over_tree
        def one(g, memory):
            m = memory.m + f1 * (g - memory.m)
            v = memory.v + f2 * (g**2 - memory.v)
            u = jnp.maximum(memory.u, v)
            m_hat = m * k1
            u_hat = u * k2
            delta = -rate * m_hat / (root(u_hat) + self.epsilon)
            return delta, AMSGradMemory(m, v, u)

        return one(gradient, memory)
