"""The exponentially weighted moving average of a series."""

from typing import Literal

import numpy as np

from slalom.errors import wrong
from slalom.types import Array


def ewma(
    values: Array,
    beta: Array,
    bias_correction: bool = False,
    start: Literal["first", "zero"] | None = None,
) -> Array:
    """The exponentially weighted moving average of a series: the larger beta, the smoother and the later the curve.

        from the first value:   S₁ = Y₁,  Sₜ = β Sₜ₋₁ + (1 − β) Yₜ
        from zero:              S₀ = 0,   Sₜ = β Sₜ₋₁ + (1 − β) Yₜ
        with bias correction:   Ŝₜ = Sₜ / (1 − βᵗ)   of the average from zero, as Adam's m̂ (Kingma & Ba 2015)

    values: [T], or [T, D] for a curve a column. beta: [] in [0, 1), how much of the past a value keeps; or [B], one
    curve each. start: `"first"` unless the bias is corrected, which is a matter of the start at `"zero"` alone.
    Answers in float64: the shape of values, behind a first axis [B] where beta has one.
    A missing value (NaN) moves nothing and counts as no time: the average stays, and it is NaN before a first value.
    pandas calls these `ewm(alpha=1 - beta, ignore_na=True)`: `adjust=False` starts from the first value, `adjust=True`
    corrects the bias. (Its default, `ignore_na=False`, lets time pass over missing values.)

    >>> ewma([1.0, 2.0, 4.0], 0.5).tolist()
    [1.0, 1.5, 2.75]
    >>> ewma([1.0, 2.0, 4.0], 0.5, bias_correction=True).round(4).tolist()
    [1.0, 1.6667, 3.0]
    """
    y, b = _series(values), _beta(beta)
    if not isinstance(bias_correction, (bool, np.bool_)):
        raise wrong("ewma(bias_correction=…)", "True or False", bias_correction)
    if start is None:
        start = "zero" if bias_correction else "first"
    if not isinstance(start, str) or start not in ("first", "zero"):
        raise wrong("ewma(start=…)", "'first' or 'zero'", start)
    if bias_correction and start == "first":
        raise wrong("ewma(start=…) with bias_correction", "'zero'", start, "From the first value there is no bias.")

    b = b.reshape(b.shape + (1,) * (y.ndim - 1))  # beside the columns
    s = np.zeros(np.broadcast_shapes(b.shape, y.shape[1:]))
    t = np.zeros(y.shape[1:])  # how many values were there
    average = np.empty((len(y), *s.shape))
    for i, now in enumerate(y):
        there = ~np.isnan(now)
        t = t + there
        follows = b * s + (1 - b) * np.where(there, now, 0)
        s = np.where(there, np.where((t == 1) & (start == "first"), now, follows), s)
        if bias_correction:
            average[i] = s / np.where(t == 0, np.nan, -np.expm1(t * _log(b)))
        else:
            average[i] = np.where(t == 0, np.nan, s)
    return np.moveaxis(average, 0, np.ndim(beta))


def _log(b: Array) -> Array:
    """log β, a finite number for β = 0 too: its power is then 0 to every digit."""
    return np.log(np.maximum(b, 1e-300))


def _series(values: Array) -> Array:
    try:
        y = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise wrong("ewma(values=…)", "numbers, [T] or [T, D]", values) from error
    if np.asarray(values).dtype.kind in "mMSU":
        raise wrong("ewma(values=…)", "numbers, [T] or [T, D]", np.asarray(values).dtype.name)
    if y.ndim not in (1, 2):
        raise wrong("ewma(values=…)", "a series [T] or [T, D]", y.shape)
    return y


def _beta(beta: Array) -> Array:
    try:
        b = np.asarray(beta, np.float64)
    except (TypeError, ValueError) as error:
        raise wrong("ewma(beta=…)", "a number in [0, 1), or several", beta) from error
    if b.ndim > 1:
        raise wrong("ewma(beta=…)", "one number or a row of them", b.shape)
    if isinstance(beta, str) or not b.size or not ((b >= 0) & (b < 1)).all():
        raise wrong("ewma(beta=…)", "in [0, 1)", beta)
    return b
