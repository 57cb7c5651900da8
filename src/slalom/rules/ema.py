"""EMA: scores are taken with a fading average of the weights on the way of a rule."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from slalom.record import part, record, setting
from slalom.rules.adam import Adam
from slalom.rules.base import Inside, Rule, debias, forgetting
from slalom.types import Setting, Tree


class EMAMemory(NamedTuple):
    average: Tree  # of the weights, corrected for its start
    rule: Tree  # memory of the rule inside


@record
class EMA(Rule):
    """Exponential moving average of the weights (Polyak & Juditsky 1992, https://doi.org/10.1137/0330046, fading).

        Δ = the step of the rule inside for g
        a ← a + (1 − β) / (1 − βᵗ) (w + Δ − a)

    rule: the rule inside, whose way is not changed by one bit. beta: β, how much of the past the average keeps. Scores
    are taken with a. It is the average s ← β s + (1 − β) w with its correction s / (1 − βᵗ) (as Adam's m̂), in a form
    that needs no division: all weights since the first step count, the start does not. PyTorch, Keras and timm start
    with a copy of the first weights instead of the correction: their average keeps βᵗ⁻¹ of it. Of a rule inside that
    has weights of its own to score (another average, Lookahead) those are averaged.

    >>> from slalom.rules import SGD
    >>> rule, w = EMA(SGD(), beta=0.5), jnp.array([1.0])
    >>> memory, path = rule.init(w), []
    >>> for t in (1, 2):
    ...     delta, memory = rule.step(jnp.ones(1), memory, w, t=t, rate=0.3)
    ...     w = w + delta
    ...     path.append((round(float(w[0]), 6), round(float(rule.weights_to_score(w, memory)[0]), 6)))
    >>> path
    [(0.7, 0.7), (0.4, 0.5)]
    """

    rates = Inside()
    ignores_zeros = Inside()

    rule: Rule = part(Adam, "the rule inside")
    beta: Setting = setting(
        0.999, "[0, 1)", "how much of the past the average of the weights keeps", keeps=True, search=(0.99, 0.999)
    )

    def init(self, params):
        return EMAMemory(average=jax.tree.map(jnp.array, params), rule=self.rule.init(params))

    def step(self, gradient, memory, params, *, t, rate):
        f = forgetting(self.beta)
        share = f / debias(f, t)
        delta, inside = self.rule.step(gradient, memory.rule, params, t=t, rate=rate)
        w = self.rule.weights_to_score(jax.tree.map(jnp.add, params, delta), inside)
        average = jax.tree.map(lambda a, w: a + share * (w - a), memory.average, w)
        return delta, EMAMemory(average, inside)

    def weights_to_score(self, params, memory):
        del params
        return memory.average

    def remark(self, memory):
        return self.rule.remark(memory.rule)
