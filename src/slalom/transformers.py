"""Every scaler as a scikit-learn transformer: for pipelines, column transformers, grid searches and targets."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from slalom import scaling
from slalom.errors import SlalomError, unknown, wrong
from slalom.record import settings_of
from slalom.scaling import Scaler
from slalom.types import Array

DTYPES = (np.float64, np.float32)  # that come back as they came


class FeatureScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale every column by one of Slalom's scalers.

    The numbers of the scaling are learnt from the rows given to `fit` alone. Missing cells (NaN) are ignored by the
    fit and handed on; infinite cells and sparse matrices are refused.

    Parameters
    ----------
    scaling : str, default="z_score"
        A name of `slalom.scaling.REGISTRY`: none, min_max, max_abs, z_score, robust, robust_clip, sigmoid,
        z_score_sigmoid, power or quantile_normal.
    settings : dict or None, default=None
        The scaler's settings by name, where it has some: `{"low": -1.0, "high": 1.0}` of min_max, `{"clip": 3.0}` of
        robust_clip. What is not named keeps its default.

    Attributes
    ----------
    scaler_ : Scaler
        The fitted record of `slalom.scaling`.
    n_features_in_ : int
        The number of columns of the fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of the columns of the fit, where all of them are strings.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : The same numbers as `z_score`.
    sklearn.preprocessing.MinMaxScaler : The same numbers as `min_max`.
    sklearn.preprocessing.MaxAbsScaler : The same numbers as `max_abs`.
    sklearn.preprocessing.RobustScaler : The same numbers as `robust`.
    sklearn.preprocessing.PowerTransformer : The same definition as `power`.
    sklearn.preprocessing.QuantileTransformer : The same definition as `quantile_normal`, with fewer quantiles there.

    Notes
    -----
    Everything is computed in float64. A float32 table comes back as float32, rounded once at the end; every other type
    comes back as float64. Where a scaling has bounds (the sigmoids, robust_clip, some powers) `inverse_transform`
    answers ±infinity at them and beyond: as a target's scaling they want a regressor that stays between them.

    Examples
    --------
    >>> from slalom.transformers import FeatureScaler
    >>> FeatureScaler("min_max", {"low": -1.0}).fit_transform([[0.0, 1.0], [10.0, 3.0], [5.0, 3.0]]).tolist()
    [[-1.0, -1.0], [1.0, 1.0], [0.0, 1.0]]

    The target of a regression, predicted in its own unit:

    >>> from sklearn.compose import TransformedTargetRegressor
    >>> from sklearn.linear_model import LinearRegression
    >>> model = TransformedTargetRegressor(LinearRegression(), transformer=FeatureScaler("z_score"))
    >>> model.fit([[0.0], [1.0], [2.0]], [100.0, 300.0, 500.0]).predict([[3.0]]).round(6).tolist()
    [700.0]
    """

    scaler_: Scaler

    def __init__(self, scaling: str = "z_score", settings: dict[str, float] | None = None) -> None:
        self.scaling = scaling
        self.settings = settings

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the numbers of the scaling.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows.
        y : None
            Ignored.

        Returns
        -------
        self : FeatureScaler
            The fitted transformer.
        """
        del y
        cls = scaler_of(self.scaling)
        settings = settings_for(self.scaling, self.settings)
        self.scaler_ = cls.fit(self._rows(X, reset=True), **settings)
        return self

    def transform(self, X: Any) -> Any:
        """Scale rows by the numbers of the fit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns of the fit.

        Returns
        -------
        X_scaled : ndarray of shape (n_samples, n_features), or a frame after `set_output`
            The scaled rows.
        """
        check_is_fitted(self)
        X = self._rows(X, reset=False)
        return as_it_came(self.scaler_(X), X)

    def inverse_transform(self, X: Any) -> Array:
        """Go back from scaled rows to the units of the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Scaled rows.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            The rows in the units of the columns.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=DTYPES, ensure_all_finite="allow-nan", input_name="X")
        return as_it_came(self.scaler_.inverse(X), X)

    def _rows(self, X: Any, *, reset: bool) -> Array:
        """The rows as a float array [N, D]; their number of columns and names are kept (reset) or compared."""
        return validate_data(self, X, reset=reset, dtype=DTYPES, ensure_all_finite="allow-nan")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def scaler_of(name: Any) -> Any:
    """The scaler of a name."""
    if not isinstance(name, str) or name not in scaling.REGISTRY:
        raise unknown("FeatureScaler(scaling=…)", name, scaling.REGISTRY)
    return scaling.REGISTRY[name]


def settings_for(name: str, given: Any) -> dict[str, Any]:
    """The settings given for a scaler, by name; the scaler itself checks their values."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise wrong("FeatureScaler(settings=…)", "None or a dictionary of settings by name", given)
    known = settings_of(scaling.REGISTRY[name])
    for key in given:
        if not known:
            raise SlalomError(f"scaling {name} has no settings. Got {key!r}.")
        if key not in known:
            raise unknown(f"setting of scaling {name}", key, known)
    return given


def as_it_came(made: Array, given: Array) -> Array:
    """float64 numbers in the type of the rows they were made from, and never those rows themselves."""
    if given.dtype == np.float64:
        return made.copy() if np.shares_memory(made, given) else made
    with np.errstate(over="ignore"):  # beyond float32 lies infinity
        return made.astype(given.dtype)
