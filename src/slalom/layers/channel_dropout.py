"""Channel dropout: in training, whole channels of a row are left out with a given probability."""

import jax.numpy as jnp
import numpy as np

from slalom.layers.base import Layer, kept
from slalom.record import record, setting
from slalom.types import Array, Setting, Tree


@record
class ChannelDropout(Layer):
    """Channel dropout (Tompson et al. 2015, https://arxiv.org/abs/1411.4280, section 3.2: SpatialDropout).

        training:   y = x m / (1 − p),   m = 0 with probability p, else 1, drawn for each channel of each row
        otherwise:  y = x

    x [C, …, N]: neighbouring pixels say nearly the same, so that leaving out single ones hides nothing. The axes
    between the first and the last share one draw. For dense data [F, B] a channel is one element, and the mask is that
    of `dropout` under the same key, bit for bit. PyTorch's Dropout1d, 2d, 3d; Keras's SpatialDropout.

    p: [] probability of leaving a channel out.

    >>> y, _ = ChannelDropout(p=0.5).apply((), (), jnp.ones((4, 3, 3, 100)), training=True, key=jnp.uint32(7))
    >>> sorted({int(c) for c in (y == 0).sum((1, 2)).ravel()})
    [0, 9]
    """

    p: Setting = setting(0.5, "[0, 1)", "probability of leaving a channel out")

    def init(self, rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Tree, Tree]:
        """Nothing is learned and nothing carried."""
        del rng, inputs, outputs
        return (), ()

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """See the formula of the class; key: uint32."""
        del weights
        if not training:
            return x, memory
        shape = (x.shape[0], *(1 for _ in x.shape[2:]), x.shape[-1])
        return jnp.where(kept(shape, self.p, key), x * (1 / (1 - self.p)), 0), memory
