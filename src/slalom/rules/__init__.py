"""The update rules: one algorithm a file, one line a rule in the registry."""

from slalom.rules.adabelief import AdaBelief
from slalom.rules.adabound import AdaBound
from slalom.rules.adadelta import Adadelta
from slalom.rules.adagrad import Adagrad
from slalom.rules.adam import Adam
from slalom.rules.adamax import Adamax
from slalom.rules.adamw import AdamW
from slalom.rules.amsgrad import AMSGrad
from slalom.rules.averaged_momentum import AveragedMomentum
from slalom.rules.base import Rule, at_horizon
from slalom.rules.centred_rmsprop import CentredRMSProp
from slalom.rules.clip_norm import ClipNorm
from slalom.rules.clip_value import ClipValue
from slalom.rules.ema import EMA
from slalom.rules.from_optax import FromOptax
from slalom.rules.lamb import LAMB
from slalom.rules.lion import Lion
from slalom.rules.lookahead import Lookahead
from slalom.rules.momentum import Momentum
from slalom.rules.muon import Muon
from slalom.rules.nadam import NAdam
from slalom.rules.nadam_simple import NAdamSimple
from slalom.rules.nesterov import Nesterov
from slalom.rules.optax_bridge import score_params, to_optax
from slalom.rules.prodigy import Prodigy
from slalom.rules.radam import RAdam
from slalom.rules.rmsprop import RMSProp
from slalom.rules.rmsprop_momentum import RMSPropMomentum
from slalom.rules.schedule_free_adamw import ScheduleFreeAdamW
from slalom.rules.schedule_free_sgd import ScheduleFreeSGD
from slalom.rules.sgd import SGD
from slalom.rules.swa import SWA
from slalom.rules.swats import SWATS
from slalom.rules.velocity_momentum import VelocityMomentum

REGISTRY: dict[str, type[Rule]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "averaged_momentum": AveragedMomentum,
    "velocity_momentum": VelocityMomentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": RMSProp,
    "rmsprop_momentum": RMSPropMomentum,
    "centred_rmsprop": CentredRMSProp,
    "adam": Adam,
    "amsgrad": AMSGrad,
    "adamax": Adamax,
    "nadam": NAdam,
    "nadam_simple": NAdamSimple,
    "adamw": AdamW,
    "radam": RAdam,
    "adabound": AdaBound,
    "adabelief": AdaBelief,
    "lion": Lion,
    "lamb": LAMB,
    "swats": SWATS,
    "prodigy": Prodigy,
    "muon": Muon,
    "schedule_free_sgd": ScheduleFreeSGD,
    "schedule_free_adamw": ScheduleFreeAdamW,
    "clip_norm": ClipNorm,
    "clip_value": ClipValue,
    "lookahead": Lookahead,
    "ema": EMA,
    "swa": SWA,
    "from_optax": FromOptax,
}

__all__ = [
    "EMA",
    "LAMB",
    "REGISTRY",
    "SGD",
    "SWA",
    "SWATS",
    "AMSGrad",
    "AdaBelief",
    "AdaBound",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AveragedMomentum",
    "CentredRMSProp",
    "ClipNorm",
    "ClipValue",
    "FromOptax",
    "Lion",
    "Lookahead",
    "Momentum",
    "Muon",
    "NAdam",
    "NAdamSimple",
    "Nesterov",
    "Prodigy",
    "RAdam",
    "RMSProp",
    "RMSPropMomentum",
    "Rule",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "VelocityMomentum",
    "at_horizon",
    "score_params",
    "to_optax",
]
