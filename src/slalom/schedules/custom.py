"""Custom: any Python function of the step as a schedule."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from slalom.errors import SlalomError, wrong
from slalom.record import Unwritten, record
from slalom.schedules.base import Schedule, namespace
from slalom.types import Array


@record
class Custom(Schedule):
    """A function of your own.

        function(t, T)  or  function(t)

    function: any Python function of the step and the horizon, or of the step alone (then it needs one argument only).
    On the host it is asked for one step at a time, a whole number, and may use `if`, `max` and `math`; what it answers
    must be a finite number, 0 or more, and may be above 1. A JAX step is handed to it as it is: it must then be made of
    JAX functions. Of the function only the name is written to TOML: a recipe that is read back says so when it runs.

    >>> [Custom(lambda t: 1.0 if t < 2 else 0.5)(t, 4).tolist() for t in (0, np.arange(4))]
    [1.0, [1.0, 1.0, 0.5, 0.5]]
    """

    function: Callable[..., Any]

    def __post_init__(self) -> None:
        arguments(self.function)

    def __call__(self, step: Array, horizon: int) -> Array:
        rest = (horizon,) if arguments(self.function) == 2 else ()
        if namespace(step) is not np:
            return self.function(step, *rest)
        steps = np.asarray(step)
        return np.array([self.ask(t, *rest) for t in steps.ravel().tolist()], dtype=float).reshape(steps.shape)

    def to_plain(self) -> dict[str, Any]:
        """The name of the function: that is all that can be written down."""
        return {"function": Unwritten.of(self.function)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Custom":
        """Something that stands for the function, and cannot be asked."""
        return cls(Unwritten(str(plain.get("function", "custom"))))

    def ask(self, t: float, *rest: int) -> float:
        """What the function answers for one step; raises SlalomError where that is no factor."""
        answer = self.function(int(t) if t == int(t) else t, *rest)
        if not isinstance(answer, bool) and np.ndim(answer) == 0:
            try:
                factor = float(answer)
            except (TypeError, ValueError):
                factor = math.nan
            if 0 <= factor < math.inf:
                return factor
        raise wrong("What Custom(function=…) answers", f"a finite number, 0 or more, at step {t:g}", answer)


def arguments(function: Any) -> int:
    """How many arguments a function of the step wants: 1, or 2 with the horizon.

    >>> arguments(lambda t, T: t / T), arguments(lambda t, k=3: t / k), arguments(abs)
    (2, 1, 1)
    """
    if not callable(function):
        raise wrong("Custom(function=…)", "a function of the step, or of step and horizon", function)
    try:
        taken = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1  # some functions in C do not say
    places = [p for p in taken if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in places)
    alone = any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in taken)
    if alone or needed > 2 or not (places or any(p.kind is p.VAR_POSITIONAL for p in taken)):
        raise SlalomError("Custom(function=…) must be a function of the step, or of step and horizon.")
    return 2 if needed == 2 or "horizon" in [p.name for p in places[1:2]] else 1
