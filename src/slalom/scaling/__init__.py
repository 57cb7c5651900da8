"""The feature scalers: one a file, one line each in the registry."""

from slalom.scaling.base import InRace, Scaler
from slalom.scaling.max_abs import MaxAbs
from slalom.scaling.min_max import MinMax
from slalom.scaling.none import NoScaling
from slalom.scaling.power import Power
from slalom.scaling.quantile_normal import QuantileNormal
from slalom.scaling.robust import Robust
from slalom.scaling.robust_clip import RobustClip
from slalom.scaling.sigmoid import Sigmoid
from slalom.scaling.z_score import ZScore
from slalom.scaling.z_score_sigmoid import ZScoreSigmoid

REGISTRY: dict[str, type[Scaler]] = {
    "none": NoScaling,
    "min_max": MinMax,
    "max_abs": MaxAbs,
    "z_score": ZScore,
    "robust": Robust,
    "robust_clip": RobustClip,
    "sigmoid": Sigmoid,
    "z_score_sigmoid": ZScoreSigmoid,
    "power": Power,
    "quantile_normal": QuantileNormal,
}

__all__ = [
    "REGISTRY",
    "InRace",
    "MaxAbs",
    "MinMax",
    "NoScaling",
    "Power",
    "QuantileNormal",
    "Robust",
    "RobustClip",
    "Scaler",
    "Sigmoid",
    "ZScore",
    "ZScoreSigmoid",
]
