"""Continued: what a race that goes on in the folder of another must have in common with it."""

import hashlib

import numpy as np

from slalom.errors import SlalomError
from slalom.folder import RunFolder
from slalom.journal import Journal
from slalom.metrics import Metric
from slalom.order import Order
from slalom.prepare import Prepared


def first_number(folder: RunFolder, order: Order, metric: Metric) -> int:
    """The number of the first recipe: those of the race that is continued come before it.

    Raises SlalomError where this race's scores could not be compared with that one's.
    """
    if not folder.extends:
        return 0
    then = folder.settings()["order"]
    for name, now in (("seed", order.seed), ("metric", metric.name)):
        if then[name] != now:
            raise SlalomError(
                f"{name} must be that of the race in {folder.path}, {then[name]!r}. Got {now!r}: scores"
                " compare only on the same choosing rows by the same metric."
            )
    with Journal(folder.journal) as journal:
        return max((row["number"] for row in journal.recipes()), default=-1) + 1


def fingerprint(folder: RunFolder, prepared: Prepared) -> str:
    """A hash of the encoded rows; a race is only extended on the same ones (SlalomError)."""
    made = hashlib.blake2b(prepared.digest, digest_size=16)
    made.update(np.ascontiguousarray(prepared.labels).data)
    if folder.extends and folder.settings()["data"]["fingerprint"] != made.hexdigest():
        raise SlalomError(
            f"The data must be the same as in {folder.path}. Rows, columns or target differ: start a new race."
        )
    return made.hexdigest()
