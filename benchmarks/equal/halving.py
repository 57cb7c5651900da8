"""The contestant of scikit-learn: its halving random search over its multi-layer perceptron, again with more candidates
until the time is used."""

import time
import warnings
from typing import Any

import numpy as np
from scipy.stats import loguniform
from sklearn.compose import TransformedTargetRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, PredefinedSplit
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.equal.encoded import all_classes, for_nets
from benchmarks.equal.task import Task

EPOCHS = 81  # of the candidates that are not dropped
FIRST, FIRST_EPOCHS = (
    9,
    27,
)  # candidates and epochs of the first round, which is short so that something lies there soon
FACTOR = 3  # one of so many stays; a round has at most so many times as many candidates as the one before
USED = 0.8  # of the time left is what a round is planned for
SCORING = {"rmse": "neg_root_mean_squared_error", "log_loss": "neg_log_loss", "accuracy": "accuracy"}
SHAPES = [(width,) * depth for depth in (1, 2, 3, 4) for width in (32, 64, 128, 256)]


def space(rows: int, prefix: str) -> list[dict[str, Any]]:
    """The settings that are searched: Adam's, and those of gradient descent with Nesterov's momentum."""
    shared = {
        "hidden_layer_sizes": SHAPES,
        "activation": ["relu", "tanh"],
        "alpha": loguniform(1e-6, 1e-1),
        "batch_size": [size for size in (32, 64, 128, 256, 512) if size <= rows // 4] or [max(rows // 4, 1)],
    }
    adam = {"solver": ["adam"], "learning_rate_init": loguniform(3e-4, 1e-2)}
    descent = {
        "solver": ["sgd"],
        "learning_rate_init": loguniform(3e-3, 3e-1),
        "learning_rate": ["constant", "adaptive"],
    }
    return [{prefix + name: values for name, values in (shared | one).items()} for one in (adam, descent)]


def estimator(task: Task) -> tuple[Any, str]:
    """Standard scaling and the net, for a regression the target scaled as well; and the way to the net's settings."""
    # Each fit holds 10 % of its rows back and keeps the weights that were best on them: the page says so.
    settings = {"early_stopping": True, "n_iter_no_change": 10, "random_state": task.seed, "max_iter": EPOCHS}
    if task.classes:
        return make_pipeline(StandardScaler(), MLPClassifier(**settings)), "mlpclassifier__"
    inner = make_pipeline(StandardScaler(), MLPRegressor(**settings))
    return TransformedTargetRegressor(inner, transformer=StandardScaler()), "regressor__mlpregressor__"


def rungs(candidates: int, epochs: int) -> list[tuple[int, int]]:
    """What `min_resources="exhaust"` makes of so many candidates: (candidates, epochs) of each rung, the last of which
    trains to the end. scikit-learn's own default, "smallest", begins at one epoch and ends nine candidates at nine.

    >>> rungs(9, 81), rungs(20, 27)
    ([(9, 9), (3, 27), (1, 81)], [(20, 3), (7, 9), (3, 27)])
    """
    drops = 0
    while FACTOR ** (drops + 1) <= min(candidates, epochs):
        drops += 1
    found = []
    for drop in range(drops + 1):
        found.append((candidates, epochs // FACTOR ** (drops - drop)))
        candidates = -(-candidates // FACTOR)
    return found


def work(candidates: int, epochs: int, cores: int) -> float:
    """Epochs that a round takes, one after the other: its rungs on all cores, then the winner once more on one."""
    return sum(count * until for count, until in rungs(candidates, epochs)) / cores + epochs


def searched(task: Task, model: Any, prefix: str, candidates: int, epochs: int, number: int) -> HalvingRandomSearchCV:
    """The search of a round, one process a core, whose last rung trains for all the epochs."""
    fold = PredefinedSplit(np.repeat([-1, 0], [len(task.y), len(task.y_validation)]))
    return HalvingRandomSearchCV(
        model, space(len(task.y), prefix), n_candidates=candidates, factor=FACTOR, resource=f"{prefix}max_iter",
        min_resources="exhaust", max_resources=epochs, cv=fold, scoring=SCORING[task.metric], refit=False,
        n_jobs=task.cores, random_state=1000 * task.seed + number,
    )  # fmt: skip


def contest(task: Task) -> None:
    """Rounds of halving, each with as many candidates as the last one says will fit, until the process is ended."""
    warnings.filterwarnings("ignore")
    task.leave_in_time()
    rows = for_nets(task)
    x = np.concatenate([rows.train, rows.validation])
    y = np.concatenate([task.y, task.y_validation])
    model, prefix = estimator(task)
    best, candidates, epochs, tried, number = np.inf, FIRST, FIRST_EPOCHS, 0, 0
    while True:
        began = time.perf_counter()
        search = searched(task, model, prefix, candidates, epochs, number).fit(x, y)
        winner = model.set_params(**search.best_params_).fit(rows.train, task.y)
        validation = _answers(winner, rows.validation, task.classes)
        if (cost := task.cost(validation)) < best:
            best = cost
            task.save("halving", validation, _answers(winner, rows.test, task.classes))
        number, tried = number + 1, tried + candidates
        task.tell(tried=tried, rounds=number)
        affordable = USED * task.left() * work(candidates, epochs, task.cores) / (time.perf_counter() - began)
        candidates, epochs = fitting(affordable, FACTOR * candidates, task.cores), EPOCHS


def fitting(affordable: float, most: int, cores: int) -> int:
    """The most candidates whose round takes no more than the epochs that are affordable; three in any case.

    >>> fitting(250.0, 27, 2), fitting(240.0, 27, 2), fitting(1.0, 27, 2)
    (27, 9, 3)
    """
    return next((n for n in range(most, 3, -1) if work(n, EPOCHS, cores) <= affordable), 3)


def _answers(model: Any, x: np.ndarray, classes: int) -> np.ndarray:
    return all_classes(model.predict_proba(x), model.classes_, classes) if classes else model.predict(x)
