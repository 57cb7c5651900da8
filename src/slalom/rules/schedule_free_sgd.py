"""Schedule-free SGD: gradients are taken near a running average of the walk, and the average is the answer."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, forgetting, over_tree, zero
from slalom.types import Array, Setting, Tree


class WalkMemory(NamedTuple):
    z: Array  # where SGD stands
    x: Array  # the weighted average of where it stood


class ScheduleFreeSGDMemory(NamedTuple):
    walk: Tree  # of WalkMemory
    largest: Array  # [] the largest rate so far
    weight: Array  # [] the sum of the weights of the average


@record
class ScheduleFreeSGD(Rule):
    """Schedule-free SGD (Defazio et al. 2024, https://arxiv.org/abs/2405.15682), with the average of its Algorithm 1.

        z ← z − η (g + λ y)
        η̄ ← max(η̄, η)
        W ← W + η̄²
        c = η̄² / W, or 0 where W is 0
        x ← (1 − c) x + c z
        y ← β x + (1 − β) z
        Δ = y − parameters

    The parameters are y, where gradients are taken; all three start there. Scores belong to x: `weights_to_score`.
    beta: [] how near to the average y lies; 0 is SGD with its average beside it. weight_decay: [] λ, the share of a
    weight that decays, times the rate, taken at y, as the authors and Optax have it. It wants a constant rate, after a
    warm-up if need be: steps of a warm-up weigh little in the average (Keras weighs all alike, c = 1/t). At rate 0
    nothing moves. Optax keeps no x, and finds it as (y − (1 − β) z) / β: the same but for β = 0.
    Batch norm's means belong to y, and are to be taken again at x.

    >>> rule, w = ScheduleFreeSGD(beta=0.5), jnp.array([1.0])
    >>> memory = rule.init(w)
    >>> for t in (1, 2):
    ...     delta, memory = rule.step(jnp.ones(1), memory, w, t=t, rate=0.1)
    ...     w = w + delta
    >>> round(float(w[0]), 6), round(float(rule.weights_to_score(w, memory)[0]), 6)
    (0.825, 0.85)
    """

    rates = (2e-2, 2.0)
    ignores_zeros = True

    beta: Setting = setting(
        0.9, "[0, 1)", "how near to the average the gradients are taken", keeps=True, search=(0.9, 0.95, 0.98)
    )
    weight_decay: Setting = setting(0.0, "[0, inf)", "the share of a weight that decays, times the rate")

    def init(self, params):
        walk = over_tree(lambda p: WalkMemory(z=jnp.asarray(p), x=jnp.asarray(p)))(params)
        return ScheduleFreeSGDMemory(walk, largest=zero(params), weight=zero(params))

    def step(self, gradient, memory, params, *, t, rate):
        del t
        largest = jnp.maximum(memory.largest, rate)
        weight = memory.weight + largest**2
        c = jnp.where(weight > 0, largest**2 / jnp.where(weight > 0, weight, 1.0), 0.0)

        @over_tree
        def one(g, memory, y):
            z = memory.z - rate * (g + self.weight_decay * y)
            x = memory.x + c * (z - memory.x)
            delta = x + forgetting(self.beta) * (z - x) - y
            return delta, WalkMemory(z, x)

        delta, walk = one(gradient, memory.walk, params)
        return delta, ScheduleFreeSGDMemory(walk, largest, weight)

    def weights_to_score(self, params, memory):
        return jax.tree.map(lambda y, walk: walk.x, params, memory.walk)
