"""The net that a recipe describes: dense layers with normalisation, activation and dropout between them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from slalom.blocks import BLOCKS, Plain
from slalom.errors import unknown
from slalom.executor import cores
from slalom.layers import (
    ACTIVATIONS,
    INITIALISERS,
    BatchNorm,
    Embedding,
    GroupNorm,
    Layer,
    LayerNorm,
    Periodic,
    PiecewiseLinear,
    Scale,
)
from slalom.layers.base import namespace
from slalom.layers.embedding import BY_PRODUCT
from slalom.types import Array, Tree

COLUMNS = 8  # X is kept in multiples of so many columns
FEATURES = 16  # that a code becomes: a multiple of the above


def wide(columns: int, codes: int = 0) -> int:
    """Columns of X as it is kept: zeros fill the last eight, since code for vectors takes eight or sixteen numbers at
    once and the rest one by one. 2 x 32 on 30 columns, batch 32, ran 27 % faster on 32; 2 x 64 on 13 a quarter on 16.
    Columns of codes do not count: what they become is such a multiple anyway.

    >>> wide(13), wide(16), wide(17, codes=1)
    (16, 16, 17)
    """
    return -(-(columns - codes) // COLUMNS) * COLUMNS + codes


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
EMBEDDINGS: dict[str, tuple[Layer | None, int]] = {  # of the columns, and how many features each becomes unless said
    "none": (None, 1),
    "periodic": (Periodic(), 4),
    "piecewise_linear": (PiecewiseLinear(), 16),
}


@dataclass(frozen=True)
class Net:
    """The shape of a net: what changes the compiled program, and nothing else.

    One hidden layer is dense → (normalisation) → activation → (normalisation) → dropout; `placement` says on which side
    of the activation the normalisation stands. The last layer is dense. depth 0 is a linear model. With residual
    blocks (`blocks.Residual`) there are 2 · depth + 1 hidden layers, and the normalisation has its place.

    An `embedding` stands in front of all: each of the first `embedded` columns (-1: of all) becomes `embedding_size`
    features (0: 4 of periodic, 16 of piecewise_linear). categories: how many codes each of the last columns has, which
    hold codes of levels; `layers.Embedding` makes FEATURES features of each. The first dense layer takes the features
    of the codes, then those of the embedding, then the other columns as they are. With a `learned_scale` every
    feature is multiplied by a number of its own in front of it.

    weights: a tuple of dicts of arrays, memory: a tuple of () and NamedTuples of arrays, one of each a hidden layer,
    and the weights of the last layer behind. Those of the embedding, of the codes and of the scale stand in front of
    both, in this order.

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
    learned_scale: bool = False
    block: str = "plain"
    embedding_size: int = 0
    embedded: int = -1
    categories: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", tuple(self.categories))  # JSON has lists

    @property
    def bins(self) -> int:
        """Bins of each embedded column whose edges `init` takes; 0 where the embedding has none."""
        return self.size if self.embedding == "piecewise_linear" else 0

    @property
    def size(self) -> int:
        """Features that each embedded column becomes."""
        return self.embedding_size or EMBEDDINGS[self.embedding][1]

    @property
    def resolved(self) -> int:
        """How many columns, the first ones, an embedding takes."""
        if self.embedding == "none":
            return 0
        return self.plain if self.embedded < 0 else self.embedded

    @property
    def plain(self) -> int:
        """How many columns, all but the last ones, hold no codes."""
        return self.inputs - len(self.categories)

    @property
    def looked_up(self) -> int:
        """Features that the codes become."""
        return FEATURES * len(self.categories)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Features before, between and after the dense layers; the first is what all columns make."""
        first = self.plain + self.resolved * (self.size - 1) + self.looked_up
        return (first, *self.body.hidden, self.outputs)

    @property
    def passed(self) -> int:
        """How many features, the first ones, pass a gradient on to what is learned in front of the dense layers."""
        return self.looked_up + (self.resolved * self.size if self.embedding == "periodic" else 0)

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        dense = sum((a + 1) * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))
        gains = 2 * self.width * self.body.norms_learned
        scale = self.sizes[0] if self.learned_scale else 0
        tables = FEATURES * sum(self.categories)
        return dense + gains + scale + tables + self.resolved * sum(self._embedding_parameters())

    def flops(self, batch: int) -> int:
        """Floating-point operations of one training step on `batch` rows: 6 B Σ w − 2 B d h₁ (matrix products only).

        Of features that are learned the first layer passes the gradient on as well, and a periodic embedding's own W
        counts, as does the product that is the gradient of a small table of vectors.
        """
        products = [a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False)]
        mixing = self.resolved * self._embedding_parameters()[0]
        tables = FEATURES * sum(r for r in self.categories if r <= BY_PRODUCT)
        passed = self.passed * self.sizes[1]
        return 6 * batch * (sum(products) + mixing) - 2 * batch * (products[0] - passed - tables)

    @property
    def bias_is_lost(self) -> bool:
        """Whether the biases of the hidden layers change nothing: batch norm behind them takes the mean away. They
        start at 0, have the gradient 0, and are left out of the training's arithmetic. Of a residual block those of
        its first dense layer stay."""
        return self.normalisation == "batch_norm" and self.placement == "before"

    def _embedding_parameters(self) -> tuple[int, int]:
        """(of the matrix, others) that the embedding learns for each column."""
        if self.embedding != "periodic":
            return 0, 0
        waves, mixtures = Periodic.waves, self.size - 1
        return waves * mixtures, 2 * waves + mixtures

    @property
    def body(self) -> Plain:
        """The dense layers and what stands between them."""
        norm = NORMALISATIONS[self.normalisation](self.width)
        kind = BLOCKS[self.block] if self.depth else Plain
        return kind(self.depth, self.width, self.activation, norm, self.placement)

    @property
    def front(self) -> int:
        """How many layers with weights of their own stand in front of the first dense layer."""
        return (self.embedding != "none") + bool(self.categories) + self.learned_scale

    def init(
        self, rng: np.random.Generator, initialiser: str = "auto", edges: Array | None = None, sigma: float = 0.0
    ) -> tuple[Tree, Tree]:
        """(weights, memory) before the first step, NumPy float32.

        initialiser: a name of `slalom.layers.INITIALISERS`, for the dense layers; auto draws N(0, gain² / in) with the
        gain of the activation behind the layer. edges: [embedded, bins + 1] of a piecewise_linear embedding, in the
        units of the scaled columns (`slalom.layers.quantile_edges`); other embeddings have none. sigma: spread of the
        first frequencies of a periodic one; 0: the layer's own.
        """
        if initialiser not in INITIALISERS:
            raise unknown("initialiser", initialiser, INITIALISERS)
        draw, scaled = INITIALISERS[initialiser].of, INITIALISERS[initialiser].scaled
        gain = ACTIVATIONS[self.activation].gain if scaled else 1.0
        embed, front = EMBEDDINGS[self.embedding][0], []
        if embed:
            embed = Periodic(sigma) if sigma and isinstance(embed, Periodic) else embed
            given = {"edges": edges} if self.bins else {}
            front.append(embed.init(rng, self.resolved, self.resolved * self.size, **given))
        if self.categories:
            front.append(Embedding().init(rng, len(self.categories), self.looked_up, rows=self.categories))
        if self.learned_scale:
            front.append(Scale().init(rng, self.sizes[0], self.sizes[0]))
        weights, memory = self.body.init(rng, self.sizes[0], self.outputs, gain, draw)
        return (*[w for w, _ in front], *weights), (*[m for _, m in front], *memory)

    def apply(
        self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array = 0, dropout: Array | None = None
    ) -> tuple[Array, Tree]:
        """(outputs [C, B], memory) for x [D, B], already scaled. dropout None leaves it out of the program."""
        front = self.front
        xp, carried, first = namespace(x), list(memory[:front]), weights[front]
        parts, at = [x[: self.plain], x[self.inputs :]], 0  # behind the codes stand columns of zeros
        if embed := EMBEDDINGS[self.embedding][0]:
            made, carried[0] = embed.apply(weights[0], memory[0], x[: self.resolved], training=training, key=key)
            parts, at = [made, x[self.resolved : self.plain]], 1
        if self.categories:
            codes = x[self.plain : self.inputs]
            parts.insert(0, Embedding().apply(weights[at], (), codes, training=training, key=key)[0])
        if at or self.categories:
            x = xp.concatenate([part for part in parts if len(part)])
        if self.learned_scale:
            # W (s x) = (W diag s) x: `Scale` without a product for the gradient in x, which nothing else needs
            first = {**first, "w": first["w"] * xp.swapaxes(weights[front - 1]["scale"], -1, -2)}
        own = (first, *weights[front + 1 :])
        given = {"training": training, "key": key, "dropout": dropout, "passed": self.passed}
        x, behind = self.body.apply(own, memory[front:], x, **given)
        return x, (*carried, *behind)

    def widened(self, weights: Tree, columns: int) -> Tree:
        """The weights for x with columns of zeros behind its own, `columns` in all: zeros in the first layer, and in
        the scale in front of it. Behind an embedding, which would make something of zeros, they stay what they are."""
        missing = self.sizes[0] + columns - self.inputs - weights[self.front]["w"].shape[-1]
        return weights if self.embedding != "none" or not missing else self._resized(weights, missing)

    def narrowed(self, weights: Tree) -> Tree:
        """The weights without the zeros of `widened`."""
        missing = self.sizes[0] - weights[self.front]["w"].shape[-1]
        return weights if self.embedding != "none" or not missing else self._resized(weights, missing)

    def _resized(self, weights: Tree, by: int) -> Tree:
        """The weights with so many columns of zeros more, or less, in what takes x."""
        first = self.front
        changed = {first: {**weights[first], "w": _resized(weights[first]["w"], -1, by)}}
        if self.learned_scale:
            changed[first - 1] = {"scale": _resized(weights[first - 1]["scale"], -2, by)}
        return tuple(changed.get(i, layer) for i, layer in enumerate(weights))

    def predict(self, weights: Tree, memory: Tree, x: Array, chunk: int = 4096) -> Array:
        """Outputs [C, N] for scaled rows x [N, D], in NumPy on all cores, nothing compiled."""

        def some(first: int) -> Array:
            return self.apply(weights, memory, np.ascontiguousarray(x[first : first + chunk].T), training=False)[0]

        firsts = range(0, len(x), chunk)
        if len(firsts) > 1:
            with ThreadPoolExecutor(min(cores(), len(firsts))) as pool:
                parts = list(pool.map(some, firsts))
        else:
            parts = [some(first) for first in firsts]
        return np.concatenate(parts, axis=1) if parts else np.zeros((self.outputs, 0), np.float32)


def _resized(a: Array, axis: int, by: int) -> Array:
    """An array with so many zeros more, or numbers less, at the end of an axis."""
    if by < 0:
        return a[..., :by, :] if axis == -2 else a[..., :by]
    return namespace(a).pad(a, [(0, by if i == a.ndim + axis else 0) for i in range(a.ndim)])
