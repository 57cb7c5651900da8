"""Small races from end to end: what decides their outcome, and what must not."""

import dataclasses
import gc
import importlib
import math
import sqlite3
import threading
import time
import weakref

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from slalom import seats
from slalom.baselines import NAMES
from slalom.crew import Crew
from slalom.errors import RaceFailed, SlalomError
from slalom.executor import Task, Threads
from slalom.fitting import fit
from slalom.journal import Journal
from slalom.opened import leaderboard, load
from slalom.plan import halving
from slalom.program import Programs
from slalom.racing import race
from slalom.recipe import Recipe
from slalom.space import Space
from slalom.track import Track

from .races import by_number, compared, compiled_once, heats, quickly, racing, seen_by

TINY = {"depth": 1, "width": 4, "batch_size": 16, "embedding": "none", "learned_scale": "none", "block": "plain"}
N, FOLDS = 120, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.1 * RNG.normal(size=N)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Programs are shared, baselines are left out."""
    quickly(monkeypatch)


@pytest.fixture
def entries(monkeypatch):
    """The entries of the last race, in the order of their numbers."""
    return seen_by(monkeypatch, by_number)


def small(x=X, y=Y, **asked):
    """A race of a few recipes for a few epochs."""
    fixed = TINY | {"rule": "adam"} | asked.pop("fixed", {})
    return race(x, y, **{"recipes": 3, "epochs": 3, "seed": 1} | asked, fixed=fixed)


def timeless(board):
    """A leaderboard without the one thing that may differ."""
    return board.drop("seconds")


def model_bits(model):
    return [array.tobytes() for layer in model.weights for array in layer.values()]


def state_bits(racer):
    return [array.tobytes() for layer in racer.state.weights for array in layer.values()]


# --- the same again ---------------------------------------------------------------------------------------------------


def test_same_seed_same_race(monkeypatch):
    """A race bounded by recipes and epochs is repeated by its seed to the last bit: leaderboard, winner, model; also
    with one worker instead of two, and with programs that are compiled again. Another seed is another race."""
    asked = {"fixed": {"rule": "adamw", "normalisation": "batch_norm", "dropout": 0.2}, "recipes": 4}
    first = small(**asked)
    for workers in (2, 1):
        monkeypatch.setattr("slalom.racing.cores", lambda workers=workers: workers)
        if workers == 1:
            monkeypatch.setattr(heats, "Programs", Programs)
            monkeypatch.setenv("SLALOM_CACHE", "off")
        again = small(**asked)
        assert again.about["workers"] == workers
        assert timeless(again.leaderboard).equals(timeless(first.leaderboard), null_equal=True)
        assert again.best == first.best
        assert model_bits(again.single) == model_bits(first.single)
        assert again.about["racer_steps"] == first.about["racer_steps"]
    monkeypatch.setattr(heats, "Programs", compiled_once)
    other = small(**asked | {"seed": 2})
    assert other.leaderboard["score"].to_list() != first.leaderboard["score"].to_list()
    assert not timeless(other.leaderboard).equals(timeless(first.leaderboard), null_equal=True)


def test_more_recipes_are_the_same_and_more(entries):
    """A race of five recipes has the three recipes of the shorter race among them, with the same scores."""
    short = {row["name"]: row["score"] for row in small().leaderboard.to_dicts() if row["kind"] == "recipe"}
    longer = {row["name"]: row["score"] for row in small(recipes=5).leaderboard.to_dicts() if row["kind"] == "recipe"}
    assert len(short) == 3
    assert len(longer) == 5
    assert {name: longer[name] for name in short} == short


# --- what is counted --------------------------------------------------------------------------------------------------


def test_racer_steps_are_the_updates_of_living_racers(entries):
    """racer_steps is recipes × epochs × steps × folds, and the steps of the winner's last training on all rows; the
    copies that fill lanes do not count."""
    result = small(recipes=3, epochs=4)
    rows = result.about["rows"]
    assert sorted(rows["training"]) == [76, 77, 77, 77, 77]  # each of the 96 rows that are not test rows, four times
    per_epoch = min(rows["training"]) // 16
    whole = round(result.best.epoch * (96 // 16))
    assert result.about["racer_steps"] == 3 * 4 * per_epoch * FOLDS + whole
    assert 0 < result.about["useful_share"] <= 1
    assert result.about["recipes"] == 3
    assert {racer.step for entry in entries for racer in entry.racers} == {4 * per_epoch}


def test_rows_are_dealt_once_and_folds_cover_them(entries):
    """Below 5,000 rows five folds train on four fifths of what is not test rows, and hold the rest out for choosing and
    evidence; test rows are in none."""
    small()
    prepared = entries[0].heat.prepared
    test = set(prepared.split.test)
    held = []
    assert len(prepared.folds) == FOLDS
    for fold in prepared.folds:
        parts = [set(part) for part in fold[:3]]
        assert set.union(*parts) | test == set(range(N))
        assert sum(map(len, parts)) + len(test) == N
        held += [*fold.choose, *fold.evidence]
    assert sorted(held) == sorted(set(range(N)) - test)
    assert set(prepared.whole.train) == set(held)


def test_last_training_is_on_all_rows_but_the_test_rows(entries):
    """The model of a cross-fitted race is the winner trained once more on all rows that are not test rows, with the
    scaler and the unit of the target fitted to them, for the epochs that were best: what fit does with those rows."""
    result = small(fixed={"scaling": "robust_clip", "target_scaling": "z_score"})
    whole = entries[0].heat.prepared.whole.train
    assert len(whole) == 96
    unit = result.single.unit.scaler
    np.testing.assert_allclose([*unit.mean, *unit.spread], [Y[whole].mean(), Y[whole].std()], rtol=1e-12)
    np.testing.assert_allclose(result.single.scaler.centre, np.median(X[whole], axis=0), rtol=1e-12)
    moved = [w for layer in result.single.weights for w in layer.values()]
    fold = [w for layer in entries[0].racers[0].state.weights for w in layer.values()]
    assert not any(np.array_equal(a, b) for a, b in zip(moved, fold, strict=True))
    rmse = ((result.single.predict(X[whole]) - Y[whole]) ** 2).mean() ** 0.5
    assert rmse < Y.std()


def test_last_training_that_fails_is_not_the_model(monkeypatch, entries):
    """Where the winner diverges in its last training, the model is the best moment of its first fold."""
    advance = Crew.advance

    def spoilt(self, *args):
        made = advance(self, *args)
        for racer in self.racers:
            if racer.fold == FOLDS:
                layer = racer.state.weights[0]
                layer["b"][0] = np.nan
        return made

    monkeypatch.setattr(Crew, "advance", spoilt)
    result = small()
    (winner,) = [entry for entry in entries if f"recipe {entry.number}" == result.best.name]
    moment = winner.racers[0].best
    assert model_bits(result.single) == [w.tobytes() for layer in moment.weights for w in layer.values()]
    assert result.single.unit == winner.heat.prepared.unit(winner.recipe.target_scaling, 0)
    assert math.isfinite(result.best.test)


# --- what must not matter ---------------------------------------------------------------------------------------------

ROWS = 5_200
WIDE = {"fixed": {"batch_size": 512, "width": 4, "depth": 1}, "recipes": 2, "epochs": 2}


@pytest.fixture(scope="module")
def large():
    """Enough rows for one fold."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(ROWS, 2))
    return x, x[:, 0] - x[:, 1] ** 2 + 0.3 * rng.normal(size=ROWS)


@pytest.fixture
def original(large, entries):
    result = small(*large, **WIDE)
    return result, list(entries)


def changed(large, rows, by=10.0):
    """The same table with other features and labels in some rows."""
    rng = np.random.default_rng(9)
    x, y = large[0].copy(), large[1].copy()
    x[rows] += by * rng.normal(1, 1, size=(len(rows), 2))
    y[rows] += by * rng.normal(1, 1, size=len(rows))
    return x, y


def test_from_5000_rows_on_there_is_one_fold(large, original):
    """From 5,000 rows on one division of the rows is enough, and nothing is trained again at the end."""
    result, entries = original
    fold = entries[0].heat.prepared.folds[0]
    assert [len(entry.racers) for entry in entries] == [1, 1]
    assert entries[0].heat.prepared.whole is None
    parts = [*fold[:3], entries[0].heat.prepared.split.test]
    assert sorted(np.concatenate(parts)) == list(range(ROWS))
    assert result.about["racer_steps"] == 2 * 2 * (len(fold.train) // 512)
    assert [len(part) for part in parts] == [ROWS - 1040 - 624 - 270, 624, 270, 1040]


@pytest.mark.parametrize("kind", ["evidence", "test"])
def test_evidence_and_test_rows_decide_nothing(large, original, entries, kind):
    """Other features and labels in evidence or test rows leave every weight and every choosing score as it was, bit for
    bit; the test score alone knows of the test rows."""
    result, before = original
    prepared = before[0].heat.prepared
    rows = prepared.split.test if kind == "test" else prepared.folds[0].evidence
    other = small(*changed(large, rows), **WIDE)
    for old, new in zip(before, entries, strict=True):
        assert state_bits(new.racers[0]) == state_bits(old.racers[0])
        assert new.racers[0].costs == old.racers[0].costs
        assert len(old.racers[0].costs) > 1
    assert model_bits(other.single) == model_bits(result.single)
    assert other.best.score == result.best.score
    assert timeless(other.leaderboard).equals(timeless(result.leaderboard), null_equal=True)
    assert (other.best.test == result.best.test) == (kind == "evidence")


def test_choosing_rows_choose_and_do_not_train(large, original, entries):
    """Other features and labels in choosing rows change the scores, and no weight of any racer at its last step (unless
    the scores get so bad that it counts as diverged and is stopped)."""
    _, before = original
    small(*changed(large, before[0].heat.prepared.folds[0].choose, by=0.3), **WIDE)
    for old, new in zip(before, entries, strict=True):
        assert state_bits(new.racers[0]) == state_bits(old.racers[0])
        assert new.racers[0].costs != old.racers[0].costs


def test_test_rows_decide_nothing_in_folds(entries):
    """With cross-fitted folds, too, other test rows change no score and no weight, the final model's included."""
    result = small()
    before, test = list(entries), entries[0].heat.prepared.split.test
    x, y = X.copy(), Y.copy()
    x[test], y[test] = 9 + X[test] ** 2, 1e3 + Y[test]
    other = small(x, y)
    assert model_bits(other.single) == model_bits(result.single)
    assert [e.curve for e in entries] == [e.curve for e in before]
    assert other.best.test != result.best.test
    assert other.best.score == result.best.score


# --- validation rows of the caller ------------------------------------------------------------------------------------


def test_validation_rows_are_the_only_ones_held_out(entries):
    """With validation= every row of X trains, the caller's rows choose (70 %) and are evidence (30 %), there is no test
    score and it is said."""
    validation = (X[:40] + 1, Y[:40])
    result = small(validation=validation)
    assert result.about["rows"] == {"training": [N], "choosing": [28], "evidence": [12], "test": 0}
    fold = entries[0].heat.prepared.folds[0]
    np.testing.assert_array_equal(fold.train, np.arange(N))
    assert sorted([*fold.choose, *fold.evidence]) == list(range(N, N + 40))
    assert result.best.test is None
    assert set(result.tests.values()) == {None}
    assert "validation rows were given: no other rows are held out, and there is no test score." in result.notes
    assert result.about["racer_steps"] == 3 * 3 * (N // 16)
    scores = [((result.single.predict(validation[0]) - Y[:40])[rows - N] ** 2).mean() ** 0.5 for rows in fold[1:2]]
    np.testing.assert_allclose(result.best.score, scores[0], rtol=1e-5)  # float32


def test_validation_rows_keep_the_classes_in_proportion(entries):
    """Of the caller's validation rows of a classification, choosing and evidence rows have each class in proportion."""
    labels = np.array(["rare", "usual"])[(np.arange(40) % 4 > 0).astype(int)]
    for seed in range(3):
        small(y=labelled_twice(), validation=(X[:40], labels), seed=seed, recipes=1, epochs=1)
        fold = entries[0].heat.prepared.folds[0]
        assert [(labels[part - N] == "rare").sum() for part in (fold.choose, fold.evidence)] == [7, 3]


def labelled_twice():
    return np.where(Y > 0, "rare", "usual")


@pytest.mark.parametrize(
    ("validation", "sentence"),
    [
        ((X[:40], Y[:39]), "validation must be X and y of the same length. Got (40, 39)."),
        ((X[:40, :2], Y[:40]), "validation must have the columns of X. It lacks '2'."),
        ((X[:1], Y[:1]), "The validation table must be at least 2 rows long. Got 1. Bring more rows."),
    ],
)
def test_bad_validation_is_one_sentence(validation, sentence):
    """Validation rows that do not fit are refused in one sentence."""
    with pytest.raises(SlalomError) as error:
        small(validation=validation)
    assert str(error.value) == sentence


# --- divergence -------------------------------------------------------------------------------------------------------


def test_diverged_recipe_is_an_outcome(monkeypatch, entries):
    """A recipe with learning rate 1e6 ends as "diverged", has no score and stands last; the others are as they would
    have been without it, to the last bit."""
    asked = {"recipes": 4, "fixed": {"scaling": "z_score"}}
    result = small(**asked)
    healthy = {entry.number: [state_bits(racer) for racer in entry.racers] for entry in entries}
    costs = {entry.number: entry.curve for entry in entries}
    draw = Space.recipes

    def wild(self, *given):
        recipes = draw(self, *given)
        return [dataclasses.replace(one, learning_rate=1e6) if i == 2 else one for i, one in enumerate(recipes)]

    monkeypatch.setattr(Space, "recipes", wild)
    other = small(**asked)
    last = other.leaderboard.row(-1, named=True)
    recipes = other.leaderboard.filter(pl.col("kind") == "recipe")
    assert last["kind"] == "baseline"  # in this race those have no score either
    assert recipes.row(-1, named=True)["name"] == "recipe 2"
    assert recipes["outcome"].to_list() == ["finished"] * 3 + ["diverged"]
    assert recipes["score"].is_null().to_list() == [False] * 3 + [True]
    assert other.about["outcomes"] == {"finished": 3, "diverged": 1}
    for entry in entries:
        if entry.number != 2:
            assert [state_bits(racer) for racer in entry.racers] == healthy[entry.number]
            assert entry.curve == costs[entry.number]
    if result.best.name != "recipe 2":
        assert other.best == result.best


def test_no_recipe_converges(entries):
    """Where all recipes diverge there is a model all the same: the mean of the training rows, named as what it is."""
    result = small(fixed={"learning_rate": 1e6})
    assert result.best.name == "mean or majority"
    assert result.about["outcomes"] == {"diverged": 3}
    train = entries[0].heat.prepared.folds[0].train
    np.testing.assert_allclose(result.model.predict(X), np.full(N, Y[train].mean()))
    assert math.isfinite(result.best.score)
    assert math.isfinite(result.best.test)
    labels = np.array(["a", "b", "b"])[np.arange(N) % 3]
    classes = small(y=labels, fixed={"learning_rate": 1e6})
    assert classes.best.name == "mean or majority"
    assert set(classes.model.predict(X)) == {"b"}
    np.testing.assert_allclose(classes.model.predict_proba(X)[:, 1], 2 / 3, atol=0.02)


# --- rungs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rungs(monkeypatch):
    """Races bounded by recipes go through the rungs of successive halving."""
    monkeypatch.setattr("slalom.plan.flat", lambda recipes, epochs: halving(recipes, epochs))


@pytest.fixture
def rates(monkeypatch):
    """The learning rate of every step of every racer that is alive, as it was handed to a program."""
    seen = {}
    rates = Crew._rates

    def spy(self, step, n):
        given = rates(self, step, n)
        for racer, row in zip(self.filled, given, strict=False):
            for i in range(n):
                seen[racer.number, racer.fold, step + i] = float(row[i])
        return given

    monkeypatch.setattr(Crew, "_rates", spy)
    return seen


def test_survivors_are_the_best_at_their_rung(rungs, entries):
    """Those who stay at a rung are the ones whose best cost so far is least, and every other one is dropped there."""
    result = small(recipes=9, epochs=14)
    per_epoch = entries[0].heat.steps_per_epoch(0)
    alive = entries
    for rung, (epochs, stay) in enumerate([(1, 3), (2, 1)], start=1):
        at = {e.number: min(c for s, c in e.curve.items() if s <= epochs * per_epoch) for e in alive}
        best = sorted(at, key=lambda number: (at[number], number))[:stay]
        for entry in alive:
            assert max(entry.curve) >= epochs * per_epoch
            if entry.number not in best:
                assert entry.outcome == f"dropped at rung {rung}"
                assert max(entry.curve) == epochs * per_epoch
        alive = [entry for entry in alive if entry.number in best]
    assert [entry.outcome for entry in alive] == ["finished"]
    assert max(alive[0].curve) == 14 * per_epoch
    outcomes = {"dropped at rung 1": 6, "dropped at rung 2": 2, "finished": 1}
    assert result.about["outcomes"] == outcomes
    whole = round(result.best.epoch * entries[0].heat.steps_per_epoch(FOLDS))
    assert result.about["racer_steps"] == (6 * 1 + 2 * 2 + 14) * per_epoch * FOLDS + whole


def test_diverged_recipe_leaves_at_the_first_rung(monkeypatch, rungs, entries):
    """A recipe that has diverged at a rung is called so, makes no further step, and takes no survivor's place."""
    draw = Space.recipes

    def wild(self, *given):
        recipes = draw(self, *given)
        return [dataclasses.replace(one, learning_rate=1e6) if i in (0, 5) else one for i, one in enumerate(recipes)]

    monkeypatch.setattr(Space, "recipes", wild)
    result = small(recipes=9, epochs=14, fixed={"scaling": "z_score"})
    per_epoch = entries[0].heat.steps_per_epoch(0)
    assert result.about["outcomes"] == {"diverged": 2, "dropped at rung 1": 4, "dropped at rung 2": 2, "finished": 1}
    assert {entry.outcome for entry in entries if entry.number in (0, 5)} == {"diverged"}
    assert {racer.step for entry in entries if entry.number in (0, 5) for racer in entry.racers} == {per_epoch}
    board = result.leaderboard.filter(pl.col("kind") == "recipe")
    assert board["outcome"].to_list()[-2:] == ["diverged", "diverged"]


def test_horizon_is_kept_through_rungs(monkeypatch, entries, rates):
    """A survivor has the rates, the costs and the weights of the same recipe in a race that drops no one: the schedule
    spans the whole horizon from the first step."""
    asked = {"recipes": 9, "epochs": 14, "fixed": {"schedule": "cosine", "warmup": 0.1}}
    small(**asked)
    undropped, plain = dict(rates), {e.number: e for e in entries}
    rates.clear()
    monkeypatch.setattr("slalom.plan.flat", lambda recipes, epochs: halving(recipes, epochs))
    small(**asked)
    assert 0 < len(rates) < len(undropped)
    assert all(undropped[key] == rate for key, rate in rates.items() if key[1] < FOLDS)  # another may win and train on
    (winner,) = [entry for entry in entries if entry.outcome == "finished"]
    per_epoch = winner.heat.steps_per_epoch(0)
    for a, b in zip(winner.racers, plain[winner.number].racers, strict=True):
        assert a.step == b.step == 14 * per_epoch
        assert state_bits(a) == state_bits(b)
        assert {s: c for s, c in a.costs.items() if s in b.costs} == {s: c for s, c in b.costs.items() if s in a.costs}
    for entry in entries:
        assert rates[entry.number, 0, 0] < entry.recipe.learning_rate  # warm-up
        assert undropped[entry.number, 0, 14 * per_epoch - 1] < 0.01 * entry.recipe.learning_rate  # the cosine's end


# --- more of the same race --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("waves", "winner"), [((1, 4), 1), ((4, 1), 0)])
def test_extended_race_adds_recipes(tmp_path, waves, winner):
    """extend= adds recipes with new numbers to a folder, keeps the old rows, and keeps the better winner, of whichever
    wave it is."""
    first = small(out=tmp_path / "run", recipes=waves[0])
    second = small(extend=tmp_path / "run", recipes=waves[1])
    assert (int(second.best.name.removeprefix("recipe ")) >= waves[0]) == winner
    names = second.leaderboard.filter(pl.col("kind") == "recipe")["name"].to_list()
    assert sorted(names) == [f"recipe {i}" for i in range(5)]
    kept = {row["name"]: row["score"] for row in first.leaderboard.to_dicts() if row["kind"] == "recipe"}
    rows = {row["name"]: row for row in second.leaderboard.to_dicts()}
    assert {name: rows[name]["score"] for name in kept} == kept
    assert [rows[f"recipe {i}"]["wave"] for i in range(5)] == [0] * waves[0] + [1] * waves[1]
    assert second.best.score == min(row["score"] for row in rows.values() if row["score"] is not None)
    assert second.best.name == second.leaderboard["name"][0]
    np.testing.assert_array_equal(load(tmp_path / "run").predict(X), second.model.predict(X))
    on_disk = leaderboard(tmp_path / "run")
    assert on_disk.equals(second.leaderboard, null_equal=True)
    # Recipe 3 of a continued race is recipe 3 of a longer one.
    whole = {row["name"]: row["score"] for row in small(recipes=5).leaderboard.to_dicts()}
    assert {name: rows[name]["score"] for name in names} == {name: whole[name] for name in names}


@pytest.mark.parametrize("other", ["label", "cell", "rows", "columns"])
def test_extended_race_refuses_other_data(tmp_path, other):
    """A race is not extended on other rows, labels or columns, and its folder stays as it was."""
    small(out=tmp_path / "run", recipes=1, epochs=1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    x, y = X.copy(), Y.copy()
    if other == "label":
        y[3] += 1e-9
    if other == "cell":
        x[3, 1] += 1e-9
    if other == "rows":
        x, y = x[:-1], y[:-1]
    if other == "columns":
        x = x[:, [1, 0, 2]]
    with pytest.raises(SlalomError) as error:
        small(x, y, extend=tmp_path / "run", recipes=1, epochs=1)
    assert str(error.value) == (
        f"The data must be the same as in {tmp_path / 'run'}. Rows, columns, target, weights or the division of rows"
        " differ: start a new race."
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == before


@pytest.mark.parametrize(("name", "then", "now"), [("seed", 1, 2), ("metric", "rmse", "mae")])
def test_extended_race_refuses_another_comparison(tmp_path, name, then, now):
    """Scores are only comparable on the same choosing rows by the same metric: another seed or metric is refused."""
    small(out=tmp_path / "run", recipes=1, epochs=1)
    with pytest.raises(SlalomError) as error:
        small(extend=tmp_path / "run", recipes=1, epochs=1, **{name: now})
    assert str(error.value) == (
        f"{name} must be that of the race in {tmp_path / 'run'}, {then!r}. Got {now!r}: scores compare only on the same"
        " choosing rows by the same metric."
    )


def test_folder_that_holds_something_is_left_alone(tmp_path):
    """An out= that holds anything is refused in one sentence, and nothing in it changes."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SlalomError) as error:
        small(out=tmp_path)
    assert str(error.value) == (
        f"out must be a new or empty folder. {tmp_path} already holds something: choose another, or continue the race"
        " in it with --continue."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


# --- time -------------------------------------------------------------------------------------------------------------


def test_seconds_are_a_limit(tmp_path, monkeypatch):
    """A race of 3 seconds with its real baselines ends within them (3 s of slack), with a model and a whole folder."""
    monkeypatch.undo()  # the real baselines and programs
    began = time.perf_counter()
    result = race(X, Y, seconds=3, seed=0, fixed=TINY | {"rule": "adam"}, out=tmp_path / "run")
    assert time.perf_counter() - began < 6
    assert np.isfinite(result.model.predict(X)).all()
    assert result.about["seconds"] < 6
    assert math.isfinite(result.best.score)
    assert set(result.leaderboard.filter(pl.col("kind") == "baseline")["name"]) == set(NAMES)
    np.testing.assert_array_equal(load(tmp_path / "run").predict(X), result.model.predict(X))


def test_compiling_does_not_break_the_limit(monkeypatch):
    """A race whose programs are not compiled in time ends in time (1 s, 3 s of slack), with the mean."""
    gate = threading.Event()

    def endless(*_):
        gate.wait(60)
        raise AssertionError("the race is over")

    monkeypatch.setattr(heats, "Programs", endless)
    began = time.perf_counter()
    try:
        result = race(X, Y, seconds=1, fixed=TINY)
    finally:
        gate.set()
    assert time.perf_counter() - began < 4
    assert result.best.name == "mean or majority"
    assert result.about["racer_steps"] == 0


@pytest.fixture
def interrupted(tmp_path):
    """A race in whose middle Ctrl-C is pressed, when the first lane has come to its end."""
    raised = []

    def impatient(status):
        if status.racer_steps > 0 and not raised:
            raised.append(status)
            raise KeyboardInterrupt

    with pytest.raises(racing.Interrupted) as stopped:
        small(recipes=60, epochs=400, out=tmp_path / "run", progress=impatient)
    return stopped.value.result


def test_interrupted_race_keeps_what_there_is(interrupted, tmp_path):
    """Ctrl-C ends a race where it is: Interrupted carries the result, the folder is whole and has the same model."""
    recipes = interrupted.leaderboard.filter(pl.col("kind") == "recipe")
    assert 0 < len(recipes) <= 60
    assert (recipes["epochs_run"] < 400).any() or len(recipes) < 60
    assert set(recipes["outcome"]) <= {"finished", "diverged", "out of time"}
    assert interrupted.best.name.startswith("recipe")
    np.testing.assert_array_equal(load(tmp_path / "run").predict(X), interrupted.model.predict(X))
    assert leaderboard(tmp_path / "run").equals(interrupted.leaderboard, null_equal=True)


def test_interrupted_race_tells_who_finished(interrupted):
    """A recipe that had run its whole horizon when Ctrl-C came is finished, not out of time."""
    done = interrupted.leaderboard.filter(pl.col("epochs_run") == 400)
    assert len(done) > 0
    assert set(done["outcome"]) == {"finished"}


def test_baselines_stand_on_the_leaderboard(monkeypatch, entries):
    """The three baselines are fitted on the folds' training rows and scored on choosing and test rows as racers are."""
    monkeypatch.setattr(compared, "Baselines", importlib.import_module("slalom.baselines").Baselines)
    result = small()
    prepared, rows = entries[0].heat.prepared, {row["name"]: row for row in result.leaderboard.to_dicts()}
    assert [rows[name]["outcome"] for name in NAMES] == ["finished"] * 3
    linear, mean = [], []
    for fold in prepared.folds:
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 7))).fit(X[fold.train], Y[fold.train])
        linear.append(((model.predict(X[fold.choose]) - Y[fold.choose]) ** 2).mean() ** 0.5)
        mean.append(((Y[fold.train].mean() - Y[fold.choose]) ** 2).mean() ** 0.5)
    np.testing.assert_allclose(rows["linear model"]["score"], np.mean(linear), rtol=1e-6)
    np.testing.assert_allclose(rows["mean or majority"]["score"], np.mean(mean), rtol=1e-10)
    whole, test = prepared.whole.train, prepared.split.test
    expected = ((Y[whole].mean() - Y[test]) ** 2).mean() ** 0.5
    np.testing.assert_allclose(result.tests["mean or majority"], expected, rtol=1e-10)


# --- targets ----------------------------------------------------------------------------------------------------------


def test_target_in_its_own_unit(entries):
    """A target around 1e9 with spread 1 is learned as the same one around 0: the scores agree, the predictions come in
    the target's unit."""
    far, near = small(y=1e9 + Y, epochs=20), small(epochs=20)
    for a, b in zip(far.leaderboard["score"][:3], near.leaderboard["score"][:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3)  # 1e9 in float64 leaves 1e-7 of the spread, training spreads it
    prediction = far.model.predict(X)
    assert prediction.dtype == np.float64
    assert abs((prediction - 1e9).mean() - Y.mean()) < 1
    assert np.corrcoef(prediction - 1e9, Y)[0, 1] > 0.5
    np.testing.assert_allclose(far.best.test, near.best.test, rtol=1e-3)


def labelled(kind):
    signal = X @ [1.0, -2.0, 0.5]
    if kind == "words":
        return np.where(signal > 0, "yes", "no")
    if kind == "numbers":
        return np.where(signal > 0, 7, 3)
    if kind == "truths":
        return signal > 0
    return np.array(["low", "middle", "high"])[np.searchsorted([-1, 1], signal)]


@pytest.mark.parametrize("kind", ["words", "numbers", "truths", "three"])
def test_classes_of_any_make(kind):
    """Labels come back as they went in; probabilities sum to one, one column a class in sorted order; the most probable
    class is the prediction; and something was learned."""
    y = labelled(kind)
    result = small(y=y, epochs=12, fixed={"learning_rate": 0.03})
    assert result.metric.name == "log_loss"
    assert result.about["task"] == "classification"
    model = result.model
    p, prediction = model.predict_proba(X), model.predict(X)
    np.testing.assert_array_equal(model.classes, np.unique(y))
    assert p.shape == (N, len(np.unique(y)))
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12)
    assert prediction.dtype.kind == y.dtype.kind
    np.testing.assert_array_equal(prediction, model.classes[p.argmax(1)])
    majority = np.unique(y, return_counts=True)[1].max() / N
    assert (prediction == y).mean() > majority + 0.05
    assert result.best.score < 0.9 * math.log(len(model.classes))


def test_another_metric_chooses():
    """The metric that is named decides the order, in its own direction; a callable does, too."""
    y = labelled("words")
    named = small(y=y, metric="accuracy", epochs=6)
    scores = [row["score"] for row in named.leaderboard.to_dicts() if row["score"] is not None]
    assert scores == sorted(scores, reverse=True)
    assert named.best.score == scores[0]

    def worst(y, prediction):
        return -float((prediction.argmax(1) == y).mean())

    called = small(y=y, metric=worst, epochs=6)
    assert called.metric.name == "worst"
    assert called.best.score >= -named.best.score
    scores = [row["score"] for row in called.leaderboard.to_dicts() if row["score"] is not None]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("name", ["loss", "rmse"])
def test_callable_metric_has_its_sign_on_disk(tmp_path, name):
    """The leaderboard of the folder shows the scores that the race showed, also by a callable whose smaller values are
    better, or whose name is another metric's."""

    def metric(y, prediction):
        error = float(((y - prediction) ** 2).mean())
        return error if name == "loss" else -error

    metric.__name__, metric.greater_is_better = name, name != "loss"
    result = small(metric=metric, out=tmp_path / "run", recipes=2, epochs=1)
    assert leaderboard(tmp_path / "run").equals(result.leaderboard, null_equal=True)


# --- what comes out ---------------------------------------------------------------------------------------------------


def test_leaderboard_has_what_was_promised(tmp_path):
    """The leaderboard is a frame of rank, every recipe field, score, outcome, seconds and parameters, the best first;
    the same lies on disk as CSV and in the journal."""
    result = small(out=tmp_path / "run", fixed={"normalisation": "layer_norm"})
    board = result.leaderboard
    assert isinstance(board, pl.DataFrame)
    assert board.columns[:5] == ["rank", "name", "kind", "outcome", "score"]
    fields = {*Recipe().flat(), "best_epoch", "epochs_run", "seconds", "parameters", "wave"} - {"schedule.floor"}
    assert fields <= set(board.columns)
    assert board["rank"].to_list() == list(range(1, len(board) + 1))
    recipes = board.filter(pl.col("kind") == "recipe")
    assert recipes["score"].is_sorted()
    assert set(recipes["parameters"]) == {(3 + 1) * 4 + 2 * 4 + 4 + 1}
    assert set(recipes["epochs_run"]) == {3.0}
    assert (recipes["seconds"] > 0).all()
    for row in recipes.to_dicts():
        plain = {k: v for k, v in row.items() if k in Recipe().flat() or k.startswith(("rule.", "schedule."))}
        again = Recipe().with_fields({k: v for k, v in plain.items() if v is not None})
        number = int(row["name"].removeprefix("recipe "))
        space = Space(96, 3, TINY | {"rule": "adam", "normalisation": "layer_norm"})
        assert again == space.recipes(1, number, 1, space.shapes(1))[0]
        assert set(TINY.items()) <= set(row.items())
    assert result.best.recipe.flat() == {
        k: v for k, v in recipes.row(0, named=True).items() if k in result.best.recipe.flat()
    }
    csv = pl.read_csv(tmp_path / "run" / "leaderboard.csv", infer_schema_length=None)
    assert csv.columns == board.columns
    np.testing.assert_array_equal(csv["score"], board["score"])
    with sqlite3.connect(tmp_path / "run" / "journal.sqlite") as journal:
        found = dict(journal.execute("SELECT 'recipe ' || number, cost FROM recipes").fetchall())
        checks = journal.execute("SELECT count(*) FROM scores").fetchone()[0]
    journal.close()
    assert found == {row["name"]: row["score"] for row in recipes.to_dicts()}
    assert checks >= 3 * 3


def test_journal_is_written_whole_or_not_at_all(tmp_path):
    """A write that fails in its middle leaves the journal as it was, and the next one is complete."""
    row = {
        "number": 0,
        "wave": 0,
        "recipe": {"width": 3},
        "outcome": "racing",
        "cost": 1.5,
        "best_epoch": 1.0,
        "epochs": 2.0,
    }
    row |= {"seconds": 0.1, "parameters": 9, "remark": "", "seeds": 0, "again": None}
    with Journal(tmp_path / "journal.sqlite") as journal:
        with pytest.raises(sqlite3.Error):
            journal.write([row], [(0, 1.0, 2.0), (0, None, 1.0)])  # an epoch must be a number
        assert journal.recipes() == []
        journal.write([row], [(0, 1.0, 2.0)])
        journal.write([row | {"outcome": "finished"}], [(0, 1.0, 2.0), (0, 2.0, None)])
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.recipes() == [row | {"outcome": "finished"}]
    with sqlite3.connect(tmp_path / "journal.sqlite") as database:
        assert database.execute("SELECT * FROM scores ORDER BY epoch").fetchall() == [(0, 1.0, 2.0), (0, 2.0, None)]
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["journal.sqlite"]


def test_score_of_the_winner_is_its_models(large, entries):
    """With one fold, the winner's score and test score are those of the model's own predictions on those rows."""
    result = small(*large, **WIDE)
    prepared, (x, y) = entries[0].heat.prepared, large
    for rows, said in [(prepared.folds[0].choose, result.best.score), (prepared.split.test, result.best.test)]:
        rmse = ((result.single.predict(x[rows]) - y[rows]) ** 2).mean() ** 0.5
        np.testing.assert_allclose(rmse, said, rtol=1e-5)  # float32


def test_fit_is_the_race_of_one_recipe():
    """fit trains one recipe on all rows to its end; with validation rows it is the same training as a race's of that
    one recipe, and the best moment of it."""
    recipe = Recipe(**TINY, epochs=6, rule="adam", learning_rate=0.02)
    alone = fit(X, Y, recipe=recipe, seed=4)
    assert ((alone.predict(X) - Y) ** 2).mean() < Y.var()
    assert model_bits(fit(X, Y, recipe=recipe, seed=4)) == model_bits(alone)
    assert model_bits(fit(X, Y, recipe=recipe, seed=5)) != model_bits(alone)
    validation = (X[:40] + 0.1, Y[:40])
    restless = dataclasses.replace(recipe, learning_rate=1.5, schedule="constant", epochs=12)
    raced = race(X, Y, validation=validation, recipe=restless, seed=4)
    assert raced.about["recipes"] == 1
    assert raced.best.epoch < 12
    assert model_bits(fit(X, Y, validation=validation, recipe=restless, seed=4)) == model_bits(raced.single)


def test_fit_that_diverges_says_so():
    """A single training that diverges raises RaceFailed with the rate that was too large."""
    with pytest.raises(RaceFailed) as error:
        fit(X, Y, recipe=Recipe(**TINY, epochs=3, learning_rate=1e30, rule="sgd", schedule="constant"))
    assert str(error.value) == (
        "The training diverged: its weights or its scores left all bounds. Try a learning rate below 1e+30."
    )


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"recipes": 0}, "recipes must be a whole number of at least 1. Got 0."),
        ({"epochs": True}, "epochs must be a whole number of at least 1. Got True."),
        (
            {"epochs": None},
            "recipes and epochs go together: so many recipes for so many epochs each, none dropped.",
        ),
        ({"recipe": Recipe()}, "recipes must not be given beside recipe: just that one recipe is run."),
        ({"seconds": 0}, "seconds must be a positive number. Got 0."),
        ({"seconds": math.nan}, "seconds must be a positive number. Got nan."),
        ({"seed": -1}, "seed must be a whole number of at least 0. Got -1."),
        ({"seed": 1.5}, "seed must be a whole number of at least 0. Got 1.5."),
        ({"task": "both"}, "task must be one of auto, regression, classification. Got 'both'."),
        ({"x": X[:19], "y": Y[:19]}, "The table must be at least 20 rows long. Got 19. Bring more rows."),
        (
            {"fixed": {"batch_size": 100}},
            "batch_size must be at most the number of training rows, 76. Got 100.",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_bad_orders_are_one_sentence(tmp_path, asked, sentence):
    """What cannot be raced is refused in one sentence before anything is written."""
    with pytest.raises(SlalomError) as error:
        small(**asked, out=tmp_path / "run")
    assert str(error.value) == sentence
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("seed", [2**63, 2**70])
def test_large_seed_is_a_seed(seed):
    """A seed of any size works, and is another one than its neighbours."""
    one, other = small(seed=seed, recipes=1, epochs=1), small(seed=seed + 1, recipes=1, epochs=1)
    assert one.best.score != other.best.score


# --- the executor -----------------------------------------------------------------------------------------------------


def test_executor_runs_everything_once():
    """All tasks and those they answer with run once, the more urgent first; the first failure is raised."""
    done, lock = [], threading.Lock()

    def note(name, more=()):
        def work():
            with lock:
                done.append(name)
            return more

        return work

    tasks = [Task(3, note("late")), Task(-1, note("first", [Task(1, note("child"))])), Task(2, note("next"))]
    assert Threads(1).run(tasks, deadline=math.inf, tick=lambda: None)
    assert done == ["first", "child", "next", "late"]
    done.clear()
    assert Threads(4).run([Task(i, note(i)) for i in range(200)], deadline=math.inf, tick=lambda: None)
    assert sorted(done) == list(range(200))

    def fail():
        raise ZeroDivisionError("on purpose")

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        Threads(2).run([Task(0, fail), Task(1, note("x"))], deadline=math.inf, tick=lambda: None)


def test_executor_does_not_wait_beyond_its_deadline():
    """At the deadline the executor comes back and says that not all ended; nothing that waits is started."""
    gate, started = threading.Event(), []

    def stuck():
        started.append(1)
        gate.wait(20)

    began = time.perf_counter()
    assert not Threads(1).run([Task(0, stuck), Task(1, stuck)], deadline=began + 0.2, tick=lambda: None)
    assert time.perf_counter() - began < 2
    gate.set()
    time.sleep(0.1)
    assert started == [1]


def test_auc_needs_two_classes_to_choose_by():
    """Where the caller's validation rows are of one class there is no area: that is said before anything is trained."""
    y = np.arange(len(X)) % 2
    with pytest.raises(SlalomError, match="auc needs rows of two classes among those that recipes are chosen by"):
        race(X, y, validation=(X[:50], np.zeros(50, int)), metric="auc", recipes=1, epochs=1)


def test_a_race_leaves_nothing_behind(monkeypatch):
    """When a race has ended its tracks are gone, though a track and its keeper refer to each other, and their memory is
    handed back after that."""
    tracks, ran = [], Track.run
    left = []

    def run(track):
        tracks.append(weakref.ref(track))
        return ran(track)

    monkeypatch.setattr(Track, "run", run)
    monkeypatch.setattr(seats, "give_back", lambda: left.append(sum(track() is not None for track in tracks)))
    gc.disable()
    try:
        small()
    finally:
        gc.enable()
    assert tracks
    assert left[-1] == 0


def test_a_race_that_fails_hands_memory_back(monkeypatch):
    """Whatever ends a race, what it took goes back to the system."""
    calls = []

    def run(track):
        calls.clear()
        raise RaceFailed("on purpose")

    monkeypatch.setattr(Track, "run", run)
    monkeypatch.setattr(seats, "give_back", lambda: calls.append(1))
    with pytest.raises(RaceFailed, match="on purpose"):
        small()
    assert calls == [1]
