"""Cyclic: the rate goes up and down along triangles."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, in_steps, namespace
from slalom.types import Array, Setting


@record
class Cyclic(Schedule):
    """The triangular policy (Smith 2017, https://arxiv.org/abs/1506.01186, section 3.1).

        x = t / k − i,  i = ⌊t / k⌋
        x ≤ peak:  floor + (1 − floor) decayⁱ x / peak
        x > peak:  floor + (1 − floor) decayⁱ (1 − x) / (1 − peak)

    The factor is relative to the highest rate (PyTorch's max_lr). period: k, the time of one triangle, a fraction of
    the horizon below 1, steps otherwise; PyTorch's step_size_up + step_size_down, twice the paper's stepsize.
    peak: where in the triangle its top is. floor: the lowest rate over the highest (base_lr over max_lr).
    decay: what every triangle multiplies the height by: 1 for the paper's triangular, 1/2 for its triangular2; its
    exp_range shrinks the height in every step instead, and is not here. After the horizon it goes on in the same way.

    >>> [round(float(Cyclic(period=4, floor=0.2, decay=0.5)(t, 9)), 4) for t in range(9)]
    [0.2, 0.6, 1.0, 0.6, 0.2, 0.4, 0.6, 0.4, 0.2]
    """

    period: Setting = setting(0.25, "(0, inf)", "the time of one triangle", length=True)
    peak: Setting = setting(0.5, "(0, 1)", "where in the triangle its top is")
    floor: Setting = setting(0.1, "[0, 1]", "the lowest rate over the highest")
    decay: Setting = setting(1.0, "(0, 1]", "what every triangle multiplies the height by")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        time = xp.asarray(step, dtype=float) / in_steps(self.period, horizon)
        i = xp.floor(time)
        x = time - i
        height = xp.minimum(x / self.peak, (1 - x) / (1 - self.peak))
        return self.floor + (1 - self.floor) * self.decay**i * height
