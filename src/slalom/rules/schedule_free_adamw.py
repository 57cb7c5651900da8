"""Schedule-free AdamW: a walk in Adam's units, with an average in the place of momentum and of the schedule."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root, zero
from slalom.types import Array, Setting, Tree


class WalkMemory(NamedTuple):
    z: Array  # where the walk stands
    x: Array  # the weighted average of where it stood
    v: Array  # mean of the squared gradient


class ScheduleFreeAdamWMemory(NamedTuple):
    walk: Tree  # of WalkMemory
    largest: Array  # [] the largest rate so far
    weight: Array  # [] the sum of the weights of the average


@record
class ScheduleFreeAdamW(Rule):
    """Schedule-free AdamW (Defazio et al. 2024, https://arxiv.org/abs/2405.15682, Algorithm 1).

        v ← β₂ v + (1 − β₂) g²
        v̂ = v / (1 − β₂ᵗ)
        z ← z − η (g / (√v̂ + ε) + λ y)
        η̄ ← max(η̄, η)
        W ← W + η̄²
        c = η̄² / W, or 0 where W is 0
        x ← (1 − c) x + c z
        y ← β₁ x + (1 − β₁) z
        Δ = y − parameters

    The parameters are y, where gradients are taken; all three start there. Scores belong to x: `weights_to_score`.
    beta1: [] how near to the average y lies. beta2: [] how much of the past the mean square keeps. epsilon: [] added
    outside the root. weight_decay: [] λ, the share of a weight that decays, times the rate, taken at y. It wants a
    constant rate, after a warm-up if need be: steps of a warm-up weigh little in the average (the paper's Algorithm 1
    weighs by η², the authors' code and Optax by the largest η² so far, as here; Keras weighs all alike, c = 1/t).
    At rate 0 nothing moves. Batch norm's means belong to y, and are to be taken again at x.

    >>> rule, w = ScheduleFreeAdamW(beta1=0.5), jnp.array([1.0])
    >>> memory = rule.init(w)
    >>> for t in (1, 2):
    ...     delta, memory = rule.step(jnp.full(1, 7.0), memory, w, t=t, rate=0.1)
    ...     w = w + delta
    >>> round(float(w[0]), 6), round(float(rule.weights_to_score(w, memory)[0]), 6)
    (0.825, 0.85)
    """

    rates = (5e-4, 5e-2)
    ignores_zeros = True

    beta1: Setting = setting(
        0.9, "[0, 1)", "how near to the average the gradients are taken", keeps=True, search=(0.9, 0.95, 0.98)
    )
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean square keeps", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")
    weight_decay: Setting = setting(0.0, "[0, inf)", "the share of a weight that decays, times the rate")

    def init(self, params):
        walk = over_tree(lambda p: WalkMemory(z=jnp.asarray(p), x=jnp.asarray(p), v=jnp.zeros_like(p)))(params)
        return ScheduleFreeAdamWMemory(walk, largest=zero(params), weight=zero(params))

    def step(self, gradient, memory, params, *, t, rate):
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        k2 = correction(f2, t)  # once for the whole tree
        largest = jnp.maximum(memory.largest, rate)
        weight = memory.weight + largest**2
        c = jnp.where(weight > 0, largest**2 / jnp.where(weight > 0, weight, 1.0), 0.0)

        @over_tree
        def one(g, memory, y):
            v = memory.v + f2 * (g**2 - memory.v)
            v_hat = v * k2
            z = memory.z - rate * (g / (root(v_hat) + self.epsilon) + self.weight_decay * y)
            x = memory.x + c * (z - memory.x)
            delta = x + f1 * (z - x) - y
            return delta, WalkMemory(z, x, v)

        delta, walk = one(gradient, memory.walk, params)
        return delta, ScheduleFreeAdamWMemory(walk, largest, weight)

    def weights_to_score(self, params, memory):
        return jax.tree.map(lambda y, walk: walk.x, params, memory.walk)
