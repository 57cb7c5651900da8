"""The laws that every learning-rate schedule of the registry keeps: alone, behind a warm-up, by epoch."""

import tomllib
from dataclasses import fields

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import schedules
from slalom.errors import SlalomError
from slalom.record import from_plain, numbers_of, settings_of, to_plain, within
from slalom.schedules import ByEpoch, Custom, MultiStep, PiecewiseConstant, Warmup
from slalom.schedules.base import in_steps

EACH_SCHEDULE = pytest.mark.parametrize("cls", schedules.REGISTRY.values(), ids=schedules.REGISTRY.keys())
FRONTS = {
    "plain": lambda schedule: schedule,
    "warm 3": lambda schedule: Warmup(schedule, 3),
    "warm 0.1": lambda schedule: Warmup(schedule, 0.1),
    "4 epochs": lambda schedule: ByEpoch(schedule, 4),
}
EACH_FRONT = pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
# These begin with a climb of their own; every other schedule begins with the full rate.
CLIMBS = ("warmup_stable_decay", "one_cycle", "cyclic", "coslog")
EACH_HORIZON = pytest.mark.parametrize("horizon", [1, 2, 7, 70, 1000])
EACH_SETTING = pytest.mark.parametrize(
    ("cls", "name"),
    [(cls, name) for cls in [*schedules.REGISTRY.values(), Warmup, ByEpoch] for name in settings_of(cls)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
EACH_NUMBERS = pytest.mark.parametrize(
    ("cls", "name"),
    [(cls, name) for cls in schedules.REGISTRY.values() for name in numbers_of(cls)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)


def unusual(cls):
    """A schedule of which no field has its default value."""
    single = {
        name: next(v for v in (0.125, 1.5, 5.0) if within(v, about["interval"]) and v != about["default"])
        for name, about in settings_of(cls).items()
    }
    return cls(**single, **{name: tuple(v / 2 for v in about["default"]) for name, about in numbers_of(cls).items()})


@EACH_SCHEDULE
@EACH_FRONT
@EACH_HORIZON
def test_the_factor_lies_between_0_and_1(cls, front, horizon):
    """The factor is a number in [0, 1] at every step, and twice as long as the horizon."""
    factors = front(cls())(np.arange(2 * horizon + 2), horizon)
    assert factors.dtype == np.float64
    assert factors.shape == (2 * horizon + 2,)
    assert np.isfinite(factors).all()
    assert (factors >= 0).all()
    assert (factors <= 1).all()


@pytest.mark.parametrize("name", [name for name in schedules.REGISTRY if name not in CLIMBS])
@EACH_HORIZON
def test_the_first_step_has_the_full_rate(name, horizon):
    """Without a warm-up the first factor is exactly 1."""
    assert schedules.REGISTRY[name]()(0, horizon) == 1


@pytest.mark.parametrize("name", CLIMBS)
def test_a_schedule_with_a_climb_of_its_own_reaches_the_full_rate(name):
    """A schedule that begins below the full rate has it later, to a thousandth where no step is exactly at the top."""
    factors = schedules.REGISTRY[name]()(np.arange(1000), 1000)
    assert factors[0] <= 0.1
    assert factors.max() == pytest.approx(1, abs=1e-3)


@EACH_SCHEDULE
@EACH_FRONT
def test_no_horizon_at_all_is_defined(cls, front):
    """A horizon of 0 steps divides nothing by 0."""
    assert 0 <= front(cls())(0, 0) <= 1


@EACH_SCHEDULE
@EACH_FRONT
@EACH_HORIZON
def test_an_array_of_steps_is_a_loop_over_them(cls, front, horizon):
    """NumPy steps give what single steps give, and to the last bit what any part of them or another type gives."""
    schedule = front(cls())
    steps = np.arange(horizon + 2)
    alone = [float(schedule(int(t), horizon)) for t in steps]
    together = schedule(steps, horizon)
    # NumPy takes powers of arrays and of numbers differently; 1 less a power has the error of the power
    np.testing.assert_allclose(together, alone, rtol=5e-16, atol=3e-16)
    np.testing.assert_array_equal(schedule(steps.astype(np.int32), horizon), together)
    np.testing.assert_array_equal(schedule(steps.astype(float), horizon), together)
    np.testing.assert_array_equal(schedule(steps[1:], horizon), together[1:])
    np.testing.assert_array_equal(schedule(steps[: horizon // 2], horizon), together[: horizon // 2])


@EACH_SCHEDULE
@EACH_FRONT
@pytest.mark.parametrize("horizon", [7, 70])
def test_a_traced_step_gives_the_same_factor(cls, front, horizon):
    """Under jit, in float32, the factor is the host's: falls come at the same step, and no branch is NaN."""
    schedule = front(cls())
    steps = np.arange(2 * horizon)
    with jax.debug_nans(True):
        traced = jax.jit(lambda t: schedule(t, horizon))(jnp.asarray(steps))
    assert traced.dtype == jnp.float32
    np.testing.assert_allclose(traced, schedule(steps, horizon), rtol=2e-5, atol=1e-6)


@EACH_SCHEDULE
def test_optax_takes_it_as_a_function_of_the_step(cls):
    """A function of the step alone is what Optax multiplies its rate by."""
    rule = optax.sgd(lambda t: 0.5 * cls()(t, 5))
    state, update = rule.init(jnp.ones(())), jax.jit(rule.update)
    for step in range(7):
        move, state = update(jnp.ones(()), state)
        np.testing.assert_allclose(move, -0.5 * cls()(step, 5), rtol=2e-5, atol=1e-6)


def test_falls_come_at_the_same_step_in_every_arithmetic():
    """A step schedule falls at whole multiples of its time on the host, eagerly and under jit, for any length."""
    for every in (1, 3, 7, 41, 49, 55, 0.1, 0.3, 0.35, 0.7):
        schedule = schedules.Step(every=every, factor=0.5)
        steps, length = np.arange(140), in_steps(every, 70)
        counted = [sum(t >= k * length for k in range(1, 150)) for t in range(140)]
        traced = jax.jit(lambda t, schedule=schedule: schedule(t, 70))(jnp.asarray(steps))
        np.testing.assert_array_equal(schedule(steps, 70), 0.5 ** np.array(counted))
        np.testing.assert_allclose(traced, 0.5 ** np.array(counted), rtol=1e-6, atol=1e-37)


@settings(derandomize=True, deadline=None, database=None, max_examples=200)
@given(horizon=st.integers(2, 10**6), data=st.data())
def test_a_fraction_of_the_horizon_is_its_steps(horizon, data):
    """The fraction k/T of T steps is k steps exactly, so that both ways of writing a time give one schedule."""
    steps = data.draw(st.integers(1, horizon - 1))
    assert in_steps(steps / horizon, horizon) == steps
    assert in_steps(steps, horizon) == steps


@EACH_SETTING
@pytest.mark.parametrize("value", ["below", "above", float("nan"), True, "0.5"])
def test_a_wrong_setting_is_named_in_a_sentence(cls, name, value):
    """A setting outside its interval is refused with where, what was wanted and what came."""
    interval = settings_of(cls)[name]["interval"]
    low, high = (float(end) for end in interval.strip("[]()").split(","))
    value = {"below": low - 1, "above": high + 1}.get(value, value)
    wanted = f"in {interval}" if type(value) is float else f"a number in {interval}"
    wrapped = {"schedule": schedules.Constant()} if cls in (Warmup, ByEpoch) else {}
    with pytest.raises(SlalomError) as raised:
        cls(**wrapped, **{name: value})
    assert str(raised.value) == f"{cls.__name__}({name}=…) must be {wanted}. Got {value!r}."


@EACH_NUMBERS
def test_wrong_numbers_are_named_in_a_sentence(cls, name):
    """What is no list, or has a number outside the interval or out of order, is refused with all that was wanted."""
    about = numbers_of(cls)[name]
    wanted = f"a list of numbers in {about['interval']}"
    wanted += ", each greater than the one before it" if about["increasing"] else ""
    good = about["default"]
    cases = [
        0.5,
        "half",
        "",
        "0.1;0.2",
        "0.1, nan",
        None,
        ("0.5",),
        (True,),
        (*good, -1.0),
        (float("nan"), *good),
        (*good, float("inf")),
        (good,),
    ]
    cases += [good[::-1], (good[0], *good)] if about["increasing"] else []
    for value in cases:
        with pytest.raises(SlalomError) as raised:
            cls(**{name: value})
        assert str(raised.value) == f"{cls.__name__}({name}=…) must be {wanted}. Got {value!r}."


def test_numbers_may_be_a_list_or_a_text():
    """A tuple, a list and the text of one cell of a table are the same milestones."""
    kept = MultiStep(milestones=(50, 125.5))
    assert (
        MultiStep(milestones=[50, 125.5])
        == MultiStep(milestones="50, 125.5")
        == MultiStep(milestones="50,125.5")
        == kept
    )
    assert MultiStep(milestones=[]).milestones == ()


def test_milestones_are_all_fractions_or_all_steps():
    """Whether 0.5 or 100 comes first depends on the horizon: a list of both has no order."""
    with pytest.raises(SlalomError) as raised:
        MultiStep(milestones=(0.5, 100))
    assert str(raised.value) == (
        "MultiStep(milestones=…) must be all fractions of the horizon (below 1) or all steps. Got (0.5, 100)."
    )


def test_there_is_one_factor_more_than_there_are_boundaries():
    """The two lists of a table must fit each other."""
    with pytest.raises(SlalomError) as raised:
        PiecewiseConstant(boundaries=(0.5,), factors=(1, 0.5, 0.1))
    assert str(raised.value) == (
        "PiecewiseConstant(factors=…) must be 2 numbers, one more than the boundaries. Got (1, 0.5, 0.1)."
    )


@pytest.mark.parametrize("cls", [*schedules.REGISTRY.values(), Warmup, ByEpoch, Custom], ids=lambda cls: cls.__name__)
def test_the_docstring_names_every_setting(cls):
    """Every setting is explained where the formula stands, and there is an example."""
    for field in fields(cls):
        assert field.name in cls.__doc__
    assert ">>> " in cls.__doc__


@EACH_SCHEDULE
def test_plain_data_and_back(cls):
    """A schedule is its name and its settings, and comes back from them."""
    schedule = unusual(cls)
    assert all(getattr(schedule, field.name) != field.default for field in fields(cls))
    plain = to_plain(schedule, schedules.REGISTRY)
    assert tomllib.loads(tomli_w.dumps(plain)) == plain
    again = from_plain("schedule", plain, schedules.REGISTRY)
    assert again == schedule
    assert hash(again) == hash(schedule)


@EACH_SCHEDULE
@EACH_FRONT
@EACH_HORIZON
def test_the_factor_lies_between_0_and_1_with_other_settings(cls, front, horizon):
    """With settings far from the defaults, too, the factor is a number in [0, 1], and under jit the same."""
    schedule, steps = front(unusual(cls)), np.arange(2 * horizon + 2)
    factors = schedule(steps, horizon)
    assert ((factors >= 0) & (factors <= 1)).all()
    if horizon == 70:
        traced = jax.jit(lambda t: schedule(t, horizon))(jnp.asarray(steps))
        np.testing.assert_allclose(traced, factors, rtol=2e-5, atol=2e-6)


@EACH_SCHEDULE
@pytest.mark.parametrize("length", [1, 2, 5, 49])
def test_a_warm_up_is_a_climb_and_then_the_schedule(cls, length):
    """w steps climb to the full rate by equal parts; the rest is the schedule over the steps that are left."""
    schedule, steps = Warmup(cls(), length), np.arange(60)
    factors = schedule(steps, 50)
    np.testing.assert_array_equal(factors[:length], np.arange(1, length + 1) / length)
    np.testing.assert_array_equal(factors[length:], cls()(np.arange(60 - length), 50 - length))
    assert factors[length - 1] == 1


@EACH_SCHEDULE
def test_a_warm_up_of_no_length_is_none(cls):
    """A length of 0, or of less than one step, leaves the schedule as it is."""
    steps = np.arange(12)
    for length in (0, 0.05):
        np.testing.assert_array_equal(Warmup(cls(), length)(steps, 10), cls()(steps, 10))


@EACH_SCHEDULE
@pytest.mark.parametrize("horizon", [1, 4, 10])
def test_a_horizon_within_the_warm_up_is_all_climb(cls, horizon):
    """A training that ends before its warm-up ends on the climb, below the full rate."""
    np.testing.assert_array_equal(Warmup(cls(), 10)(np.arange(horizon), horizon), np.arange(1, horizon + 1) / 10)


def test_a_warm_up_stands_before_a_function_too():
    """Any function of step and horizon can be wrapped, and is never asked about a time before its own beginning."""
    seen = []
    Warmup(lambda step, horizon: seen.extend([step.min(), horizon]) or step, 5)(np.arange(4), 3)
    assert min(seen) == 0
    factors = Warmup(lambda step, horizon: 1 / (1 + step / horizon), 2)(np.arange(4), 4)
    np.testing.assert_allclose(factors, [0.5, 1, 1, 1 / 1.5])


# --- by epoch ---------------------------------------------------------------------------------------------------------


@EACH_SCHEDULE
def test_by_epoch_is_the_schedule_of_the_epochs(cls):
    """All steps of an epoch have the factor that the schedule gives to the number of the epoch."""
    by_step = ByEpoch(cls(), 12)(np.arange(12 * 7 + 14), 12 * 7)
    np.testing.assert_array_equal(by_step, np.repeat(cls()(np.arange(14.0), 12), 7))


@pytest.mark.parametrize("horizon", [1, 5, 60, 97, 1000, 39_200])
@pytest.mark.parametrize("epochs", [1, 3, 7, 60, 200])
def test_an_epoch_begins_at_its_first_step(horizon, epochs):
    """Epoch k begins with the first step that is at or after k T / E, in whole numbers, on the host and under jit."""
    clock = ByEpoch(lambda epoch, epochs: epoch, epochs)
    steps = np.arange(2 * horizon)
    exact = [t * epochs // horizon for t in range(2 * horizon)]
    np.testing.assert_array_equal(clock(steps, horizon), exact)
    np.testing.assert_array_equal(jax.jit(lambda t: clock(t, horizon))(jnp.asarray(steps)), exact)


def test_a_warm_up_by_epoch_and_by_step():
    """Inside, a warm-up climbs by epochs; outside, by steps, and the epochs are those of the steps that are left."""
    steps = np.arange(20)
    inside = ByEpoch(Warmup(schedules.Constant(), 2), 4)(steps, 20)
    np.testing.assert_array_equal(inside, [0.5] * 5 + [1] * 15)
    outside = Warmup(ByEpoch(schedules.Step(every=1, factor=0.5), 4), 4)(steps, 20)
    np.testing.assert_array_equal(outside, [0.25, 0.5, 0.75] + [1] * 5 + [0.5] * 4 + [0.25] * 4 + [0.125] * 4)


# --- functions --------------------------------------------------------------------------------------------------------


def test_any_function_is_a_schedule():
    """A function of the step, or of step and horizon, is asked for whole numbers one by one and may use `if`."""
    seen = []
    own = Custom(lambda t: seen.append(t) or (1 if t < 3 else 0.25))
    np.testing.assert_array_equal(own(np.arange(5), 5), [1, 1, 1, 0.25, 0.25])
    assert seen == [0, 1, 2, 3, 4]
    assert {type(t) for t in seen} == {int}
    np.testing.assert_array_equal(Custom(lambda t, horizon: 1 - t / horizon)(np.arange(4), 4), [1, 0.75, 0.5, 0.25])
    np.testing.assert_array_equal(Custom(lambda t, k=2: 1 / (1 + t / k))(np.arange(3), 99), [1, 1 / 1.5, 0.5])
    np.testing.assert_array_equal(Custom(lambda t, horizon=None: t / horizon)(np.arange(3), 2), [0, 0.5, 1])
    assert Custom(lambda t: 3)(7, 10) == 3


def test_a_function_stands_behind_a_warm_up_and_by_epoch():
    """A function can be wrapped as every schedule can."""
    seen = []
    own = Custom(lambda t: seen.append(t) or (0.5 if t else 1.0))
    np.testing.assert_array_equal(Warmup(own, 2)(np.arange(5), 5), [0.5, 1, 1, 0.5, 0.5])
    np.testing.assert_array_equal(ByEpoch(own, 2)(np.arange(5), 4), [1, 1, 0.5, 0.5, 0.5])
    assert {type(t) for t in seen} == {int}


def test_a_function_of_jax_is_traced():
    """A traced step reaches the function as it is."""
    own = Custom(lambda t, horizon: jnp.exp(-t / horizon))
    np.testing.assert_allclose(jax.jit(lambda t: own(t, 4))(jnp.arange(3)), np.exp(-np.arange(3) / 4), rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Custom(0.5), "Custom(function=…) must be a function of the step, or of step and horizon. Got 0.5."),
        (
            lambda: Custom(lambda a, b, c: 1),
            "Custom(function=…) must be a function of the step, or of step and horizon.",
        ),
        (lambda: Custom(lambda: 1), "Custom(function=…) must be a function of the step, or of step and horizon."),
        (
            lambda: Custom(lambda t: -0.5)(3, 5),
            "What Custom(function=…) answers must be a finite number, 0 or more, at step 3. Got -0.5.",
        ),
        (
            lambda: Custom(lambda t: float("nan"))(np.arange(3), 5),
            "What Custom(function=…) answers must be a finite number, 0 or more, at step 0. Got nan.",
        ),
        (
            lambda: Custom(lambda t: None)(3, 5),
            "What Custom(function=…) answers must be a finite number, 0 or more, at step 3. Got None.",
        ),
        (
            lambda: to_plain(Custom(abs), schedules.REGISTRY),
            "Custom is not registered: it has no name to be written under.",
        ),
    ],
    ids=["number", "three", "none", "negative", "nan", "nothing", "plain"],
)
def test_what_is_no_schedule_is_named_in_a_sentence(make, sentence):
    """What is no function, no factor or nothing to be written down is refused in a sentence."""
    with pytest.raises(SlalomError) as raised:
        make()
    assert str(raised.value) == sentence
