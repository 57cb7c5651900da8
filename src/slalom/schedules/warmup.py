"""Warm-up: a straight climb to the full rate, in front of any schedule."""

from slalom.errors import wrong
from slalom.record import record, setting
from slalom.schedules.base import Listener, Schedule, in_steps, namespace, plateau_of
from slalom.types import Array, Setting


@record
class Warmup(Schedule):
    """Linear warm-up, then a schedule over the steps that are left.

        t < w:  (t + 1) / w
        t ≥ w:  schedule(t − w, T − w)

    schedule: any schedule, or a function of (step, horizon). length: w, a fraction of the horizon T below 1, steps
    otherwise; of a broken number of steps the whole ones, 0 for none. The first step is not lost to a rate of 0, and
    step w has the schedule's own first rate, as step w − 1 has. A horizon within the warm-up (T ≤ w) is all climb, and
    ends below the full rate where T < w. A Plateau in it counts the steps of the warm-up too.

    >>> from slalom.schedules import Cosine
    >>> [round(float(Warmup(Cosine(), 2)(t, 6)), 4) for t in range(7)]
    [0.5, 1.0, 1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    schedule: Schedule
    length: Setting = setting(0.05, "[0, inf)", "the time until the rate is the full one", length=True)

    def agree(self) -> None:
        """Refuse what is neither a schedule nor a function of (step, horizon)."""
        if isinstance(self.schedule, type) or not callable(self.schedule):
            raise wrong("Warmup(schedule=…)", "a schedule or a function", self.schedule, "As in Warmup(Cosine(), 10).")

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        w = int(in_steps(self.length, horizon))
        t = xp.asarray(step)
        after = self.schedule(xp.maximum(t - w, 0), max(horizon - w, 0))
        return xp.where(t < w, (t + 1) / max(w, 1), after)

    def plateau(self) -> Listener | None:
        return plateau_of(self.schedule)
