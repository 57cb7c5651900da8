"""The feature scalers: one a file, one line each in the registry."""

from slalom.scaling.base import InRace, Scaler
from slalom.scaling.min_max import MinMax
from slalom.scaling.none import NoScaling
from slalom.scaling.quantile_normal import QuantileNormal
from slalom.scaling.robust_clip import RobustClip
from slalom.scaling.z_score import ZScore

REGISTRY: dict[str, type[Scaler]] = {
    "none": NoScaling,
    "min_max": MinMax,
    "z_score": ZScore,
    "robust_clip": RobustClip,
    "quantile_normal": QuantileNormal,
}

__all__ = [
    "REGISTRY",
    "InRace",
    "MinMax",
    "NoScaling",
    "QuantileNormal",
    "RobustClip",
    "Scaler",
    "ZScore",
]
