"""Fit: trains exactly one recipe, to its end."""

import math
from typing import Any

import numpy as np

from slalom.crew import Crew
from slalom.data import Split, Target, split_given
from slalom.errors import RaceFailed, SlalomError, wrong
from slalom.finish import model_of, structure_of
from slalom.heat import Heat
from slalom.lane import Data
from slalom.metrics import find_metric
from slalom.model import Model
from slalom.prepare import prepare
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.record import in_steps
from slalom.schedules.base import plateau_of
from slalom.seats import Placed
from slalom.shuffles import Shuffles
from slalom.step import kind_of
from slalom.table import Table, table_of


def fit(
    X: Any,
    y: Any = None,
    *,
    recipe: Recipe | None = None,
    target: str | None = None,
    validation: tuple[Any, Any] | None = None,
    task: str = "auto",
    metric: Any = None,
    stop: float | None = None,
    patience: float | None = None,
    seed: int = 0,
) -> Model:
    """Train exactly this one recipe on all rows of X, for all its epochs, and hand back the model.

    A race keeps the best moment of a recipe, often long before its last epoch: `stop=result.best.epoch` trains up to
    it.

    X, y, target, task: as in `slalom.race`. recipe: the default one unless given. validation: (X, y) to choose the best
    moment by (with `metric`); without it the model is that of the last step. stop: epochs after which training ends;
    the schedule keeps the recipe's horizon. patience: training ends early where no score on the validation rows was
    better for so long, a fraction of the horizon below 1, epochs otherwise. seed: of first weights and row orders.

    Raises SlalomError where something given cannot be used, RaceFailed where the training diverged.

    >>> rng = np.random.default_rng(0); X = rng.normal(size=(200, 2)); y = X @ [2.0, -1.0]
    >>> model = fit(X, y, recipe=Recipe(depth=0, learning_rate=0.05, batch_size=20, epochs=20))
    >>> bool(np.abs(model.predict(X) - y).max() < 0.1)
    True
    """
    recipe = recipe or Recipe()
    if not isinstance(recipe, Recipe):
        raise wrong("recipe", "a Recipe, as Recipe.from_plain makes one of a dict", type(recipe).__name__)
    if stop is not None and not 0 < stop <= recipe.epochs:
        raise wrong("stop", f"above 0 and at most the recipe's {recipe.epochs} epochs", stop)
    number = isinstance(patience, (int, float)) and patience > 0
    if patience is not None and not (validation and number):
        raise wrong("patience", "above 0, and given with validation=(X, y)", patience)
    if not validation and plateau_of(recipe.rate_factor()):
        raise SlalomError("A plateau waits for scores: give validation=(X, y), or another schedule.")
    heat = _heat(table_of(X, y, target, validation), recipe, task, metric, seed)
    racer = Racer(0, recipe, 0)
    last_step = max(1, round((stop or recipe.epochs) * heat.steps_per_epoch(0)))
    wait = math.inf if patience is None else in_steps(patience, recipe.epochs) * heat.steps_per_epoch(0)
    late = lambda: racer.best is not None and max(racer.costs) - racer.best.step > wait  # noqa: E731
    Crew(heat, [racer]).advance(last_step, heat.checks(recipe.epochs, 0, []) if validation else [], late)
    moment = racer.best if validation else Crew(heat, [racer]).moment()
    if (
        moment is None
        or racer.diverged
        or not all(np.isfinite(w).all() for layer in moment.weights for w in layer.values())
    ):
        raise RaceFailed(
            f"The training diverged: its weights or its scores left all bounds. Try a learning rate below"
            f" {recipe.learning_rate}."
        )
    return model_of(heat, recipe, 0, moment)


def _heat(table: Table, recipe: Recipe, task: str, metric: Any, seed: int) -> Heat:
    """The compiled heat of one recipe on all rows that are not validation rows."""
    kind = Target.fit(table.labels, task)
    rows = len(table.frame) - table.validation
    if table.validation:
        codes = kind.encode(table.labels)[rows:] if kind.task == "classification" else None
        split = split_given(rows, table.validation, codes, seed=seed)
    else:
        none = np.array([], dtype=np.intp)
        split = Split((np.arange(rows),), (none,), (none,), none)
    if recipe.batch_size > rows:
        raise wrong("batch_size", f"at most the number of training rows, {rows}", recipe.batch_size)
    prepared = prepare(table.taken(), table.labels, kind, split, {recipe.scaling}, [recipe.target_scaling], whole=False)
    data = Placed(Data(prepared.x, prepared.y))
    rules = (kind_of(recipe.rule),)
    structure, measure = structure_of(recipe, prepared), find_metric(metric, kind.task)
    heat = Heat(structure, prepared, data, measure, Shuffles(seed), seed, rules, crowd=1, replayed=False)
    heat.compile()
    return heat
