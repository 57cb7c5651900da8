"""What is measured: shapes of nets, and the data that is made for them."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from slalom.net import Net
from slalom.types import Array

CLASSES = 3
RATE = 1e-3

# letter: (columns, fields of the recipe)
SHAPES: dict[str, tuple[int, dict[str, Any]]] = {
    "A": (16, {"depth": 2, "width": 64, "batch_size": 64}),
    "B": (8, {"depth": 3, "width": 128, "batch_size": 256}),
    "C": (100, {"depth": 2, "width": 256, "batch_size": 256}),
    "D": (30, {"depth": 2, "width": 32, "batch_size": 32}),
    "E": (16, {"depth": 2, "width": 64, "batch_size": 64, "normalisation": "batch_norm", "dropout": 0.1}),
    "F": (8, {"depth": 3, "width": 128, "batch_size": 256, "embedding": "periodic"}),
    "G": (30, {"depth": 0, "batch_size": 256}),
}


@dataclass(frozen=True)
class Case:
    """One measurement: so many racers of a shape, on so many rows, for so many steps.

    mixed: racers of all rules, schedules and scalings in turn, instead of Adam alone.
    """

    shape: str
    racers: int = 64
    rows: int = 20_000
    steps: int = 1000
    mixed: bool = False

    @property
    def columns(self) -> int:
        """D."""
        return SHAPES[self.shape][0]

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the recipe that make the shape."""
        return SHAPES[self.shape][1]

    @property
    def batch(self) -> int:
        """B."""
        return self.fields["batch_size"]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Features before, between and after the dense layers; without what an embedding makes of the columns."""
        return (self.columns, *[self.fields.get("width", 1)] * self.fields["depth"], CLASSES)

    @property
    def flops(self) -> int:
        """Of one step: 6 B Σ w − 2 B d h₁ (matrix products only)."""
        depth, embedding = self.fields["depth"], self.fields.get("embedding", "none")
        net = Net(self.columns, CLASSES, depth, self.fields.get("width", 1), embedding=embedding)
        return net.flops(self.batch)

    def plain(self) -> dict[str, Any]:
        """As plain data, fit for JSON."""
        return asdict(self)


def made_data(case: Case) -> tuple[Array, Array]:
    """(X [N, D] float32, y [N] codes of three classes): bent borders and a tenth of the labels by chance."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((case.rows, case.columns), np.float32)
    bent = np.tanh(x @ rng.standard_normal((case.columns, 8), np.float32))
    y = np.argmax(bent @ rng.standard_normal((8, CLASSES), np.float32), axis=1)
    chance = rng.random(case.rows) < 0.1
    y[chance] = rng.integers(0, CLASSES, int(chance.sum()))
    return x, y


def orders(case: Case, count: int) -> Array:
    """Rows [count, B] of so many steps: a shuffle an epoch, what is left of its rows dropped."""
    rng, per_epoch = np.random.default_rng(1), max(1, case.rows // case.batch)
    epochs = [rng.permutation(case.rows)[: per_epoch * case.batch] for _ in range(-(-count // per_epoch))]
    return np.concatenate(epochs).reshape(-1, case.batch)[:count]


def first_weights(case: Case, racers: int) -> list[tuple[Array, Array]]:
    """(W [R, in, out], b [R, 1, out]) of each layer, rows first: W ~ N(0, 2 / in), in the last layer N(0, 1 / in)."""
    rng, made = np.random.default_rng(2), []
    for i, (a, b) in enumerate(zip(case.sizes, case.sizes[1:], strict=False)):
        gain = 2.0 if i < len(case.sizes) - 2 else 1.0
        w = rng.standard_normal((racers, a, b)) * np.sqrt(gain / a)
        made.append((w.astype(np.float32), np.zeros((racers, 1, b), np.float32)))
    return made
