"""Adagrad: every weight has its own rate, smaller the more gradient the weight has seen."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, over_tree, root
from slalom.types import Array, Setting


class AdagradMemory(NamedTuple):
    s: Array  # sum of the squared gradients


@record
class Adagrad(Rule):
    """Adagrad (Duchi, Hazan & Singer 2011, https://jmlr.org/papers/v12/duchi11a.html, the diagonal form).

        s ← s + g²
        Δ = −η g / (√s + ε)

    epsilon: [] added outside the root. start: [] what the sum is before the first step: 0 as in PyTorch, so that the
    first step is the full rate in every weight. Keras and Optax start at 0.1 and add ε = 1e-7 inside the root: this is
    this rule with start = 0.1 + 1e-7 and a vanishing epsilon, whose first steps are far shorter for small gradients.

    >>> rule = Adagrad()
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(jnp.zeros(2)), jnp.zeros(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.1, 0.1]
    """

    rates = (3e-3, 0.2)
    ignores_zeros = True

    epsilon: Setting = setting(1e-10, "(0, inf)", "added to the root")
    start: Setting = setting(0.0, "[0, inf)", "the sum of squares before the first step")

    def init(self, params):
        return over_tree(lambda p: AdagradMemory(s=jnp.full_like(p, self.start)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params, t

        @over_tree
        def one(g, memory):
            s = memory.s + g**2
            delta = -rate * g / (root(s) + self.epsilon)
            return delta, AdagradMemory(s)

        return one(gradient, memory)
