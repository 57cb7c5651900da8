"""The contestants of the comparison: that each does what the page says of it, without a whole run."""

import importlib.util
import inspect
import types

import numpy as np
import polars as pl
import pytest
import scipy.stats
import sklearn.dummy
from benchmarks.equal import costs, encoded, halving, judge, ours, sets, trees
from benchmarks.equal.task import Task
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import ParameterSampler

import slalom

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "optuna"))
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch and Optuna come with the extra bench")


@pytest.fixture
def mixed(tmp_path):
    """A regression's task with numbers, a missing cell among them, words, and words of test rows that are new."""
    n = 100
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    words = np.array(["red", "blue"])[rng.integers(0, 2, n)].tolist()
    data = sets.DataSet("made", pl.DataFrame({"w": words, "x": x.tolist(), "b": x > 0}), 5 + 3 * x, (), "rmse")
    train, _, test = data.rows(0)
    cells = data.frame.rows()
    frame = pl.DataFrame(
        {
            "w": ["new" if i == test[0] else row[0] for i, row in enumerate(cells)],
            "x": [None if i == train[0] else row[1] for i, row in enumerate(cells)],
            "b": [row[2] for row in cells],
        }
    )
    judge.lay_out(sets.DataSet("made", frame, data.target, (), "rmse"), 0, tmp_path, 60.0, 2)
    judge.begin(tmp_path)
    return Task.read(tmp_path)


@pytest.fixture
def iris(tmp_path):
    judge.lay_out(sets.SKLEARN["iris"](), 0, tmp_path, 60.0, 2)
    judge.begin(tmp_path)
    return Task.read(tmp_path)


def test_nets_get_medians_indicators_and_places_of_words(mixed):
    """Fitted on training rows alone: [x, b, x is missing, blue, red]; a new word has no place."""
    rows = encoded.for_nets(mixed)
    assert (rows.train.shape, rows.test.shape, rows.numbers) == ((60, 5), (20, 5), 2)
    known = rows.train[1:, 0]
    assert rows.train[0, 0] == pytest.approx(np.median(known), rel=1e-6)
    assert (rows.train[0, 2], rows.train[1:, 2].max()) == (1, 0)
    assert (rows.train[:, 3:].sum(1) == 1).all()
    assert rows.test[0, 3:].tolist() == [0, 0]
    assert set(rows.train[:, 1]) == {0, 1}


def test_trees_get_missing_numbers_and_codes(mixed):
    rows = encoded.for_trees(mixed)
    assert (rows.train.shape, rows.words) == ((60, 3), (2,))
    assert np.isnan(rows.train[0, 0])
    assert set(rows.train[:, 2]) == {0, 1}
    assert np.isnan(rows.test[0, 2])


def test_trees_begin_with_the_defaults_and_then_draw():
    rng = np.random.default_rng(0)
    assert trees.drawn(rng, 0) == {}
    one = trees.drawn(rng, 1)
    assert one != trees.drawn(rng, 2)
    assert set(one) <= set(inspect.signature(trees.HistGradientBoostingRegressor).parameters)


@pytest.mark.parametrize("name", ["iris", "mixed"])
def test_halving_searches_settings_that_its_estimator_has(name, request):
    task = request.getfixturevalue(name)
    model, prefix = halving.estimator(task)
    for settings in ParameterSampler(halving.space(len(task.y), prefix), 30, random_state=0):
        model.set_params(**settings)
        assert (
            settings[f"{prefix}batch_size"] <= len(task.y) // 4 or settings[f"{prefix}batch_size"] == len(task.y) // 4
        )
    assert f"{prefix}max_iter" in model.get_params()


@pytest.mark.parametrize(("candidates", "epochs"), [(3, 81), (9, 27), (10, 81), (27, 27)])
def test_the_last_rung_of_halving_trains_to_the_end(candidates, epochs, mixed):
    """scikit-learn makes the rungs that a round is planned with, and those that stay have all the epochs."""
    rows = np.random.default_rng(0).normal(size=(len(mixed.y) + len(mixed.y_validation), 2))
    y = np.concatenate([mixed.y, mixed.y_validation])
    search = halving.searched(mixed, sklearn.dummy.DummyRegressor(), "", candidates, epochs, 0)
    search.set_params(param_distributions={"quantile": scipy.stats.uniform()}, resource="constant", n_jobs=1).fit(
        rows, y
    )
    made = list(zip(search.n_candidates_, search.n_resources_, strict=True))
    assert made == halving.rungs(candidates, epochs)
    assert made[-1][1] == search.best_params_["constant"] == epochs


def test_answers_of_slalom_are_in_the_order_of_the_classes():
    model = types.SimpleNamespace(
        classes=np.array([2, 0]), predict_proba=lambda frame: np.array([[0.7, 0.3]] * len(frame))
    )
    np.testing.assert_array_equal(ours.answer_of(model, range(2), 3), [[0.3, 0, 0.7]] * 2)
    values = types.SimpleNamespace(predict=lambda frame: [1.0, 2.0])
    np.testing.assert_array_equal(ours.answer_of(values, range(2), 0), [1.0, 2.0])


def pretended(asked, **result):
    """A race that writes down how it was called."""

    def race(X, y, *, plan=None, **given):
        asked.update(given, plan=plan, rows=len(X))
        best = types.SimpleNamespace(name="recipe 1")
        return types.SimpleNamespace(about={"recipes": 3, "seconds": 1.0}, best=best, **result)

    return race


def constant(value):
    return types.SimpleNamespace(predict=lambda frame: np.full(len(frame), value))


def test_slalom_is_called_as_users_call_it_and_its_best_network_is_judged(mixed, monkeypatch):
    """Defaults but for the rows, the seed and the seconds that are left; network and ensemble apart."""
    asked = {}
    race = pretended(asked, model=constant(1.0), single=constant(2.0), ensemble=constant(3.0))
    monkeypatch.setattr(slalom, "race", race, raising=False)
    ours.contest(mixed)
    assert asked.keys() == {"validation", "seed", "task", "seconds", "plan", "rows"}  # no metric: the default one
    assert (asked["task"], asked["seed"], asked["plan"], asked["rows"]) == ("regression", 0, None, 60)
    assert 50 < asked["seconds"] < 60 - ours.SAVING
    saved = {str(held["label"]): held["test"][0] for held in map(np.load, mixed.folder.glob("*-*.npz"))}
    assert saved == {"slalom": 2.0, "slalom ensemble": 3.0}


def test_the_plan_of_the_best_k_is_asked_for_where_it_is_offered(mixed, monkeypatch):
    asked = {}
    monkeypatch.setattr(slalom, "race", pretended(asked, model=constant(1.0)), raising=False)
    assert ours.lacking("slalom-topk") == ""
    ours.contest_top_k(mixed)
    assert asked["plan"] == "top_k"
    monkeypatch.setattr(slalom, "race", lambda X, y, *, seconds: None, raising=False)
    assert (ours.lacking("slalom-topk"), ours.lacking("slalom")) == ("slalom.race takes no plan", "")


@needs_torch
@pytest.mark.parametrize("name", ["iris", "mixed"])
@pytest.mark.parametrize("embedding", ["none", "periodic", "piecewise_linear"])
def test_nets_of_optuna_learn(name, embedding, request):
    """The recipes that a study begins with lie in its space, and a training of them comes down to little cost."""
    from benchmarks.equal import optuna_torch, torch_net

    task = request.getfixturevalue(name)
    data = optuna_torch.data_of(task)
    start = optuna_torch.SECOND | {"embedding": embedding, "rate of adamw": 5e-3}
    fixed = optuna_torch.first(start, len(task.y), task.classes)
    recipe = optuna_torch.suggested(optuna_torch.optuna.trial.FixedTrial(fixed), len(task.y), task.classes)
    told = list(torch_net.epochs_of(recipe, data, task, 30, 0))
    (first, _), (last, answer) = told[0], told[-1]
    assert last < min(0.5 * first, 2.0)
    assert task.cost(answer(1)) == last
    test = task.frames[2]
    truth = sets.SKLEARN["iris"]().target[sets.dealt(150, 0)[2]] if task.classes else 5 + 3 * test["x"].to_numpy()
    assert costs.cost(task.metric, truth, answer(2)) < 0.7 * first


@needs_torch
def test_every_rule_normalisation_and_schedule_of_the_space_trains(iris):
    import optuna
    from benchmarks.equal import optuna_torch, torch_net

    data = optuna_torch.data_of(iris)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(40):
        recipe = optuna_torch.suggested(study.ask(), len(iris.y), 3)
        cost, answer = next(torch_net.epochs_of(recipe, data, iris, 2, 0))
        assert np.isfinite(cost)
        np.testing.assert_allclose(answer(2).sum(1), 1, rtol=1e-5)


@needs_torch
def test_piecewise_linear_parts_are_the_way_through_the_quantiles():
    import torch
    from benchmarks.equal.torch_net import PiecewiseLinear

    made = PiecewiseLinear(torch.tensor([[0.0, 1.0, 3.0, 3.0]]))(torch.tensor([[-1.0], [0.5], [2.0], [9.0]]))
    assert made.tolist() == [[0, 0, 0], [0.5, 0, 0], [1, 0.5, 0], [1, 1, 0]]
