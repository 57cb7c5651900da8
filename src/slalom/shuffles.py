"""Shuffles: the order of the training rows in every epoch, the same for all racers that are compared."""

import threading
from collections import OrderedDict

import numpy as np

from slalom.types import Array


class Shuffles:
    """The order of the training rows: one permutation per (seed, replicate, fold, epoch), shared by all racers."""

    def __init__(self, seed: int, capacity: int = 2**24) -> None:
        self.seed, self.capacity = seed, capacity  # row numbers kept, in all
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
