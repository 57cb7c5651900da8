"""The metrics against scikit-learn's, and what counts as the worst."""

import math

import numpy as np
import pytest
import sklearn.metrics as oracle

from slalom.errors import SlalomError
from slalom.metrics import METRICS, Metric, decided, find_metric, is_named

ROWS = 200


def regression(seed):
    rng = np.random.default_rng(seed)
    y = rng.normal(1e3, 5, ROWS)
    return y, y + rng.normal(0, 3, ROWS)


def classification(seed, classes):
    """Labels and probabilities that say something about them, some of them tied."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(ROWS) % classes)
    logits = np.round(rng.normal(size=(ROWS, classes)), 1)
    logits[np.arange(ROWS), y] += 0.7
    p = np.exp(logits)
    return y.astype(float), p / p.sum(1, keepdims=True)


ORACLES = {
    "rmse": oracle.root_mean_squared_error,
    "mae": oracle.mean_absolute_error,
    "r2": oracle.r2_score,
    "pinball": oracle.mean_pinball_loss,
    "log_loss": lambda y, p: oracle.log_loss(y, p, labels=range(p.shape[1])),
    "accuracy": lambda y, p: oracle.accuracy_score(y, p.argmax(1)),
    "balanced_accuracy": lambda y, p: oracle.balanced_accuracy_score(y, p.argmax(1)),
    "f1": lambda y, p: oracle.f1_score(y, p.argmax(1), average="binary" if p.shape[1] == 2 else "macro"),
    "auc": lambda y, p: oracle.roc_auc_score(y, p[:, 1] if p.shape[1] == 2 else p, multi_class="ovr"),
}


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("classes", [2, 4])
def test_metric_is_scikit_learns(name, classes):
    """Every metric agrees with scikit-learn's of the same name, to the rounding of float64."""
    metric = METRICS[name]
    for seed in range(5):
        y, prediction = regression(seed) if metric.task == "regression" else classification(seed, classes)
        np.testing.assert_allclose(metric.of(y, prediction), ORACLES[name](y, prediction), rtol=1e-10)


@pytest.mark.parametrize("name", METRICS)
def test_less_cost_is_better(name):
    """A perfect prediction costs less than a poor one, and a cost and its score lead back to each other."""
    metric = METRICS[name]
    y, poor = regression(0) if metric.task == "regression" else classification(0, 3)
    perfect = y if metric.task == "regression" else np.eye(3)[y.astype(int)]
    assert metric.cost(y, perfect) < metric.cost(y, poor)
    assert metric.score_of(metric.cost(y, poor)) == metric.of(y, poor)
    assert metric.cost_of(metric.score_of(0.25)) == 0.25
    assert metric.greater == (name in ("r2", "accuracy", "balanced_accuracy", "f1", "auc"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", METRICS)
def test_one_bad_number_is_the_worst(name, bad):
    """One NaN or infinity among the predictions is the worst possible cost, never missing and never zero."""
    metric = METRICS[name]
    y, prediction = regression(0) if metric.task == "regression" else classification(0, 3)
    prediction = prediction.copy()
    prediction.flat[17] = bad
    assert metric.cost(y, prediction) == math.inf


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("greater", [True, False])
def test_metric_that_is_no_number_is_the_worst(value, greater):
    """A metric that answers NaN or infinity costs +∞, whichever direction is the good one."""
    metric = Metric("odd", lambda y, prediction: value, greater, "regression")
    assert metric.cost(np.zeros(2), np.zeros(2)) == math.inf


def test_overflow_is_the_worst_and_says_nothing():
    """Predictions whose squares overflow cost +∞, without a warning."""
    assert METRICS["rmse"].cost(np.zeros(2), np.array([1e200, 0.0])) == math.inf


def test_edges_of_the_formulas():
    """R² of a constant target is 1 where it is met and 0 where it is missed, as scikit-learn's, whatever rounding of
    its mean; log loss is bounded by 1e-15; the area under the curve of one class alone is the worst."""
    r2, log_loss, auc = METRICS["r2"], METRICS["log_loss"], METRICS["auc"]
    for value in (2.0, 0.1):
        assert r2.of(np.full(3, value), np.full(3, value)) == 1
        assert r2.of(np.full(3, value), np.array([value, value, 3.0])) == 0
    sure_and_wrong = np.array([[1.0, 0.0]])
    assert log_loss.of(np.array([1.0]), sure_and_wrong) == -math.log(1e-15)
    assert log_loss.of(np.array([0.0]), sure_and_wrong) == 0
    assert auc.cost(np.zeros(4), np.full((4, 2), 0.5)) == math.inf


def test_the_task_has_a_metric():
    """RMSE chooses for regression and log loss for classification, unless another is named."""
    assert find_metric(None, "regression") is METRICS["rmse"]
    assert find_metric(None, "classification") is METRICS["log_loss"]
    for metric in METRICS.values():
        assert find_metric(metric.name, metric.task) is metric


def test_callable_is_a_metric():
    """A function of (y, prediction) is a metric whose larger values are better, unless it says otherwise."""

    def spread(y, prediction):
        return float(np.ptp(prediction))

    found = find_metric(spread, "regression")
    assert (found.name, found.greater, found.task) == ("spread", True, "regression")
    assert found.cost(np.zeros(3), np.array([1.0, 2.0, 4.0])) == -3.0
    spread.greater_is_better = False
    assert find_metric(spread, "regression").cost(np.zeros(3), np.array([1.0, 2.0, 4.0])) == 3.0


@pytest.mark.parametrize(
    ("metric", "task", "sentence"),
    [
        ("rsme", "regression", "metric must be one of rmse, mae, r2, pinball. Got 'rsme'. Did you mean 'rmse'?"),
        (
            "acuracy",
            "classification",
            "metric must be one of log_loss, accuracy, balanced_accuracy, f1, auc. Got 'acuracy'."
            " Did you mean 'accuracy'?",
        ),
        ("auc", "regression", "metric must be one for regression: rmse, mae, r2, pinball. Got 'auc'."),
        ("", "regression", "metric must be one of rmse, mae, r2, pinball. Got ''."),
    ],
)
def test_unknown_metric_is_one_sentence(metric, task, sentence):
    """A name that is no metric, or one of the other task, is answered with those that fit."""
    with pytest.raises(SlalomError) as error:
        find_metric(metric, task)
    assert str(error.value) == sentence


@pytest.mark.parametrize("quantile", ["0.9", "0.05", "5e-1"])
def test_pinball_of_a_quantile_is_scikit_learns(quantile):
    """`pinball:q` is scikit-learn's loss of the quantile q under its own name; `pinball` is that of the median."""
    metric = find_metric(f"pinball:{quantile}", "regression")
    y, prediction = regression(1)
    expected = oracle.mean_pinball_loss(y, prediction, alpha=float(quantile))
    np.testing.assert_allclose(metric.of(y, prediction), expected, rtol=1e-10)
    assert (metric.name, metric.greater, is_named(metric.name)) == (f"pinball:{quantile}", False, True)
    assert find_metric(metric.name, "regression").of(y, prediction) == metric.of(y, prediction)


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ("pinball:1", "metric must be pinball:τ with a quantile τ in (0, 1), such as pinball:0.9. Got 'pinball:1'."),
        ("pinball:", "metric must be pinball:τ with a quantile τ in (0, 1), such as pinball:0.9. Got 'pinball:'."),
        (
            "pinball:nan",
            "metric must be pinball:τ with a quantile τ in (0, 1), such as pinball:0.9. Got 'pinball:nan'.",
        ),
        ("rmse:0.5", "metric must be one of rmse, mae, r2, pinball. Got 'rmse:0.5'. Did you mean 'rmse'?"),
    ],
)
def test_a_quantile_that_is_none_is_refused(metric, sentence):
    """What stands behind the colon is a number in (0, 1), and stands behind pinball alone."""
    assert not is_named(metric)
    with pytest.raises(SlalomError) as error:
        find_metric(metric, "regression")
    assert str(error.value) == sentence


def test_a_class_without_rows_is_no_reason_for_nothing():
    """Where a class has no row, AUC and balanced accuracy are those of the others, without a warning."""
    y, p = classification(3, 4)
    there = y != 2
    y, p = y[there], p[there]
    expected = np.mean([oracle.roc_auc_score(y == c, p[:, c]) for c in (0, 1, 3)])
    np.testing.assert_allclose(METRICS["auc"].of(y, p), expected, rtol=1e-12)
    recalls = [np.mean(p.argmax(1)[y == c] == c) for c in (0, 1, 3)]
    np.testing.assert_allclose(METRICS["balanced_accuracy"].of(y, p), np.mean(recalls), rtol=1e-12)
    alone, sure = np.ones(4), np.tile([0.4, 0.6], (4, 1))
    for name in ("accuracy", "balanced_accuracy", "f1"):
        assert METRICS[name].of(alone, sure) == 1.0
        assert METRICS[name].of(alone - 1, sure) == 0.0


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1"])
@pytest.mark.parametrize("threshold", [0.5, 0.2, 0.8, 0.999999])
def test_a_threshold_moves_the_decision(name, threshold):
    """A metric of decisions is scikit-learn's of the labels p > threshold, and the same from counts; of several
    classes, and for metrics of probabilities, a threshold means nothing."""
    metric = METRICS[name]
    for seed in range(3):
        y, p = classification(seed, 2)
        p[:, 0] = 1 - p[:, 1]  # as models make them: there is no tie but at 0.5
        said = (p[:, 1] > threshold).astype(int)
        labels = {"accuracy": oracle.accuracy_score, "balanced_accuracy": oracle.balanced_accuracy_score,
                  "f1": lambda y, said: oracle.f1_score(y, said, zero_division=0)}[name](y, said)  # fmt: skip
        np.testing.assert_allclose(metric.cost(y, p, threshold), -labels, rtol=1e-12)
        np.testing.assert_allclose(metric.counted(*oracle.confusion_matrix(y, said).ravel()), labels, rtol=1e-12)
        assert METRICS["log_loss"].cost(y, p, threshold) == METRICS["log_loss"].cost(y, p)
        y, p = classification(seed, 3)
        assert decided(p, threshold).tolist() == p.argmax(1).tolist()
        assert metric.cost(y, p) == metric.cost(y, p, 0.5)


def test_counts_of_nothing_are_no_nan():
    """A score of counts that are all 0, or of one class alone, is a number: draws of a bootstrap may be so."""
    for name in ("accuracy", "balanced_accuracy", "f1"):
        counted = METRICS[name].counted
        zero, some = np.array([0]), np.array([3])
        assert counted(zero, zero, zero, zero).tolist() == [0.0]
        assert counted(zero, zero, zero, some).tolist() == [1.0]
        assert counted(some, zero, zero, zero).tolist() == [0.0 if name == "f1" else 1.0]
