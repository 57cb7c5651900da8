"""Piecewise constant: a table of factors and of the steps at which the next one holds."""

import numpy as np

from slalom.errors import wrong
from slalom.record import numbers, record
from slalom.schedules.base import Schedule, in_steps, namespace
from slalom.types import Array


@record
class PiecewiseConstant(Schedule):
    """A constant factor between each two boundaries, as in Keras's PiecewiseConstantDecay.

        t < b₁:         f₀
        bᵢ ≤ t < bᵢ₊₁:  fᵢ
        t ≥ bₙ:         fₙ

    boundaries: b₁ < b₂ < … < bₙ, all of them fractions of the horizon (below 1) or all of them steps. Step number bᵢ
    (counted from 0) is the first of its piece, as in Optax; in Keras it is the last of the piece before.
    factors: f₀ … fₙ, one more than there are boundaries, each on the learning rate itself as in Keras (Optax's scales
    multiply each other). After the horizon the last one holds.

    >>> [float(PiecewiseConstant(boundaries=(2, 3), factors=(0.5, 1, 0.1))(t, 5)) for t in range(5)]
    [0.5, 0.5, 1.0, 0.1, 0.1]
    """

    boundaries: tuple[float, ...] = numbers(
        (0.5, 0.75), "(0, inf)", "when the next factor begins", increasing=True, length=True
    )
    factors: tuple[float, ...] = numbers((1.0, 0.1, 0.01), "[0, 1]", "the factors, one more than the boundaries")

    def agree(self) -> None:
        """Raise SlalomError unless there is one factor more than there are boundaries."""
        if len(self.factors) != len(self.boundaries) + 1:
            wanted = f"{len(self.boundaries) + 1} numbers, one more than the boundaries"
            raise wrong("PiecewiseConstant(factors=…)", wanted, self.factors)

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        b = np.array([in_steps(boundary, horizon) for boundary in self.boundaries])
        piece = xp.searchsorted(xp.asarray(b), xp.asarray(step, dtype=float), side="right")
        return xp.asarray(self.factors, dtype=float)[piece]
