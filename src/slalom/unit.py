"""The unit that a net learns a target in: the target's own or any scaler's, and the way back from its outputs."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from slalom import scaling
from slalom.errors import wrong
from slalom.types import Array

MEAN = "mean"  # the name of the unit y / mean(y), which is no scaling of columns


@dataclass(frozen=True)
class Unit:
    """A regression target in the unit that a net learns.

    scaler: fitted to the target's training rows as one column [N, 1]. mean, variance: of the scaled training targets.
    low, high: their ends. Where the scaler is not a straight line (sigmoid, quantiles, a clip) outputs are held between
    them, so that a prediction stays in the range of the training targets; ±∞ otherwise.

    >>> unit = Unit.fit("min_max", np.array([10.0, 20.0, 30.0]))
    >>> unit(np.array([15.0])).tolist(), unit.inverse(np.array([2.0])).tolist()
    ([0.25], [50.0])
    """

    scaler: Any
    mean: float
    variance: float
    low: float
    high: float

    @classmethod
    def fit(cls, name: str, y: Array) -> "Unit":
        """Fit the scaler of that name to the training targets y [N]; SlalomError where it turns them into a bound that
        nothing comes back from (1 / (1 + e⁻ʸ) of y = 100 is 1).

        The name `mean` is the unit of targets that are 0 or above, y / mean(y), and y itself where all of them are 0:
        in it counts have the mean 1, and the logarithm of what a net predicts starts out near 0.

        >>> Unit.fit("mean", np.array([0.0, 1.0, 5.0]))(np.array([4.0])).tolist()
        [2.0]
        """
        y = np.asarray(y, np.float64)
        counts = scaling.ZScore(np.zeros(1), np.array([float(y.mean()) or 1.0]))  # 0 stays 0
        scaler = counts if name == MEAN else scaling.REGISTRY[name].fit(y[:, None])
        z = scaler(y[:, None])[:, 0]
        straight = scaler.in_race()
        if not np.isfinite(scaler.inverse(z[:, None])).all():
            kept = "a scaling that this target comes back from"
            raise wrong(
                "target_scaling", kept, name, "Its values lie too far out for it: try z_score_sigmoid or z_score."
            )
        bent = straight is None or math.isfinite(straight.clip)
        low, high = (float(z.min()), float(z.max())) if bent else (-math.inf, math.inf)
        return cls(scaler, float(z.mean()), float(z.var()) or 1.0, low, high)

    def __call__(self, y: Array) -> Array:
        """Targets [N] in the net's unit, float64."""
        return self.scaler(np.asarray(y, np.float64)[:, None])[:, 0]

    def inverse(self, z: Array) -> Array:
        """Outputs [N] as predictions in the target's own unit, float64."""
        held = np.clip(np.asarray(z, np.float64), self.low, self.high)
        return self.scaler.inverse(held[:, None])[:, 0]


def ends_of(plain: dict[str, Any]) -> dict[str, float]:
    """The numbers of a unit from plain data, where null is no end (ValueError where they are none that a target has).

    >>> ends_of({"scaler": {}, "mean": 0, "variance": 1.0, "low": None, "high": 2.0})
    {'low': -inf, 'high': 2.0, 'mean': 0.0, 'variance': 1.0}
    """
    told = {name: float(number) for name, number in plain.items() if name != "scaler" and number is not None}
    if not all(abs(number) < 1e100 for number in told.values()):
        raise ValueError(f"the unit of the target is {told}")
    return {"low": -math.inf, "high": math.inf} | told
