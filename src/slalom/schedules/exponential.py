"""Exponential: the rate falls by the same share in every step."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, in_steps, namespace
from slalom.types import Array, Setting


@record
class Exponential(Schedule):
    """Exponential decay.

        factor^(t / k)

    every: k, the time of one factor, a fraction of the horizon below 1, steps otherwise: 1 for a factor a step, the
    number of steps of an epoch for a factor an epoch. factor: what the rate is multiplied by in that time (PyTorch's
    gamma, Optax's decay_rate); with the default settings a tenth at half-time and a hundredth at the end.
    After the horizon it goes on in the same way.

    >>> [round(float(Exponential(every=1, factor=0.95)(t, 200)), 4) for t in (0, 1, 2, 50)]
    [1.0, 0.95, 0.9025, 0.0769]
    """

    every: Setting = setting(0.5, "(0, inf)", "the time in which the rate falls by the factor", length=True)
    factor: Setting = setting(0.1, "(0, 1]", "what the rate is multiplied by in that time")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        return self.factor ** (xp.asarray(step, dtype=float) / in_steps(self.every, horizon))
