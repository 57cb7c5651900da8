"""Lesson: why momentum: leaving a saddle and following a ravine, each rule at its best rate."""

from typing import Any

import numpy as np

from slalom import rules
from slalom.descent import descend
from slalom.lessons.base import Lesson, Page, steps_said
from slalom.lessons.bowls import best_rate, ravine, saddle, walks

MU, STEPS, LEFT, FLAT = 0.9, 600, 1e-4, 0.05
START, EDGE = (-4.0, 0.7), (1.0, 1e-4)  # in the ravine, and almost on the ridge of the saddle
RATES, DOWN = (0.003, 0.01, 0.03, 0.1, 0.3), ("sgd", "momentum", "nesterov", "adam")
RULES = {"sgd": rules.SGD, "momentum": lambda: rules.Momentum(mu=MU), "nesterov": lambda: rules.Nesterov(mu=MU),
         "rmsprop": rules.RMSProp, "adam": rules.Adam}  # fmt: skip


def tell(page: Page) -> None:
    """How many steps each rule takes to leave the saddle and to be down in the ravine."""
    page.lines("saddle: f = w₁² / 2 − w₂² / 2 + w₂⁴ / 4      ravine: f = w₁² / 2 + 25 w₂²",
               "plain descent along a direction of curvature λ:  w ← (1 − η λ) w")  # fmt: skip
    page.say("The saddle from ({a:g}, {b:g}), all at the rate {rate}. Steps until |w₂| > 1/2, that is, off the ridge:",
             a=EDGE[0], b=EDGE[1], rate=FLAT)  # fmt: skip
    left = {name: _leaves(made()) for name, made in RULES.items()}
    page.table({"rule": list(left), "steps": [steps_said(steps, STEPS) for steps in left.values()]})
    page.say(
        "The ravine, each rule at its best of {count} rates. Steps until a ten-thousandth of the loss is left for"
        " good:",
        count=len(RATES),
    )
    found = {name: best_rate(ravine, START, RULES[name], RATES, STEPS, LEFT) for name in DOWN}
    page.table(
        {
            "rule": list(found),
            "best rate": [f"{rate:.3g}" for rate, _ in found.values()],
            "steps": [steps_said(steps, STEPS) for _, steps in found.values()],
        }
    )
    page.see("On the ridge the gradient is almost nothing: plain descent waits until w₂ has grown, by 1 + η a step.")
    page.see("Momentum adds up the little there is, and is away sooner. Rules that measure the gradient in units of its"
             " own size do not feel how flat it is.")  # fmt: skip
    page.see(
        "In the ravine the steep direction limits plain descent's rate to 2 / 50, and along the floor that is slow:"
             " the ratio of the two curvatures is the condition number.")  # fmt: skip


def _leaves(rule: Any) -> int | None:
    path = descend(saddle, np.array(EDGE), rule, learning_rate=FLAT, steps=STEPS)
    away = np.flatnonzero(abs(path.parameters[:, 1]) > 0.5)
    return int(away[0]) if len(away) else None


def draw() -> Any:
    """Paths off the saddle, and in the ravine."""
    from slalom import pictures

    made, axes = pictures.panels(1, 2, width=12.6, height=3.7, fixed=True, gridspec_kw={"width_ratios": [1, 3]})
    chosen = {name: (RULES[name](), FLAT) for name in ("sgd", "momentum", "adam")}
    pictures.contours(saddle, walks(saddle, EDGE, chosen, 120), extent=(-0.5, 1.3, -0.6, 1.4), axes=axes[0, 0],
                      title="A saddle: 120 steps at one rate")  # fmt: skip
    best = {"sgd": (rules.SGD(), 0.035), "momentum": (rules.Momentum(mu=MU), 0.02), "adam": (rules.Adam(), 0.3)}
    pictures.contours(ravine, walks(ravine, START, best, 50), extent=(-4.6, 2.6, -1.2, 1.2), axes=axes[0, 1],
                      title="A ravine: 50 steps")  # fmt: skip
    return made


LESSON = Lesson("Saddle and ravine: why momentum", tell, draw)
