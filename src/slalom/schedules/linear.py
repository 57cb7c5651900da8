"""Linear: a straight line from one factor to another."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, clipped
from slalom.types import Array, Setting


@record
class Linear(Schedule):
    """A straight line.

        t < T:  start + (end − start) t / T
        t ≥ T:  end

    T: the horizon. start: the factor of the first step. end: the factor at the horizon and after it. PyTorch's LinearLR
    rises from 1/3 to 1 unless told otherwise; Optax's linear_schedule has the two as values of the rate.

    >>> [float(Linear(start=1, end=0.5)(t, 4)) for t in range(6)]
    [1.0, 0.875, 0.75, 0.625, 0.5, 0.5]
    """

    start: Setting = setting(1.0, "[0, 1]", "the factor of the first step")
    end: Setting = setting(0.0, "[0, 1]", "the factor at the horizon")

    def __call__(self, step: Array, horizon: int) -> Array:
        return self.start + (self.end - self.start) * clipped(step, 0, max(horizon, 1))
