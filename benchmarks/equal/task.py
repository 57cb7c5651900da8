"""A contestant's task as it lies in a folder: rows, but no targets of test rows, the deadline, and what it leaves."""

import json
import os
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.equal import costs

LEAVE = 0.5  # seconds before the deadline at which a search that has no end of its own is ended


@dataclass(eq=False)
class Task:
    """What a contestant is given.

    metric: what it is judged by. classes: how many, 0 for a regression. seconds: of the whole process, which started at
    `began` (time.time()). cores: so many may be used.
    """

    folder: Path
    metric: str
    classes: int
    seconds: float
    seed: int
    cores: int
    began: float
    _saved: int = field(default=0, init=False)

    @classmethod
    def read(cls, folder: Path) -> "Task":
        """The task of a folder."""
        return cls(folder, **json.loads((folder / "task.json").read_text()))

    @cached_property
    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """The columns of the training, validation and test rows."""
        train, validation, test = [
            pl.read_parquet(self.folder / f"{part}.parquet") for part in ("train", "validation", "test")
        ]
        return train, validation, test

    @cached_property
    def y(self) -> np.ndarray:
        """The targets of the training rows."""
        return np.load(self.folder / "train.npy")

    @cached_property
    def y_validation(self) -> np.ndarray:
        """The targets of the validation rows."""
        return np.load(self.folder / "validation.npy")

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.began + self.seconds - time.time()

    def cost(self, validation: np.ndarray) -> float:
        """What predictions of the validation rows cost by the metric."""
        return costs.cost(self.metric, self.y_validation, validation)

    def save(self, label: str, validation: np.ndarray, test: np.ndarray) -> None:
        """Leave predictions of validation and test rows: [N], or probabilities [N, classes].

        As often as something better is found: of those that lay here at the deadline the judge takes the ones with the
        least cost on the validation rows. label: whose they are, where a contestant has several.
        """
        self._saved += 1
        name = f"{os.getpid()}-{self._saved}.npz"
        hidden = self.folder / f".{name}"
        with hidden.open("wb") as file:
            np.savez(file, label=np.array(label), validation=validation, test=test)
        hidden.rename(self.folder / name)  # whole or not at all

    def tell(self, **about: Any) -> None:
        """Leave a word about the search: numbers that the page shows."""
        (self.folder / f"about-{os.getpid()}.json").write_text(json.dumps(about))

    def leave_in_time(self) -> None:
        """End this process shortly before the deadline, wherever it is then: what it saved stays."""
        timer = threading.Timer(max(self.left() - LEAVE, 0.0), os._exit, [0])
        timer.daemon = True
        timer.start()
