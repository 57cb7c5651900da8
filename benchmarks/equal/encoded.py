"""The table as numbers, as scikit-learn's users make them: for nets and for trees."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from benchmarks.equal.task import Task

RARE = 5  # training rows: rarer words share a column
MOST_CODES = 250  # words of one column that trees tell apart


@dataclass(frozen=True, eq=False)
class Encoded:
    """Training, validation and test rows [N, D], float32; the first `numbers` columns are numbers, not words."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    numbers: int
    words: tuple[int, ...] = ()  # columns of codes


def _parts(frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Columns of numbers [N, D] float64 with NaN where missing, and columns of words [N, W]."""
    words = [name for name in frame.columns if frame.schema[name] == pl.String]
    numbers = [pl.col(name).cast(pl.Float64) for name in frame.columns if name not in words]
    said = np.array([frame[name].fill_null("missing").to_list() for name in words], dtype=object).T
    return frame.select(numbers).to_numpy().reshape(len(frame), -1), said.reshape(len(frame), len(words))


def for_nets(task: Task) -> Encoded:
    """Missing numbers become the median of the training rows, with a column that says so; words become one-hot."""
    parts = [_parts(frame) for frame in task.frames]
    numbers, words = parts[0]
    filled = [np.zeros((len(one), 0)) for one, _ in parts]
    if numbers.shape[1]:
        imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True).fit(numbers)
        filled = [imputer.transform(one) for one, _ in parts]
    places = [np.zeros((len(one), 0)) for one, _ in parts]
    if words.shape[1]:
        encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=RARE, sparse_output=False).fit(words)
        places = [encoder.transform(one) for _, one in parts]
    train, validation, test = [np.hstack(pair).astype(np.float32) for pair in zip(filled, places, strict=True)]
    return Encoded(train, validation, test, numbers.shape[1])


def for_trees(task: Task) -> Encoded:
    """Missing numbers stay missing; words become codes, which the trees take as categories."""
    parts = [_parts(frame) for frame in task.frames]
    numbers, words = parts[0]
    codes = [np.zeros((len(one), 0)) for one, _ in parts]
    if words.shape[1]:
        encoder = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=MOST_CODES
        ).fit(words)
        codes = [encoder.transform(one) for _, one in parts]
    train, validation, test = [
        np.hstack([one, coded]).astype(np.float32) for (one, _), coded in zip(parts, codes, strict=True)
    ]
    first = numbers.shape[1]
    return Encoded(train, validation, test, first, tuple(range(first, first + words.shape[1])))


def all_classes(probabilities: np.ndarray, present: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities [N, classes] from those of the classes that the training rows held.

    >>> all_classes(np.array([[0.3, 0.7]]), np.array([0, 2]), 3)
    array([[0.3, 0. , 0.7]])
    """
    whole = np.zeros((len(probabilities), classes))
    whole[:, np.asarray(present, int)] = probabilities
    return whole
