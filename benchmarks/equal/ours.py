"""The contestant Slalom: a race as users call it; and, where it can, one that keeps the best after one epoch."""

import inspect
from typing import Any

import numpy as np

from benchmarks.equal.task import Task

SAVING, SHARE = 1.0, 0.02  # seconds, and of the seconds, kept for the predictions behind the race: of larger ensembles
SINGLE, ENSEMBLE, TOP_K = "slalom", "slalom ensemble", "slalom-topk"


def contest(task: Task) -> None:
    """A race with users' defaults, its metric too (log loss where accuracy decides): the best network alone and, where
    the result has one, the ensemble."""
    result = _raced(task)
    _save(task, SINGLE, single_of(result))
    ensemble = getattr(result, "ensemble", None)
    if ensemble is not None:
        _save(task, ENSEMBLE, ensemble)


def contest_top_k(task: Task) -> None:
    """The plan of Egele et al. (2023, https://arxiv.org/abs/2307.15422) as a baseline of Slalom's own: every recipe for
    one epoch, then the best K to their end."""
    _save(task, TOP_K, single_of(_raced(task, plan="top_k")))


def lacking(contestant: str) -> str:
    """Why this Slalom cannot run a contestant; nothing where it can.

    >>> lacking("slalom")
    ''
    """
    import slalom

    offered = "plan" in inspect.signature(slalom.race).parameters
    return "" if contestant != TOP_K or offered else "slalom.race takes no plan"


def single_of(result: Any) -> Any:
    """The best network alone: `result.single` where there is one, since `result.model` may then be several."""
    single = getattr(result, "single", None)
    return result.model if single is None else single


def _raced(task: Task, **besides: Any) -> Any:
    import slalom

    train, validation, _ = task.frames
    seconds = (1 - SHARE) * task.left() - SAVING
    result = slalom.race(
        train, task.y, validation=(validation, task.y_validation), seed=task.seed, seconds=seconds,
        task="classification" if task.classes else "regression", **besides,
    )  # fmt: skip
    task.tell(tried=result.about["recipes"], winner=result.best.name, race_seconds=result.about["seconds"])
    return result


def _save(task: Task, label: str, model: Any) -> None:
    validation, test = [answer_of(model, frame, task.classes) for frame in task.frames[1:]]
    task.save(label, validation, test)


def answer_of(model: Any, frame: Any, classes: int) -> np.ndarray:
    """Predictions [N], or probabilities [N, classes] in the order of the class numbers."""
    if not classes:
        return np.asarray(model.predict(frame))
    answer = np.zeros((len(frame), classes))
    answer[:, np.asarray(model.classes, int)] = model.predict_proba(frame)
    return answer
