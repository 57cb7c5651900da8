"""Schedules against the lessons' numbers, Optax, and the sequences that the large libraries were measured to give."""

import json
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from slalom.schedules import (
    ByEpoch,
    Constant,
    Cosine,
    CosineRestarts,
    CosLog,
    Cyclic,
    Exponential,
    FlatCosine,
    InverseTime,
    Linear,
    MultiStep,
    OneCycle,
    PiecewiseConstant,
    Polynomial,
    Step,
    Warmup,
    WarmupStableDecay,
)

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


def test_the_lessons_schedules_by_epoch():
    """Step, multi-step and exponential by epoch have the lessons' rates in every step of an epoch, up to its last."""
    cases = {
        "step": lambda c: Step(every=c["every"], factor=c["factor"]),
        "multistep": lambda c: MultiStep(milestones=c["milestones"], factor=c["factor"]),
        "exponential": lambda c: Exponential(every=1, factor=c["factor"]),
    }
    for name, make in cases.items():
        case = WORKED[name]
        epochs, horizon = case["epochs"], case["epochs"] * 196
        schedule = ByEpoch(make(case), epochs)
        for epoch, rate in case["samples"].items():
            steps = int(epoch) * 196 + np.array([0, 97, 195])
            digits = 1e-3 if rate < 1e-5 else 1e-6  # as many as the lesson gives
            np.testing.assert_allclose(case["start"] * schedule(steps, horizon), rate, rtol=digits)


def test_the_lessons_multi_step_schedule():
    """Half the rate at epochs 50, 125 and 160 of 200, written as epochs, as steps and as fractions of the horizon."""
    case = WORKED["multistep"]
    for steps, of in ((1, 1), (196, 1), (1, 1 / case["epochs"])):
        schedule = MultiStep(milestones=[m * steps * of for m in case["milestones"]], factor=case["factor"])
        for epoch, rate in case["samples"].items():
            given = case["start"] * schedule(int(epoch) * steps, case["epochs"] * steps)
            assert given == pytest.approx(rate, rel=1e-12)


def test_the_exponential_by_epoch_is_a_power_of_the_epoch():
    """0.95 to the number of the epoch, to the last digits, in all 200 epochs."""
    factors = ByEpoch(Exponential(every=1, factor=0.95), 200)(np.arange(200 * 7), 200 * 7)
    np.testing.assert_allclose(factors, [0.95 ** (t // 7) for t in range(200 * 7)], rtol=1e-15)


# Optax counts the same steps; where a schedule of Slalom goes on after its horizon, so does Optax's.
OPTAX = {
    "constant": (Constant(), optax.constant_schedule(1.0)),
    "step": (Step(every=13, factor=0.3), optax.exponential_decay(1.0, 13, 0.3, staircase=True)),
    "exponential": (Exponential(every=13, factor=0.3), optax.exponential_decay(1.0, 13, 0.3)),
    "cosine": (Cosine(floor=0.1), optax.cosine_decay_schedule(1.0, 50, alpha=0.1)),
    "multi-step": (
        MultiStep(milestones=(0.14, 0.5, 0.82), factor=0.3),
        optax.piecewise_constant_schedule(1.0, {7: 0.3, 25: 0.3, 41: 0.3}),
    ),
    "piecewise constant": (
        PiecewiseConstant(boundaries=(7, 25, 41), factors=(0.5, 1.0, 0.25, 0.05)),
        optax.piecewise_constant_schedule(0.5, {7: 2.0, 25: 0.25, 41: 0.2}),
    ),
    "polynomial": (Polynomial(power=2.5, floor=0.1), optax.polynomial_schedule(1.0, 0.1, 2.5, 50)),
    "linear": (Linear(start=0.2, end=0.9), optax.linear_schedule(0.2, 0.9, 50)),
    "cosine with restarts": (
        CosineRestarts(period=0.1, multiplier=3, floor=0.1),
        optax.sgdr_schedule(
            [
                {"init_value": 1.0, "peak_value": 1.0, "warmup_steps": 0, "decay_steps": k, "end_value": 0.1}
                for k in (5, 15, 45)
            ]
        ),
    ),
    "one-cycle": (  # Optax's top is at the step after a share of the time, and its end at that after the last
        OneCycle(rise=0.38, divisor=10, final_divisor=50),
        optax.cosine_onecycle_schedule(49, 1.0, 18.5 / 49, 10, 50),
    ),
    "warm-up, stable, linear fall": (
        WarmupStableDecay(warmup=10, cooldown=0.3, power=1, floor=0.2),
        optax.join_schedules([optax.linear_schedule(0.1, 1.0, 9), optax.linear_schedule(1.0, 0.2, 15)], [35]),
    ),
    "warm-up, stable, cosine fall": (
        Warmup(FlatCosine(start=25, floor=0.2), length=10),
        optax.join_schedules([optax.linear_schedule(0.1, 1.0, 9), optax.cosine_decay_schedule(1.0, 15, 0.2)], [35]),
    ),
    "flat cosine": (
        FlatCosine(),
        optax.join_schedules([optax.constant_schedule(1.0), optax.cosine_decay_schedule(1.0, 25)], [25]),
    ),
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
        (MultiStep(milestones=(3,), factor=0.1), 4, [1, 1, 1, 0.1]),
        (InverseTime(every=3, growth=1), 5, [1, 0.75, 0.6, 0.5, 0.4286]),
        (ByEpoch(InverseTime(every=1, growth=1), epochs=2), 6, [1, 1, 1, 0.5]),
        (Polynomial(power=2), 5, [1, 0.64, 0.36, 0.16, 0.04, 0, 0]),
        (CosineRestarts(period=3, multiplier=2), 9, [1, 0.75, 0.25, 1, 0.933]),
    ],
    ids=["step", "exponential", "cosine", "multi-step", "inverse", "staircase", "polynomial", "restarts"],
)
def test_the_sequences_of_the_large_libraries(schedule, horizon, expected):
    """The sequences that PyTorch, Optax and Keras share: after the end of a cosine Optax and Keras, for a milestone
    PyTorch and Optax, inverse time (with its staircase) Keras alone."""
    np.testing.assert_allclose(schedule(np.arange(len(expected)), horizon), expected, atol=6e-4)


# Recorded from PyTorch 2.13.0: the rate of each step, the highest rate being 1. schedule, horizon, rates.
PYTORCH = {
    "MultiStepLR(milestones=[3, 5, 11], gamma=0.3)": (
        MultiStep(milestones=(3, 5, 11), factor=0.3),
        16,
        "1 1 1 0.3 0.3 0.09 0.09 0.09 0.09 0.09 0.09 0.027 0.027 0.027 0.027 0.027",
    ),
    "PolynomialLR(total_iters=12, power=2.5)": (
        Polynomial(power=2.5),
        12,
        "1.0 0.8045047225 0.6339381453 0.4871392896 0.3628873693 0.2598914457 0.1767766953 0.1120654903 "
        "0.0641500299 0.03125 0.0113402303 0.0020046884 0.0 0.0",
    ),
    "LinearLR(start_factor=1/3, end_factor=0.9, total_iters=11)": (
        Linear(start=1 / 3, end=0.9),
        11,
        "0.3333333333 0.3848484848 0.4363636364 0.4878787879 0.5393939394 0.5909090909 0.6424242424 "
        "0.6939393939 0.7454545455 0.796969697 0.8484848485 0.9 0.9",
    ),
    "CosineAnnealingWarmRestarts(T_0=3, T_mult=2, eta_min=0.1)": (
        CosineRestarts(period=3, multiplier=2, floor=0.1),
        21,
        "1.0 0.775 0.325 1.0 0.9397114317 0.775 0.55 0.325 0.1602885683 1.0 0.9846666218 0.9397114317 "
        "0.8681980515 0.775 0.6664685703 0.55 0.4335314297 0.325 0.2318019485 0.1602885683 0.1153333782",
    ),
    "OneCycleLR(total_steps=20, pct_start=0.35, div_factor=10, final_div_factor=50)": (
        OneCycle(rise=0.35, divisor=10, final_divisor=50),
        20,
        "0.1 0.1602885683 0.325 0.55 0.775 0.9397114317 1.0 0.9854999669 0.9428425568 0.8745068633 "
        "0.7844643086 0.6779478386 0.5611478034 0.4408521966 0.3240521614 0.2175356914 0.1274931367 "
        "0.0591574432 0.0165000331 0.002",
    ),
    "CyclicLR(base_lr=0.2, step_size_up=4, mode=triangular)": (
        Cyclic(period=8, floor=0.2),
        20,
        "0.2 0.4 0.6 0.8 1 0.8 0.6 0.4 0.2 0.4 0.6 0.8 1 0.8 0.6 0.4 0.2 0.4 0.6 0.8",
    ),
    "CyclicLR(base_lr=0.2, step_size_up=3, step_size_down=5, mode=triangular2)": (
        Cyclic(period=8, peak=3 / 8, floor=0.2, decay=0.5),
        24,
        "0.2 0.4666666667 0.7333333333 1.0 0.84 0.68 0.52 0.36 0.2 0.3333333333 0.4666666667 0.6 0.52 0.44 "
        "0.36 0.28 0.2 0.2666666667 0.3333333333 0.4 0.36 0.32 0.28 0.24",
    ),
}


@pytest.mark.parametrize("name", PYTORCH)
def test_a_schedule_agrees_with_pytorch(name):
    """The rates are those that PyTorch was recorded to give, to the ten digits that were written down."""
    schedule, horizon, text = PYTORCH[name]
    rates = [float(rate) for rate in text.split()]
    np.testing.assert_allclose(schedule(np.arange(len(rates)), horizon), rates, atol=1e-10)


def test_where_the_restarts_of_a_cosine_end():
    """A cycle that begins before the horizon runs to its end, then the rate stays low: PyTorch begins a new one."""
    factors = CosineRestarts(period=3, multiplier=2)(np.arange(30), 9)
    np.testing.assert_array_equal(factors[9:], 0)
    cut = CosineRestarts(period=3, multiplier=2)(np.arange(30), 10)
    assert cut[9] == 1
    np.testing.assert_allclose(cut[9:22], (1 + np.cos(np.pi * np.arange(13) / 12)) / 2, atol=1e-15)
    np.testing.assert_array_equal(cut[21:], 0)


@pytest.mark.parametrize("horizon", [7, 70, 1000, 12_345])
def test_the_default_restarts_fill_the_horizon(horizon):
    """Cycles of a seventh, two sevenths and four sevenths are three, whatever the rounding of a seventh."""
    starts, lengths = CosineRestarts().cycles(horizon)
    np.testing.assert_allclose(starts, [0, horizon / 7, 3 * horizon / 7], atol=1e-6)
    np.testing.assert_allclose(lengths, [horizon / 7, 2 * horizon / 7, 4 * horizon / 7], atol=1e-6)
    assert CosineRestarts()(horizon, horizon) == pytest.approx(0, abs=1e-12)


def test_one_cycle_is_not_that_of_optax():
    """With the same shares of the same horizon Optax has its top and its end one step later than PyTorch and Slalom."""
    theirs = optax.cosine_onecycle_schedule(20, 1.0, 0.35, 10, 50)
    mine = OneCycle(rise=0.35, divisor=10, final_divisor=50)
    assert (np.argmax([theirs(t) for t in range(20)]), np.argmax(mine(np.arange(20), 20))) == (7, 6)
    assert theirs(19) > 0.01
    assert mine(19, 20) == pytest.approx(1 / 500)


def test_the_end_of_a_warm_up_stable_decay():
    """The fall begins at full rate at T − c, is 1 − √u, 1 − u or 1 − u² after it, and has its floor at T and later."""
    for power in (0.5, 1, 2):
        factors = WarmupStableDecay(warmup=0.1, cooldown=0.25, power=power, floor=0.1)(np.arange(250), 200)
        np.testing.assert_allclose(factors[:20], np.arange(1, 21) / 20)
        np.testing.assert_array_equal(factors[20:151], 1)
        u = np.arange(51) / 50
        np.testing.assert_allclose(factors[150:201], 0.1 + 0.9 * (1 - u**power), rtol=1e-12)
        np.testing.assert_array_equal(factors[200:], 0.1)


def test_a_fall_longer_than_the_horizon_is_all_there_is():
    """A horizon shorter than the cool-down begins with the full rate and falls all the way."""
    factors = WarmupStableDecay(warmup=0, cooldown=100, power=1)(np.arange(6), 4)
    np.testing.assert_array_equal(factors, [1, 0.75, 0.5, 0.25, 0, 0])


def test_the_waves_of_cos_log():
    """The tops and the bottoms of wave i are where 1 + 15 t / T is 2^(i + 1/2) and 2^i, and it is a cosine between."""
    horizon = 15 * 2**20
    bottoms = [(2**i - 1) * 2**20 for i in range(5)]
    tops = [round((2 ** (i + 0.5) - 1) * 2**20) for i in range(4)]
    np.testing.assert_allclose(CosLog()(np.array(bottoms), horizon), 0, atol=1e-12)
    np.testing.assert_allclose(CosLog()(np.array(tops), horizon), 1, atol=1e-12)
    quarter = round((2**2.25 - 1) * 2**20)
    np.testing.assert_allclose(CosLog()(quarter, horizon), 0.5, atol=1e-6)
    np.testing.assert_allclose(CosLog()(np.array([horizon, 2 * horizon]), horizon), 0, atol=1e-12)


def test_the_inverse_of_the_time_is_an_equation():
    """The factor's inverse grows by the growth in every so many steps, on and on."""
    for every, steps in ((40, 40), (0.2, 40)):
        factors = InverseTime(every=every, growth=0.7)(np.arange(500), 200)
        np.testing.assert_allclose(1 / factors, 1 + 0.7 * np.arange(500) / steps, rtol=1e-14)
