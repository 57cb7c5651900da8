"""Plateau: the rate falls when the cost has not improved for a while."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from slalom.record import record, setting
from slalom.schedules.base import Listener, Schedule, in_steps, namespace
from slalom.types import Array, Setting


class PlateauMemory(NamedTuple):
    """What a plateau remembers: three numbers of the host.

    factor: the factor on the learning rate from now on. best: the lowest cost so far, infinity before the first.
    since: the step from which it has waited for an improvement; it lies ahead while it cools down.
    """

    factor: float
    best: float
    since: float


@record
class Plateau(Schedule):
    """Reduce on plateau, as PyTorch's ReduceLROnPlateau, but right for negative costs too.

        best − cost > threshold |best|:  best ← cost;  since ← max(since, t)
        t − since > patience:            factor ← max(factor · fall, floor);  since ← t + cooldown

    t: the updates done when the cost was found. Less is better: hand in the negative of a score. The first finite cost
    always improves; one that is NaN or infinite never does.
    patience: the time without improvement after which the rate falls, at the first cost that comes later than that.
    cooldown: the time after a fall before the waiting begins again. Both are fractions of the horizon below 1, steps
    otherwise. threshold: by which share of |best| a cost must be better, 0 for any improvement. fall: what a fall
    multiplies the rate by (PyTorch's factor). floor: the factor does not go below it.

    Called as a schedule it is constant, 1: the rest is a state machine of the host. Whoever runs the training moves it
    with `start` and `observe`, and multiplies the rate by its memory's factor. With one cost in each unit of time the
    factors are PyTorch's for positive costs; on negative ones PyTorch and Optax take every cost, even the same one
    again, for an improvement and never reduce. Keras and Optax reduce one cost earlier (at ≥ patience), and each has
    another cool-down.

    >>> Plateau(patience=2, fall=0.1).over([1.0] * 7).round(4).tolist()
    [1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.01]
    """

    fall: Setting = setting(0.5, "(0, 1)", "what a fall multiplies the rate by")
    patience: Setting = setting(0.1, "[0, inf)", "the time without improvement after which the rate falls", length=True)
    threshold: Setting = setting(1e-4, "[0, inf)", "the share of |best| by which a cost must be better")
    cooldown: Setting = setting(0.0, "[0, inf)", "the time after a fall before the waiting begins again", length=True)
    floor: Setting = setting(0.0, "[0, 1]", "the lowest factor")

    def __call__(self, step: Array, horizon: int) -> Array:
        del horizon
        xp = namespace(step)
        return xp.ones(xp.shape(step))

    def plateau(self) -> Listener:
        return self

    def start(self) -> PlateauMemory:
        """The memory before the first cost."""
        return PlateauMemory(factor=1.0, best=math.inf, since=0.0)

    def observe(self, memory: PlateauMemory, step: float, cost: float, horizon: int) -> PlateauMemory:
        """The memory after the cost that was found when `step` of `horizon` updates were done.

        >>> patient = Plateau(patience=0.25, fall=0.1)
        >>> memory = patient.observe(patient.start(), step=100, cost=-0.8, horizon=1000)
        >>> patient.observe(memory, step=400, cost=-0.8, horizon=1000)
        PlateauMemory(factor=0.1, best=-0.8, since=400.0)
        """
        t, (factor, best, since) = float(step), memory
        first = math.isinf(best)
        if math.isfinite(cost) and (first or best - cost > self.threshold * abs(best)):
            best, since = float(cost), max(since, t)
        if t - since > in_steps(self.patience, horizon):
            factor, since = max(factor * self.fall, self.floor), t + in_steps(self.cooldown, horizon)
        return PlateauMemory(factor, best, since)

    def over(self, costs: Iterable[float]) -> Array:
        """The factor after each cost of a row, one cost in each unit of time; their number is the horizon.

        >>> Plateau(patience=1, fall=0.5).over([-1, -2, -2, -2, -3]).tolist()
        [1.0, 1.0, 1.0, 0.5, 0.5]
        """
        row = [float(cost) for cost in costs]
        memory, factors = self.start(), np.ones(len(row))
        for i, cost in enumerate(row):
            memory = self.observe(memory, i + 1, cost, len(row))
            factors[i] = memory.factor
        return factors
