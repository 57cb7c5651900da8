"""Warm-up, stable, decay: a short climb, the full rate for most of the time, a fall at the end."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, clipped, in_steps, namespace
from slalom.types import Array, Setting


@record
class WarmupStableDecay(Schedule):
    """WSD (Hu et al. 2024, https://arxiv.org/abs/2404.06395, section 4), falling as in Hägele et al. 2024
    (https://arxiv.org/abs/2405.18392, section 3).

        t < w:          (t + 1) / w
        w ≤ t ≤ T − c:  1
        T − c < t < T:  floor + (1 − floor) (1 − u^power),  u = 1 − (T − t) / c
        t ≥ T:          floor

    warmup: w, the time of the climb, of a broken number of steps the whole ones, 0 for none; with it a recipe needs no
    other warm-up. cooldown: c, the time of the fall, at most the horizon T. Both are fractions of the horizon below 1,
    steps otherwise; where they overlap, the lower factor holds. power: 1/2 for the fall 1 − √u, which Hägele et al.
    found best, 1 for a straight line, 2 for 1 − u². floor: the factor at the end. A cosine in the place of the fall is
    `Warmup(FlatCosine(start), length)`.

    >>> [round(float(WarmupStableDecay(warmup=2, cooldown=4)(t, 10)), 4) for t in range(12)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.2929, 0.134, 0.0, 0.0]
    """

    warmup: Setting = setting(0.05, "[0, inf)", "the time until the rate is the full one", length=True)
    cooldown: Setting = setting(0.2, "(0, inf)", "the time of the fall at the end", length=True)
    power: Setting = setting(0.5, "(0, inf)", "the power of the time in the fall")
    floor: Setting = setting(0.0, "[0, 1]", "the factor at the end")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        w = int(in_steps(self.warmup, horizon))
        c = min(in_steps(self.cooldown, horizon), max(horizon, 1))
        u = 1 - clipped(horizon - xp.asarray(step), 0, c)
        fall = self.floor + (1 - self.floor) * (1 - u**self.power)
        return xp.minimum(clipped(xp.asarray(step) + 1, 0, max(w, 1)), fall)
