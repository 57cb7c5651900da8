"""The update rules: one algorithm a file, one line a rule in the registry."""

from slalom.rules.adagrad import Adagrad
from slalom.rules.adam import Adam
from slalom.rules.adamw import AdamW
from slalom.rules.amsgrad import AMSGrad
from slalom.rules.base import Rule
from slalom.rules.lamb import LAMB
from slalom.rules.momentum import Momentum
from slalom.rules.muon import Muon
from slalom.rules.nesterov import Nesterov
from slalom.rules.prodigy import Prodigy
from slalom.rules.radam import RAdam
from slalom.rules.rmsprop import RMSProp
from slalom.rules.schedule_free_adamw import ScheduleFreeAdamW
from slalom.rules.schedule_free_sgd import ScheduleFreeSGD
from slalom.rules.sgd import SGD
from slalom.rules.swats import SWATS

REGISTRY: dict[str, type[Rule]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "rmsprop": RMSProp,
    "adam": Adam,
    "amsgrad": AMSGrad,
    "adamw": AdamW,
    "radam": RAdam,
    "swats": SWATS,
    "lamb": LAMB,
    "schedule_free_sgd": ScheduleFreeSGD,
    "schedule_free_adamw": ScheduleFreeAdamW,
    "prodigy": Prodigy,
    "muon": Muon,
}

__all__ = [
    "LAMB",
    "REGISTRY",
    "SGD",
    "SWATS",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Muon",
    "Nesterov",
    "Prodigy",
    "RAdam",
    "RMSProp",
    "Rule",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
]
