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

EPOCHS = 81  # of the candidates that are not dropped; the others end after 3, 9 or 27
FIRST, GROWTH = 9, 3  # candidates of the first round; at most so many times as many in the next
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
    settings = {"early_stopping": True, "n_iter_no_change": 10, "random_state": task.seed, "max_iter": EPOCHS}
    if task.classes:
        return make_pipeline(StandardScaler(), MLPClassifier(**settings)), "mlpclassifier__"
    inner = make_pipeline(StandardScaler(), MLPRegressor(**settings))
    return TransformedTargetRegressor(inner, transformer=StandardScaler()), "regressor__mlpregressor__"


def contest(task: Task) -> None:
    """Rounds of halving, each with as many candidates as the last one says will fit, until the process is ended."""
    warnings.filterwarnings("ignore")
    task.leave_in_time()
    rows = for_nets(task)
    x = np.concatenate([rows.train, rows.validation])
    y = np.concatenate([task.y, task.y_validation])
    fold = PredefinedSplit(np.repeat([-1, 0], [len(task.y), len(task.y_validation)]))
    model, prefix = estimator(task)
    best, candidates, tried, number = np.inf, FIRST, 0, 0
    while True:
        began = time.perf_counter()
        search = HalvingRandomSearchCV(
            model, space(len(task.y), prefix), n_candidates=candidates, factor=3, resource=f"{prefix}max_iter",
            max_resources=EPOCHS, cv=fold, scoring=SCORING[task.metric], refit=False, n_jobs=task.cores,
            random_state=1000 * task.seed + number,
        ).fit(x, y)  # fmt: skip
        winner = model.set_params(**search.best_params_).fit(rows.train, task.y)
        validation = _answers(winner, rows.validation, task.classes)
        if (cost := task.cost(validation)) < best:
            best = cost
            task.save("halving", validation, _answers(winner, rows.test, task.classes))
        number, tried = number + 1, tried + candidates
        task.tell(tried=tried, rounds=number)
        spent = time.perf_counter() - began
        candidates = int(np.clip(0.8 * candidates * task.left() / spent, 3, GROWTH * candidates))


def _answers(model: Any, x: np.ndarray, classes: int) -> np.ndarray:
    return all_classes(model.predict_proba(x), model.classes_, classes) if classes else model.predict(x)
