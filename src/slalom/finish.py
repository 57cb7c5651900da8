"""The end of a race: the winner, its model, its scores beside the baselines, and what is said about it all."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from slalom.calibrated import calibrated
from slalom.compared import finite_or_none
from slalom.corrected import Corrected
from slalom.crew import Crew
from slalom.entry import Entry
from slalom.heat import Heat
from slalom.intervals import of_rows
from slalom.metrics import Metric
from slalom.model import Model
from slalom.objective import loss_of
from slalom.prepare import Prepared
from slalom.racer import Moment, Racer
from slalom.recipe import Recipe
from slalom.result import Best
from slalom.step import Structure
from slalom.track import Track

CONSTANT = "mean or majority"


def structure_of(recipe: Recipe, prepared: Prepared) -> Structure:
    """The structure that a recipe has on this data."""
    columns = prepared.columns
    net = recipe.net(prepared.width, prepared.target.outputs, columns.numeric, columns.categories)
    return Structure(net, recipe.batch_size, loss_of(recipe, prepared))


def class_count(prepared: Prepared) -> int:
    """How many classes; 0 for a regression."""
    return len(prepared.target.classes) if prepared.target.task == "classification" else 0


@dataclass(frozen=True)
class Winner:
    """The winner of a race with its model."""

    name: str
    recipe: Recipe
    cost: float
    epoch: float
    model: Model
    note: str = ""
    seeds: int = 0
    again: float = math.inf  # cost, the mean of new seeds


def crowned(ranked: list[Entry], prepared: Prepared, metric: Metric, track: Track, limit: float) -> Winner:
    """The best recipe with its model; the constant model where no recipe has a score.

    One fold: the weights of the best moment. Cross-fitted folds: the recipe is trained once more on all rows but the
    test rows, to the step that was best on average; where the time does not allow it, the first fold's best moment.
    """
    entry = ranked[0] if ranked else None
    if entry is None or not math.isfinite(entry.best[0]):
        return _constant(prepared, metric)
    cost, step = entry.best
    epoch, longer = step / entry.heat.steps_per_epoch(0), False
    moment, fold, note = entry.chosen[0].best, 0, ""
    if prepared.whole:
        fold = len(prepared.folds)
        again = trained_again(track, entry, fold, epoch, lambda: track.interrupted or time.perf_counter() > limit)
        if longer := again is not None:
            moment = again
        else:
            fold, note = 0, "there was no time to train the winner on all folds: the model is that of the first fold."
    assert moment is not None
    epoch = epoch if longer else moment.step / entry.heat.steps_per_epoch(0)
    model = calibrated(model_of(entry.heat, entry.recipe, fold, moment), entry, metric, longer=longer)
    seeds, mean = entry.seeds, entry.replicated[0]
    return Winner(f"recipe {entry.number}", entry.recipe, cost, epoch, model, note, seeds, mean)


def trained_again(track: Track, entry: Entry, fold: int, epoch: float, halted: Callable[[], bool]) -> Moment | None:
    """The recipe trained up to an epoch on the rows of a fold that has none to be scored on, as `Prepared.whole`; None
    where it was halted or diverged."""
    heat = entry.heat
    racer = Racer(entry.number, entry.recipe, fold)
    longer = heat.steps_per_epoch(racer.fold) / heat.steps_per_epoch(0)
    # It has no choosing rows to be scored on: a plateau falls where the first fold's did.
    racer.falls = [(step * longer, factor) for step, factor in entry.racers[0].falls]
    stop = max(1, round(epoch * heat.steps_per_epoch(racer.fold)))
    crew = Crew(heat, [racer])
    crew.advance(stop, [], halted)
    track.place_steps += crew.place_steps
    assert racer.state is not None
    finite = all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(racer.state.weights))
    if racer.step < stop or not finite:
        return None
    track.racer_steps += racer.step
    return Crew(heat, [racer]).moment()


def model_of(heat: Heat, recipe: Recipe, fold: int, moment: Moment) -> Model:
    """The model that a racer of a fold was at a moment."""
    prepared = heat.prepared
    return Model(
        recipe=recipe,
        columns=prepared.columns,
        target=prepared.target,
        scaler=prepared.fitted(recipe.scaling, fold),
        net=heat.structure.net,
        weights=moment.weights,
        memory=moment.memory,
        loss=heat.structure.loss,
        unit=prepared.unit(recipe.unit, fold),
    )


def _constant(prepared: Prepared, metric: Metric) -> Winner:
    """The model that predicts the mean, or every class as often as it is: a net of nothing but biases."""
    fold = prepared.folds[0]
    recipe = Recipe(depth=0, epochs=1, batch_size=1, scaling=prepared.scalings[0])
    net = recipe.net(prepared.width, prepared.target.outputs)
    bias = np.zeros((net.outputs, 1), np.float32)
    if classes := class_count(prepared):
        counts = np.bincount(prepared.labels[fold.train].astype(int), minlength=classes)
        logs = np.log(np.maximum(counts, 0.5) / len(fold.train))
        bias[:, 0] = logs[1] - logs[0] if net.outputs == 1 else logs
    weights = ({"w": np.zeros((net.outputs, net.inputs), np.float32), "b": bias},)
    model = Model(
        recipe, prepared.columns, prepared.target, prepared.fitted(recipe.scaling, 0), net, weights, (),
        loss_of(recipe, prepared), prepared.unit(recipe.unit, 0),
    )  # fmt: skip
    rows = fold.choose if len(fold.choose) else fold.train
    cost = metric.cost(prepared.labels[rows], model.answer(np.zeros((len(rows), prepared.width))))  # whatever the row
    return Winner(CONSTANT, recipe, cost, 0.0, model)


def tested(model: Model, prepared: Prepared, metric: Metric) -> tuple[float | None, tuple[float, float] | None]:
    """(the metric on the test rows, the ends of its 95 % interval over rows); None where there are none."""
    rows = prepared.split.test
    if not len(rows):
        return None, None
    answer, y = model.answer(prepared.columns(prepared.test_rows)), prepared.labels[rows]
    score, found = metric.score_of(metric.cost(y, answer, model.threshold)), None
    if math.isfinite(score) and (estimate := of_rows(metric, y, answer, model.threshold)):
        ends = sorted(metric.score_of(end) for end in (estimate.low, estimate.high))
        ends = [metric.possible(end) for end in ends]
        found = (ends[0], ends[1]) if all(map(math.isfinite, ends)) else None
    return score, found


def best_of(
    winner: Winner, prepared: Prepared, metric: Metric, found: Corrected | None, tied: tuple[str, ...] = ()
) -> Best:
    """The winner as a result holds it."""
    test, ends = tested(winner.model, prepared, metric)
    again = metric.score_of(winner.again) if math.isfinite(winner.again) else None
    told = [metric.possible(metric.score_of(cost)) for cost in found[1:]] if found else []
    corrected = (told[0], min(told[1:]), max(told[1:])) if told else None
    score = metric.score_of(winner.cost)
    return Best(winner.name, winner.recipe, score, winner.epoch, test, winner.seeds, again, corrected, tied, ends)


def recipe_rows(track: Track, wave: int) -> tuple[list[dict[str, Any]], list[tuple[int, float, float | None]]]:
    """The recipes that started as rows of the journal, and their scores."""
    rows, scores = [], []
    for entry in sorted(track.started, key=lambda entry: entry.number):
        cost, step = entry.best
        per_epoch = entry.heat.steps_per_epoch(0)
        rows.append(
            {
                "number": entry.number,
                "wave": wave,
                "recipe": entry.recipe.to_plain(),
                "outcome": entry.outcome or "racing",
                "cost": finite_or_none(cost),
                "best_epoch": step / per_epoch if math.isfinite(cost) else None,
                "epochs": entry.epochs,
                "seconds": sum(racer.seconds for racer in (*entry.racers, *entry.again, *entry.further)),
                "parameters": entry.heat.structure.net.parameters,
                "remark": entry.racers[0].remark,
                "seeds": entry.seeds,
                "again": finite_or_none(entry.replicated[0]),
            }
        )
        scores += [(entry.number, step / per_epoch, finite_or_none(cost)) for step, cost in entry.curve.items()]
    return rows, scores


def about_wave(track: Track, prepared: Prepared, compile_seconds: float) -> dict[str, Any]:
    """What a wave did as a whole."""
    outcomes: dict[str, int] = {}
    for entry in track.started:
        outcomes[entry.outcome] = outcomes.get(entry.outcome, 0) + 1
    return {
        "compile_seconds": round(compile_seconds, 3),
        "recipes": len(track.started),
        "racer_steps": track.racer_steps,
        "useful_share": round(track.racer_steps / track.place_steps, 4) if track.place_steps else None,
        "outcomes": outcomes,
        "rungs": [[rung.recipes, rung.epochs] for rung in track.plan.rungs],
        "workers": track.executor.workers,
        "task": prepared.target.task,
        "rows": {
            "training": [len(fold.train) for fold in prepared.folds],
            "choosing": [len(fold.choose) for fold in prepared.folds],
            "evidence": [len(fold.evidence) for fold in prepared.folds],
            "test": len(prepared.split.test),
        },
        "columns": prepared.width,
    }
