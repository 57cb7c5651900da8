"""Lesson: RMSProp, Adagrad with a memory that fades; its two starts."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from slalom import rules
from slalom.descent import descend
from slalom.lessons.base import Lesson, Page
from slalom.lessons.bowls import half_square, two_steps

BETA, RATE, EPSILON = 0.9, 0.01, 1e-10


def _rule() -> Any:
    return rules.RMSProp(beta=BETA, epsilon=EPSILON)


def tell(page: Page) -> None:
    """Two steps from each of the two starts, and the rate on a long way."""
    page.formula("rules", "rmsprop")
    two_steps(page, {"rmsprop: v₀ = 0": _rule(), "adagrad": rules.Adagrad()})
    page.say("The other start, v₁ = g₁², is the same rule with the memory v₀ = g₁²:")
    page.table({"step": list(range(3)), "w": _from_memory()})
    first = abs(descend(half_square, 1.0, _rule(), learning_rate=RATE, steps=1).parameters[1] - 1)
    page.say("From v₀ = 0 the first step is {times:.4f} times the rate: 1 / √(1 − β).", times=first / RATE)
    page.say("A slope that never changes (f = w), the length of a step over the rate:")
    slope = {
        name: abs(np.diff(descend(lambda w: 1.0 * w, 0.0, rule, learning_rate=RATE, steps=200).parameters)) / RATE
        for name, rule in (("rmsprop", _rule()), ("adagrad", rules.Adagrad()))
    }
    at = (1, 2, 5, 10, 50, 200)
    page.table({"rule": list(slope)} | {f"step {t}": [steps[t - 1] for steps in slope.values()] for t in at}, digits=4)
    page.see(
        "v is the exponentially weighted average of g²: old gradients are forgotten, so that the rate can rise again."
    )
    page.see("On a steady slope its steps settle at the rate itself, while Adagrad's become shorter and shorter.")
    page.see(
        "The average starts at 0 and is too small at first: the first steps are long. Adam divides by 1 − βᵗ to undo"
             " this.")  # fmt: skip


def _from_memory() -> list[float]:
    """w after each of two steps down w² / 2 from a memory of the first gradient's square."""
    rule, w = _rule(), jnp.ones(1)
    memory, seen = type(rule.init(w))(w**2), [1.0]
    for t in (1, 2):
        delta, memory = rule.step(w, memory, w, t=t, rate=RATE)
        w = w + delta
        seen.append(float(w[0]))
    return seen


def draw() -> Any:
    """The length of a step while the slope changes."""
    from slalom import pictures
    from slalom.pictures.labels import lines

    made, axes = pictures.panels(width=7.2, height=4.0)
    panel, size = axes[0, 0], np.repeat([1.0, 10.0, 1.0], 60)
    given: dict[str, Any] = {"data": (size[:, None],), "batch_size": 1, "epochs": 1, "shuffle": False}
    curves = {}
    for name, rule in {"rmsprop": _rule(), "adagrad": rules.Adagrad(), "sgd": rules.SGD()}.items():
        path = descend(lambda w, g: (g * w).sum(), 0.0, rule, learning_rate=RATE, **given)
        curves[name] = (np.arange(1, len(size) + 1), abs(np.diff(path.parameters)) / RATE)
    panel.set_yscale("log")
    lines(panel, curves, drawstyle="steps-mid")
    panel.set(xlabel="step", ylabel="length of a step / rate", title="The slope is 1, then 10, then 1 again")
    return made


LESSON = Lesson("RMSProp: the gradient in units of its recent size", tell, draw)
