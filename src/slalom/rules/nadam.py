"""NAdam: Adam with Nesterov's look ahead, whose momentum is itself warmed up."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root
from slalom.types import Array, Setting, Tree


class NAdamMeans(NamedTuple):
    m: Array  # mean of the gradient
    v: Array  # mean of its square


class NAdamMemory(NamedTuple):
    c: Array  # [] one less the product of all μ so far
    means: Tree  # NAdamMeans of every array


@record
class NAdam(Rule):
    """NAdam (Dozat 2016, https://openreview.net/pdf?id=OM0jvwB8jIp57ZJjtNEZ, Algorithm 2), as in PyTorch.

        μ = β₁ (1 − ½ 0.96^(ψ t))
        μ' = β₁ (1 − ½ 0.96^(ψ (t + 1)))
        c ← 1 − (1 − c) μ
        c' = 1 − (1 − c) μ'
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        m̂ = (1 − μ) g / c + μ' m / c'
        v̂ = v / (1 − β₂ᵗ)
        Δ = −η m̂ / (√v̂ + ε)

    c: one less the product of all μ so far, which is in the memory, once for all arrays; it starts at 0.
    beta1, beta2: [] how much of the past each mean keeps. epsilon: [] added outside the root. momentum_decay: [] ψ, how
    fast μ rises from about β₁ / 2 to β₁: by half of the way in 17 / ψ steps, which is after 4,245 with the default of
    PyTorch. Keras has ψ = 1; Optax has no schedule of μ at all: that is `NAdamSimple`. The three are three rules: their
    first steps are 1.056, 1.063 and 1.474 times the rate.

    >>> rule = NAdam()
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(jnp.zeros(2)), jnp.zeros(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.105645, 0.105645]
    """

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean square keeps", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")
    momentum_decay: Setting = setting(4e-3, "[0, inf)", "how fast the momentum rises to its full size")

    ignores_zeros = True

    def init(self, params):
        dtype = jnp.result_type(*jax.tree.leaves(params))
        means = over_tree(lambda p: NAdamMeans(m=jnp.zeros_like(p), v=jnp.zeros_like(p)))(params)
        return NAdamMemory(c=jnp.zeros((), dtype), means=means)

    def step(self, gradient, memory, params, *, t, rate):
        del params
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        # 1 − μ and 1 − μ' keep their digits where β₁ is close to 1.
        f, f_next = (f1 + (1 - f1) * 0.5 * 0.96 ** (self.momentum_decay * k) for k in (t, t + 1))
        c = memory.c + (1 - memory.c) * f
        c_next = c + (1 - c) * f_next
        k2 = correction(f2, t)

        @over_tree
        def one(g, means):
            m = means.m + f1 * (g - means.m)
            v = means.v + f2 * (g**2 - means.v)
            m_hat = (f / c) * g + ((1 - f_next) / c_next) * m
            v_hat = v * k2
            delta = -rate * m_hat / (root(v_hat) + self.epsilon)
            return delta, NAdamMeans(m, v)

        delta, means = one(gradient, memory.means)
        return delta, NAdamMemory(c, means)
