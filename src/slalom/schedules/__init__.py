"""The learning-rate schedules: one a file, one line each in the registry (wrappers and functions are beside it)."""

from slalom.schedules.base import Schedule
from slalom.schedules.by_epoch import ByEpoch
from slalom.schedules.constant import Constant
from slalom.schedules.cosine import Cosine
from slalom.schedules.cosine_restarts import CosineRestarts
from slalom.schedules.coslog import CosLog
from slalom.schedules.custom import Custom
from slalom.schedules.cyclic import Cyclic
from slalom.schedules.exponential import Exponential
from slalom.schedules.flat_cosine import FlatCosine
from slalom.schedules.inverse_time import InverseTime
from slalom.schedules.linear import Linear
from slalom.schedules.multi_step import MultiStep
from slalom.schedules.one_cycle import OneCycle
from slalom.schedules.piecewise_constant import PiecewiseConstant
from slalom.schedules.plateau import Plateau, PlateauMemory
from slalom.schedules.polynomial import Polynomial
from slalom.schedules.step import Step
from slalom.schedules.warmup import Warmup
from slalom.schedules.warmup_stable_decay import WarmupStableDecay

REGISTRY: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    "multi_step": MultiStep,
    "piecewise_constant": PiecewiseConstant,
    "exponential": Exponential,
    "inverse_time": InverseTime,
    "polynomial": Polynomial,
    "linear": Linear,
    "cosine": Cosine,
    "cosine_restarts": CosineRestarts,
    "flat_cosine": FlatCosine,
    "coslog": CosLog,
    "one_cycle": OneCycle,
    "warmup_stable_decay": WarmupStableDecay,
    "cyclic": Cyclic,
    "plateau": Plateau,
}

__all__ = [
    "REGISTRY",
    "ByEpoch",
    "Constant",
    "CosLog",
    "Cosine",
    "CosineRestarts",
    "Custom",
    "Cyclic",
    "Exponential",
    "FlatCosine",
    "InverseTime",
    "Linear",
    "MultiStep",
    "OneCycle",
    "PiecewiseConstant",
    "Plateau",
    "PlateauMemory",
    "Polynomial",
    "Schedule",
    "Step",
    "Warmup",
    "WarmupStableDecay",
]
