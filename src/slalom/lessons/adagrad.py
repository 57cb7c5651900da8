"""Lesson: Adagrad, a rate for every weight that only falls."""

from typing import Any

import numpy as np

from slalom import rules
from slalom.descent import descend
from slalom.lessons.base import Lesson, Page
from slalom.lessons.bowls import two_steps
from slalom.types import Array

ROWS, RARE, RATE = 400, 20, 0.5


def tell(page: Page) -> None:
    """Two steps; a common and a rare column."""
    page.formula("rules", "adagrad")
    two_steps(page, {"adagrad": rules.Adagrad(), "sgd": rules.SGD()})
    page.say(
        "Two columns, one that is 1 in every row and one that is 1 in every {rare}th. True weights 1 and 1, one pass"
             " over {rows} rows, one row a step:", rare=RARE, rows=ROWS)  # fmt: skip
    found = {name: _walk(rule, rate) for name, (rule, rate) in _chosen().items()}
    page.table(
        {
            "rule": list(found),
            "rate": [f"{rate:g}" for _, rate in _chosen().values()],
            "common weight": [w[-1, 0] for w in found.values()],
            "rare weight": [w[-1, 1] for w in found.values()],
        },
        digits=4,
    )
    sums = _squares()
    page.say("Adagrad's own rate η / √s has come down to {common:.4f} for the common weight and {rare:.4f} for the rare"
             " one: {times:.1f} times as much.", common=RATE / sums[0] ** 0.5, rare=RATE / sums[1] ** 0.5,
             times=(sums[0] / sums[1]) ** 0.5)  # fmt: skip
    page.see("The first step is the full rate in every weight, whatever the size of its gradient.")
    page.see("A weight that is rarely asked keeps a high rate: that is why Adagrad suits sparse data.")
    page.see("s only grows, so that the rate only falls: on long trainings it comes to rest before it is there. RMSProp"
             " lets s fade.")  # fmt: skip


def _chosen() -> dict[str, tuple[Any, float]]:
    return {"adagrad": (rules.Adagrad(), RATE), "sgd": (rules.SGD(), 0.02)}


def _data() -> tuple[Array, Array]:
    x = np.column_stack([np.ones(ROWS), np.arange(ROWS) % RARE == 0]).astype(float)
    return x, x @ [1.0, 1.0] + 0.05 * np.random.default_rng(0).normal(size=ROWS)


def _loss(w: Any, x: Any, y: Any) -> Any:
    return ((x @ w - y) ** 2).mean()


def _walk(rule: Any, rate: float) -> Array:
    given: dict[str, Any] = {"data": _data(), "batch_size": 1, "epochs": 1, "shuffle": False}
    return descend(_loss, np.zeros(2), rule, learning_rate=rate, **given).parameters


def _squares() -> Array:
    """The sums of squared gradients after the pass."""
    given: dict[str, Any] = {"data": _data(), "batch_size": 1, "epochs": 1, "shuffle": False}
    return (descend(_loss, np.zeros(2), rules.Adagrad(), learning_rate=RATE, **given).gradients ** 2).sum(0)


def draw() -> Any:
    """Both weights over the steps, by both rules."""
    from slalom import pictures
    from slalom.pictures.labels import lines

    made, axes = pictures.panels(1, 2, width=9.8, height=3.7)
    for panel, (name, (rule, rate)) in zip(axes[0], _chosen().items(), strict=True):
        w, t = _walk(rule, rate), np.arange(ROWS + 1)
        panel.axhline(1, color="#a6a6a6", linewidth=0.8)
        panel.set_ylim(0, 1.25)
        lines(
            panel, {"common weight": (t, w[:, 0]), "rare weight": (t, w[:, 1])}, drawstyle="steps-post", linewidth=1.3
        )
        panel.set(xlabel="step", title=f"{name}, rate {rate:g}")
    axes[0, 0].set_ylabel("weight (true value 1)")
    return made


LESSON = Lesson("Adagrad: a rate of its own for every weight, and sparse data", tell, draw)
