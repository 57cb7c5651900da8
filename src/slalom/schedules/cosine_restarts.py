"""Cosine with restarts: half cosine waves, each a multiple of the one before in length."""

import numpy as np

from slalom.record import record, setting
from slalom.schedules.base import Schedule, in_steps, namespace
from slalom.types import Array, Setting


@record
class CosineRestarts(Schedule):
    """SGDR (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, eq. 5).

        cycle i = 0, 1, … begins at sᵢ = k (1 + m + … + mⁱ⁻¹) and is kᵢ = k mⁱ long
        sᵢ ≤ t < sᵢ + kᵢ:             floor + (1 − floor) (1 + cos(π (t − sᵢ) / kᵢ)) / 2
        after the last that begins before the horizon:  floor

    period: k, the length of the first cycle, a fraction of the horizon below 1, steps otherwise, at least one step.
    multiplier: m, what every cycle multiplies the length by (PyTorch's T_mult). floor: the factor at the end of a
    cycle. The step at which a cycle ends is the first of the next, with the full rate. A cycle that the horizon cuts
    short is not shrunk: choose k and m so that cycles fill the horizon, as a seventh and 2 do. PyTorch and Keras never
    stop restarting; Optax's sgdr_schedule ends with its last cycle, as this one does.

    >>> [round(float(CosineRestarts(period=3, multiplier=2)(t, 9)), 2) for t in range(11)]
    [1.0, 0.75, 0.25, 1.0, 0.93, 0.75, 0.5, 0.25, 0.07, 0.0, 0.0]
    """

    period: Setting = setting(1 / 7, "(0, inf)", "the length of the first cycle", length=True)
    multiplier: Setting = setting(2.0, "[1, inf)", "what every cycle multiplies the length by")
    floor: Setting = setting(0.0, "[0, 1]", "the factor at the end of a cycle")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        starts, lengths = (xp.asarray(column) for column in self.cycles(horizon))
        t = xp.asarray(step, dtype=float)
        i = xp.searchsorted(starts, t, side="right") - 1
        done = xp.clip((t - starts[i]) / lengths[i], 0.0, 1.0)
        return self.floor + (1 - self.floor) * (1 + xp.cos(xp.pi * done)) / 2

    def cycles(self, horizon: int) -> tuple[Array, Array]:
        """Where the cycles begin that begin before the horizon, and how long they are.

        >>> starts, lengths = CosineRestarts().cycles(70)
        >>> starts.tolist(), lengths.tolist()
        ([0.0, 10.0, 30.0], [10.0, 20.0, 40.0])
        """
        starts, lengths = [0.0], [max(in_steps(self.period, horizon), 1.0)]
        while starts[-1] + lengths[-1] < horizon * (
            1 - 1e-9
        ):  # rounded: three cycles of 1/7, 2/7, 4/7 are all there is
            starts.append(starts[-1] + lengths[-1])
            lengths.append(lengths[-1] * self.multiplier)
        return np.array(starts), np.array(lengths)
