"""The refit: which rows the winner is trained on once more, for how long, and that no score knows of it."""

import importlib
import time

import numpy as np
import pytest

from slalom import combined, statistics
from slalom import prepare as prepare_room
from slalom.crew import Crew
from slalom.errors import SlalomError
from slalom.opened import load
from slalom.racer import Moment
from slalom.racing import preview, race
from slalom.recipe import Recipe
from slalom.refitting import NO_TIME, NOTHING, median_epoch
from slalom.start import end_of
from slalom.verdict import verdict

from .heats import heat_of, racer
from .races import NoBaselines, compared, quickly, racing, seen_by
from .test_ensemble import LARGE, LARGE_Y, X, Y

entry_room = importlib.import_module("slalom.entry")
ROWS = len(LARGE)
FIXED = {"depth": 1, "width": 8, "batch_size": 512, "rule": "adam", "learning_rate": 0.02, "scaling": "z_score"} | {
    "embedding": "none", "learned_scale": "none", "block": "plain", "activation": "relu", "normalisation": "none",
}  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Programs are shared, baselines are left out."""
    quickly(monkeypatch)


@pytest.fixture
def entries(monkeypatch):
    """The entries of the last race, the best first."""
    return seen_by(monkeypatch)


def large(refit, x=LARGE, y=LARGE_Y, **asked):
    """A race with one fold."""
    fixed = FIXED | {"target_scaling": "z_score"} | asked.pop("fixed", {})
    return race(x, y, **{"recipes": 2, "epochs": 4, "seed": 0} | asked, fixed=fixed, refit=refit)


def bits(model):
    return [array.tobytes() for layer in model.weights for array in layer.values()]


@pytest.mark.parametrize("refit", [True, "all"])
def test_refit_is_on_all_rows_that_it_says(entries, refit):
    """The refitted model's scaler and unit are fitted to all rows that are not test rows (all: to these, too), it is
    trained for the best epoch on so many rows, and it is the race's model; all scores are as without a refit."""
    plain, result = large(False), large(refit)
    test = entries[0].heat.prepared.split.test
    rows = np.arange(ROWS) if refit == "all" else np.setdiff1d(np.arange(ROWS), test)
    np.testing.assert_allclose(result.model.scaler.mean, LARGE[rows].mean(0), rtol=1e-9)
    np.testing.assert_allclose(result.model.unit.scaler.mean, LARGE_Y[rows].mean(), rtol=1e-9)
    assert result.about["refit"] == {"rows": len(rows), "epochs": plain.best.epoch}
    steps = round(plain.best.epoch * (len(rows) // 512))
    assert result.about["racer_steps"] == plain.about["racer_steps"] + steps
    assert result.model is result.single
    assert bits(result.single) != bits(plain.single)
    assert (result.best, result.tests) == (plain.best, plain.tests)
    assert result.leaderboard.drop("seconds").equals(plain.leaderboard.drop("seconds"), null_equal=True)
    assert (result.gain.score, result.gain.recipes) == (plain.gain.score, plain.gain.recipes)
    np.testing.assert_array_equal(result.ensemble.predict(LARGE), plain.ensemble.predict(LARGE))
    (note,) = [note for note in result.notes if "once more" in note]
    assert f"all {len(rows):,} rows" in note
    assert "all scores are of the model before that" in note
    assert ("the test rows too" in note) is (refit == "all")
    assert ((result.model.predict(LARGE) - LARGE_Y) ** 2).mean() < 0.7 * LARGE_Y.var()


@pytest.mark.parametrize("refit", [True, "all"])
@pytest.mark.parametrize("kind", ["choose", "evidence", "test"])
def test_rows_that_were_held_out_train_the_refit(entries, refit, kind):
    """Other labels in one choosing or evidence row change the refitted model; in test rows only where all is asked
    for."""
    first = large(refit, fixed={"target_scaling": "none"})
    prepared = entries[0].heat.prepared
    rows = prepared.split.test if kind == "test" else getattr(prepared.folds[0], kind)
    y = LARGE_Y.copy()
    y[rows[:2]] += 0.25
    other = large(refit, y=y, fixed={"target_scaling": "none"})
    if other.best.name == first.best.name and other.best.epoch == first.best.epoch:
        assert (bits(other.model) == bits(first.model)) is (kind == "test" and refit is True)
    else:
        assert kind == "choose"


def test_given_validation_rows_train_the_refit(entries):
    """With validation rows of the caller a refit is on all rows: X and the validation rows."""
    result = large(True, LARGE[:5000], LARGE_Y[:5000], validation=(LARGE[5000:], LARGE_Y[5000:]))
    np.testing.assert_allclose(result.model.scaler.mean, LARGE.mean(0), rtol=1e-9)
    assert result.about["refit"]["rows"] == ROWS
    assert result.best.test is None


def test_cross_fitted_folds_leave_the_test_rows(entries):
    """Where folds are cross-fitted the model is trained on all rows but the test rows in any case: a refit is the same
    model and says so; one on all rows is for the median epoch of the folds."""
    fixed = FIXED | {"batch_size": 16}
    plain, same, everything = (
        race(X, Y, recipes=2, epochs=6, seed=1, fixed=fixed, refit=r) for r in (False, True, "all")
    )
    assert bits(same.single) == bits(plain.single)
    assert NOTHING in same.notes
    assert same.about["refit"] is None
    steps = [one.best.step / one_epoch(entries[0]) for one in entries[0].racers]
    assert everything.about["refit"] == {"rows": len(X), "epochs": np.median(steps)}
    np.testing.assert_allclose(everything.model.scaler.mean, X.mean(0), rtol=1e-9)
    assert everything.best == plain.best


def one_epoch(entry):
    return entry.heat.steps_per_epoch(0)


def test_median_epoch_is_of_all_racers():
    """The epochs of a refit are the median of those at which the racers of a recipe were best, whatever fold or seed
    they are of."""
    heat = heat_of("regression")
    racers = [racer() for _ in range(3)]
    for one, epoch in zip(racers, (2, 19, 3), strict=True):
        one.best = Moment(1.0, epoch * heat.steps_per_epoch(0), (), ())
    entry = entry_room.Entry(0, racers[0].recipe, heat, racers)
    assert median_epoch(entry) == 3


def test_a_plateau_falls_where_it_fell(entries, monkeypatch):
    """A plateau has no rows to watch in a refit: its rate falls at the epochs at which it fell in the race."""
    seen, advance = [], Crew.advance
    monkeypatch.setattr(Crew, "advance", lambda self, *given: seen.append(self.racers[0]) or advance(self, *given))
    schedule = {"schedule": "plateau", "schedule.patience": 1, "learning_rate": 0.5, "schedule.threshold": 0.5}
    result = large(True, recipes=1, epochs=12, fixed=schedule)
    raced, again = entries[0].racers[0], next(one for one in seen if one.fold == 1)
    before, after = (entries[0].heat.steps_per_epoch(fold) for fold in (0, 1))
    assert len(raced.falls) > 1
    assert after > before
    epochs = lambda falls, per: [(step / per, factor) for step, factor in falls]  # noqa: E731
    np.testing.assert_allclose(epochs(again.falls, after), epochs(raced.falls, before))
    assert result.about["refit"]["epochs"] == result.best.epoch


def test_no_time_leaves_the_model_before(entries, monkeypatch, tmp_path):
    """Where the refit is halted, or diverges, the model is the one before it, on disk too, and a note says so."""
    plain = large(False)
    advance = Crew.advance

    def spoilt(self, *given):
        made = advance(self, *given)
        if self.racers[0].fold == 1:
            self.racers[0].state.weights[0]["b"][0] = np.nan
        return made

    monkeypatch.setattr(Crew, "advance", spoilt)
    result = large(True, out=tmp_path / "run")
    assert NO_TIME in result.notes
    assert result.about["refit"] is None
    assert bits(result.single) == bits(plain.single)
    assert result.gain.used == plain.gain.used
    np.testing.assert_array_equal(load(tmp_path / "run").predict(LARGE), result.model.predict(LARGE))


def test_refitted_model_is_in_the_folder(monkeypatch, tmp_path):
    """What predicts from the folder is the refitted network, also where the ensemble gains; the sentences say so."""
    monkeypatch.setattr(combined, "difference", lambda *given: statistics.Difference(0.2, 0.1, 0.3))
    result = large(True, out=tmp_path / "run", recipes=6, epochs=3, seed=4, fixed={"schedule": "constant"})
    np.testing.assert_array_equal(load(tmp_path / "run").predict(LARGE), result.model.predict(LARGE))
    assert (result.gain.low, result.gain.used, result.model) == (0.1, False, result.single)
    assert len(result.gain.recipes) > 1
    assert "winner's, which was refitted" in " ".join(verdict(result))


def test_baselines_never_see_test_rows(monkeypatch, entries):
    """Also where a refit is on the test rows, no baseline is fitted to them: their folds are those of any race."""
    seen = []

    class Seen(NoBaselines):
        def __init__(self, numbers, labels, folds, wanted, *_):
            seen.append((folds, wanted))

    monkeypatch.setattr(compared, "Baselines", Seen)
    for refit in (False, "all"):
        large(refit)
    for plain, other in zip(*seen, strict=True):
        assert [rows.tolist() for rows in plain] == [rows.tolist() for rows in other]
    test = entries[0].heat.prepared.split.test
    assert not np.isin(test, seen[1][0][-1]).any()
    assert np.isin(test, seen[1][1][-1]).all()


def test_time_for_a_refit_is_set_aside(monkeypatch):
    """A race of some seconds ends its racers earlier where a refit is asked for."""
    ends, moment = [], time.perf_counter()

    def spy(*given):
        ends.append(end_of(*given) - given[-1])
        return ends[-1]

    monkeypatch.setattr(racing, "end_of", spy)
    for refit in (False, True):
        preview(LARGE, LARGE_Y, seconds=60, refit=refit, began=moment, fixed=FIXED)
    assert ends[1] < ends[0] < 60


def test_bad_refit_is_one_sentence():
    """Another word than all is refused."""
    with pytest.raises(SlalomError) as error:
        large("everything")
    assert str(error.value) == "refit must be True, False or 'all'. Got 'everything'."


def test_nothing_more_is_stored_unless_asked():
    """Only a race with a refit has the memory of another fold."""
    sizes = [len(preparation(refit).all_folds) for refit in (False, True, "all")]
    assert sizes == [1, 2, 2]


def preparation(refit):
    """The data of a race of one recipe."""
    made, prepare = [], prepare_room.prepare
    start = importlib.import_module("slalom.start")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "prepare", lambda *given, **named: made.append(prepare(*given, **named)) or made[-1])
        preview(LARGE, LARGE_Y, recipe=Recipe(depth=0, epochs=1), refit=refit)
    return made[0]
