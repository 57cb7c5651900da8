"""Clipping by value: every element of the gradient is cut at a bound before a rule sees it."""

import jax
import jax.numpy as jnp

from slalom.record import part, record, setting
from slalom.rules.adam import Adam
from slalom.rules.base import Inside, Rule
from slalom.types import Setting


@record
class ClipValue(Rule):
    """Gradient clipping by value (Mikolov 2012, https://www.fit.vutbr.cz/~imikolov/rnnlm/thesis.pdf), around any rule.

        ĝ = min(max(g, −c), c)          element by element
        Δ = the step of the rule inside for ĝ

    rule: the rule inside. value: c > 0, as clip_grad_value_ of PyTorch, clip of Optax and clipvalue of Keras. The
    direction of the gradient changes, other than with a clipped norm. What is clipped is the gradient that the rule
    gets, with an L1 or L2 penalty in it; PyTorch clips the gradient of the loss and adds the penalty inside the
    optimiser, afterwards. An infinite element is cut like any other; NaN stays NaN.

    >>> from slalom.rules import SGD
    >>> rule, w = ClipValue(SGD(), value=1.0), jnp.zeros(2)
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(w), w, t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.1, 0.05]
    """

    rates = Inside()
    ignores_zeros = Inside()

    rule: Rule = part(Adam, "the rule inside")
    value: Setting = setting(1.0, "(0, inf)", "the largest element of a gradient", search=(0.01, 0.1, 1.0))

    def init(self, params):
        return self.rule.init(params)

    def step(self, gradient, memory, params, *, t, rate):
        clipped = jax.tree.map(lambda g: jnp.minimum(jnp.maximum(g, -self.value), self.value), gradient)
        return self.rule.step(clipped, memory, params, t=t, rate=rate)

    def weights_to_score(self, params, memory):
        return self.rule.weights_to_score(params, memory)

    def remark(self, memory):
        return self.rule.remark(memory)
