"""RMSProp: the gradient, measured in units of its own recent size."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, forgetting, over_tree, root
from slalom.types import Array, Setting


class RMSPropMemory(NamedTuple):
    v: Array  # mean of the squared gradient


@record
class RMSProp(Rule):
    """RMSProp (Tieleman & Hinton 2012, https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf).

        v ← β v + (1 − β) g²
        Δ = −η g / (√v + ε)

    beta: [] how much of the past the mean keeps (PyTorch's alpha, 0.99 there). epsilon: [] added outside the root, as
    in PyTorch (Keras and Optax add it inside). The mean starts at 0 and is not corrected, so that the first step is
    1 / √(1 − β) times the rate; the lessons' other start, v₁ = g₁², is the memory v₀ = g₁². With momentum it
    is `RMSPropMomentum`, around the mean gradient `CentredRMSProp`.

    >>> rule = RMSProp(beta=0.75)
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(jnp.zeros(2)), jnp.zeros(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.2, 0.2]
    """

    rates = (1e-4, 5e-3)
    ignores_zeros = True

    beta: Setting = setting(0.9, "[0, 1)", "how much of the past the mean square keeps", keeps=True)
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")

    def init(self, params):
        return over_tree(lambda p: RMSPropMemory(v=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params, t
        f = forgetting(self.beta)

        @over_tree
        def one(g, memory):
            v = memory.v + f * (g**2 - memory.v)
            delta = -rate * g / (root(v) + self.epsilon)
            return delta, RMSPropMemory(v)

        return one(gradient, memory)
