"""The scalers as scikit-learn transformers."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.estimator_checks import parametrize_with_checks

from slalom import scaling
from slalom.errors import SlalomError
from slalom.record import settings_of
from slalom.transformers import FeatureScaler

EACH_SCALING = pytest.mark.parametrize("name", scaling.REGISTRY)


def table(rows=120, seed=0):
    """Three columns within ±20, which every scaling can take back; some cells missing."""
    x = np.random.default_rng(seed).normal(size=(rows, 3)) * [1, 2, 0.1] + [0, 3, -1]
    x[::10, 1] = np.nan
    return x


@parametrize_with_checks([FeatureScaler(name) for name in scaling.REGISTRY])
def test_scikit_learns_own_checks(estimator, check):
    """Every scaling passes all checks that scikit-learn has for a transformer."""
    check(estimator)


@EACH_SCALING
def test_it_answers_as_its_scaler(name):
    """The transformer is the scaler: there and back, with its settings, cloned and pickled."""
    about = settings_of(scaling.REGISTRY[name])
    settings = {key: one["default"] - 0.5 for key, one in about.items()}
    fitted = scaling.REGISTRY[name].fit(table(), **settings)
    mine = FeatureScaler(name, settings or None).fit(table())
    x = table(seed=1)
    for one in (mine, clone(mine).fit(table()), pickle.loads(pickle.dumps(mine))):
        assert one.get_params() == {"scaling": name, "settings": settings or None}
        np.testing.assert_array_equal(one.transform(x), fitted(x))
        np.testing.assert_array_equal(one.inverse_transform(fitted(x)), fitted.inverse(fitted(x)))
    assert not hasattr(clone(mine), "scaler_")


@EACH_SCALING
def test_types_come_back_as_they_came(name):
    """float32 is computed in float64 and rounded once; float64 stays; all else becomes float64. Nothing is in place."""
    x = table().astype(np.float32)
    before = x.copy()
    mine = FeatureScaler(name).fit(x)
    z = mine.transform(x)
    assert z.dtype == mine.inverse_transform(z).dtype == np.float32
    np.testing.assert_array_equal(z, scaling.REGISTRY[name].fit(x)(x).astype(np.float32))
    assert FeatureScaler(name).fit_transform([[1, 2], [3, 4]]).dtype == np.float64
    wide = table()
    assert not np.shares_memory(FeatureScaler(name).fit_transform(wide), wide)
    assert not np.shares_memory(mine.inverse_transform(wide), wide)
    np.testing.assert_array_equal(x, before)


@EACH_SCALING
def test_frames_keep_their_names(name):
    """Names go in, are compared, and come out; a frame of either make comes out where it is asked for."""
    names = ["a", "b", "c"]
    array = FeatureScaler(name).fit(table()).transform(table())
    for make, output in ((pd.DataFrame, "pandas"), (pl.DataFrame, "polars")):
        frame = make(dict(zip(names, table().T, strict=True)))
        mine = FeatureScaler(name).set_output(transform=output).fit(frame)
        assert mine.feature_names_in_.tolist() == mine.get_feature_names_out().tolist() == names
        assert mine.n_features_in_ == 3
        out = mine.transform(frame)
        assert isinstance(out, make)
        assert list(out.columns) == names
        np.testing.assert_array_equal(out.to_numpy(), array)
        with pytest.raises(ValueError, match="feature names should match"):
            mine.transform(frame[["b", "a", "c"]])
    assert FeatureScaler(name).fit(table()).get_feature_names_out().tolist() == ["x0", "x1", "x2"]


def test_a_pipeline_is_searched_over_scalings():
    """A grid search tries every scaling inside a pipeline with a column transformer, and settings of one."""
    random = np.random.default_rng(2)
    x = random.normal(size=(60, 3)) * [1, 100, 0.01]
    y = x @ [1, 0.01, 100] + 0.1 * random.normal(size=60)
    columns = ColumnTransformer([("scaled", FeatureScaler(), [0, 1]), ("other", FeatureScaler("none"), [2])])
    grid = [
        {"columntransformer__scaled__scaling": list(scaling.REGISTRY)},
        {
            "columntransformer__scaled__scaling": ["min_max"],
            "columntransformer__scaled__settings": [{"low": -1.0}, None],
        },
    ]
    search = GridSearchCV(make_pipeline(columns, Ridge()), grid, cv=3, error_score="raise").fit(x, y)
    assert len(search.cv_results_["params"]) == len(scaling.REGISTRY) + 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0.01


@EACH_SCALING
def test_the_target_of_a_regression(name):
    """Around a regressor, which sees the scaled target, predictions come back in the target's own unit. (Neighbours'
    means stay inside the bounds of a sigmoid; what a linear model predicts beyond them comes back as infinity.)"""
    random = np.random.default_rng(3)
    x = random.normal(size=(200, 2))
    y = 10 + x @ [2.0, 1.0] + 0.1 * random.normal(size=200)
    model = TransformedTargetRegressor(KNeighborsRegressor(), transformer=FeatureScaler(name))
    assert cross_val_score(model, x, y, cv=3, scoring="r2").min() > 0.8
    model.fit(x, y)
    scaler = scaling.REGISTRY[name].fit(y[:, None])
    seen = KNeighborsRegressor().fit(x, scaler(y[:, None])[:, 0])
    np.testing.assert_allclose(model.predict(x), scaler.inverse(seen.predict(x)[:, None])[:, 0], rtol=1e-9)


SAME = {
    "z_score": (StandardScaler(), None),
    "min_max": (MinMaxScaler(), None),
    "min_max to -2, 5": (MinMaxScaler((-2, 5)), {"low": -2.0, "high": 5.0}),
    "max_abs": (MaxAbsScaler(), None),
    "robust": (RobustScaler(), None),
    "power": (PowerTransformer(), None),
    "quantile_normal": (QuantileTransformer(n_quantiles=10, output_distribution="normal"), None),
}


@pytest.mark.parametrize("case", SAME)
def test_it_can_stand_where_scikit_learns_own_stood(case):
    """In a pipeline the numbers are those of scikit-learn's transformer, missing cells and new rows included."""
    theirs, settings = SAME[case]
    mine = FeatureScaler(case.split()[0], settings).fit(table())
    theirs = theirs.fit(table())
    for x in (table(), table(seed=1)):
        z = theirs.transform(x)
        np.testing.assert_allclose(mine.transform(x), z, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(mine.inverse_transform(z), theirs.inverse_transform(z), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"scaling": "zscore"},
            f"FeatureScaler(scaling=…) must be one of {', '.join(scaling.REGISTRY)}. "
            "Got 'zscore'. Did you mean 'z_score'?",
        ),
        ({"scaling": 3}, f"FeatureScaler(scaling=…) must be one of {', '.join(scaling.REGISTRY)}. Got 3."),
        ({"settings": {"low": 1}}, "scaling z_score has no settings. Got 'low'."),
        (
            {"scaling": "min_max", "settings": {"lo": 1}},
            "setting of scaling min_max must be one of low, high. Got 'lo'. Did you mean 'low'?",
        ),
        (
            {"scaling": "min_max", "settings": 0.5},
            "FeatureScaler(settings=…) must be None or a dictionary of settings by name. Got 0.5.",
        ),
        (
            {"scaling": "min_max", "settings": {"low": float("nan")}},
            "MinMax(low=…) must be in (-inf, inf). Got nan.",
        ),
    ],
)
def test_a_wrong_parameter_is_named_at_the_fit(given, sentence):
    """As everywhere in scikit-learn the constructor takes anything; `fit` refuses in a sentence, as a ValueError."""
    assert issubclass(SlalomError, ValueError)
    with pytest.raises(SlalomError) as raised:
        FeatureScaler(**given).fit(table())
    assert str(raised.value) == sentence


@EACH_SCALING
def test_infinite_cells_and_sparse_tables_are_refused(name):
    """Neither is scaled, at the fit or later: scikit-learn's own sentences say so."""
    mine = FeatureScaler(name).fit(table())
    infinite = np.array([[0.0, np.inf, 1.0]])
    for fail in (FeatureScaler(name).fit, mine.transform, mine.inverse_transform):
        with pytest.raises(ValueError, match="contains infinity"):
            fail(infinite)
        with pytest.raises(TypeError, match=r"Sparse data was passed.*dense data is required"):
            fail(scipy.sparse.csr_array(np.eye(3)))
