"""What is known of rows besides their columns: weights, groups, time; races without test rows or baselines."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from slalom import baselines, explain, race
from slalom.errors import SlalomError
from slalom.shuffles import Shuffles, drawn

from .races import quickly

few = settings(derandomize=True, deadline=None, database=None, max_examples=60)
rng = np.random.default_rng(0)
N = 120
X = rng.normal(size=(N, 3))
Y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.normal(size=N)
SMALL = {"recipes": 1, "epochs": 2, "fixed": {"depth": 1, "width": 8, "batch_size": 16}}


@pytest.fixture(autouse=True)
def shared(monkeypatch):
    """Programs are compiled once."""
    quickly(monkeypatch)


@few
@given(n=st.integers(1, 300), spread=st.floats(0, 6), seed=st.integers(0, 999))
def test_rows_are_drawn_by_weight(n, spread, seed):
    """As many rows as there are, each the whole number of times below its share or the one above."""
    draws = np.random.default_rng(seed)
    weights = np.exp(spread * draws.normal(size=n))
    rows = np.arange(100, 100 + n)
    found = drawn(rows, weights, draws)
    assert len(found) == n
    times, wanted = np.bincount(found - 100, minlength=n), n * weights / weights.sum()
    assert (times >= np.floor(wanted - 1e-6)).all()
    assert (times <= np.ceil(wanted + 1e-6)).all()


def test_equal_weights_give_every_row_once():
    """So that a race with equal weights is the race without."""
    rows = np.arange(57)
    for weight in (1.0, 0.1, 7e8):
        np.testing.assert_array_equal(drawn(rows, np.full(57, weight), np.random.default_rng(1)), rows)
    plain, weighted = (race(X, Y, sample_weight=w, **SMALL).model.predict(X) for w in (None, np.full(N, 0.3)))
    np.testing.assert_array_equal(plain, weighted)


def test_a_tiny_last_weight():
    """Sums in another order differ in their last digits, which must not make a count negative."""

    class High:
        """A generator whose number is as near to 1 as there is."""

        def random(self):
            return np.nextafter(1.0, 0.0)

    weights = np.append(np.full(1_000_000, 0.1), 1e-12)
    assert len(drawn(np.arange(len(weights)), weights, High())) == len(weights)


def test_over_epochs_rows_are_met_as_often_as_they_weigh():
    """On average over the epochs, to within what chance leaves."""
    weights = np.array([0.1, 0.4, 1.0, 2.5])
    shuffles = Shuffles(0, weights)
    met = np.zeros(4)
    for epoch in range(2_000):
        met += np.bincount(shuffles.epoch(np.arange(4), 0, 0, epoch), minlength=4)
    np.testing.assert_allclose(met / 2_000, weights, atol=0.05)


def test_rows_of_weight_0_are_not_there():
    """A race with rows of weight 0 is, bit for bit, the race without these rows."""
    weights = np.where(np.arange(N + 30) % 5 == 0, 0.0, 1.0)
    assert (weights > 0).sum() == N
    x, y = rng.normal(size=(N + 30, 3)) * 100, rng.normal(size=N + 30) * 1000
    x[weights > 0], y[weights > 0] = X, Y
    found = race(x, y, sample_weight=weights, **SMALL)
    plain = race(X, Y, **SMALL)
    np.testing.assert_array_equal(found.model.predict(X), plain.model.predict(X))
    assert "30 rows of weight 0: left out." in found.notes
    assert found.best.score == plain.best.score


def test_weights_move_the_model():
    """Where two populations disagree, the net follows the heavier one; a factor on all weights changes nothing."""
    x = rng.normal(size=(400, 1))
    up = np.arange(400) % 2 == 0
    y = np.where(up, 10.0, -10.0)
    fitted = {"recipes": 1, "epochs": 20, "fixed": {"depth": 0, "batch_size": 16, "learning_rate": 0.05}, "seed": 1}
    light = race(x, y, task="regression", sample_weight=np.where(up, 1.0, 99.0), **fitted).model.predict(x).mean()
    heavy = race(x, y, task="regression", sample_weight=np.where(up, 99.0, 1.0), **fitted).model.predict(x).mean()
    assert light < -8 < 8 < heavy
    scaled = race(x, y, task="regression", sample_weight=np.where(up, 990.0, 10.0), **fitted).model.predict(x).mean()
    assert scaled == heavy


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.zeros(N), "sample_weight must be above 0 for some rows. Got weights that are all zero."),
        (np.full(N, -1.0), "sample_weight must be finite and 0 or more. Got -1.0."),
        (np.full(N, np.nan), "sample_weight must be finite and 0 or more. Got nan."),
        (np.ones(N - 1), f"sample_weight must be one value for each of the {N} rows."),
        (np.ones((N, 2)), f"sample_weight must be one value for each of the {N} rows."),
        ("weight", "sample_weight must be one of 0, 1, 2. Got 'weight'."),
        (["heavy"] * N, "sample_weight must be of numbers. Got ['heavy']."),
    ],
)
def test_weights_that_cannot_be(weights, said):
    """Weights are numbers of 0 or more, one a row."""
    with pytest.raises(SlalomError) as error:
        race(X, Y, sample_weight=weights, **SMALL)
    assert str(error.value).startswith(said)


def framed():
    """The rows as a frame with columns of weights, groups and times."""
    frame = pl.DataFrame(X, schema=["a", "b", "c"])
    return frame.with_columns(
        y=pl.Series(Y), w=pl.Series(np.arange(N) % 3 + 1.0), shop=pl.Series([f"shop {i % 20}" for i in range(N)]),
        day=pl.Series(np.arange(N)[::-1].copy()).cast(pl.Date),
    )  # fmt: skip


def test_roles_are_columns():
    """A column of weights or groups is no input; one of time stays one. The same as arrays gives the same."""
    named = race(framed(), target="y", sample_weight="w", group="shop", **SMALL)
    assert set(named.model.columns.names) >= {"a", "b", "c", "day"}
    assert not {"w", "shop"} & set(named.model.columns.input_names)
    frame = framed()
    given = race(
        frame.drop("y", "w", "shop"), Y, sample_weight=frame["w"], group=frame["shop"].to_numpy(), **SMALL
    )  # fmt: skip
    np.testing.assert_array_equal(given.model.predict(frame), named.model.predict(frame))
    timed = race(framed(), target="y", time="day", **SMALL)
    assert "day" in timed.model.columns.input_names
    assert timed.about["rows"] == {"training": [76], "choosing": [14], "evidence": [6], "test": 24}


def test_roles_that_cannot_be():
    """Groups and time exclude each other, and what the caller holds out is not divided; gaps are named."""
    with pytest.raises(SlalomError, match="group and time must not be given together"):
        race(framed(), target="y", group="shop", time="day", **SMALL)
    with pytest.raises(SlalomError, match="group must not be given beside validation"):
        race(X, Y, group=np.arange(N), validation=(X, Y), **SMALL)
    for gap in (np.nan, None):
        with pytest.raises(SlalomError, match=r"time must have a value in every row\. Missing: 1 cell"):
            race(X, Y, time=[gap, *np.arange(N - 1.0)], **SMALL)
    with pytest.raises(SlalomError, match=r"time must be of numbers or of dates with the year first\. Got \['05/01"):
        race(X, Y, time=["05/01/2024"] * N, **SMALL)
    with pytest.raises(SlalomError, match=r"group must have a value in every row\. Missing: 1 cell"):
        race(X, Y, group=[None, *range(N - 1)], **SMALL)


def test_validation_rows_weigh_1():
    """Weights are of the caller's training rows alone: their scores are those of the same nets, each row once."""
    weights, found = np.arange(N) + 1.0, []
    for x, y, w in ((X, Y, weights), (X[weights > 60], Y[weights > 60], None)):
        given = SMALL | {"epochs": 10}
        found.append(race(x, y, sample_weight=w, validation=(X[:40], Y[:40]), **given))
    assert found[0].about["rows"]["choosing"] == found[1].about["rows"]["choosing"] == [28]
    assert found[0].best.score != found[1].best.score


def test_a_race_with_roles_is_explained_and_continued(tmp_path):
    """Roles that were columns are found again; those that were arrays must be given again, and must be the same."""
    file = tmp_path / "rows.csv"
    framed().write_csv(file)
    race(file, target="y", sample_weight="w", group="shop", out=tmp_path / "named", **SMALL)
    assert explain(tmp_path / "named", seconds=0.01).metric == "rmse"
    weights = np.arange(N) + 1.0
    race(X, Y, sample_weight=weights, out=tmp_path / "given", **SMALL)
    with pytest.raises(SlalomError, match="sample_weight must be given, as it was to the race"):
        explain(tmp_path / "given", X, Y, seconds=0.01)
    with pytest.raises(SlalomError, match="must be the same as in"):
        explain(tmp_path / "given", X, Y, sample_weight=weights + 1, seconds=0.01)
    assert explain(tmp_path / "given", X, Y, sample_weight=weights, seconds=0.01).metric == "rmse"
    more = race(X, Y, sample_weight=weights, extend=tmp_path / "given", **SMALL)
    assert len(more.leaderboard.filter(pl.col("kind") == "recipe")) == 2
    with pytest.raises(SlalomError, match="weights or the division of rows differ"):
        race(X, Y, extend=tmp_path / "given", **SMALL)


def test_no_test_rows_and_no_baselines():
    """All rows serve the race, ten are enough; the leaderboard holds recipes alone."""
    found = race(X[:10], Y[:10], test=False, baselines=False, recipes=2, epochs=2, fixed={"depth": 0, "batch_size": 4})
    assert found.about["rows"]["test"] == 0
    assert found.best.test is None
    assert set(found.leaderboard["kind"]) == {"recipe"}
    with pytest.raises(SlalomError, match="test must be True or False"):
        race(X, Y, test="no", **SMALL)


def test_a_column_that_gives_the_answer_away_is_told():
    """By the training rows of a race."""
    found = race(np.column_stack([X, 3 * Y]), Y, **SMALL)
    assert any('Column "3" gives the answer away' in note for note in found.notes)
    assert not any("away" in note for note in race(X, Y, **SMALL).notes)


@pytest.mark.long
@pytest.mark.parametrize("classes", [0, 2])
def test_baselines_weigh_rows(classes):
    """Each baseline follows the heavier of two populations that disagree; without weights none does."""
    x = np.column_stack([rng.normal(size=400), np.arange(400) % 7])
    up = np.arange(400) % 2 == 0
    y = up.astype(float)
    for model in baselines._models(classes, 2):
        for weights, low, high in ((np.where(up, 99.0, 1.0), 0.9, 1.0), (None, 0.3, 0.7)):
            fitted = clone(model)
            baselines._fit(fitted, x, y, weights)
            found = fitted.predict_proba(x)[:, 1] if classes else fitted.predict(x)
            assert low < found.mean() <= high


def test_the_test_score_has_an_interval():
    """Over rows, around the score and never beyond what a score can be; none without test rows."""
    given = SMALL | {"epochs": 20}
    for y, metric in ((Y, "rmse"), (Y > 0, "log_loss"), (Y > 0, "accuracy")):
        found = race(np.tile(X, (3, 1)), np.tile(y, 3), metric=metric, **given)
        low, high = found.best.test_ends
        assert low <= found.best.test <= high
        assert (high <= 1) if metric == "accuracy" else (low >= 0)
        assert found.summary()["test_interval"] == [low, high]
    assert race(X, Y, test=False, **SMALL).best.test_ends is None
