"""What a caller wants of a race, checked before anything is read."""

import math
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from slalom.budget import size_of
from slalom.errors import SlalomError, unknown, wrong
from slalom.fields import check_fields, named
from slalom.folder import EVERY
from slalom.plan import PLANS
from slalom.recipe import Recipe
from slalom.space import check_space


@dataclass(frozen=True)
class Order:
    """What a caller wants of a race, checked: see `race` for the meaning of the fields."""

    seconds: float | None = None
    recipes: int | None = None
    epochs: int | None = None
    recipe: Recipe | None = None
    fixed: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)
    also: tuple[Recipe, ...] = ()
    seed: int = 0
    task: str = "auto"
    metric: Any = None
    plan: str = "halving"
    refit: bool | str = False
    test: bool = True
    baselines: bool = True
    every: float = EVERY
    memory: int | None = None  # bytes

    def __post_init__(self) -> None:
        if self.seconds is not None and not (isinstance(self.seconds, (int, float)) and 0 < self.seconds < math.inf):
            raise wrong("seconds", "a positive number", self.seconds)
        if not (isinstance(self.every, (int, float)) and self.every >= 0):
            raise wrong("every", "a number of seconds, 0 or more", self.every)
        for name in ("recipes", "epochs", "seed"):
            value, least = getattr(self, name), 0 if name == "seed" else 1
            if value is None and name != "seed":
                continue
            if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
                raise wrong(name, f"a whole number of at least {least}", value)
            object.__setattr__(self, name, int(value))
        if self.recipe is not None and not isinstance(self.recipe, Recipe):
            raise wrong("recipe", "a Recipe, as Recipe.from_plain makes one of a dict", type(self.recipe).__name__)
        if self.recipe is None and (self.recipes is None) != (self.epochs is None):
            raise SlalomError("recipes and epochs go together: so many recipes for so many epochs each, none dropped.")
        if self.recipe is not None and self.recipes is not None:
            raise SlalomError("recipes must not be given beside recipe: just that one recipe is run.")
        if self.task not in ("auto", "regression", "classification"):
            raise wrong("task", "one of auto, regression, classification", self.task)
        if self.plan not in PLANS:
            raise unknown("plan", str(self.plan), PLANS)
        if not isinstance(self.refit, bool) and self.refit != "all":
            raise wrong("refit", "True, False or 'all'", self.refit)
        for name in ("test", "baselines"):
            if not isinstance(getattr(self, name), bool):
                raise wrong(name, "True or False", getattr(self, name))
        object.__setattr__(self, "memory", None if self.memory is None else size_of(self.memory))
        object.__setattr__(self, "fixed", named(self.fixed))
        check_fields(self.fixed)
        self._check_space()

    def _check_space(self) -> None:
        """The caller's own space and recipes, which mean nothing beside one recipe alone."""
        object.__setattr__(self, "also", tuple(self.also))
        for one in self.also:
            if not isinstance(one, Recipe):
                raise wrong("also", "recipes, as Recipe.from_plain makes one of a dict", type(one).__name__)
        if not isinstance(self.space, dict):
            raise wrong("space", "a dict of fields, as --space reads one from TOML", type(self.space).__name__)
        check_space(self.space)
        for name in ("space", "also"):
            if self.recipe is not None and getattr(self, name):
                raise SlalomError(f"{name} must not be given beside recipe: just that one recipe is run.")
        for name in self.space:
            if name in self.fixed:
                raise SlalomError(f"{name} must not be fixed and in the space as well. Leave it out of one.")
