"""The laws that every feature scaler of the registry keeps."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from slalom import scaling
from slalom.errors import SlalomError
from slalom.record import settings_of
from slalom.scaling.base import is_constant

EACH_SCALER = pytest.mark.parametrize("cls", scaling.REGISTRY.values(), ids=scaling.REGISTRY.keys())
EACH_SETTING = pytest.mark.parametrize(
    ("cls", "name"),
    [(cls, name) for cls in scaling.REGISTRY.values() for name in settings_of(cls)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
CHANGES_WITH_UNITS = {scaling.NoScaling}  # all others answer the same in every unit
# Where a run of equal values ends on a quantile, rounding decides on which side of it, as in scikit-learn.
TIES_ARE_ROUNDED = {scaling.QuantileNormal}

few = settings(derandomize=True, deadline=None, database=None, max_examples=60)
columns = arrays(np.float64, st.tuples(st.integers(1, 60), st.just(1)), elements=st.integers(-1000, 1000).map(float))
# Powers of two and whole numbers: the other unit is exact, so that only the scaler's own rounding is seen.
units = st.tuples(st.integers(-40, 40).map(lambda k: 2.0**k), st.sampled_from([0.0, 1.0, -1000.0, 2.0**20]))


def table(rows=200, seed=0):
    """Columns of every sort: normal, skewed, few values, huge offset, tiny unit; no missing cells."""
    random = np.random.default_rng(seed)
    normal = random.normal(size=(5, rows))
    return np.column_stack(
        [normal[0], np.exp(2 * normal[1]), random.integers(0, 3, rows), 1e9 + normal[3], 1e-12 * normal[4]]
    )


def odd_columns():
    """Columns that break naive formulas, by name; eight rows."""
    nan = np.nan
    return {
        "constant 0": np.zeros(8),
        "constant 0.1": np.full(8, 0.1),
        "constant 1e9": np.full(8, 1e9 + 0.3),
        "constant to the last digit": np.array([0.3, 0.1 + 0.2] * 4),
        "constant to the last digit, huge": np.array([1e15, np.nextafter(1e15, np.inf)] * 4),
        "constant, partly missing": np.array([nan, 0.1] * 4),
        "constant below all normal numbers": np.array([0.0, 5e-324] * 4),
        "missing throughout": np.full(8, nan),
    }


def assert_equal_scalers(one, other):
    for field in fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_the_registry_is_the_folder():
    """Every file of the folder is one scaler of the registry, under its own name."""
    files = {file.stem for file in Path(scaling.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert files == set(scaling.REGISTRY)
    for name, cls in scaling.REGISTRY.items():
        assert cls.__module__ == f"slalom.scaling.{name}"
        assert cls.__name__ in scaling.__all__


def test_no_scikit_learn_is_imported():
    """The scalers load without scikit-learn, which takes seconds."""
    code = "import sys, slalom.scaling; sys.exit('sklearn' in sys.modules or 'scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@EACH_SCALER
def test_a_row_depends_on_itself_and_the_training_rows(cls):
    """A row is scaled by the numbers of the fit, whatever other rows come with it, and no row is changed in place."""
    train, others = table(seed=0), table(seed=1)
    before = train.copy(), others.copy()
    scaler = cls.fit(train)
    assert_equal_scalers(scaler, cls.fit(train))
    np.testing.assert_array_equal(scaler(others)[:7], scaler(others[:7]))
    np.testing.assert_array_equal(scaler(np.vstack([train, others]))[200:], scaler(others))
    assert scaler(others[:0]).shape == (0, 5)
    assert scaler(others).dtype == scaler.inverse(scaler(others)).dtype == np.float64
    np.testing.assert_array_equal(before, (train, others))


@EACH_SCALER
def test_the_fit_does_not_see_the_order_of_rows(cls):
    """Shuffled training rows give the same scaler, up to rounding."""
    train = table()
    shuffled = np.random.default_rng(3).permutation(train)
    np.testing.assert_allclose(cls.fit(shuffled)(train), cls.fit(train)(train), rtol=1e-9, atol=1e-9)


@EACH_SCALER
@few
@given(x=columns, unit=units)
def test_the_inverse_goes_back(cls, x, unit):
    """Training rows come back from the scaled units, in every unit of the column."""
    x = x * unit[0] + unit[1] * unit[0]
    scaler = cls.fit(x)
    # The smooth clip loses digits as (u / clip)²; u is below 3e3 here.
    np.testing.assert_allclose(scaler.inverse(scaler(x)), x, rtol=1e-14, atol=1e-8 * np.ptp(x))


@EACH_SCALER
@few
@given(x=columns, unit=units, flip=st.booleans())
def test_units_do_not_matter(cls, x, unit, flip):
    """In another unit, with another zero or another sign the scaled column is the same (with the other sign)."""
    if cls in CHANGES_WITH_UNITS:
        return
    x = np.unique(x)[:, None] if cls in TIES_ARE_ROUNDED else x
    other = (x + unit[1]) * unit[0]
    z = cls.fit(x)(x)
    np.testing.assert_allclose(cls.fit(other)(other), z, rtol=1e-8, atol=1e-8)
    if flip:
        flipped = cls.fit(-other)(-other)
        middle = cls.fit([[-1.0], [1.0]])([[0.0]])[0, 0]  # 0, but for ranges that do not lie around it
        if not is_constant(x):
            np.testing.assert_allclose(flipped, 2 * middle - z, rtol=1e-8, atol=1e-8)


@EACH_SCALER
def test_the_numbers_of_a_race_are_the_scaler(cls):
    """Centre, spread and clip reproduce the scaler in float64, also beyond the training rows."""
    train, others = table(seed=0), 3 * table(seed=1)
    scaler = cls.fit(train)
    race = scaler.in_race()
    if race is None:
        return
    assert race.centre.shape == race.spread.shape == (5,)
    assert (race.spread > 0).all()
    u = (others - race.centre) / race.spread
    np.testing.assert_allclose(u / np.sqrt(1 + (u / race.clip) ** 2), scaler(others), rtol=1e-12, atol=1e-12)


@EACH_SETTING
def test_a_setting_reaches_the_race(cls, name):
    """The numbers of a race are the scaler's at other settings than the defaults, too."""
    about = settings_of(cls)[name]
    scaler = cls.fit(table(), **{name: about["default"] - 0.5})
    race = scaler.in_race()
    u = (table(seed=1) - race.centre) / race.spread
    given = scaler(table(seed=1))
    np.testing.assert_allclose(u / np.sqrt(1 + (u / race.clip) ** 2), given, rtol=1e-12, atol=1e-12)
    back = scaler.inverse(scaler(table()))
    assert (np.abs(back - table()) <= 1e-12 * np.abs(table()).max(axis=0)).all()
    assert np.abs(given - cls.fit(table())(table(seed=1))).max() > 0.01


@EACH_SCALER
@pytest.mark.parametrize("name", odd_columns())
def test_an_odd_column_is_harmless(cls, name):
    """A column without spread gives one small value on its rows, and the scale 1 beyond them; missing stays missing."""
    x = odd_columns()[name][:, None]
    scaler = cls.fit(x)
    z = scaler(x)
    present = ~np.isnan(x)
    value = np.nanmean(x) if present.any() else 0.0
    np.testing.assert_array_equal(np.isnan(z), ~present)
    assert np.ptp(z[present]) <= 4 * np.spacing(abs(value)) if present.any() else True
    np.testing.assert_allclose(scaler.inverse(z), x, rtol=1e-15, atol=1e-300)
    if cls not in CHANGES_WITH_UNITS:
        assert not (np.abs(z[present]) > 4 * np.spacing(abs(value))).any()
    beyond = scaler([[value + 1], [value - 1], [np.nan]])
    offset = value if cls in CHANGES_WITH_UNITS else 0.0
    assert (np.abs(beyond[:2] - offset) <= 5.2).all()
    assert beyond[0] > beyond[1]
    assert np.isnan(beyond[2])
    if scaler.in_race() is not None:
        assert scaler.in_race().spread == 1


@EACH_SCALER
def test_a_single_row_can_be_fitted(cls):
    """One training row is a table of constant columns."""
    row = np.array([[0.1, -1e9, 0.0, np.nan]])
    scaler = cls.fit(row)
    np.testing.assert_allclose(scaler.inverse(scaler(row)), row)
    if cls not in CHANGES_WITH_UNITS:
        np.testing.assert_array_equal(scaler(row), [[0, 0, 0, np.nan]])


@EACH_SCALER
def test_two_values_one_unit_apart_keep_it_at_any_offset(cls):
    """A spread of 1 is seen at an offset of 2⁴⁹, where float64 has little more."""
    near = np.array([[0.0], [1.0], [2.0], [4.0]])
    far = near + 2.0**49
    if cls not in CHANGES_WITH_UNITS:
        np.testing.assert_allclose(cls.fit(far)(far), cls.fit(near)(near), atol=0.1)


@EACH_SCALER
def test_missing_cells_are_ignored_and_handed_on(cls):
    """Missing cells change nothing in the fit, and stay missing in both directions."""
    train = table(rows=40)
    holes = np.vstack([train, np.full((1, 5), np.nan)])
    assert_equal_scalers(cls.fit(train), cls.fit(holes))
    scaler = cls.fit(train)
    x = table(rows=10, seed=1)
    x[::3, ::2] = np.nan
    np.testing.assert_array_equal(np.isnan(scaler(x)), np.isnan(x))
    np.testing.assert_array_equal(np.isnan(scaler.inverse(x)), np.isnan(x))


@EACH_SCALER
def test_a_scaler_is_stored_as_arrays_and_numbers(cls):
    """The fields go through safetensors and JSON and rebuild the scaler, bit for bit."""
    scaler = cls.fit(table())
    values = {field.name: getattr(scaler, field.name) for field in fields(scaler)}
    vectors = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    numbers = {name: value for name, value in values.items() if name not in vectors}
    assert all(vector.dtype == np.float64 and vector.flags.c_contiguous for vector in vectors.values())
    back = safetensors.numpy.load(safetensors.numpy.save(vectors)) | json.loads(json.dumps(numbers))
    rebuilt = cls(**back)
    np.testing.assert_array_equal(rebuilt(table(seed=1)), scaler(table(seed=1)))
    np.testing.assert_array_equal(rebuilt.inverse(scaler(table())), scaler.inverse(scaler(table())))


@EACH_SCALER
def test_a_wrong_table_is_named_in_a_sentence(cls):
    """What is not a table, or not the table of the fit, is refused with where, what was wanted and what came."""
    name = cls.__name__
    wanted = "must be a table of at least one row and one column: shape (rows, columns)."
    scaler = cls.fit(table())
    for fail, sentence in (
        (lambda: cls.fit([1.0, 2.0]), f"{name}.fit(x) {wanted} Got (2,)."),
        (lambda: cls.fit(np.empty((0, 3))), f"{name}.fit(x) {wanted} Got (0, 3)."),
        (lambda: cls.fit(np.empty((3, 0))), f"{name}.fit(x) {wanted} Got (3, 0)."),
        (
            lambda: cls.fit([[0.0, 1.0], [2.0, -np.inf]]),
            f"Column 1 of {name}.fit(x) must be missing (NaN) or between -1e+300 and 1e+300 in every row. Got -inf. "
            "Make such cells missing first.",
        ),
        (lambda: scaler([[1.0]]), f"{name}(x) must be a table with the 5 columns of the fit. Got (1, 1)."),
        (lambda: scaler.inverse([1.0]), f"{name}.inverse(z) must be a table with the 5 columns of the fit. Got (1,)."),
    ):
        with pytest.raises(SlalomError) as raised:
            fail()
        assert str(raised.value) == sentence


@EACH_SETTING
def test_a_wrong_setting_is_named_in_a_sentence(cls, name):
    """A setting outside its interval is refused when the scaler is fitted."""
    interval = settings_of(cls)[name]["interval"]
    for value in (float("nan"), float(interval.strip("[]()").split(",")[0]) - 1):
        with pytest.raises(SlalomError) as raised:
            cls.fit(table(), **{name: value})
        assert str(raised.value) == f"{cls.__name__}({name}=…) must be in {interval}. Got {value!r}."


@EACH_SCALER
def test_the_docstring_names_every_field(cls):
    """Every field is explained where the formula stands, and there is an example."""
    for field in fields(cls):
        assert field.name in cls.__doc__
    assert "z = " in cls.__doc__
    assert ">>> " in cls.__doc__
