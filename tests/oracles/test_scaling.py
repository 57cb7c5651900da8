"""Scalers against scikit-learn and SciPy (against the lessons' numbers: test_worked_examples.py)."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from slalom.errors import SlalomError
from slalom.scaling import (
    MaxAbs,
    MinMax,
    Power,
    QuantileNormal,
    Robust,
    RobustClip,
    Sigmoid,
    ZScore,
    ZScoreSigmoid,
)
from slalom.scaling import power as power_file


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
    "max_abs": (MaxAbs, {}, MaxAbsScaler()),
    "robust": (Robust, {}, RobustScaler()),
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


@pytest.mark.parametrize(
    ("cls", "theirs"),
    [
        (Sigmoid, FunctionTransformer(expit, logit, check_inverse=False)),
        (ZScoreSigmoid, make_pipeline(StandardScaler(), FunctionTransformer(expit, logit, check_inverse=False))),
    ],
)
def test_the_sigmoids_are_expit_and_logit(cls, theirs):
    """1 / (1 + e⁻ˣ), of the cells or of their z-scores, and its inverse between 0 and 1; both are stored variants."""
    train, others = tables()
    train, others = np.delete(train, 3, axis=1), np.delete(others, 3, axis=1)  # 1e6 saturates
    mine, theirs = cls.fit(train), theirs.fit(train)
    np.testing.assert_allclose(mine(others), theirs.transform(others), rtol=1e-12)
    z = np.random.default_rng(1).uniform(0.001, 0.999, others.shape)
    np.testing.assert_allclose(mine.inverse(z), theirs.inverse_transform(z), rtol=1e-9, atol=1e-12)
    assert mine.in_race() is None


@pytest.mark.parametrize("cls", [Sigmoid, ZScoreSigmoid])
def test_a_sigmoid_at_its_ends(cls):
    """z is exactly 1 above 36.8 and 0 below -746; the way back loses digits as eˣ, and is infinite from an end on."""
    scaler = cls.fit([[-1.0], [1.0]])  # mean 0, standard deviation 1
    x = np.array([[36.8], [np.inf], [-746.0], [-np.inf], [1e300]])
    np.testing.assert_array_equal(scaler(x), [[1], [1], [0], [0], [1]])
    assert scaler([[36.0]]) < 1
    assert scaler([[-700.0]]) > 0
    back = scaler.inverse([[1.0], [0.0], [1.5], [-0.5], [np.inf], [0.5]])
    np.testing.assert_array_equal(back, np.array([[np.inf], [-np.inf], [np.inf], [-np.inf], [np.inf], [0.0]]))
    x = np.linspace(-700, 35, 400)[:, None]
    assert (np.abs(scaler.inverse(scaler(x)) - x) <= 2.0**-52 * (np.exp(x) + np.abs(x) + 1)).all()
    error = np.abs(scaler.inverse(scaler(x)) - x)[-20:].max()
    assert error > 1e-3  # it does lose them


def test_max_abs_of_zeros_and_of_one_value():
    """Zeros stay zeros; a constant column becomes its sign, as in scikit-learn; a tiny unit is a unit."""
    x = np.array([[0.0, 7.0, -0.1, 2e-20], [0.0, 7.0, -0.1, -1e-20]])
    scaler = MaxAbs.fit(x)
    np.testing.assert_array_equal(scaler(x)[:, :3], [[0, 1, -1], [0, 1, -1]])
    np.testing.assert_array_equal(scaler(x)[:, :3], MaxAbsScaler().fit_transform(x)[:, :3])
    np.testing.assert_array_equal(scaler(x)[:, 3], [1, -0.5])
    assert MaxAbsScaler().fit_transform(x)[0, 3] == 2e-20  # below 10 eps scikit-learn sees 0, whatever the unit
    np.testing.assert_array_equal(MaxAbs.fit([[0.0], [5e-324]]).in_race().spread, [1.0])


def test_robust_without_a_quartile_distance():
    """Where the quartiles are equal a column keeps its unit, as in scikit-learn; `robust_clip` takes half its range."""
    x = np.array([[0.0], [5.0], [5.0], [5.0], [5.0], [25.0]])
    np.testing.assert_array_equal(Robust.fit(x)(x), RobustScaler().fit_transform(x))
    np.testing.assert_array_equal(Robust.fit(x)(x), x - 5)
    jitter = x + np.array([[0], [0], [1e-15], [2e-15], [0], [0]])  # the quartiles differ in the last digit only
    np.testing.assert_allclose(Robust.fit(jitter)(jitter), x - 5, atol=1e-14)
    assert RobustClip.fit(x).spread == 12.5


def test_robust_and_unit_variance():
    """scikit-learn's unit_variance multiplies by the quartile distance of a standard normal distribution, 1.349."""
    x = np.random.default_rng(4).normal(size=(500, 2))
    theirs = RobustScaler(unit_variance=True).fit_transform(x)
    np.testing.assert_allclose(theirs, Robust.fit(x)(x) * (stats.norm.ppf(0.75) - stats.norm.ppf(0.25)), rtol=1e-12)
    assert stats.norm.ppf(0.75) - stats.norm.ppf(0.25) == pytest.approx(1.349, abs=1e-4)


# --- powers ----------------------------------------------------------------------------------------------------------


def yeo_johnson(x, power):
    """ψ as it stands in the paper, cell by cell."""
    if x >= 0:
        return math.log(1 + x) if power == 0 else ((1 + x) ** power - 1) / power
    return -math.log(1 - x) if power == 2 else -((1 - x) ** (2 - power) - 1) / (2 - power)


def skewed(rows=800):
    """Columns with powers on both sides of 0 and 2, and of both signs; by name."""
    random = np.random.default_rng(8)
    n = random.normal(size=(8, rows))
    return {
        "normal": n[0],
        "log-normal": np.exp(2 * n[1]),
        "minus log-normal": -np.exp(n[2]),
        "log-normal beyond 0": np.exp(n[3]) - 2,
        "gamma": random.gamma(2, size=rows),
        "few values": random.integers(0, 3, rows).astype(float),
        "years": 1990 + 30 * random.beta(4, 2, size=rows),
        "millions": 1e6 * np.exp(n[4]),
        "heavy tails": np.sinh(2 * n[5]),
        "an outlier": np.append(n[6, 1:], 1e9),
    }


@pytest.mark.parametrize("name", skewed())
def test_the_power_is_scikit_learns_and_scipys(name):
    """λ and z are scikit-learn's and SciPy's, for training rows, other rows and the way back, up to the step at which
    the search for λ ends."""
    x = skewed()[name][:, None]
    mine, theirs = Power.fit(x[:600]), PowerTransformer().fit(x[:600])
    span = np.ptp(np.sign(x) * np.log1p(np.abs(x)))
    assert abs(mine.power[0] - theirs.lambdas_[0]) * span < 1e-5
    assert abs(mine.power[0] - stats.yeojohnson(x[:600, 0])[1]) * span < 1e-5
    z = theirs.transform(x)
    np.testing.assert_allclose(mine(x), z, rtol=1e-5, atol=1e-5)
    inside = z[:600]
    np.testing.assert_allclose(mine.inverse(inside), x[:600], rtol=1e-5, atol=1e-5 * np.ptp(x[:600]))
    assert mine(x[:600]).mean() == pytest.approx(0, abs=1e-9)
    assert mine(x[:600]).std() == pytest.approx(1, rel=1e-12)
    assert mine.in_race() is None


@pytest.mark.parametrize("power", [-1.5, 0.0, 1e-9, 0.7, 1.0, 2.0, 2.0 - 1e-9, 3.5])
@pytest.mark.parametrize("centre", [-2.0, 0.0, 0.3, 5.0])
def test_a_power_is_the_papers_formula(power, centre):
    """Between any centre and any x, of either sign, for every power: (ψ(x) − ψ(c)) / ψ′(c), and back."""
    x = np.array([-9.0, -2.0, -0.5, 0.0, 0.25, 1.0, 5.0, 30.0])
    slope = (1 + abs(centre)) ** ((power - 1) * (1 if centre >= 0 else -1))
    expected = [(yeo_johnson(value, power) - yeo_johnson(centre, power)) / slope for value in x]
    scaler = Power(np.array([power]), np.array([centre]), np.array([2.5]))
    # near 0 and 2 the paper's own form loses digits: 1e-16 / 1e-9
    near = 1e-6 if power in (1e-9, 2.0 - 1e-9) else 1e-12
    np.testing.assert_allclose(scaler(x[:, None])[:, 0] * 2.5, expected, rtol=near, atol=near)
    np.testing.assert_allclose(scaler.inverse(scaler(x[:, None]))[:, 0], x, rtol=1e-11, atol=1e-11)


def test_the_way_back_ends_at_the_bound_of_a_power():
    """For λ < 0 z stays below a bound, for λ > 2 above one: there and beyond it the inverse is infinite, and the other
    side goes on. scikit-learn answers NaN, or a number on the wrong side, as whether 1 / λ is whole or not."""
    scaler = Power(np.array([-0.5, 2.5]), np.zeros(2), np.ones(2))
    np.testing.assert_allclose(scaler([[1e300, -1e300], [np.inf, -np.inf]]), [[2, -2], [2, -2]])
    back = scaler.inverse([[2.0, -2.0], [7.0, -7.0], [np.inf, -np.inf], [1.0, -1.0], [np.nan, np.nan]])
    expected = [[np.inf, -np.inf]] * 3 + [[3.0, -3.0], [np.nan, np.nan]]
    np.testing.assert_allclose(back, expected, rtol=1e-12)
    np.testing.assert_allclose(scaler.inverse(scaler([[-1e6, 1e6]])), [[-1e6, 1e6]], rtol=1e-12)
    theirs = PowerTransformer(standardize=False).fit([[0.0], [1.0]])
    theirs.lambdas_ = np.array([-0.5])
    assert theirs.inverse_transform([[7.0]]) < 0
    theirs.lambdas_ = np.array([-0.7])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is NaN is told in other words by each version
        assert np.isnan(theirs.inverse_transform([[7.0]]))


def test_a_power_stays_where_the_way_back_has_digits():
    """Rare ones among zeros want λ near -100 and counts with many zeros -2, from where scikit-learn's way back loses
    the digits or is infinite. Here λ stops before; two values look the same under every power."""
    random = np.random.default_rng(0)
    rare = (random.random(2000) < 0.02).astype(float)[:, None]
    counts = np.where(random.random(2000) < 0.9, 0, np.exp(3 * random.normal(size=2000) + 5)).round()[:, None]
    for x, lost in ((rare, 0.01), (counts, 1e-7)):
        mine, theirs = Power.fit(x), PowerTransformer().fit(x)
        assert theirs.lambdas_[0] < mine.power[0] < 0
        assert np.abs(mine.inverse(mine(x)) - x).max() < 1e-10 * np.ptp(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            back = theirs.inverse_transform(theirs.transform(x))
        assert not np.abs(back - x).max() < lost * np.ptp(x)
    np.testing.assert_allclose(Power.fit(rare)(rare), PowerTransformer().fit_transform(rare), rtol=1e-9)


@pytest.mark.parametrize("offset", [1e9, -1e9, 1e12])
def test_a_power_far_from_zero_is_the_z_score(offset):
    """Of an offset column no power bends anything: λ is 1, where scikit-learn's is rounding noise."""
    x = offset + np.random.default_rng(3).gamma(2, size=(500, 1))
    assert Power.fit(x).power == 1
    np.testing.assert_allclose(Power.fit(x)(x), ZScore.fit(x)(x), atol=4 * np.spacing(abs(offset)))


@pytest.mark.parametrize("size", [1e-290, 1e-12, 1e30, 1e150, 9e299])
def test_a_power_of_extreme_units(size):
    """Tiny and huge columns of either sign or both are bent without overflow, in order, with the way back."""
    n = np.random.default_rng(5).normal(size=400)
    for x in (n / 4, np.exp(n) / 30, -np.exp(n) / 30):
        x = size * np.clip(x, -1, 1)[:, None]
        scaler = Power.fit(x)
        z = scaler(x)
        assert np.isfinite([scaler.power, scaler.centre, scaler.spread, [z.min()], [z.max()]]).all()
        assert (np.diff(z[x[:, 0].argsort()], axis=0) >= 0).all()
        assert np.std(z) == pytest.approx(1, rel=1e-9)
        assert np.abs(scaler.inverse(z) - x).max() <= 1e-10 * np.ptp(x)


def test_a_power_of_many_rows_is_sought_on_some(monkeypatch):
    """Beyond its number of rows the search looks at evenly spaced ranks, which moves z by less than a hundredth, and
    the mean and the spread are still those of all rows."""
    x = np.random.default_rng(6).gamma(2, size=(20_000, 1))
    exact = Power.fit(x)
    monkeypatch.setattr(power_file, "ROWS", 2000)
    near = Power.fit(x)
    assert 0 < np.abs(near(x) - exact(x)).max() < 0.01
    assert near(x).mean() == pytest.approx(0, abs=1e-9)
    assert near(x).std() == pytest.approx(1, rel=1e-12)
    assert Power.fit(np.append(np.zeros(20_000), [1.0, 7.0])[:, None]).power == 1  # which no rank meets


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
