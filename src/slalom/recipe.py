"""A recipe: all settings of one training, validated here, to and from TOML."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from typing import Any

import numpy as np
import tomli_w

from slalom import rules, scaling, schedules
from slalom.blocks import BLOCKS
from slalom.errors import SlalomError, unknown, wrong
from slalom.folder import parsed
from slalom.layers import ACTIVATIONS, INITIALISERS
from slalom.losses import CHOICES as LOSSES
from slalom.nested import SCHEDULES, as_table, decaying, flattened, forget_decay, with_decay
from slalom.net import EMBEDDINGS, NORMALISATIONS, PLACEMENTS, Net
from slalom.notebook import table
from slalom.record import from_plain, settings_of, to_plain, within
from slalom.rules import Rule
from slalom.schedules import ByEpoch, Custom, Schedule, Warmup
from slalom.unit import MEAN

CHOICES: dict[str, Collection[str]] = {
    "scaling": scaling.REGISTRY,
    "target_scaling": scaling.REGISTRY,
    "schedule_by": ("step", "epoch"),
    "activation": ACTIVATIONS,
    "normalisation": NORMALISATIONS,
    "embedding": EMBEDDINGS,
    "initialiser": INITIALISERS,
    "placement": PLACEMENTS,
    "block": BLOCKS,
    "learned_scale": ("none", "learned"),
    "loss": ("auto", *LOSSES["regression"], *LOSSES["classification"]),
}
# field: (type, the interval it must lie in)
RANGES: dict[str, tuple[type, str]] = {
    "learning_rate": (float, "(0, inf)"),
    "warmup": (float, "[0, inf)"),
    "weight_decay": (float, "[0, inf)"),
    "l1": (float, "[0, inf)"),
    "dropout": (float, "[0, 1)"),
    "label_smoothing": (float, "[0, 1)"),
    "huber_delta": (float, "(0, inf)"),
    "quantile": (float, "(0, 1)"),
    "class_weight": (float, "[0, 1]"),
    "batch_size": (int, "[1, 1048576]"),
    "epochs": (int, "[1, 1000000]"),
    "depth": (int, "[0, 100]"),
    "width": (int, "[1, 65536]"),
    "embedding_size": (int, "[0, 64]"),
    "embedding_sigma": (float, "[0, inf)"),
}


@dataclass(frozen=True)
class Recipe:
    """All settings of one training.

    scaling: name of a scaler (`slalom.scaling`). rule: an update rule or its name. learning_rate: its peak, > 0.
    schedule: a schedule, its name, or a function of the step (and the horizon). warmup: linear warm-up in front of it,
    a fraction of the horizon below 1, steps otherwise. batch_size: rows of a step. epochs: the horizon, passes over the
    training rows.
    depth, width: hidden layers and their features; depth 0 is a linear model. activation: between the layers. block:
    plain, or residual: depth counts blocks of two layers then, whose answer is added to what they are given.
    normalisation: none, batch_norm, layer_norm or group_norm, placement: before or after the activation; a residual
    block has its normalisation in front.
    embedding: of columns of numbers in front of the first layer: none, periodic or piecewise_linear. embedding_size:
    features that it makes of each, above 1; 0: its own, 4 (periodic) or 16 bins (piecewise_linear). embedding_sigma:
    spread of the first frequencies of periodic; 0: its own, 0.1. learned_scale: none, or
    learned: a factor for every feature in front of the first dense layer, from 1 on. initialiser: of the first weights;
    auto is normal, with the gain of the activation.
    dropout: probability of leaving out a hidden feature. weight_decay: λ ≥ 0 on all parameters; decoupled
    (w −= η λ w) with adamw, added to the gradient (g += λ w) with every other rule, as in PyTorch. Where it is None
    the rule's own holds: 0.01 with adamw, 0 with most others. l1: λ₁ ≥ 0 of the L1 penalty on all parameters, added to
    the gradient (g += λ₁ sign w). label_smoothing: share of a label that is spread evenly over the classes.
    loss: what the steps descend. Of a regression squared_error (auto), huber (its corners at ± huber_delta > 0, in the
    net's unit of the target), absolute_error, quantile (the quantile in (0, 1) of the target is predicted) or poisson
    (counts: the net puts out the logarithm of their mean); of classes cross_entropy (auto). Only the loss that they
    belong to reads huber_delta and quantile. class_weight: a training row of a class with n_c of n rows in C classes
    has the weight (n / (C n_c))^class_weight: 0 weighs all rows alike, 1 all classes.
    target_scaling: name of the scaler of a regression target; of poisson it is the target's mean. schedule_by: whether
    schedule and warm-up move with every step, or once an epoch: their lengths are then epochs.

    Raises SlalomError where a field is outside its range or a name is unknown.

    >>> recipe = Recipe(rule="momentum", learning_rate=0.1, width=32)
    >>> Recipe.from_toml(recipe.to_toml()) == recipe
    True
    """

    scaling: str = "z_score"
    rule: Rule = field(default_factory=rules.Adam)
    learning_rate: float = 1e-3
    schedule: Schedule = field(default_factory=schedules.Cosine)
    warmup: float = 0.0
    batch_size: int = 128
    epochs: int = 100
    depth: int = 2
    width: int = 128
    activation: str = "relu"
    normalisation: str = "none"
    placement: str = "before"
    dropout: float = 0.0
    weight_decay: float | None = None
    l1: float = 0.0
    label_smoothing: float = 0.0
    target_scaling: str = "z_score"
    embedding: str = "none"
    learned_scale: str = "none"
    block: str = "plain"
    embedding_size: int = 0
    embedding_sigma: float = 0.0
    initialiser: str = "auto"
    schedule_by: str = "step"
    loss: str = "auto"
    huber_delta: float = 1.0
    quantile: float = 0.5
    class_weight: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rule", from_plain("rule", self.rule, rules.REGISTRY))
        self._agree_on_decay()
        function = callable(self.schedule) and not hasattr(self.schedule, "plateau")
        schedule = Custom(self.schedule) if function else self.schedule
        if isinstance(schedule, (ByEpoch, Warmup)):
            raise wrong("schedule", "one without wrapper", schedule, "Give warmup=… or schedule_by='epoch' beside it.")
        whole = isinstance(schedule, Custom) or (isinstance(schedule, dict) and "function" in schedule)
        known = SCHEDULES if whole else schedules.REGISTRY  # the word custom alone means nothing
        object.__setattr__(self, "schedule", from_plain("schedule", schedule, known))
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in choices:
                raise unknown(name, value, choices)
        for name, (kind, interval) in RANGES.items():
            object.__setattr__(self, name, _number(name, getattr(self, name), kind, interval))
        if self.embedding_size == 1:
            raise wrong("Recipe(embedding_size=…)", "at least 2, or 0 for the embedding's own", self.embedding_size)

    def _agree_on_decay(self) -> None:
        """One weight decay: that of the recipe, which a rule with one of its own takes over, or that of the rule."""
        deciding = decaying(self.rule)
        if deciding is None:
            object.__setattr__(self, "weight_decay", self.weight_decay if self.weight_decay is not None else 0.0)
            return
        own, usual = deciding.weight_decay, settings_of(deciding)["weight_decay"]["default"]
        if self.weight_decay is None:
            object.__setattr__(self, "weight_decay", own)
        elif own not in (usual, self.weight_decay):
            raise SlalomError(
                f"Recipe(weight_decay=…) must agree with its rule's, {own}. Got {self.weight_decay}. Give one of them."
            )
        number = _number("weight_decay", self.weight_decay, *RANGES["weight_decay"])
        object.__setattr__(self, "rule", with_decay(self.rule, number))

    def net(self, inputs: int, outputs: int, numeric: int | None = None, categories: tuple[int, ...] = ()) -> Net:
        """The shape of the net for a table of so many columns and a target of so many outputs. numeric: how many of the
        columns, the first ones, an embedding takes; all but codes unless given. categories: how many codes each of the
        last columns has."""
        normalised = self.normalisation != "none" and self.depth > 0
        embedding = "none" if numeric == 0 else self.embedding
        own = self.embedding_size in (0, EMBEDDINGS[embedding][1]) or embedding == "none"
        return Net(
            inputs=inputs,
            outputs=outputs,
            depth=self.depth,
            width=self.width if self.depth else 1,
            activation=self.activation if self.depth else "relu",
            normalisation=self.normalisation if normalised else "none",
            placement=self.placement if normalised and self.block == "plain" else "before",
            embedding=embedding,
            embedding_size=0 if own else self.embedding_size,
            embedded=-1 if embedding == "none" or numeric in (None, inputs) else numeric,
            categories=categories,
            learned_scale=self.learned_scale == "learned",
            block=self.block if self.depth else "plain",
        )

    def rate_factor(self) -> Schedule:
        """The schedule with its warm-up in front, moved by epoch where that is asked for."""
        whole = Warmup(self.schedule, self.warmup) if self.warmup else self.schedule
        return ByEpoch(whole, self.epochs) if self.schedule_by == "epoch" else whole

    @property
    def unit(self) -> str:
        """The unit that a regression target is learnt in: a scaler's name, or `mean`, that of poisson."""
        return MEAN if self.loss == "poisson" else self.target_scaling

    @property
    def penalty(self) -> float:
        """λ of the term λ w that is added to the gradient: 0 where the rule decays the weights itself."""
        return 0.0 if decaying(self.rule) is not None else float(self.weight_decay or 0.0)

    def to_plain(self) -> dict[str, Any]:
        """The recipe as plain data: numbers, names, and a table each for rule and schedule."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["rule"] = to_plain(self.rule, rules.REGISTRY)
        forget_decay(self.rule, plain["rule"])  # it is the recipe's field
        plain["schedule"] = to_plain(self.schedule, SCHEDULES)
        return plain

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Recipe":
        """A recipe from plain data; a field that is not there keeps its default."""
        known = [f.name for f in fields(cls)]
        for name in plain:
            if name not in known:
                raise unknown("recipe field", name, known)
        return cls(**plain)

    def to_toml(self) -> str:
        """The recipe as TOML text."""
        return tomli_w.dumps(self.to_plain())

    @classmethod
    def from_toml(cls, text: str) -> "Recipe":
        """A recipe from TOML text, as `to_toml` writes it; a field that is not there keeps its default."""
        try:
            plain = parsed(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise SlalomError(f"The recipe must be TOML. {error}.") from None
        return cls.from_plain(plain)

    def flat(self) -> dict[str, Any]:
        """Every field in one flat row, settings of rule and schedule as `rule.beta1`: a row of the leaderboard."""
        row: dict[str, Any] = {}
        for name, value in self.to_plain().items():
            row |= flattened(name, value) if isinstance(value, dict) else {name: value}
        return row

    def _repr_html_(self) -> str:  # what a notebook shows
        off = lambda value: value in (None, "none", "auto") or (isinstance(value, float) and value == 0)  # noqa: E731
        shown = [(name, value) for name, value in self.flat().items() if not off(value)]
        return table(["field", "value"], shown)

    def with_fields(self, given: dict[str, Any]) -> "Recipe":
        """The recipe with some fields replaced, named as in `flat` (`rule`, `rule.beta1`, `learning_rate`, …)."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        heads = {name.partition(".")[0] for name in given if "." in name}
        plain |= {name: table for name, table in self.to_plain().items() if name in heads}
        if "rule" not in given and "weight_decay" in given and "rule" not in heads:
            plain["rule"] = with_decay(self.rule, given["weight_decay"])
        for name in sorted(given, key=lambda n: n.count(".")):  # a rule before its settings
            *path, last = name.split(".")
            if path and last == "name":
                raise SlalomError(f"{name} must be given as {'.'.join(path)}.")
            table: dict[str, Any] = plain
            for step in path:
                table[step] = as_table(table, step)
                table = table[step]
            nested = last in ("rule", "schedule") and isinstance(given[name], str)
            table[last] = {"name": given[name]} if nested else given[name]
            if last == "rule" and "weight_decay" not in given:
                plain["weight_decay"] = None  # that of the new rule
        return Recipe.from_plain(plain)

    def with_epochs(self, epochs: int) -> "Recipe":
        """The recipe with another horizon."""
        return replace(self, epochs=epochs)


def _number(name: str, value: Any, kind: type, interval: str) -> Any:
    """The value as the number a field wants, or the sentence that says what it wants."""

    where = f"Recipe({name}=…)"
    number = f"a whole number in {interval}" if kind is int else f"a number in {interval}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise wrong(where, number, value)
    plain = float(value)
    if not within(plain, interval) or (kind is int and not plain.is_integer()):
        raise wrong(where, number, value)
    return int(plain) if kind is int else plain


def parse_value(name: str, text: str) -> Any:
    """The value that `--set FIELD=VALUE` gives as text: a number where the field is one, else the text itself.

    >>> parse_value("learning_rate", "1e-3"), parse_value("rule", "adam")
    (0.001, 'adam')
    """
    if name in CHOICES or name in ("rule", "schedule"):
        return text
    if name not in RANGES and name.partition(".")[0] not in ("rule", "schedule"):
        raise unknown("--set FIELD", name, [f for f in (*CHOICES, *RANGES, "rule", "schedule") if f != "epochs"])
    try:
        value = float(text)
    except ValueError:
        if "." in name:
            return text  # several numbers, or a name
        raise wrong(f"--set {name}", "a number", text) from None
    return int(value) if RANGES.get(name, (float,))[0] is int and value.is_integer() else value
