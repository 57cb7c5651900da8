"""Intervals of runs: what several seeds on the same rows say of two recipes, of many comparisons, and of a share."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv, stdtr, stdtrit

from slalom.metrics import METRICS, Metric, decided, pinball
from slalom.statistics import FEWEST, MEANS, Means
from slalom.types import Array

LEVEL = 0.95
POWER = 0.8  # with which a difference that is called "unseen" would have been seen
RESAMPLES = 1000  # of seeds and rows together, at most
SECONDS = 5.0  # that they may take where a cost is slow
FEWEST_SAMPLES = 50
STEP = 1e-3  # of a row's own weight in the means, for the slope of a cost


class Runs(NamedTuple):
    """What runs of one recipe with different seeds left on the same rows.

    costs: [n] of each run on all rows. rows: [N] what each row pulls the mean cost up or down by, times N; its mean is
    0. Their variance over N is that of the mean cost, were other rows drawn.
    """

    costs: Array
    rows: Array


class Estimate(NamedTuple):
    """A mean or a difference with its interval: error is its standard error, freedom the degrees of the t interval, p
    the probability of one as far from 0 where there is none (NaN where nothing can be said)."""

    value: float
    low: float
    high: float
    error: float
    freedom: float
    p: float

    def at(self, level: float) -> "Estimate":
        """The same with the interval of another level."""
        half = float(stdtrit(self.freedom, (1 + level) / 2)) * self.error if np.isfinite(self.error) else np.nan
        return self._replace(low=self.value - half, high=self.value + half)

    def unseen(self, level: float = LEVEL) -> float:
        """The smallest difference that would be seen, at this level, in eight of ten such comparisons.

        (t(1 − α/2) + t(0.8)) · error
        """
        if not np.isfinite(self.error):
            return np.nan
        return float((stdtrit(self.freedom, (1 + level) / 2) + stdtrit(self.freedom, POWER)) * self.error)


def means_of(metric: Metric) -> Means | None:
    """The cost of a metric of Slalom's own as a function of means over rows; None where it is none (auc), or is not its
    own."""
    given = metric.of
    if given is pinball or (isinstance(given, partial) and given.func is pinball):
        quantile = given.keywords["quantile"] if isinstance(given, partial) else 0.5
        return Means(lambda y, p: np.maximum(quantile * (y - p), (quantile - 1) * (y - p))[:, None], _first)
    return MEANS.get(metric.name) if METRICS.get(metric.name) is metric else None


def _first(means: Array) -> Array:
    return means[..., 0]


def pulls(means: Means, contributions: Array) -> Array:
    """What each row [N, k] of a cost that is a function of means pulls it by: the empirical influence of the row.

        Iᵣ = d/dε of(m + ε (xᵣ − m)) at ε = 0,   by (of(m + h (xᵣ − m)) − of(m − h (xᵣ − m))) / 2h, h = 0.001 / N

    A row has the weight 1 / N in m, of which h is a thousandth: no mean changes its sign, however far off a row is.

    Source: Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6 (infinitesimal jackknife).

    >>> pulls(Means(lambda y, p: p, lambda m: m[..., 0]), np.array([[1.0], [2.0], [6.0]])).round(9).tolist()
    [-2.0, -1.0, 3.0]
    """
    centre, step = contributions.mean(0), STEP / len(contributions)
    away = step * (contributions - centre)
    with np.errstate(all="ignore"):
        return (means.of(centre + away) - means.of(centre - away)) / (2 * step)


def runs_of(means: Means, y: Array, predictions: Sequence[Array]) -> Runs:
    """Runs from the predictions of each for the same rows y [N]: [N] each, or probabilities [N, C].

    Raises ValueError without a prediction.
    """
    if not len(predictions):
        raise ValueError("predictions must hold those of at least one run.")
    costs, total = [], np.zeros(len(y))
    for prediction in predictions:
        rows = means.rows(y, prediction)
        with np.errstate(all="ignore"):
            costs.append(float(means.of(rows.mean(0))))
        total += pulls(means, rows)
    return Runs(np.array(costs), total / len(predictions))


def mean_cost(runs: Runs) -> Estimate:
    """The mean cost of runs, were other seeds and other rows drawn: a t interval.

    SE² = s² / n + s²(rows) / N
    """
    return _estimate(float(runs.costs.mean()), [_part(runs.costs), _part(runs.rows)])


def of_rows(metric: Metric, y: Array, prediction: Array, threshold: float = 0.5) -> Estimate | None:
    """The cost of one prediction for rows y, were other rows drawn: a t interval with SE² = s²(rows) / N; None below 30
    rows, and where the metric is no function of means over rows. threshold: as in `Metric.cost`.

    >>> found = of_rows(METRICS["mae"], np.zeros(100), np.tile([1.0, 3.0], 50))
    >>> round(found.value, 6), round(found.error, 6)
    (2.0, 0.100504)
    """
    means = means_of(metric)
    if means is None or len(y) < FEWEST:
        return None
    if metric.counted and threshold != 0.5:
        prediction = np.eye(prediction.shape[1])[decided(prediction, threshold)]
    rows = means.rows(y, prediction)
    with np.errstate(all="ignore"):
        return _estimate(float(means.of(rows.mean(0))), [_part(pulls(means, rows))])


def difference(first: Runs, second: Runs) -> Estimate:
    """The mean cost of the first runs less that of the second, both on the same rows, with its t interval.

        SE² = sₐ² / nₐ + s_b² / n_b + s²(rowsₐ − rows_b) / N,   degrees of freedom by Satterthwaite:
        ν = SE⁴ / Σ (partⱼ² / νⱼ),   νⱼ = nₐ − 1, n_b − 1, N − 1

    The rows are paired: what makes a row hard for both cancels. What a seed and a row have together is counted in two
    of the parts, so that the interval is a little too wide rather than too narrow.
    Source: Satterthwaite 1946, Biometrics Bulletin 2 (6); the three parts: docs/evidence.md.

    >>> a, b = Runs(np.array([3.0, 3.2]), np.array([1.0, -1.0])), Runs(np.array([2.0, 2.2]), np.array([1.0, -1.0]))
    >>> found = difference(a, b)
    >>> round(found.value, 6), round(found.error, 6), round(found.freedom, 6)
    (1.0, 0.141421, 2.0)
    """
    value = float(first.costs.mean() - second.costs.mean())
    return _estimate(value, [_part(first.costs), _part(second.costs), _part(first.rows - second.rows)])


def two_way(
    first: Sequence[Array], second: Sequence[Array], y: Array, cost: Callable[[Array, Array], float], *, seed: int = 0
) -> Estimate:
    """The same for a cost that is no function of means, such as the area under a curve, by a bootstrap of both ways.

    Each sample draws seeds of either side and rows with replacement, and takes the difference of the mean costs of
    those; its variance counts a seed's part (n − 1) / n times, which is put right. The interval is a t interval with
    the fewer of n − 1 degrees of freedom of both sides together, nₐ + n_b − 2.

    first, second: the predictions of each run for the rows y. 1,000 samples, or as many as five seconds allow, 50 at
    least. Samples without a finite cost are left out; NaN where
    that leaves fewer than half.
    """
    n_a, n_b, n = len(first), len(second), len(y)
    draw = np.random.default_rng([seed, n])
    mean = lambda runs, rows: float(np.mean([cost(y[rows], run[rows]) for run in runs]))  # noqa: E731
    everything = np.arange(n)
    value = mean(first, everything) - mean(second, everything)
    samples, began = [], time.perf_counter()
    for i in range(RESAMPLES):
        if i >= FEWEST_SAMPLES and time.perf_counter() - began > SECONDS:
            break
        rows = draw.integers(n, size=n)
        a, b = (_drawn_seeds(runs, draw) for runs in (first, second))
        samples.append(mean(a, rows) - mean(b, rows))
    found = np.array([sample for sample in samples if np.isfinite(sample)])
    if len(found) * 2 < len(samples) or min(n_a, n_b) < 2:
        return Estimate(value, *[np.nan] * 5)
    of_seeds = sum(float(np.var([cost(y, run) for run in runs])) / len(runs) for runs in (first, second))
    variance = float(found.var(ddof=1)) + of_seeds / (min(n_a, n_b) - 1)
    return _told(value, variance**0.5, n_a + n_b - 2.0)


def holm(ps: Sequence[float]) -> list[float]:
    """Probabilities of several comparisons, corrected so that in one of twenty such families at most there is a false
    one below 0.05.

        sorted upwards, p₍ᵢ₎ becomes max over j ≤ i of min(1, (m − j + 1) p₍ⱼ₎)

    Those that are NaN stay so and count as compared.
    Source: Holm 1979, Scandinavian Journal of Statistics 6 (2).

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    order = sorted(range(len(ps)), key=lambda i: (np.isnan(ps[i]), ps[i]))
    found, so_far = [np.nan] * len(ps), 0.0
    for rank, i in enumerate(order):
        if not np.isnan(ps[i]):
            found[i] = so_far = max(so_far, min(1.0, (len(ps) - rank) * float(ps[i])))
    return found


def clopper_pearson(hits: int, tries: int, level: float = LEVEL, *, both: bool = False) -> tuple[float, float]:
    """The exact interval of a share that was seen `hits` times in `tries`.

        low = B⁻¹(α; k, n − k + 1),   high = B⁻¹(1 − α; k + 1, n − k),   α = (1 − level) / 2

    Where it was never or always seen, only the other end says something: it is at the whole level, unless `both` ends
    are wanted alike, as for intervals that stand side by side. Then an interval holds the share at least as often as
    the level says; otherwise that holds for either end alone.

    Source: Clopper & Pearson 1934, Biometrika 26 (4).

    >>> [round(end, 2) for end in clopper_pearson(0, 10)], [round(end, 2) for end in clopper_pearson(5, 10)]
    ([0.0, 0.26], [0.19, 0.81])
    >>> [round(end, 2) for end in clopper_pearson(0, 10, both=True)]
    [0.0, 0.31]
    """
    if not 0 <= hits <= tries:
        raise ValueError(f"hits must be in [0, tries = {tries}]. Got {hits}.")
    if tries == 0:
        return 0.0, 1.0
    alpha = (1 - level) / (1 if hits in (0, tries) and not both else 2)
    low = float(betaincinv(hits, tries - hits + 1, alpha)) if hits else 0.0
    high = float(betaincinv(hits + 1, tries - hits, 1 - alpha)) if hits < tries else 1.0
    return low, high


def _drawn_seeds(runs: Sequence[Array], draw: np.random.Generator) -> list[Array]:
    return [runs[i] for i in draw.integers(len(runs), size=len(runs))]


def _part(values: Array) -> tuple[float, float]:
    """(variance of the mean of values, its degrees of freedom)."""
    n = len(values)
    return (float(np.var(values, ddof=1)) / n, n - 1.0) if n > 1 else (np.nan, np.nan)


def _estimate(value: float, parts: Sequence[tuple[float, float]]) -> Estimate:
    """A t interval from the parts of a variance, each with its degrees of freedom."""
    variance = sum(part for part, _ in parts)
    if not (np.isfinite(variance) and np.isfinite(value)):
        return Estimate(value, *[np.nan] * 5)
    if variance == 0:
        return Estimate(value, value, value, 0.0, np.inf, float(value == 0))
    return _told(value, variance**0.5, variance**2 / sum(part**2 / freedom for part, freedom in parts))


def _told(value: float, error: float, freedom: float) -> Estimate:
    if error == 0:
        return Estimate(value, value, value, 0.0, np.inf, float(value == 0))
    p = float(2 * stdtr(freedom, -abs(value) / error))
    return Estimate(value, np.nan, np.nan, error, freedom, p).at(LEVEL)
