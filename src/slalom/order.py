"""What a caller wants of a race, checked before anything is read."""

import math
from dataclasses import dataclass, field
from typing import Any

from slalom.errors import SlalomError, wrong
from slalom.recipe import Recipe
from slalom.space import check_fields


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

    def __post_init__(self) -> None:
        if self.seconds is not None and not (isinstance(self.seconds, (int, float)) and 0 < self.seconds < math.inf):
            raise wrong("seconds", "a positive number", self.seconds)
        for name in ("recipes", "epochs"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise wrong(name, "a whole number of at least 1", value)
        if self.recipe is None and (self.recipes is None) != (self.epochs is None):
            raise SlalomError("recipes and epochs go together: so many recipes for so many epochs each, none dropped.")
        if self.recipe is not None and self.recipes is not None:
            raise SlalomError("recipes must not be given beside recipe: just that one recipe is run.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise wrong("seed", "a whole number of at least 0", self.seed)
        if self.task not in ("auto", "regression", "classification"):
            raise wrong("task", "one of auto, regression, classification", self.task)
        check_fields(self.fixed)
