"""Lesson: SWATS, which starts as Adam and goes on as SGD, and the point at which it switches."""

import re
from typing import Any

import numpy as np

from slalom import rules
from slalom.descent import descend
from slalom.lessons.base import Lesson, Page
from slalom.lessons.bowls import ravine
from slalom.walk import Path

START, RATE, STEPS = (-4.0, 0.7), 0.05, 200
THRESHOLDS, LATEST = (1e-9, 1e-3, 1e-2, 1e-1), 60


def _walk(rule: Any) -> Path:
    return descend(ravine, np.array(START), rule, learning_rate=RATE, steps=STEPS)


def _switch(path: Path) -> int | None:
    """The step at which a walk switched, from what the rule says of it."""
    found = re.search(r"at step (\d+)", path.remark)
    return int(found[1]) if found else None


def tell(page: Page) -> None:
    """The switch point under several thresholds, and what it does to the loss."""
    page.formula("rules", "swats")
    page.say(
        "{steps} steps down the ravine w₁² / 2 + 25 w₂² at the rate {rate}; the rule itself says when it switched:",
             steps=STEPS, rate=RATE)  # fmt: skip
    chosen = {f"threshold {level:g}": rules.SWATS(threshold=level) for level in THRESHOLDS}
    chosen |= {f"at the latest after {LATEST}": rules.SWATS(threshold=0.0, latest=LATEST)}
    paths = {name: _walk(rule) for name, rule in chosen.items()} | {"adam": _walk(rules.Adam())}
    page.table({"": list(paths), "said": [path.remark or "–" for path in paths.values()],
                "loss at the end": [f"{path.losses[-1]:.2e}" for path in paths.values()]})  # fmt: skip
    page.see("While it is Adam, SWATS measures γ, the rate with which SGD would make the step that Adam makes, and"
             " averages it. Where average and newest γ agree to the threshold, it switches for good.")  # fmt: skip
    page.see(
        "The paper's threshold of 1e-9 is hardly ever met: then SWATS is Adam to the end. A looser one, or a latest"
             " step, makes it switch.")  # fmt: skip
    page.see("Switched too early, its rate is that of the first steps, and may be far from what the rest needs.")


def draw() -> Any:
    """The path in two colours, and the loss with the switch marked."""
    from slalom import pictures

    path = _walk(rules.SWATS(threshold=0.0, latest=LATEST))
    switch, w = _switch(path) or 0, path.parameters
    made, axes = pictures.panels(1, 2, width=11.2, height=3.3, gridspec_kw={"width_ratios": [1.7, 1]})
    pictures.contours(ravine, {"as Adam": w[: switch + 1], "as SGD": w[switch:]}, extent=(-4.6, 2.6, -1.2, 1.2),
                      axes=axes[0, 0], title="The path before the switch and after it")  # fmt: skip
    panel = axes[0, 1]
    panel.plot(range(switch + 1), path.losses[: switch + 1], color="C0")
    panel.plot(range(switch, len(w)), path.losses[switch:], color="C1")
    panel.axvline(switch, color="#a6a6a6", linewidth=1, linestyle=(0, (4, 3)))
    panel.annotate(f"switch at step {switch}", xy=(switch, 1), xycoords=("data", "axes fraction"), xytext=(5, -5),
                   textcoords="offset points", va="top")  # fmt: skip
    panel.set_yscale("log")
    panel.set(xlabel="step", ylabel="loss", title=path.remark)
    return made


LESSON = Lesson("SWATS: from Adam to SGD, and when", tell, draw)
