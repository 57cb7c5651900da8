"""Intervals of runs: beside SciPy's where one part of the variance is alone, and on made runs with a known truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from slalom import statistics
from slalom.intervals import (
    Runs,
    clopper_pearson,
    difference,
    holm,
    mean_cost,
    means_of,
    of_rows,
    pulls,
    runs_of,
    two_way,
)
from slalom.metrics import METRICS, find_metric

RMSE = statistics.MEANS["rmse"]
NO_ROWS = np.zeros(50)


def predictions(rng, n, rows, *, seeds=0.02, own=0.1, worse=0.0):
    """Errors of n runs for the same rows of hardness z: (1 + worse + seeds · s) z + own · noise; the target is 0."""
    z = rng.standard_normal(rows)
    return z, [(1 + worse + seeds * rng.standard_normal()) * z + own * rng.standard_normal(rows) for _ in range(n)]


def test_seeds_alone_are_welchs_interval():
    """Without noise of rows the difference is Welch's t interval and test, as SciPy has them."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(1.0, 0.3, 10), rng.normal(0.7, 0.1, 8)
    found = difference(Runs(a, NO_ROWS), Runs(b, NO_ROWS))
    theirs = stats.ttest_ind(a, b, equal_var=False)
    ends = theirs.confidence_interval(0.95)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), rel=1e-9)
    assert found.freedom == pytest.approx(theirs.df, rel=1e-9)


def test_rows_alone_are_the_paired_interval():
    """Without noise of seeds the difference of mean absolute errors is SciPy's paired t interval over rows."""
    rng = np.random.default_rng(1)
    y, mae = np.zeros(80), statistics.MEANS["mae"]
    a, b = np.abs(rng.standard_normal(80)), np.abs(rng.standard_normal(80))
    found = difference(runs_of(mae, y, [a, a]), runs_of(mae, y, [b, b]))
    ends = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), rel=1e-6)


@pytest.mark.parametrize("name", ["rmse", "r2", "balanced_accuracy", "f1"])
def test_one_row_that_outweighs_all_others_keeps_the_interval(name):
    """A row of which the error is a hundred times all others', and a class of one row in 3,000, have finite pulls."""
    rng, means = np.random.default_rng(8), statistics.MEANS[name]
    y = np.zeros(3000)
    y[7] = 1e4 if name in ("rmse", "r2") else 1.0
    p = rng.random(3000) * 0.4
    p[7] = 0.9
    prediction = y * 0 + rng.standard_normal(3000) if name in ("rmse", "r2") else np.stack([1 - p, p], axis=1)
    found = pulls(means, means.rows(y, prediction))
    assert np.isfinite(found).all()
    assert np.isfinite(mean_cost(runs_of(means, y, [prediction, prediction * 1.0])).error)


def test_pinball_is_a_mean_over_rows_too():
    """The pinball loss of any quantile has pulls, and its cost is the metric's."""
    rng = np.random.default_rng(9)
    y, p = rng.standard_normal(200), rng.standard_normal(200)
    for name in ("pinball", "pinball:0.9"):
        metric = find_metric(name, "regression")
        means = means_of(metric)
        assert float(means.of(means.rows(y, p).mean(0))) == pytest.approx(metric.cost(y, p), rel=1e-12)
    assert means_of(find_metric("auc", "classification")) is None
    assert means_of(find_metric(lambda y, p: 0.0, "regression")) is None


def test_two_ways_take_classes_and_areas():
    """The bootstrap takes probabilities [N, C] and a cost that is undefined in some samples."""
    rng = np.random.default_rng(10)
    y = (rng.random(150) < 0.3).astype(float)
    sides = [[rng.dirichlet([2, 1], 150) * [1, 1 + gap * v] for v in (1, 1, 1)] for gap in (0.0, 0.0)]
    found = two_way(sides[0], sides[1], y, lambda y, p: statistics.area(y, p))
    assert np.isfinite(found.error)
    assert found.low < found.value < found.high
    assert math.isnan(two_way(sides[0], sides[1], np.zeros(150), lambda y, p: statistics.area(y, p)).error)


def test_all_three_parts_count():
    """The variance of a difference is the sum of its three parts, each of which makes it larger."""
    rng = np.random.default_rng(2)
    a, b = Runs(rng.normal(0, 1, 10), rng.normal(0, 3, 100)), Runs(rng.normal(0, 2, 10), rng.normal(0, 1, 100))
    by_hand = a.costs.var(ddof=1) / 10 + b.costs.var(ddof=1) / 10 + (a.rows - b.rows).var(ddof=1) / 100
    assert difference(a, b).error == pytest.approx(math.sqrt(by_hand), rel=1e-12)
    for without in ((Runs(a.costs * 0 + a.costs.mean(), a.rows), b), (a, Runs(b.costs * 0, b.rows)), (
        Runs(a.costs, NO_ROWS), Runs(b.costs, NO_ROWS)
    )):  # fmt: skip
        assert difference(*without).error < difference(a, b).error


@pytest.mark.parametrize("name", ["rmse", "mae", "r2", "log_loss", "accuracy", "balanced_accuracy", "f1"])
def test_pulls_are_what_leaving_a_row_out_does(name):
    """The pull of a row is N − 1 times what the cost falls by when the row is left out, to first order; their mean is
    0."""
    rng, means = np.random.default_rng(3), statistics.MEANS[name]
    classes = name not in ("rmse", "mae", "r2")
    y = rng.integers(0, 2, 4000).astype(float) if classes else rng.normal(0, 1, 4000)
    p = np.clip(0.3 * y + 0.35 + 0.2 * rng.standard_normal(4000), 0.01, 0.99)
    prediction = np.stack([1 - p, p], axis=1) if classes else y + 0.5 * rng.standard_normal(4000)
    rows = means.rows(y, prediction)
    found = pulls(means, rows)
    total, n = rows.sum(0), len(rows)
    left_out = float(means.of(total / n)) - means.of((total - rows) / (n - 1))
    assert np.abs(found - (n - 1) * left_out).max() < 0.01 * np.abs(found).max()
    assert abs(found.mean()) < 0.01 * found.std()


def test_intervals_cover_the_truth():
    """With ten seeds a side and 400 rows the 95 % interval of a difference that is 0 holds it 93 to 98 times in 100,
    and that of a mean cost holds the true one."""
    rng, hits, held = np.random.default_rng(4), 0, 0
    truth = np.mean([math.sqrt((1 + 0.02 * s) ** 2 + 0.01) for s in rng.standard_normal(200_000)])
    for _ in range(600):
        z = rng.standard_normal(400)
        sides = [
            [(1 + 0.02 * rng.standard_normal()) * z + 0.1 * rng.standard_normal(400) for _ in range(10)]
            for _ in range(2)
        ]
        a, b = (runs_of(RMSE, np.zeros(400), side) for side in sides)
        found, mean = difference(a, b), mean_cost(a)
        hits += found.low <= 0 <= found.high
        held += mean.low <= truth <= mean.high
    assert 0.93 <= hits / 600 <= 0.98
    assert 0.925 <= held / 600 <= 0.98


def test_what_goes_unseen_is_seen_in_eight_of_ten():
    """A true difference as large as `unseen` is told from 0 in about eight of ten comparisons."""
    rng = np.random.default_rng(5)
    sides = lambda gap: [Runs(gap * i + rng.normal(0, 1, 10), rng.normal(0, 0.1, 200)) for i in (1, 0)]  # noqa: E731
    gap = float(np.median([difference(*sides(0.0)).unseen() for _ in range(200)]))
    seen = np.mean([difference(*sides(gap)).p < 0.05 for _ in range(1000)])
    assert 0.75 < seen < 0.85


def test_two_ways_agree_with_the_formula():
    """For a cost that is a function of means the bootstrap of seeds and rows has the error of the formula, within what
    1,000 samples and the part that the formula counts twice allow."""
    rng = np.random.default_rng(6)
    z, a = predictions(rng, 10, 500, seeds=0.05)
    b = [(1 + 0.05 * rng.standard_normal()) * z + 0.1 * rng.standard_normal(500) for _ in range(10)]
    y = np.zeros(500)
    cost = lambda y, p: float(np.sqrt(np.mean((p - y) ** 2)))  # noqa: E731
    formula, sampled = difference(runs_of(RMSE, y, a), runs_of(RMSE, y, b)), two_way(a, b, y, cost)
    assert sampled.value == pytest.approx(formula.value, rel=1e-9)
    assert sampled.error == pytest.approx(formula.error, rel=0.12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_the_step_down_rule(ps):
    """A comparison is below 0.05 after the correction where, from the least p on, each was below 0.05 over the number
    of those that are left; and no p becomes smaller."""
    found = holm(ps)
    passed = []
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        if ps[i] * (len(ps) - rank) >= 0.05:
            break
        passed.append(i)
    assert {i for i, p in enumerate(found) if p < 0.05} == set(passed)
    assert all(after >= before for before, after in zip(ps, found, strict=True))


def test_what_was_not_compared_counts_in_holm():
    """A comparison without a result stays without one, and makes the others as strict as if it had one."""
    assert holm([0.02, math.nan])[0] == 0.04
    assert math.isnan(holm([0.02, math.nan])[1])


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_shares_have_scipys_exact_interval(counts):
    """Both ends are SciPy's exact interval; never and always have one end, at the whole level."""
    k, n = counts
    one_sided = k in (0, n)
    theirs = stats.binomtest(k, n).proportion_ci(0.9 if one_sided else 0.95, method="exact")
    assert clopper_pearson(k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_nothing_can_be_said_of_one_run():
    """One run a side has a difference and no interval; equal runs have one of no width."""
    one = Runs(np.array([1.0]), np.zeros(30))
    assert math.isnan(difference(one, one).low)
    same = Runs(np.array([1.0, 1.0]), np.zeros(30))
    assert difference(same, same)[:4] == (0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="at least one run"):
        runs_of(RMSE, np.zeros(3), [])
    with pytest.raises(ValueError, match="hits must be in"):
        clopper_pearson(4, 3)


@pytest.mark.parametrize(("name", "threshold"), [("rmse", 0.5), ("log_loss", 0.5), ("f1", 0.3), ("accuracy", 0.3)])
def test_intervals_over_rows_are_those_of_a_bootstrap(name, threshold):
    """The standard error of one prediction's cost is that over samples of the rows; decisions by a threshold
    are taken as they are; auc has none, nor have few rows."""
    draw = np.random.default_rng(3)
    n, metric = 800, METRICS[name]
    y = draw.normal(size=n)
    prediction = y + draw.normal(size=n)
    if name != "rmse":
        y = (prediction > 0.4).astype(float)
        p = 1 / (1 + np.exp(-(prediction + draw.normal(size=n))))
        prediction = np.stack([1 - p, p], axis=1)
    found = of_rows(metric, y, prediction, threshold)
    assert found.value == pytest.approx(metric.cost(y, prediction, threshold))
    samples = [draw.integers(n, size=n) for _ in range(1500)]
    costs = [metric.cost(y[rows], prediction[rows], threshold) for rows in samples]
    assert found.error == pytest.approx(np.std(costs), rel=0.1)
    assert found.low < found.value < found.high
    assert of_rows(metric, y[:29], prediction[:29]) is None
    if name != "rmse":
        assert of_rows(METRICS["auc"], y, prediction) is None
