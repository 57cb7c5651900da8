"""Layer normalisation: every row to mean 0 and variance 1 over its features."""

import numpy as np

from slalom.layers.base import Layer, gain_and_shift, gained, normalised
from slalom.record import record, setting
from slalom.types import Array, Setting, Tree


@record
class LayerNorm(Layer):
    """Layer normalisation (Ba, Kiros & Hinton 2016, https://arxiv.org/abs/1607.06450, eq. 4).

        μ, σ² over all features of one row (σ² divides by their number)
        y = gain (x − μ) / √(σ² + ε) + shift

    x [F, B], or [C, …, N] with μ and σ² over all axes but the last. The same in training and otherwise; rows do not
    touch each other; no memory. Gain and shift are one a feature or channel, [F, 1], as in PyTorch's GroupNorm(1, C);
    PyTorch's LayerNorm learns one for every pixel as well: hand over weights of x's own axes, [C, H, W, 1], for that.

    epsilon: [] added to the variance: 1e-5 as in PyTorch (Keras 1e-3, Flax 1e-6).

    >>> layer = LayerNorm()
    >>> weights, _ = layer.init(np.random.default_rng(0), 2, 2)
    >>> y, _ = layer.apply(weights, (), np.array([[1.0], [3.0]]), training=False, key=0)
    >>> y.round(4).ravel().tolist()
    [-1.0, 1.0]
    """

    epsilon: Setting = setting(1e-5, "(0, inf)", "added to the variance")

    def init(self, rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Tree, Tree]:
        """Gain 1 and shift 0 [F, 1]; no memory."""
        del rng, inputs
        return gain_and_shift(outputs), ()

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """See the formula of the class."""
        del training, key
        return gained(weights, normalised(x, tuple(range(x.ndim - 1)), self.epsilon)), memory
