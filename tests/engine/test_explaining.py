"""Explaining a race: what is measured, on which rows and with which seeds, and that it goes on where it stopped."""

import dataclasses
import json
import math

import numpy as np
import pytest
from scipy import stats

from slalom import ablated, explained, explaining, reopened, start, study, weighed
from slalom.crew import Crew
from slalom.entry import FURTHER
from slalom.errors import SlalomError
from slalom.evidence import HELPS, LEVEL_WITH, NOT_COMPARED, NOT_MEASURED, UNSTABLE, Evidence
from slalom.explaining import explain
from slalom.folder import RunFolder
from slalom.intervals import clopper_pearson, difference, means_of, runs_of
from slalom.journal import Journal
from slalom.metrics import METRICS
from slalom.opened import evidence as known
from slalom.plan import halving
from slalom.racing import race
from slalom.recipe import Recipe
from slalom.weighed import Replicates

from .races import quickly

pytestmark = pytest.mark.long

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3)) * [1.0, 20.0, 0.05]
Y = X @ [1.0, -0.1, 10.0] + 0.1 * RNG.normal(size=400)
RECIPE = Recipe(depth=1, width=8, rule="adamw", learning_rate=0.02, weight_decay=0.01, batch_size=32, epochs=6)
SEEDS = {"GRID": range(21, 22), "FRESH": range(31, 34)}


@pytest.fixture
def few(monkeypatch):
    """Few seeds, programs that are compiled once, no baselines."""
    quickly(monkeypatch)
    for module, name in ((study, "GRID"), (explaining, "FRESH"), (weighed, "FRESH")):
        monkeypatch.setattr(module, name, SEEDS[name])
    monkeypatch.setattr(explaining, "FURTHER", range(11, 13))


@pytest.fixture
def raced(few, tmp_path):
    """The folder of a race of one recipe."""
    race(X, Y, recipe=RECIPE, out=tmp_path / "run")
    return tmp_path / "run"


def studies(folder):
    """What the journal keeps."""
    with Journal(folder / "journal.sqlite", read_only=True) as journal:
        return journal.studies()


def test_every_part_is_measured_with_new_seeds(raced):
    """The winner and each recipe without one of its parts have a grid and runs at its best rate; what is said comes
    from the predictions that the journal keeps, by the formula."""
    found = explain(raced, X, Y)
    assert [worth.part for worth in found.worths] == [
        "scaling", "update rule", "schedule", "weight decay", "batch size",
    ]  # fmt: skip
    kept = studies(raced)
    assert set(kept) == {"winner", "columns", *(f"scaling {name}" for name in explaining.SCALINGS)} | {
        f"{kind} {name}"
        for kind in ("grid", "runs")
        for name in ("winner", "scaling", "rule", "schedule", "weight_decay", "batch_size")
    }
    for name in ("winner", "scaling"):
        tried = kept[f"grid {name}"][0]["costs"]
        costs = {rate: cost for rate, cost in tried if cost is not None}  # without those that diverged
        assert len(tried) >= 7
        assert kept[f"runs {name}"][0]["rate"] == min(costs, key=costs.get)
    scaling = found.worths[0]
    own, theirs = (runs_in(kept[f"runs {name}"]) for name in ("winner", "scaling"))
    y = labels(raced)
    means = means_of(METRICS["rmse"])
    by_hand = difference(runs_of(means, y, list(theirs)), runs_of(means, y, list(own)))
    assert (scaling.worth, scaling.low, scaling.high) == pytest.approx(by_hand[:3], rel=1e-6)
    assert scaling.verdict == HELPS
    assert scaling.worth > 0.05
    assert len(found.standing and own) == 3
    assert found.standing.seeds == 2
    assert found.standing.low < found.standing.score < found.standing.high


def about_of(folder, name):
    """What the journal has of a study."""
    return studies(folder)[name][0]


def runs_in(kept):
    """The predictions of a study."""
    about, blob = kept
    return np.frombuffer(blob, "<f4").reshape(about["shape"]).astype(float)


def labels(folder):
    """The labels of the evidence rows, as the race dealt them."""
    from slalom.data import split

    return Y[np.concatenate(split(len(Y), seed=0).evidence)]


def test_runs_predict_rows_that_no_racer_saw(raced, monkeypatch):
    """The racers of a study train on the training rows of their folds, are scored on the choosing rows and predict the
    evidence rows; no seed of the race and none of another study is among them."""
    seen, advance = [], Crew.advance

    def spy(crew, *args):
        seen.extend((racer.fold, racer.replicate, crew.heat) for racer in crew.racers)
        return advance(crew, *args)

    monkeypatch.setattr(Crew, "advance", spy)
    explain(raced, X, Y)
    assert {replicate for _, replicate, _ in seen} == {*range(11, 13), *SEEDS["GRID"], *SEEDS["FRESH"]}
    assert {fold for fold, _, _ in seen} == set(range(5))
    for fold in seen[0][2].prepared.folds:
        assert not {*fold.train, *fold.choose} & {*fold.evidence}
    assert not {*FURTHER} & {*weighed.GRID, *weighed.FRESH, *range(6)}


def test_it_goes_on_where_it_stopped(raced, monkeypatch):
    """A call that was cut off keeps what it had; the next one measures the rest, and all is as if it had been one."""
    whole = explain(raced, X, Y)
    before = studies(raced)
    with Journal(raced / "journal.sqlite") as journal:
        journal.forget_studies("")
    replicates, calls = study.Study.replicates, []

    def cut_off(self, recipe, seeds):
        calls.append(recipe)
        return replicates(self, recipe, seeds) if len(calls) == 1 else None

    monkeypatch.setattr(study.Study, "replicates", cut_off)
    part = explain(raced, X, Y)
    assert [worth.verdict == NOT_MEASURED for worth in part.worths] == [True] * 5
    assert part.missing[:5] == [worth.part for worth in whole.worths]
    assert whole.missing == []
    assert "not measured" in " ".join(explained.sentences(part)).lower()
    monkeypatch.setattr(study.Study, "replicates", replicates)
    rest = explain(raced, X, Y)
    assert rest.worths == whole.worths
    assert rest.standing == whole.standing
    assert studies(raced).keys() == before.keys()
    assert all(studies(raced)[name] == before[name] for name in before)
    assert known(raced) == rest
    assert json.loads((raced / "report.json").read_text())["evidence"]["worths"][0]["part"] == "scaling"


def test_a_grid_goes_on_rate_by_rate(raced, monkeypatch):
    """Where there is time for a part of a grid its rates are kept, what the least step needs is told, and the next call
    trains the others alone."""
    trained, calls = study.Study._trained, []

    def short(self, recipes, seeds, numbers=None):
        if len(recipes) > 2 or len(calls) == 2:
            self.needed = self.needed or float(len(recipes))
            return None
        calls.append([recipe.learning_rate for recipe in recipes])
        return trained(self, recipes, seeds, numbers)

    def spied(self, recipes, seeds, numbers=None):
        calls.append([recipe.learning_rate for recipe in recipes])
        return trained(self, recipes, seeds, numbers)

    monkeypatch.setattr(study.Study, "_trained", short)
    found = explain(raced, X, Y)
    assert set(studies(raced)) == {"winner", "begun grid winner"}
    assert 1.0 <= found.needed < 5.0  # and what the call itself took
    assert "scaling" in found.missing
    first = set(calls[1])
    assert len(first) == 2
    del calls[:]
    monkeypatch.setattr(study.Study, "_trained", spied)
    whole = explain(raced, X, Y)
    assert not whole.missing
    assert len(calls[0]) == 5
    assert not first & set(calls[0])
    kept = studies(raced)
    assert first < {rate for rate, _ in kept["grid winner"][0]["costs"]}


def test_no_time_measures_nothing_and_says_so(raced):
    """With next to no seconds nothing is measured, and the sentences name the parts and the command."""
    found = explain(raced, X, Y, seconds=0.01)
    assert {worth.verdict for worth in found.worths} == {NOT_MEASURED}
    assert found.standing is None
    assert studies(raced) == {}
    said = explained.sentences(found, "slalom", "runs/x")
    assert "Not measured: scaling, update rule" in said[-1]
    assert said[-1].endswith("goes on where this stopped.")
    later = explained.sentences(dataclasses.replace(found, needed=12.3))[-1]
    assert later.endswith("goes on where this stopped; the next step of it takes about 13 s.")
    assert "slalom explain runs/x --seconds" in said[-1]
    assert found.left == ("further seeds", "shuffled columns", "curvature")  # of one recipe nothing was dropped


def test_dropped_recipes_are_finished(few, tmp_path, monkeypatch):
    """Of what a rung dropped some are trained to their end with the seed that they had, and counted beside the winner's
    mean."""
    monkeypatch.setattr(reopened, "DRAWN", 3)
    monkeypatch.setattr(start.planning, "flat", halving)  # a race that counts recipes then drops some, by no clock
    folder = tmp_path / "run"
    fixed = {"depth": 1, "width": 4, "rule": "adam", "batch_size": 64}
    race(X, Y, recipes=12, epochs=9, seed=1, fixed=fixed, out=folder)
    found = explain(folder, X, Y)
    assert [(one.rung, one.dropped) for one in found.droppings] == [(1, 8)]
    for one in found.droppings:
        assert one.drawn == min(3, one.dropped)
        costs = about_of(folder, f"dropped {one.rung}")["costs"]
        mean = np.mean(about_of(folder, "winner")["costs"])
        assert one.better == sum(cost < mean for cost in costs)
        assert one.most == clopper_pearson(one.better, one.drawn)[1]
    with Journal(folder / "journal.sqlite", read_only=True) as journal:
        scores, about = journal.scores(), journal.studies()["dropped 1"][0]
    for number, cost in zip(about["numbers"], about["costs"], strict=True):
        early = min(c for c in scores[number].values() if c is not None)
        assert cost <= early * (1 + 1e-3)  # it went on from where it was dropped, or from the same start


def test_other_rows_are_refused(raced, tmp_path):
    """Only the race's own rows are taken, and what is lacking is named."""
    with pytest.raises(SlalomError, match="must be the same"):
        explain(raced, X + 1, Y)
    with pytest.raises(SlalomError, match="X, y must be given"):
        explain(raced)
    with pytest.raises(SlalomError, match="must be the folder of a race"):
        explain(tmp_path)
    with pytest.raises(SlalomError, match="seconds must be a positive number"):
        explain(raced, X, Y, seconds=0)


def test_a_metric_of_the_callers_own_is_asked_for(few, tmp_path):
    """A function that chose the winner cannot be read back: it is given again."""

    def spread(y, prediction):
        return -float(np.ptp(prediction - y))

    race(X, Y, recipe=RECIPE, metric=spread, out=tmp_path / "run")
    with pytest.raises(SlalomError, match="was chosen by a function, spread"):
        explain(tmp_path / "run", X, Y)
    found = explain(tmp_path / "run", X, Y, metric=spread, seconds=60)
    assert found.metric == "spread"
    schedule = next(worth for worth in found.worths if worth.part == "schedule")
    assert schedule.low < schedule.worth < schedule.high  # by a bootstrap of seeds and rows


def test_without_rates_that_train_a_part_is_needed():
    """A recipe that diverges at every rate, or in some of its runs, has no difference: the part is needed."""
    part = ablated.parts(RECIPE, classes=False, rows=100)[0]
    runs = Replicates([1.0] * 10, RNG.normal(size=(10, 50)), 0)
    grid = {"winner": ablated.Grid({0.1: 1.0}), part.field: ablated.Grid({0.1: math.inf})}
    both = {"winner": runs, part.field: Replicates([], np.zeros(0), 10)}
    gone = weighed.worths([part], grid, both, RNG.normal(size=50), METRICS["rmse"], 0.1)[0]
    assert gone.verdict == UNSTABLE
    assert "every training at every learning rate diverged" in explained.worth(gone, "rmse")
    for k, verdict in ((2, NOT_COMPARED), (6, UNSTABLE)):  # of 10; two of twenty may be chance
        grid[part.field] = ablated.Grid({0.1: 1.0})
        some = both | {part.field: Replicates([1.0] * (10 - k), RNG.normal(size=(10 - k, 50)), k)}
        one = weighed.worths([part], grid, some, RNG.normal(size=50), METRICS["rmse"], 0.1)[0]
        assert (one.verdict, one.diverged) == (verdict, k)
        own = some | {"winner": Replicates([1.0] * 9, RNG.normal(size=(9, 50)), 1)}
        one = weighed.worths([part], grid, own, RNG.normal(size=50), METRICS["rmse"], 0.1)[0]
        assert one.verdict == NOT_COMPARED
    exact = stats.fisher_exact([[6, 4], [0, 10]]).pvalue
    assert weighed._unstable(Replicates([1.0] * 4, np.zeros(0), 6), runs) == pytest.approx(exact, rel=1e-9)


def test_equal_runs_are_no_difference():
    """A part whose absence changes nothing has no difference seen, and the sentence says what would go unseen."""
    part = ablated.parts(RECIPE, classes=False, rows=100)[0]
    y = RNG.normal(size=200)
    runs = {
        name: Replicates([1.0] * 10, y + RNG.normal(size=(10, 200)), 0) for name in ("winner", part.field)
    }  # fmt: skip
    worth = weighed.worths([part], {}, runs, y, METRICS["rmse"], 0.1)[0]
    assert worth.verdict == LEVEL_WITH
    assert worth.low < 0 < worth.high
    assert worth.unseen > 0
    said = explained.worth(worth, "rmse")
    assert "no difference seen" in said
    assert "would often go unseen" in said


def test_evidence_comes_back_from_plain_data(raced):
    """What is written as JSON is read as the same evidence."""
    found = explain(raced, X, Y)
    plain = json.loads(json.dumps(found.plain()))
    assert json.loads(json.dumps(Evidence.of(plain).plain())) == plain


def test_curvature_is_told_under_each_scaling(raced):
    """Columns of very different size are ill-conditioned as they are and well-conditioned as z-scores; the loss is the
    sharper for it, and trained the later."""
    found = {one["scaling"]: one for one in explain(raced, X, Y).scalings}
    assert set(found) == set(explaining.SCALINGS)
    assert found["none"]["condition"] > 1000 > 10 > found["z_score"]["condition"]
    assert found["none"]["sharpness"] > 100 * found["z_score"]["sharpness"]
    assert found["z_score"]["epochs"] is not None
    assert found["none"]["epochs"] is None or found["none"]["epochs"] >= found["z_score"]["epochs"]


def test_columns_that_matter_cost_most_when_they_are_shuffled(raced):
    """A shuffled column costs about what the target owes to it: each of the three its own share."""
    found = {one["column"]: one["worth"] for one in explain(raced, X, Y).columns}
    assert set(found) == {"0", "1", "2"}
    share = dict(zip("012", np.abs([1.0, -0.1, 10.0]) * X.std(0), strict=True))
    assert sorted(found, key=found.get) == sorted(share, key=share.get)
    assert min(found.values()) > 0.1


def test_validation_rows_are_given_again(few, tmp_path):
    """Where the caller held rows out there is one fold, and 30 % of those are evidence; without them the rows are not
    the same."""
    folder, held = tmp_path / "run", slice(300, 400)
    race(X[:300], Y[:300], validation=(X[held], Y[held]), recipe=RECIPE, out=folder)
    with pytest.raises(SlalomError, match="must be the same"):
        explain(folder, X[:300], Y[:300])
    with pytest.raises(SlalomError, match="X, y and validation must be given"):
        explain(folder)
    found = explain(folder, X[:300], Y[:300], validation=(X[held], Y[held]))
    assert found.standing.rows == 30
    assert found.intervals["folds"] == 1
    assert found.missing == []


@pytest.mark.parametrize("metric", ["log_loss", "accuracy", "auc"])
def test_winners_of_classes_are_explained(few, tmp_path, metric):
    """Worths have the sign of the metric: what helps is above 0, whether more or less is better."""
    target = np.where(Y > 0, "up", "down")
    race(X, target, recipe=RECIPE, metric=metric, out=tmp_path / "run")
    found = explain(tmp_path / "run", X, target)
    scaling = found.worths[0]
    assert scaling.part == "scaling"
    assert scaling.worth is None or scaling.worth > 0
    runs = {name: weighed.read_back(*studies(tmp_path / "run")[f"runs {name}"]) for name in ("winner", "schedule")}
    y = (target == "up")[evidence_rows(target)].astype(float)
    cost = weighed.cost_of(METRICS[metric])
    means = [np.mean([cost(y, p) for p in one.predictions]) for one in (runs["schedule"], runs["winner"])]
    schedule = next(worth for worth in found.worths if worth.part == "schedule")
    assert schedule.worth == pytest.approx(means[0] - means[1], rel=1e-6)
    assert found.greater == METRICS[metric].greater


def evidence_rows(target):
    """The evidence rows of a race of classes with seed 0."""
    from slalom.data import split

    codes = np.unique(target, return_inverse=True)[1]
    return np.concatenate(split(len(target), codes, seed=0).evidence)


def test_a_continued_race_has_no_stale_evidence(few, tmp_path):
    """Where another recipe wins, what was known of the winner before is gone; where it stays, all but the dropped
    recipes is as it was."""
    folder = tmp_path / "run"
    weak = RECIPE.with_fields({"learning_rate": 1e-5})
    race(X, Y, recipe=weak, out=folder)
    before = explain(folder, X, Y)
    assert before.missing == []
    result = race(X, Y, recipe=RECIPE, extend=folder)
    assert result.best.name == "recipe 1"
    assert {worth.verdict for worth in result.evidence.worths} == {NOT_MEASURED}
    assert known(folder).standing is None
    assert studies(folder) == {}
    after = explain(folder, X, Y)
    again = race(X, Y, recipe=weak.with_fields({"learning_rate": 2e-5}), extend=folder)
    assert again.best.name == "recipe 1"
    assert again.evidence.worths == after.worths
    assert again.best.corrected == result.best.corrected
    assert explain(folder, X, Y).worths == after.worths


def test_another_metric_than_the_races_is_refused(raced):
    """Grids in the journal are of one metric."""
    with pytest.raises(SlalomError, match=r"metric must be that of the race in .*, rmse\. Got mae"):
        explain(raced, X, Y, metric="mae")


def test_damaged_evidence_is_written_anew(raced):
    """A file that cannot be read is one sentence to who asks for it, and no hindrance to who measures."""
    (raced / "evidence.json").write_text("{")
    with pytest.raises(SlalomError, match=r"evidence\.json is damaged"):
        known(raced)
    assert explain(raced, X, Y, seconds=0.01).worths
    assert known(raced)


@pytest.mark.parametrize("source", ["no/such.csv", "a" * 5000])
def test_a_table_that_is_not_there_is_asked_for(source):
    """Where the file of a race is not at its path, or can be at none, a sentence says how to name another."""
    data = {"source": source, "target": "price"}
    with pytest.raises(
        SlalomError, match=r"There is no file at this path from here: say where it is, as in slalom report"
    ):
        reopened.rows_of(RunFolder("run"), data, None, None, None, {}, door="report_on")
