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

from slalom.record import in_steps as in_steps  # of the floor below: lengths of time in rules are turned likewise
from slalom.types import Array


class Schedule(Protocol):
    """What every schedule answers (see the head of this file)."""

    def __call__(self, step: Array, horizon: int) -> Array:
        """The factor on the learning rate at `step` of `horizon`."""
        ...


def namespace(step: Any) -> Any:
    """The array functions that fit the step: jax.numpy for its arrays and tracers, NumPy for the rest."""
    return step.__array_namespace__() if hasattr(step, "__array_namespace__") else np
