"""NAdam in its short form: Adam with Nesterov's look ahead at a constant momentum."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root
from slalom.types import Array, Setting


class NAdamSimpleMemory(NamedTuple):
    m: Array  # mean of the gradient
    v: Array  # mean of its square


@record
class NAdamSimple(Rule):
    """NAdam without a schedule of its momentum (Dozat 2016, https://openreview.net/pdf?id=OM0jvwB8jIp57ZJjtNEZ).

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        m̂ = β₁ m / (1 − β₁ᵗ⁺¹) + (1 − β₁) g / (1 − β₁ᵗ)
        v̂ = v / (1 − β₂ᵗ)
        Δ = −η m̂ / (√v̂ + ε)

    beta1, beta2: [] how much of the past each mean keeps. epsilon: [] added outside the root. This is Optax's `nadam`.
    The paper multiplies v̂ by β₂ as well, which no library does. The momentum of `NAdam` rises: PyTorch's and Keras's.

    >>> rule = NAdamSimple()
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(jnp.zeros(2)), jnp.zeros(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.147368, 0.147368]
    """

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean square keeps", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")

    ignores_zeros = True

    def init(self, params):
        return over_tree(lambda p: NAdamSimpleMemory(m=jnp.zeros_like(p), v=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        k1, k1_next, k2 = correction(f1, t), correction(f1, t + 1), correction(f2, t)  # once for the whole tree

        @over_tree
        def one(g, memory):
            m = memory.m + f1 * (g - memory.m)
            v = memory.v + f2 * (g**2 - memory.v)
            m_hat = (m - f1 * m) * k1_next + f1 * g * k1
            v_hat = v * k2
            delta = -rate * m_hat / (root(v_hat) + self.epsilon)
            return delta, NAdamSimpleMemory(m, v)

        return one(gradient, memory)
