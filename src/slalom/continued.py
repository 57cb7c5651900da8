"""Continued: what a race that goes on in the folder of another must have in common with it."""

import hashlib
import json
from typing import Any, NamedTuple

import numpy as np

from slalom.errors import SlalomError
from slalom.folder import RunFolder
from slalom.journal import Journal
from slalom.metrics import Metric
from slalom.order import Order
from slalom.prepare import Prepared
from slalom.recipe import Recipe


class Earlier(NamedTuple):
    """What was raced before: `first` is the number of the next recipe."""

    first: int = 0
    recipes: frozenset[str] = frozenset()

    def holds(self, recipe: Recipe) -> bool:
        """Whether a recipe was raced, with any horizon."""
        return _without_horizon(recipe.to_plain()) in self.recipes


def _without_horizon(plain: dict[str, Any]) -> str:
    return json.dumps({**plain, "epochs": 0}, sort_keys=True)


def earlier(folder: RunFolder, order: Order, metric: Metric, wave: int | None = None) -> Earlier:
    """The recipes of the race that is continued, whose numbers come before those of this one. wave: the number of this
    one where it is resumed, and has rows of its own in the journal.

    Raises SlalomError where this race's scores could not be compared with that one's.
    """
    if not folder.extends:
        return Earlier()
    then = folder.settings()["order"]
    for name, now in (("seed", order.seed), ("metric", metric.name)):
        if then[name] != now:
            raise SlalomError(
                f"{name} must be that of the race in {folder.path}, {then[name]!r}. Got {now!r}: scores"
                " compare only on the same choosing rows by the same metric."
            )
    with Journal(folder.journal) as journal:
        rows = [row for row in journal.recipes() if wave is None or row["wave"] < wave]
    first = max((row["number"] for row in rows), default=-1) + 1
    return Earlier(first, frozenset(_without_horizon(row["recipe"]) for row in rows))


def fingerprint(folder: RunFolder, prepared: Prepared, expected: str | None = None) -> str:
    """A hash of the encoded rows and of their division; a race is only extended on the same ones, and resumed on those
    that it began with, `expected` (SlalomError)."""
    made = hashlib.blake2b(prepared.digest, digest_size=16)
    made.update(np.ascontiguousarray(prepared.labels).data)
    if prepared.weights is not None:
        made.update(np.ascontiguousarray(prepared.weights).data)
    for rows in prepared.split.train:
        made.update(np.ascontiguousarray(rows, np.int64).data)
    before = expected or (folder.settings()["data"]["fingerprint"] if folder.extends else None)
    if before and before != made.hexdigest():
        raise SlalomError(
            f"The data must be the same as in {folder.path}. Rows, columns, target, weights or the division of rows"
            " differ: start a new race."
        )
    return made.hexdigest()
