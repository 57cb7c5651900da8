"""LAMB: Adam's direction, in every array as long as a share of that array's own weights."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root
from slalom.types import Array, Setting


class LAMBMemory(NamedTuple):
    m: Array  # mean of the gradient
    v: Array  # mean of its square


@record
class LAMB(Rule):
    """LAMB (You et al. 2020, https://arxiv.org/abs/1904.00962, Algorithm 2), with ‖·‖ over one array at a time.

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        m̂ = m / (1 − β₁ᵗ)
        v̂ = v / (1 − β₂ᵗ)
        u = m̂ / (√v̂ + ε) + λ w
        r = ‖w‖ / ‖u‖, or 1 where one of them is 0
        Δ = −η r u

    beta1, beta2: [] how much of the past each mean keeps. epsilon: [] added outside the root. weight_decay: [] λ, as
    AdamW's, but inside what is measured. A step moves an array by the share η of its own norm, so that the rate needs
    no fitting to the size of the weights; an array that starts at 0 (a bias) takes its first step at Adam's length, and
    stays small after it. The paper's φ is the identity, as in Optax and Keras.

    >>> rule = LAMB(weight_decay=0.0)
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(jnp.ones(2)), jnp.array([3.0, 4.0]), t=1, rate=0.1)
    >>> [round(float(d), 5) for d in delta]
    [-0.35355, 0.35355]
    """

    rates = (1e-3, 5e-2)
    ignores_zeros = True

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean square keeps", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-6, "(0, inf)", "added to the root")
    weight_decay: Setting = setting(0.01, "[0, inf)", "the share of a weight that joins the direction")

    def init(self, params):
        return over_tree(lambda p: LAMBMemory(m=jnp.zeros_like(p), v=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        k1, k2 = correction(f1, t), correction(f2, t)  # once for the whole tree

        @over_tree
        def one(g, memory, w):
            m = memory.m + f1 * (g - memory.m)
            v = memory.v + f2 * (g**2 - memory.v)
            m_hat = m * k1
            v_hat = v * k2
            u = m_hat / (root(v_hat) + self.epsilon) + self.weight_decay * w
            norm_w, norm_u = jnp.sqrt(jnp.sum(w**2)), jnp.sqrt(jnp.sum(u**2))
            both = (norm_w > 0) & (norm_u > 0)
            r = jnp.where(both, norm_w / jnp.where(both, norm_u, 1.0), 1.0)
            delta = -rate * r * u
            return delta, LAMBMemory(m, v)

        return one(gradient, memory, params)
