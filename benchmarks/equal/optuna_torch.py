"""The contestant Optuna: its TPE sampler and Hyperband pruner over PyTorch nets, one process a core on one study."""

import math
import multiprocessing
import time
from typing import Any

import numpy as np
import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from benchmarks.equal.encoded import for_nets
from benchmarks.equal.task import Task
from benchmarks.equal.torch_net import Data, epochs_of

# The time is to pay for one round of Hyperband's brackets. Each costs as many trainings to the end as there are
# brackets (Li et al. 2018, https://jmlr.org/papers/v18/16-558.html, Algorithm 1). By the pruner's own shares such a
# round has 27 + 12 + 6 + 4 = 49 trials: above the 4 x 10 that its documentation names as what the TPE sampler uses up
# before it learns. A horizon of fewer than 27 epochs has three brackets, and a round of 9 + 5 + 3 = 17 trials: below
# 3 x 10, but the time pays for more than one such round, unless already nine epochs are too long for 16 trainings.
# Optuna's tutorial on efficient algorithms names this pruner as the best one for that sampler.
BRACKETS, FACTOR = 4, 3  # the pruner's default factor
WHOLE = BRACKETS**2  # trainings of the first recipe to their horizon would fill the time
SHORTEST, LONGEST = 9, 200  # epochs of a horizon
BATCHES = (32, 64, 128, 256, 512)
FIRST = {  # two recipes that every study begins with: a plain net, and one with periodic features
    "depth": 3, "width": 128, "activation": "relu", "normalisation": "none", "dropout": 0.0, "rule": "adamw",
    "rate of adamw": 1e-3, "decay of adamw": 0.01, "schedule": "cosine", "warmup": 0.0, "scaling": "quantile",
    "embedding": "none", "smoothing": 0.0,
}  # fmt: skip
SECOND = FIRST | {"embedding": "periodic", "frequencies": 16, "sigma": 0.1, "places": 16}
RATES = {"adam": (1e-4, 2e-2), "adamw": (1e-4, 2e-2), "rmsprop": (1e-4, 2e-2), "nesterov": (1e-3, 0.5)}


def suggested(trial: Any, rows: int, classes: int) -> dict[str, Any]:
    """A recipe of the space."""
    rule = trial.suggest_categorical("rule", list(RATES))
    decays = (1e-3, 0.3) if rule == "adamw" else (1e-6, 1e-2)
    recipe = {
        "depth": trial.suggest_int("depth", 1, 4),
        "width": trial.suggest_categorical("width", [32, 64, 128, 256]),
        "activation": trial.suggest_categorical("activation", ["relu", "silu", "tanh", "gelu"]),
        "normalisation": trial.suggest_categorical("normalisation", ["none", "batch_norm", "layer_norm"]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5, step=0.05),
        "batch": trial.suggest_categorical("batch", batches(rows)),
        "rule": rule,
        "rate": trial.suggest_float(f"rate of {rule}", *RATES[rule], log=True),
        "decay": trial.suggest_float(f"decay of {rule}", *decays, log=True),
        "schedule": trial.suggest_categorical("schedule", ["constant", "cosine", "step"]),
        "warmup": trial.suggest_float("warmup", 0.0, 0.1, step=0.05),
        "scaling": trial.suggest_categorical("scaling", ["standard", "quantile", "robust"]),
        "embedding": trial.suggest_categorical("embedding", ["none", "periodic", "piecewise_linear"]),
        "smoothing": trial.suggest_categorical("smoothing", [0.0, 0.02, 0.1]) if classes else 0.0,
    }
    if recipe["embedding"] == "periodic":
        recipe["frequencies"] = trial.suggest_categorical("frequencies", [8, 16, 32])
        recipe["sigma"] = trial.suggest_float("sigma", 0.01, 30.0, log=True)
        recipe["places"] = trial.suggest_categorical("places", [8, 16])
    return recipe


def batches(rows: int) -> list[int]:
    """Batch sizes that leave four steps an epoch."""
    return [size for size in BATCHES if size <= rows // 4] or [max(rows // 4, 2)]


def first(recipe: dict[str, Any], rows: int, classes: int) -> dict[str, Any]:
    """A recipe to begin with, as the study's parameters."""
    fitting = [size for size in batches(rows) if size <= 256]
    return {name: value for name, value in recipe.items() if classes or name != "smoothing"} | {"batch": fitting[-1]}


def data_of(task: Task) -> Data:
    """Three scalings of the numbers, fitted to training rows, and the target: classes, or in units of its spread."""
    rows = for_nets(task)
    k = rows.numbers
    quantiles = max(min(len(task.y) // 30, 1000), 10)
    scalers = {
        "standard": StandardScaler(),
        "quantile": QuantileTransformer(n_quantiles=quantiles, output_distribution="normal", random_state=task.seed),
        "robust": RobustScaler(),
    }
    scaled = {}
    for name, scaler in scalers.items():
        parts = []
        if k:
            scaler.fit(rows.train[:, :k])
        for part in (rows.train, rows.validation, rows.test):
            x = scaler.transform(part[:, :k]) if k else part[:, :0]
            if name == "robust":  # with a smooth clip, as RealMLP has it (https://arxiv.org/abs/2407.04491)
                x = x / np.sqrt(1 + (x / 3) ** 2)
            parts.append(torch.from_numpy(np.hstack([x, part[:, k:]]).astype(np.float32)))
        scaled[name] = (parts[0], parts[1], parts[2])
    if task.classes:
        return Data(scaled, k, torch.from_numpy(task.y), task.classes)
    centre, spread = float(task.y.mean()), float(task.y.std()) or 1.0
    return Data(scaled, k, torch.from_numpy(((task.y - centre) / spread).astype(np.float32)), 0, centre, spread)


def horizon(task: Task, data: Data) -> int:
    """Epochs of a training, by the time that an epoch of the first recipe takes: the second of two, after a warm-up."""
    fixed = optuna.trial.FixedTrial(first(FIRST, len(task.y), task.classes))
    recipe = suggested(fixed, len(task.y), task.classes)
    trained = epochs_of(recipe, data, task, 2, 0)
    next(trained)
    began = time.perf_counter()
    next(trained)
    seconds = time.perf_counter() - began
    return int(np.clip(task.left() * task.cores / (WHOLE * seconds), SHORTEST, LONGEST))


def study_of(task: Task, epochs: int, worker: int) -> Any:
    """The study that all workers share."""
    backend = JournalFileBackend(str(task.folder / "study.log"))
    sampler = optuna.samplers.TPESampler(seed=1000 * task.seed + worker, multivariate=True, group=True)
    least = max(1, epochs // FACTOR ** (BRACKETS - 1))
    pruner = optuna.pruners.HyperbandPruner(min_resource=least, max_resource=epochs, reduction_factor=FACTOR)
    return optuna.create_study(
        storage=JournalStorage(backend), study_name="equal", sampler=sampler, pruner=pruner, load_if_exists=True
    )


def work(task: Task, data: Data, epochs: int, worker: int) -> None:
    """One worker: trials until the process is ended; whatever is better than all it had is saved at once."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    task.leave_in_time()
    best, patience = math.inf, max(10, epochs // 5)

    def objective(trial: Any) -> float:
        nonlocal best
        recipe = suggested(trial, len(task.y), task.classes)
        task.tell(tried=trial.number + 1, epochs=epochs)
        least, since = math.inf, 0
        for epoch, (cost, answer) in enumerate(epochs_of(recipe, data, task, epochs, trial.number), start=1):
            least, since = (cost, 0) if cost < least else (least, since + 1)
            if cost < best:
                best = cost
                task.save("optuna", answer(1), answer(2))
            trial.report(cost, epoch)
            if not math.isfinite(cost) or trial.should_prune():
                raise optuna.TrialPruned
            if since >= patience:
                break
        return least

    study_of(task, epochs, worker).optimize(objective)


def contest(task: Task) -> None:
    """One worker a core. They are forked, so that packages are imported and rows are scaled once."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)  # before the fork: no threads of the parent may be missing in its children
    data = data_of(task)
    epochs = horizon(task, data)
    study = study_of(task, epochs, 0)
    for recipe in (FIRST, SECOND):
        study.enqueue_trial(first(recipe, len(task.y), task.classes))
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(task, data, epochs, i)) for i in range(task.cores)]
    for one in workers:
        one.start()
    task.leave_in_time()
    for one in workers:
        one.join()
