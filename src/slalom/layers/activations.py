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
    return jax.nn.relu(x) if isinstance(x, jax.Array) else np.maximum(x, 0)


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
LEAK = 0.01


def _selu(x: Array) -> Array:
    xp: Any = namespace(x)
    return SELU_SCALE * xp.where(x > 0, x, SELU_ALPHA * xp.expm1(xp.where(x > 0, 0, x)))


def _leaky_relu(x: Array) -> Array:
    return namespace(x).where(x > 0, x, LEAK * x)


def _elu(x: Array) -> Array:
    xp: Any = namespace(x)
    return xp.where(x > 0, x, xp.expm1(xp.where(x > 0, 0, x)))


def _softplus(x: Array) -> Array:
    return namespace(x).logaddexp(x, 0)


def _mish(x: Array) -> Array:
    return x * namespace(x).tanh(_softplus(x))


def _identity(x: Array) -> Array:
    return x


# With a gain marked E, the mean square of a standard normal signal stays exactly 1.
ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(_relu, 2**0.5, "max(x, 0)"),  # E
    "leaky_relu": Activation(_leaky_relu, (2 / (1 + LEAK**2)) ** 0.5, "x for x > 0, 0.01 x otherwise"),  # E
    "silu": Activation(_silu, 2**0.5, "x / (1 + e⁻ˣ)"),
    "gelu": Activation(_gelu, 2**0.5, "x Φ(x)"),
    "mish": Activation(_mish, 1.451491, "x tanh(log(1 + eˣ))"),  # E
    "elu": Activation(_elu, 1.277960, "x for x > 0, eˣ − 1 otherwise"),  # E
    "selu": Activation(_selu, 1.0, "1.0507 x for x > 0, 1.7581 (eˣ − 1) otherwise"),  # E
    "softplus": Activation(_softplus, 1.083122, "log(1 + eˣ)"),  # E
    "tanh": Activation(_tanh, 1.0, "tanh x"),
    "sigmoid": Activation(_sigmoid, 1.0, "1 / (1 + e⁻ˣ)"),
    "identity": Activation(_identity, 1.0, "x"),  # E
}
