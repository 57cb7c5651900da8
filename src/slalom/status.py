"""What a display shows of a race on its way."""

from collections.abc import Sequence
from typing import NamedTuple


class Status(NamedTuple):
    """What a display shows while a race runs."""

    phase: str
    alive: int  # recipes racing
    best: float | None  # best score so far, in the metric's own direction
    racer_steps: int
    seconds: float  # since the start
    left: float | None  # seconds until the limit


def phase_of(phase: str, waiting: Sequence[bool]) -> str:
    """The phase in words. waiting: of each shape, whether its program is still being compiled.

    >>> phase_of("rung 1 of 3", [True, False]), phase_of("rung 2 of 3", [False, False])
    ('rung 1 of 3, compiling 1 of 2 shapes', 'rung 2 of 3')
    """
    return f"{phase}, compiling {sum(waiting)} of {len(waiting)} shapes" if any(waiting) else phase
