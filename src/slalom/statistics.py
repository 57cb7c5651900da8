"""Statistics of two models on the same rows: the difference of their costs, with a bootstrap interval."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from slalom.types import Array

RESAMPLES = 2000
FEWEST = 30  # rows, below which an interval says nothing
FEWEST_SAMPLES = 50  # that a standard error is taken from
MANY = 20_000  # rows, from which on the means of a sample are drawn themselves
NORMAL = 1.959963984540054  # 97.5 % quantile of the normal distribution
_CELLS = 2**20  # of resampled rows at once


class Difference(NamedTuple):
    """A difference on all rows, and the ends of its 95 % interval (NaN where there is none)."""

    value: float
    low: float
    high: float


class Means(NamedTuple):
    """A cost as a function of means over rows: of(mean of rows(y, prediction) [N, k]), so that resampling is quick."""

    rows: Callable[[Array, Array], Array]
    of: Callable[[Array], Array]  # [..., k] -> [...]


def paired_bootstrap(first: Array, second: Array, of: Callable[[Array], Array], *, seed: int = 0) -> Difference:
    """The difference of two costs on the same rows, with its 95 % percentile interval.

        d = of(mean a) − of(mean b),   d* the same with the rows of a sample of N out of N, drawn with replacement
        interval: the 2.5 % and 97.5 % quantiles of 2,000 d*

    Both costs of a sample are of the same rows, so what makes a row hard for both cancels. From 20,000 rows on the
    means of a sample are drawn from their limit, the normal distribution with the covariance of the rows over N.

    first, second: a, b [N, k], what each row adds; of: as in `Means`. Samples without a finite cost are left out (of a
    class that has no row in one); the ends are NaN below 30 rows and where that leaves fewer than half.
    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.

    >>> worse, better = np.full((100, 1), 4.0), np.tile([[1.0], [2.0]], (50, 1))
    >>> found = paired_bootstrap(worse, better, lambda means: means[..., 0])
    >>> found.value, 2.3 < found.low < 2.45, 2.55 < found.high < 2.7
    (2.5, True, True)
    """
    n, k = first.shape
    both = np.hstack([first, second])
    with np.errstate(all="ignore"):
        value = float(of(both[:, :k].mean(0)) - of(both[:, k:].mean(0)))
        if n < FEWEST:
            return Difference(value, np.nan, np.nan)
        draw = np.random.default_rng([seed, n])
        means = _means(both, draw) if n < MANY else _limit_of_means(both, draw)
        return _interval(value, of(means[:, :k]) - of(means[:, k:]))


def _means(rows: Array, draw: np.random.Generator) -> Array:
    """The means [RESAMPLES, k] of samples of the rows [N, k], as many with replacement."""
    n, found = len(rows), []
    some = max(1, _CELLS // n)
    for done in range(0, RESAMPLES, some):
        count = min(some, RESAMPLES - done)
        which = draw.integers(n, size=(count, n), dtype=np.int32) + np.arange(count)[:, None] * n
        found.append(np.bincount(which.ravel(), minlength=count * n).reshape(count, n) @ rows / n)
    return np.concatenate(found)


def _limit_of_means(rows: Array, draw: np.random.Generator) -> Array:
    """The same by the central limit theorem: the time hangs on N but once."""
    centre = rows.mean(0)
    spread = (rows - centre).T @ (rows - centre) / len(rows) ** 2
    return draw.multivariate_normal(centre, spread, size=RESAMPLES, method="eigh", check_valid="ignore")


def _interval(value: float, samples: Array) -> Difference:
    kept = samples[np.isfinite(samples)]
    if len(kept) * 2 < len(samples):
        return Difference(value, np.nan, np.nan)
    low, high = np.quantile(kept, [0.025, 0.975])
    return Difference(value, float(low), float(high))


def resampled(
    n: int, difference: Callable[[Array], float], count: int, *, seed: int = 0,
    late: Callable[[], bool] = lambda: False,
) -> Difference:  # fmt: skip
    """The same for a cost that is no function of means (the area under a curve): fewer samples, and from their spread
    the normal interval.

        interval: d ± 1.96 std(d*)

    n: rows; difference: of the rows [N] it is handed; count: samples; late: asked before each, whether to stop with
    those that there are. The ends are NaN as in `paired_bootstrap`, and with fewer than 50 of more samples.
    Source: Efron & Tibshirani 1993, chapter 6 (50 to 200 samples are enough for a standard error) and 12.

    >>> gaps = np.random.default_rng(0).normal(1.0, 1.0, 400)
    >>> found = resampled(400, lambda rows: float(np.median(gaps[rows])), 200)
    >>> 0.7 < found.low < found.value < found.high < 1.3
    True
    """
    value = difference(np.arange(n))
    draw = np.random.default_rng([seed, n])
    samples = [difference(draw.integers(n, size=n)) for _ in range(count if n >= FEWEST else 0) if not late()]
    kept = np.array([sample for sample in samples if np.isfinite(sample)])
    if len(samples) < min(count, FEWEST_SAMPLES) or not samples or len(kept) * 2 < len(samples):
        return Difference(value, np.nan, np.nan)
    half = NORMAL * float(kept.std(ddof=1))
    return Difference(value, value - half, value + half)


def _hits(y: Array, prediction: Array) -> Array:
    """[N, 3 C]: for each class whether a row is one of it that was told, one of it, and one that was told to be it."""
    classes = np.arange(prediction.shape[1])
    true, told = y[:, None] == classes, prediction.argmax(1)[:, None] == classes
    return np.hstack([true & told, true, told]).astype(np.float64)


def _balanced_accuracy(means: Array) -> Array:
    """−mean over the classes that there are of TPᶜ / Pᶜ."""
    hit, true, _ = np.split(means, 3, axis=-1)
    return -np.nanmean(hit / np.where(true > 0, true, np.nan), axis=-1)


def _f1(means: Array) -> Array:
    """−2 TP / (P + told) of the second of two classes, the mean over the classes that there are of more."""
    hit, true, told = np.split(means, 3, axis=-1)
    each = 2 * hit / np.where(true + told > 0, true + told, np.nan)
    return -(np.nan_to_num(each[..., 1]) if hit.shape[-1] == 2 else np.nanmean(each, axis=-1))


def area(y: Array, prediction: Array) -> float:
    """Minus the area under the ROC curve: of class 1 of two, the mean of each class against the others of more.

        area = P(p of a row of the class > p of another row) + P(equal) / 2

    y: [N] codes. prediction: [N, C]. Of several classes those without a row are left out; NaN where but one has rows.

    >>> area(np.array([0.0, 1, 0, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.2, 0.8]]))
    -0.875
    """
    found = []
    for c in range(prediction.shape[1]) if prediction.shape[1] > 2 else (1,):
        mine, others = prediction[y == c, c], np.sort(prediction[y != c, c])
        if not len(others) or (not len(mine) and prediction.shape[1] == 2):
            return np.nan
        if not len(mine):
            continue
        below = np.searchsorted(others, mine, "left") + np.searchsorted(others, mine, "right")
        found.append(below.mean() / (2 * len(others)))
    return -float(np.mean(found))


def _squares(y: Array, prediction: Array) -> Array:
    centred = y - y.mean()
    return np.stack([(prediction - y) ** 2, centred, centred**2], axis=1)


MEANS = {  # the costs of the metrics of these names: less is better
    "rmse": Means(lambda y, p: ((p - y) ** 2)[:, None], lambda m: np.sqrt(m[..., 0])),
    "mae": Means(lambda y, p: np.abs(p - y)[:, None], lambda m: m[..., 0]),
    "r2": Means(_squares, lambda m: m[..., 0] / (m[..., 2] - m[..., 1] ** 2) - 1),
    "log_loss": Means(
        lambda y, p: -np.log(np.clip(p[np.arange(len(y)), y.astype(int)], 1e-15, 1))[:, None], lambda m: m[..., 0]
    ),
    "accuracy": Means(lambda y, p: (p.argmax(1) == y).astype(np.float64)[:, None], lambda m: -m[..., 0]),
    "balanced_accuracy": Means(_hits, _balanced_accuracy),
    "f1": Means(_hits, _f1),
}


def cost(name: str, y: Array, prediction: Array) -> float:
    """The cost of the metric of a name in `MEANS`, or auc; NaN where it is not defined.

    >>> cost("rmse", np.zeros(2), np.array([3.0, 4.0])) == 12.5**0.5
    True
    """
    if name == "auc":
        return area(y, prediction)
    with np.errstate(all="ignore"):
        return float(MEANS[name].of(MEANS[name].rows(y, prediction).mean(0)))
