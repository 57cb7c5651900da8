"""Understands the target: numbers to be met or classes to be told apart, and the way there and back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import polars as pl

from slalom.data.base import shown
from slalom.errors import SlalomError, unknown, wrong
from slalom.types import Array

Task = Literal["regression", "classification"]
MOST_INTEGER_CLASSES = 20  # whole numbers with more distinct values are numbers, not classes
ROWS_A_CLASS = 10  # rows that whole numbers need for each distinct value to be taken for classes
_LARGEST = 1e150  # squares stay finite


def find_target(frame: pl.DataFrame, name: str) -> pl.Series:
    """The target column of a table; an unknown name is an error that lists the names and the nearest of them.

    >>> find_target(pl.DataFrame({"size": [1], "price": [2]}), "prize")
    Traceback (most recent call last):
    slalom.errors.SlalomError: target must be one of size, price. Got 'prize'. Did you mean 'price'?
    """
    if name not in frame.columns:
        raise unknown("target", str(name), frame.columns)
    return frame[name]


@dataclass(frozen=True, eq=False)
class Target:
    """What is to be predicted, and the task it sets.

        float with a fraction                    → regression
        text, booleans, categories               → classification
        whole numbers (also as floats)           → classification if there are at most 20 distinct ones and 10 rows for
                                                   each of them (two are always classes), else regression

    name: of the column. classes: [C] the labels, sorted, in the dtype they came in; empty for regression.
    mean, spread: of the training rows, in the target's unit (0 and 1 for classes; spread 1 if the target is constant).
    notes: what was decided, one sentence each.

    >>> target = Target.fit(["no", "yes", "no"])
    >>> target.task, target.outputs, target.encode(["yes", "no"]).tolist(), target.decode([1]).tolist()
    ('classification', 1, [1, 0], ['yes'])
    """

    task: Task
    name: str
    classes: Array
    mean: float = 0.0
    spread: float = 1.0
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls, y: Any, task: str = "auto", *, rows: Sequence[int] | Array | None = None, name: str = "target"
    ) -> Self:
        """Decide on the task, or take the one that is named, and find the classes.

        y: [N] or [N, 1], a list, array or column of any make. rows: training rows, for mean and spread; all if None.
        Raises SlalomError for missing or infinite values (with their count), one class only, classes that hardly
        repeat, several columns, and words where numbers are wanted (with an example).
        """
        if task not in ("auto", "regression", "classification"):
            raise unknown("task", task, ["auto", "regression", "classification"])
        values, dtype, name = _values(y, name)
        decided, reason = _decide(values) if task == "auto" else (task, "as asked")
        if decided == "regression":
            numbers = _as_numbers(values, name)
            note = f"Target {shown(name)}: regression, {reason}."
            return cls("regression", name, np.empty(0), notes=(note,)).standardised(numbers, rows)
        labels = np.unique(values)
        _refuse_classes(labels, values, name)
        listed = ", ".join(shown(label) if values.dtype.kind == "U" else f"{label}" for label in labels[:5])
        listed += ", …" if len(labels) > 5 else ""
        note = f"Target {shown(name)}: classification into {len(labels)} classes ({listed}), {reason}."
        return cls("classification", name, labels.astype(dtype), notes=(note,))

    @property
    def outputs(self) -> int:
        """How many numbers a net must put out: 1 for regression and two classes, else one a class."""
        return 1 if len(self.classes) <= 2 else len(self.classes)

    def encode(self, y: Any) -> Array:
        """y [N] as numbers: float64 in the target's unit, or the int64 code of each class.

        Raises SlalomError for missing or infinite values and for labels that the fit has not seen.
        """
        values, _, name = _values(y, self.name)
        if self.task == "regression":
            return _as_numbers(values, name)
        known = self._plain_classes()
        if (values.dtype.kind == "U") != (known.dtype.kind == "U"):
            raise wrong(f"Target {shown(name)}", f"labels such as {known[0]!s}", values[0].item())
        codes = np.minimum(np.searchsorted(known, values), len(known) - 1)
        strange = known[codes] != values
        if strange.any():
            got = values[strange][0].item()
            raise unknown(f"Target {shown(name)}", str(got), [str(label) for label in known])
        return codes.astype(np.int64)

    def decode(self, codes: Any) -> Array:
        """Labels for codes [N], letter by letter and in the dtype they came in; regression values as they are.

        >>> Target.fit([3, 7, 3, 7]).decode([1, 0])
        array([7, 3])
        """
        if self.task == "regression":
            return np.asarray(codes, dtype=np.float64)
        return self.classes[np.asarray(codes, dtype=np.intp)]

    def standardised(self, y: Any, rows: Sequence[int] | Array | None = None) -> Self:
        """The same target with mean and spread of the training rows of y [N], as `encode` hands it out.

            mean = Σ y / n,   spread = √(Σ (y − mean)² / n), or 1 where the rows are constant

        Classes keep 0 and 1.
        """
        if self.task == "classification":
            return self
        numbers = np.asarray(y, dtype=np.float64)
        numbers = numbers if rows is None else numbers[np.asarray(rows, dtype=np.intp)]
        constant = numbers.max() == numbers.min()  # not spread == 0: the spread of 0.1s is rounding noise
        mean, spread = (numbers[0], 1.0) if constant else (numbers.mean(), numbers.std())
        return replace(self, mean=float(mean), spread=float(spread) or 1.0)

    def to_plain(self) -> dict[str, Any]:
        """As a dictionary of text, numbers and lists, fit for JSON.

        >>> Target.fit([True, False]).to_plain()["classes"]
        [False, True]
        """
        plain = {"task": self.task, "name": self.name, "classes": self.classes.tolist()}
        numbers = {"dtype": str(self.classes.dtype), "mean": self.mean, "spread": self.spread}
        return {**plain, **numbers, "notes": list(self.notes)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """The record that `to_plain` wrote, also after a way through JSON.

        >>> Target.from_plain(Target.fit(["a", "b"]).to_plain()).classes.tolist()
        ['a', 'b']
        """
        dtype = np.dtype(str(plain["dtype"])[:20])  # NumPy reads numbers in it
        dtype = np.dtype("U") if dtype.kind == "U" else dtype  # as wide as its labels are
        known = plain["task"] in ("regression", "classification") and dtype.kind in "biufUO"
        if not known or not all(isinstance(label, (str, int, float)) for label in plain["classes"]):
            raise ValueError(f"a target of task {plain['task']!r:.40} with labels of type {dtype}")
        classes = np.array(plain["classes"], dtype=dtype)
        mean, spread, notes = float(plain["mean"]), float(plain["spread"]), tuple(map(str, plain["notes"]))
        return cls(plain["task"], str(plain["name"]), classes, mean, spread, notes)

    def _plain_classes(self) -> Array:
        """The classes in a dtype that can be searched."""
        return np.array(self.classes.tolist()) if self.classes.dtype == object else self.classes


def _values(y: Any, name: str) -> tuple[Array, Any, str]:
    """y as [N] booleans, whole numbers, floats or text without missing cells; the dtype it came in; its name."""
    name = str(given) if isinstance(given := getattr(y, "name", None), str) and name == "target" else name
    where = f"Target {shown(name)}"
    try:
        a = y if isinstance(y, np.ma.MaskedArray) else np.asarray(y)
        if a.dtype.kind in "US" and not hasattr(y, "dtype"):
            a = np.asarray(y, dtype=object)  # a list of 1 and "a" is no list of text
    except (ValueError, TypeError):
        raise SlalomError(f"{where} must have one value a row. Got rows of different lengths.") from None
    a = a[:, 0] if a.ndim == 2 and a.shape[1] == 1 else a
    if a.ndim != 1 or len(a) == 0:
        raise SlalomError(f"{where} must have one value a row, and rows. Got shape {a.shape}.")
    missing = _missing(a)
    if missing.any():
        raise SlalomError(
            f"{where} must be known in every row. Got {missing.sum()} missing of {len(a)}. Leave these rows out."
        )
    if a.dtype == object:
        return _from_objects(a, where), a.dtype, name
    if a.dtype.kind not in "biufU":
        raise SlalomError(f"{where} must be numbers, text or booleans. Got {a.dtype}.")
    return _finite(a, where), a.dtype, name


def _missing(a: Array) -> Array:
    """[N] True where a cell holds nothing."""
    if isinstance(a, np.ma.MaskedArray):
        return np.ma.getmaskarray(a) | _missing(a.data)
    if a.dtype == object:
        return np.array(
            [c is None or type(c).__name__ in ("NAType", "NaTType") or (isinstance(c, float) and c != c) for c in a]
        )
    return np.isnat(a) if a.dtype.kind in "mM" else a != a


def _from_objects(a: Array, where: str) -> Array:
    """Python objects of one kind as an array of that kind."""
    cells = a.tolist()
    kinds = {type(c.item() if isinstance(c, np.generic) else c) for c in cells}
    for kind in ({bool}, {int}, {str}):
        if kinds == kind:
            return _finite(np.array(cells), where)
    if str in kinds:
        other = next(c for c in cells if not isinstance(c, str))
        raise SlalomError(f"{where} must be of one kind. Got text and {other!r}. Write all labels as text.")
    try:
        numbers = np.array([float(c) for c in cells])
    except (TypeError, ValueError):
        raise SlalomError(f"{where} must be numbers, text or booleans. Got {type(cells[0]).__name__}.") from None
    return _finite(numbers, where)


def _finite(a: Array, where: str) -> Array:
    """Numbers of a size that can be squared; half floats as floats."""
    if a.dtype.kind != "f":
        return a
    a = np.asarray(a, dtype=np.float64)
    bad = np.abs(a) > _LARGEST
    if bad.any():
        got = f"{bad.sum()} of {len(a)} that {'is' if bad.sum() == 1 else 'are'} not, such as {a[bad][0]:g}"
        raise SlalomError(f"{where} must hold finite numbers below {_LARGEST:g}. Got {got}.")
    return a


def _decide(values: Array) -> tuple[Task, str]:
    """The task that values set, and why."""
    if values.dtype.kind in "Ub":
        return "classification", "because it holds text" if values.dtype.kind == "U" else "because it is true or false"
    if values.dtype.kind == "f" and (values % 1 != 0).any():
        return "regression", "because it holds numbers with fractions"
    distinct = len(np.unique(values))
    if distinct <= 2 or (distinct <= MOST_INTEGER_CLASSES and distinct * ROWS_A_CLASS <= len(values)):
        return (
            "classification",
            f"because it holds {distinct} distinct whole numbers (name the task regression to change that)",
        )
    return (
        "regression",
        f"because it holds {distinct} distinct whole numbers (name the task classification to change that)",
    )


def _refuse_classes(labels: Array, values: Array, name: str) -> None:
    """Refuse a single class, and classes that hardly repeat."""
    if len(labels) == 1:
        raise SlalomError(f"Target {shown(name)} must have at least two classes. Got {shown(labels[0])} in every row.")
    if len(labels) > max(2, len(values) / 2):
        got = f"{len(labels)} distinct values in {len(values)} rows, such as {shown(labels[0])}"
        raise SlalomError(f"Target {shown(name)} must be numbers, or classes that repeat. Got {got}.")


def _as_numbers(values: Array, name: str) -> Array:
    """Values as float64; text that is numbers is read as such."""
    if values.dtype.kind != "U":
        return values.astype(np.float64)
    for text in values:
        try:
            float(text)
        except ValueError:
            do = "Turn them into numbers, or choose the task classification."
            raise wrong(f"Target {shown(name)}", "numbers for the task regression", str(text), do) from None
    return _finite(values.astype(np.float64), f"Target {shown(name)}")
