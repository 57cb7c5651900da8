"""Shuffles: the order of the training rows in every epoch, the same for all racers that are compared."""

import threading
from collections import OrderedDict

import numpy as np

from slalom.types import Array


class Shuffles:
    """The order of the training rows: one permutation per (seed, replicate, fold, epoch), shared by all racers.

    weights: [N] of the rows of the table, where they have some: an epoch then has as many rows as ever, each as often
    as its share of the weight says, on average (`drawn`); one of weight 2 as often as two rows of weight 1.
    """

    def __init__(self, seed: int, weights: Array | None = None, capacity: int = 2**24) -> None:
        self.seed, self.weights, self.capacity = seed, weights, capacity  # row numbers kept, in all
        self._kept: OrderedDict[tuple[int, int, int], Array] = OrderedDict()
        self._lock = threading.Lock()

    def epoch(self, rows: Array, replicate: int, fold: int, epoch: int) -> Array:
        """The rows of a fold in the order of one epoch."""
        key = (replicate, fold, epoch)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        rng = np.random.default_rng([self.seed, 2, replicate, fold, epoch])
        if self.weights is not None:
            rows = drawn(rows, self.weights[rows], rng)
        made = rows[rng.permutation(len(rows))].astype(np.int32)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self.capacity:
                self._kept.popitem(last=False)
        return made

    def batches(
        self, rows: Array, replicate: int, fold: int, *, start: int, count: int, batch: int, per_epoch: int
    ) -> Array:
        """Rows [count, batch] of steps start, start + 1, …; what is left of an epoch's rows is dropped."""
        taken = np.empty((count, batch), np.int32)
        done = 0
        while done < count:
            epoch, first = divmod(start + done, per_epoch)
            n = min(per_epoch - first, count - done)
            order = self.epoch(rows, replicate, fold, epoch)
            taken[done : done + n] = order[first * batch : (first + n) * batch].reshape(n, batch)
            done += n
        return taken


def drawn(rows: Array, weights: Array, rng: np.random.Generator) -> Array:
    """As many rows as there are, row i ⌊n wᵢ / Σ w⌋ times or once more, so often on average as its weight says.

        times = ⌊Wᵢ + u⌋ − ⌊Wᵢ₋₁ + u⌋,   Wᵢ = n (w₁ + … + wᵢ) / Σ w,   u uniform in [0, 1)

    Equal weights give every row once. Source: systematic resampling, Kitagawa 1996, J. Comp. Graph. Stat. 5 (1).

    >>> drawn(np.array([7, 8, 9, 10]), np.array([2.0, 1.0, 1.0, 0.0]), np.random.default_rng(0)).tolist()
    [7, 7, 8, 9]
    """
    n = len(rows)
    whole = np.cumsum(weights, dtype=np.float64)
    upto = np.round(n * whole / whole[-1], 9)
    marks = np.minimum(np.floor(np.concatenate([[0.0], upto]) + rng.random()), n)  # n + u may round up
    marks[-1] = n
    return np.repeat(rows, np.diff(marks).astype(np.intp))
