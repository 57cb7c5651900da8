"""The contract of a learning-rate schedule, written once.

A schedule is a record that is called with the step and the horizon and answers with a factor:

    rate at step t = learning_rate × schedule(t, horizon)

step: how many updates were done before this one; the first is 0. horizon: how many updates the training has in all.
Both are explicit; a schedule owns no clock. `step` may be a number, a NumPy array (one float64 answer an element:
this is how a race calls it) or a JAX array (then it may be traced, and Optax takes
`lambda t: rate * schedule(t, horizon)`).
A setting that is a length of time is a fraction of the horizon where it is below 1 and a number of steps otherwise.
Settings and the horizon are numbers of the host. The factor lies in [0, 1], also after the horizon.
"""

from typing import Any, Protocol

import numpy as np

from slalom.types import Array


class Schedule(Protocol):
    """What every schedule answers (see the head of this file)."""

    def __call__(self, step: Array, horizon: int) -> Array:
        """The factor on the learning rate at `step` of `horizon`."""
        ...

    def plateau(self) -> Any:
        """The reduce-on-plateau inside it, which wants to see every score; None for most schedules."""
        return None


def namespace(step: Any) -> Any:
    """The array functions that fit the step: jax.numpy for its arrays and tracers, NumPy for the rest."""
    return step.__array_namespace__() if hasattr(step, "__array_namespace__") else np


def in_steps(length: float, horizon: int) -> float:
    """A length of time in steps: a fraction of the horizon where it is below 1, steps otherwise.

    Rounded to 12 digits, so that 0.1 of 70 steps is 7 of them and not 7.000000000000001, one too late.

    >>> in_steps(0.25, 200), in_steps(0.1, 70), in_steps(50, 200)
    (50.0, 7.0, 50)
    """
    return float(f"{length * max(horizon, 1):.12g}") if length < 1 else length
