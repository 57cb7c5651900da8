"""Instance normalisation: every channel of a row to mean 0 and variance 1 over its pixels."""

from typing import ClassVar

import numpy as np

from slalom.errors import wrong
from slalom.layers.base import Layer, gain_and_shift, gained, normalised
from slalom.record import record, setting
from slalom.types import Array, Setting, Tree


@record
class InstanceNorm(Layer):
    """Instance normalisation (Ulyanov, Vedaldi & Lempitsky 2016, https://arxiv.org/abs/1607.08022, section 2).

        μ, σ² over the pixels of one channel of one row (σ² divides by their number)
        y = gain (x − μ) / √(σ² + ε) + shift

    x [C, …, N] with at least one axis between the channels and the rows: dense data has no pixels and is refused when
    the layer is applied. The same in training and otherwise; rows and channels do not touch each other; no memory.
    PyTorch's InstanceNorm learns no gain and shift unless asked (affine=True); Keras has none (GroupNormalization with
    groups=-1).

    epsilon: [] added to the variance: 1e-5 as in PyTorch.

    >>> layer = InstanceNorm()
    >>> weights, _ = layer.init(np.random.default_rng(0), 1, 1)
    >>> y, _ = layer.apply(weights, (), np.array([[[1.0], [3.0]]]), training=False, key=0)
    >>> y.round(4).ravel().tolist()
    [-1.0, 1.0]
    """

    axes: ClassVar[tuple[int, ...]] = (3, 4, 5)

    epsilon: Setting = setting(1e-5, "(0, inf)", "added to the variance")

    def init(self, rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Tree, Tree]:
        """Gain 1 and shift 0 [C, 1]; no memory."""
        del rng, inputs
        return gain_and_shift(outputs), ()

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """See the formula of the class. SlalomError for dense data, by its shape: before anything is computed."""
        del training, key
        if x.ndim < 3:
            raise wrong(
                "InstanceNorm(x)", "of shape [C, …, N] with pixels", x.shape, "Use layer_norm or batch_norm for it."
            )
        return gained(weights, normalised(x, tuple(range(1, x.ndim - 1)), self.epsilon)), memory
