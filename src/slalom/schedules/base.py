"""The contract of a learning-rate schedule, written once.

A schedule is a record that is called with the step and the horizon and answers with a factor:

    rate at step t = learning_rate × schedule(t, horizon)

step: how many updates were done before this one; the first is 0. horizon: how many updates the training has in all.
Both are explicit; a schedule owns no clock. `step` may be a number, a NumPy array (one float64 answer an element:
this is how a race calls it) or a JAX array (then it may be traced, and Optax takes
`lambda t: rate * schedule(t, horizon)`).
A setting that is a length of time is a fraction of the horizon where it is below 1 and a number of steps otherwise.
Settings and the horizon are numbers of the host. The factor lies in [0, 1], also after the horizon (a Custom function
alone may answer more).
One schedule, Plateau, also listens: it is told costs on the host, and keeps what it heard in a memory. Whoever runs a
training asks `plateau_of(schedule)` whether there is one, wrapped or not.
"""

from typing import Any, Protocol

import numpy as np

from slalom.record import in_steps as in_steps  # of the floor below: lengths of time in rules are turned likewise
from slalom.types import Array


class Schedule(Protocol):
    """What every schedule answers (see the head of this file)."""

    def __call__(self, step: Array, horizon: int) -> Array:
        """The factor on the learning rate at `step` of `horizon`."""
        ...

    def plateau(self) -> "Listener | None":
        """The part of the schedule that wants to be told costs, or None."""
        return None


class Memory(Protocol):
    """What a listening schedule remembers: numbers of the host."""

    @property
    def factor(self) -> float:
        """The factor on the learning rate from now on, beside the schedule's own."""
        ...


class Listener(Protocol):
    """A schedule that is told costs: see `slalom.schedules.Plateau`."""

    def start(self) -> Any:
        """The memory before the first cost."""
        ...

    def observe(self, memory: Any, step: float, cost: float, horizon: int) -> Any:
        """The memory after the cost that was found when `step` of `horizon` updates were done."""
        ...


def plateau_of(schedule: Any) -> Listener | None:
    """The part of a schedule, or of what it wraps, that wants to be told costs; None for the rest and for functions.

    >>> from slalom.schedules import Cosine, Plateau, Warmup
    >>> plateau_of(Cosine()), plateau_of(Warmup(Plateau(patience=5))).patience
    (None, 5)
    """
    return schedule.plateau() if hasattr(schedule, "plateau") else None


def namespace(step: Any) -> Any:
    """The array functions that fit the step: jax.numpy for its arrays and tracers, NumPy for the rest."""
    return step.__array_namespace__() if hasattr(step, "__array_namespace__") else np


def clipped(time: Any, start: float, length: float) -> Array:
    """How much of a length of time has passed since its start, from 0 before it to 1 at its end and after.

    >>> clipped(np.array([1, 2, 3, 5, 6, 7]), 2, 4).tolist()
    [0.0, 0.0, 0.25, 0.75, 1.0, 1.0]
    """
    xp = namespace(time)
    return xp.clip((xp.asarray(time, dtype=float) - start) / length, 0.0, 1.0)
