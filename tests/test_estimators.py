"""Both estimators: scikit-learn's own checks, and what people do with estimators."""

import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from slalom import Recipe, SlalomClassifier, SlalomRegressor, race
from slalom.errors import SlalomError

# Small races: what is checked is not how good they are.
QUICK = {"recipes": 2, "epochs": 30, "fixed": {"depth": 1, "width": 16, "rule": "adam"}}
IRIS, KINDS = load_iris(return_X_y=True, as_frame=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[KINDS]
DIABETES, PROGRESS = load_diabetes(return_X_y=True, as_frame=True)
UNEQUAL = "weights draw rows at random, so that a row of weight 2 is met twice on average, not the same as two rows"


def regressor(**given):
    return SlalomRegressor(**QUICK | {"random_state": 0} | given)


def classifier(**given):
    return SlalomClassifier(**QUICK | {"random_state": 0} | given)


@pytest.mark.slow
@pytest.mark.parametrize("make", [regressor, classifier])
def test_scikit_learns_checks(make, capsys):
    """All of them pass; the two on equivalence of weights may fail, with their reason."""
    may_fail = {
        "check_sample_weight_equivalence_on_dense_data": UNEQUAL,
        "check_sample_weight_equivalence_on_sparse_data": UNEQUAL,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = check_estimator(make(), expected_failed_checks=may_fail, on_fail=None)
    counts = pd.Series([one["status"] for one in told]).value_counts().to_dict()
    with capsys.disabled():
        print(f"\n{make.__name__}: {len(told)} checks, {counts}")
    failed = [(one["check_name"], one["exception"]) for one in told if one["status"] == "failed"]
    assert not failed
    assert counts["passed"] > 45
    assert {one["check_name"] for one in told if one["status"] == "xfail"} <= set(may_fail)


@pytest.fixture(scope="module")
def flowers():
    return classifier(epochs=60).fit(IRIS, NAMES)


def test_a_classifier(flowers):
    """Labels come back as they are; probabilities stand in their order; frames are taken by name."""
    assert flowers.score(IRIS, NAMES) > 0.85
    assert flowers.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    chances = flowers.predict_proba(IRIS)
    np.testing.assert_allclose(chances.sum(1), 1)
    np.testing.assert_array_equal(flowers.classes_[chances.argmax(1)], flowers.predict(IRIS))
    np.testing.assert_array_equal(flowers.predict_proba(IRIS[IRIS.columns[::-1]]), chances)
    np.testing.assert_array_equal(flowers.predict_proba(pl.from_pandas(IRIS)), chances)
    assert flowers.feature_names_in_.tolist() == list(IRIS.columns)
    assert flowers.n_features_in_ == 4
    assert isinstance(flowers.best_recipe_, Recipe)
    assert flowers.leaderboard_["kind"].to_list() == ["recipe", "recipe"]
    assert flowers.evidence_.metric == "log_loss"
    assert flowers.best_score_ == flowers.leaderboard_["score"][0]


def test_columns_are_found_by_name(flowers):
    """A missing column is named; others are ignored, which is said."""
    with pytest.raises(SlalomError, match=r'X must have the columns of the fit\. It lacks "petal width'):
        flowers.predict(IRIS.drop(columns="petal width (cm)"))
    with pytest.warns(UserWarning, match='Columns that the fit did not have are ignored: "day"'):
        found = flowers.predict(IRIS.assign(day=1))
    np.testing.assert_array_equal(found, flowers.predict(IRIS))
    unnamed = pytest.warns(UserWarning, match="X does not have valid feature names")
    with unnamed, pytest.raises(ValueError, match="X has 3 features, but SlalomClassifier is expecting 4"):
        flowers.predict(IRIS.to_numpy()[:, :3])


def test_a_regressor():
    """The same numbers as `race` gives, which holds no rows back for a test here."""
    model = regressor().fit(DIABETES, PROGRESS)
    result = race(DIABETES, PROGRESS, task="regression", test=False, baselines=False, seed=0, **QUICK)
    np.testing.assert_array_equal(model.predict(DIABETES), result.model.predict(DIABETES))
    assert model.score(DIABETES, PROGRESS) > 0.3
    assert model.best_score_ == result.best.score
    whole = regressor().fit(DIABETES, (PROGRESS > 140).astype(int))  # two values, and yet numbers
    assert len(np.unique(whole.predict(DIABETES))) > 10


@pytest.mark.parametrize("labels", [[0.0, 1.0], ["yes", "no"], [-1, 1], [True, False], ["'1'", "'-1'"]])
def test_labels_of_every_kind(labels):
    """Two classes by whatever name: predictions are these labels, and as good under each name."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2))
    y = np.array(labels)[(x[:, 0] > 0).astype(int)]
    model = classifier().fit(x, y)
    found = model.predict(x)
    assert found.dtype == model.classes_.dtype
    assert set(found.tolist()) <= set(labels)
    assert np.mean(found == y) > 0.9
    if not isinstance(labels[0], str):
        return
    objects = classifier().fit(x, y.astype(object))
    assert objects.classes_.dtype == object
    assert np.mean(objects.predict(x) == y) > 0.9


def test_mixed_frames():
    """Words, missing cells, dates and truths in one frame, and levels that the fit has not seen."""
    rng = np.random.default_rng(0)
    n = 200
    size = rng.normal(size=n)
    town = rng.choice(["north", "south", None], n)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "town": town,
            "kind": pd.Categorical(rng.choice(["a", "b"], n)),
            "sold": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
            "new": rng.random(n) < 0.5,
        }
    )
    y = size + 2 * (town == "north")
    model = regressor().fit(frame, y)
    assert model.score(frame, y) > 0.6
    new = frame.head(3).assign(town=["west", None, "north"])
    assert np.isfinite(model.predict(new)).all()


@pytest.mark.long
def test_sample_and_class_weights():
    """Weights decide where classes overlap; balanced ones are those of the classes' sizes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 1))
    y = (rng.random(600) < 0.1).astype(int)
    assert classifier(epochs=5).fit(x, y).predict_proba(x)[:, 1].mean() < 0.2
    balanced = classifier(epochs=5, class_weight="balanced").fit(x, y).predict_proba(x)[:, 1].mean()
    by_hand = classifier(epochs=5).fit(x, y, sample_weight=np.where(y, 300 / y.sum(), 300 / (600 - y.sum())))
    assert 0.3 < balanced < 0.7
    assert balanced == by_hand.predict_proba(x)[:, 1].mean()
    heavy = classifier(epochs=5, class_weight={0: 1, 1: 100}).fit(x, y)
    assert heavy.predict_proba(x)[:, 1].mean() > 0.8
    three = np.where(x[:, 0] > 1, 2, y)
    without = classifier(epochs=5, class_weight={0: 1, 1: 1, 2: 0}).fit(x, three)
    assert without.classes_.tolist() == [0, 1]
    assert without.predict_proba(x).shape == (600, 2)


def test_random_state():
    """The same number, the same model; a generator gives another one each time; the global generator is left alone."""
    one, same = (regressor(random_state=7).fit(DIABETES, PROGRESS).predict(DIABETES) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    state = np.random.RandomState(0)
    first, second = (regressor(random_state=state).fit(DIABETES, PROGRESS).predict(DIABETES) for _ in range(2))
    assert (first != second).any()
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    regressor().fit(DIABETES, PROGRESS)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_pickled_and_loaded_elsewhere(flowers, tmp_path):
    """A pickle predicts the same in another process, which needs no race for it."""
    again = pickle.loads(pickle.dumps(flowers))
    np.testing.assert_array_equal(again.predict_proba(IRIS), flowers.predict_proba(IRIS))
    joblib.dump(flowers, tmp_path / "model.joblib")
    IRIS.to_csv(tmp_path / "iris.csv", index=False)
    code = (
        "import joblib, pandas as pd;"
        f"m = joblib.load({str(tmp_path / 'model.joblib')!r});"
        f"print(m.predict(pd.read_csv({str(tmp_path / 'iris.csv')!r})).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == str(flowers.predict(IRIS).tolist()), done.stderr


def test_in_scikit_learns_hands():
    """Cloned, in a pipeline, cross-validated with groups and routed weights, searched over, calibrated."""
    assert clone(classifier(class_weight="balanced")).get_params() == classifier(class_weight="balanced").get_params()
    piped = make_pipeline(StandardScaler(), classifier())
    assert piped.fit(IRIS, NAMES).score(IRIS, NAMES) > 0.8
    with sklearn.config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = cross_validate(
            model, IRIS, NAMES, cv=GroupKFold(3),
            params={"sample_weight": np.arange(150) % 2 + 1.0, "groups": np.arange(150) % 10},
        )  # fmt: skip
    assert scores["test_score"].min() > 0.7
    search = GridSearchCV(classifier(), {"fixed": [QUICK["fixed"], QUICK["fixed"] | {"dropout": 0.1}]}, cv=2)
    assert search.fit(IRIS, NAMES).best_score_ > 0.7
    calibrated = CalibratedClassifierCV(classifier(), cv=2).fit(IRIS, NAMES)
    np.testing.assert_allclose(calibrated.predict_proba(IRIS).sum(1), 1)


def test_html(flowers):
    """A notebook shows a fitted estimator."""
    shown = flowers._repr_html_()
    assert "SlalomClassifier" in shown
    assert "recipes" in shown


def test_what_cannot_be():
    """Not fitted, several targets, continuous labels, dictionaries for cells, settings of no sense."""
    with pytest.raises(NotFittedError):
        classifier().predict(IRIS)
    with pytest.raises(ValueError, match="1d array"):
        regressor().fit(DIABETES, np.column_stack([PROGRESS, PROGRESS]))
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(DIABETES, PROGRESS + 0.5)
    with pytest.raises(TypeError, match="must hold numbers, text or dates"):
        regressor().fit([[{"a": 1}, 2]] * 30, np.arange(30.0))
    with pytest.raises(SlalomError, match="recipes must be a whole number"):
        regressor(recipes=0).fit(DIABETES, PROGRESS)
    with pytest.raises(ValueError, match="infinity"):
        regressor().fit(np.full((30, 2), np.inf), np.arange(30.0))


def test_a_failed_fit_leaves_nothing_behind():
    """An estimator whose fit was refused is not fitted."""
    model = regressor(recipes=0)
    with pytest.raises(SlalomError):
        model.fit(DIABETES, PROGRESS)
    with pytest.raises(NotFittedError):
        model.predict(DIABETES)
    assert model.set_params(recipes=1).fit(DIABETES, PROGRESS).predict(DIABETES).shape == (442,)


def test_words_that_look_like_numbers():
    """007 is a level where the fit had words in the column, also when all rows of a prediction look like numbers; a
    column of numbers is one of words where the caller says so."""
    codes = np.array(["007", "7", "x1", "042"])
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"code": rng.choice(codes, 200), "zip": rng.choice([1010, 2020], 200)})
    y = (frame["code"] == "007") * 5.0 + (frame["zip"] == 1010)
    model = regressor(epochs=60, columns={"zip": "category"}).fit(frame, y)
    low, high = model.predict(pd.DataFrame({"code": ["7", "007"], "zip": [1010, 1010]}))
    assert high - low > 2
    assert {"zip=1010", "zip=2020", "code=007"} <= set(model.model_.columns.names)
