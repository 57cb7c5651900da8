"""Races at the edges of arithmetic and of what a table may be: each ends with a model that predicts, and a report."""

import numpy as np
import pytest

from slalom import Recipe, fit, race, scaling
from slalom.errors import RaceFailed

from .races import quickly

pytestmark = pytest.mark.long

SMALL = {"depth": 1, "width": 8, "rule": "adam", "learning_rate": 0.01, "batch_size": 16}
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3))


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    quickly(monkeypatch)


def raced(x, y, tmp_path, **asked):
    """The result of a short race, whose predictions are finite and whose report is there."""
    result = race(x, y, recipes=3, epochs=4, out=tmp_path / "run", **{"fixed": SMALL} | asked)
    found = result.model.predict_proba(x) if result.model.classes is not None else result.model.predict(x)
    assert np.isfinite(found).all()
    assert (tmp_path / "run" / "report.html").exists()
    return result


def test_a_target_that_is_constant(tmp_path):
    """Nothing is to be learnt: after a few epochs the net is on its way to the constant."""
    result = raced(X, np.full(200, 7.25), tmp_path, task="regression")
    assert np.abs(result.model.predict(X) - 7.25).max() < 2


def test_a_target_far_from_zero(tmp_path):
    """Mean 1e9 and spread 1: learnt in units of its spread, scored in its own."""
    y = 1e9 + X @ [1.0, -1.0, 0.5]
    result = raced(X, y, tmp_path)
    assert result.best.score < np.std(y)


@pytest.mark.long
def test_a_loss_of_zero(tmp_path):
    """Two classes that a line tells apart by far: whatever is exactly 0 or 1 stays finite."""
    x = np.where(rng.random((200, 1)) > 0.5, 1e3, -1e3) + X
    result = raced(x, x[:, 0] > 0, tmp_path, fixed=SMALL | {"learning_rate": 0.3})
    assert result.best.score < 0.05


@pytest.mark.long
def test_ties_are_broken_by_number(tmp_path):
    """Of recipes whose scores are the same the first is the winner, and they stand in their order."""
    same = Recipe().with_fields(SMALL | {"learning_rate": 1e-30})  # no weight moves
    result = raced(X, X[:, 0], tmp_path, fixed={}, space={"learning_rate": 1e-30}, also=(same,))
    again = race(X, X[:, 0], recipes=3, epochs=4, space={"learning_rate": 1e-30}, also=(same,))
    assert result.leaderboard["name"].to_list() == again.leaderboard["name"].to_list()
    scores = result.leaderboard.filter(result.leaderboard["kind"] == "recipe")
    tied = scores.filter(scores["score"] == scores["score"].min())
    numbers = [int(name.split()[1]) for name in tied["name"]]
    assert numbers == sorted(numbers)


@pytest.mark.long
def test_batches_of_one_row_behind_batch_norm(tmp_path):
    """A batch of one row has no spread: the layer hands on its shift, and nothing is NaN."""
    raced(X[:40], X[:40, 0], tmp_path, fixed=SMALL | {"batch_size": 1, "normalisation": "batch_norm"})


def test_a_warm_up_longer_than_the_race(tmp_path):
    """All of it is climb."""
    raced(X, X[:, 0], tmp_path, fixed=SMALL | {"warmup": 10_000})


@pytest.mark.long
def test_one_validation_row_of_each(tmp_path):
    """Two rows are the fewest: one chooses, one is evidence."""
    raced(X, X[:, 0], tmp_path, validation=(X[:2], X[:2, 0]))


@pytest.mark.parametrize("name", sorted(scaling.REGISTRY))
@pytest.mark.parametrize(
    "size", [pytest.param(1e30, marks=pytest.mark.long), 1e39, pytest.param(1e140, marks=pytest.mark.long)]
)
def test_cells_beyond_float32(name, size):
    """A cell of such a size, in training and at prediction, leaves every prediction finite; or the training is told to
    have diverged, where its scaling lets it through."""
    x = X.copy()
    x[3, 1] = size
    try:
        model = fit(x, X[:, 0], recipe=Recipe().with_fields(SMALL | {"scaling": name, "epochs": 2}), task="regression")
        assert np.isfinite(model.predict(x)).all()
    except RaceFailed as failed:
        assert name in ("none", "robust")
        assert str(failed).startswith("The training diverged")  # noqa: PT017
    model = fit(X, X[:, 0], recipe=Recipe().with_fields(SMALL | {"scaling": name, "epochs": 2}), task="regression")
    for sign in (1, -1):
        assert np.isfinite(model.predict(np.array([[0.0, sign * size, 0.0]]))).all()
