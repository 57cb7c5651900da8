"""The space that a race draws its recipes from: what may differ between racers, and how likely each value is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any

import numpy as np

from slalom import rules, scaling, schedules
from slalom.errors import SlalomError, unknown
from slalom.layers import INITIALISERS
from slalom.nested import SCHEDULES as WRITTEN_SCHEDULES
from slalom.nested import decaying, flattened, lost
from slalom.recipe import CHOICES, RANGES, Recipe
from slalom.record import settings_of, to_plain
from slalom.schedules import Custom

SHAPE_FIELDS = ("depth", "width", "batch_size", "activation", "normalisation", "placement", "embedding")

# The shapes that a race opens first: small enough to run hundreds of times a minute, different enough to matter.
SHAPES: tuple[dict[str, Any], ...] = (
    {"depth": 2, "width": 128, "batch_size": 128, "activation": "relu"},
    {"depth": 3, "width": 128, "batch_size": 128, "activation": "silu"},
    {"depth": 3, "width": 128, "batch_size": 128, "activation": "silu", "embedding": "periodic"},
    {"depth": 2, "width": 64, "batch_size": 64, "activation": "relu", "normalisation": "batch_norm"},
    {"depth": 2, "width": 256, "batch_size": 256, "activation": "silu"},
    {"depth": 3, "width": 64, "batch_size": 64, "activation": "relu", "normalisation": "layer_norm"},
    {"depth": 2, "width": 128, "batch_size": 128, "activation": "relu", "embedding": "piecewise_linear"},
    {"depth": 1, "width": 256, "batch_size": 128, "activation": "relu"},
    {"depth": 4, "width": 128, "batch_size": 256, "activation": "relu", "normalisation": "batch_norm"},
    {"depth": 2, "width": 32, "batch_size": 32, "activation": "tanh"},
)

# How likely a member of a registry is drawn; one that is not named here is drawn as well, with UNNAMED.
LIKELY_RULES = {
    "adamw": 0.20, "adam": 0.17, "radam": 0.13, "amsgrad": 0.10, "nesterov": 0.10, "rmsprop": 0.08, "momentum": 0.08,
    "adagrad": 0.08, "sgd": 0.06, "ema": 0.04, "schedule_free_adamw": 0.04, "nadam": 0.04, "lion": 0.03, "muon": 0.03,
    "lookahead": 0.03, "averaged_momentum": 0.005, "velocity_momentum": 0.005, "nadam_simple": 0.005,
}  # fmt: skip
LIKELY_SCALINGS = {"z_score": 0.25, "robust_clip": 0.3, "quantile_normal": 0.3, "min_max": 0.1, "none": 0.05}
LIKELY_SCHEDULES = {"cosine": 0.55, "constant": 0.15, "step": 0.15, "exponential": 0.15}
LIKELY_INITIALISERS = {"auto": 0.8}
TARGET_SCALINGS = {"z_score": 0.8, "quantile_normal": 0.1, "robust": 0.1}
UNNAMED = 0.02
RULES = {name: LIKELY_RULES.get(name, UNNAMED) for name in rules.REGISTRY if name not in ("from_optax",)}
SCALINGS = {name: LIKELY_SCALINGS.get(name, UNNAMED) for name in scaling.REGISTRY}
INITIALISED = {name: LIKELY_INITIALISERS.get(name, UNNAMED) for name in INITIALISERS}
SCHEDULES = {name: LIKELY_SCHEDULES.get(name, UNNAMED) for name in schedules.REGISTRY}


DEFAULT = Recipe()


@dataclass(frozen=True)
class Space:
    """Where recipes come from. Recipe number i of a seed is always the same one: a longer race draws the same and more.

    fixed: fields that every recipe has (as `--set` gives them). rows: training rows; batches larger than those leave
    the space. epochs: the horizon of all recipes. most_rules: how many update rules there is time to compile.
    classes: whether the target is classes (then labels may be smoothed) or numbers (then it may be scaled).
    scalings: those that there is room to store.
    """

    rows: int
    epochs: int
    fixed: dict[str, Any] = field(default_factory=dict)
    most_rules: int = len(RULES)  # the likeliest so many are raced
    classes: bool = False
    scalings: Collection[str] = tuple(SCALINGS)

    def __post_init__(self) -> None:
        check_fields(self.fixed)
        if self.fixed.get("batch_size", 1) > self.rows:
            raise SlalomError(
                f"batch_size must be at most the number of training rows, {self.rows}. Got {self.fixed['batch_size']}."
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """What left the space."""
        left = (
            ()
            if len(self.rules) == len(RULES) or "rule" in self.fixed
            else (f"the race is short: of {len(RULES)} update rules it uses {', '.join(self.rules)}.",)
        )
        gone = sorted(
            {shape["batch_size"] for shape in SHAPES if self._batch(shape["batch_size"]) != shape["batch_size"]}
        )
        if not gone or "batch_size" in self.fixed:
            return left
        return (
            *left,
            f"batches above a quarter of the {self.rows} training rows leave the space: {', '.join(map(str, gone))}.",
        )

    @property
    def rules(self) -> list[str]:
        """The rules that are raced, the likeliest first; the default recipe's is among them."""
        return sorted(RULES, key=lambda name: -RULES[name])[: self.most_rules]

    def default(self) -> Recipe:
        """The default recipe: the baseline that every race contains as its recipe 0."""
        plain = {"epochs": self.epochs, "batch_size": self._batch(Recipe().batch_size)}
        return Recipe().with_fields(plain | self.fixed)

    def shapes(self, count: int) -> list[dict[str, Any]]:
        """At most so many different shapes; the default recipe's is the first."""
        base = self.default().to_plain()
        first = {name: base[name] for name in SHAPE_FIELDS}
        found = [first]
        for shape in SHAPES:
            made = first | shape | {"batch_size": self._batch(shape["batch_size"])}
            made |= {k: v for k, v in self.fixed.items() if k in SHAPE_FIELDS}
            if made not in found:
                found.append(made)
        return found[:count]

    def recipe(self, seed: int, number: int, shapes: Sequence[dict[str, Any]]) -> Recipe:
        """Recipe `number` of a seed; the shapes take turns."""
        if number == 0:
            return self.default()
        rng = np.random.default_rng([seed, 1, number])
        rule = self.fixed.get("rule", _choice(rng, {name: RULES[name] for name in self.rules}))
        settings = {k: v for k, v in self.fixed.items() if k.startswith("rule.")}
        known = isinstance(rule, str) and not settings
        own = rules.REGISTRY[rule]() if known else DEFAULT.with_fields({"rule": rule} | settings).rule
        drawn = shapes[number % len(shapes)] | self._draw(rng, rule, own) | {"epochs": self.epochs}
        if any(name.endswith(".weight_decay") for name in self.fixed) or (decaying(own) and not isinstance(rule, str)):
            del drawn["weight_decay"]  # the rule's own holds
        if self.fixed.get("schedule", drawn["schedule"]) != drawn["schedule"]:
            drawn = {k: v for k, v in drawn.items() if not k.startswith("schedule.")}
        drawn["learning_rate"] = _log_uniform(rng, *own.rates)
        return DEFAULT.with_fields(drawn | self.fixed)

    def _batch(self, batch: int) -> int:
        """The batch size, or the largest power of two that leaves four steps an epoch."""
        return max(1, min(batch, 2 ** int(np.log2(max(self.rows // 4, 1)))))

    def _draw(self, rng: np.random.Generator, rule: Any, own: Any) -> dict[str, Any]:
        """Everything but the shape and the learning rate."""
        schedule = _choice(rng, SCHEDULES)
        drawn: dict[str, Any] = {
            "scaling": _choice(rng, {name: SCALINGS[name] for name in self.scalings}),
            "rule": rule,
            "schedule": schedule,
            "warmup": float(rng.choice([0.0, 0.05, 0.1], p=[0.5, 0.3, 0.2])),
            "dropout": float(rng.choice([0.0, round(rng.uniform(0.02, 0.4), 3)])),
            "weight_decay": _sometimes(rng, 0.5, *(1e-3, 0.3) if decaying(own) else (1e-6, 1e-3)),
            "l1": _sometimes(rng, 0.1, 1e-6, 1e-4),
            "initialiser": _choice(rng, INITIALISED),
        }
        if self.classes:
            drawn["label_smoothing"] = float(rng.choice([0.0, 0.02, 0.1], p=[0.8, 0.1, 0.1]))
        elif self.fixed.get("loss") != "poisson":  # which has a unit of its own
            drawn["target_scaling"] = _choice(rng, TARGET_SCALINGS)
        searched = {"rule": rules.REGISTRY.get(rule) if isinstance(rule, str) else None}
        for part, cls in (searched | {"schedule": schedules.REGISTRY[schedule]}).items():
            for name, about in settings_of(cls).items() if cls else ():
                if about["search"]:
                    drawn[f"{part}.{name}"] = float(rng.choice(about["search"]))
        return drawn


def named(fixed: dict[str, Any], *, to_write: bool = False) -> dict[str, Any]:
    """Fixed fields with rules and schedules as names and numbers.

    Functions and transformations of Optax stay what they are, unless it is all to be written down.

    >>> from slalom.rules import Momentum
    >>> named({"rule": Momentum(mu=0.8)})
    {'rule': 'momentum', 'rule.mu': 0.8}
    """
    flat: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {"rule": rules.REGISTRY, "schedule": WRITTEN_SCHEDULES}
    for name, value in fixed.items():
        registry = parts.get(name)
        if registry and not isinstance(value, str):
            if callable(value) and not is_dataclass(value):
                value = Custom(value)
            plain = to_plain(value, registry) if not isinstance(value, dict) else value
            flat |= {name: value} if _has_object(plain) and not to_write else flattened(name, plain)
        else:
            flat[name] = value
    return flat


def _has_object(plain: dict[str, Any]) -> bool:
    """Whether plain data holds but the name of a Python object."""
    return any(
        key in ("function", "unwritten") or (isinstance(value, dict) and _has_object(value))
        for key, value in plain.items()
    )


def check_fields(fixed: dict[str, Any]) -> None:
    """Raise SlalomError where a name is not a recipe's field (the values are checked by the recipe)."""
    for name in fixed:
        if name == "epochs":
            raise SlalomError(
                "epochs is not a field to fix: it is the horizon of all recipes. Give recipes and epochs."
            )
        known = [field for field in (*CHOICES, *RANGES, "rule", "schedule") if field != "epochs"]
        if name.partition(".")[0] not in known:
            raise unknown("recipe field", name, known)
        head, dot, _ = name.partition(".")
        if dot and head not in fixed:
            raise SlalomError(f"{name} must be given beside {head}, as only some have it. Add {head}=NAME.")
    made = Recipe().with_fields(fixed)
    for part in (made.rule, made.schedule):
        if gone := lost(part):
            gone()


def _choice(rng: np.random.Generator, weights: dict[str, float]) -> str:
    names, p = list(weights), np.array(list(weights.values()))
    return names[int(rng.choice(len(names), p=p / p.sum()))]


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.3g}")  # three digits are enough for anyone to read


def _sometimes(rng: np.random.Generator, chance: float, low: float, high: float) -> float:
    """A number between two, or 0."""
    value = _log_uniform(rng, low, high)
    return value if rng.random() < chance else 0.0
