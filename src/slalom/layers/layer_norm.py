"""Layer normalisation: every row to mean 0 and variance 1 over its features."""

import numpy as np

from slalom.layers.base import Layer, gain_and_shift, namespace, standardise
from slalom.record import record, setting
from slalom.types import Array, Setting, Tree


@record
class LayerNorm(Layer):
    """Layer normalisation (Ba, Kiros & Hinton 2016, https://arxiv.org/abs/1607.06450, eq. 4).

        μ, σ² over the features of one row (σ² divides by F)
        y = gain (x − μ) / √(σ² + ε) + shift

    x [F, B]. The same in training and otherwise; rows do not touch each other; no memory.

    epsilon: [] added to the variance.

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
        if namespace(x) is np:
            y = (x - x.mean(0)) / np.sqrt(x.var(0) + self.epsilon)
        else:
            y, _, _ = standardise(x, 0, self.epsilon)
        return y * weights["gain"] + weights["shift"], memory
