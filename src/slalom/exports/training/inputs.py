"""Columns and scalings as text: the lines of a training script that make numbers of the cells of a file."""

from itertools import groupby
from typing import Any

from slalom.data import Columns
from slalom.data.treatments import Category, Code, Cycle, Number, Presence, Text, Treatment
from slalom.errors import SlalomError


def columns(found: Columns) -> list[str]:
    """The entries of the list of parts that a table becomes, in the order of the columns.

    >>> import polars as pl
    >>> columns(Columns.fit(pl.DataFrame({"size": [1.0, 2, 4], "rooms": [3.0, 5, 4], "kind": ["a", "b", "a"]})))
    ['*[filled(number(table[name]), median) for name, median in {',
     "    'size': 2.0, 'rooms': 4.0,",
     '}.items()],',
     "one_hot(table['kind'], ['a', 'b']),"]
    """
    lines = []
    for number, some in groupby(found.treatments, lambda t: isinstance(t, Number) and t.of != "date"):
        if number:
            medians = {t.name: t.fill for t in some if isinstance(t, Number)}
            entries = [f"{name!r}: {value!r}," for name, value in medians.items()]
            lines.append("*[filled(number(table[name]), median) for name, median in {")
            lines += [f"    {line}" for line in wrapped(entries)] + ["}.items()],"]
        else:
            lines += [_line(t) for t in some]
    return lines


def wrapped(entries: list[str]) -> list[str]:
    """Entries as lines of about a hundred signs."""
    lines = [""]
    for entry in entries:
        if lines[-1] and len(lines[-1]) + len(entry) > 100:
            lines.append("")
        lines[-1] += f" {entry}" if lines[-1] else entry
    return lines


def _line(t: Treatment) -> str:
    name = repr(t.name)
    if isinstance(t, Number):
        return f"filled(days(table[{name}]), {t.fill!r}),"
    if isinstance(t, Cycle):
        return f"cycle(days(table[{name}]), period={float(t.period)!r}, whole={bool(t.whole)!r}),"
    if isinstance(t, Presence):
        return f"missing(table[{name}]),"
    if isinstance(t, Text):
        return f"hashed(table[{name}], {int(t.places)}),"
    if isinstance(t, (Category, Code)):
        extra = ", others=True" * t.other + ", gaps=True" * t.missing
        if isinstance(t, Code):
            return f"codes(table[{name}], train{extra}),"
        return f"one_hot(table[{name}], {list(t.levels)!r}{extra}),"
    raise TypeError(type(t).__name__)


def used(found: Columns) -> set[str]:
    """Which functions the lines call: number, days, cycle, missing, hashed, one_hot, codes."""
    words = " ".join(columns(found))
    names = ("number", "days", "cycle", "missing", "hashed", "one_hot", "codes", "filled")
    return {name for name in names if f"{name}(" in words}


# The lines of `scaled(X, train)` for each scaling, and the class of scikit-learn that they use.
SCALINGS: dict[str, tuple[str, list[str]]] = {
    "none": ("", ["return X"]),
    "z_score": ("StandardScaler", ["return StandardScaler().fit(X[train]).transform(X)"]),
    "min_max": ("MinMaxScaler", ["return MinMaxScaler(({low}, {high})).fit(X[train]).transform(X)"]),
    "max_abs": ("MaxAbsScaler", ["return MaxAbsScaler().fit(X[train]).transform(X)"]),
    "power": ("PowerTransformer", ["return PowerTransformer().fit(X[train]).transform(X)"]),
    "quantile_normal": (
        "QuantileTransformer",
        [
            'made = QuantileTransformer(n_quantiles={quantiles}, output_distribution="normal", subsample=None)',
            "return made.fit(X[train]).transform(X)",
        ],
    ),
    "sigmoid": ("", ["return 1 / (1 + np.exp(-np.clip(X, -700, 700)))"]),
    "z_score_sigmoid": (
        "StandardScaler",
        ["return 1 / (1 + np.exp(-np.clip(StandardScaler().fit(X[train]).transform(X), -700, 700)))"],
    ),
    "robust": ("RobustScaler", ["return RobustScaler().fit(X[train]).transform(X)"]),
    "robust_clip": (
        "",
        [
            "low, median, high = np.quantile(X[train], [0.25, 0.5, 0.75], axis=0)",
            "spread = np.where(high > low, high - low, np.ptp(X[train], axis=0) / 2)",
            "u = (X - median) / np.where(spread > 0, spread, 1)",
            "return u / np.sqrt(1 + (u / {clip}) ** 2)",
        ],
    ),
}
TARGETS = {
    "none": "",
    "mean": "",
    "z_score": "StandardScaler()",
    "min_max": "MinMaxScaler()",
    "max_abs": "MaxAbsScaler()",
    "robust": "RobustScaler()",
    "power": "PowerTransformer()",
    "quantile_normal": 'QuantileTransformer(n_quantiles={quantiles}, output_distribution="normal", subsample=None)',
}


def scaling(plain: dict[str, Any], quantiles: int) -> list[str]:
    """The lines that scale X [N, D] by the training rows. plain: a scaler as its name and numbers."""
    return [line.format(**plain, quantiles=quantiles) for line in SCALINGS[plain["name"]][1]]


def target(name: str, quantiles: int) -> str:
    """What makes the scaler of a target; "" where there is none (SlalomError where a script has no text of it)."""
    if name not in TARGETS:
        known = ", ".join(name for name in TARGETS if name != "mean")
        raise SlalomError(
            f"target_scaling must be one of {known}: a training script has no text of others. Got {name}."
        )
    return TARGETS[name].format(quantiles=quantiles)
