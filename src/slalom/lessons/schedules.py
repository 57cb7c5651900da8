"""Lesson: the learning-rate schedules, one beside the other."""

from typing import Any

import numpy as np

from slalom import schedules
from slalom.descent import descend
from slalom.lessons.base import Lesson, Page
from slalom.lessons.bowls import ravine
from slalom.types import Array

START, EPOCHS = 0.1, 200
LOOKS = (0, 1, 49, 50, 100, 125, 150, 160, 199)
FALLING = {
    "step": schedules.Step(every=50, factor=0.5),
    "multi-step": schedules.MultiStep(milestones=(50, 125, 160), factor=0.5),
    "exponential": schedules.Exponential(every=1, factor=0.95),
}
SMOOTH = {
    "cosine": schedules.Cosine(),
    "warm-up": schedules.Warmup(schedules.Cosine(), 20),
    "polynomial": schedules.Polynomial(power=2),
    "inverse time": schedules.InverseTime(),
}
COSTS = (5.0, 4.0, 3.2, 3.0, 3.0, 3.0, 3.0, 2.4, 2.2, 2.2, 2.2, 2.2, 2.2, 2.0)
PATIENT = schedules.Plateau(patience=2, fall=0.5)


def _rates(schedule: Any) -> Array:
    """The rate of every epoch."""
    return START * np.asarray(schedule(np.arange(EPOCHS), EPOCHS))


def tell(page: Page) -> None:
    """Rates of 200 epochs, those of a plateau, and what a schedule does to a descent."""
    names = ("step", "multi_step", "exponential", "cosine", "polynomial", "inverse_time")
    for name in names:
        page.formula("schedules", name)
    page.say("The factor times {start}, the learning rate, at some of {epochs} epochs:", start=START, epochs=EPOCHS)
    for some in (FALLING, SMOOTH):
        page.table({"epoch": list(LOOKS)} | {name: _rates(one)[list(LOOKS)] for name, one in some.items()}, digits=9)
    page.formula("schedules", "plateau")
    page.say("A plateau is told costs and waits for an improvement (patience {patience:g}):", patience=PATIENT.patience)
    page.table({"cost": COSTS, "factor": PATIENT.over(COSTS)}, digits=4)
    page.say("A warm-up is a climb in front of any of them; here one of 20 epochs. And what falling rates are good for:"
             " stochastic steps (a gradient with noise) in a ravine, 600 of them, from the same start:")  # fmt: skip
    found = {name: _noisy(one) for name, one in {"constant": schedules.Constant(), **FALLING, **SMOOTH}.items()}
    page.table({"schedule": list(found), "mean loss of the last 50": list(found.values())})
    page.see(
        "Large steps first, to get there, small ones at the end, to come to rest: a constant rate goes on shaking by"
             " as much as the noise of its gradients.")  # fmt: skip
    page.see("Step and multi-step fall at once and by hand; exponential and cosine need no milestones.")
    page.see("How fast a schedule falls is tied to the horizon: exponential at 0.95 an epoch is over after some dozens,"
             " whatever the horizon.")  # fmt: skip
    page.see("Warm-up protects the first steps, while averages inside the rule are still filling.")


def _noisy(schedule: Any) -> float:
    """The mean loss of the last steps of a noisy descent."""
    noise = np.random.default_rng(0).normal(size=(600, 2))
    path = descend(lambda w, e: ravine(w) + (e * w).sum(), np.array([-4.0, 0.7]), "sgd", learning_rate=0.03,
                   schedule=schedule, data=(noise,), batch_size=1, epochs=1, shuffle=False)  # fmt: skip
    return float(np.mean([ravine(w) for w in path.parameters[-50:]]))


def draw() -> Any:
    """The rates of all of them, and the plateau under its costs."""
    from slalom import pictures
    from slalom.pictures.labels import lines

    made, axes = pictures.panels(1, 3, width=13.2, height=3.9)
    for panel, some, title in ((axes[0, 0], FALLING, "By steps"), (axes[0, 1], SMOOTH, "Smoothly")):
        pictures.schedule(some, EPOCHS, learning_rate=START, axes=panel, title=title)
        panel.set_xlabel("epoch")
    panel, t = axes[0, 2], np.arange(1, len(COSTS) + 1)
    panel.set_ylim(0, 1.06)
    lines(panel, {"factor": (t, PATIENT.over(COSTS)), "cost / first": (t, np.array(COSTS) / COSTS[0])},
          drawstyle="steps-post")  # fmt: skip
    panel.set(xlabel="cost", title=f"A plateau, patience {PATIENT.patience:g}")
    return made


LESSON = Lesson("Learning-rate schedules: eight ways down, and a warm-up", tell, draw)
