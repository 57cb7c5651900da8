"""The net that a recipe describes: dense layers with normalisation, activation and dropout between them."""

from dataclasses import dataclass

import numpy as np

from slalom.layers import ACTIVATIONS, BatchNorm, Dense, Dropout, Layer, LayerNorm
from slalom.types import Array, Tree

NORMALISATIONS: dict[str, Layer | None] = {"none": None, "batch_norm": BatchNorm(), "layer_norm": LayerNorm()}
PLACEMENTS = ("before", "after")  # the activation


@dataclass(frozen=True)
class Net:
    """The shape of a net: what changes the compiled program, and nothing else.

    One hidden layer is dense → (normalisation) → activation → (normalisation) → dropout; `placement` says on which side
    of the activation the normalisation stands. The last layer is dense. depth 0 is a linear model.

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

    @property
    def sizes(self) -> tuple[int, ...]:
        """Features before, between and after the dense layers."""
        return (self.inputs, *[self.width] * self.depth, self.outputs)

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        dense = sum((a + 1) * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))
        return dense + (2 * self.width * self.depth if self.normalisation != "none" else 0)

    def flops(self, batch: int) -> int:
        """Floating-point operations of one training step on `batch` rows: 6 B Σ w − 2 B d h₁ (matrix products only)."""
        products = [a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False)]
        return 6 * batch * sum(products) - 2 * batch * products[0]

    def init(self, rng: np.random.Generator) -> tuple[Tree, Tree]:
        """(weights, memory) before the first step, NumPy float32."""
        gain, norm = ACTIVATIONS[self.activation].gain, NORMALISATIONS[self.normalisation]
        weights, memory = [], []
        for inputs, outputs in zip(self.sizes[:-2], self.sizes[1:-1], strict=True):
            dense, _ = Dense().init(rng, inputs, outputs, gain)
            learned, carried = norm.init(rng, outputs, outputs) if norm else ({}, ())
            weights.append({**dense, **learned})
            memory.append(carried)
        last, _ = Dense().init(rng, *self.sizes[-2:])
        return (*weights, last), tuple(memory)

    def apply(
        self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array = 0, dropout: Array | None = None
    ) -> tuple[Array, Tree]:
        """(outputs [C, B], memory) for x [D, B], already scaled. dropout None leaves it out of the program."""
        activation, norm, dense = ACTIVATIONS[self.activation].of, NORMALISATIONS[self.normalisation], Dense()
        carried = []
        for i, (w, m) in enumerate(zip(weights[:-1], memory, strict=True)):
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

    def predict(self, weights: Tree, memory: Tree, x: Array, chunk: int = 4096) -> Array:
        """Outputs [C, N] for scaled rows x [N, D], in NumPy, nothing compiled."""
        parts = [
            self.apply(weights, memory, np.ascontiguousarray(x[i : i + chunk].T), training=False)[0]
            for i in range(0, len(x), chunk)
        ]
        return np.concatenate(parts, axis=1) if parts else np.zeros((self.outputs, 0), np.float32)
