"""Dropout: in training, every element is left out with a given probability."""

import jax.numpy as jnp
import numpy as np

from slalom.layers.base import Layer
from slalom.record import record, setting
from slalom.types import Array, Setting, Tree


def hashed(counter: Array, key: Array) -> Array:
    """A uint32 hash of each counter under a key: the finaliser of MurmurHash3."""
    h = counter * jnp.uint32(0x9E3779B9) ^ key
    h = (h ^ (h >> 16)) * jnp.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * jnp.uint32(0xC2B2AE35)
    return h ^ (h >> 16)


def drawn(shape: tuple[int, ...], key: Array) -> Array:
    """A random-looking uint32 for each element of an array, other ones for every key.

    The hash of an element's place does not change from step to step, so XLA computes it once outside the loop; a step
    pays for one multiplication an element, by a number of the key (a constant would not part all pairs of keys).
    `jax.random.bernoulli` would halve the speed of a small net.
    """
    size = 1
    for length in shape:
        size *= length
    places = hashed(jnp.arange(size, dtype=jnp.uint32), jnp.uint32(0)).reshape(shape)
    return (places ^ hashed(key, jnp.uint32(0x27D4EB2F))) * (hashed(key, jnp.uint32(0x165667B1)) | jnp.uint32(1))


@record
class Dropout(Layer):
    """Inverted dropout (Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html).

        training:   y = x m / (1 − p),   m = 0 with probability p, else 1, drawn for each element
        otherwise:  y = x

    x [F, B]. The draw is a hash of the element's place and the key: the same key gives the same mask, and a racer's
    mask does not depend on its neighbours. p = 0 leaves x as it is, bit for bit.

    p: [] probability of leaving an element out (Keras's rate, PyTorch's p).

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
        threshold = (jnp.asarray(self.p, jnp.float32) * jnp.float32(2**24)).astype(jnp.uint32)
        kept = (drawn(x.shape, jnp.asarray(key, jnp.uint32)) >> 8) >= threshold  # 24 bits: exact in float32
        return jnp.where(kept, x * (1 / (1 - self.p)), 0), memory
