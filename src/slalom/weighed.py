"""Weighed: from the runs of a study to what is said of a winner, of its parts, and of the recipes that were dropped."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from slalom.ablated import Grid, Part, parts
from slalom.calibration import tempered
from slalom.combined import cost_of
from slalom.conformal import coverage
from slalom.entry import Entry, best_of
from slalom.evidence import (
    HELPS,
    HURTS,
    LATER,
    LEVEL_WITH,
    NOT_COMPARED,
    NOT_MEASURED,
    UNSTABLE,
    Dropping,
    Evidence,
    Standing,
    Worth,
)
from slalom.executor import Executor
from slalom.intervals import LEVEL, Estimate, clopper_pearson, difference, holm, mean_cost, means_of, runs_of, two_way
from slalom.journal import Journal
from slalom.mattered import ended, mattered
from slalom.metrics import Metric
from slalom.model import Model
from slalom.prepare import Prepared
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.result import Best
from slalom.scored import predicted
from slalom.statistics import FEWEST
from slalom.types import Array

# Seeds of each kind of study, that have no part in another: a race has 0, its finalists 1 to 5, and the named winner
# 11 to 15 (`entry.FURTHER`).
GRID = range(21, 23)  # of each learning rate of a grid
INTERVALS = 0.9  # level of the intervals and sets whose coverage is told
REACHED = 0.9  # of the way down, to which scalings are timed
FRESH = range(31, 41)  # of either side of a comparison: n = 10, fixed beforehand


class Replicates(NamedTuple):
    """Runs of one recipe with several seeds: the cost of each on choosing rows at its best moment, and its predictions
    for the evidence rows, fold after fold: [n, N] or [n, N, C]. diverged: seeds that came to nothing."""

    costs: list[float]
    predictions: Array
    diverged: int
    estimate: tuple[float, ...] | None = None  # of the difference to the winner, where it takes long to compute


def replicates(entry: Entry, racers: Sequence[Racer], executor: Executor, deadline: float) -> Replicates | None:
    """What the racers of an entry, one a fold and seed, left; None where the workers came to no end by the deadline."""
    folds, seeds = entry.heat.prepared.folds, sorted({racer.replicate for racer in racers})
    of = {seed: [racer for racer in racers if racer.replicate == seed] for seed in seeds}
    whole = [seed for seed in seeds if all(racer.best and not racer.diverged for racer in of[seed])]
    asked = [(entry.heat, racer, folds[racer.fold].evidence) for seed in whole for racer in of[seed]]
    found = predicted(executor, asked, deadline) if asked else {}
    if found is None:
        return None
    predictions = [np.concatenate([found[racer] for racer in of[seed]]) for seed in whole]
    costs = [best_of(of[seed])[0] for seed in whole]
    return Replicates(costs, np.array(predictions), len(seeds) - len(whole))


def kept(made: Replicates, rate: float) -> tuple[dict[str, Any], bytes]:
    """Runs as they are kept in the journal."""
    about = {"rate": rate, "costs": made.costs, "diverged": made.diverged, "shape": list(made.predictions.shape)}
    about["estimate"] = None if made.estimate is None else list(made.estimate)
    return about, np.ascontiguousarray(made.predictions, "<f4").tobytes()


def read_back(about: dict[str, Any], blob: bytes | None) -> Replicates:
    """Runs out of the journal."""
    predictions = np.frombuffer(blob or b"", "<f4").reshape(about["shape"]).astype(np.float64)
    estimate = about.get("estimate")
    known = None if estimate is None else tuple(math.nan if end is None else end for end in estimate)
    return Replicates(about["costs"], predictions, about["diverged"], known)


def begun(
    best: Best, further: Replicates | None, prepared: Prepared, metric: Metric, journal: Journal, count: int,
    space: dict[str, Any],
) -> Evidence:  # fmt: skip
    """What a race itself knows of its winner; its parts are not measured yet. count, space: as of `mattered`."""
    y, recipes = evidence_labels(prepared), journal.recipes()
    return Evidence(
        metric=metric.name,
        greater=metric.greater,
        standing=standing(further, y, metric, best.score, best.corrected) if further else None,
        worths=worths(parts_of(best.recipe, prepared), {}, {}, y, metric, best.recipe.learning_rate),
        fields=mattered(recipes, journal.scores(), count, best.recipe, metric, space),
        ended=ended(recipes),
        left=_left(recipes, further),
    )


def _left(recipes: list[dict[str, Any]], further: Replicates | None) -> tuple[str, ...]:
    """What, beside parts, a race left to be measured: dropped recipes only where there are some."""
    dropped = any(row["outcome"].startswith("dropped") for row in recipes)
    later = tuple(what for what in LATER if dropped or what != LATER[0])
    return later if further else ("further seeds", *later)


def covered(model: Model, prediction: Array, prepared: Prepared) -> dict[str, Any]:
    """How often the winner's intervals or sets of level 0.9 hold the truth of the evidence rows, and how wide they are;
    prediction: for those rows, before any temperature. Empty where there are none."""
    y, found = evidence_labels(prepared), model.conformal
    if found is None or len(y) < FEWEST:
        return {}
    answer = tempered(prediction, model.temperature) if prediction.ndim > 1 else prediction
    share, size = coverage(found, y, answer, INTERVALS)
    what = "Intervals" if answer.ndim == 1 else "Sets of classes"
    return {
        "what": what,
        "level": INTERVALS,
        "covered": share,
        "size": _known(size),
        "rows": len(y),
        "folds": len(prepared.folds),
    }


def parts_of(recipe: Recipe, prepared: Prepared) -> list[Part]:
    """The parts that a recipe has on this data."""
    classes, rows = prepared.target.task == "classification", min(len(fold.train) for fold in prepared.folds)
    return parts(recipe, classes=classes, rows=rows, numbers=prepared.columns.numeric > 0)


def evidence_labels(prepared: Prepared) -> Array:
    """The labels of the evidence rows, fold after fold."""
    return prepared.labels[np.concatenate([fold.evidence for fold in prepared.folds])]


def worths(
    present: Sequence[Part], grids: dict[str, Grid], runs: dict[str, Replicates], y: Array, metric: Metric, rate: float
) -> tuple[Worth, ...]:
    """What each of the parts that are present is worth.

    grids, runs: by field, those of the winner under `winner`. y: the evidence rows' labels. rate: the winner's own.
    """
    own = runs.get("winner")
    estimates = {part.field: _compared(runs.get(part.field), own, y, metric) for part in present}
    ps = [found.p if found else _unstable(runs.get(field), own) for field, found in estimates.items()]
    level = 1 - (1 - LEVEL) / max(len(present), 1)
    return tuple(
        _worth(part, estimates[part.field], p, level, grids, runs, rate)
        for part, p in zip(present, holm(ps), strict=True)
    )


def _compared(theirs: Replicates | None, own: Replicates | None, y: Array, metric: Metric) -> Estimate | None:
    """The difference of two sides, none of whose runs diverged; None otherwise."""
    if own is None or theirs is None or own.diverged or theirs.diverged or not theirs.costs:
        return None
    return estimated(theirs, own, y, metric)


def estimated(theirs: Replicates, own: Replicates, y: Array, metric: Metric) -> Estimate:
    """The mean cost without a part less that with it."""
    if means := means_of(metric):
        return difference(runs_of(means, y, list(theirs.predictions)), runs_of(means, y, list(own.predictions)))
    if theirs.estimate is not None:
        return Estimate(*theirs.estimate)
    return two_way(list(theirs.predictions), list(own.predictions), y, cost_of(metric), seed=FRESH[0])


def _unstable(theirs: Replicates | None, own: Replicates | None) -> float:
    """The probability that as many runs diverge on one side alone by chance (Fisher's exact test, both sides): of k
    that diverged of 2 n, all k among the same n. NaN where there is nothing to compare."""
    if theirs is None or own is None or own.diverged or not theirs.diverged:
        return math.nan
    n, k = len(own.costs), theirs.diverged
    return min(1.0, 2 * math.comb(n, k) / math.comb(n + len(theirs.costs) + k, k)) if k <= n else 0.0


def _worth(
    part: Part, found: Estimate | None, p: float, level: float, grids: dict[str, Grid], runs: dict[str, Replicates],
    rate: float,
) -> Worth:  # fmt: skip
    """The worth of one part, from its comparison, if there is one."""
    without, own, theirs = grids.get(part.field), grids.get("winner"), runs.get(part.field)
    about: dict[str, Any] = {
        "rate": own.rate if own else None,
        "rate_without": without.rate if without else None,
        "diverged": theirs.diverged if theirs else 0,
    }
    if own and without:
        kept = without.costs.get(rate, math.inf) - own.costs.get(rate, math.inf)
        about["kept"] = kept if math.isfinite(kept) else None
    said, seen = (part.name, part.value, part.plain), p < 1 - LEVEL
    if found is None:
        measured = theirs is not None and runs.get("winner") is not None
        verdict = UNSTABLE if seen else NOT_COMPARED if measured else NOT_MEASURED
        return Worth(*said, verdict, p=_known(p), **about)
    verdict = (HELPS if found.value > 0 else HURTS) if seen and math.isfinite(found.error) else LEVEL_WITH
    return Worth(
        *said, verdict, found.value, _known(found.low), _known(found.high), _known(p), _known(found.unseen(level)),
        **about,
    )  # fmt: skip


def standing(
    runs: Replicates | None, y: Array, metric: Metric, found: float | None, corrected: tuple[float, float, float] | None
) -> Standing:
    """The named winner on evidence rows; without a score where one of its runs diverged."""
    if runs is None:
        return Standing(0, len(y), None, None, None, 0, found, corrected)
    seeds = len(runs.costs) + runs.diverged
    if runs.diverged or not len(y):
        return Standing(seeds, len(y), None, None, None, runs.diverged, found, corrected)
    mean = float(np.mean([cost_of(metric)(y, prediction) for prediction in runs.predictions]))
    ends = (math.nan, math.nan)
    if (means := means_of(metric)) and seeds > 1:
        estimate = mean_cost(runs_of(means, y, list(runs.predictions)))
        ends = estimate.low, estimate.high
    scores = [metric.possible(metric.score_of(end)) for end in ends]
    low, high = sorted(scores) if all(map(math.isfinite, scores)) else (math.nan, math.nan)
    score = metric.score_of(mean) if math.isfinite(mean) else None
    return Standing(seeds, len(y), score, _known(low), _known(high), 0, found, corrected)


def dropping(rung: int, dropped: int, costs: Sequence[float], winner: float, metric: Metric) -> Dropping:
    """What dropping at a rung may have cost: the costs of some of its recipes at their end beside the winner's mean."""
    better = sum(cost < winner for cost in costs)
    best = min(costs, default=math.inf)
    score = metric.score_of(best) if math.isfinite(best) else None
    return Dropping(rung, dropped, len(costs), better, clopper_pearson(better, len(costs))[1], score)


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def scalings(found: Sequence[dict[str, Any]], metric: Metric) -> tuple[dict[str, Any], ...]:
    """Curvature under each scaling, with the epochs that each took to the score `to`: nine tenths of the way from the
    worst first score of any to the best score of the one that came least far. None: it never came there.
    """
    curves = [one["curve"] for one in found if one["curve"]]
    if not curves:
        return ()
    least = max(min(cost for _, cost in curve) for curve in curves)
    first = max(curve[0][1] for curve in curves)
    target = least + (1 - REACHED) * max(first - least, 0.0)
    told = []
    for one in found:
        epochs = next((epoch for epoch, cost in one["curve"] if cost <= target), None)
        told.append({k: v for k, v in one.items() if k != "curve"} | {"epochs": epochs, "to": metric.score_of(target)})
    return tuple(told)
