"""Group normalisation: every group of a row's features to mean 0 and variance 1."""

import numpy as np

from slalom.errors import wrong
from slalom.layers.base import Layer, gain_and_shift, gained, normalised
from slalom.record import record, setting
from slalom.types import Array, Setting, Tree


@record
class GroupNorm(Layer):
    """Group normalisation (Wu & He 2018, https://arxiv.org/abs/1803.08494, eq. 7).

        μ, σ² over one group of neighbouring features of one row, and over its pixels (σ² divides by their number)
        y = gain (x − μ) / √(σ² + ε) + shift

    x [F, B] or [C, …, N]. The same in training and otherwise; rows do not touch each other; no memory. groups = 1 is
    layer norm; on images, as many groups as channels is instance norm. A group of one feature of dense data gives
    y = shift, whatever x: take fewer groups.

    groups: [] how many, a divisor of the number of features (the paper and Keras 32, PyTorch asks); it changes the
    program, and is no number of one. epsilon: [] added to the variance: 1e-5 as in PyTorch (Keras 1e-3, Flax 1e-6).

    >>> layer = GroupNorm(groups=2)
    >>> weights, _ = layer.init(np.random.default_rng(0), 4, 4)
    >>> y, _ = layer.apply(weights, (), np.array([[1.0], [3.0], [10.0], [30.0]]), training=False, key=0)
    >>> y.round(4).ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """

    groups: Setting = setting(8, "[1, inf)", "groups that the features are divided into")
    epsilon: Setting = setting(1e-5, "(0, inf)", "added to the variance")

    def init(self, rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Tree, Tree]:
        """Gain 1 and shift 0 [F, 1]; no memory. SlalomError where the groups do not divide the features."""
        del rng, inputs
        if self.groups != int(self.groups) or outputs % int(self.groups):
            raise wrong("GroupNorm(groups=…)", f"a divisor of the {outputs} features", self.groups)
        return gain_and_shift(outputs), ()

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """See the formula of the class."""
        del training, key
        grouped = x.reshape(int(self.groups), -1, *x.shape[1:])  # [G, F / G, …, B]
        y = normalised(grouped, tuple(range(1, x.ndim)), self.epsilon).reshape(x.shape)
        return gained(weights, y), memory
