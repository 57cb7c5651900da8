"""Lookahead: k steps of a rule forward, then back a part of the way towards where they began."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from slalom.record import part, record, setting
from slalom.rules.adam import Adam
from slalom.rules.base import Inside, Rule
from slalom.types import Setting, Tree


class LookaheadMemory(NamedTuple):
    slow: Tree  # the weights that the last round of steps began with
    rule: Tree  # memory of the rule inside


@record
class Lookahead(Rule):
    """Lookahead (Zhang et al. 2019, https://arxiv.org/abs/1907.08610, Algorithm 1), around any rule.

        δ = the step of the rule inside for g
        t mod k ≠ 0:  Δ = δ
        t mod k = 0:  φ ← φ + α (w + δ − φ)
                      Δ = φ − w                 the weights are the slow ones again

    rule: the rule inside; its memory goes on over the rounds (the paper's default). k: the steps of a round, a whole
    number; of a broken one the whole part. alpha: α, the part of the way that the slow weights φ go; at 1 this is the
    rule inside alone. Scores are taken with the slow weights φ, as in the paper and in Optax; after every k-th step
    the weights are φ. A rule inside with weights of its own to score (an average, schedule-free) is asked for them at
    φ: it knows nothing of the way back, so that averages stand better around Lookahead than inside it.

    >>> from slalom.rules import SGD
    >>> rule, w = Lookahead(SGD(), k=2, alpha=0.5), jnp.array([1.0])
    >>> memory, path = rule.init(w), []
    >>> for t in (1, 2, 3):
    ...     delta, memory = rule.step(jnp.ones(1), memory, w, t=t, rate=0.1)
    ...     w = w + delta
    ...     path.append((round(float(w[0]), 6), round(float(rule.weights_to_score(w, memory)[0]), 6)))
    >>> path
    [(0.9, 1.0), (0.9, 0.9), (0.8, 0.9)]
    """

    rates = Inside()
    ignores_zeros = Inside()

    rule: Rule = part(Adam, "the rule inside")
    k: Setting = setting(5.0, "[1, inf)", "the steps of a round", search=(5.0, 10.0))
    alpha: Setting = setting(0.5, "(0, 1]", "the part of a round's way that is kept", search=(0.5, 0.8))

    def init(self, params):
        return LookaheadMemory(slow=jax.tree.map(jnp.array, params), rule=self.rule.init(params))

    def step(self, gradient, memory, params, *, t, rate):
        ends = jnp.mod(t, jnp.floor(self.k)) == 0
        delta, inside = self.rule.step(gradient, memory.rule, params, t=t, rate=rate)

        def back(d, w, slow):
            return jnp.where(ends, slow + self.alpha * (w + d - slow) - w, d)

        delta = jax.tree.map(back, delta, params, memory.slow)
        slow = jax.tree.map(lambda d, w, slow: jnp.where(ends, w + d, slow), delta, params, memory.slow)
        return delta, LookaheadMemory(slow, inside)

    def weights_to_score(self, params, memory):
        return self.rule.weights_to_score(memory.slow, memory.rule)

    def remark(self, memory):
        return self.rule.remark(memory.rule)
