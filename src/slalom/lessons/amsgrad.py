"""Lesson: AMSGrad, and the series of gradients on which Adam walks the wrong way."""

from typing import Any

import numpy as np

from slalom import rules
from slalom.descent import descend
from slalom.lessons.base import Lesson, Page
from slalom.types import Array

LARGE = 3.0  # the rare gradient; the others are −1
RATE, EPOCHS = 0.01, 300


def _rules() -> dict[str, Any]:
    settings = {"beta1": 0.0, "beta2": 1 / (1 + LARGE**2)}  # as in the paper's example
    return {"adam": rules.Adam(**settings), "amsgrad": rules.AMSGrad(**settings)}


def _walk(rule: Any) -> Array:
    """w over slopes LARGE, −1, −1, again and again."""
    slopes = np.array([LARGE, -1.0, -1.0])[:, None]
    path = descend(lambda w, g: (g * w).sum(), 0.0, rule, learning_rate=RATE, data=(slopes,), batch_size=1,
                   epochs=EPOCHS, shuffle=False)  # fmt: skip
    return path.parameters


def tell(page: Page) -> None:
    """Where Adam and AMSGrad are after some hundred steps of the paper's example."""
    page.formula("rules", "amsgrad")
    page.say(
        "Slopes {large:g}, −1, −1, again and again: the mean slope is {mean:.4f}, so that w should fall. β₁ = 0 and"
             " β₂ = 1 / (1 + {large:g}²), as in Reddi et al. 2018, section 3; the rate {rate}.",
             large=LARGE, mean=(LARGE - 2) / 3, rate=RATE)  # fmt: skip
    found = {name: _walk(rule) for name, rule in _rules().items()}
    at = [0, 3, 30, 300, 3 * EPOCHS]
    page.table(
        {"rule": list(found)} | {page.word("w after {t}").format(t=t): [w[t] for w in found.values()] for t in at},
        digits=4,
    )
    steps = {name: np.diff(w[-4:]) / RATE for name, w in found.items()}
    page.say("The last three steps, over the rate:")
    slopes = [f"slope {LARGE:g}", "slope −1", "slope −1 again"]
    page.table(
        {"rule": list(steps)} | {name: [row[k] for row in steps.values()] for k, name in enumerate(slopes)}, digits=4
    )
    page.see("Adam forgets the large gradient before the next one comes: its own step is shortened by it, the small"
             " ones that follow are not, and so the many small ones win.")  # fmt: skip
    page.see("AMSGrad divides by the largest average so far: all three steps have one unit, and w goes where the mean"
             " gradient points.")  # fmt: skip
    page.see("The example is built against Adam. On most nets the two hardly differ, and a race tells which is better.")


def draw() -> Any:
    """w over the steps by both rules."""
    from slalom import pictures
    from slalom.pictures.labels import lines

    made, axes = pictures.panels(width=6.8, height=3.9)
    panel = axes[0, 0]
    panel.axhline(0, color="#a6a6a6", linewidth=0.8)
    walks = {name: _walk(rule) for name, rule in _rules().items()}
    lines(panel, {name: (np.arange(len(w)), w) for name, w in walks.items()})
    panel.set(xlabel="step", ylabel="w (should fall)", title=f"Slopes {LARGE:g}, −1, −1, again and again")
    return made


LESSON = Lesson("AMSGrad: Adam that never forgets its largest gradient", tell, draw)
