"""How predictions are judged: NumPy alone, float64, the same for everybody."""

import numpy as np

LEAST = 1e-7  # a probability below counts as this, so that one row cannot decide a log loss


def rmse(y: np.ndarray, predicted: np.ndarray) -> float:
    """Root of the mean squared error of predictions [N].

    >>> rmse(np.array([0.0, 0.0]), np.array([1.0, 7.0]))
    5.0
    """
    return float(np.sqrt(np.mean((np.asarray(predicted, np.float64) - y) ** 2)))


def log_loss(y: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of −log p of each row's class, for probabilities [N, classes]; no p counts as less than 1e-7.

    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
    0.6931
    """
    p = np.maximum(np.asarray(predicted, np.float64), LEAST)
    p = p / p.sum(1, keepdims=True)
    return float(-np.mean(np.log(p[np.arange(len(y)), y])))


def accuracy(y: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the rows whose class has the largest probability.

    >>> accuracy(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
    0.5
    """
    return float(np.mean(np.argmax(predicted, 1) == y))


METRICS = {"rmse": rmse, "log_loss": log_loss, "accuracy": accuracy}
LARGER_IS_BETTER = ("accuracy",)


def cost(metric: str, y: np.ndarray, predicted: np.ndarray) -> float:
    """The metric, turned so that less is better; infinite where a prediction is not finite.

    >>> cost("accuracy", np.array([0]), np.array([[0.9, 0.1]]))
    -1.0
    """
    if not np.isfinite(predicted).all():
        return float("inf")
    value = METRICS[metric](y, predicted)
    return -value if metric in LARGER_IS_BETTER else value


def of_task(metric: str) -> tuple[str, ...]:
    """The metrics that are told for a set, the one that decides first.

    >>> of_task("rmse"), of_task("accuracy")
    (('rmse',), ('accuracy', 'log_loss'))
    """
    return ("rmse",) if metric == "rmse" else (metric, "log_loss" if metric == "accuracy" else "accuracy")
