"""Temperature and threshold: what they minimise, when they are taken, and what they do for a race."""

import math

import numpy as np
import pytest
import sklearn.metrics as oracle

from slalom.calibrated import on_choosing_rows
from slalom.calibration import calibrate, temperature, tempered, threshold
from slalom.crew import Crew
from slalom.ensemble import Ensemble
from slalom.losses import predictions
from slalom.metrics import METRICS, accuracy_of, balanced_accuracy_of, f1_of
from slalom.racing import race

from .races import quickly, seen_by

COUNTED = {"accuracy": accuracy_of, "balanced_accuracy": balanced_accuracy_of, "f1": f1_of}


def drawn(n, classes, scale, seed=0):
    """Logits [C, n], and labels drawn with the probabilities of the logits times `scale`: T = 1 / scale is right."""
    rng = np.random.default_rng(seed)
    z = rng.normal(scale=2, size=(classes, n))
    p = predictions("softmax", z * scale, None)
    return z, (rng.random((n, 1)) > p.cumsum(1)).sum(1)


def log_loss(z, y, t):
    return oracle.log_loss(y, predictions("softmax", z, None, t), labels=range(len(z)))


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_the_temperature_of_many_rows_is_right(classes, scale):
    """It finds what the logits were divided by, and no temperature of a fine grid has a smaller log loss."""
    z, y = drawn(20_000, classes, scale)
    t = temperature(z, y)
    assert abs(math.log(t * scale)) < 0.05
    grid = [log_loss(z, y, t * factor) for factor in np.exp(np.linspace(-0.1, 0.1, 21))]
    assert log_loss(z, y, t) < min(grid) + 1e-6


def test_the_temperature_minimises_its_formula():
    """On few rows it minimises Σ −log p[y] and the mean of −log p over all cells, on a grid of a thousandth."""
    z, y = drawn(12, 3, 1.0, seed=4)

    def cost(t):
        logs = np.log(predictions("softmax", z, None, t))
        return -logs[np.arange(12), y].sum() - logs.mean()

    grid = np.exp(np.arange(-3000, 3000) / 1000)
    np.testing.assert_allclose(temperature(z, y), grid[np.argmin([cost(t) for t in grid])], rtol=2e-3)


def test_rows_that_are_all_right_do_not_make_it_infinitely_sure():
    """With n rows that are all right and equally sure, the wrong class keeps about 1 / (2 n)."""
    for n in (10, 100):
        z = np.stack([np.zeros(n), np.full(n, 3.0)])
        p = predictions("softmax", z, None, temperature(z, np.ones(n)))
        np.testing.assert_allclose(p[:, 0], 1 / (2 * n + 2), rtol=1e-3)
    assert temperature(np.zeros((2, 0)), np.zeros(0)) == 1.0
    huge = np.stack([np.zeros(5), np.full(5, 1e30)])
    assert 0 < temperature(huge, np.ones(5)) <= 20


def imbalanced(n, seed=0):
    """Calibrated probabilities of a class that is rare, and labels drawn with them."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(3 - 1.5 * rng.normal(size=n)))
    return p, (rng.random(n) < p).astype(float)


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1"])
def test_a_threshold_is_the_best_cut(name):
    """Of all cuts between the rows the one that is taken has the best score, by scikit-learn's own; on other rows it is
    better than 0.5."""
    of = {"balanced_accuracy": oracle.balanced_accuracy_score, "f1": oracle.f1_score}[name]
    p, y = imbalanced(400)
    t = threshold(p, y, COUNTED[name])
    assert t < 0.4
    cuts = np.unique(p)[:-1]
    np.testing.assert_allclose(of(y, p > t), max(of(y, p > cut) for cut in cuts), rtol=1e-12)
    other, truth = imbalanced(20_000, seed=1)
    assert of(truth, other > t) > of(truth, other > 0.5) + 0.05


def test_a_gain_within_its_error_is_not_taken():
    """By accuracy 0.5 is right for calibrated probabilities: of forty data sets few get another threshold, and those
    lose next to nothing; the same data and seed give the same threshold."""
    moved = []
    for seed in range(40):
        p, y = imbalanced(300, seed)
        t = threshold(p, y, accuracy_of, seed)
        assert t == threshold(p, y, accuracy_of, seed)
        moved += [t] if t != 0.5 else []
    assert len(moved) <= 12
    other, truth = imbalanced(20_000, seed=99)
    half = oracle.accuracy_score(truth, other > 0.5)
    assert sum(half - oracle.accuracy_score(truth, other > t) for t in moved) / 40 < 0.003


def test_the_standard_error_is_that_of_drawn_rows():
    """A gain just above the spread of the paired difference over drawn rows is taken, one just below is not."""
    p = np.array([0.1] * 1000 + [0.4] * 100 + [0.9] * 200)
    taken = {}
    for right in range(40, 75):  # of the 100 at 0.4 so many are of class 1: a cut below gains 2 right − 100 rows
        y = np.array([0.0] * 1000 + [1.0] * right + [0.0] * (100 - right) + [1.0] * 200)
        gain = 2 * right - 100
        error = math.sqrt(100 - gain**2 / 1300)  # of a sum of ± 1 over the 100
        taken[gain - error] = threshold(p, y, accuracy_of) == 0.25
    assert not any(is_taken for above, is_taken in taken.items() if above < -2)
    assert all(is_taken for above, is_taken in taken.items() if above > 2)


def test_where_there_is_nothing_to_cut_between_it_is_half():
    """One probability for all rows, one row, or none leave 0.5."""
    assert threshold(np.full(5, 0.3), np.ones(5), f1_of) == 0.5
    assert threshold(np.array([0.3]), np.ones(1), f1_of) == 0.5
    assert threshold(np.zeros(0), np.zeros(0), f1_of) == 0.5


# --- in a race --------------------------------------------------------------------------------------------------------


FIXED = {"depth": 0, "batch_size": 32, "rule": "adam", "learning_rate": 0.03, "scaling": "z_score", "weight_decay": 0.0,
         "schedule": "constant", "warmup": 0.0, "dropout": 0.0, "l1": 0.0}  # fmt: skip


@pytest.fixture(scope="module")
def raced():
    """metric -> (a race on an imbalanced table, its winner). By log loss with labels so smoothed that the net is too
    little sure; by F1 from where F1 is no matter of the first weights."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 2))
    y = np.where(rng.random(900) < 1 / (1 + np.exp(3 - 2 * x[:, 0])), "yes", "no")
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        quickly(patch)
        seen = seen_by(patch)
        for metric, smoothing in (("f1", 0.0), ("log_loss", 0.3)):
            fixed = FIXED | {"label_smoothing": smoothing}
            result = race(x, y, recipes=1, epochs=20, seed=0, fixed=fixed, metric=metric)
            made[metric] = result, seen[0]
    return made


def looked_at(entry, *, longer):
    """(outputs, labels) of all folds that a winner is calibrated by."""
    scored = on_choosing_rows(entry, longer=longer)
    return np.concatenate([o for _, o, _ in scored], axis=1), np.concatenate([labels for _, _, labels in scored])


def test_a_winner_is_calibrated_on_its_choosing_rows(raced):
    """The temperature is that of the racers' outputs on the choosing rows of all folds, none of which they trained on;
    it lowers their log loss, and the score that chose the winner stays what it was."""
    result, entry = raced["log_loss"]
    outputs, y = looked_at(entry, longer=True)
    folds = entry.heat.prepared.folds
    assert len(y) == sum(len(fold.choose) for fold in folds) > 500
    np.testing.assert_array_equal(y, np.concatenate([entry.heat.prepared.labels[fold.choose] for fold in folds]))
    z = np.concatenate([0 * outputs, outputs])
    np.testing.assert_allclose(result.model.temperature, temperature(z, y), rtol=1e-12)
    assert result.model.temperature < 0.8
    assert result.model.threshold == 0.5
    assert log_loss(z, y, result.model.temperature) < log_loss(z, y, 1.0)
    assert result.best.score == entry.best[0]


@pytest.mark.parametrize("name", ["f1", "log_loss"])
def test_outputs_are_of_the_moment_next_to_the_common_one(raced, name):
    """Of a racer's best and last moment that is looked at which is nearer to the step that was best on average: its
    outputs have the score that the racer had then."""
    _, entry = raced[name]
    outputs, y = looked_at(entry, longer=True)
    p = predictions("logistic", outputs, None)
    at, steps = np.cumsum([0, *[len(fold.choose) for fold in entry.heat.prepared.folds]]), []
    for i, racer in enumerate(entry.chosen):
        mine = slice(at[i], at[i + 1])
        steps.append(min((racer.best.step, racer.step), key=lambda s: abs(s - entry.best[1])))
        np.testing.assert_allclose(METRICS[name].cost(y[mine], p[mine]), racer.costs[steps[-1]], rtol=1e-5)
    if name == "f1":  # where the best moments lie anywhere
        assert any(step != racer.best.step for step, racer in zip(steps, entry.chosen, strict=True))


def test_a_threshold_raises_f1(raced):
    """Chosen by F1 on an imbalanced table, the model has a threshold below half, its labels have the higher F1 on new
    rows, and the test score is that of its labels."""
    result, _ = raced["f1"]
    model = result.model
    assert model.threshold < 0.45
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4000, 2))
    y = np.where(rng.random(4000) < 1 / (1 + np.exp(3 - 2 * x[:, 0])), "yes", "no")
    of = lambda labels: oracle.f1_score(y, labels, pos_label="yes")  # noqa: E731
    p = model.predict_proba(x)[:, 1]
    assert of(model.predict(x)) > of(np.where(p > 0.5, "yes", "no")) + 0.02
    assert model.predict(x).tolist() == np.where(p > model.threshold, "yes", "no").tolist()


def test_the_test_score_knows_the_threshold(raced):
    """Test rows are scored with the decisions of the model that is handed back."""
    result, entry = raced["f1"]
    prepared = entry.heat.prepared
    truth = prepared.labels[prepared.split.test]
    answer = result.model.answer(prepared.columns(prepared.test_rows))
    expected = oracle.f1_score(truth, answer[:, 1] > result.model.threshold)
    np.testing.assert_allclose(result.best.test, expected, rtol=1e-12)
    assert result.best.test != METRICS["f1"].of(truth, answer)


# --- one fold, and the ensemble ---------------------------------------------------------------------------------------


def test_tempered_probabilities_are_those_of_divided_logits():
    """p^(1/T) without its sum is the softmax of z / T, also where p is 0 in floats; T = 1 changes no bit."""
    z, _ = drawn(200, 3, 1.0)
    p = predictions("softmax", z, None)
    for t in (0.3, 2.5):
        np.testing.assert_allclose(tempered(p, t), predictions("softmax", z, None, t), rtol=1e-10)
    assert tempered(p, 1.0) is p
    assert tempered(np.array([[0.0, 1.0]]), 2.0).tolist() == [[0.0, 1.0]]


def test_a_threshold_is_found_behind_the_temperature():
    """Of two classes and a score of decisions the threshold is that of tempered probabilities; of others it is half."""
    p, y = imbalanced(400)
    z = np.stack([np.zeros(400), 3 * np.log(p / (1 - p))])
    hot, cut = calibrate(z, y, f1_of, 5)
    assert hot == temperature(z, y)
    assert cut == threshold(predictions("softmax", z, None, hot)[:, 1], y, f1_of, 5) < 0.45
    assert calibrate(z, y, None) == (hot, 0.5)
    assert calibrate(np.vstack([z, z[:1]]), y, f1_of).threshold == 0.5
    assert calibrate(np.zeros((2, 0)), np.zeros(0), f1_of) == (1.0, 0.5)


@pytest.fixture(scope="module")
def given():
    """A race with rows of the caller's to choose by, on which some seeds of a recipe do better than others: its entry,
    the result, and the rows."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2400, 2))
    y = np.where(rng.random(2400) < 1 / (1 + np.exp(3 - 1.5 * x[:, 0])), "yes", "no")
    with pytest.MonkeyPatch.context() as patch:
        quickly(patch)
        seen = seen_by(patch)
        result = race(
            x[:1200], y[:1200], validation=(x[1200:], y[1200:]), recipes=6, epochs=12, seed=0, metric="f1",
            fixed=FIXED | {"label_smoothing": 0.3},
        )  # fmt: skip
        return result, seen[0], x, y


def outputs_of(moment, entry, rows):
    x = entry.heat.prepared.as_raced(entry.recipe.scaling, 0, rows)
    return entry.heat.structure.net.predict(moment.weights, moment.memory, x).astype(np.float64)


def test_with_one_fold_the_kept_model_is_what_is_calibrated(given):
    """The model is that of the best moment of the best seed, so temperature and threshold fit its own outputs, not
    those of another moment; the epoch that is told is its own."""
    result, entry, *_ = given
    prepared = entry.heat.prepared
    rows = prepared.folds[0].choose
    best = entry.chosen[0].best
    z = np.concatenate([np.zeros((1, len(rows))), outputs_of(best, entry, rows)])
    hot, cut = calibrate(z, prepared.labels[rows], f1_of, entry.heat.seed)
    np.testing.assert_allclose([result.single.temperature, result.single.threshold], [hot, cut], rtol=1e-6)
    assert cut < 0.45
    last = entry.chosen[0].costs[max(entry.chosen[0].costs)]
    assert last != best.cost
    assert result.best.epoch == best.step / entry.heat.steps_per_epoch(0)


def test_a_finalists_best_seed_is_what_is_calibrated(given):
    """Where a new seed of the winner had the better moment, that is the model, and its outputs are looked at."""
    _, entry, *_ = given
    other = entry.rerun(1)
    Crew(entry.heat, other.racers).advance(30, [10, 20, 30], lambda: False)
    other.racers[0].best = other.racers[0].best._replace(cost=-2.0)
    entry.again = other.racers
    try:
        outputs, _ = looked_at(entry, longer=False)
        rows = entry.heat.prepared.folds[0].choose
        np.testing.assert_allclose(outputs, outputs_of(other.racers[0].best, entry, rows), rtol=1e-6)
    finally:
        entry.again = []


def test_an_ensemble_is_calibrated_as_it_predicts(given, tmp_path):
    """Its temperature and threshold are those of its mean probabilities of the choosing rows, it predicts with them,
    also from its folder, and both sides of its gain are scored as they predict."""
    result, entry, x, y = given
    prepared, made = entry.heat.prepared, result.ensemble
    fold, codes = prepared.folds[0], prepared.labels
    p = sum(w * m.answer(made.encoded(x)) for w, m in zip(made.weights, made.members, strict=True))
    hot, cut = calibrate(np.log(p[fold.choose]).T, codes[fold.choose], f1_of)
    np.testing.assert_allclose(made.calibration, (hot, cut), rtol=1e-5)
    assert abs(math.log(hot)) > 0.05
    assert cut < 0.45
    np.testing.assert_allclose(made.predict_proba(x), tempered(p, made.calibration.temperature), rtol=1e-9)
    expected = np.where(tempered(p, hot)[:, 1] > cut, "yes", "no")
    assert (made.predict(x) == expected).mean() > 0.999
    assert (made.predict(x) != np.where(p[:, 1] > 0.5, "yes", "no")).any()
    made.save(tmp_path / "ensemble")
    np.testing.assert_array_equal(Ensemble.load(tmp_path).predict(x), made.predict(x))
    of = lambda model: oracle.f1_score(y[fold.evidence], model.predict(x)[fold.evidence], pos_label="yes")  # noqa: E731
    np.testing.assert_allclose([result.gain.single, result.gain.ensemble], [of(result.single), of(made)], rtol=1e-9)
    assert result.gain.gain == pytest.approx(result.gain.ensemble - result.gain.single)
