"""The update rules: one algorithm a file, one line a rule in the registry."""

from slalom.rules.adagrad import Adagrad
from slalom.rules.adam import Adam
from slalom.rules.adamw import AdamW
from slalom.rules.amsgrad import AMSGrad
from slalom.rules.base import Rule
from slalom.rules.momentum import Momentum
from slalom.rules.nesterov import Nesterov
from slalom.rules.radam import RAdam
from slalom.rules.rmsprop import RMSProp
from slalom.rules.sgd import SGD

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
}

__all__ = [
    "REGISTRY",
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "RAdam",
    "RMSProp",
    "Rule",
]
