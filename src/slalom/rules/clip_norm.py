"""Clipping by norm: a gradient that is too long is shortened before a rule sees it."""

import jax
import jax.numpy as jnp

from slalom.record import part, record, setting
from slalom.rules.adam import Adam
from slalom.rules.base import Inside, Rule
from slalom.types import Array, Setting, Tree


def norm_of(tree: Tree) -> Array:
    """The L2 norm of a whole tree, in units of its largest element, whose square need not be a number of float32.

    >>> print(f"{norm_of({'w': jnp.array([3e30, 0.0]), 'b': jnp.array([4e30])}):.5g}")
    5e+30
    """
    leaves = jax.tree.leaves(tree)
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in leaves]))
    unit = jnp.where(largest == 0, 1, largest)
    return unit * jnp.sqrt(sum(jnp.sum((leaf / unit) ** 2) for leaf in leaves))


@record
class ClipNorm(Rule):
    """Gradient clipping by norm (Pascanu et al. 2013, https://arxiv.org/abs/1211.5063, Algorithm 1), around any rule.

        ĝ = g min(1, c / ‖g‖)
        Δ = the step of the rule inside for ĝ

    rule: the rule inside. norm: c > 0; ‖g‖ is the L2 norm of the whole tree of parameters (Keras's clipnorm takes each
    array by itself, its global_clipnorm is this one). No ε stands in the formula, and a gradient of zero stays zero;
    Optax has the same, PyTorch divides by ‖g‖ + 10⁻⁶. What is clipped is the gradient that the rule gets, with an L1 or
    L2 penalty in it; PyTorch clips the gradient of the loss and adds the penalty inside the optimiser, afterwards.
    A gradient with an infinity or a NaN in it gives NaN: what has diverged is not hidden.

    >>> from slalom.rules import SGD
    >>> rule, w = ClipNorm(SGD(), norm=1.0), jnp.zeros(2)
    >>> delta, memory = rule.step(jnp.array([3.0, -4.0]), rule.init(w), w, t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.06, 0.08]
    """

    rates = Inside()
    ignores_zeros = Inside()

    rule: Rule = part(Adam, "the rule inside")
    norm: Setting = setting(1.0, "(0, inf)", "the longest gradient that the rule inside gets", search=(0.1, 1.0, 10.0))

    def init(self, params):
        return self.rule.init(params)

    def step(self, gradient, memory, params, *, t, rate):
        factor = self.norm / jnp.maximum(norm_of(gradient), self.norm)
        clipped = jax.tree.map(lambda g: g * factor, gradient)
        return self.rule.step(clipped, memory, params, t=t, rate=rate)

    def weights_to_score(self, params, memory):
        return self.rule.weights_to_score(params, memory)

    def remark(self, memory):
        return self.rule.remark(memory)
