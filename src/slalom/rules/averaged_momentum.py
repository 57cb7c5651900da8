"""Momentum, averaged: step along an exponentially weighted mean of the gradients."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, forgetting, over_tree
from slalom.types import Array, Setting


class AveragedMomentumMemory(NamedTuple):
    s: Array  # exponentially weighted mean of the gradients


@record
class AveragedMomentum(Rule):
    """Momentum as an exponentially weighted mean (Polyak 1964, https://doi.org/10.1016/0041-5553(64)90137-5).

        s ← g                   at the first step
        s ← β s + (1 − β) g     from then on
        Δ = −η s

    beta: [] how much of the past the mean keeps. A step is as long as SGD's at the same rate, whatever beta is.
    From the second step on it is `Momentum` at the rate (1 − β) η; the first gradient weighs 1 / (1 − β) times more
    than there. It is PyTorch's SGD with momentum = dampening = β, which leaves out the dampening at the first step;
    Optax's `ema` starts at 0 instead, so that its first step is (1 − β) times this one.

    >>> rule = AveragedMomentum(beta=0.5)
    >>> delta, memory = rule.step(jnp.array([1.0]), rule.init(jnp.zeros(1)), jnp.zeros(1), t=1, rate=0.1)
    >>> delta, memory = rule.step(jnp.array([3.0]), memory, jnp.zeros(1), t=2, rate=0.1)
    >>> round(float(delta[0]), 6)
    -0.2
    """

    rates = (1e-2, 1.0)
    ignores_zeros = True

    beta: Setting = setting(
        0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True, search=(0.8, 0.9, 0.95)
    )

    def init(self, params):
        return over_tree(lambda p: AveragedMomentumMemory(s=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params
        f = jnp.where(t == 1, 1.0, forgetting(self.beta))  # the first mean is the first gradient

        @over_tree
        def one(g, memory):
            s = memory.s + f * (g - memory.s)
            delta = -rate * s
            return delta, AveragedMomentumMemory(s)

        return one(gradient, memory)
