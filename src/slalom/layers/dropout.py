"""Dropout: in training, every element is left out with a given probability."""

import jax.numpy as jnp
import numpy as np

from slalom.layers.base import Layer, kept
from slalom.record import record, setting
from slalom.types import Array, Setting, Tree


@record
class Dropout(Layer):
    """Inverted dropout (Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, section 4).

        training:   y = x m / (1 − p),   m = 0 with probability p, else 1, drawn for each element
        otherwise:  y = x

    x [F, B] or [C, …, N]. The draw is a hash of the element's place and the key: the same key gives the same mask, and
    a racer's mask does not depend on its neighbours. p = 0 leaves x as it is, bit for bit. The paper scales the weights
    by 1 − p at test time instead, which has the same mean.

    p: [] probability of leaving an element out (Keras's rate, PyTorch's p; the paper's p is the probability to keep).

    >>> y, _ = Dropout(p=0.4).apply((), (), jnp.ones((100, 100)), training=True, key=jnp.uint32(7))
    >>> sorted({round(float(v), 4) for v in y.ravel()}), bool(abs((y > 0).mean() - 0.6) < 0.02)
    ([0.0, 1.6667], True)
    """

    p: Setting = setting(0.5, "[0, 1)", "probability of leaving an element out")

    def init(self, rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Tree, Tree]:
        """Nothing is learned and nothing carried."""
        del rng, inputs, outputs
        return (), ()

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """See the formula of the class; key: uint32."""
        del weights
        if not training:
            return x, memory
        return jnp.where(kept(x.shape, self.p, key), x * (1 / (1 - self.p)), 0), memory
