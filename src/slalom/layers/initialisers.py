"""Initialisers: how a dense layer's weights are drawn before the first step, each a function of its shape."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from slalom.types import Array

Draw = Callable[[np.random.Generator, int, int, float], Array]


class Initialiser(NamedTuple):
    """A draw (rng, inputs, outputs, gain) -> W [out, in] float32, its formula, and its source.

    scaled: a net hands it the gain of the activation behind it, because its own formula knows of none; all others are
    drawn at gain 1, exactly as they are named.
    """

    of: Draw
    formula: str
    source: str
    scaled: bool = False


def _normal(rng: np.random.Generator, inputs: int, outputs: int, fan: float, gain: float) -> Array:
    """W ~ N(0, gain² / fan)."""
    return (rng.standard_normal((outputs, inputs)) * gain / np.sqrt(max(fan, 1))).astype(np.float32)


def _uniform(rng: np.random.Generator, inputs: int, outputs: int, fan: float, gain: float) -> Array:
    """W ~ U(−a, a), a = gain √(3 / fan): the same variance gain² / fan."""
    bound = gain * np.sqrt(3 / max(fan, 1))
    return rng.uniform(-bound, bound, (outputs, inputs)).astype(np.float32)


def lecun_normal(rng: np.random.Generator, inputs: int, outputs: int, gain: float = 1.0) -> Array:
    """W ~ N(0, gain² / in): a sum of `in` terms keeps its variance. A plain normal; Keras and JAX cut it at 2 σ."""
    return _normal(rng, inputs, outputs, inputs, gain)


def lecun_uniform(rng: np.random.Generator, inputs: int, outputs: int, gain: float = 1.0) -> Array:
    """W ~ U(−a, a), a = gain √(3 / in)."""
    return _uniform(rng, inputs, outputs, inputs, gain)


def he_normal(rng: np.random.Generator, inputs: int, outputs: int, gain: float = 1.0) -> Array:
    """W ~ N(0, 2 gain² / in): a rectifier halves the mean square. PyTorch's kaiming_normal_ has the √2 as its gain."""
    return _normal(rng, inputs, outputs, inputs / 2, gain)


def he_uniform(rng: np.random.Generator, inputs: int, outputs: int, gain: float = 1.0) -> Array:
    """W ~ U(−a, a), a = gain √(6 / in)."""
    return _uniform(rng, inputs, outputs, inputs / 2, gain)


def glorot_normal(rng: np.random.Generator, inputs: int, outputs: int, gain: float = 1.0) -> Array:
    """W ~ N(0, 2 gain² / (in + out)): a compromise of what signals and gradients need."""
    return _normal(rng, inputs, outputs, (inputs + outputs) / 2, gain)


def glorot_uniform(rng: np.random.Generator, inputs: int, outputs: int, gain: float = 1.0) -> Array:
    """W ~ U(−a, a), a = gain √(6 / (in + out)): Keras's default."""
    return _uniform(rng, inputs, outputs, (inputs + outputs) / 2, gain)


def orthogonal(rng: np.random.Generator, inputs: int, outputs: int, gain: float = 1.0) -> Array:
    """W = gain Q, Q uniform among the matrices with orthonormal rows (columns, where out > in).

    Of a normal matrix A = Q R, with the signs of R's diagonal moved into Q, without which Q would not be uniform
    (Mezzadri 2007, https://arxiv.org/abs/math-ph/0609050, section 5).

    >>> w = orthogonal(np.random.default_rng(0), 3, 2)
    >>> bool(np.allclose(w @ w.T, np.eye(2), atol=1e-6))
    True
    """
    q, r = np.linalg.qr(rng.standard_normal((max(inputs, outputs), min(inputs, outputs))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return (gain * (q if outputs >= inputs else q.T)).astype(np.float32)


LECUN = "LeCun et al. 1998, Efficient BackProp, section 4.6"
GLOROT = "Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html, eq. 12 and 16"
HE = "He et al. 2015, https://arxiv.org/abs/1502.01852, eq. 10"
SAXE = "Saxe, McClelland & Ganguli 2014, https://arxiv.org/abs/1312.6120, section 3"

INITIALISERS: dict[str, Initialiser] = {
    "auto": Initialiser(lecun_normal, "N(0, gain² / in) with the activation's gain", HE, scaled=True),
    "he_normal": Initialiser(he_normal, "N(0, 2 / in)", HE),
    "he_uniform": Initialiser(he_uniform, "U(−a, a), a = √(6 / in)", HE),
    "glorot_normal": Initialiser(glorot_normal, "N(0, 2 / (in + out))", GLOROT),
    "glorot_uniform": Initialiser(glorot_uniform, "U(−a, a), a = √(6 / (in + out))", GLOROT),
    "lecun_normal": Initialiser(lecun_normal, "N(0, 1 / in)", LECUN),
    "lecun_uniform": Initialiser(lecun_uniform, "U(−a, a), a = √(3 / in)", LECUN),
    "orthogonal": Initialiser(orthogonal, "gain Q, Q Qᵀ = 1 or Qᵀ Q = 1", SAXE, scaled=True),
}
