"""Step: the rate falls by a factor every so many steps, and is constant in between."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, in_steps, namespace
from slalom.types import Array, Setting


@record
class Step(Schedule):
    """Step decay.

        factor^⌊t / k⌋

    every: k, a fraction of the horizon below 1, steps otherwise; the step number k (counted from 0) is the first with
    the lower rate, as in PyTorch, Optax and Keras. factor: what every fall multiplies the rate by (PyTorch's gamma).
    After the horizon it goes on in the same way.

    >>> [float(Step(every=2, factor=0.5)(t, 6)) for t in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """

    every: Setting = setting(0.25, "(0, inf)", "the time between two falls", length=True)
    factor: Setting = setting(0.5, "(0, 1]", "what every fall multiplies the rate by")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        falls = xp.asarray(step, dtype=float) // in_steps(self.every, horizon)
        return self.factor**falls
