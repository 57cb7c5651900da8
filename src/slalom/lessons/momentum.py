"""Lesson: momentum in its three writings, and what it does in a ravine."""

from typing import Any

from slalom import rules
from slalom.descent import descend
from slalom.lessons.base import Lesson, Page, steps_said
from slalom.lessons.bowls import half_square, ravine, steps_until, two_steps, walks

MU, STEPS, LEFT = 0.9, 400, 1e-4
START = (-4.0, 0.7)


def tell(page: Page) -> None:
    """Two steps by each writing; what a schedule does to them; the ravine."""
    page.formula("rules", "momentum")
    two_steps(
        page,
        {
            "momentum: v ← μ v + g, w ← w − η v": rules.Momentum(mu=MU),
            "averaged: s ← β s + (1 − β) g, s₁ = g₁": rules.AveragedMomentum(beta=MU),
            "velocity: v ← μ v − η g, w ← w + v": rules.VelocityMomentum(mu=MU),
        },
    )
    page.say("The same two steps where the second has the rate 0:")
    halted = lambda t, horizon: 1.0 if t == 0 else 0.0  # noqa: E731
    stopped = {
        name: descend(half_square, 1.0, rule, learning_rate=0.01, schedule=halted, steps=2).parameters
        for name, rule in (("momentum", rules.Momentum(mu=MU)), ("velocity", rules.VelocityMomentum(mu=MU)))
    }
    page.table(
        {"rule": list(stopped)}
        | {page.word("w after {t}").format(t=t): [w[t] for w in stopped.values()] for t in range(3)}
    )
    page.say("A ravine, w₁² / 2 + 25 w₂². Steps until a ten-thousandth of the loss is left:")
    chosen = _chosen()
    paths = walks(ravine, START, chosen, STEPS)
    page.table(
        {
            "rule": list(paths),
            "rate": [f"{rate:g}" for _, rate in chosen.values()],
            "steps": [steps_said(steps_until(ravine, path, LEFT), STEPS) for path in paths.values()],
        }
    )
    page.see(
        "Momentum sums gradients that fade by μ a step: where they agree it grows, up to 1 / (1 − μ) times as fast."
    )
    page.see("Across the ravine they change sign and cancel; along it they agree and add up.")
    page.see("The writings differ by where 1 − β and η stand. At a constant rate the first and the third are one walk;"
             " as a schedule lowers the rate, the velocity goes on while momentum is slower at once.")  # fmt: skip
    page.see("Nesterov looks its gradient up one step ahead, which damps the swinging.")


def _chosen() -> dict[str, tuple[Any, float]]:
    rate = 0.02  # half of the largest with which plain descent does not diverge here
    return {
        "sgd": (rules.SGD(), rate),
        "momentum": (rules.Momentum(mu=MU), rate),
        "nesterov": (rules.Nesterov(mu=MU), rate),
    }


def draw() -> Any:
    """Three paths in the ravine."""
    from slalom import pictures

    paths = walks(ravine, START, _chosen(), 60)
    return pictures.contours(
        ravine, paths, extent=(-4.6, 2.6, -1.2, 1.2), title="60 steps in a ravine, all at the rate 0.02"
    )


LESSON = Lesson("Momentum: three writings, and why it helps in a ravine", tell, draw)
