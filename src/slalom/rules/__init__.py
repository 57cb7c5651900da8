"""The update rules: one algorithm a file, one line a rule in the registry."""

from slalom.optax_bridge import score_params, to_optax
from slalom.rules.adagrad import Adagrad
from slalom.rules.adam import Adam
from slalom.rules.adamw import AdamW
from slalom.rules.amsgrad import AMSGrad
from slalom.rules.base import Rule
from slalom.rules.clip_norm import ClipNorm
from slalom.rules.clip_value import ClipValue
from slalom.rules.ema import EMA
from slalom.rules.from_optax import FromOptax
from slalom.rules.lookahead import Lookahead
from slalom.rules.momentum import Momentum
from slalom.rules.nesterov import Nesterov
from slalom.rules.radam import RAdam
from slalom.rules.rmsprop import RMSProp
from slalom.rules.sgd import SGD
from slalom.rules.swa import SWA

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
    "clip_norm": ClipNorm,
    "clip_value": ClipValue,
    "lookahead": Lookahead,
    "ema": EMA,
    "swa": SWA,
    "from_optax": FromOptax,
}

__all__ = [
    "EMA",
    "REGISTRY",
    "SGD",
    "SWA",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "ClipNorm",
    "ClipValue",
    "FromOptax",
    "Lookahead",
    "Momentum",
    "Nesterov",
    "RAdam",
    "RMSProp",
    "Rule",
    "score_params",
    "to_optax",
]
