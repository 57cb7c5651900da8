"""Schedules against the lessons' numbers, Optax, and the sequences that the large libraries were measured to give."""

import json
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from slalom.schedules import Constant, Cosine, Exponential, Step, Warmup

WORKED = json.loads((Path(__file__).parents[1] / "worked_examples.json").read_text())["schedules"]


def test_the_lessons_step_schedule():
    """Half the rate every 50 epochs, written as epochs and as a quarter of the horizon."""
    case = WORKED["step"]
    for every in (case["every"], case["every"] / case["epochs"]):
        schedule = Step(every=every, factor=case["factor"])
        for epoch, rate in case["samples"].items():
            assert case["start"] * schedule(int(epoch), case["epochs"]) == pytest.approx(rate, rel=1e-12)


def test_the_lessons_exponential_schedule():
    """0.1 × 0.95 to the number of the epoch, also when every epoch has many steps."""
    case = WORKED["exponential"]
    for steps in (1, 196):
        schedule = Exponential(factor=case["factor"], every=steps)
        for epoch, rate in case["samples"].items():
            given = case["start"] * schedule(int(epoch) * steps, case["epochs"] * steps)
            assert given == pytest.approx(rate, rel=1e-3 if rate < 1e-5 else 1e-6)  # as many digits as the lesson gives


# Optax counts the same steps; where a schedule of Slalom goes on after its horizon, so does Optax's.
OPTAX = {
    "constant": (Constant(), optax.constant_schedule(1.0)),
    "step": (Step(every=13, factor=0.3), optax.exponential_decay(1.0, 13, 0.3, staircase=True)),
    "exponential": (Exponential(every=13, factor=0.3), optax.exponential_decay(1.0, 13, 0.3)),
    "cosine": (Cosine(floor=0.1), optax.cosine_decay_schedule(1.0, 50, alpha=0.1)),
    "warm-up and cosine": (
        Warmup(Cosine(), length=10),
        optax.join_schedules([optax.linear_schedule(0.1, 1.0, 9), optax.cosine_decay_schedule(1.0, 40)], [10]),
    ),
    "warm-up and step": (
        Warmup(Step(every=13, factor=0.3), length=0.2),
        optax.join_schedules(
            [optax.linear_schedule(0.1, 1.0, 9), optax.exponential_decay(1.0, 13, 0.3, staircase=True)], [10]
        ),
    ),
}


@pytest.mark.parametrize("name", OPTAX)
def test_a_schedule_agrees_with_optax(name):
    """50 steps and 10 after the end agree with Optax."""
    mine, theirs = OPTAX[name]
    with jax.enable_x64(True):
        expected = [float(theirs(t)) for t in range(60)]
    np.testing.assert_allclose(mine(np.arange(60), 50), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("schedule", "horizon", "expected"),
    [
        (Step(every=3, factor=0.1), 7, [1, 1, 1, 0.1, 0.1, 0.1, 0.01]),
        (Exponential(every=3, factor=0.1), 4, [1, 0.464, 0.215, 0.1]),
        (Cosine(), 5, [1, 0.905, 0.655, 0.345, 0.095, 0, 0, 0]),
    ],
    ids=["step", "exponential", "cosine"],
)
def test_the_sequences_of_the_large_libraries(schedule, horizon, expected):
    """The sequences that PyTorch, Optax and Keras share (after the end of a cosine: Optax and Keras)."""
    np.testing.assert_allclose(schedule(np.arange(len(expected)), horizon), expected, atol=6e-4)
