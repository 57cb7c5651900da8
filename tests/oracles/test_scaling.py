"""Scalers against scikit-learn, and against the lessons' numbers."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

from slalom.errors import SlalomError
from slalom.scaling import MinMax, NoScaling, QuantileNormal, RobustClip, ZScore

WORKED = json.loads((Path(__file__).parents[1] / "worked_examples.json").read_text())


def tables():
    """Training rows and others: normal, skewed, few values, huge offset, and missing cells; some rows lie outside."""
    random = np.random.default_rng(5)
    normal = random.normal(size=(4, 700))
    x = np.column_stack(
        [normal[0], np.exp(2 * normal[1]), random.integers(0, 4, 700), 1e6 + normal[2], random.integers(0, 2, 700)]
    )
    x[random.random(x.shape) < 0.05] = np.nan
    return x[:600], 1.2 * x[600:]


SKLEARN = {
    "z_score": (ZScore, {}, StandardScaler()),
    "min_max": (MinMax, {}, MinMaxScaler()),
    "min_max to -1, 3": (MinMax, {"low": -1, "high": 3}, MinMaxScaler((-1, 3))),
    "quantile_normal": (QuantileNormal, {}, QuantileTransformer(n_quantiles=20, output_distribution="normal")),
}


@pytest.mark.parametrize("name", SKLEARN)
def test_a_scaler_agrees_with_scikit_learn(name):
    """Training rows, other rows and the way back agree with scikit-learn to 1e-9."""
    cls, settings, theirs = SKLEARN[name]
    train, others = tables()
    mine, theirs = cls.fit(train, **settings), theirs.fit(train)
    for x in (train, others):
        np.testing.assert_allclose(mine(x), theirs.transform(x), rtol=1e-9, atol=1e-9)
        z = 1.1 * theirs.transform(x)
        np.testing.assert_allclose(mine.inverse(z), theirs.inverse_transform(z), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("rows", "expected"), [(2, 2), (9, 9), (10, 10), (299, 10), (360, 12), (30030, 1000)])
def test_the_number_of_quantiles(rows, expected):
    """A quantile for every 30 rows, at least 10 and at most 1000, and never more than rows."""
    x = np.random.default_rng(1).normal(size=(rows, 1))
    mine = QuantileNormal.fit(x)
    assert mine.quantiles.shape == (expected, 1)
    theirs = QuantileTransformer(n_quantiles=expected, output_distribution="normal", subsample=None).fit(x)
    np.testing.assert_allclose(mine(x), theirs.transform(x), rtol=1e-9, atol=1e-9)
    ends = np.array([[x.min()], [x.max()]])
    np.testing.assert_array_equal(mine(ends), theirs.transform(ends))
    np.testing.assert_array_equal(mine.inverse(mine(ends)), ends)


@pytest.mark.parametrize("clip", [3.0, 0.5])
def test_the_robust_clip_is_scikit_learns_with_a_bend(clip):
    """Median and quartiles are scikit-learn's RobustScaler; large values bend towards the clip, in order."""
    train, others = tables()
    train, others = train[:, :4], others[:, :4]  # of 0s and 1s the quartile range may be 0, where definitions differ
    theirs = RobustScaler().fit(train)
    for x in (train, others):
        u = theirs.transform(x)
        np.testing.assert_allclose(RobustClip.fit(train, clip=clip)(x), u / np.sqrt(1 + (u / clip) ** 2), rtol=1e-9)


def test_the_robust_clip_without_a_quartile_range():
    """Where the quartiles are equal half the range is the unit, as in RealMLP; the median may be any value."""
    x = np.array([[0.0], [5.0], [5.0], [5.0], [5.0], [25.0]])
    scaler = RobustClip.fit(x)
    assert (scaler.centre[0], scaler.spread[0]) == (5.0, 12.5)
    u = (x - 5) * 2 / 25
    np.testing.assert_allclose(scaler(x), u / np.sqrt(1 + (u / 3) ** 2), rtol=1e-14)
    jitter = x + np.array([[0], [0], [1e-15], [2e-15], [0], [0]])  # the quartiles differ in the last digit only
    np.testing.assert_allclose(RobustClip.fit(jitter)(jitter), scaler(x), atol=1e-14)


def test_the_robust_clip_at_its_bound():
    """Infinite and huge values lie on the bound; from the bound and beyond it the way back is infinite."""
    scaler = RobustClip.fit([[0.0], [1.0], [2.0], [3.0], [4.0]])
    np.testing.assert_array_equal(scaler([[np.inf], [-np.inf], [1e250], [-1e300]]), [[3.0], [-3.0], [3.0], [-3.0]])
    np.testing.assert_array_equal(
        scaler.inverse([[3.0], [-3.0], [7.0], [-7.0]]), np.array([[1], [-1], [1], [-1]]) * np.inf
    )
    assert 1e7 < scaler.inverse([[np.nextafter(3.0, 0)]])[0, 0] < 1e9
    unit = RobustClip.fit([[-1.0], [-0.5], [0.0], [0.5], [1.0]], clip=1)  # median 0, s = 1
    v = 1 - 2.0**-40
    assert unit.inverse([[v]])[0, 0] == pytest.approx(v / np.sqrt(2.0**-40 * (1 + v)), rel=1e-14)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e9, 1e12])
def test_the_z_score_keeps_the_digits_of_a_huge_offset(offset):
    """Mean and spread are right to the last digits, however far from 0 a column lies (against exact fractions)."""
    x = offset + np.random.default_rng(2).normal(size=(5000, 1))
    exact = [Fraction(value) for value in x[:, 0].tolist()]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / len(exact)
    scaler = ZScore.fit(x)
    assert abs(Fraction(scaler.mean[0]) - mean) <= np.spacing(offset + 1)
    assert scaler.spread[0] == pytest.approx(float(variance) ** 0.5, rel=1e-13)


def test_the_ends_of_a_range_are_in_order():
    """A target range whose ends are exchanged or equal is refused."""
    for low, high in ((1.0, 0.0), (0.5, 0.5)):
        with pytest.raises(SlalomError) as raised:
            MinMax.fit([[0.0], [1.0]], low=low, high=high)
        assert str(raised.value) == f"MinMax(high=…) must be above low = {low}. Got {high}."


# --- the lessons' numbers --------------------------------------------------------------------------------------------


def test_the_lessons_min_max():
    """Two columns to 0 and 1."""
    case = WORKED["minmax"]
    np.testing.assert_allclose(MinMax.fit(case["x"])(case["x"]), case["scaled"], rtol=1e-14)


def test_the_lessons_z_score():
    """Two columns by mean and standard deviation, which divides by the number of rows."""
    case = WORKED["zscore"]
    scaler = ZScore.fit(case["x"])
    np.testing.assert_allclose(scaler.mean, case["mean"], rtol=1e-14)
    np.testing.assert_allclose(scaler.spread, case["std"], atol=5e-9)
    for column in scaler(case["x"]).T:
        np.testing.assert_allclose(column, case["scaled_column"], atol=5e-9)


def test_the_lessons_heights_and_weights():
    """Centimetres and kilograms on one scale."""
    case = WORKED["height_weight_zscore"]
    np.testing.assert_allclose(ZScore.fit(case["x"])(case["x"]), case["scaled"], atol=5e-9)


@pytest.mark.parametrize(("name", "cls"), [("minmax", MinMax), ("zscore", ZScore)])
def test_the_lessons_outlier(name, cls):
    """An outlier squeezes the rest of its column under min-max, and stays visible under the z-score."""
    case = WORKED["outlier"]
    np.testing.assert_allclose(cls.fit(case["x"])(case["x"]), case[name], atol=5e-9)


def test_the_lessons_mismatched_units():
    """Min-max of X and y brings a fit's coefficients together, and its predictions go back to the target's unit."""
    case = WORKED["mismatched_units"]
    random = np.random.RandomState(24)

    def rows(n):
        features, noise = random.randn(n, 2), random.normal(size=(n, 1)) * 0.01
        return features, features @ [[200], [-1]] + 1 + noise

    def ones_beside(x):
        return np.column_stack([x, np.ones(len(x))])

    features, y = rows(1000)
    np.testing.assert_allclose(ones_beside(features)[:3], case["first_rows_before_units"], atol=5e-9)
    features *= [0.1, 10]
    raw = np.linalg.lstsq(ones_beside(NoScaling.fit(features)(features)), y)[0][:, 0]
    np.testing.assert_allclose(raw, case["lstsq_raw_units"], atol=5e-8)
    assert raw[0] / raw[1] == pytest.approx(case["ratio_of_coefficients_raw"], rel=1e-7)

    of_x, of_y = MinMax.fit(features), MinMax.fit(y)
    scaled = ones_beside(of_x(features))
    np.testing.assert_allclose(scaled[:3], case["minmax_first_rows"], atol=5e-9)
    w = np.linalg.lstsq(scaled, of_y(y))[0]
    np.testing.assert_allclose(w[:, 0], case["lstsq_after_minmax_of_x_and_y"], atol=5e-9)

    new, truth = rows(100)
    prediction = ones_beside(of_x(new * [0.1, 10])) @ w
    np.testing.assert_allclose(prediction[:5, 0], case["prediction_scaled_first5"], atol=5e-9)
    np.testing.assert_allclose(of_y.inverse(prediction)[:5, 0], case["prediction_in_units_first5"], atol=5e-8)
    np.testing.assert_allclose(truth[:5, 0], case["truth_first5"], atol=5e-8)
