"""The feature scalers: one a file, one line each in the registry."""

from slalom.scaling.base import InRace, Scaler
from slalom.scaling.z_score import ZScore

REGISTRY: dict[str, type[Scaler]] = {
    "z_score": ZScore,
}

__all__ = ["REGISTRY", "InRace", "Scaler", "ZScore"]
