"""The contestant of trees: scikit-learn's gradient boosting, settings drawn at random until the time is used."""

from itertools import count, islice
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from benchmarks.equal.encoded import all_classes, for_trees
from benchmarks.equal.task import Task

MOST_TREES = 2000
PATIENCE = 20  # trees without a better loss on the validation rows


def drawn(rng: np.random.Generator, number: int) -> dict[str, Any]:
    """Settings number so and so; the first are scikit-learn's defaults."""
    if number == 0:
        return {}
    return {
        "learning_rate": float(np.exp(rng.uniform(np.log(0.01), np.log(0.3)))),
        "max_leaf_nodes": int(np.exp(rng.uniform(np.log(7), np.log(256)))),
        "min_samples_leaf": int(np.exp(rng.uniform(np.log(3), np.log(101)))),
        "l2_regularization": float(rng.choice([0.0, np.exp(rng.uniform(np.log(1e-3), np.log(30)))])),
        "max_features": float(rng.choice([1.0, rng.uniform(0.3, 1.0)])),
    }


def contest(task: Task) -> None:
    """Draw, fit with early stopping on the validation rows, keep the best, until the process is ended."""
    task.leave_in_time()
    rows, rng = for_trees(task), np.random.default_rng(task.seed)
    kind = HistGradientBoostingClassifier if task.classes else HistGradientBoostingRegressor
    present = np.unique(task.y)
    seen = np.isin(task.y_validation, present) if task.classes else np.ones(len(task.y_validation), bool)
    best = np.inf
    for number in count():
        model = kind(
            max_iter=MOST_TREES, early_stopping=True, n_iter_no_change=PATIENCE, random_state=task.seed,
            categorical_features=rows.words or None, **drawn(rng, number),
        )  # fmt: skip
        model.fit(rows.train, task.y, X_val=rows.validation[seen], y_val=task.y_validation[seen])
        trees = max(int(np.argmax(model.validation_score_[1:])), 0)  # the best moment, not the last

        def answer(x: np.ndarray, model: Any = model, trees: int = trees) -> np.ndarray:
            staged = model.staged_predict_proba(x) if task.classes else model.staged_predict(x)
            told = next(islice(staged, trees, None))
            return all_classes(told, model.classes_, task.classes) if task.classes else told

        validation = answer(rows.validation)
        if (cost := task.cost(validation)) < best:
            best = cost
            task.save("trees", validation, answer(rows.test))
        task.tell(tried=number + 1)
