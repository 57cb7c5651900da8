"""The baselines of every race: mean or majority, a linear model, and boosted trees, fitted in a process of their own.

A process can be ended at any moment, so a time limit holds even where boosted trees need minutes; and scikit-learn's
import does not delay the first racer. `python -m slalom.baselines FOLDER` is that process: it reads columns from the
folder and writes one file of predictions a baseline and fold.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from slalom.types import Array

# Spinning threads beside the racers would cost both of them more than they give the trees.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
MOST_CATEGORIES = 255  # of a column, that boosted trees take
NAMES = ("mean or majority", "linear model", "boosted trees (HistGradientBoosting)")


class Baseline(NamedTuple):
    """A baseline: predictions of its model of each fold; none where the time did not allow it."""

    name: str
    predictions: list[Array]  # a fold each, for the rows that were wanted of it: [n] or [n, classes]
    seconds: float
    outcome: str  # finished, out of time, or the sentence of a failure


class Numbers:
    """The encoded columns, in a folder for the process of the baselines: one file each, float32 where that is exact."""

    def __enter__(self) -> Self:
        self._made = tempfile.TemporaryDirectory(prefix="slalom-")
        self.folder = Path(self._made.name)
        return self

    def __exit__(self, *_: object) -> None:
        self._made.cleanup()

    def put(self, run: range, table: Array) -> None:
        """Keep these columns: table [N, len(run)] float64. May be called from several threads."""
        for i, column in zip(run, table.T, strict=True):
            with np.errstate(over="ignore"):  # such cells are kept in float64
                small = column.astype(np.float32)
            exact = bool(np.array_equal(small, column, equal_nan=True))
            np.save(self.folder / f"column{i}.npy", small if exact else column)


class Baselines:
    """The running process of the baselines."""

    def __init__(
        self,
        numbers: Numbers,
        labels: Array,
        folds: list[Array],
        wanted: list[Array],
        classes: int,
        codes: Sequence[int] = (),
        weights: Array | None = None,
    ) -> None:
        """numbers: the encoded columns. labels [N]; folds: the training rows of each; wanted: the rows to predict by
        the model of each fold; classes: 0 for a regression; codes: how many codes each of the last
        columns has; weights [N]: of the rows in training."""
        self._folder = path = numbers.folder
        self._began, self._folds = time.perf_counter(), len(folds)
        np.save(path / "labels.npy", labels)
        if weights is not None:
            np.save(path / "weights.npy", weights)
        for i, (rows, asked) in enumerate(zip(folds, wanted, strict=True)):
            np.save(path / f"rows{i}.npy", rows)
            np.save(path / f"wanted{i}.npy", asked)
        (path / "about.json").write_text(json.dumps({"folds": len(folds), "classes": classes, "codes": list(codes)}))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "slalom.baselines", str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=os.environ | ONE_THREAD,
        )  # fmt: skip

    def collect(self, deadline: float) -> list[Baseline]:
        """The baselines that are done by `deadline` (time.perf_counter()); the process is ended."""
        try:
            self._process.wait(timeout=max(0.0, deadline - time.perf_counter()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return [self._read(i, name) for i, name in enumerate(NAMES)]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _read(self, i: int, name: str) -> Baseline:
        path = self._folder
        if (path / f"failed{i}.txt").exists():
            return Baseline(name, [], 0.0, "failed: " + (path / f"failed{i}.txt").read_text(encoding="utf-8"))
        done = [path / f"answer{i}.{fold}.npy" for fold in range(self._folds)]
        if not all(file.exists() for file in done):
            return Baseline(name, [], 0.0, "out of time")
        seconds = float((path / f"seconds{i}.txt").read_text()) if (path / f"seconds{i}.txt").exists() else 0.0
        return Baseline(name, [np.load(file) for file in done], seconds, "finished")


def _models(classes: int, plain: int = 0, codes: Sequence[int] = ()) -> list[Any]:
    """The baselines, unfitted, in the order of NAMES. plain: columns of numbers; codes: how many codes each of the
    columns behind them has."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    first: Any = DummyClassifier(strategy="prior") if classes else DummyRegressor()
    linear: Any = LogisticRegression(max_iter=300) if classes else RidgeCV(np.logspace(-3, 3, 7))
    trees: Any = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    if not codes:
        return [first, make_pipeline(StandardScaler(), linear), trees(random_state=0)]
    places, means, categories = _encoders(classes, plain, codes)
    grown = trees(random_state=0, categorical_features=categories)
    return [first, make_pipeline(places, linear), make_pipeline(means, grown)]


def _encoders(classes: int, plain: int, codes: Sequence[int]) -> tuple[Any, Any, list[int]]:
    """What stands in front of the linear model, what in front of the trees, and which columns of that are categories.

    Codes are no numbers. The linear model gets a place for each of the most frequent; the trees get the mean target of
    each (cross-fitted; one a class) and, of a column with no more than they take, the categories themselves: those
    alone are little to them where each has few rows.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

    numbers, coded = list(range(plain)), list(range(plain, plain + len(codes)))
    few = [column for column, count in zip(coded, codes, strict=True) if count < MOST_CATEGORIES]
    most = OneHotEncoder(max_categories=MOST_CATEGORIES, handle_unknown="infrequent_if_exist")
    mean = TargetEncoder(target_type="auto" if classes else "continuous")
    places = ColumnTransformer([("numbers", StandardScaler(), numbers), ("codes", most, coded)])
    means = ColumnTransformer(
        [("numbers", "passthrough", numbers), ("few", "passthrough", few), ("means", mean, coded)], sparse_threshold=0
    )
    return places, means, list(range(plain, plain + len(few)))


def _fit(model: Any, table: Array, labels: Array, weights: Array | None) -> None:
    """Fit a baseline, rows weighted where they have weights."""
    last = model.steps[-1][0] + "__" if hasattr(model, "steps") else ""
    model.fit(table, labels, **({} if weights is None else {f"{last}sample_weight": weights}))


def _answer(model: Any, table: Array, classes: int) -> Array:
    """Predictions for the rows of a table; a class that the training rows did not have gets probability 0."""
    if not classes:
        return model.predict(table)
    probabilities = np.zeros((len(table), classes))
    probabilities[:, model.classes_.astype(int)] = model.predict_proba(table)
    return probabilities


def _table(path: Path, rows: Array) -> Array:
    """Some rows of the encoded columns: [n, D] float64."""
    files = sorted(path.glob("column*.npy"), key=lambda file: int(file.stem.removeprefix("column")))
    made = np.empty((len(rows), len(files)))
    for i, file in enumerate(files):
        made[:, i] = np.load(file, mmap_mode="r")[rows]
    return made


def main(folder: str) -> None:
    """The process: fit every baseline on every fold, the quick ones first, and write what each predicts."""
    import warnings

    np.random.seed(0)  # of the encoder's folds, which has lost its own seed in newer releases
    warnings.simplefilter("ignore")  # a linear model that has not converged is still a baseline
    path = Path(folder)
    about = json.loads((path / "about.json").read_text())
    labels = np.load(path / "labels.npy")
    weights = np.load(path / "weights.npy") if (path / "weights.npy").exists() else None
    for i in range(len(NAMES)):
        began = time.perf_counter()
        try:
            for fold in range(about["folds"]):
                rows = np.load(path / f"rows{fold}.npy")
                table, codes = _table(path, rows), about["codes"]
                model = _models(about["classes"], table.shape[1] - len(codes), codes)[i]
                _fit(model, table, labels[rows], None if weights is None else weights[rows])
                answer = _answer(model, _table(path, np.load(path / f"wanted{fold}.npy")), about["classes"])
                np.save(path / "part.npy", answer)
                (path / "part.npy").replace(path / f"answer{i}.{fold}.npy")
        except Exception as error:  # noqa: BLE001 - a baseline that cannot be fitted is an outcome
            (path / f"failed{i}.txt").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        (path / f"seconds{i}.txt").write_text(str(time.perf_counter() - began))


if __name__ == "__main__":
    main(sys.argv[1])
