"""Calibration of a trained classifier on rows that it was not trained on: a temperature and a threshold."""

from collections.abc import Callable

import numpy as np

from slalom.types import Array

HOTTEST = 20.0  # temperatures are looked for in [1 / HOTTEST, HOTTEST]
DRAWS = 1000  # of the bootstrap


def temperature(logits: Array, y: Array) -> float:
    """T > 0, by which logits are divided so that their probabilities say how often they are right.

        p = softmax(z / T)
        T minimises Σ_rows −log p[y] + mean_rows mean_classes −log p

    The second term is a row more, whose label is spread over all classes: where the net is right on all of few rows,
    the first alone would make it infinitely sure (T = 0). It vanishes as rows come.

    logits: [C, N], of two classes [0, z]. y: [N] codes. 1 where there is no row.
    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599; the row more is Laplace's, as in Platt 1999.

    >>> sure = np.array([[4.0, 4.0, 4.0, 4.0], [0.0, 0.0, 0.0, 0.0]])  # p = 0.98, right three times of four
    >>> bool(temperature(sure, np.array([0, 0, 0, 1])) > 3)
    True
    """
    from scipy.optimize import minimize_scalar  # only who has classes waits for it

    if not len(y):
        return 1.0
    z = np.asarray(logits, np.float64)
    z = z - z.max(axis=0)
    # Σ −log p[y] / n + the row more / n = (1 + 1 / n) mean(log Σ eᶻᵗ) − t mean(z[y] + mean(z) / n), t = 1 / T: convex
    share = 1 / len(y)
    linear = (z[y.astype(int), np.arange(len(y))] + share * z.mean(axis=0)).mean()

    def cost(log_temperature: float) -> float:
        t = np.exp(-log_temperature)
        return float((1 + share) * np.log(np.exp(t * z).sum(axis=0)).mean() - t * linear)

    ends = np.log(HOTTEST)
    found = minimize_scalar(cost, bounds=(-ends, ends), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def threshold(p: Array, y: Array, counted: Callable[..., Array], seed: int = 0) -> float:
    """The probability of class 1 above which it is decided for, where that is better than 0.5 by more than chance.

        t = argmax over cuts between neighbouring p of counted(tn, fp, fn, tp),  of several the nearest to 0.5
        taken where counted(t) − counted(0.5) > its standard error, else 0.5

    The standard error is that of a paired bootstrap: rows are drawn with replacement, and both decisions are scored on
    the same draw. Rows that agree in label and both decisions are alike, so that a draw is a multinomial one of the
    eight kinds.

    p: [N] probabilities of class 1. y: [N] 0 or 1. counted: a score of arrays of counts, larger is better. seed: of the
    draws. Source: Efron & Tibshirani 1993, chapter 6 (bootstrap); the rule of one standard error: Breiman et al. 1984.

    >>> from slalom.metrics import f1_of
    >>> p, y = np.array([0.1] * 40 + [0.3] * 10 + [0.4] * 10), np.array([0] * 50 + [1] * 10)
    >>> threshold(p, y, f1_of)
    0.35
    """
    cuts = _cuts(p)
    if not len(cuts):
        return 0.5
    scores = counted(*_counts(p, y, cuts))
    best = scores.max()
    t = float(min(cuts[scores == best], key=lambda cut: (abs(cut - 0.5), cut)))
    usual = float(counted(*_counts(p, y, np.array([0.5])))[0])
    return t if best - usual > _standard_error(p, y, t, counted, seed) else 0.5


def _cuts(p: Array) -> Array:
    """The middles between neighbouring distinct values of p, at or above the lower and below the upper one."""
    values = np.unique(p)
    low, high = values[:-1], values[1:]
    middle = low + (high - low) / 2
    return np.where(middle < high, middle, low)


def _counts(p: Array, y: Array, cuts: Array) -> tuple[Array, Array, Array, Array]:
    """(tn, fp, fn, tp), each [cuts], where class 1 is decided for above a cut."""
    negative, positive = np.sort(p[y == 0]), np.sort(p[y == 1])
    tn, fn = np.searchsorted(negative, cuts, side="right"), np.searchsorted(positive, cuts, side="right")
    return tn, len(negative) - tn, fn, len(positive) - fn


def _standard_error(p: Array, y: Array, t: float, counted: Callable[..., Array], seed: int) -> float:
    """The bootstrap's standard error of counted(t) − counted(0.5)."""
    kinds = 4 * y.astype(int) + 2 * (p > t) + (p > 0.5)
    shares = np.bincount(kinds, minlength=8) / len(p)
    drawn = np.random.default_rng([seed, 7]).multinomial(len(p), shares, size=DRAWS)
    label, new, old = drawn.reshape(-1, 2, 2, 2), (3,), (2,)  # [draws, y, p > t, p > 0.5]
    of = lambda axis: counted(*(label.sum(axis=axis)[:, truth, said] for truth in (0, 1) for said in (0, 1)))  # noqa: E731
    return float(np.std(of(new) - of(old), ddof=1))
