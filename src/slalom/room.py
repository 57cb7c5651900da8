"""Room for the memory of any one of several rules: what makes racers of all rules fit one program."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slalom.net import Net
from slalom.step import Kind, rebuilt, seen
from slalom.types import Array, Tree


class Room:
    """Room for the memory of any one of several rules: of each shape the most arrays that one of them needs.

    So that all branches of a program hand on the same arrays, whichever rule a lane is of.
    """

    def __init__(self, rules: Sequence[Kind], net: Net, weights: Tree) -> None:
        self.rules = tuple(rules)
        self.shapes: list[tuple[tuple[int, ...], Any]] = []
        self.places: dict[Kind, list[int]] = {}
        self.structures: dict[Kind, Any] = {}
        self.averaging: set[Kind] = set()  # those that are scored with other weights than they step with
        for kind in rules:
            rule = rebuilt(kind, jnp.zeros(kind.num_leaves))
            own = seen(net, rule, weights)
            memory = jax.eval_shape(rule.init, own)
            leaves, self.structures[kind] = jax.tree.flatten(memory)
            used: Counter[tuple[tuple[int, ...], Any]] = Counter()
            self.places[kind] = [self._place((leaf.shape, leaf.dtype), used) for leaf in leaves]
            if scores_other_weights(rule, own, memory):
                self.averaging.add(kind)

    def _place(self, shape: tuple[tuple[int, ...], Any], used: Counter) -> int:
        mine = [i for i, known in enumerate(self.shapes) if known == shape]
        used[shape] += 1
        if used[shape] > len(mine):
            self.shapes.append(shape)
            return len(self.shapes) - 1
        return mine[used[shape] - 1]

    def empty(self) -> tuple[Array, ...]:
        """The arrays, all zero."""
        return tuple(np.zeros(shape, dtype) for shape, dtype in self.shapes)

    def unpack(self, kind: Kind, arrays: Sequence[Array]) -> Tree:
        """A rule's memory out of the arrays."""
        return jax.tree.unflatten(self.structures[kind], [arrays[i] for i in self.places[kind]])

    def pack(self, kind: Kind, memory: Tree, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The arrays with a rule's memory in its places."""
        packed = list(arrays)
        for i, leaf in zip(self.places[kind], jax.tree.leaves(memory), strict=True):
            packed[i] = leaf
        return tuple(packed)


def scores_other_weights(rule: Any, weights: Tree, memory: Tree) -> bool:
    """Whether a rule's `weights_to_score` answers with anything but the weights that it is given."""
    other = []

    def look(weights: Tree, memory: Tree) -> None:
        scored = jax.tree.leaves(rule.weights_to_score(weights, memory))
        other.append(any(a is not b for a, b in zip(scored, jax.tree.leaves(weights), strict=True)))

    jax.eval_shape(look, weights, memory)
    return other[0]
