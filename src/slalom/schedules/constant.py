"""Constant: the full rate from the first step to the last."""

from slalom.record import record
from slalom.schedules.base import Schedule, namespace
from slalom.types import Array


@record
class Constant(Schedule):
    """No schedule at all.

        1

    It has no settings, and goes on after the horizon.

    >>> [float(Constant()(t, 2)) for t in (0, 1, 2, 3)]
    [1.0, 1.0, 1.0, 1.0]
    """

    def __call__(self, step: Array, horizon: int) -> Array:
        del horizon
        xp = namespace(step)
        return xp.ones(xp.shape(step))
