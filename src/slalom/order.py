"""What a caller wants of a race, checked before anything is read."""

import math
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from slalom.errors import SlalomError, wrong
from slalom.recipe import Recipe
from slalom.space import check_fields, named


@dataclass(frozen=True)
class Order:
    """What a caller wants of a race, checked: see `race` for the meaning of the fields."""

    seconds: float | None = None
    recipes: int | None = None
    epochs: int | None = None
    recipe: Recipe | None = None
    fixed: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    task: str = "auto"
    metric: Any = None
    refit: bool | str = False

    def __post_init__(self) -> None:
        if self.seconds is not None and not (isinstance(self.seconds, (int, float)) and 0 < self.seconds < math.inf):
            raise wrong("seconds", "a positive number", self.seconds)
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
        if not isinstance(self.refit, bool) and self.refit != "all":
            raise wrong("refit", "True, False or 'all'", self.refit)
        object.__setattr__(self, "fixed", named(self.fixed))
        check_fields(self.fixed)
