"""The loss functions that several lessons walk down, and how they set rules side by side."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from slalom.descent import descend
from slalom.lessons.base import Page
from slalom.rules import Rule
from slalom.walk import Path

ONE, RATE, STEPS = 1.0, 0.01, 2  # where, and how, the rules' two steps are taken


def half_square(w: Any) -> Any:
    """w² / 2, whose gradient is w itself."""
    return w**2 / 2


def ravine(w: Any) -> Any:
    """A valley that is fifty times as steep across as along: w₁² / 2 + 25 w₂²."""
    return 0.5 * w[0] ** 2 + 25 * w[1] ** 2


def saddle(w: Any) -> Any:
    """A saddle at 0 between two valleys: w₁² / 2 − w₂² / 2 + w₂⁴ / 4."""
    return 0.5 * w[0] ** 2 - 0.5 * w[1] ** 2 + 0.25 * w[1] ** 4


def two_steps(page: Page, chosen: Mapping[str, Rule]) -> None:
    """Tell of two steps down w² / 2 from 1 by each rule."""
    page.say("{steps} steps down w² / 2 from w = {start:g} at the rate {rate} (the gradient is w):",
             steps=STEPS, start=ONE, rate=RATE)  # fmt: skip
    walks = {name: descend(half_square, ONE, rule, learning_rate=RATE, steps=STEPS) for name, rule in chosen.items()}
    page.table(
        {"rule": list(walks)}
        | {page.word("w after {t}").format(t=t): [w.parameters[t] for w in walks.values()] for t in range(STEPS + 1)}
    )


def walks(
    f: Callable[..., Any], start: Sequence[float], chosen: Mapping[str, tuple[Rule | str, float]], steps: int
) -> dict[str, Path]:
    """The walks of several rules, each at a rate of its own, from one start."""
    begin = np.asarray(start, np.float64)
    return {name: descend(f, begin, rule, learning_rate=rate, steps=steps) for name, (rule, rate) in chosen.items()}


def steps_until(f: Callable[..., Any], path: Path, share: float) -> int | None:
    """After how many steps, for good, no more than a share of the first loss is left; None where it never was."""
    del f
    above = np.flatnonzero(~(path.losses <= share * path.losses[0]))
    last = int(above[-1]) + 1 if len(above) else 0
    return last if last < len(path.losses) else None


def best_rate(
    f: Callable[..., Any], start: Sequence[float], made: Callable[[], Rule], rates: Sequence[float], steps: int,
    share: float,
) -> tuple[float, int | None]:  # fmt: skip
    """(the rate of a grid with which a rule is there first, after how many steps): the least that any rate needs."""
    found = []
    for rate in rates:
        path = descend(f, np.asarray(start, np.float64), made(), learning_rate=rate, steps=steps)
        found.append((steps_until(f, path, share), rate))
    known = [(count, rate) for count, rate in found if count is not None]
    return (min(known)[1], min(known)[0]) if known else (float("nan"), None)
