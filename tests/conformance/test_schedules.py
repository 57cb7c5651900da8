"""The laws that every learning-rate schedule of the registry keeps, with and without a warm-up in front."""

import importlib
from dataclasses import fields
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import schedules
from slalom.errors import SlalomError
from slalom.record import from_plain, settings_of, to_plain
from slalom.schedules import Warmup
from slalom.schedules.base import in_steps

EACH_SCHEDULE = pytest.mark.parametrize("cls", schedules.REGISTRY.values(), ids=schedules.REGISTRY.keys())
EACH_FRONT = pytest.mark.parametrize("warmup", [None, 3, 0.1], ids=["plain", "warm 3", "warm 0.1"])
EACH_HORIZON = pytest.mark.parametrize("horizon", [1, 2, 7, 70, 1000])
EACH_SETTING = pytest.mark.parametrize(
    ("cls", "name"),
    [(cls, name) for cls in [*schedules.REGISTRY.values(), Warmup] for name in settings_of(cls)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)


def fronted(cls, warmup):
    """The schedule at its defaults, alone or behind a warm-up."""
    return cls() if warmup is None else Warmup(cls(), warmup)


def test_the_registry_is_the_folder():
    """Every file of the folder is one schedule of the registry, under its own name, or wraps one."""
    files = {file.stem for file in Path(schedules.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert set(schedules.REGISTRY) <= files
    for name, cls in schedules.REGISTRY.items():
        assert cls.__module__ == f"slalom.schedules.{name}"
        assert cls.__name__ in schedules.__all__
    for name in files - set(schedules.REGISTRY):
        module = importlib.import_module(f"slalom.schedules.{name}")
        (cls,) = [c for c in vars(module).values() if getattr(c, "__module__", "") == module.__name__]
        assert "schedule" in {field.name for field in fields(cls)}
        assert cls.__name__ in schedules.__all__


@EACH_SCHEDULE
@EACH_FRONT
@EACH_HORIZON
def test_the_factor_lies_between_0_and_1(cls, warmup, horizon):
    """The factor is a number in [0, 1] at every step, and twice as long as the horizon."""
    factors = fronted(cls, warmup)(np.arange(2 * horizon + 2), horizon)
    assert factors.dtype == np.float64
    assert factors.shape == (2 * horizon + 2,)
    assert np.isfinite(factors).all()
    assert (factors >= 0).all()
    assert (factors <= 1).all()


@EACH_SCHEDULE
@EACH_HORIZON
def test_the_first_step_has_the_full_rate(cls, horizon):
    """Without a warm-up the first factor is exactly 1."""
    assert cls()(0, horizon) == 1


@EACH_SCHEDULE
@EACH_FRONT
def test_no_horizon_at_all_is_defined(cls, warmup):
    """A horizon of 0 steps divides nothing by 0."""
    assert 0 <= fronted(cls, warmup)(0, 0) <= 1


@EACH_SCHEDULE
@EACH_FRONT
@EACH_HORIZON
def test_an_array_of_steps_is_a_loop_over_them(cls, warmup, horizon):
    """NumPy steps give what single steps give, and to the last bit what any part of them or another type gives."""
    schedule = fronted(cls, warmup)
    steps = np.arange(horizon + 2)
    alone = [float(schedule(int(t), horizon)) for t in steps]
    together = schedule(steps, horizon)
    np.testing.assert_allclose(together, alone, rtol=5e-16)  # NumPy takes powers of arrays and of numbers differently
    np.testing.assert_array_equal(schedule(steps.astype(np.int32), horizon), together)
    np.testing.assert_array_equal(schedule(steps.astype(float), horizon), together)
    np.testing.assert_array_equal(schedule(steps[1:], horizon), together[1:])
    np.testing.assert_array_equal(schedule(steps[: horizon // 2], horizon), together[: horizon // 2])


@EACH_SCHEDULE
@EACH_FRONT
@pytest.mark.parametrize("horizon", [7, 70])
def test_a_traced_step_gives_the_same_factor(cls, warmup, horizon):
    """Under jit, in float32, the factor is the host's: falls come at the same step."""
    schedule = fronted(cls, warmup)
    steps = np.arange(2 * horizon)
    traced = jax.jit(lambda t: schedule(t, horizon))(jnp.asarray(steps))
    assert traced.dtype == jnp.float32
    np.testing.assert_allclose(traced, schedule(steps, horizon), rtol=2e-5, atol=1e-6)


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
    wrapped = {"schedule": schedules.Constant()} if cls is Warmup else {}
    with pytest.raises(SlalomError) as raised:
        cls(**wrapped, **{name: value})
    assert str(raised.value) == f"{cls.__name__}({name}=…) must be {wanted}. Got {value!r}."


@pytest.mark.parametrize("cls", [*schedules.REGISTRY.values(), Warmup], ids=lambda cls: cls.__name__)
def test_the_docstring_names_every_setting(cls):
    """Every setting is explained where the formula stands, and there is an example."""
    for field in fields(cls):
        assert field.name in cls.__doc__
    assert ">>> " in cls.__doc__


@EACH_SCHEDULE
def test_plain_data_and_back(cls):
    """A schedule is its name and its settings, and comes back from them."""
    schedule = cls(**dict.fromkeys(settings_of(cls), 0.125))
    assert from_plain("schedule", to_plain(schedule, schedules.REGISTRY), schedules.REGISTRY) == schedule


@EACH_SCHEDULE
@pytest.mark.parametrize("length", [1, 2, 5, 49])
def test_a_warm_up_is_a_climb_and_then_the_schedule(cls, length):
    """w steps climb to the full rate by equal parts; the rest is the schedule over the steps that are left."""
    schedule, steps = Warmup(cls(), length), np.arange(60)
    factors = schedule(steps, 50)
    np.testing.assert_array_equal(factors[:length], np.arange(1, length + 1) / length)
    np.testing.assert_array_equal(factors[length:], cls()(np.arange(60 - length), 50 - length))
    assert factors[length - 1] == factors[length] == 1


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
