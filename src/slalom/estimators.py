"""Scikit-learn estimators: a race behind `fit`, its model behind `predict`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d

from slalom.estimating import Racing, documented, given
from slalom.recipe import Recipe
from slalom.types import Array


@documented
class SlalomRegressor(RegressorMixin, Racing):
    """A network for numbers, found by a race of recipes.

    Takes arrays, sparse matrices, and frames of any make with numbers, words, dates and missing cells.

    {settings}

    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SlalomRegressor(recipes=2, epochs=20, fixed={"depth": 1, "width": 8}, random_state=0).fit(X, y)
    >>> model.predict(X[:3]).shape, model.score(X, y) > 0.3
    ((3,), True)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, group: Any = None, time: Any = None) -> Self:
        """Race recipes on these rows.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            The numbers to predict.
        sample_weight : array-like of shape (n_samples,) or None
            What each row weighs, in training and in choosing.
        group : array-like of shape (n_samples,) or None
            Rows of one group are never both trained on and held out for choosing.
        time : array-like of shape (n_samples,) or None
            What was first trains, what came later chooses.

        Returns
        -------
        self : SlalomRegressor
        """
        rows = self._rows(X, fitted=False)
        y = column_or_1d(given(y, self), warn=True)
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y", estimator=self).astype(np.float64)
        return self._raced(rows, y, "regression", sample_weight, group, time)

    def predict(self, X: Any) -> Array:
        """Predict numbers.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Rows with the columns of the fit, found by name where they have names.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self, "model_")
        return self.model_.predict(self._rows(X, fitted=True))


@documented
class SlalomClassifier(ClassifierMixin, Racing):
    """A network for classes, found by a race of recipes.

    Takes arrays, sparse matrices, and frames of any make with numbers, words, dates and missing cells.

    {settings}
    class_weight : dict, "balanced" or None, default=None
        What each class weighs in training and choosing, times `sample_weight`; balanced: n / (classes · n of the
        class). Probabilities are those of rows that are weighed so.

    {attributes}
    classes_ : ndarray of shape (n_classes,)
        The labels.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = SlalomClassifier(recipes=2, epochs=20, fixed={"depth": 1, "width": 8}, random_state=0).fit(X, y)
    >>> model.predict_proba(X[:3]).shape, model.score(X, y) > 0.8
    ((3, 3), True)
    """

    classes_: Array

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
        class_weight: Any = None,
    ) -> None:
        super().__init__(
            seconds, recipes=recipes, epochs=epochs, recipe=recipe, metric=metric, fixed=fixed, space=space, also=also,
            columns=columns, test=test, baselines=baselines, refit=refit, out=out, random_state=random_state,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None, group: Any = None, time: Any = None) -> Self:
        """Race recipes on these rows.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            The labels.
        sample_weight : array-like of shape (n_samples,) or None
            What each row weighs, in training and in choosing.
        group : array-like of shape (n_samples,) or None
            Rows of one group are never both trained on and held out for choosing.
        time : array-like of shape (n_samples,) or None
            What was first trains, what came later chooses.

        Returns
        -------
        self : SlalomClassifier
        """
        rows = self._rows(X, fitted=False)
        y = column_or_1d(given(y, self), warn=True)
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        weights = self._weights(classes, codes, sample_weight)
        self._raced(rows, y, "classification", weights, group, time)
        known = self.model_.classes  # without those that only rows of weight 0 have
        self.classes_ = classes[np.isin(classes.astype(str), np.asarray(known).astype(str))]
        return self

    def _weights(self, classes: Array, codes: Array, sample_weight: Any) -> Any:
        """What each row weighs: its own weight times that of its class."""
        if self.class_weight is None:
            return sample_weight
        of_class = compute_class_weight(self.class_weight, classes=classes, y=classes[codes])
        return of_class[codes] * (1.0 if sample_weight is None else np.asarray(sample_weight, np.float64))

    def predict(self, X: Any) -> Array:
        """Predict labels.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Rows with the columns of the fit, found by name where they have names.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self, "model_")
        return self.model_.predict(self._rows(X, fitted=True)).astype(self.classes_.dtype)

    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of every class.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Rows with the columns of the fit.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        check_is_fitted(self, "model_")
        return self.model_.predict_proba(self._rows(X, fitted=True))
