"""Polynomial: a power of the time that is left, from the full rate down to a floor."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, clipped
from slalom.types import Array, Setting


@record
class Polynomial(Schedule):
    """Polynomial decay, the "poly" policy (Liu et al. 2015, https://arxiv.org/abs/1506.04579).

        t < T:  floor + (1 − floor) (1 − t / T)^power
        t ≥ T:  floor

    T: the horizon. power: 1 for a straight line, above 1 for a fall that flattens. floor: the factor at the end and
    after it. PyTorch, Optax and Keras are the same; Keras's `cycle`, which begins again after the end, is not here.

    >>> [round(float(Polynomial(power=2)(t, 5)), 4) for t in range(7)]
    [1.0, 0.64, 0.36, 0.16, 0.04, 0.0, 0.0]
    """

    power: Setting = setting(2.0, "(0, inf)", "the power of the time that is left")
    floor: Setting = setting(0.0, "[0, 1]", "the factor at the end")

    def __call__(self, step: Array, horizon: int) -> Array:
        left = 1 - clipped(step, 0, max(horizon, 1))
        return self.floor + (1 - self.floor) * left**self.power
