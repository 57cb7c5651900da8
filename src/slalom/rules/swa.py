"""SWA: scores are taken with the plain average of the weights on the last part of a rule's way."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from slalom.record import part, record, setting
from slalom.rules.adam import Adam
from slalom.rules.base import Inside, Rule
from slalom.types import Array, Setting, Tree


class SWAMemory(NamedTuple):
    count: Array  # [] how many weights the average is of
    average: Tree
    rule: Tree  # memory of the rule inside


@record
class SWA(Rule):
    """Stochastic weight averaging (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407, Algorithm 1).

        Δ = the step of the rule inside for g
        t ≥ start and (t − start) mod every = 0:  n ← n + 1
                                                  a ← a + (w + Δ − a) / n

    rule: the rule inside, whose way is not changed by one bit. start: the steps before the average, a fraction of the
    horizon below 1; the weights after them are the first in the average, as in the paper. every: the steps from one
    averaged weight to the next, a whole number. Of a broken number of steps the whole ones count. A start of 0, or a
    fraction that nobody has turned into steps (a rule used alone knows no horizon), averages from the first steps on:
    the first weights are those after step `every`, not those that training began with.
    Scores are taken with a, and before the first of the average with what the rule inside says. Of a rule inside that
    has weights of its own to score (another average, Lookahead) those are averaged. The paper and PyTorch move the rate
    in cycles or hold it high while averaging: here that is the schedule's, not the rule's. Batch norm's statistics are
    those of other weights: whoever scores the average takes them again.

    >>> from slalom.rules import SGD
    >>> rule, w = SWA(SGD(), start=2), jnp.array([1.0])
    >>> memory, path = rule.init(w), []
    >>> for t in (1, 2, 3):
    ...     delta, memory = rule.step(jnp.ones(1), memory, w, t=t, rate=0.3)
    ...     w = w + delta
    ...     path.append((round(float(w[0]), 6), round(float(rule.weights_to_score(w, memory)[0]), 6)))
    >>> path
    [(0.7, 0.7), (0.4, 0.4), (0.1, 0.25)]
    """

    rates = Inside()
    ignores_zeros = Inside()

    rule: Rule = part(Adam, "the rule inside")
    start: Setting = setting(0.75, "[0, inf)", "the time before the average", length=True, search=(0.5, 0.75))
    every: Setting = setting(1.0, "[1, inf)", "the steps from one averaged weight to the next")

    def init(self, params):
        count = jnp.zeros_like(jax.tree.leaves(params)[0], shape=())
        return SWAMemory(count, average=jax.tree.map(jnp.array, params), rule=self.rule.init(params))

    def step(self, gradient, memory, params, *, t, rate):
        since = t - jnp.floor(self.start)
        now = (since >= 0) & (jnp.mod(since, jnp.floor(self.every)) == 0)
        delta, inside = self.rule.step(gradient, memory.rule, params, t=t, rate=rate)
        w = self.rule.weights_to_score(jax.tree.map(jnp.add, params, delta), inside)
        n = jnp.where(now, memory.count + 1, memory.count)
        share = jnp.where(now, 1 / jnp.maximum(n, 1), 0)
        average = jax.tree.map(lambda a, w: a + share * (w - a), memory.average, w)
        return delta, SWAMemory(n, average, inside)

    def weights_to_score(self, params, memory):
        before = self.rule.weights_to_score(params, memory.rule)
        return jax.tree.map(lambda w, a: jnp.where(memory.count == 0, w, a), before, memory.average)

    def remark(self, memory):
        return self.rule.remark(memory.rule)
