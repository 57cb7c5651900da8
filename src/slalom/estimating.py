"""What both scikit-learn estimators are made of: a race's settings and outcome, rows as scikit-learn takes them."""

import warnings
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, validate_data

from slalom.data import frame_of
from slalom.data.base import shown
from slalom.data.split import FEWEST_UNTESTED
from slalom.ensemble import Ensemble
from slalom.errors import SlalomError
from slalom.evidence import Evidence
from slalom.model import Model
from slalom.racing import race
from slalom.recipe import Recipe
from slalom.types import Array

LARGEST_SEED = 2**31 - 1


class Racing(BaseEstimator):
    """What both estimators have: the settings of a race, and its outcome."""

    model_: Model | Ensemble
    best_recipe_: Recipe
    best_score_: float
    leaderboard_: pl.DataFrame
    evidence_: Evidence | None
    notes_: tuple[str, ...]
    n_features_in_: int

    def __init__(
        self,
        seconds: float | None = None,
        *,
        recipes: int | None = None,
        epochs: int | None = None,
        recipe: Recipe | None = None,
        metric: Any = None,
        fixed: dict[str, Any] | None = None,
        space: dict[str, Any] | None = None,
        also: Sequence[Recipe] | None = None,
        columns: dict[str, str] | None = None,
        test: bool = False,
        baselines: bool = False,
        refit: bool | str = False,
        out: str | Path | None = None,
        random_state: Any = None,
    ) -> None:
        self.seconds = seconds
        self.recipes = recipes
        self.epochs = epochs
        self.recipe = recipe
        self.metric = metric
        self.fixed = fixed
        self.space = space
        self.also = also
        self.columns = columns
        self.test = test
        self.baselines = baselines
        self.refit = refit
        self.out = out
        self.random_state = random_state

    def _raced(self, rows: pl.DataFrame, y: Array, task: str, weights: Any, group: Any, time: Any) -> Self:
        """Run the race; what it found as attributes."""
        result = race(
            rows, y, task=task, metric=self.metric, seconds=self.seconds, recipes=self.recipes, epochs=self.epochs,
            recipe=self.recipe, fixed=self.fixed, space=self.space, also=tuple(self.also or ()), test=self.test,
            baselines=self.baselines, refit=self.refit, seed=self._seed(), out=self.out, sample_weight=weights,
            group=group, time=time, columns=self.columns,
        )  # fmt: skip
        self.model_, self.leaderboard_, self.evidence_ = result.model, result.leaderboard, result.evidence
        self.best_recipe_, self.best_score_, self.notes_ = result.best.recipe, result.best.score, result.notes
        return self

    def _seed(self) -> int:
        """A whole number as it is; otherwise what the generator gives."""
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(LARGEST_SEED))

    def _rows(self, X: Any, *, fitted: bool) -> pl.DataFrame:
        """The rows as a frame: of a frame of any make with its names, of anything else by position."""
        if not fitted:
            self.__dict__.pop("model_", None)  # a fit that fails leaves no older model behind
        named = hasattr(X, "columns")
        if not named:
            fewest = 1 if fitted else FEWEST_UNTESTED
            X = check_array(
                X, dtype=None, accept_sparse=True, ensure_all_finite="allow-nan", ensure_min_samples=fewest,
                estimator=self,
            )  # fmt: skip
        frame = frame_of(X, as_text=self.model_.columns.text_names if fitted else ()).frame
        if fitted and named and hasattr(self, "feature_names_in_"):
            return self._by_name(frame)
        validate_data(self, X, reset=not fitted, skip_check_array=True)
        return frame

    def _by_name(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The columns of the fit, found by name; others are ignored, which is said."""
        names = list(self.feature_names_in_)
        if missing := [name for name in names if name not in frame.columns]:
            listed = ", ".join(shown(name) for name in missing[:5])
            raise SlalomError(f"X must have the columns of the fit. It lacks {listed}.")
        if extra := [name for name in frame.columns if name not in names]:
            listed = ", ".join(shown(name) for name in extra[:5])
            warnings.warn(f"Columns that the fit did not have are ignored: {listed}.", stacklevel=4)
        return frame.select(names)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.sparse = True
        counted = self.recipes is not None or self.recipe is not None
        tags.non_deterministic = self.seconds is not None or not counted  # how much fits into seconds differs
        return tags


SETTINGS = """
    Parameters
    ----------
    seconds : float or None, default=None
        A hard limit on the whole fit; 60 where nothing else says how much to run.
    recipes, epochs : int or None, default=None
        Exactly so many recipes for so many epochs each, none dropped: without `seconds` the same `random_state` then
        gives the same model.
    recipe : Recipe or None, default=None
        Train just this one.
    metric : str, callable or None, default=None
        What chooses the winner, as in `slalom.race`.{metric}
    fixed, space, also : default=None
        Fields that all recipes share, what others are drawn from, and recipes of your own: as in `slalom.race`.
    columns : dict or None, default=None
        What columns are, where that is not to be found out: `{{"zip": "category"}}`, as in `slalom.race`.
    test : bool, default=False
        Whether the race holds test rows back. Scores of an estimator come from rows that its caller holds back.
    baselines : bool, default=False
        Whether the mean or majority, a linear model and boosted trees stand in the leaderboard.
    refit : bool or "all", default=False
        Whether the winner is trained once more on all rows, where it was not (below 5,000 rows it is in any case); the
        single network then predicts.
    out : path or None, default=None
        A new folder for everything the race leaves.
    random_state : int, RandomState or None, default=None
        Of the division of rows, the recipes drawn and first weights. None: another one each time.
"""
ATTRIBUTES = """
    Attributes
    ----------
    model_ : Model or Ensemble
        What predicts.
    best_recipe_ : Recipe
        The winner's.
    best_score_ : float
        Its score on the rows that chose it, in the metric's own direction: optimistic.
    leaderboard_ : polars.DataFrame
        Every recipe, the best first.
    evidence_ : Evidence or None
        What is known of the winner from runs and rows that chose nothing.
    notes_ : tuple of str
        What was decided about the columns, and what is suspicious in the table.
    n_features_in_ : int
        Columns of the fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where all are strings.
"""


def documented(cls: type) -> type:
    """Fill the settings that both estimators share into a docstring."""
    metric = " log_loss unless named." if issubclass(cls, ClassifierMixin) else " rmse unless named."
    assert cls.__doc__
    cls.__doc__ = cls.__doc__.replace("{settings}", SETTINGS.format(metric=metric).strip()).replace(
        "{attributes}", ATTRIBUTES.strip()
    )
    return cls


def given(y: Any, estimator: BaseEstimator) -> Any:
    """The target; none is refused as scikit-learn refuses it."""
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
    return y
