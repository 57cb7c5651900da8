"""Cos-log: cosine waves that grow longer, each twice as fast as the next, down to 0 at the end."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, clipped, namespace
from slalom.types import Array, Setting


@record
class CosLog(Schedule):
    """The coslog schedule (Holzmüller et al. 2024, https://arxiv.org/abs/2407.04491, section 3).

        t < T:  (1 − cos(2π log₂(1 + (2^cycles − 1) t / T))) / 2
        t ≥ T:  that of t = T: 0 where cycles is a whole number

    T: the horizon. cycles: how many waves there are; every wave takes twice the time of the one before, and 4 is the
    authors' choice. The factor is 0 at the first step and between two waves, and 1 at the top of each.

    >>> [round(float(CosLog(cycles=2)(t, 12)), 4) for t in (0, 1, 2, 3, 4, 8, 12, 13)]
    [0.0, 0.7184, 0.9304, 0.3237, 0.0, 0.9304, 0.0, 0.0]
    """

    cycles: Setting = setting(4.0, "[1, 64]", "how many waves there are")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        time = clipped(step, 0, max(horizon, 1))
        return (1 - xp.cos(2 * xp.pi * xp.log2(1 + (2.0**self.cycles - 1) * time))) / 2
