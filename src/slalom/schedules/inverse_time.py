"""Inverse time: the rate falls as one over the time."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, in_steps, namespace
from slalom.types import Array, Setting


@record
class InverseTime(Schedule):
    """Inverse time decay (Robbins & Monro 1951, https://doi.org/10.1214/aoms/1177729586), as in Keras.

        1 / (1 + growth t / k)

    every: k, the time in which the denominator grows by growth (Keras's decay_steps), a fraction of the horizon below
    1, steps otherwise. growth: by how much it grows in that time (Keras's decay_rate). With the default settings the
    rate is a half after a tenth of the horizon and an eleventh at the end. After the horizon it goes on in the same
    way. Keras's staircase is the same by epoch: `ByEpoch(InverseTime(every=1), epochs)`.

    >>> [round(float(InverseTime(every=3, growth=1)(t, 9)), 4) for t in range(5)]
    [1.0, 0.75, 0.6, 0.5, 0.4286]
    """

    every: Setting = setting(0.1, "(0, inf)", "the time in which the denominator grows", length=True)
    growth: Setting = setting(1.0, "[0, inf)", "by how much the denominator grows in that time")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        return 1 / (1 + self.growth * (xp.asarray(step, dtype=float) / in_steps(self.every, horizon)))
