"""The contract of an update rule, written once, and the little arithmetic that all rules share.

A rule is a record whose fields are its settings.

    memory        = rule.init(params)
    delta, memory = rule.step(gradient, memory, params, t=t, rate=η)
    params        = params + delta

t: the number of this step; the first is 1. rate: the learning rate at this step; a rule owns no clock and no schedule.
Both work on a whole tree of parameters. Element-wise rules are written for one array and lifted by `over_tree`.
A rule is written for one racer and never mentions the racer axis; any setting may be a number of a program, so that
racers of one lane differ in it.

`rates` are the learning rates worth trying on standardised data, lowest and highest; a setting's `search` holds the
values worth trying: a race draws from them. A rule that wraps another has it as a `part`, and stands in `WRAPPERS` of
tests/test_architecture.py, a floor above those it may wrap. Its memory holds that of the rule inside.
A setting that is a length of time is a fraction of the horizon where it is below 1. The host turns it into steps
before the rule runs (`at_horizon`): inside a step the rule sees steps, and no horizon.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp

from slalom.record import in_steps, parts_of, record, settings_of
from slalom.types import Array, Setting, Tree


class Rule(Protocol):
    """What every update rule answers (see the head of this file)."""

    rates: ClassVar[tuple[float, float]] = (3e-4, 2e-2)
    # Whether columns of zeros without a gradient stay zeros, and change nothing for the other weights: a rule says so.
    ignores_zeros: ClassVar[bool] = False

    def init(self, params: Tree) -> Tree:
        """The memory before the first step."""
        ...

    def step(self, gradient: Tree, memory: Tree, params: Tree, *, t: Array, rate: Array) -> tuple[Tree, Tree]:
        """One step: (what to add to the parameters, the next memory)."""
        ...

    def weights_to_score(self, params: Tree, memory: Tree) -> Tree:
        """The weights that a score is taken with; the parameters themselves unless a rule says otherwise."""
        del memory
        return params

    def remark(self, memory: Tree) -> str:
        """What a person should know about how this training went, half a sentence; empty for most rules."""
        del memory
        return ""


class Inside:
    """`rates` or `ignores_zeros` of a rule that wraps another: that of the rule inside; of the class, `Rule`'s."""

    def __set_name__(self, cls: type, name: str) -> None:
        self.name = name

    def __get__(self, rule: Any, cls: type) -> Any:
        return getattr(Rule if rule is None else rule.rule, self.name)


def at_horizon(rule: Any, horizon: int) -> Any:
    """The rule with every length of time in steps: a fraction below 1 becomes so many of the horizon.

    Rules inside it are turned too; numbers of a program stay what they are. Done once a training.

    >>> from slalom.rules import SWA, ClipNorm
    >>> at_horizon(ClipNorm(SWA(start=0.75)), 200).rule.start
    150.0
    """
    inside = {name: at_horizon(getattr(rule, name), horizon) for name in parts_of(rule)}
    given = {name: getattr(rule, name) for name, about in settings_of(rule).items() if about["length"]}
    turned = {name: in_steps(v, horizon) for name, v in given.items() if isinstance(v, (int, float))}
    return dataclasses.replace(rule, **inside, **turned) if inside or turned else rule


def over_tree(one: Callable[..., Any]) -> Callable[..., Any]:
    """Lift a function of one array to a tree of arrays: of p to its memory, or of (g, memory, …) to (delta, memory).

    The memory of a tree is the tree of the memories. What all arrays share (1 − βᵗ, say) is computed outside `one`,
    once: XLA would compute it again for every array.
    """

    @functools.wraps(one)
    def lifted(first: Tree, *others: Tree) -> Any:
        structure: Any
        leaves, structure = jax.tree.flatten(first)
        columns = [structure.flatten_up_to(other) for other in others]
        results = [one(*row) for row in zip(leaves, *columns, strict=True)]
        if results and type(results[0]) is tuple:  # (delta, memory) of a step; a memory itself is a NamedTuple
            return tuple(structure.unflatten(column) for column in zip(*results, strict=True))
        return structure.unflatten(results)

    return lifted


def inner(a: Tree, b: Tree) -> Array:
    """aᵀb over all the numbers of two trees: the whole parameter vector, without laying it out as one.

    >>> float(inner({"w": jnp.ones((2, 3)), "b": jnp.ones(2)}, {"w": jnp.ones((2, 3)), "b": 2 * jnp.ones(2)}))
    10.0
    """
    return sum(jax.tree.leaves(jax.tree.map(lambda x, y: jnp.sum(x * y), a, b)))


def zero(params: Tree) -> Array:
    """The number 0 in the type of the parameters: where a memory keeps one number for the whole tree.

    >>> zero({"w": jnp.ones((2, 3))}).shape
    ()
    """
    return jnp.zeros((), jnp.result_type(*jax.tree.leaves(params)))


@record
class Beta:
    """A beta inside a program, kept as 1 − β: float32 holds 0.001 to eight digits, 0.999 only to five of them."""

    forgetting: Setting


def forgetting(beta: Setting) -> Setting:
    """1 − β, without losing its digits when β is a number of a program.

    >>> forgetting(0.5)
    0.5
    """
    return beta.forgetting if isinstance(beta, Beta) else 1 - beta


def debias(f: Setting, t: Array) -> Array:
    """1 − βᵗ with β = 1 − f, exact for small f too: −expm1(t log1p(−f)).

    >>> round(float(debias(0.1, 2)), 6)
    0.19
    """
    return -jnp.expm1(t * jnp.log1p(-f))


def correction(f: Setting, t: Array) -> Array:
    """1 / (1 − βᵗ), what a mean that started at 0 is multiplied by to be free of its start.

    A factor, not a divisor: it is one number for a whole tree, and a division costs an element as much as all the rest
    of Adam's two means.

    >>> round(float(correction(0.1, 2)), 6)
    5.263158
    """
    return 1 / debias(f, t)


def root(x: Array) -> Array:
    """√x for x ≥ 0, as x · (1 / √x): processors have a quick estimate of the reciprocal root, and none of the root.

    A step of 2 x 64 with Adam takes 5 % less time. √0 is 0; √∞ is NaN.

    >>> [float(y) for y in root(jnp.array([0.0, 1e-30, 2.25]))]
    [0.0, 1.0000000036274937e-15, 1.5]
    """
    return x * jax.lax.rsqrt(jnp.maximum(x, jnp.finfo(jnp.result_type(x)).tiny))
