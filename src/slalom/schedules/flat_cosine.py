"""Flat cosine: the full rate for a while, then half a cosine wave down to a floor."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, clipped, in_steps, namespace
from slalom.types import Array, Setting


@record
class FlatCosine(Schedule):
    """The flat_cos schedule (Holzmüller et al. 2024, https://arxiv.org/abs/2407.04491, section 3).

        t ≤ s:      1
        s < t < T:  floor + (1 − floor) (1 + cos(π (t − s) / (T − s))) / 2
        t ≥ T:      floor

    T: the horizon. start: s, when the fall begins, a fraction of the horizon below 1, steps otherwise; half the horizon
    is the authors' choice. From s at the horizon or after it, the rate is the full one until s, and there is no wave.
    floor: the factor at the end.

    >>> [round(float(FlatCosine()(t, 8)), 4) for t in (0, 4, 5, 6, 7, 8, 9)]
    [1.0, 1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """

    start: Setting = setting(0.5, "[0, inf)", "when the fall begins", length=True)
    floor: Setting = setting(0.0, "[0, 1]", "the factor at the end")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        s = in_steps(self.start, horizon)
        done = clipped(step, s, max(horizon - s, 1e-9))
        return self.floor + (1 - self.floor) * (1 + xp.cos(xp.pi * done)) / 2
