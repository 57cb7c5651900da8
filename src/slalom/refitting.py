"""Refitting: the winning recipe trained once more, on rows that were held out during the race."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from slalom.entry import Entry
from slalom.finish import model_of, trained_again
from slalom.model import Model
from slalom.track import Track

NO_TIME = "the refit was given up, since time ran out or it diverged: the model is the one before it."
NOTHING = (
    "the folds are cross-fitted, so that the model is trained on all rows but the test rows in any case: no refit."
)
EARLIER = "the winner is that of the race before, which this one does not refit."


class Refit(NamedTuple):
    """The refitted model, and what is said of it."""

    model: Model
    rows: int
    epochs: float
    note: str


def median_epoch(entry: Entry) -> float:
    """The median over the racers of a recipe of the epoch at which each was best."""
    return float(np.median([r.best.step / entry.heat.steps_per_epoch(r.fold) for r in entry.runs if r.best]))


def refitted(entry: Entry, before: Model, track: Track, halted: Callable[[], bool]) -> Refit | None:
    """A recipe trained from the start on the rows of `Prepared.refit`, with scalers and target unit fitted to them, for
    its median best epoch; None where it was halted or diverged.

    before: the winner's model, whose temperature, threshold and intervals stay: nothing is left to fit them to. A
    plateau, which has no rows to watch, falls where it fell.
    """
    prepared, epochs = entry.heat.prepared, median_epoch(entry)
    assert prepared.refit
    fold, rows, test = len(prepared.all_folds) - 1, len(prepared.refit.train), len(prepared.split.test)
    moment = trained_again(track, entry, fold, epochs, halted)
    if moment is None:
        return None
    where = f"all {rows:,} rows" if rows == prepared.rows else f"all {rows:,} rows that are not test rows"
    where += ", the test rows too," if test and rows == prepared.rows else ""
    note = (
        f"the winner was trained once more on {where} for {epochs:.3g} epochs: all scores are of the model before that."
    )
    model = model_of(entry.heat, entry.recipe, fold, moment)
    model = replace(model, temperature=before.temperature, threshold=before.threshold, conformal=before.conformal)
    return Refit(model, rows, epochs, note)
