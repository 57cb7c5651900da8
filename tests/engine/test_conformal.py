"""Conformal prediction: what is promised holds on rows of the same kind, and comes back from a folder."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import Ensemble, Model, SlalomError
from slalom.conformal import LEVELS, Conformal, coverage, from_plain, to_plain
from slalom.racing import race
from slalom.recipe import Recipe

from .races import quickly


@given(st.integers(1, 60), st.sampled_from(LEVELS), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_quantiles_are_the_order_statistics(n, level, seed):
    """The quantile of a level is the ⌈(n + 1) level⌉-th smallest of the scores, ∞ where there are not so many."""
    scores = np.random.default_rng(seed).random(n)
    found = Conformal.of(np.zeros(n), scores)
    rank = math.ceil(round((n + 1) * level, 9))
    assert found.at(level) == (np.sort(scores)[rank - 1] if rank <= n else math.inf)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_intervals_and_sets_hold_the_truth_as_often_as_they_say(level):
    """Over draws of 200 rows for the quantiles and 200 others, the mean coverage of intervals is the level, and of sets
    of classes between the level and a hundredth more than it for each row of the sample."""
    rng, inside, sets = np.random.default_rng(0), [], []
    for _ in range(300):
        y, noise = rng.normal(size=400), rng.standard_t(3, size=400)
        found = Conformal.of(y[:200], y[:200] + noise[:200])
        inside.append(coverage(found, y[200:], y[200:] + noise[200:], level)[0])
        p = rng.dirichlet([0.5, 1, 2], size=400)
        codes = (p.cumsum(1) < rng.random((400, 1))).sum(1).astype(float)
        found = Conformal.of(codes[:200], p[:200])
        sets.append(coverage(found, codes[200:], p[200:], level)[0])
    assert np.mean(inside) == pytest.approx(level, abs=0.012)
    assert level - 0.01 < np.mean(sets) < 1.0
    assert level > 0.85 or np.mean(sets) < 0.95


def test_sets_grow_with_the_level_and_are_never_empty():
    """A higher level never takes a class away; the likeliest class is in every set; a level that is not kept is
    refused."""
    rng = np.random.default_rng(1)
    p, y = rng.dirichlet([1, 1, 1], size=300), rng.integers(0, 3, 300).astype(float)
    found, before = Conformal.of(y, p), np.zeros((300, 3), bool)
    for level in LEVELS:
        now = found.sets(p, level)
        assert now[np.arange(300), p.argmax(1)].all()
        assert (now | before).sum() == now.sum()
        before = now
    for level in (0.905, 1.0, 0.4, "0.9", None):
        with pytest.raises(SlalomError, match="level must be one of"):
            found.at(level)


def test_infinity_survives_json():
    """Quantiles that nothing is known of are null in JSON, and infinite again when they are read."""
    found = Conformal.of(np.zeros(5), np.arange(5.0))
    assert from_plain(**to_plain(found)) == found
    assert found.at(0.99) == math.inf
    with pytest.raises(ValueError, match="quantiles"):
        from_plain([1.0], 3)


@pytest.fixture(scope="module")
def raced(tmp_path_factory):
    """Races of numbers and of classes, of few rows and of many, with their folders."""
    rng, made = np.random.default_rng(2), {}
    recipe = Recipe(depth=1, width=16, learning_rate=0.01, batch_size=64, epochs=8)
    with pytest.MonkeyPatch.context() as patch:
        quickly(patch)
        for n in (600, 5200):
            x = rng.normal(size=(n, 3))
            y = x @ [1.0, -2.0, 0.5] + rng.standard_t(4, size=n)
            for task, target in (("regression", y), ("classification", np.where(y > 0, "up", "down"))):
                folder = tmp_path_factory.mktemp("run") / "run"
                made[task, n] = race(x, target, recipe=recipe, out=folder), x, target, folder
    return made


@pytest.mark.parametrize("n", [600, 5200])
def test_models_of_a_race_predict_intervals(raced, n):
    """A race's networks and ensembles have intervals that hold new rows as often as they say, also from their folders
    and after a refit."""
    result, _, _, folder = raced["regression", n]
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4000, 3))
    y = x @ [1.0, -2.0, 0.5] + rng.standard_t(4, size=4000)
    for model in (result.single, result.ensemble, Model.load(folder), Ensemble.load(folder)):
        low, high = model.predict_interval(x, level=0.9)
        assert np.mean((low <= y) & (y <= high)) == pytest.approx(0.9, abs=0.035)
        np.testing.assert_allclose((low + high) / 2, model.predict(x), rtol=1e-9, atol=1e-9)
        with pytest.raises(SlalomError, match="predict_set is for classification"):
            model.predict_set(x)


@pytest.mark.parametrize("n", [600, 5200])
def test_models_of_a_race_predict_sets(raced, n):
    """The same of classes; a set has the class that is decided for."""
    result, _, _, folder = raced["classification", n]
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4000, 3))
    y = x @ [1.0, -2.0, 0.5] + rng.standard_t(4, size=4000) > 0
    for model in (result.single, result.ensemble, Model.load(folder), Ensemble.load(folder)):
        held = model.predict_set(x, level=0.9)
        assert 0.87 < np.mean(held[np.arange(4000), y.astype(int)]) < 0.95
        assert held.sum(1).min() >= 1
        with pytest.raises(SlalomError, match="predict_interval is for regression"):
            model.predict_interval(x)


def test_a_model_without_choosing_rows_has_none(raced):
    """`slalom.fit` on all rows keeps no row to say how far off it is."""
    from slalom import fit

    _, x, y, _ = raced["regression", 600]
    model = fit(x, y, recipe=Recipe(depth=0, epochs=1, batch_size=64))
    with pytest.raises(SlalomError, match="needs rows that chose the model"):
        model.predict_interval(x)
