"""The space that a race draws its recipes from: what may differ between racers, and how likely each value is."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from slalom import rules, scaling, schedules
from slalom.draws import Choice, Draw, Range, hypercube
from slalom.errors import SlalomError
from slalom.fields import check_fields, drawn_by
from slalom.layers import INITIALISERS
from slalom.nested import decaying
from slalom.portfolio import LEADING, RATES, SHAPE_FIELDS, SHAPES
from slalom.recipe import Recipe
from slalom.record import settings_of

# How likely a member of a registry is drawn; one that is not named here is drawn as well, with UNNAMED.
LIKELY_RULES = {
    "adamw": 0.40, "muon": 0.12, "nesterov": 0.08, "adam": 0.10, "schedule_free_adamw": 0.06, "lion": 0.05,
    "radam": 0.04, "amsgrad": 0.04, "rmsprop": 0.04, "momentum": 0.04, "ema": 0.04, "adagrad": 0.03, "sgd": 0.03,
    "nadam": 0.03, "lookahead": 0.03, "averaged_momentum": 0.005, "velocity_momentum": 0.005, "nadam_simple": 0.005,
}  # fmt: skip
LIKELY_SCALINGS = {"quantile_normal": 0.45, "z_score": 0.2, "robust_clip": 0.2, "min_max": 0.05, "none": 0.02}
LIKELY_SCHEDULES = {"cosine": 0.4, "coslog": 0.2, "linear": 0.1, "flat_cosine": 0.1, "constant": 0.05, "step": 0.05}
LIKELY_INITIALISERS = {"auto": 0.9}
TARGET_SCALINGS = {"z_score": 0.8, "quantile_normal": 0.1, "robust": 0.1}
UNNAMED = 0.01


def _weighted(names: Collection[str], likely: dict[str, float]) -> dict[str, float]:
    return {name: likely.get(name, UNNAMED) for name in names}


RULES = _weighted([name for name in rules.REGISTRY if name != "from_optax"], LIKELY_RULES)
SCALINGS = _weighted(scaling.REGISTRY, LIKELY_SCALINGS)
SCHEDULES = _weighted(schedules.REGISTRY, LIKELY_SCHEDULES)
INITIALISED = _weighted(INITIALISERS, LIKELY_INITIALISERS)

# The fields that a race draws, beside the shape: for every target, for classes, for numbers.
DRAWS: dict[str, Draw] = {
    "scaling": Choice.of(SCALINGS),
    "rule": Choice.of(RULES),
    "schedule": Choice.of(SCHEDULES),
    "warmup": Choice.of({0.0: 0.5, 0.05: 0.3, 0.1: 0.2}),
    "dropout": Range(0.02, 0.5, log=False, zero=0.3),
    "l1": Range(1e-6, 1e-4, zero=0.9),
    "embedding_sigma": Range(0.1, 30.0),  # of periodic embeddings
    "initialiser": Choice.of(INITIALISED),
}
OF_CLASSES: dict[str, Draw] = {"label_smoothing": Choice.of({0.0: 0.7, 0.02: 0.15, 0.1: 0.15})}
OF_NUMBERS: dict[str, Draw] = {"target_scaling": Choice.of(TARGET_SCALINGS)}
DECOUPLED, COUPLED = Range(1e-3, 0.3, zero=0.2), Range(1e-6, 1e-3, zero=0.5)  # weight decay, by what the rule does

DEFAULT = Recipe()
PLAIN = {name: getattr(DEFAULT, name) for name in SHAPE_FIELDS}  # the shape of the default recipe
SHAPED: dict[str, Draw] = {
    name: Choice.of(dict.fromkeys((s.get(name, d) for s in SHAPES), 1.0)) for name, d in PLAIN.items()
}
Shape = dict[str, Any]
Pick = Callable[[str, Draw], Any]


@dataclass(frozen=True)
class Space:
    """Where recipes come from. With the same shapes, rules and horizon recipe number i of a seed is always the same.

    Recipe 0 is the default one, behind it come the caller's own and the portfolio, and then draws: a Latin hypercube.
    In a race that is continued, the caller's own come first.

    fixed: fields that every recipe has (as `--set` gives them). given: draws of fields in place of Slalom's own (as
    `--space` gives them, see `slalom.fields.drawn_by`). also: the caller's own recipes. rows: training rows; batches
    larger than those leave the space. epochs: the horizon of all recipes. most_rules: how many update rules there is
    time to compile. classes: whether the target is classes (then labels may be smoothed) or numbers (then it may be
    scaled). scalings: those that there is room to store.
    """

    rows: int
    epochs: int
    fixed: dict[str, Any] = field(default_factory=dict)
    most_rules: int = len(RULES)  # the likeliest so many are raced
    classes: bool = False
    scalings: Collection[str] = tuple(SCALINGS)
    given: dict[str, Any] = field(default_factory=dict)
    also: tuple[Recipe, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self.fixed)
        losses = {self.fixed.get("loss")} if "loss" in self.fixed else set(getattr(self.own.get("loss"), "values", ()))
        for name, loss in (("huber_delta", "huber"), ("quantile", "quantile")):
            if (name in self.fixed or name in self.own) and loss not in losses:
                raise SlalomError(f"{name} must be given beside loss={loss}: it says nothing to another loss.")
        if self.fixed.get("batch_size", 1) > self.rows:
            raise SlalomError(
                f"batch_size must be at most the number of training rows, {self.rows}. Got {self.fixed['batch_size']}."
            )

    @cached_property
    def own(self) -> dict[str, Draw]:
        """The draws of the fields that the caller gave, or of which he forbade some values."""
        return drawn_by(self.given, DRAWS | OF_CLASSES | OF_NUMBERS | SHAPED)

    @cached_property
    def draws(self) -> dict[str, Draw]:
        """The draw of each field that differs between recipes of one shape; those of learning rate and decay hang on
        the rule and stand here only where the caller gave them."""
        stored = Choice.of({name: weight for name, weight in SCALINGS.items() if name in self.scalings})
        return DRAWS | {"scaling": stored} | (OF_CLASSES if self.classes else OF_NUMBERS) | self.own

    @property
    def notes(self) -> tuple[str, ...]:
        """What left the space."""
        left: tuple[str, ...] = ()
        count = len(self._rules.values)
        if self.most_rules < count and "rule" not in self.fixed:
            left = (f"The race is short: of {count} update rules it draws {', '.join(map(str, self.rules))}.",)
        gone = sorted({s["batch_size"] for s in SHAPES if self._batch(s["batch_size"]) != s["batch_size"]})
        if not gone or "batch_size" in self.fixed or "batch_size" in self.own:
            return left
        return (
            *left,
            f"Batches above a quarter of the {self.rows} training rows leave the space: {', '.join(map(str, gone))}.",
        )

    @property
    def _rules(self) -> Choice:
        found = self.draws["rule"]
        assert isinstance(found, Choice)
        return found

    @property
    def rules(self) -> list[Any]:
        """The rules that are raced, the likeliest first."""
        weights = dict(zip(self._rules.values, self._rules.weights, strict=True))
        return sorted(weights, key=lambda rule: -weights[rule])[: self.most_rules]

    def default(self) -> Recipe:
        """The default recipe: the baseline that every race contains as its recipe 0."""
        plain = {"epochs": self.epochs, "batch_size": self._batch(Recipe().batch_size)}
        return Recipe().with_fields(plain | self.fixed)

    def shapes(self, count: int, bases: Sequence[Shape] = SHAPES, seed: int = 0) -> list[Shape]:
        """At most so many different shapes to draw from, the likeliest first; the fields that the caller has drawn anew
        are drawn by the seed."""
        found: list[Shape] = []
        for i, shape in enumerate(bases):
            made = PLAIN | shape
            made["batch_size"] = self._batch(made["batch_size"])
            made |= {name: draw.at(hypercube(seed, i, name)) for name, draw in self._shaping(made).items()}
            made |= {k: v for k, v in self.fixed.items() if k in SHAPE_FIELDS}
            if made not in found:
                found.append(made)
        return found[:count]

    def unopened(self, shapes: Sequence[Shape]) -> dict[str, list[Any]]:
        """The values of the caller's own choices that none of these shapes has."""
        own = {k: v for k, v in self.own.items() if k in SHAPE_FIELDS and k in self.given and k not in self.fixed}
        left = {k: set(v.values) - {shape[k] for shape in shapes} for k, v in own.items() if isinstance(v, Choice)}
        return {name: sorted(values) for name, values in left.items() if values}

    def _shaping(self, made: dict[str, Any]) -> dict[str, Draw]:
        """The shape fields that the caller has drawn anew: those he gave, and those with a value that he forbade."""
        own = {name: draw for name, draw in self.own.items() if name in SHAPE_FIELDS}
        return {name: draw for name, draw in own.items() if name in self.given or made[name] not in draw}

    def leading(self, shapes: Sequence[Shape]) -> list[Recipe]:
        """The recipes that are raced first: the default one, the caller's own, and those of the portfolio that this
        race's shapes, rules and space allow."""
        found = [self.default(), *self._also()]
        for plain in LEADING:
            recipe = self._led(plain)
            if recipe and recipe not in found and self._allows(recipe, shapes):
                found.append(recipe)
        return found

    def _also(self) -> list[Recipe]:
        """The caller's own recipes, with the fixed fields."""
        return [recipe.with_fields(self.fixed).with_epochs(self.epochs) for recipe in self.also]

    def _led(self, plain: dict[str, Any]) -> Recipe | None:
        """A recipe of the portfolio with the fixed fields; None where it has another rule than the fixed one, whose
        rate would mean nothing."""
        if self.fixed.get("rule", plain["rule"]) != plain["rule"]:
            return None
        fields = dict(plain)
        if any(name.endswith(".weight_decay") for name in self.fixed):
            fields.pop("weight_decay", None)  # the rule's own holds
        if self.fixed.get("schedule", fields["schedule"]) != fields["schedule"]:
            fields = {name: value for name, value in fields.items() if not name.startswith("schedule.")}
        fields |= {"epochs": self.epochs, "batch_size": self._batch(fields["batch_size"])}
        return DEFAULT.with_fields(fields | self.fixed)

    def _allows(self, recipe: Recipe, shapes: Sequence[Shape]) -> bool:
        """Whether this race could draw a recipe."""
        row = recipe.flat()
        known = row["rule"] in self.rules or "rule" in self.fixed
        return shape_of(recipe) in shapes and known and row["scaling"] in self.scalings and self.holds(recipe)

    def holds(self, recipe: Recipe) -> bool:
        """Whether a recipe is as the caller's own space has it; the default recipe and his own ones need not be."""
        row = recipe.flat()
        return all(row[name] in draw for name, draw in self.own.items() if name in row and name not in self.fixed)

    def recipes(
        self, seed: int, first: int, count: int, shapes: Sequence[Shape], raced: Callable[[Recipe], bool] | None = None
    ) -> list[Recipe]:
        """Recipes number `first` and so on of a seed: the leading ones, then draws, of which the shapes take turns.

        raced: of a race that is continued, whether a recipe was in it already: then it leads no more, and the caller's
        own come first. Without it a first number is one behind that of the last leading recipe.
        """
        leading = self.leading(shapes)
        if raced:
            rest = [recipe for recipe in replace(self, also=()).leading(shapes) if not raced(recipe)]
            leading = self._also() + rest if first else leading
            found = leading[:count]
        else:
            found = leading[first : first + count]
        return found + [self._drawn_as(seed, i, shapes) for i in range(first + len(found), first + count)]

    def drawn(self, seed: int, first: int, count: int, shapes: Sequence[Shape]) -> list[Recipe]:
        """Draws number `first` and so on of a seed, without any recipe that leads."""
        return [self._drawn_as(seed, i, shapes) for i in range(first, first + count)]

    def _drawn_as(self, seed: int, number: int, shapes: Sequence[Shape]) -> Recipe:
        """A draw: the place of its number on the axis of each field."""
        pick = lambda name, draw: draw.at(hypercube(seed, number, name))  # noqa: E731
        raced = self.rules
        rule = self.fixed.get("rule") or pick(
            "rule", self._rules.without({r for r in self._rules.values if r not in raced})
        )
        settings = {name: value for name, value in self.fixed.items() if name.startswith("rule.")}
        shape = shapes[number % len(shapes)]
        return self._made(DEFAULT.with_fields(shape | {"rule": rule, "epochs": self.epochs} | settings), pick)

    def near(self, seed: int, number: int, parents: Sequence[Recipe]) -> Recipe:
        """Recipe `number` of a seed as a neighbour of one of these, the best of which come first.

        The parent is number ⌊n u²⌋ of n, u even in [0, 1): mostly a good one. Its shape and rule stay; of the other
        fields numbers move by about 0.15 of their range, and one choice in five is drawn anew.
        """
        rng = np.random.default_rng([seed, 5, number])
        parent = parents[int(len(parents) * rng.random() ** 2)]
        row = parent.flat()
        return self._made(parent, lambda name, draw: draw.near(row.get(name, 0.0), rng))

    def _made(self, base: Recipe, pick: Pick) -> Recipe:
        """A recipe with all fields picked from their draws but for the shape and the rule."""
        own, named = base.rule, isinstance(self.fixed.get("rule", ""), str)  # not a rule with settings of the caller's
        usual = {"learning_rate": Range(*RATES.get(base.to_plain()["rule"]["name"], own.rates))}
        if named and not any(name.endswith(".weight_decay") for name in self.fixed):
            usual["weight_decay"] = DECOUPLED if decaying(own) else COUPLED
        free = usual | {name: draw for name, draw in self.draws.items() if name not in SHAPE_FIELDS and "." not in name}
        free = {name: draw for name, draw in free.items() if name != "rule" and name not in self.fixed}
        fields = {name: pick(name, draw) for name, draw in free.items()}
        if base.embedding != "periodic":
            fields.pop("embedding_sigma", None)
        if self.fixed.get("loss", base.loss) == "poisson":
            fields.pop("target_scaling", None)  # it has a unit of its own
        schedule = fields.get("schedule", self.fixed.get("schedule"))
        parts = {"rule": type(own) if named else None, "schedule": schedules.REGISTRY.get(str(schedule))}
        for part, cls in parts.items():
            for name, about in settings_of(cls).items() if cls else ():
                if draw := self._setting(f"{part}.{name}", about["search"]):
                    fields[f"{part}.{name}"] = pick(f"{part}.{name}", draw)
        return base.with_fields(fields | {k: v for k, v in self.fixed.items() if k != "rule"})

    def _setting(self, name: str, search: Sequence[float]) -> Draw | None:
        """The draw of a setting of a rule or schedule: the caller's, or the values that it says are worth trying."""
        usual = Choice.of(dict.fromkeys(map(float, search), 1.0)) if search else None
        return None if name in self.fixed else self.draws.get(name, usual)

    def _batch(self, batch: int) -> int:
        """The batch size, or the largest power of two that leaves four steps an epoch."""
        return max(1, min(batch, 2 ** int(np.log2(max(self.rows // 4, 1)))))


def shape_of(recipe: Recipe) -> Shape:
    """The fields of a recipe that make its shape."""
    return {name: getattr(recipe, name) for name in SHAPE_FIELDS}


def check_space(given: dict[str, Any]) -> None:
    """Raise SlalomError where a caller's own space names an unknown field, or values that no recipe can have."""
    Space(rows=2**20, epochs=1, given=given)
