"""Lesson: a step along the gradient can raise the loss; what the gradient promises holds for small rates alone."""

from typing import Any

import numpy as np

from slalom.descent import descend
from slalom.lessons.base import Lesson, Page

START = 2.0
RATES = (0.001, 0.01, 0.05, 0.1, 0.125, 0.2, 0.25, 0.26, 0.3)


def _loss(x: Any) -> Any:
    return 4 * x**2


def _promised(rate: float) -> tuple[float, float]:
    """(the change of the loss that the gradient promises, the change that one step makes)."""
    path = descend(_loss, START, "sgd", learning_rate=rate, steps=1)
    return -rate * float(path.gradients[0]) ** 2, float(path.losses[1] - path.losses[0])


def tell(page: Page) -> None:
    """Promised and real change of the loss after one step, rate by rate."""
    page.lines("f(w + Δ) = f(w) + ∇f · Δ + O(|Δ|²)      with Δ = −η ∇f:   promised change −η |∇f|²",
               "on a parabola f = a w², exactly:   −η |∇f|² (1 − a η)")  # fmt: skip
    page.say("One step on 4x² from {start:g}:", start=START)
    pairs = [_promised(rate) for rate in RATES]
    page.table(
        {
            "rate": [f"{rate:g}" for rate in RATES],
            "promised": [promised for promised, _ in pairs],
            "real": [real for _, real in pairs],
            "kept": [f"{round(real / promised, 6) + 0.0:.1%}" for promised, real in pairs],
        },
        digits=4,
    )
    page.see("For small rates the promise is kept to a few per cent: the gradient says what a small step will do.")
    page.see("It is first-order: the larger the step, the more the bend of the curve takes back. From 2 / f″ on nothing"
             " is left, and above it the loss rises although the step went downhill.")  # fmt: skip
    page.see("So a loss that rises after a step is no error of the gradient: the step was too long.")


def draw() -> Any:
    """Promised and real change against the rate."""
    from slalom import pictures
    from slalom.pictures.labels import lines

    made, axes = pictures.panels(width=6.8, height=4.0)
    rates = np.linspace(0.001, 0.3, 14)
    pairs = np.array([_promised(rate) for rate in rates])
    panel = axes[0, 0]
    panel.axhline(0, color="#a6a6a6", linewidth=0.8)
    panel.fill_between(rates, 0, pairs[:, 1], where=pairs[:, 1] > 0, interpolate=True, color="#d55e00", alpha=0.15)
    lines(panel, {"promised": (rates, pairs[:, 0]), "real": (rates, pairs[:, 1])}, marker="o", markersize=3)
    panel.set(xlabel="learning rate", ylabel="change of the loss after one step", title="One step on 4x² from 2")
    return made


LESSON = Lesson("A step can raise the loss: the first-order promise", tell, draw)
