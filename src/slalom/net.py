"""The net that a recipe describes: dense layers with normalisation, activation and dropout between them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slalom.errors import unknown
from slalom.layers import (
    ACTIVATIONS,
    INITIALISERS,
    BatchNorm,
    Dense,
    Dropout,
    GroupNorm,
    Layer,
    LayerNorm,
    Periodic,
    PiecewiseLinear,
)
from slalom.layers.base import namespace
from slalom.layers.dense import product
from slalom.types import Array, Tree

COLUMNS = 8  # X is kept in multiples of so many columns


def wide(columns: int) -> int:
    """Columns of X as it is kept: zeros fill the last eight, since code for vectors takes eight or sixteen numbers at
    once and the rest one by one. 2 x 32 on 30 columns, batch 32, ran 27 % faster on 32; 2 x 64 on 13 a quarter on 16.

    >>> wide(13), wide(16)
    (16, 16)
    """
    return -(-columns // COLUMNS) * COLUMNS


def _groups(width: int) -> int:
    """How many groups group norm makes of a layer: 8, 4 or 2 of at least eight features each, otherwise one."""
    return next((g for g in (8, 4, 2) if width % g == 0 and width // g >= 8), 1)


NORMALISATIONS: dict[str, Callable[[int], Layer | None]] = {  # of a layer's width
    "none": lambda width: None,
    "batch_norm": lambda width: BatchNorm(),
    "layer_norm": lambda width: LayerNorm(),
    "group_norm": lambda width: GroupNorm(groups=_groups(width)),
}
PLACEMENTS = ("before", "after")  # the activation
EMBEDDINGS: dict[str, tuple[Layer | None, int]] = {  # of the columns, and how many features each column becomes
    "none": (None, 1),
    "periodic": (Periodic(), 4),
    "piecewise_linear": (PiecewiseLinear(), 16),
}


@dataclass(frozen=True)
class Net:
    """The shape of a net: what changes the compiled program, and nothing else.

    One hidden layer is dense → (normalisation) → activation → (normalisation) → dropout; `placement` says on which side
    of the activation the normalisation stands. The last layer is dense. depth 0 is a linear model. An `embedding`
    stands in front of all: each column becomes 4 features (periodic) or 16 (piecewise_linear).

    weights: a tuple of dicts of arrays, memory: a tuple of () and NamedTuples of arrays, one of each a hidden layer,
    and the weights of the last layer behind. With an embedding its own stand in front of both.

    >>> net = Net(inputs=3, outputs=1, depth=1, width=4)
    >>> weights, memory = net.init(np.random.default_rng(0))
    >>> net.predict(weights, memory, np.ones((5, 3), np.float32)).shape
    (1, 5)
    """

    inputs: int
    outputs: int
    depth: int
    width: int
    activation: str = "relu"
    normalisation: str = "none"
    placement: str = "before"
    embedding: str = "none"

    @property
    def bins(self) -> int:
        """Bins of each column whose edges `init` takes; 0 where the embedding has none."""
        return EMBEDDINGS[self.embedding][1] if self.embedding == "piecewise_linear" else 0

    @property
    def sizes(self) -> tuple[int, ...]:
        """Features before, between and after the dense layers; the first is the number of embedded columns."""
        return (self.inputs * EMBEDDINGS[self.embedding][1], *[self.width] * self.depth, self.outputs)

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        dense = sum((a + 1) * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))
        gains = 2 * self.width * self.depth if self.normalisation != "none" else 0
        return dense + gains + self.inputs * sum(self._embedding_parameters())

    def flops(self, batch: int) -> int:
        """Floating-point operations of one training step on `batch` rows: 6 B Σ w − 2 B d h₁ (matrix products only).

        Behind a periodic embedding the first layer passes its gradient on as well: 6 B Σ w, the embedding's W included.
        """
        products = [a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False)]
        mixing = self.inputs * self._embedding_parameters()[0]
        return 6 * batch * (sum(products) + mixing) - (0 if mixing else 2 * batch * products[0])

    @property
    def bias_is_lost(self) -> bool:
        """Whether the biases of the hidden layers change nothing: batch norm behind them takes the mean away. They
        start at 0, have the gradient 0, and are left out of the training's arithmetic."""
        return self.normalisation == "batch_norm" and self.placement == "before"

    def _embedding_parameters(self) -> tuple[int, int]:
        """(of the matrix, others) that the embedding learns for each column."""
        if self.embedding != "periodic":
            return 0, 0
        waves, mixtures = Periodic.waves, self.sizes[0] // self.inputs - 1
        return waves * mixtures, 2 * waves + mixtures

    def init(
        self, rng: np.random.Generator, initialiser: str = "auto", edges: Array | None = None
    ) -> tuple[Tree, Tree]:
        """(weights, memory) before the first step, NumPy float32.

        initialiser: a name of `slalom.layers.INITIALISERS`, for the dense layers; auto draws N(0, gain² / in) with the
        gain of the activation behind the layer. edges: [D, bins + 1] of a piecewise_linear embedding, in the units of
        the scaled columns (`slalom.layers.quantile_edges`); other embeddings have none.
        """
        if initialiser not in INITIALISERS:
            raise unknown("initialiser", initialiser, INITIALISERS)
        draw, scaled = INITIALISERS[initialiser].of, INITIALISERS[initialiser].scaled
        gain = ACTIVATIONS[self.activation].gain if scaled else 1.0
        embed, norm = EMBEDDINGS[self.embedding][0], NORMALISATIONS[self.normalisation](self.width)
        weights, memory = [], []
        if embed:
            given = {"edges": edges} if self.bins else {}
            learned, carried = embed.init(rng, self.inputs, self.sizes[0], **given)
            weights.append(learned)
            memory.append(carried)
        for inputs, outputs in zip(self.sizes[:-2], self.sizes[1:-1], strict=True):
            dense, _ = Dense().init(rng, inputs, outputs, gain, draw)
            learned, carried = norm.init(rng, outputs, outputs) if norm else ({}, ())
            weights.append({**dense, **learned})
            memory.append(carried)
        last, _ = Dense().init(rng, self.sizes[-2], self.sizes[-1], draw=draw)
        return (*weights, last), tuple(memory)

    def apply(
        self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array = 0, dropout: Array | None = None
    ) -> tuple[Array, Tree]:
        """(outputs [C, B], memory) for x [D, B], already scaled. dropout None leaves it out of the program."""
        activation, norm, dense = (
            ACTIVATIONS[self.activation].of,
            NORMALISATIONS[self.normalisation](self.width),
            Dense(),
        )
        embed, carried = EMBEDDINGS[self.embedding][0], []
        if embed:
            x, m = embed.apply(weights[0], memory[0], x, training=training, key=key)
            weights, memory, carried = weights[1:], memory[1:], [m]
        for i, (w, m) in enumerate(zip(weights[:-1], memory, strict=True)):
            if training and self.bias_is_lost:
                x = product(w["w"], x)
            else:
                x, _ = dense.apply(w, (), x, training=training, key=key)
            if norm and self.placement == "before":
                x, m = norm.apply(w, m, x, training=training, key=key)
            x = activation(x)
            if norm and self.placement == "after":
                x, m = norm.apply(w, m, x, training=training, key=key)
            if training and dropout is not None:
                x, _ = Dropout(dropout).apply(
                    (), (), x, training=True, key=key ^ np.uint32(0x9E3779B9 * (i + 1) % 2**32)
                )
            carried.append(m)
        outputs, _ = dense.apply(weights[-1], (), x, training=training, key=key)
        return outputs, tuple(carried)

    def widened(self, weights: Tree, columns: int) -> Tree:
        """The weights for x with columns of zeros behind its own, `columns` in all: zeros in the first layer. Behind an
        embedding, which would make something of zeros, they stay what they are."""
        if self.embedding != "none" or weights[0]["w"].shape[-1] == columns:
            return weights
        w = weights[0]["w"]
        missing = columns - w.shape[-1]
        grown = namespace(w).pad(w, [(0, 0)] * (w.ndim - 1) + [(0, missing)])
        return ({**weights[0], "w": grown}, *weights[1:])

    def narrowed(self, weights: Tree) -> Tree:
        """The weights without the zeros of `widened`."""
        if self.embedding != "none":
            return weights
        return ({**weights[0], "w": weights[0]["w"][..., : self.inputs]}, *weights[1:])

    def predict(self, weights: Tree, memory: Tree, x: Array, chunk: int = 4096) -> Array:
        """Outputs [C, N] for scaled rows x [N, D], in NumPy, nothing compiled."""
        parts = [
            self.apply(weights, memory, np.ascontiguousarray(x[i : i + chunk].T), training=False)[0]
            for i in range(0, len(x), chunk)
        ]
        return np.concatenate(parts, axis=1) if parts else np.zeros((self.outputs, 0), np.float32)
