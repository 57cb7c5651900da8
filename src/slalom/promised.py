"""Promised: the score that the search found, corrected for having been chosen by it, from what its racers left."""

import numpy as np

from slalom.corrected import RESAMPLES, Corrected, Curve, Start, corrected
from slalom.entry import Entry
from slalom.intervals import means_of
from slalom.track import Track

FEWEST = 40  # samples of the choosing rows, at least
MOST_SECONDS = 0.3
RATE = 1e10  # multiplications a second, by a model
MOST_CELLS = 2**28  # of what the racers left, above which nothing is corrected


def seconds_of(limit: float | None) -> float:
    """Seconds that the correction may take, of a race with such a limit.

    >>> seconds_of(None), seconds_of(10.0), seconds_of(3600.0)
    (0.3, 0.1, 0.3)
    """
    return MOST_SECONDS if limit is None else min(0.05 + 0.005 * limit, MOST_SECONDS)


def promised(track: Track, seconds: float = MOST_SECONDS) -> Corrected | None:
    """The least cost of the search beside what its choice promises on other rows; None where that is not known: the
    metric is no function of means over rows, or there are too many choosing rows (the correction is next to nothing
    then).

    New seeds of finalists have no part in it: they came behind the search. seconds: by which there are fewer samples.
    """
    started = [entry for entries, _ in track.starts for entry in entries]
    if not started:
        return None
    means, folds = means_of(started[0].heat.metric), started[0].heat.prepared.folds
    moments = sum(len(_steps(entry)) for entry in started)
    cells = moments * sum(len(fold.choose) for fold in folds)
    if means is None or not moments or cells > MOST_CELLS:
        return None
    width = next(rows.shape[1] for entry in started for rows in entry.racers[0].rows.values())
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
    samples = int(min(RESAMPLES, max(FEWEST, seconds * RATE / (2 * cells * width))))
    found = corrected(starts, means.of, resamples=samples, seed=started[0].heat.seed)
    return found if np.isfinite(found.corrected) else None


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
