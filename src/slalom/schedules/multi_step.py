"""Multi-step: the rate falls by a factor at every milestone, and is constant in between."""

import numpy as np

from slalom.record import numbers, record, setting
from slalom.schedules.base import Schedule, in_steps, namespace
from slalom.types import Array, Setting


@record
class MultiStep(Schedule):
    """Falls at milestones, as in He et al. 2016 (https://arxiv.org/abs/1512.03385, section 4.2).

        t < m₁:         1
        mᵢ ≤ t < mᵢ₊₁:  factorⁱ
        t ≥ mₙ:         factorⁿ

    milestones: m₁ < m₂ < … < mₙ, all of them fractions of the horizon (below 1) or all of them steps; none at all for a
    constant rate. Step number mᵢ (counted from 0) is the first with the lower rate, as in PyTorch and Optax; Keras
    falls one step later, timm one earlier. factor: what every fall multiplies the rate by (PyTorch's gamma).
    After the horizon it goes on in the same way.

    >>> [float(MultiStep(milestones=(2, 5), factor=0.5)(t, 7)) for t in range(7)]
    [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]
    """

    milestones: tuple[float, ...] = numbers(
        (0.5, 0.75), "(0, inf)", "when the rate falls", increasing=True, length=True
    )
    factor: Setting = setting(0.1, "(0, 1]", "what every fall multiplies the rate by")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        m = np.array([in_steps(milestone, horizon) for milestone in self.milestones])
        falls = xp.searchsorted(xp.asarray(m), xp.asarray(step, dtype=float), side="right")
        return self.factor ** xp.asarray(falls, dtype=float)
