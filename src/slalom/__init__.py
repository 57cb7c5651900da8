"""Slalom finds out how a neural network should be trained on a data set, by racing hundreds of recipes side by side.

The public door: every name is here, each is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slalom import layers, pictures, rules, scaling, schedules
    from slalom.averages import ewma
    from slalom.back_propagation import SigmoidNet
    from slalom.comparing import compare
    from slalom.contest import Comparison
    from slalom.descent import descend
    from slalom.ensemble import Ensemble
    from slalom.errors import RaceFailed, SlalomError
    from slalom.estimators import SlalomClassifier, SlalomRegressor
    from slalom.evidence import Evidence
    from slalom.explaining import explain
    from slalom.fitting import fit
    from slalom.inspected import inspect
    from slalom.model import Model
    from slalom.opened import leaderboard, load
    from slalom.racing import race
    from slalom.recipe import Recipe
    from slalom.reporting import report_on
    from slalom.result import Best, Gain, Result
    from slalom.resuming import resume
    from slalom.transformers import FeatureScaler

_HOME = {
    "race": "slalom.racing",
    "resume": "slalom.resuming",
    "report_on": "slalom.reporting",
    "FeatureScaler": "slalom.transformers",
    "fit": "slalom.fitting",
    "explain": "slalom.explaining",
    "compare": "slalom.comparing",
    "Comparison": "slalom.contest",
    "Evidence": "slalom.evidence",
    "SlalomRegressor": "slalom.estimators",
    "SlalomClassifier": "slalom.estimators",
    "inspect": "slalom.inspected",
    "load": "slalom.opened",
    "leaderboard": "slalom.opened",
    "descend": "slalom.descent",
    "ewma": "slalom.averages",
    "SigmoidNet": "slalom.back_propagation",
    "Recipe": "slalom.recipe",
    "Result": "slalom.result",
    "Best": "slalom.result",
    "Gain": "slalom.result",
    "Ensemble": "slalom.ensemble",
    "Model": "slalom.model",
    "SlalomError": "slalom.errors",
    "RaceFailed": "slalom.errors",
}
_ROOMS = ("rules", "schedules", "scaling", "layers", "pictures")

__all__ = [
    "Best",
    "Comparison",
    "Ensemble",
    "Evidence",
    "FeatureScaler",
    "Gain",
    "Model",
    "RaceFailed",
    "Recipe",
    "Result",
    "SigmoidNet",
    "SlalomClassifier",
    "SlalomError",
    "SlalomRegressor",
    "compare",
    "descend",
    "ewma",
    "explain",
    "fit",
    "inspect",
    "layers",
    "leaderboard",
    "load",
    "pictures",
    "race",
    "report_on",
    "resume",
    "rules",
    "scaling",
    "schedules",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"slalom.{name}")
    if name in _HOME:
        # `slalom.race` the function, not the module of the same name that this import makes an attribute
        found = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'slalom' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
