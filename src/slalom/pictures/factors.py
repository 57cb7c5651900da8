"""Factors: the learning rate of every step under one schedule or several."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from slalom import schedules
from slalom.errors import SlalomError, wrong
from slalom.pictures.labels import End, at_the_end
from slalom.pictures.style import colour_of, drawn, entitle, taken
from slalom.record import from_plain
from slalom.schedules import Custom
from slalom.schedules.base import plateau_of
from slalom.types import Array


@drawn
def schedule(
    schedule: Any,
    steps: int,
    *,
    learning_rate: float = 1.0,
    costs: Sequence[float] | None = None,
    log: bool = False,
    title: str = "",
    axes: Any = None,
) -> Any:
    """The learning rate of every step of a training, by one schedule or several.

        rate at step t = learning_rate × schedule(t, steps),   t = 0 … steps − 1

    schedule: a schedule, its name, a table with a name and settings, or a function of the step (and the horizon); or
    several of them by name, {"cosine": Cosine(), …}, or in a list of names. steps: the horizon, 1 or more.
    costs: what a plateau is told, one after each so many steps that they fill the horizon; without them a plateau is
    constant, and SlalomError says so. log: whether the axis of the rate is logarithmic (rates of 0 are left out).

    >>> picture = schedule({"step": {"name": "step", "every": 50}, "cosine": "cosine"}, 200, learning_rate=0.1)
    >>> [text.get_text() for text in picture.axes[0].texts]
    ['step', 'cosine']
    """
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise wrong("schedule(steps=…)", "a whole number, 1 or more", steps)
    clocks = _as_schedules(schedule)
    rates = {name: learning_rate * rates_of(clock, steps, costs) for name, clock in clocks.items()}
    picture, axes = taken(axes, 6.8, 3.9)
    for i, row in enumerate(rates.values()):
        shown = np.where(row > 0, row, np.nan) if log else row
        axes.plot(np.arange(steps + 1), np.append(shown, shown[-1]), drawstyle="steps-post", color=colour_of(i))
    axes.set(xlabel="step", ylabel="learning rate" if learning_rate != 1 else "factor on the learning rate")
    axes.set_xlim(0, steps)
    axes.set_yscale("log") if log else axes.set_ylim(0, 1.06 * max(float(row.max()) for row in rates.values()) or 1.0)
    entitle(axes, title)
    ends = [End(float(row[-1]), name, colour_of(i)) for i, (name, row) in enumerate(rates.items()) if name]
    at_the_end(axes, ends)
    return picture


def rates_of(clock: Any, steps: int, costs: Sequence[float] | None) -> Array:
    """The factor of every step; of a plateau with what it is told."""
    factors = np.asarray(clock(np.arange(steps), steps), np.float64)
    listener = plateau_of(clock)
    if listener is None:
        return factors
    if costs is None or not len(costs):
        raise SlalomError("schedule: a plateau is constant until it is told costs. Give costs=[…].")
    memory, heard = listener.start(), np.ones(steps)
    for i, cost in enumerate(costs, start=1):
        told = round(i * steps / len(costs))  # how many steps are done when this cost is found
        memory = listener.observe(memory, told, float(cost), steps)
        heard[told:] = memory.factor
    return factors * heard


def _as_schedules(given: Any) -> dict[str, Callable[..., Any]]:
    """Schedules by name; one that stands alone has none."""
    if isinstance(given, Mapping) and "name" not in given:
        return {str(name): _as_schedule(one) for name, one in given.items()}
    if isinstance(given, (list, tuple)):
        return {one if isinstance(one, str) else type(one).__name__: _as_schedule(one) for one in given}
    return {"": _as_schedule(given)}


def _as_schedule(given: Any) -> Any:
    if isinstance(given, (str, Mapping)):
        return from_plain("schedule", dict(given) if isinstance(given, Mapping) else given, schedules.REGISTRY)
    if isinstance(given, type) or not callable(given):
        raise wrong("schedule", "a schedule, the name of one, or a function of the step", given)
    return given if hasattr(given, "plateau") else Custom(given)
