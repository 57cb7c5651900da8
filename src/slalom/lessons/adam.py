"""Lesson: Adam, the mean gradient in units of its own size."""

from typing import Any

import numpy as np

from slalom import rules
from slalom.descent import descend
from slalom.lessons.base import Lesson, Page
from slalom.lessons.bowls import ravine, two_steps, walks

BETA1, BETA2, RATE = 0.9, 0.99, 0.01
START = (-4.0, 0.7)


def tell(page: Page) -> None:
    """Two steps; the bias correction; the size of a gradient does not matter."""
    page.formula("rules", "adam")
    page.say("β₁ = {beta1}, β₂ = {beta2}.", beta1=BETA1, beta2=BETA2)
    two_steps(page, {"adam": rules.Adam(beta1=BETA1, beta2=BETA2), "sgd": rules.SGD(), "momentum": rules.Momentum()})
    page.say("The first step from 0 down c · w, the rate {rate}, whatever the slope c is:", rate=RATE)
    slopes = (1e-3, 1.0, 1e3)
    named = {"adam": rules.Adam(), "sgd": rules.SGD(), "rmsprop": rules.RMSProp()}
    page.table(
        {"rule": list(named)} | {f"c = {c:g}": [_first(rule, c) for rule in named.values()] for c in slopes},
    )
    t = np.array([1, 2, 10, 100, 1000])
    page.say("What m and v are divided by, since they start at 0 (with β₂ = 0.999, the usual one):")
    page.table({"t": t.tolist(), "1 − β₁ᵗ": 1 - 0.9**t, "1 − β₂ᵗ": 1 - 0.999**t}, digits=4)
    page.see("m is the mean of the gradients, √v of their size; their ratio lies between −1 and 1, so that a step is at"
             " most about as long as the rate, in every weight.")  # fmt: skip
    page.see("Multiply the loss by a thousand and Adam walks the same path: it sees the direction of a gradient and how"
             " steady it is, not how large.")  # fmt: skip
    page.see(
        "Without the corrections the first step would be (1 − β₁) / √(1 − β₂) times as long: {times:.2f} with the usual"
        " β.",
        times=(1 - 0.9) / (1 - 0.999) ** 0.5,
    )


def _first(rule: Any, slope: float) -> float:
    return float(descend(lambda w: slope * w, 0.0, rule, learning_rate=RATE, steps=1).parameters[1])


def draw() -> Any:
    """Paths in a ravine, and the same path on the loss times a thousand."""
    from slalom import pictures

    chosen = {"sgd": (rules.SGD(), 0.03), "momentum": (rules.Momentum(), 0.01), "rmsprop": (rules.RMSProp(), 0.1),
              "adam": (rules.Adam(), 0.2)}  # fmt: skip
    paths = walks(ravine, START, chosen, 60)
    return pictures.contours(ravine, paths, extent=(-4.6, 2.6, -1.2, 1.2), title="60 steps in a ravine")


LESSON = Lesson("Adam: direction and size, each an average, both corrected", tell, draw)
