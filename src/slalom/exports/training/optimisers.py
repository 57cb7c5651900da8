"""Update rules as text: the optimiser of PyTorch or of Keras that takes the same steps."""

from collections.abc import Callable
from typing import Any

from slalom.errors import SlalomError

Settings = dict[str, Any]
Text = Callable[[Settings], str]


def _torch(name: str, **keywords: str) -> Text:
    """An optimiser of torch.optim; keywords: its arguments, each with the settings of the rule in braces."""

    def text(s: Settings) -> str:
        given = "".join(f", {keyword}={value.format(**s)}" for keyword, value in keywords.items())
        return f"torch.optim.{name}(net.parameters(), lr=RATE{given}, weight_decay=DECAY)"

    return text


BETAS = "({beta1}, {beta2})"
TORCH: dict[str, Text] = {
    "sgd": _torch("SGD"),
    "momentum": _torch("SGD", momentum="{mu}"),
    "nesterov": _torch("SGD", momentum="{mu}", nesterov="True"),
    "adagrad": _torch("Adagrad", eps="{epsilon}", initial_accumulator_value="{start}"),
    "rmsprop": _torch("RMSprop", alpha="{beta}", eps="{epsilon}"),
    "rmsprop_momentum": _torch("RMSprop", alpha="{beta}", eps="{epsilon}", momentum="{mu}"),
    "adadelta": _torch("Adadelta", rho="{rho}", eps="{epsilon}"),
    "adam": _torch("Adam", betas=BETAS, eps="{epsilon}"),
    "adamax": _torch("Adamax", betas=BETAS, eps="{epsilon}"),
    "adamw": _torch("AdamW", betas=BETAS, eps="{epsilon}"),
    "amsgrad": _torch("Adam", betas=BETAS, eps="{epsilon}", amsgrad="True"),
    "nadam": _torch("NAdam", betas=BETAS, eps="{epsilon}", momentum_decay="{momentum_decay}"),
    "radam": _torch("RAdam", betas=BETAS, eps="{epsilon}"),
    "lion": lambda s: f"Lion(net.parameters(), lr=RATE, betas=({s['beta1']}, {s['beta2']}), weight_decay=DECAY)",
    "muon": lambda s: f"muon(net, momentum={s['mu']}, betas=({s['beta1']}, {s['beta2']}), eps={s['epsilon']})",
}


def _keras(name: str, **keywords: str) -> Text:
    def text(s: Settings) -> str:
        given = "".join(f", {keyword}={value.format(**s)}" for keyword, value in keywords.items())
        return f"keras.optimizers.{name}(Rates(){given})"

    return text


KERAS_BETAS = {"beta_1": "{beta1}", "beta_2": "{beta2}"}
KERAS: dict[str, Text] = {
    "sgd": _keras("SGD"),
    "velocity_momentum": _keras("SGD", momentum="{mu}"),
    "adadelta": _keras("Adadelta", rho="{rho}", epsilon="{epsilon}"),
    "adam": _keras("Adam", **KERAS_BETAS, epsilon="{epsilon}"),
    "adamax": _keras("Adamax", **KERAS_BETAS, epsilon="{epsilon}"),
    "adamw": _keras("AdamW", **KERAS_BETAS, epsilon="{epsilon}", weight_decay="DECAY"),
    "amsgrad": _keras("Adam", **KERAS_BETAS, epsilon="{epsilon}", amsgrad="True"),
    "lion": _keras("Lion", **KERAS_BETAS, weight_decay="DECAY"),
    "muon": _keras(
        "Muon", momentum="{mu}", adam_beta_1="{beta1}", adam_beta_2="{beta2}", epsilon="{epsilon}",
        weight_decay="DECAY", adam_weight_decay="DECAY",
    ),
    "momentum": lambda s: f"Momentum(Rates(), mu={s['mu']})",
    "nesterov": lambda s: f"Momentum(Rates(), mu={s['mu']}, nesterov=True)",
    "rmsprop": lambda s: f"RootMeanSquare(Rates(), beta={s['beta']}, epsilon={s['epsilon']})",
    "adagrad": lambda s: f"RootMeanSquare(Rates(), beta=None, epsilon={s['epsilon']}, start={s['start']})",
}  # fmt: skip
# Settings that the text of a rule knows in one value alone.
FIXED = {"epsilon_root": 0.0, "threshold": 5.0, "early": 1.0}
KNOWN = {"torch": TORCH, "keras": KERAS}


def optimiser(rule: Settings, library: str) -> str:
    """The line that makes the optimiser of a rule, given as plain data with its name (SlalomError where there is none).

    >>> optimiser({"name": "momentum", "mu": 0.9}, "torch")
    'torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9, weight_decay=DECAY)'
    """
    name, known = rule["name"], KNOWN[library]
    if name not in known:
        raise SlalomError(
            f"The rule must be one of {', '.join(known)}: a training script for {library} has no text of others. Got"
            f" {name}."
        )
    for setting, value in FIXED.items():
        if rule.get(setting, value) != value:
            raise SlalomError(f"{name}'s {setting} must be {value} in a training script. Got {rule[setting]}.")
    return known[name](rule)
