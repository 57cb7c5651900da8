"""Lesson: RAdam, which waits with its unit of size until it can be measured."""

from typing import Any

import numpy as np

from slalom import rules
from slalom.descent import descend
from slalom.lessons.base import Lesson, Page
from slalom.lessons.bowls import two_steps
from slalom.rules.radam import rectifier, span
from slalom.types import Array

BETA2, FIRST = 0.999, 10


def tell(page: Page) -> None:
    """ρ and the rectifier step by step; the first steps beside Adam's."""
    page.formula("rules", "radam")
    rule = rules.RAdam(beta2=BETA2)
    t = np.arange(1, FIRST + 1)
    rho = _spans(t)
    page.say("ρ and the rectifier r with β₂ = {beta2}; rectified from ρ > {threshold:g} on:",
             beta2=BETA2, threshold=rule.threshold)  # fmt: skip
    page.table({"t": t.tolist(), "ρ": rho, "r": _rectified(rho, rule.threshold)})
    page.say("ρ says how many equally weighted gradients v is worth. After one step that is 1, and it grows to ρ∞ ="
             " {most:.0f}. A formula of ρ that does not give 1 at t = 1 is misprinted: some texts have one; the "
             "paper's,"
             " above, does.", most=2 / (1 - BETA2) - 1)  # fmt: skip
    two_steps(page, {"radam": rule, "radam, early = 0": rules.RAdam(beta2=BETA2, early=0.0), "adam": rules.Adam()})
    page.say("Steps 1 to 8 down a slope of 1, over the rate:")
    chosen = {"radam": rule, "adam": rules.Adam(beta2=BETA2)}
    steps = {name: _steps(one, 8) for name, one in chosen.items()}
    page.table({"rule": list(steps)} | {str(k + 1): [row[k] for row in steps.values()] for k in range(8)}, digits=4)
    page.see(
        "At first v has seen too few gradients to be a unit of size; RAdam takes plain steps along the mean gradient"
             " instead, and they are as large as the gradient is.")  # fmt: skip
    page.see("Then r grows from almost 0 to 1 by itself: a warm-up that nobody has to choose.")
    page.see("With columns that are not scaled the plain steps may be huge: scale, or set early = 0.")


def _spans(t: Array) -> Array:
    return np.array([float(span(1 - BETA2, float(one))) for one in t])


def _rectified(rho: Array, threshold: float) -> list[Any]:
    most = 2 / (1 - BETA2) - 1
    return [float(rectifier(one, most)) if one > threshold else float("nan") for one in rho]


def _steps(rule: Any, count: int) -> Array:
    path = descend(lambda w: 1.0 * w, 0.0, rule, learning_rate=0.01, steps=count)
    return abs(np.diff(path.parameters)) / 0.01


def draw() -> Any:
    """The rectifier over the steps, for three β₂."""
    from slalom import pictures
    from slalom.pictures.labels import lines

    made, axes = pictures.panels(width=7.0, height=3.9)
    panel, t, curves = axes[0, 0], np.arange(1, 3001), {}
    for beta2 in (0.9, 0.99, 0.999):
        f = 1 - beta2
        rho = np.array(span(f, t.astype(float)))
        r = np.where(rho > 5, np.array(rectifier(np.maximum(rho, 5.001), 2 / f - 1)), np.nan)
        curves[f"β₂ = {beta2:g}"] = (t, r)
    panel.set_xscale("log")
    panel.set_ylim(0, 1.05)
    lines(panel, curves)
    panel.set(xlabel="step", ylabel="rectifier r", title="How much of Adam’s step RAdam takes")
    return made


LESSON = Lesson("RAdam: a warm-up that follows from the statistics", tell, draw)
