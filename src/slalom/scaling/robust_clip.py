"""Robust clip: every column by its median and quartiles, and what lies far out bent back smoothly."""

from typing import Self

import numpy as np

from slalom.record import record, setting
from slalom.scaling.base import InRace, Scaler, as_columns, as_fitted, constant_value, each_column, is_constant
from slalom.types import Array, Setting


@record
class RobustClip(Scaler):
    """Robust scaling with a smooth clip (Holzmüller et al. 2024, RealMLP, https://arxiv.org/abs/2407.04491, section 3).

        u = (x − median) / s          s = q₇₅ − q₂₅ of the training rows; (max − min) / 2 where that is 0
        z = u / √(1 + (u / clip)²)
        a constant column gives z = 0 on the rows it was fitted to (s = 1)

    centre, spread: [D], median and s, in the units of the column. clip: [] the bound that |z| approaches, given to
    `fit`. Missing cells are ignored by the fit and stay missing.
    The inverse, u = z / √((1 − z / clip) (1 + z / clip)), is exact inside (−clip, clip), up to rounding that grows with
    (u / clip)²: float64 cannot tell |u| > 1e8 clip from ∞. At the bound and beyond it the inverse is ±∞, its limit.

    >>> scaler = RobustClip.fit([[0], [1], [2], [3], [4]])
    >>> scaler([[4], [1e9]]).round(4).tolist()
    [[0.9487], [3.0]]
    """

    centre: Array
    spread: Array
    clip: Setting = setting(3.0, "(0, inf)", "the bound that scaled values approach")

    @classmethod
    def fit(cls, x: Array, **settings: Setting) -> Self:
        centre, spread = each_column(as_columns(x, "RobustClip.fit(x)"), centre_and_spread)
        return cls(centre, spread, **settings)

    def __call__(self, x: Array) -> Array:
        u = (as_fitted(x, len(self.centre), "RobustClip(x)") - self.centre) / self.spread
        finite = np.clip(u, -1e200, 1e200)  # ±∞ to the bound as well, not to ∞ / ∞
        return finite / np.hypot(1, finite / self.clip)

    def inverse(self, z: Array) -> Array:
        v = np.clip(as_fitted(z, len(self.centre), "RobustClip.inverse(z)") / self.clip, -1, 1)
        with np.errstate(divide="ignore"):  # ±1 / 0 at the bound is meant
            u = self.clip * v / np.sqrt((1 - v) * (1 + v))
        return u * self.spread + self.centre

    def in_race(self) -> InRace:
        return InRace(self.centre, self.spread, self.clip)


def centre_and_spread(present: Array) -> tuple[float, float]:
    """Median and s of one column."""
    if is_constant(present):
        return constant_value(present), 1.0
    quarter, median, three_quarters = np.quantile(present, [0.25, 0.5, 0.75])
    if is_constant(np.array([quarter, three_quarters])):
        return median, (np.max(present) - np.min(present)) / 2
    return median, three_quarters - quarter
