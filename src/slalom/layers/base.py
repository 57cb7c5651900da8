"""The contract of a layer, written once, and the arithmetic that several layers share.

    weights, memory = layer.init(rng, inputs, outputs)     # NumPy float32 on the host
    y, memory       = layer.apply(weights, memory, x, training=…, key=…)

weights: what is learned. memory: what is carried along (moving averages, edges of bins); () where there is none.
training: static. key: one uint32 number, different for every racer, step and layer; only layers that draw use it.
Features stand first: x [F, B], weights [out, in]. This is the layout that measured fastest on CPUs (the product of the
weight gradient needs no transposed left operand). Signals, images and volumes have their channels first and their rows
last: [C, L, N], [C, H, W, N], [C, D, H, W, N]; `rows_last` makes that of (N, C, …). A feature of the text is then a
channel. A layer is written for one racer and never mentions the racer axis. Settings may be numbers of a program.
Called with NumPy arrays and training=False, a layer answers with NumPy: a trained net predicts without JAX.
"""

import math
from functools import partial
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from slalom.errors import wrong
from slalom.types import Array, Tree


class Layer(Protocol):
    """What every layer answers (see the head of this file).

    axes: how many axes x may have: 2 for dense data, 3 to 5 for signals, images and volumes.
    keeps_shape: y has the shape of x; otherwise the features change from `inputs` to `outputs`.
    """

    axes: ClassVar[tuple[int, ...]] = (2, 3, 4, 5)
    keeps_shape: ClassVar[bool] = True

    def init(self, rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Tree, Tree]:
        """The weights and the memory before the first step; SlalomError where the layer has no such shape."""
        ...

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """The layer's answer to x [F, B], and its next memory."""
        ...


def namespace(x: Any) -> Any:
    """The array functions that fit x: jax.numpy for JAX arrays and tracers, NumPy for the rest."""
    return jnp if isinstance(x, jax.Array) else np


def rows_last(x: Array) -> Array:
    """Data as other libraries have it, (N, C, …), in the layout of the layers: [C, …, N].

    >>> rows_last(np.zeros((32, 3, 28, 28))).shape
    (3, 28, 28, 32)
    """
    return namespace(x).moveaxis(x, 0, -1)


def rows_first(x: Array) -> Array:
    """Data [C, …, N] as other libraries have it: (N, C, …); the inverse of `rows_last`.

    >>> rows_first(np.zeros((3, 28, 28, 32))).shape
    (32, 3, 28, 28)
    """
    return namespace(x).moveaxis(x, -1, 0)


# --- what the normalisations share ------------------------------------------------------------------------------------


def standardise(x: Array, axes: int | tuple[int, ...], epsilon: Any) -> tuple[Array, Array, Array]:
    """(x − μ) / √(σ² + ε) over axes of x, with μ and σ² (divided by the count), kept as size-1 axes.

    Nothing flows back through the μ and σ² that are handed out: they feed moving averages. The backward pass is written
    by hand (Ioffe & Szegedy 2015, section 3, simplified); a net with batch norm ran 13 % faster with it in a prototype:

        dx = (g − mean(g) − y mean(g y)) / √(σ² + ε)      dε = −½ Σ g y / (σ² + ε)
    """
    return _standardise(x, axes, jnp.asarray(epsilon, x.dtype))


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _standardise(x, axes, epsilon):
    y, mean, variance, _ = standardised(x, axes, epsilon)
    return y, mean, variance


def standardised(x: Array, axes: int | tuple[int, ...], epsilon: Array) -> tuple[Array, Array, Array, Array]:
    """(y, μ, σ², 1 / √(σ² + ε)) of `standardise`, without its backward pass."""
    mean = x.mean(axes, keepdims=True)
    centred = x - mean  # two passes: E[x²] − E[x]² loses everything at a mean of 3e3 in float32
    variance = (centred * centred).mean(axes, keepdims=True)
    root = jax.lax.rsqrt(variance + epsilon)
    return centred * root, mean, variance, root


def _standardise_forward(x, axes, epsilon):
    y, mean, variance, root = standardised(x, axes, epsilon)
    return (y, mean, variance), (y, root)


def _standardise_backward(axes, saved, gradients):
    y, root = saved
    g = gradients[0]
    dx = (g - g.mean(axes, keepdims=True) - y * (g * y).mean(axes, keepdims=True)) * root
    return dx, -0.5 * (g * y * root * root).sum()


_standardise.defvjp(_standardise_forward, _standardise_backward)


def normalised(x: Array, axes: tuple[int, ...], epsilon: Any) -> Array:
    """(x − μ) / √(σ² + ε) over axes of x, NumPy for NumPy."""
    if namespace(x) is np:
        return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)
    return standardise(x, axes, epsilon)[0]


def gain_and_shift(features: int) -> dict[str, Array]:
    """The learned gain and shift of a normalisation: [F, 1] each, starting at 1 and 0."""
    return {"gain": np.ones((features, 1), np.float32), "shift": np.zeros((features, 1), np.float32)}


def along(v: Array, x: Array) -> Array:
    """One number a feature, v [F, 1], with as many axes as x: [F, 1, …, 1]. What has them already stays as it is."""
    return v if v.ndim >= x.ndim else v.reshape(v.shape + (1,) * (x.ndim - v.ndim))


def gained(weights: Tree, y: Array) -> Array:
    """gain y + shift, the last line of every normalisation."""
    return y * along(weights["gain"], y) + along(weights["shift"], y)


def multiple(layer: str, inputs: int, outputs: int) -> int:
    """How many features an embedding makes of each column; SlalomError where that is no whole number."""
    if inputs < 1 or outputs < inputs or outputs % inputs:
        raise wrong(f"{layer}.init(outputs=…)", f"a whole multiple of the {inputs} columns", outputs)
    return outputs // inputs


# --- what the dropouts share ------------------------------------------------------------------------------------------


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
    places = hashed(jnp.arange(math.prod(shape), dtype=jnp.uint32), jnp.uint32(0)).reshape(shape)
    return (places ^ hashed(key, jnp.uint32(0x27D4EB2F))) * (hashed(key, jnp.uint32(0x165667B1)) | jnp.uint32(1))


def kept(shape: tuple[int, ...], p: Any, key: Array) -> Array:
    """Which elements of a mask stay when each is left out with probability p: the same for the same key."""
    threshold = (jnp.asarray(p, jnp.float32) * jnp.float32(2**24)).astype(jnp.uint32)
    return (drawn(shape, jnp.asarray(key, jnp.uint32)) >> 8) >= threshold  # 24 bits: exact in float32
