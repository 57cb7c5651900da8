"""Learned scale: every feature times a number of its own."""

import numpy as np

from slalom.layers.base import Layer, along
from slalom.record import record
from slalom.types import Array, Tree


@record
class Scale(Layer):
    """The scaling layer of RealMLP (Holzmüller et al. 2024, https://arxiv.org/abs/2407.04491, section 3).

        y = s x        ds = Σ g x    dx = s g

    x [F, B] or [C, …, N], s [F, 1], one learned number a feature; g is the gradient with respect to y. Starts with
    s = 1. In front of the first dense layer it lets a net turn single columns up or down in few steps, where the layer
    has to move a whole column of its weights for that: a soft choice of columns. RealMLP has it behind its embedding,
    as nets have it here, and takes six times the learning rate for it; here all weights have one rate.

    >>> weights, _ = Scale().init(np.random.default_rng(0), 2, 2)
    >>> weights["scale"].ravel().tolist()
    [1.0, 1.0]
    >>> y, _ = Scale().apply({"scale": np.array([[2.0], [0.0]])}, (), np.ones((2, 3)), training=False, key=0)
    >>> y.tolist()
    [[2.0, 2.0, 2.0], [0.0, 0.0, 0.0]]
    """

    def init(self, rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Tree, Tree]:
        """s = 1 [F, 1]; no memory."""
        del rng, inputs
        return {"scale": np.ones((outputs, 1), np.float32)}, ()

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """y = s x."""
        del training, key
        return along(weights["scale"], x) * x, memory
