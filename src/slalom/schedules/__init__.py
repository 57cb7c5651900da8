"""The learning-rate schedules: one a file, one line each in the registry (warm-up wraps them, and is not in it)."""

from slalom.schedules.base import Schedule
from slalom.schedules.by_epoch import ByEpoch
from slalom.schedules.constant import Constant
from slalom.schedules.cosine import Cosine
from slalom.schedules.exponential import Exponential
from slalom.schedules.step import Step
from slalom.schedules.warmup import Warmup

REGISTRY: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "cosine": Cosine,
}

__all__ = ["REGISTRY", "ByEpoch", "Constant", "Cosine", "Exponential", "Schedule", "Step", "Warmup"]
