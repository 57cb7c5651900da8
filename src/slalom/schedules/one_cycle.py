"""One cycle: a climb to the full rate and a longer fall far below where it began."""

from slalom.record import record, setting
from slalom.schedules.base import Schedule, clipped, in_steps, namespace
from slalom.types import Array, Setting


@record
class OneCycle(Schedule):
    """The 1cycle policy (Smith & Topin 2018, https://arxiv.org/abs/1708.07120), as PyTorch's OneCycleLR has it.

        first = 1 / divisor;  last = first / final_divisor;  between(a, b, u) = b + (a − b) (1 + cos(π u)) / 2
        t ≤ w − 1:      between(first, 1, t / (w − 1))
        w − 1 < t < T:  between(1, last, (t − (w − 1)) / (T − w))
        t ≥ T:          last

    The factor is relative to the highest rate (PyTorch's max_lr), which is at step w − 1; step T − 1, the last of the
    horizon T, has the lowest. rise: w, the time of the climb, a fraction of the horizon below 1 (PyTorch's pct_start),
    steps otherwise; up to one step there is no climb. divisor: the highest rate over the first (PyTorch's div_factor).
    final_divisor: the first rate over the last (PyTorch's final_div_factor). The momentum of the rule is not cycled
    here, as it is in PyTorch. Optax's cosine_onecycle_schedule has its top at step w and its end at step T.

    >>> [round(float(OneCycle(rise=0.4, divisor=5)(t, 10)), 4) for t in (0, 1, 2, 3, 6, 9, 10)]
    [0.2, 0.4, 0.8, 1.0, 0.5, 0.0, 0.0]
    """

    rise: Setting = setting(0.3, "(0, inf)", "the time of the climb", length=True)
    divisor: Setting = setting(25.0, "[1, inf)", "the highest rate over the first")
    final_divisor: Setting = setting(1e4, "[1, inf)", "the first rate over the last")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        top = max(in_steps(self.rise, horizon), 1.0) - 1  # the time of the highest rate
        first = 1 / self.divisor
        last = first / self.final_divisor
        up, down = clipped(step, 0, max(top, 1e-9)), clipped(step, top, max(horizon - 1 - top, 1e-9))
        climb = 1 + (first - 1) * (1 + xp.cos(xp.pi * up)) / 2
        fall = last + (1 - last) * (1 + xp.cos(xp.pi * down)) / 2
        return xp.where(xp.asarray(step) < top, climb, fall)
