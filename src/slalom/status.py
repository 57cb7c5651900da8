"""What a display shows of a race on its way."""

from typing import NamedTuple


class Status(NamedTuple):
    """What a display shows while a race runs."""

    phase: str
    alive: int  # recipes racing
    best: float | None  # best score so far, in the metric's own direction
    racer_steps: int
    seconds: float  # since the start
    left: float | None  # seconds until the limit
