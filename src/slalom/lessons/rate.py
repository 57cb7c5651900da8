"""Lesson: the learning rate on a parabola, from slow to diverging."""

from typing import Any

from slalom.descent import descend
from slalom.lessons.base import Lesson, Page
from slalom.walk import Path

RATES = (0.01, 0.1, 0.125, 0.2, 0.3)
START, LOOKS = 2.0, 4


def _loss(x: Any) -> Any:
    return 4 * x**2


def _path(rate: float, steps: int = LOOKS - 1) -> Path:
    return descend(_loss, START, "sgd", learning_rate=rate, steps=steps)


def tell(page: Page) -> None:
    """Four looks at x for each of five rates."""
    page.lines("f(x) = 4x²,   f′(x) = 8x,   x ← x − η · 8x = (1 − 8η) x")
    page.say("x at {looks} looks, from {start:g}:", looks=LOOKS, start=START)
    paths = {rate: _path(rate) for rate in RATES}
    looks = {f"x{'₀₁₂₃'[t]}": [float(path.parameters[t]) for path in paths.values()] for t in range(LOOKS)}
    factors = [float(path.parameters[1] / path.parameters[0]) for path in paths.values()]
    page.table({"rate": [f"{rate:g}" for rate in RATES], "1 − 8η": factors} | looks
               | {"": [_said(factor) for factor in factors]}, digits=4)  # fmt: skip
    page.see("A step multiplies x by 1 − 8η: that number alone decides, and its size must be below 1.")
    page.see("Half of the largest possible rate lands in the minimum at once; above it x swings from side to side.")
    page.see("At twice the rate that lands there, 2 / f″, the border is reached: above it every step is longer than the"
             " one before.")  # fmt: skip


def _said(factor: float) -> str:
    size = abs(factor)
    return ("diverges" if size > 1 else "in one step" if size < 1e-9 else "swings across" if factor < 0 else
            "slow" if size > 0.5 else "good")  # fmt: skip


def draw() -> Any:
    """A panel for each rate: the parabola and the steps on it."""
    from slalom import pictures

    made, axes = pictures.panels(1, len(RATES), width=12.5, height=3.1)
    for i, (panel, rate) in enumerate(zip(axes[0], RATES, strict=True)):
        path = _path(rate, 12 if rate < 0.25 else 3)
        side = 1.15 * float(abs(path.parameters).max())
        factor = float(path.parameters[1] / path.parameters[0])
        pictures.contours(_loss, path, extent=(-side, side), axes=panel, names=("x",))
        panel.set_title(f"rate {rate:g}: {_said(factor)}")
        panel.set_ylim(-0.05 * 4 * side**2, 0.85 * 4 * side**2)
        panel.set_ylabel("4x²" if i == 0 else "")
    return made


LESSON = Lesson("The learning rate: slow, good, exact, swinging, diverging", tell, draw)
