"""The data sets of the comparison: for each a function that reads it, and the division of its rows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]  # training, validation, test
SHARES = (0.6, 0.2)  # of the rows train and validate; the others test


@dataclass(frozen=True, eq=False)
class DataSet:
    """A table with its target.

    target: [N] float64, or for classes the number of each row's class, int64. classes: their names, sorted; empty for a
    regression. metric: what contestants choose by and are judged by. split: the publishers' own rows; None where every
    seed deals rows of its own.
    """

    name: str
    frame: pl.DataFrame
    target: np.ndarray
    classes: tuple[str, ...]
    metric: str
    split: Rows | None = None

    def rows(self, seed: int) -> Rows:
        """Training, validation and test rows for a seed."""
        return self.split or dealt(len(self.frame), seed)


def dealt(n: int, seed: int) -> Rows:
    """n row numbers, shuffled by the seed: 60 % train, 20 % validate, 20 % test.

    >>> [len(part) for part in dealt(10, seed=0)]
    [6, 2, 2]
    """
    order = np.random.default_rng([seed, n]).permutation(n)
    first, second = round(SHARES[0] * n), round(sum(SHARES) * n)
    return order[:first], order[first:second], order[second:]


def tidied(frame: pl.DataFrame) -> pl.DataFrame:
    """Cells without blanks and quotation marks around them, empty ones missing; words that are numbers as numbers."""
    made = []
    for column in frame.iter_columns():
        if column.dtype == pl.String:
            column = column.str.strip_chars(" \t'\"").replace("", None)
            numbers = column.cast(pl.Float64, strict=False)
            column = numbers if numbers.null_count() == column.null_count() < len(column) else column
        made.append(column)
    return pl.DataFrame(made)


def of_classes(column: pl.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """The number of each cell's class, and the classes' names, sorted as words.

    >>> of_classes(pl.Series(["no", "yes", "no"]))
    (array([0, 1, 0]), ('no', 'yes'))
    """
    names, codes = np.unique(column.cast(pl.String).to_numpy(), return_inverse=True)
    return codes.astype(np.int64), tuple(map(str, names))


def from_csv(
    name: str, folder: Path, file: str, target: str | None, metric: str, drop: tuple[str, ...] = (), header: bool = True
) -> DataSet:
    """A table of a file, separated by commas or, where its first line holds some, semicolons; without a header the
    last column is the target."""
    path = folder / file
    with path.open() as lines:
        separator = ";" if ";" in next(lines) else ","
    frame = tidied(pl.read_csv(path, separator=separator, has_header=header, infer_schema_length=None))
    target = target or frame.columns[-1]
    frame = frame.filter(pl.col(target).is_not_null())
    features = frame.drop(target, *drop)
    if metric == "rmse":
        return DataSet(name, features, frame[target].cast(pl.Float64).to_numpy(), (), metric)
    return DataSet(name, features, *of_classes(frame[target]), metric)


def from_sklearn(name: str, load: str, metric: str) -> DataSet:
    """A set that scikit-learn ships."""
    import sklearn.datasets

    held = getattr(sklearn.datasets, load)()
    columns = {str(feature): held.data[:, i] for i, feature in enumerate(held.feature_names)}
    target, classes = np.asarray(held.target, np.float64), ()
    if metric != "rmse":
        target, classes = held.target.astype(np.int64), tuple(map(str, held.target_names))
    return DataSet(name, pl.DataFrame(columns), target, classes, metric)


def from_rtdl(name: str, folder: Path, metric: str) -> DataSet:
    """One of the sets of Gorishniy et al. (https://arxiv.org/abs/2203.05556) with its published rows: `X_num`, where
    there are words `X_cat`, `y`, `idx_train`, `idx_val`, `idx_test`."""
    held = np.load(folder / f"{name}.npz", allow_pickle=False)
    columns: dict[str, Any] = {f"number {i}": held["X_num"][:, i] for i in range(held["X_num"].shape[1])}
    if "X_cat" in held:
        columns |= {f"word {i}": held["X_cat"][:, i].tolist() for i in range(held["X_cat"].shape[1])}
    target, classes = held["y"].astype(np.float64), ()
    if metric != "rmse":
        target, classes = held["y"].astype(np.int64), tuple(map(str, np.unique(held["y"])))
    split = (held["idx_train"], held["idx_val"], held["idx_test"])
    return DataSet(name, pl.DataFrame(columns), target, classes, metric, split)


# Identity numbers and columns that give the answer away are nobody's task here: they are dropped for all.
RTDL: dict[str, Callable[[Path], DataSet]] = {
    "california": partial(from_rtdl, "california", metric="rmse"),
    "adult": partial(from_rtdl, "adult", metric="accuracy"),  # as published
}
TABLES: dict[str, Callable[[Path], DataSet]] = {
    "housing": partial(from_csv, "housing", file="housing.csv", target="median_house_value", metric="rmse"),
    "diamonds": partial(from_csv, "diamonds", file="diamonds.csv", target="price", metric="rmse"),
    "mpg": partial(from_csv, "mpg", file="mpg.csv", target="mpg", metric="rmse"),
    "wine quality": partial(
        from_csv, "wine quality", file="winequality-red.csv", target=None, metric="rmse", header=False
    ),
    "churn": partial(
        from_csv, "churn", file="Telco-Customer-Churn.csv", target="Churn", metric="log_loss", drop=("customerID",)
    ),
    "bank": partial(from_csv, "bank", file="bank.csv", target="y", metric="log_loss"),
    "titanic": partial(from_csv, "titanic", file="titanic.csv", target="survived", metric="log_loss", drop=("alive",)),
    "penguins": partial(from_csv, "penguins", file="penguins.csv", target="species", metric="log_loss"),
    "mammography": partial(
        from_csv, "mammography", file="mammography.csv", target=None, metric="log_loss", header=False
    ),
    "oil spill": partial(from_csv, "oil spill", file="oil-spill.csv", target=None, metric="log_loss", header=False),
}
SKLEARN: dict[str, Callable[[], DataSet]] = {
    "diabetes": partial(from_sklearn, "diabetes", "load_diabetes", "rmse"),
    "breast cancer": partial(from_sklearn, "breast cancer", "load_breast_cancer", "log_loss"),
    "wine": partial(from_sklearn, "wine", "load_wine", "log_loss"),
    "digits": partial(from_sklearn, "digits", "load_digits", "log_loss"),
    "iris": partial(from_sklearn, "iris", "load_iris", "log_loss"),
}


# Sets on whose validation rows something that ships was chosen, by hand. `housing` is California's table again: rows
# that validated there may test here.
SEEN = {
    "california": "quantile-normal scaling with periodic features; the plan's rungs",
    "housing": "the same, as California's table",
    "adult": "quantile-normal scaling with periodic features; the range of their first spread; the plan's rungs",
    **dict.fromkeys(("diamonds", "mammography", "mpg", "churn"), "the plan's rungs"),
}


def loaders(rtdl: Path | None, tables: Path | None) -> dict[str, Callable[[], DataSet]]:
    """All sets that can be read, by name, with what reads them: those of the folders given, and scikit-learn's.

    >>> list(loaders(None, None))
    ['diabetes', 'breast cancer', 'wine', 'digits', 'iris']
    """
    found: dict[str, Callable[[], DataSet]] = {}
    for folder, readers in ((rtdl, RTDL), (tables, TABLES)):
        if folder is not None:
            found |= {name: partial(read, folder=folder) for name, read in readers.items()}
    return found | SKLEARN
