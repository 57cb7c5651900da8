"""Promised: the score that the search found, corrected for having been chosen by it, from what its racers left."""

from collections.abc import Sequence

import numpy as np

from slalom.corrected import RESAMPLES, Corrected, Curve, Start, corrected
from slalom.crew import BYTES_KEPT
from slalom.entry import Entry
from slalom.intervals import LEVEL, Runs, difference, holm, means_of, pulls
from slalom.track import Track

FEWEST = 40  # samples of the choosing rows, at least
MOST_SECONDS = 0.3
DIGITS = 6  # that are told: what lies behind them hangs on how many moments are multiplied at once
RATE = 1e10  # multiplications a second, by a model


def seconds_of(limit: float | None) -> float:
    """Seconds that the correction may take, of a race with such a limit.

    >>> seconds_of(None), seconds_of(10.0), seconds_of(3600.0)
    (0.3, 0.1, 0.3)
    """
    return MOST_SECONDS if limit is None else min(0.05 + 0.005 * limit, MOST_SECONDS)


def promised(track: Track, seconds: float = MOST_SECONDS) -> Corrected | None:
    """The least cost of the search beside what its choice promises on other rows; None where that is not known: the
    metric is no function of means over rows, there are too many choosing rows (the correction is next to nothing then),
    all scores together took too much memory, or the seconds are too few for forty samples.

    New seeds of finalists have no part in it: they came behind the search. seconds: by which there are fewer samples.
    """
    started = [entry for entries, _ in track.starts for entry in entries]
    if not started:
        return None
    means, folds = means_of(started[0].heat.metric), started[0].heat.prepared.folds
    moments = sum(len(_steps(entry)) for entry in started)
    cells = moments * sum(len(fold.choose) for fold in folds)
    full = started[0].heat.prepared.kept > BYTES_KEPT  # then not every score is there
    if means is None or not moments or full:
        return None
    width = next(rows.shape[1] for entry in started for rows in entry.racers[0].rows.values())
    samples = int(min(RESAMPLES, seconds * RATE / (2 * cells * width)))
    if samples < FEWEST:
        return None
    starts = [
        Start(
            [_curve(entry, width) for entry in entries],
            [
                np.array([rung.epochs * entry.heat.steps_per_epoch(0) for entry in entries])
                for rung in track.plan.rungs[: len(passed) + 1]
            ],
            passed,
        )
        for entries, passed in track.starts
    ]
    found = corrected(starts, means.of, resamples=samples, seed=started[0].heat.seed)
    if not np.isfinite(found.corrected):
        return None
    return Corrected(*[float(f"{cost:.{DIGITS}g}") for cost in found])


def _steps(entry: Entry) -> list[int]:
    """The scores of an entry whose rows were kept of all folds; none of one that diverged."""
    if entry.diverged:
        return []
    return sorted(set.intersection(*[set(racer.rows) for racer in entry.racers]))


def _curve(entry: Entry, width: int) -> Curve:
    steps, folds = _steps(entry), entry.heat.prepared.folds
    rows = tuple(
        np.array([racer.rows[step] for step in steps]).reshape(len(steps), len(folds[racer.fold].choose), width)
        for racer in entry.racers
    )
    return Curve(np.array(steps, int), rows)


def tied(ranked: Sequence[Entry]) -> list[Entry]:
    """The finalists from which the winner, the first of these, is not told apart: those whose mean cost over new seeds
    differs from its own by what other seeds and other choosing rows may do (p of 0.05 and more, corrected for all
    finalists); all of them where there is one seed. Empty, too, where that is not known: the metric is no function of
    means over rows, or too many rows were scored to keep them.
    """
    finalists = [entry for entry in ranked if entry.again]
    runs = {entry: _runs(entry) for entry in finalists}
    known = {entry: run for entry, run in runs.items() if run is not None}
    if len(known) < 2 or finalists[0] not in known:
        return []
    others = [entry for entry in finalists[1:] if entry in known]
    ps = holm([difference(known[entry], known[finalists[0]]).p for entry in others])
    return [entry for entry, p in zip(others, ps, strict=True) if not p < 1 - LEVEL]


def _runs(entry: Entry) -> Runs | None:
    """A finalist's new seeds on choosing rows, each at its best moment, fold after fold."""
    means, costs, pulled = means_of(entry.heat.metric), [], []
    for seed in sorted({racer.replicate for racer in entry.again}):
        racers = [racer for racer in entry.again if racer.replicate == seed]
        if means is None or any(racer.best is None or racer.best.step not in racer.rows for racer in racers):
            return None
        rows = np.concatenate([racer.rows[racer.best.step] for racer in racers if racer.best]).astype(np.float64)
        costs.append(float(means.of(rows.mean(0))))
        pulled.append(pulls(means, rows))
    return Runs(np.array(costs), np.mean(pulled, axis=0)) if costs else None
