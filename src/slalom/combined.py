"""Combined: from the racers of a race to its ensemble, and what that gains over the winner on evidence rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from slalom import statistics
from slalom.calibration import AS_TRAINED, MOST_ROWS, Calibration, calibrate, tempered
from slalom.conformal import Conformal
from slalom.ensemble import Ensemble, mean
from slalom.entry import Entry, contenders
from slalom.errors import SlalomError
from slalom.executor import Executor
from slalom.finish import model_of
from slalom.heat import Heat
from slalom.metrics import METRICS, Metric, decided
from slalom.model import Model
from slalom.prepare import Prepared
from slalom.racer import Racer
from slalom.result import Gain
from slalom.scored import predicted
from slalom.selection import ROUNDS, affordable, greedy
from slalom.types import Array

MOST_SECONDS = 2.0  # of modelled work that an ensemble is worth, whatever the race's limit
FIXED_SECONDS = 0.15  # for what is not modelled: saving, loading programs
MEMBERS = 12  # recipes of an ensemble, about: for the time that is set aside
BYTES = 2**28  # of the contenders' predictions
SAMPLES = 200  # of a metric that is no function of means
EVIDENCE = "evidence.npz"

Asked = tuple[Heat, Racer, Array]


@dataclass(frozen=True)
class Combined:
    """An ensemble and what it was scored; `evidence` and `single` are predictions for the evidence rows, fold after
    fold, before any calibration: its own, and those of the winner beside it (None where nobody kept them)."""

    ensemble: Ensemble
    recipes: dict[str, float]
    cost: float  # on choosing rows, less is better
    test: float | None  # score
    evidence: Array
    single: Array | None


def budget(seconds: float | None) -> float:
    """Core-seconds of modelled work that the ensemble of a race with such a limit may take.

    >>> budget(None), budget(10.0), budget(3600.0)
    (2.0, 0.45, 2.0)
    """
    return MOST_SECONDS if seconds is None else min(0.25 + 0.02 * seconds, MOST_SECONDS)


def reserve(prepared: Prepared, heats: Iterable[Heat], seconds: float | None, workers: int) -> float:
    """Seconds to set aside for the ensemble of a race, by the cost model: at most what `budget` allows."""
    rows = [forward_seconds(heat) for heat in heats]
    nets = sum(len(fold.choose) for fold in prepared.folds) * 40
    nets += MEMBERS * sum(len(fold.evidence) + len(prepared.split.test) for fold in prepared.folds)
    counted = sum(len(fold.evidence) for fold in prepared.folds) * statistics.RESAMPLES * 5e-8
    chosen = 40 * ROUNDS * (2e-4 * len(prepared.folds) + 2e-8 * sum(len(fold.choose) for fold in prepared.folds))
    most = budget(seconds)
    return FIXED_SECONDS + min(nets * float(np.mean(rows)) / workers, most) + min(chosen, most / 4) + min(counted, most)


def forward_seconds(heat: Heat) -> float:
    """Modelled worker-seconds of one row on its way through the net: a third of what a step takes for it."""
    return heat.step_seconds / (3 * heat.structure.batch_size)


def combine(
    ranked: list[Entry], prepared: Prepared, metric: Metric, executor: Executor, most: float, limit: float,
    late: Callable[[], bool],
) -> Combined | None:  # fmt: skip
    """The ensemble of the best moments of the best recipes, by greedy selection on the choosing rows.

    A member is a recipe with its racers of all folds: a choosing or evidence row of a fold is predicted by that fold's
    racer, any other row by the mean of all. ranked: the best first; no recipe with a score gives None, as does a time
    that is up. most: core-seconds of work (`budget`), by which there are fewer candidates, rounds or members; limit:
    the time.perf_counter() at which nothing may run any longer.
    """
    few = _afforded(contenders(ranked), prepared, most)
    found = predicted(executor, [a for entry in few for a in _asked(entry, "choose")], limit) if few else None
    if not found:
        return None
    parts = [_parts(entry, found) for entry in few]
    cost = _cost(prepared, metric)
    count, rounds = affordable(most / 4 / _evaluation(prepared, metric))
    spent = [_member_seconds(entry) for entry in few]

    def fits(counts: tuple[int, ...], new: int) -> bool:
        return sum(s for s, c in zip(spent, counts, strict=False) if c) + spent[new] <= most / 2

    chosen = greedy(parts[:count], cost, rounds, allowed=fits, late=late)
    weights = {entry: c / sum(chosen.counts) for entry, c in zip(few, chosen.counts, strict=False) if c}
    shares = [c / sum(chosen.counts) for c in chosen.counts]
    own = [mean([part[f] for part in parts[: len(shares)]], shares) for f in range(len(prepared.folds))]
    fitted = _fitted(own, prepared, metric)
    return _made(weights, few[0], chosen.cost, fitted, prepared, metric, executor, limit)


def _fitted(own: list[Array], prepared: Prepared, metric: Metric) -> tuple[Calibration, Conformal | None]:
    """Temperature, threshold and intervals for an ensemble's predictions of the choosing rows of each fold."""
    labels = np.concatenate([prepared.labels[fold.choose] for fold in prepared.folds])
    if not len(labels):
        return AS_TRAINED, None
    every = slice(None, None, -(-len(labels) // MOST_ROWS))
    y, answer, calibration = labels[every], np.concatenate(own)[every], AS_TRAINED
    if prepared.target.task == "classification":
        calibration = calibrate(np.log(np.maximum(answer, 1e-300)).T, y, metric.counted)
        answer = tempered(answer, calibration.temperature)
    return calibration, Conformal.of(y, answer)


def _made(
    weights: dict[Entry, float], winner: Entry, cost: float, fitted: tuple[Calibration, Conformal | None],
    prepared: Prepared, metric: Metric, executor: Executor, limit: float,
) -> Combined | None:  # fmt: skip
    """The ensemble of these recipes, with its predictions for evidence rows and its score on test rows."""
    evidence = predicted(executor, [a for e in {winner: 0} | weights for a in _asked(e, "evidence")], limit)
    everywhere = predicted(executor, [a for e in weights for a in _asked(e, "test")], limit)
    if evidence is None or everywhere is None:
        return None
    shares = list(weights.values())
    parts = [_parts(entry, evidence) for entry in weights]
    own = np.concatenate([mean([part[f] for part in parts], shares) for f in range(len(prepared.folds))])
    single = np.concatenate([evidence[racer] for racer in winner.chosen])
    test = None
    if len(rows := prepared.split.test):
        answer = mean([mean_of([everywhere[racer] for racer in e.runs]) for e in weights], shares)
        test = metric.score_of(metric.cost(prepared.labels[rows], told(answer, fitted[0], metric)))
    members = [(entry, racer) for entry in weights for racer in entry.runs]
    ensemble = Ensemble(
        tuple(model_of(entry.heat, entry.recipe, racer.fold, racer.best) for entry, racer in members if racer.best),
        tuple(weights[entry] / len(entry.runs) for entry, _ in members),
        tuple(_folder_name(entry, racer) for entry, racer in members),
        *fitted,
    )
    recipes = {f"recipe {entry.number}": share for entry, share in weights.items()}
    return Combined(ensemble, recipes, cost, test, own, single)


def told(prediction: Array, calibration: Calibration, metric: Metric) -> Array:
    """Predictions as a model with this calibration makes them: [N] as they are; of probabilities [N, C] those with its
    temperature, or where a metric looks at decisions alone, a 1 for the class that is decided for."""
    if prediction.ndim == 1:
        return prediction
    p = tempered(prediction, calibration.temperature)
    return np.eye(p.shape[1])[decided(p, calibration.threshold)] if metric.counted else p


def gain_of(
    combined: Combined, winner: Model, prepared: Prepared, metric: Metric, *, refitted: bool, seed: int,
    late: Callable[[], bool],
) -> Gain:  # fmt: skip
    """What an ensemble gains over the winner on evidence rows, both as they predict; it is used where the interval lies
    above 0, and no refit was asked for."""
    labels = prepared.labels[np.concatenate([fold.evidence for fold in prepared.folds])]
    own, single = told(combined.evidence, combined.ensemble.calibration, metric), combined.single
    if single is not None:
        single = told(single, Calibration(winner.temperature, winner.threshold), metric)
    scored = [None if p is None or not len(labels) else metric.cost(labels, p) for p in (single, own)]
    gain = low = high = None
    if single is not None and len(labels):
        value, *ends = difference(metric, labels, single, own, seed, late)
        gain = value if np.isfinite(value) else None
        low, high = (end if np.isfinite(end) else None for end in ends)
    first, second = (None if c is None or not np.isfinite(c) else metric.score_of(c) for c in scored)
    return Gain(
        combined.recipes, len(combined.ensemble.members), metric.score_of(combined.cost), len(labels), first, second,
        gain, low, high, combined.test, used=low is not None and low > 0 and not refitted,
    )  # fmt: skip


def difference(
    metric: Metric, y: Array, first: Array, second: Array, seed: int, late: Callable[[], bool] = lambda: False
) -> statistics.Difference:
    """cost(first) − cost(second) on rows y, with its 95 % interval: by row contributions where the metric is a function
    of means, by scoring samples of the rows otherwise, as long as it is not late."""
    if METRICS.get(metric.name) is metric and metric.name in statistics.MEANS:
        means = statistics.MEANS[metric.name]
        return statistics.paired_bootstrap(means.rows(y, first), means.rows(y, second), means.of, seed=seed)
    cost = cost_of(metric)
    count = int(min(max(0.5 / (2 * _seconds(metric, len(y))), statistics.FEWEST_SAMPLES), SAMPLES))
    with np.errstate(invalid="ignore"):
        return statistics.resampled(
            len(y), lambda rows: cost(y[rows], first[rows]) - cost(y[rows], second[rows]), count, seed=seed, late=late
        )


def cost_of(metric: Metric) -> Callable[[Array, Array], float]:
    """A metric as a cost, by a quicker formula than scikit-learn's where there is one; ∞ for what is no number."""
    if METRICS.get(metric.name) is not metric or metric.name not in {*statistics.MEANS, "auc"}:
        return metric.cost

    def cost(y: Array, prediction: Array) -> float:
        value = statistics.cost(metric.name, y, prediction) if np.isfinite(prediction.sum()) else np.inf
        return value if np.isfinite(value) else np.inf

    return cost


def keep(combined: Combined, folder: Path, *, used: bool) -> None:
    """Write the ensemble with its predictions for evidence rows into its folder, in the place of an older one."""
    combined.ensemble.save(folder, predicts=used)
    beside = {} if combined.single is None else {"single": combined.single}
    np.savez(folder / EVIDENCE, ensemble=combined.evidence, **beside)


def kept(folder: Path, about: dict[str, Any] | None, metric: Metric) -> Combined | None:
    """The ensemble of the race that is continued, out of its folder; None where there is none."""
    if not about or not (folder / EVIDENCE).exists():
        return None
    try:
        with np.load(folder / EVIDENCE, allow_pickle=False) as arrays:
            evidence, single = arrays["ensemble"], arrays.get("single")
        cost = metric.cost_of(about["score"])
        return Combined(Ensemble.load(folder), about["recipes"], cost, about.get("test"), evidence, single)
    except (KeyError, ValueError, OSError) as error:
        raise SlalomError(f"{folder} holds a damaged ensemble: {type(error).__name__}: {error}.") from None


def better(made: Combined | None, earlier: Combined | None, *, winner_stays: bool) -> Combined | None:
    """Of the ensembles of a continued race and of the one before, that with the less cost on choosing rows; beside it
    the winner of either, whichever that is."""
    both = [one for one in (earlier, made) if one]
    if not both:
        return None
    winner = earlier if winner_stays else made
    return replace(min(both, key=lambda one: one.cost), single=winner.single if winner else None)


def mean_of(parts: list[Array]) -> Array:
    """The mean of arrays."""
    return mean(parts, [1 / len(parts)] * len(parts))


def _folder_name(entry: Entry, racer: Racer) -> str:
    name = f"recipe-{entry.number}"
    name += f"-fold-{racer.fold + 1}" if len(entry.heat.prepared.folds) > 1 else ""
    return name + (f"-seed-{racer.replicate + 1}" if racer.replicate else "")


def _asked(entry: Entry, kind: str) -> list[Asked]:
    """The racers of an entry with the rows of a kind that they predict: of their fold, or all test rows."""
    prepared = entry.heat.prepared
    return [
        (entry.heat, racer, prepared.split.test if kind == "test" else getattr(prepared.folds[racer.fold], kind))
        for racer in entry.runs
    ]


def _parts(entry: Entry, found: dict[Racer, Array]) -> list[Array]:
    """The predictions of an entry for the rows of each fold: the mean of that fold's racers."""
    folds = range(len(entry.heat.prepared.folds))
    return [mean_of([found[racer] for racer in entry.runs if racer.fold == f]) for f in folds]


def _cost(prepared: Prepared, metric: Metric) -> Callable[[Any], float]:
    """The cost of predictions of the choosing rows of each fold: the mean over the folds, as of a racer."""
    labels, cost = [prepared.labels[fold.choose] for fold in prepared.folds], cost_of(metric)
    return lambda parts: float(np.mean([cost(y, part) for y, part in zip(labels, parts, strict=True)]))


def _afforded(entries: list[Entry], prepared: Prepared, most: float) -> list[Entry]:
    """As many of these entries, from the first on, as time and memory are set aside for; the first in any case."""
    rows = sum(len(fold.choose) for fold in prepared.folds)
    seconds = size = 0.0
    for i, entry in enumerate(entries):
        seconds += sum(len(prepared.folds[r.fold].choose) for r in entry.runs) * forward_seconds(entry.heat)
        size += 8 * rows * max(2, prepared.target.outputs)
        if i and (seconds > most / 2 or size > BYTES):
            return entries[:i]
    return entries


def _member_seconds(entry: Entry) -> float:
    """Modelled core-seconds of an entry's predictions for evidence and test rows."""
    rows = sum(len(rows) for kind in ("evidence", "test") for _, _, rows in _asked(entry, kind))
    return rows * forward_seconds(entry.heat)


def _evaluation(prepared: Prepared, metric: Metric) -> float:
    """Modelled seconds of one cost of predictions of all choosing rows."""
    cells = max(1, len(prepared.target.classes))
    return sum(_seconds(metric, len(fold.choose)) + 2e-9 * len(fold.choose) * cells for fold in prepared.folds)


def _seconds(metric: Metric, rows: int) -> float:
    """Modelled seconds of one cost by a metric: fixed ones and some for each row."""
    if cost_of(metric) == metric.cost:
        return 3e-3 + 1e-6 * rows
    return 5e-5 + {"auc": 3e-7, "balanced_accuracy": 5e-8, "f1": 5e-8, "accuracy": 4e-8}.get(metric.name, 1e-8) * rows
