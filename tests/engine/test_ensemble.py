"""The ensemble: how its members are chosen, what it gains and how surely, its folder, and its place in a race."""

import json
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from slalom import combined, statistics
from slalom.calibration import Calibration, tempered
from slalom.ensemble import Ensemble, predicts
from slalom.entry import CONTENDERS, OF_EACH, Entry, contenders
from slalom.errors import SlalomError
from slalom.fitting import fit
from slalom.folder import RunFolder
from slalom.metrics import METRICS, Metric
from slalom.model import Model
from slalom.opened import load
from slalom.racer import Moment
from slalom.racing import race
from slalom.recipe import Recipe
from slalom.selection import affordable, greedy
from slalom.verdict import verdict

from .heats import heat_of, racer
from .races import by_number, quickly, seen_by

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 3))
Y = X[:, 0] * X[:, 1] - 2 * X[:, 2] + 0.3 * RNG.normal(size=160)
KINDS = np.array(["low", "middle", "high"])[np.searchsorted([-1, 1], Y)]
LARGE = np.random.default_rng(3).normal(size=(5_200, 2))
LARGE_Y = LARGE[:, 0] - LARGE[:, 1] ** 2 + 0.3 * np.random.default_rng(4).normal(size=5_200)
WIDE = {"fixed": {"batch_size": 512}, "recipes": 6, "epochs": 3}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Programs are shared, baselines are left out."""
    quickly(monkeypatch)


@pytest.fixture
def entries(monkeypatch):
    """The entries of the last race, in the order of their numbers."""
    return seen_by(monkeypatch, by_number)


def small(x=X, y=Y, **asked):
    """A race of a few recipes for a few epochs, whose best differ little: then a mean of some is better than one."""
    fixed = {"depth": 1, "width": 8, "batch_size": 16, "rule": "adam", "learning_rate": 0.02, "schedule": "constant"}
    fixed |= asked.pop("fixed", {})
    return race(x, y, **{"recipes": 6, "epochs": 6, "seed": 1} | asked, fixed=fixed)


# --- the choice -------------------------------------------------------------------------------------------------------


def squares(y):
    return lambda parts: float(np.mean([np.mean((part - own) ** 2) for part, own in zip(parts, y, strict=True)]))


@pytest.mark.parametrize("seed", range(4))
def test_each_round_adds_the_best_and_the_best_prefix_stays(seed):
    """Greedy choice is what its sentences say: from the first candidate on, each round adds the one with which the mean
    is best, chosen anew or again, and the round with the least cost is the answer. The oracle tries all by hand."""
    rng = np.random.default_rng(seed)
    y = [rng.normal(size=7), rng.normal(size=5)]
    candidates = [[part + rng.normal(scale=1 + j / 4, size=len(part)) for part in y] for j in range(6)]
    mean = lambda chosen: [np.mean([candidates[j][f] for j in chosen], axis=0) for f in range(2)]  # noqa: E731
    chosen, costs = [0], [squares(y)(candidates[0])]
    for _ in range(11):
        tried = [squares(y)(mean([*chosen, j])) for j in range(6)]
        chosen.append(int(np.argmin(tried)))
        costs.append(min(tried))
    kept = chosen[: int(np.argmin(costs)) + 1]
    found = greedy(candidates, squares(y), rounds=12)
    assert found.counts == tuple(kept.count(j) for j in range(6))
    assert found.cost == pytest.approx(min(costs), rel=1e-12)
    assert 1 < len(kept) < 12
    assert found.cost < costs[0]


def test_of_equals_the_first_and_the_fewest():
    """Candidates that predict the same gain nothing: the first stays alone."""
    one = [np.array([1.0, 2.0])]
    assert greedy([one, one, one], squares([np.zeros(2)])).counts == (1, 0, 0)


def test_what_is_not_allowed_or_late_is_not_chosen():
    """A candidate that there is no room for stays out, one that is in may be chosen again; time that is up ends it."""
    y = [np.zeros(3)]
    candidates = [[np.full(3, 1.0)], [np.full(3, -1.0)], [np.full(3, -3.0)]]
    assert greedy(candidates, squares(y)).counts == (1, 1, 0)
    assert greedy(candidates, squares(y), allowed=lambda counts, new: new != 1).counts == (3, 0, 1)
    assert greedy(candidates, squares(y), late=lambda: True).counts == (1, 0, 0)


@pytest.mark.parametrize("evaluations", [10, 60, 149, 150, 700, 1e6])
def test_a_slow_metric_has_fewer_candidates_then_fewer_rounds(evaluations):
    """Candidates times rounds stay within the evaluations that are affordable, down to five and two of them."""
    candidates, rounds = affordable(evaluations)
    assert candidates >= 5
    assert 2 <= rounds <= 30
    assert candidates * rounds <= max(evaluations, 10)
    assert rounds == 30 or candidates == 5


def scored_entries(heat, costs):
    made = []
    for number, cost in costs:
        one = racer(number=number)
        one.costs, one.best = {5: cost}, Moment(cost, 5, (), ())
        made.append(Entry(number, one.recipe, heat, [one]))
    return sorted(made, key=lambda entry: entry.best[0])


def test_contenders_are_the_best_and_the_best_of_each_structure():
    """Members may be the 40 best recipes and the three best of each structure, of those whose weights are kept."""
    one, other = heat_of("regression", width=8), heat_of("regression", width=16)
    ranked = scored_entries(one, [(i, float(i)) for i in range(50)])
    ranked += scored_entries(other, [(100 + i, 100.0 + i) for i in range(9)])
    numbers = [entry.number for entry in contenders(ranked)]
    assert numbers == [*range(CONTENDERS), *range(100, 100 + OF_EACH)]
    ranked[3].racers[0].best = None
    ranked[5].racers[0].costs = {5: math.inf}
    assert [entry.number for entry in contenders(ranked)][:5] == [0, 1, 2, 4, 6]


# --- the interval -----------------------------------------------------------------------------------------------------


def predictions_of(task, n=90, seed=5):
    """Labels and two predictions: for a regression, two classes or three of which the last is rare."""
    rng = np.random.default_rng(seed)
    if task == "regression":
        y = 50 + rng.normal(size=n)
        return y, y + rng.normal(size=n), y + 0.6 * rng.normal(size=n)
    classes = 2 if task == "binary" else 3
    y = np.minimum(rng.integers(0, 5, n), classes - 1) if classes == 2 else rng.choice(3, n, p=[0.5, 0.4, 0.1])
    logits = [rng.normal(size=(n, classes)) + s * np.eye(classes)[y] for s in (0.5, 1.5)]
    first, second = (np.exp(z) / np.exp(z).sum(1, keepdims=True) for z in logits)
    second = second.round(1)  # equal scores count in an area
    return y.astype(float), first, second / second.sum(1, keepdims=True)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("task", ["regression", "binary", "three"])
def test_costs_out_of_means_are_the_metrics(task):
    """Every cost that is a function of row means, and the area under the curve, is the metric's own, on all rows and on
    rows of a sample in which a class is missing."""
    y, first, second = predictions_of(task)
    quick_ones = {*statistics.MEANS, "auc"}
    names = [name for name in quick_ones if (METRICS[name].task == "regression") == (task == "regression")]
    for name in names:
        for prediction in (first, second):
            quick, own = combined.cost_of(METRICS[name]), METRICS[name].cost
            assert quick != own
            assert quick(y, prediction) == pytest.approx(own(y, prediction), rel=1e-12)
            if task != "regression":
                rows = np.flatnonzero(y != y.max())
                assert quick(y[rows], prediction[rows]) == pytest.approx(own(y[rows], prediction[rows]), rel=1e-12)
    if task == "three":
        oracle = roc_auc_score(y, second, multi_class="ovr")
        assert statistics.area(y, second) == pytest.approx(-oracle, rel=1e-12)


def test_a_callable_named_as_a_metric_is_no_metric():
    """A function of the caller's is scored by itself, whatever its name."""
    own = Metric("rmse", lambda y, p: 7.0, False, "regression")
    assert combined.cost_of(own)(np.zeros(3), np.zeros(3)) == 7.0
    assert combined.difference(own, np.zeros(40), np.zeros(40), np.ones(40), 0) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", ["rmse", "r2", "log_loss", "accuracy", "balanced_accuracy", "f1", "auc"])
def test_interval_is_scipys(name):
    """The difference is that of the metric's costs, and the ends of its interval those of SciPy's paired bootstrap on
    the metric itself, to within what the draws leave open."""
    metric = METRICS[name]
    y, first, second = predictions_of("regression" if metric.task == "regression" else "binary", n=80)
    found = combined.difference(metric, y, first, second, seed=0)
    gap = lambda rows: metric.cost(y[rows], first[rows]) - metric.cost(y[rows], second[rows])  # noqa: E731
    assert found.value == pytest.approx(gap(np.arange(80)), rel=1e-12)
    oracle = stats.bootstrap(
        (np.arange(80),), gap, vectorized=False, n_resamples=400, method="percentile", rng=np.random.default_rng(1)
    )
    spread = oracle.standard_error
    np.testing.assert_allclose([found.low, found.high], oracle.confidence_interval, atol=0.35 * spread)
    assert found.high - found.low > 3 * spread


@pytest.mark.parametrize("kind", ["percentile", "normal"])
def test_intervals_cover_what_they_say(kind):
    """Over 300 samples of 80 rows the 95 % interval holds the true difference of two RMSEs in 91 to 98 %."""
    rng, truth = np.random.default_rng(7), math.sqrt(1.25) - 1.0
    covered = 0
    for seed in range(300):
        shared = rng.normal(size=80)
        a, b = shared + 0.5 * rng.normal(size=80), shared
        if kind == "percentile":
            found = statistics.paired_bootstrap(
                a[:, None] ** 2, b[:, None] ** 2, lambda m: np.sqrt(m[..., 0]), seed=seed
            )
        else:
            root = lambda e: float(np.sqrt((e**2).mean()))  # noqa: E731
            gap = lambda rows, a=a, b=b, root=root: root(a[rows]) - root(b[rows])  # noqa: E731
            found = statistics.resampled(80, gap, 60, seed=seed)
        covered += found.low <= truth <= found.high
    assert 0.91 <= covered / 300 <= 0.98


@pytest.mark.parametrize("name", ["rmse", "r2", "balanced_accuracy"])
def test_many_rows_have_the_interval_of_drawn_rows(monkeypatch, name):
    """From many rows on the means of samples are drawn from their normal limit, in much less time: the ends are those
    of drawn rows to within what the draws leave open."""
    metric = METRICS[name]
    y, first, second = predictions_of("regression" if metric.task == "regression" else "three", n=4000)
    rows = combined.difference(metric, y, first, second, seed=0)
    monkeypatch.setattr(statistics, "MANY", 4000)
    monkeypatch.setattr(statistics, "_means", None)
    limit = combined.difference(metric, y, first, second, seed=0)
    assert limit.value == rows.value
    np.testing.assert_allclose(limit[1:], rows[1:], atol=0.1 * (rows.high - rows.low))
    assert limit.high - limit.low == pytest.approx(rows.high - rows.low, rel=0.1)


def test_what_is_late_has_no_interval():
    """Where time ends before fifty samples of a slow metric are scored, the difference stands alone."""
    scored = []
    late = lambda: len(scored) > 30  # noqa: E731
    found = statistics.resampled(90, lambda rows: float(scored.append(1) or rows.mean()), 200, late=late)
    assert len(scored) == 31
    assert found.value == 44.5
    assert np.isnan(found[1:]).all()
    scored.clear()
    late = lambda: len(scored) > 60  # noqa: E731
    found = statistics.resampled(90, lambda rows: float(scored.append(1) or rows.mean()), 200, late=late)
    assert len(scored) == 61
    assert found.low < 44.5 < found.high


def test_few_rows_have_no_interval():
    """Below 30 rows the difference stands alone; where most samples have no score, too."""
    found = statistics.paired_bootstrap(np.ones((29, 1)), np.zeros((29, 1)), lambda m: m[..., 0])
    assert found.value == 1.0
    assert np.isnan(found[1:]).all()
    assert np.isnan(statistics.resampled(29, lambda rows: 1.0, 60)[1:]).all()
    rare = lambda rows: 1.0 if len(rows) == len(set(rows.tolist())) else math.nan  # noqa: E731
    assert np.isnan(statistics.resampled(40, rare, 60)[1:]).all()


# --- the models -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models():
    """Two networks on the same columns: of classes, and of numbers."""
    made = {}
    for task, y in (("classification", KINDS), ("regression", Y)):
        recipes = [Recipe(depth=1, width=4, batch_size=16, epochs=2, scaling=name) for name in ("z_score", "min_max")]
        made[task] = [fit(X, y, recipe=recipe) for recipe in recipes]
    return made


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_predictions_are_the_weighted_mean(models, task, tmp_path):
    """An ensemble predicts the weighted mean of its models' probabilities or values, and does so from its folder."""
    one, other = models[task]
    made = Ensemble((one, other), (0.25, 0.75), ("a", "b"))
    made.save(tmp_path / "ensemble")
    for ensemble in (made, Ensemble.load(tmp_path), Ensemble.load(tmp_path / "ensemble")):
        if task == "regression":
            np.testing.assert_allclose(ensemble.predict(X), 0.25 * one.predict(X) + 0.75 * other.predict(X), rtol=1e-12)
            assert ensemble.classes is None
            with pytest.raises(SlalomError, match="predict_proba is for classification"):
                ensemble.predict_proba(X)
            continue
        expected = 0.25 * one.predict_proba(X) + 0.75 * other.predict_proba(X)
        np.testing.assert_allclose(ensemble.predict_proba(X), expected, rtol=1e-12)
        np.testing.assert_array_equal(ensemble.predict(X), ensemble.classes[expected.argmax(1)])
        np.testing.assert_array_equal(ensemble.classes, ["high", "low", "middle"])
    assert made.weights == (0.25, 0.75)
    assert (one.predict(X) != other.predict(X)).any()


def test_an_older_ensemble_is_replaced(models, tmp_path):
    """Saving leaves nothing of the ensemble that lay there; what predicts is said in the folder."""
    one, other = models["regression"]
    Ensemble((one, other), (0.5, 0.5), ("a", "b")).save(tmp_path / "ensemble", predicts=True)
    assert predicts(tmp_path)
    Ensemble((other,), (1.0,), ("c",)).save(tmp_path / "ensemble")
    assert not predicts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ensemble"]
    assert sorted(path.name for path in (tmp_path / "ensemble").iterdir()) == ["c", "ensemble.json"]


def test_an_ensemble_of_the_first_format_is_read(models, tmp_path):
    """It knew no temperature and no threshold: it predicts as it did."""
    made = Ensemble(tuple(models["classification"]), (0.5, 0.5), ("a", "b"), Calibration(2.0, 0.5))
    made.save(tmp_path / "ensemble")
    file = tmp_path / "ensemble/ensemble.json"
    about = json.loads(file.read_text())
    assert (about.pop("temperature"), about.pop("threshold"), about["format"]) == (2.0, 0.5, 3)
    file.write_text(json.dumps(about | {"format": 1}))
    plain = np.mean([model.predict_proba(X) for model in made.members], axis=0)
    np.testing.assert_allclose(Ensemble.load(tmp_path).predict_proba(X), plain, rtol=1e-12)
    assert np.abs(made.predict_proba(X) - plain).max() > 0.01


def test_what_does_not_belong_together_is_refused(models, tmp_path):
    """Models of other targets, weights that do not sum to one, and damaged folders are one sentence each."""
    one, other = models["regression"]
    with pytest.raises(SlalomError, match="same columns and target"):
        Ensemble((one, models["classification"][0]), (0.5, 0.5), ("a", "b"))
    with pytest.raises(SlalomError, match=r"Ensemble\(weights=…\) must be not negative, with the sum 1"):
        Ensemble((one, other), (0.5, 0.6), ("a", "b"))
    with pytest.raises(SlalomError, match="It has no ensemble in it"):
        Ensemble.load(tmp_path)
    Ensemble((one,), (1.0,), ("a",)).save(tmp_path / "ensemble")
    about = json.loads((tmp_path / "ensemble/ensemble.json").read_text())
    for change, sentence in [
        ({"format": 9}, "holds an ensemble of format 9. This Slalom reads format 3 and older ones"),
        ({"members": [{"folder": "../model", "weight": 1.0}]}, "its models must lie in it"),
        ({"members": [{"folder": "..", "weight": 1.0}]}, "its models must lie in it"),
        ({"members": [{"folder": "a\0b", "weight": 1.0}]}, "its models must lie in it"),
        ({"members": [{"weight": 1.0}]}, "damaged ensemble: KeyError"),
        ({"temperature": 0.0}, "damaged ensemble: ValueError: the temperature is 0.0"),
    ]:
        (tmp_path / "ensemble/ensemble.json").write_text(json.dumps(about | change))
        with pytest.raises(SlalomError, match=sentence):
            Ensemble.load(tmp_path)


# --- in a race --------------------------------------------------------------------------------------------------------


def rmse(prediction, rows, y):
    return ((prediction[rows] - y[rows]) ** 2).mean() ** 0.5


def test_scores_are_those_of_its_predictions(entries):
    """With one fold, the ensemble's scores on choosing, evidence and test rows are those of what it predicts, the
    single's too; it is never worse than the winner on choosing rows, and it gains the difference on evidence rows."""
    result = small(LARGE, LARGE_Y, **WIDE)
    prepared, gain = entries[0].heat.prepared, result.gain
    together, alone = result.ensemble.predict(LARGE), result.single.predict(LARGE)
    fold = prepared.folds[0]
    expected = [rmse(together, fold.choose, LARGE_Y), rmse(together, fold.evidence, LARGE_Y)]
    expected += [rmse(alone, fold.evidence, LARGE_Y), rmse(together, prepared.split.test, LARGE_Y)]
    np.testing.assert_allclose([gain.score, gain.ensemble, gain.single, gain.test], expected, rtol=1e-5)  # float32
    assert len(gain.recipes) > 1
    assert gain.score < result.best.score
    assert gain.gain == pytest.approx(gain.single - gain.ensemble)
    assert gain.low < gain.gain < gain.high
    assert sum(gain.recipes.values()) == pytest.approx(1)
    assert gain.rows == len(fold.evidence)
    assert result.tests["ensemble"] == gain.test
    assert gain.nets == len(result.ensemble.members) == len(gain.recipes)


@pytest.mark.parametrize(("y", "seed"), [(Y, 1), (KINDS, 4)], ids=["numbers", "classes"])
def test_folds_predict_what_they_did_not_train_on(entries, y, seed):
    """Where folds are cross-fitted a member has a model of each fold. Its choosing and evidence rows are predicted by
    the fold that held them out: the scores are those of these models, the score on test rows that of all together."""
    result = small(y=y, seed=seed)
    prepared, gain, made = entries[0].heat.prepared, result.gain, result.ensemble
    assert len(gain.recipes) > 1
    assert gain.nets == len(made.members) == 5 * len(gain.recipes)
    labels, metric = prepared.labels, result.metric
    costs, out = [], []
    for f, fold in enumerate(prepared.folds):
        mine = [i for i, name in enumerate(made.names) if name.endswith(f"-fold-{f + 1}")]
        answer = sum(5 * made.weights[i] * made.members[i].answer(made.encoded(X)) for i in mine)
        costs.append(metric.cost(labels[fold.choose], answer[fold.choose]))
        out.append((fold.evidence, answer[fold.evidence]))
    np.testing.assert_allclose(gain.score, np.mean(costs), rtol=1e-5)
    rows, answers = (np.concatenate(parts) for parts in zip(*out, strict=True))
    answers = answers if answers.ndim == 1 else tempered(answers, made.calibration.temperature)
    np.testing.assert_allclose(gain.ensemble, metric.cost(labels[rows], answers), rtol=1e-5)
    test = prepared.split.test
    np.testing.assert_allclose(gain.test, metric.cost(labels[test], made.answer(made.encoded(X))[test]), rtol=1e-5)


def test_it_predicts_only_where_the_gain_is_shown(entries, monkeypatch, tmp_path):
    """The race's model is the ensemble where the interval lies above zero, on disk and in the sentences too, and the
    single network otherwise."""
    for sure in (True, False):
        moved = lambda *given, sure=sure: statistics.Difference(0.2, 0.1 if sure else -0.1, 0.3)  # noqa: E731
        monkeypatch.setattr(combined, "difference", moved)
        folder = tmp_path / str(sure)
        result = small(out=folder)
        assert result.gain.used is sure
        assert result.model is (result.ensemble if sure else result.single)
        assert isinstance(load(folder), Ensemble if sure else Model)
        np.testing.assert_array_equal(load(folder).predict(X), result.model.predict(X))
        np.testing.assert_array_equal(Model.load(folder).predict(X), result.single.predict(X))
        np.testing.assert_array_equal(Ensemble.load(folder).predict(X), result.ensemble.predict(X))
        said = " ".join(verdict(result))
        assert ("Predictions are the ensemble's" in said) is sure
        assert ("which may be chance. Predictions are the winner's" in said) is not sure
        assert "the ensemble" in said.partition("On the 32 test rows")[2]
        told = json.loads((folder / "report.json").read_text())["ensemble"]
        assert told["used"] is sure
        assert RunFolder.extend(folder).settings()["ensemble"]["recipes"] == told["recipes"] == result.gain.recipes


def test_work_that_is_not_worth_it_is_left_out(monkeypatch):
    """Where there is time for fewer evaluations, less work or less memory, fewer recipes are looked at: the winner
    alone at the least. Where the workers come to no end there is no ensemble."""
    usual = small(LARGE, LARGE_Y, **WIDE)
    assert len(usual.gain.recipes) > 1
    for name, value in (("affordable", lambda evaluations: (1, 30)), ("MOST_SECONDS", 1e-9), ("BYTES", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(combined, name, value)
            assert list(small(LARGE, LARGE_Y, **WIDE).gain.recipes) == [usual.best.name]
    monkeypatch.setattr(combined, "predicted", lambda *given: None)  # the workers came to no end
    late = small(LARGE, LARGE_Y, **WIDE)
    assert (late.ensemble, late.gain, late.model) == (None, None, late.single)


def test_too_few_evidence_rows_show_nothing():
    """Below 30 evidence rows there is no interval, and the single network predicts."""
    result = small(X[:60], Y[:60])
    assert 0 < result.gain.rows < 30
    assert (result.gain.low, result.gain.high, result.gain.used) == (None, None, False)
    assert result.model is result.single


def test_the_same_race_has_the_same_ensemble(monkeypatch):
    """A race bounded by recipes and epochs has the same ensemble with one worker as with two."""
    first = small(LARGE, LARGE_Y, **WIDE)
    monkeypatch.setattr("slalom.racing.cores", lambda: 1)
    again = small(LARGE, LARGE_Y, **WIDE)
    assert again.about["workers"] == 1
    assert again.gain == first.gain
    np.testing.assert_array_equal(again.ensemble.predict(LARGE), first.ensemble.predict(LARGE))


@pytest.mark.parametrize("kind", ["evidence", "test"])
def test_evidence_and_test_rows_choose_no_member(entries, kind):
    """Other labels in evidence or test rows leave the members, their weights and the choosing score as they were."""
    result = small(LARGE, LARGE_Y, **WIDE)
    prepared = entries[0].heat.prepared
    rows = prepared.split.test if kind == "test" else prepared.folds[0].evidence
    y = LARGE_Y.copy()
    y[rows] = 3 - y[rows]
    other = small(LARGE, y, **WIDE)
    assert (other.gain.recipes, other.gain.score) == (result.gain.recipes, result.gain.score)
    assert (other.gain.ensemble == result.gain.ensemble) is (kind == "test")
    assert (other.gain.test == result.gain.test) is (kind == "evidence")


def test_no_winner_has_no_ensemble():
    """Where all recipes diverge there is nothing to take a mean of."""
    result = small(fixed={"learning_rate": 1e6})
    assert (result.ensemble, result.gain) == (None, None)
    assert result.model is result.single


@pytest.mark.parametrize(("seed", "waves", "stays"), [(9, (1, 5), False), (4, (5, 1), True), (6, (1, 5), True)])
def test_a_continued_race_keeps_the_better_ensemble(tmp_path, seed, waves, stays):
    """Of the ensembles of a race and of its continuation the one with the better choosing score stays, and its gain is
    over whichever winner stays; so it is in the folder."""
    first = small(out=tmp_path / "run", recipes=waves[0], seed=seed)
    second = small(extend=tmp_path / "run", recipes=waves[1], seed=seed)
    whole = small(recipes=6, seed=seed)
    assert whole.best.name == second.best.name
    assert second.gain.score <= first.gain.score
    if second.gain.score == first.gain.score:
        assert (second.gain.recipes, second.gain.ensemble) == (first.gain.recipes, first.gain.ensemble)
        np.testing.assert_array_equal(second.ensemble.predict(X), first.ensemble.predict(X))
    assert (second.best.name == first.best.name) is stays
    assert (second.gain.single == first.gain.single) is stays
    assert second.gain.single == whole.gain.single
    assert second.gain.low is not None
    assert RunFolder.extend(tmp_path / "run").settings()["ensemble"]["score"] == second.gain.score
    np.testing.assert_array_equal(load(tmp_path / "run").predict(X), second.model.predict(X))
