"""RMSProp with momentum: step along a fading sum of gradients that were measured in units of their size."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, forgetting, over_tree, root
from slalom.types import Array, Setting


class RMSPropMomentumMemory(NamedTuple):
    v: Array  # mean of the squared gradient
    b: Array  # fading sum of the scaled gradients


@record
class RMSPropMomentum(Rule):
    """RMSProp with momentum (Tieleman & Hinton 2012, https://www.cs.toronto.edu/~tijmen/csc321/, lecture 6).

        v ← β v + (1 − β) g²
        b ← μ b + g / (√v + ε)
        Δ = −η b

    beta: [] how much of the past the mean square keeps. mu: [] how much of the sum a step keeps; steps grow up to
    1 / (1 − μ) times longer than RMSProp's. epsilon: [] added outside the root. The rate stands outside the sum, as
    in PyTorch (in Keras and Optax it stands inside: the same at a constant rate, another path under a schedule).

    >>> rule = RMSPropMomentum(beta=0.75, mu=0.5)
    >>> delta, memory = rule.step(jnp.array([3.0]), rule.init(jnp.zeros(1)), jnp.zeros(1), t=1, rate=0.1)
    >>> delta, memory = rule.step(jnp.array([0.0]), memory, jnp.zeros(1), t=2, rate=0.1)
    >>> round(float(delta[0]), 6)
    -0.1
    """

    rates = (1e-4, 1e-2)
    ignores_zeros = True

    beta: Setting = setting(0.9, "[0, 1)", "how much of the past the mean square keeps", keeps=True)
    mu: Setting = setting(
        0.9, "[0, 1)", "how much of the sum of past steps a step keeps", keeps=True, search=(0.8, 0.9, 0.95)
    )
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")

    def init(self, params):
        return over_tree(lambda p: RMSPropMomentumMemory(v=jnp.zeros_like(p), b=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params, t
        f, f_mu = forgetting(self.beta), forgetting(self.mu)

        @over_tree
        def one(g, memory):
            v = memory.v + f * (g**2 - memory.v)
            b = (memory.b - f_mu * memory.b) + g / (root(v) + self.epsilon)
            delta = -rate * b
            return delta, RMSPropMomentumMemory(v, b)

        return one(gradient, memory)
