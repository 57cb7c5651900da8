"""What stands in a net behind its columns: dense layers one after the other, or residual blocks of two each."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slalom.layers import ACTIVATIONS, BatchNorm, Dense, Dropout, Layer
from slalom.layers.base import namespace
from slalom.layers.dense import product, product_behind
from slalom.types import Array, Tree


@dataclass(frozen=True)
class Plain:
    """Dense layers one after the other: `depth` hidden ones and the last.

        x ← Dropout(act(Norm(W x + b)))     depth times; placement after: Norm(act(…))
        y = W x + b

    x [F, B]. norm: of the hidden features, or None. weights: a dict for every dense layer, with gain and shift of the
    normalisation behind it; memory: one for every hidden layer.

    >>> Plain(depth=2, width=8, activation="relu").hidden
    (8, 8)
    """

    depth: int
    width: int
    activation: str
    norm: Layer | None = None
    placement: str = "before"

    @property
    def hidden(self) -> tuple[int, ...]:
        """Features behind every dense layer but the last."""
        return (self.width,) * self.depth

    @property
    def norms_learned(self) -> int:
        """How many hidden layers have a gain and a shift."""
        return sum(self.normalised(i) for i in range(len(self.hidden)))

    def activated(self, i: int) -> bool:
        """Whether the activation is what takes the answer of hidden layer i."""
        return True

    def normalised(self, i: int) -> bool:
        """Whether a normalisation stands behind hidden layer i."""
        return self.norm is not None

    def init(
        self, rng: np.random.Generator, inputs: int, outputs: int, gain: float, draw: Callable[..., Array]
    ) -> tuple[list[Tree], list[Tree]]:
        """(weights, memory) before the first step. gain: of the draw in front of an activation, 1 elsewhere."""
        weights, memory = [], []
        sizes = (inputs, *self.hidden, outputs)
        for i, (a, b) in enumerate(itertools.pairwise(sizes[:-1])):
            dense, _ = Dense().init(rng, a, b, gain if self.activated(i) else 1.0, draw)
            learned, carried = self.norm.init(rng, b, b) if self.norm and self.normalised(i) else ({}, ())
            weights.append({**dense, **learned})
            memory.append(carried)
        last, _ = Dense().init(rng, sizes[-2], outputs, draw=draw)
        return [*weights, last], memory

    def apply(
        self,
        weights: Tree,
        memory: Tree,
        x: Array,
        *,
        training: bool,
        key: Array,
        dropout: Array | None,
        passed: int = -1,
    ) -> tuple[Array, list[Tree]]:
        """(outputs, the next memory), see the formula of the class. passed: how many features of x, the first ones,
        have a gradient that is asked for; -1: all."""
        carried, before = [], self.placement == "before"
        for i, (w, m) in enumerate(zip(weights[:-1], memory, strict=True)):
            x = self.dense(w, x, training and before and self.takes_mean(i), -1 if i else passed)
            if before:
                x, m = self.norms(i, w, m, x, training)
            x = ACTIVATIONS[self.activation].of(x)
            if not before:
                x, m = self.norms(i, w, m, x, training)
            x = dropped(x, i, training, key, dropout)
            carried.append(m)
        return self.dense(weights[-1], x, passed=passed if not carried else -1), carried

    def dense(self, w: Tree, x: Array, bias_is_lost: bool = False, passed: int = -1) -> Array:
        """W x + b, or W x where a batch norm takes any b away: b starts at 0 and stays there."""
        if namespace(x) is np:
            return w["w"] @ x + w["b"]
        some = 0 < passed < len(x)  # of its features: where none is asked for, XLA leaves the product out
        y = product_behind(w["w"], x, passed) if some else product(w["w"], x)
        return y if bias_is_lost else y + w["b"]

    def norms(self, i: int, w: Tree, m: Tree, x: Array, training: bool) -> tuple[Array, Tree]:
        """(x normalised behind hidden layer i, the next memory)."""
        if self.norm is None or not self.normalised(i):
            return x, m
        return self.norm.apply(w, m, x, training=training, key=0)

    def takes_mean(self, i: int) -> bool:
        """Whether what stands behind hidden layer i takes the mean of every feature over the batch away."""
        return isinstance(self.norm, BatchNorm) and self.normalised(i)


@dataclass(frozen=True)
class Residual(Plain):
    """ResNet for tables (Gorishniy et al. 2021, https://arxiv.org/abs/2106.11959, section 3.2): `depth` blocks, whose
    answer is added to what they are given.

        x ← W x + b
        x ← x + Dropout(W₂ Dropout(act(W₁ Norm(x) + b₁)) + b₂)     depth times
        y = W act(Norm(x)) + b

    x [F, B]; all hidden features are `width` (the paper's block may be wider inside). One probability for both dropouts
    (the paper has two). Hidden layers are the first, and W₁ and W₂ of every block; the normalisation of what a block is
    given counts to the hidden layer in front of it. Under a batch norm b and b₂ are left out in training: every
    normalisation behind them takes their means away (but for what dropout makes of b₂), and b₁ stays.

    >>> Residual(depth=2, width=8, activation="relu").hidden
    (8, 8, 8, 8, 8)
    """

    @property
    def hidden(self) -> tuple[int, ...]:
        """Features behind every dense layer but the last."""
        return (self.width,) * (2 * self.depth + 1)

    def activated(self, i: int) -> bool:
        """Whether the activation is what takes the answer of hidden layer i: of the first in a block alone."""
        return i % 2 == 1

    def normalised(self, i: int) -> bool:
        """Whether a normalisation stands behind hidden layer i: behind what the blocks are given."""
        return self.norm is not None and i % 2 == 0

    def apply(
        self,
        weights: Tree,
        memory: Tree,
        x: Array,
        *,
        training: bool,
        key: Array,
        dropout: Array | None,
        passed: int = -1,
    ) -> tuple[Array, list[Tree]]:
        """As `Plain.apply`, by the formula of this class."""
        act, carried = ACTIVATIONS[self.activation].of, []
        lost = training and self.takes_mean(0)
        x = self.dense(weights[0], x, lost, passed)
        for i in range(1, 2 * self.depth, 2):
            h, m = self.norms(i - 1, weights[i - 1], memory[i - 1], x, training)
            h = dropped(act(self.dense(weights[i], h)), i, training, key, dropout)
            x = x + dropped(self.dense(weights[i + 1], h, lost), i + 1, training, key, dropout)
            carried += [m, memory[i]]
        h, m = self.norms(2 * self.depth, weights[-2], memory[-1], x, training)
        return self.dense(weights[-1], act(h)), [*carried, m]


BLOCKS: dict[str, type[Plain]] = {"plain": Plain, "residual": Residual}


def dropped(x: Array, i: int, training: bool, key: Array, dropout: Array | None) -> Array:
    """x behind hidden layer i with features left out, in training."""
    if not training or dropout is None:
        return x
    own = key ^ np.uint32(0x9E3779B9 * (i + 1) % 2**32)  # every layer draws for itself
    return Dropout(dropout).apply((), (), x, training=True, key=own)[0]
