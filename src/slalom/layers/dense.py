"""Dense: every output is a weighted sum of all inputs."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from slalom.layers.base import Layer, namespace
from slalom.record import record
from slalom.types import Array, Tree


@jax.custom_vjp
def product(w: Array, x: Array) -> Array:
    """W x, with the backward pass that measured fastest: dW = g xᵀ, dx = Wᵀ g."""
    return w @ x


def _forward(w, x):
    return product(w, x), (w, x)


def _backward(saved, g):
    w, x = saved
    # The barrier materialises the transpose: a product with a transposed left operand runs at 60 % of the speed.
    return g @ x.T, jax.lax.optimization_barrier(w.T) @ g


product.defvjp(_forward, _backward)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def product_behind(w: Array, x: Array, passed: int) -> Array:
    """W x that passes a gradient on to the first features of x alone, so many; the others are data, and get 0."""
    return w @ x


def _forward_behind(w, x, passed):
    return w @ x, (w, x)


def _backward_behind(passed, saved, g):
    w, x = saved
    dx = jax.lax.optimization_barrier(w[..., :passed].T) @ g
    return g @ x.T, jnp.concatenate([dx, jnp.zeros((x.shape[0] - passed, x.shape[1]), g.dtype)])


product_behind.defvjp(_forward_behind, _backward_behind)


@record
class Dense(Layer):
    """The fully connected layer.

        y = W x + b        dW = g xᵀ    db = Σ g    dx = Wᵀ g

    x [in, B], W [out, in], b [out, 1], y [out, B]; g is the gradient with respect to y. Starts with
    W ~ N(0, gain² / in) and b = 0: gain √2 before a rectifier (He et al. 2015, https://arxiv.org/abs/1502.01852),
    1 otherwise (LeCun 1998).

    >>> weights, _ = Dense().init(np.random.default_rng(0), 2, 1)
    >>> y, _ = Dense().apply(weights, (), np.eye(2, dtype=np.float32), training=False, key=0)
    >>> bool((y == weights["w"]).all())
    True
    """

    axes: ClassVar[tuple[int, ...]] = (2,)
    keeps_shape: ClassVar[bool] = False

    def init(
        self,
        rng: np.random.Generator,
        inputs: int,
        outputs: int,
        gain: float = 1.0,
        draw: Callable[[np.random.Generator, int, int, float], Array] | None = None,
    ) -> tuple[Tree, Tree]:
        """W [out, in] and b [out, 1], float32; no memory. draw: an initialiser for W instead."""
        if draw:
            w = draw(rng, inputs, outputs, gain)
        else:
            w = (rng.standard_normal((outputs, inputs)) * gain / np.sqrt(max(inputs, 1))).astype(np.float32)
        return {"w": w, "b": np.zeros((outputs, 1), np.float32)}, ()

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """y = W x + b."""
        del training, key
        if namespace(x) is np:
            return weights["w"] @ x + weights["b"], memory
        return product(weights["w"], x) + weights["b"], memory
