"""Activations: the functions between the layers, each with the gain that keeps a signal's size at the start."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.special

from slalom.layers.base import namespace
from slalom.types import Array


class Activation(NamedTuple):
    """A function of one array, the same for NumPy and JAX arrays, and the gain of the weights in front of it."""

    of: Callable[[Array], Array]
    gain: float
    formula: str


def _relu(x: Array) -> Array:
    return namespace(x).maximum(x, 0)


def _sigmoid(x: Array) -> Array:
    return jax.nn.sigmoid(x) if isinstance(x, jax.Array) else scipy.special.expit(x)


def _silu(x: Array) -> Array:
    return x * _sigmoid(x)


def _tanh(x: Array) -> Array:
    return namespace(x).tanh(x)


def _gelu(x: Array) -> Array:
    if isinstance(x, jax.Array):
        return jax.nn.gelu(x, approximate=False)
    x = np.asarray(x)
    return x * (x.dtype.type(0.5) * (1 + scipy.special.erf(x / x.dtype.type(np.sqrt(2)))))


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _selu(x: Array) -> Array:
    xp: Any = namespace(x)
    return SELU_SCALE * xp.where(x > 0, x, SELU_ALPHA * xp.expm1(xp.minimum(x, 0)))


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(_relu, 2**0.5, "max(x, 0)"),
    "silu": Activation(_silu, 2**0.5, "x / (1 + e⁻ˣ)"),
    "gelu": Activation(_gelu, 2**0.5, "x Φ(x)"),
    "selu": Activation(_selu, 1.0, "1.0507 x for x > 0, 1.7581 (eˣ − 1) otherwise"),
    "tanh": Activation(_tanh, 1.0, "tanh x"),
    "sigmoid": Activation(_sigmoid, 1.0, "1 / (1 + e⁻ˣ)"),
}
