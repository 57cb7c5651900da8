"""Prodigy: Adam whose rate is the distance to the solution, estimated on the way."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, debias, forgetting, inner, over_tree, root, zero
from slalom.types import Array, Setting, Tree


class WalkMemory(NamedTuple):
    m: Array  # mean of d times the gradient
    v: Array  # mean of its square
    s: Array  # fading sum of the gradients, weighted with d
    start: Array  # where the walk began


class ProdigyMemory(NamedTuple):
    walk: Tree  # of WalkMemory
    r: Array  # [] fading sum of how much the gradients point back to the start
    d: Array  # [] the distance estimated so far


@record
class Prodigy(Rule):
    """Prodigy (Mishchenko & Defazio 2024, https://arxiv.org/abs/2306.06101, its Adam version); rates around 1.

        h = η d √(1 − β₂ᵗ) / (1 − β₁ᵗ)
        m ← β₁ m + (1 − β₁) d g
        v ← β₂ v + (1 − β₂) d² g²
        r ← √β₂ r + h d gᵀ(w₀ − w) / d₀                       over the whole tree
        s ← √β₂ s + h d g / d₀
        d ← max(d, coefficient r / ‖s‖₁), or d where s is 0   ‖·‖₁ over the whole tree
        Δ = −h (m / (√v + d ε) + λ w)                         h as above, with the d before this step

    beta1, beta2: [] how much of the past each mean keeps. epsilon: [] added outside the root, in units of d. d0: [] d₀,
    the first estimate, far below any distance. coefficient: [] what every estimate is multiplied by. weight_decay: []
    λ, the share of a weight that decays, times h. As in Optax: with Adam's corrections in h (in the authors' code an
    option that is off), the new d beside ε as in their code (the paper has the old one), and the rate inside the sums
    (without their safeguard for warm-ups). The rate of a schedule multiplies d; `remark` tells d.

    >>> rule, w = Prodigy(d0=0.01), jnp.array([1.0])
    >>> memory = rule.init(w)
    >>> for t in range(1, 21):
    ...     delta, memory = rule.step(w, memory, w, t=t, rate=1.0)
    ...     w = w + delta
    >>> rule.remark(memory)
    'estimated d = 0.471'
    """

    rates = (0.3, 3.0)
    ignores_zeros = True

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean square keeps", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root, in units of the distance")
    d0: Setting = setting(1e-6, "(0, inf)", "the first estimate of the distance")
    coefficient: Setting = setting(1.0, "(0, inf)", "what every estimate of the distance is multiplied by")
    weight_decay: Setting = setting(0.0, "[0, inf)", "the share of a weight that decays, times the rate and d")

    def init(self, params):
        empty = jnp.zeros_like
        walk = over_tree(lambda p: WalkMemory(m=empty(p), v=empty(p), s=empty(p), start=jnp.asarray(p)))(params)
        return ProdigyMemory(walk, r=zero(params), d=zero(params) + self.d0)

    def step(self, gradient, memory, params, *, t, rate):
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        f3 = f2 / (1 + jnp.sqrt(1 - f2))  # 1 − √β₂
        d = memory.d
        h = rate * d * jnp.sqrt(debias(f2, t)) / debias(f1, t)

        @over_tree
        def means(g, memory):
            m = memory.m + f1 * (d * g - memory.m)
            v = memory.v + f2 * ((d * g) ** 2 - memory.v)
            s = (memory.s - f3 * memory.s) + h * (d / self.d0) * g
            return WalkMemory(m, v, s, memory.start)

        back = jax.tree.map(lambda w, memory: memory.start - w, params, memory.walk)
        walk = means(gradient, memory.walk)
        r = (memory.r - f3 * memory.r) + h * (d / self.d0) * inner(gradient, back)
        length = sum(jnp.sum(jnp.abs(one.s)) for one in jax.tree.leaves(walk, is_leaf=is_walk))
        d = jnp.where(length > 0, jnp.maximum(d, self.coefficient * r / jnp.where(length > 0, length, 1.0)), d)

        @over_tree
        def moves(w, memory):
            return -h * (memory.m / (root(memory.v) + d * self.epsilon) + self.weight_decay * w)

        return moves(params, walk), ProdigyMemory(walk, r, d)

    def remark(self, memory):
        return f"estimated d = {float(memory.d):.3g}"


def is_walk(one: Tree) -> bool:
    """Whether this is the memory of one array."""
    return isinstance(one, WalkMemory)
