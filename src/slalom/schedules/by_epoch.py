"""By epoch: any schedule, moved once an epoch in place of once a step."""

import dataclasses

from slalom.errors import wrong
from slalom.record import record, setting, settings_of
from slalom.schedules.base import Listener, Schedule, namespace, plateau_of
from slalom.types import Array, Setting


@record
class ByEpoch(Schedule):
    """A schedule whose clock is the epoch.

        schedule(⌊t / n⌋, epochs),  n = T / epochs

    T: the horizon in steps; n steps are an epoch, a broken number too: an epoch begins with the first step at or after
    its time. schedule: any schedule, or a function of (step, horizon), which is asked for the number of the epoch,
    from 0. epochs: how many there are. Lengths of the schedule are epochs where they are not fractions. After the
    horizon the epochs go on. A warm-up by step stands outside, `Warmup(ByEpoch(…), 500)`, one by epoch inside.

    >>> from slalom.schedules import Exponential
    >>> [round(float(ByEpoch(Exponential(every=1, factor=0.95), 3)(t, 12)), 4) for t in (0, 3, 4, 8, 11)]
    [1.0, 1.0, 0.95, 0.9025, 0.9025]
    """

    schedule: Schedule
    epochs: Setting = setting(dataclasses.MISSING, "[1, inf)", "how many epochs the horizon has")  # type: ignore[arg-type]

    def agree(self) -> None:
        """Refuse what is neither a schedule nor a function of (step, horizon)."""
        if isinstance(self.schedule, type) or not callable(self.schedule):
            raise wrong(
                "ByEpoch(schedule=…)", "a schedule or a function", self.schedule, "As in ByEpoch(Cosine(), epochs=20)."
            )

    def __call__(self, step: Array, horizon: int) -> Array:
        xp = namespace(step)
        n = max(horizon, 1) / self.epochs
        # half the smallest distance that a step can have from an epoch's beginning: a broken n is rounded
        epoch = (xp.asarray(step, dtype=float) + 0.5 / self.epochs) // n
        return self.schedule(epoch, self.epochs)

    def plateau(self) -> Listener | None:
        """The plateau inside, with its lengths turned from epochs into fractions of the horizon."""
        inside = plateau_of(self.schedule)
        if inside is None:
            return None
        lengths = {name: getattr(inside, name) for name, about in settings_of(inside).items() if about["length"]}
        return dataclasses.replace(  # type: ignore[type-var]
            inside, **{name: min(k / self.epochs, 1 - 1e-12) for name, k in lengths.items() if k >= 1}
        )
