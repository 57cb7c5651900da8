"""Periodic embedding: every numeric column as itself and a few learned mixtures of waves."""

from typing import ClassVar

import numpy as np

from slalom.layers.base import Layer, multiple, namespace
from slalom.record import record, setting
from slalom.types import Array, Setting, Tree


@record
class Periodic(Layer):
    """Periodic embedding (Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556, section 3.3, in the form PBLD of
    RealMLP, Holzmüller et al. 2024, https://arxiv.org/abs/2407.04491).

        z = cos(2π f x + φ)        M = 16 waves of each column
        y = (x, W z + b)           k numbers of each column: itself and k − 1 mixtures

    x [D, B], y [D k, B]: the k numbers of column 0, then those of column 1, …; k = outputs / inputs. Every column has
    its own f, φ [D, M, 1], W [D, k − 1, M] and b [D, k − 1, 1], all of them learned. They start with f ~ N(0, σ²),
    φ ~ U(−π, π), W and b ~ U(−1/√M, 1/√M). Meant for scaled columns. A net sees a column's fine structure at once,
    where a dense layer must first build steps. Gorishniy's own form PLR has (sin, cos) instead of φ, a rectifier behind
    W and no x; in RealMLP's ablations it ends with 19 % more error in regression.

    sigma: [] σ of the first frequencies, in waves a unit of x: the one number that is worth tuning.

    >>> weights, _ = Periodic().init(np.random.default_rng(0), 2, 8)
    >>> x = np.array([[0.5], [-1.0]], np.float32)
    >>> y, _ = Periodic().apply(weights, (), x, training=False, key=0)
    >>> y.shape, y[0].tolist(), y[4].tolist()
    ((8, 1), [0.5], [-1.0])
    """

    axes: ClassVar[tuple[int, ...]] = (2,)
    keeps_shape: ClassVar[bool] = False
    waves: ClassVar[int] = 16  # M

    sigma: Setting = setting(0.1, "(0, inf)", "spread of the first frequencies")

    def init(self, rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Tree, Tree]:
        """frequency, phase [D, M, 1], w [D, k − 1, M], b [D, k − 1, 1], float32; no memory."""
        mixtures, bound = multiple("Periodic", inputs, outputs) - 1, self.waves**-0.5
        weights = {
            "frequency": self.sigma * rng.standard_normal((inputs, self.waves, 1)),
            "phase": rng.uniform(-np.pi, np.pi, (inputs, self.waves, 1)),
            "w": rng.uniform(-bound, bound, (inputs, mixtures, self.waves)),
            "b": rng.uniform(-bound, bound, (inputs, mixtures, 1)),
        }
        return {name: w.astype(np.float32) for name, w in weights.items()}, ()

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """See the formula of the class."""
        del training, key
        xp = namespace(x)
        z = xp.cos(2 * np.pi * weights["frequency"] * x[:, None] + weights["phase"])  # [D, M, B]
        y = xp.concatenate([x[:, None], weights["w"] @ z + weights["b"]], 1)  # [D, k, B]
        return y.reshape(-1, x.shape[1]), memory
