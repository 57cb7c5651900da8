"""Batch normalisation: every feature to mean 0 and variance 1 over the batch."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slalom.layers.base import Layer, along, gain_and_shift, gained, namespace, standardised
from slalom.record import record, setting
from slalom.types import Array, Setting, Tree


class BatchNormMemory(NamedTuple):
    mean: Array  # [F, 1] moving sum of batch means
    variance: Array  # [F, 1] moving sum of batch variances
    weight: Array  # [1] moving sum of ones: mean / weight is free of the start's bias


@jax.custom_vjp
def _trained(x, gain, shift, epsilon):
    return _forward(x, gain, shift, epsilon)[0]


def _forward(x, gain, shift, epsilon):
    y, mean, variance, root = standardised(x, tuple(range(1, x.ndim)), epsilon)
    return (y * gain + shift, mean, variance), (y, gain, root)


def _backward(saved, gradients):
    y, gain, root = saved
    g, axes = gradients[0], tuple(range(1, y.ndim))
    dgain, dshift = (g * y).sum(axes, keepdims=True), g.sum(axes, keepdims=True)
    n = y.size // y.shape[0]
    dx = gain * root * (g - dshift / n - y * (dgain / n))
    return dx, dgain, dshift, -0.5 * (gain * root * root * dgain).sum()


_trained.defvjp(_forward, _backward)


@record
class BatchNorm(Layer):
    """Batch normalisation (Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167, Algorithm 1 and section 3.2).

        training:   μ, σ² of this batch (σ² divides by n);  memory ← (1 − ρ) memory + ρ (μ, σ², 1)
        otherwise:  μ, σ² = memory / weight
        y = gain (x − μ) / √(σ² + ε) + shift

    x [F, B], or [C, …, N] with one μ and σ² a channel, over its n = N H W pixels (N D H W in a volume): `rows_last`
    makes that of (N, C, …). A batch of one row of dense data gives y = shift in training (PyTorch refuses it).
    The moving averages start at 0 and are divided by the weight they have gathered, so that an early score is taken
    with fair statistics. Others start at mean 0 and variance 1 and do not divide: after k batches PyTorch has the mean
    Σ and the variance (1 − ρ)ᵏ + Σ n / (n − 1), Keras and Flax have Σ and (1 − ρ)ᵏ + Σ, with Σ for the memory here
    before its division; at ρ = 0.01 that is still 37 % start after 100 steps. PyTorch's moving variance divides by
    n − 1, all others (and its own in training) by n. Defaults: PyTorch ρ = 0.1, ε = 1e-5; Keras 0.01, 1e-3; Flax 0.01,
    1e-5.

    rho: [] weight of the newest batch: PyTorch's momentum, Keras's and Flax's 1 − momentum. epsilon: [] added to the
    variance, inside the root.

    The backward pass is written by hand (the paper's section 3, simplified): the sums over the batch that gain and
    shift need are those that x needs. Nothing flows back through the moving averages.

        dgain = Σ g y    dshift = Σ g    dx = gain / √(σ² + ε) (g − dshift / n − y dgain / n)

    >>> layer = BatchNorm()
    >>> weights, memory = layer.init(np.random.default_rng(0), 1, 1)
    >>> y, memory = layer.apply(weights, memory, jnp.array([[1.0, 1.3]]), training=True, key=0)
    >>> [round(float(v), 4) for v in y[0]]
    [-0.9998, 0.9998]
    """

    rho: Setting = setting(0.1, "(0, 1]", "weight of the newest batch in the moving averages")
    epsilon: Setting = setting(1e-5, "(0, inf)", "added to the variance")

    def init(self, rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Tree, Tree]:
        """Gain 1 and shift 0 [F, 1]; an empty memory."""
        del rng, inputs
        zeros = np.zeros((outputs, 1), np.float32)
        return gain_and_shift(outputs), BatchNormMemory(zeros, zeros.copy(), np.zeros(1, np.float32))

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """See the formula of the class."""
        del key
        kept = BatchNormMemory(*memory)
        if training:
            gain, shift = along(weights["gain"], x), along(weights["shift"], x)
            y, mean, variance = _trained(x, gain, shift, jnp.asarray(self.epsilon, x.dtype))
            memory = BatchNormMemory(
                kept.mean + self.rho * (mean.reshape(-1, 1) - kept.mean),
                kept.variance + self.rho * (variance.reshape(-1, 1) - kept.variance),
                kept.weight + self.rho * (1 - kept.weight),
            )
        else:
            xp = namespace(x)
            weight = xp.maximum(kept.weight, 1e-12)  # never trained: 0 / 1e-12
            root = xp.sqrt(kept.variance / weight + self.epsilon)
            y = (x - along(kept.mean / weight, x)) / along(root, x)
            y = gained(weights, y)
        return y, memory
