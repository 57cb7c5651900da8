"""The laws that every feature scaler of the registry keeps."""

import json
import subprocess
import sys
from dataclasses import fields

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
# What else than the values of the column matters to some: all others answer the same in every unit, with every zero.
UNIT_MATTERS = {scaling.NoScaling, scaling.Sigmoid, scaling.Power}
ZERO_MATTERS = UNIT_MATTERS | {scaling.MaxAbs}
# Where a run of equal values ends on a quantile, rounding decides on which side of it, as in scikit-learn; where it
# reaches over both quartiles, the robust scaling keeps the column's unit, as in scikit-learn.
TIES_MATTER = {scaling.QuantileNormal, scaling.Robust}
OWN_CONSTANT = {scaling.NoScaling, scaling.Sigmoid, scaling.MaxAbs}  # their value of a constant column is its own

few = settings(derandomize=True, deadline=None, database=None, max_examples=40)
columns = arrays(np.float64, st.tuples(st.integers(1, 60), st.just(1)), elements=st.integers(-1000, 1000).map(float))
targets = arrays(np.float64, st.tuples(st.integers(1, 60), st.just(1)), elements=st.floats(-1e6, 1e6))
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


def lost(cls, x, train=None):
    """What the way back from the scaled units may lose of cells x [N, 1] inside the training rows, in their unit."""
    own = {
        scaling.QuantileNormal: 2e-6,  # within a probability of 1e-7 of an end lies the end
        scaling.ZScoreSigmoid: 1e-11,  # it loses digits as eᵘ, and u is below 8 in 60 rows
        scaling.Power: 1e-10,
    }
    train = x if train is None else train
    given = own.get(cls, 1e-14) * np.ptp(train) + 1e-14 * np.abs(train).max() + 1e-300
    if cls is scaling.RobustClip:  # it loses digits as (u / clip)²
        scaler = cls.fit(train)
        bend = ((x - scaler.centre) / scaler.spread / scaler.clip) ** 2
        given = given + np.where(bend > 1e15, np.inf, 1e-15 * bend * np.abs(x - scaler.centre))
    if cls is scaling.Sigmoid:  # above 36 z is nearly or wholly 1; below -708 it is no normal number
        given = given + np.where((x < -708) | (x > 36), np.inf, 1e-15 * np.exp(np.clip(x, 0, 36)))
    return given


def assert_equal_scalers(one, other):
    for field in fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


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
    assert (np.abs(scaler.inverse(scaler(x)) - x) <= lost(cls, x)).all()


@EACH_SCALER
@few
@given(y=targets, at=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_a_target_comes_back(cls, y, at):
    """A target [N, 1] and predictions anywhere inside its range come back from the scaled units."""
    scaler = cls.fit(y)
    inside = np.clip(y.min() + np.array(at)[:, None] * np.ptp(y), y.min(), y.max())
    for x in (y, inside):
        assert (np.abs(scaler.inverse(scaler(x)) - x) <= lost(cls, x, train=y)).all()


def test_a_probability_below_zero(monkeypatch):
    """Where rounding (it differs by processor) leads F a digit below 0, z is the end, not missing."""
    y = np.array([[7.9e-271], [0.0], *[[1.9e-98]] * 17])
    interp = np.interp

    def rounded_down(x, xp, fp):
        return interp(x, xp, fp) + (2e-17 if fp[0] == -1 else 0.0)

    monkeypatch.setattr(np, "interp", rounded_down)
    scaler = scaling.REGISTRY["quantile_normal"].fit(y)
    assert scaler(y)[0, 0] == scaler(y)[1, 0] < -5.19


@EACH_SCALER
@few
@given(x=columns, unit=units, other=columns)
def test_order_is_kept(cls, x, unit, other):
    """Of two cells of a column, whether in the training rows or not, the larger is never the smaller one afterwards."""
    both = np.unique(np.vstack([x, other]))[:, None] * unit[0]
    z = cls.fit(x * unit[0])(both)
    assert (np.diff(z, axis=0) >= -1e-13 * np.abs(z[1:])).all()


@EACH_SCALER
@few
@given(x=columns, unit=units, flip=st.booleans())
def test_units_do_not_matter(cls, x, unit, flip):
    """In another unit, with another zero or another sign the scaled column is the same (with the other sign)."""
    x = np.unique(x)[:, None] if cls in TIES_MATTER else x
    other = (x + (0.0 if cls in ZERO_MATTERS else unit[1])) * (1.0 if cls in UNIT_MATTERS else unit[0])
    z = cls.fit(x)(x)
    np.testing.assert_allclose(cls.fit(other)(other), z, rtol=1e-8, atol=1e-8)
    if flip:
        flipped = cls.fit(-other)(-other)
        middle = cls.fit([[-1.0], [1.0]])([[0.0]])[0, 0]  # 0, but for ranges that do not lie around it
        if not is_constant(x):
            # The search for a power ends at a relative step of 1e-8, and z follows it over some tens of σ.
            close = 1e-5 if cls is scaling.Power else 1e-8
            np.testing.assert_allclose(flipped, 2 * middle - z, rtol=close, atol=close)


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
def test_the_numbers_of_a_race_are_the_scaler_in_float32(cls):
    """A program that applies them in float32 to rows stored in float32 answers as the scaler does: to five roundings
    (2⁻²⁴ each) of the two numbers whose difference it takes."""
    train, others = table(seed=0), 3 * table(seed=1)
    scaler, base = cls.fit(train), scaling.RobustClip.fit(train)
    race = scaler.in_race()
    if race is None:
        return
    stored = np.float32((others - base.centre) / base.spread)
    centre = np.float32((race.centre - base.centre) / base.spread)
    factor = np.float32(base.spread / race.spread)
    u = (stored - centre) * factor
    z = u / np.sqrt(1 + np.float32(0 if np.isinf(race.clip) else 1 / race.clip**2) * u * u)
    assert z.dtype == np.float32
    bound = 5 * 2.0**-24 * (np.abs(stored) + np.abs(centre)) * factor
    assert (np.abs(z - scaler(others)) <= bound).all()


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
    if present.any():
        assert np.ptp(z[present]) <= 4 * np.spacing(max(abs(value), 1))
        here = x[present][:, None]
        assert (np.abs(scaler.inverse(z)[present][:, None] - here) <= lost(cls, here)).all()
    if cls is not scaling.NoScaling:
        assert (np.abs(z[present]) <= 1 + 4e-16).all()
    if cls not in OWN_CONSTANT:
        assert (np.abs(z[present] - cls.fit([[0.0]])([[0.0]])[0, 0]) <= 4 * np.spacing(abs(value))).all()
    beyond = scaler([[value + 1], [value - 1], [np.nan]])
    assert beyond[0] > beyond[1] or cls is scaling.Sigmoid
    assert np.isnan(beyond[2])
    if cls not in {scaling.NoScaling, scaling.MaxAbs}:
        assert (np.abs(beyond[:2]) <= 5.2).all()
    if scaler.in_race() is not None and cls is not scaling.MaxAbs:
        assert scaler.in_race().spread == 1


@EACH_SCALER
@pytest.mark.parametrize("value", [0.1, -3.0, 1e9])
def test_a_spread_above_rounding_is_data(cls, value):
    """Steps of 20 units in the last place are told apart by scalers that look at differences; nothing is infinite."""
    x = (value + np.spacing(abs(value)) * np.arange(0.0, 200.0, 20.0))[:, None]
    scaler = cls.fit(x)
    z = scaler(x)
    if cls not in ZERO_MATTERS - {scaling.Power}:
        assert not is_constant(x)
        assert (np.diff(z, axis=0) > 0).all()
        assert 0.3 <= np.ptp(z) <= 11  # 0.5 ± 0.2 under a sigmoid, ± 5.2 under quantiles
    assert (np.abs(scaler.inverse(z) - x) <= lost(cls, x)).all()
    assert np.isfinite(z).all()


@EACH_SCALER
def test_a_single_row_can_be_fitted(cls):
    """One training row is a table of constant columns."""
    row = np.array([[0.1, -1e9, 0.0, np.nan]])
    scaler = cls.fit(row)
    if cls is not scaling.Sigmoid:  # saturated at -1e9
        np.testing.assert_allclose(scaler.inverse(scaler(row)), row)
    if cls not in OWN_CONSTANT:
        np.testing.assert_array_equal(scaler(row), np.array([[0, 0, 0, np.nan]]) + cls.fit([[0.0]])([[0.0]]))


@EACH_SCALER
def test_two_values_one_unit_apart_keep_it_at_any_offset(cls):
    """A spread of 1 is seen at an offset of 2⁴⁹, where float64 has little more."""
    near = np.array([[0.0], [1.0], [2.0], [4.0]])
    far = near + 2.0**49
    if cls not in ZERO_MATTERS:
        np.testing.assert_allclose(cls.fit(far)(far), cls.fit(near)(near), atol=0.1)


@EACH_SCALER
def test_what_came_in_another_type_is_its_float64_copy(cls):
    """float32, whole numbers and truth values are scaled as their float64 copies, at any offset: 1e9 ± 1 in float32,
    whose steps are 64 there, is a constant column, and 1e9 ± 1000 keeps every step it came with."""
    random = np.random.default_rng(6)
    near, wide = 1e9 + random.normal(size=50), 1e9 + 1000 * random.normal(size=50)
    for x in (
        np.column_stack([near, wide, random.normal(size=50)]).astype(np.float32),
        random.integers(-5, 10**9, (50, 2)),
        random.integers(0, 2, (50, 2)).astype(bool),
    ):
        scaler, exact = cls.fit(x), cls.fit(x.astype(np.float64))
        assert_equal_scalers(scaler, exact)
        np.testing.assert_array_equal(scaler(x), exact(x.astype(np.float64)))
        assert scaler(x).dtype == np.float64
        assert_equal_scalers(scaler, cls.fit(x.tolist()))
    near, wide = near.astype(np.float32)[:, None], wide.astype(np.float32)[:, None]
    assert np.ptp(cls.fit(near)(near)) == 0
    if cls not in ZERO_MATTERS - {scaling.Power}:
        assert len(np.unique(cls.fit(wide)(wide))) == len(np.unique(wide))


@EACH_SCALER
def test_a_column_that_is_missing_throughout_spoils_no_other(cls):
    """Beside a column without a value the others are scaled as without it, and the inverse leaves it missing."""
    x = np.column_stack([np.full(200, np.nan), table()])
    scaler, alone = cls.fit(x), cls.fit(table())
    np.testing.assert_array_equal(scaler(x)[:, 1:], alone(table()))
    assert np.isnan(scaler.inverse(scaler(x))[:, 0]).all()
    assert np.isfinite(scaler(np.zeros((1, 6)))[0, 0])


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
