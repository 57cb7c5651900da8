"""Cosine: half a cosine wave from the full rate down to a floor."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, namespace
from slalom.types import Array, Setting


@record
class Cosine(Schedule):
    """Cosine decay without restarts (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, eq. 5).

        t < T:  floor + (1 − floor) (1 + cos(π t / T)) / 2
        t ≥ T:  floor

    T: the horizon. After its end the rate stays at the floor, as in Optax and Keras (PyTorch's rises again).

    >>> [round(float(Cosine()(t, 4)), 4) for t in (0, 1, 2, 3, 4, 5)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """

    floor: Setting = setting(0.0, "[0, 1]", "the factor at the end")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        done = xp.minimum(xp.asarray(step) / max(horizon, 1), 1.0)
        return self.floor + (1 - self.floor) * (1 + xp.cos(xp.pi * done)) / 2
