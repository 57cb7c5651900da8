"""Calibration of a trained classifier on rows that it was not trained on: a temperature and a threshold."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from slalom.types import Array

HOTTEST = 20.0  # temperatures are looked for in [1 / HOTTEST, HOTTEST]
DRAWS = 1000  # of the bootstrap
PARTS = 5  # of the rows, each decided for by a cut that the others chose
MOST_ROWS = 2**16  # that are looked at


class Calibration(NamedTuple):
    """What is fitted to a classifier that is trained: a temperature, and of two classes a threshold."""

    temperature: float = 1.0
    threshold: float = 0.5


AS_TRAINED = Calibration()


def calibrate(logits: Array, y: Array, counted: Callable[..., Array] | None, seed: int = 0) -> Calibration:
    """The temperature for these rows and, of two classes and a score of decisions, the threshold behind it.

    logits: [C, N], of two classes [0, z]. y: [N] codes. counted, seed: as of `threshold`.
    """
    hot = temperature(logits, y)
    if counted is None or len(logits) != 2 or not len(y):
        return Calibration(hot)
    p = tempered(np.exp(logits - np.logaddexp(*logits)).T, hot)
    return Calibration(hot, threshold(p[:, 1], y, counted, seed))


def tempered(p: Array, temperature: float) -> Array:
    """Probabilities [N, C] with another temperature, p^(1/T) / Σ p^(1/T): what softmax(z / T) makes of their logits.

    >>> tempered(np.array([[0.2, 0.8]]), 0.5).round(4).tolist()
    [[0.0588, 0.9412]]
    """
    if temperature == 1.0:
        return p
    with np.errstate(divide="ignore"):
        logs = np.log(p) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


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

        t = argmax over cuts between neighbouring p of counted(tn, fp, fn, tp);  of several the nearest to 0.5
        taken where the gain of PARTS cuts over 0.5, each on the rows that it was not found on, exceeds its standard
        error; else 0.5

    The gain on the rows that t itself was found on would say too much: of calibrated probabilities and accuracy, where
    0.5 is right, two data sets of three had another best cut by more than one standard error. The standard error is
    that of a paired bootstrap: rows are drawn with replacement, and both decisions are scored on the same draw. Rows
    that agree in label and both decisions are alike, so that a draw is a multinomial one of the eight kinds.

    p: [N] probabilities of class 1. y: [N] 0 or 1. counted: a score of arrays of counts, larger is better. seed: of the
    parts and the draws. Source: Efron & Tibshirani 1993 (bootstrap, chapter 6; cross-validation, 17); the rule of one
    standard error: Breiman et al. 1984.

    >>> from slalom.metrics import f1_of
    >>> p, y = np.array([0.1] * 40 + [0.3] * 10 + [0.4] * 10), np.array([0] * 50 + [1] * 10)
    >>> threshold(p, y, f1_of)
    0.35
    """
    rng = np.random.default_rng([seed, 7])
    said = np.empty(len(p), bool)
    part = np.empty(len(p), int)
    part[np.lexsort((rng.random(len(p)), y))] = np.arange(len(p)) % PARTS  # each has its share of both classes
    for one in range(PARTS):
        said[part == one] = p[part == one] > _best_cut(p[part != one], y[part != one], counted)
    gain, error = _gain(said, p > 0.5, y, counted, rng)
    return _best_cut(p, y, counted) if gain > error else 0.5


def _best_cut(p: Array, y: Array, counted: Callable[..., Array]) -> float:
    """The cut with the best score, of several the nearest to 0.5; 0.5 where there is nothing to cut between."""
    values = np.unique(p)
    low, high = values[:-1], values[1:]
    middle = low + (high - low) / 2
    cuts = np.where(middle < high, middle, low)  # at or above the lower and below the upper, in floats as well
    if not len(cuts):
        return 0.5
    negative, positive = np.sort(p[y == 0]), np.sort(p[y == 1])
    tn, fn = np.searchsorted(negative, cuts, side="right"), np.searchsorted(positive, cuts, side="right")
    scores = counted(tn, len(negative) - tn, fn, len(positive) - fn)
    return float(min(cuts[scores == scores.max()], key=lambda cut: (abs(cut - 0.5), cut)))


def _gain(
    new: Array, old: Array, y: Array, counted: Callable[..., Array], rng: np.random.Generator
) -> tuple[float, float]:
    """(score of the decisions [N] `new` less that of `old`, the bootstrap's standard error of it)."""
    kinds = np.bincount(4 * y.astype(int) + 2 * new + old, minlength=8)
    drawn = rng.multinomial(len(y), kinds / max(len(y), 1), size=DRAWS) if len(y) else np.zeros((DRAWS, 8), int)
    tables = np.concatenate([kinds[None], drawn]).reshape(-1, 2, 2, 2)  # [1 + draws, label, new, old]
    sides = [tables.sum(axis=axis) for axis in (3, 2)]  # [1 + draws, label, said]
    scores = [counted(*(side[:, label, said] for label in (0, 1) for said in (0, 1))) for side in sides]
    gains = scores[0] - scores[1]
    return float(gains[0]), float(np.std(gains[1:], ddof=1))
