"""Scaled: what each scaling makes of the columns, and how many steps of gradient descent that costs or saves."""

import math
from collections.abc import Iterable
from time import perf_counter
from typing import Any

import numpy as np

from slalom import scaling
from slalom.curvature import condition
from slalom.prepare import Prepared
from slalom.types import Array

SHOWN = ("none", "z_score", "min_max", "robust", "sigmoid")
ROWS, COLUMNS, MOST = 4_096, 6, 64  # rows and columns that are looked at, columns of which a condition is taken
CELLS = 2**17  # that are scaled each time, at most
BINS, FEWEST = 30, 100  # of a histogram; rows, below which there is none
DIGITS = 3  # of the width of a bin, that its edges are told with
LEFT = 0.01  # of the loss that descent can take away, at which it counts as arrived
CRUSHED = 1e-4  # of the largest value of a column: a smaller spread is none
NEGLIGIBLE = 1e-7  # of the largest eigenvalue: below it a direction has no rows
FOREVER = 10**9


def scaled(prepared: Prepared, winner: str, until: float = math.inf) -> dict[str, Any]:
    """The columns of numbers before and after each scaling, in histograms (half a percent at either end lies in the
    outermost bins), the condition number under each, and the steps that plain gradient descent needs there.

    Every scaling is fitted to the training rows of the first fold, at most 4,096 of them, evenly spread, and the first
    64 columns. winner: the scaling of the winner, shown first. until: the perf_counter() from which no further scaling
    is begun. Histograms are left out below a hundred rows. {} where there is no column of numbers.
    """
    count = prepared.columns.numeric
    train = prepared.folds[0].train
    most = min(ROWS, len(train), CELLS // max(min(count, MOST), 1))
    rows = train[np.unique(np.linspace(0, len(train) - 1, most).astype(int))]
    if not count or len(rows) < 2 or prepared.base is None:
        return {}
    columns = prepared.x[rows, : min(count, MOST)].astype(np.float64)
    raw = columns * prepared.base.spread[: columns.shape[1]] + prepared.base.centre[: columns.shape[1]]
    target = _target(prepared, rows)
    names = prepared.columns.names[: min(count, COLUMNS)]
    found = []
    for name in dict.fromkeys([winner, *SHOWN]):
        if perf_counter() > until:
            break
        with np.errstate(all="ignore"):
            z = scaling.REGISTRY[name].fit(raw)(raw)
        if not np.isfinite(z).all():
            continue
        lost = _lost(raw, z)
        found.append(
            {"scaling": name, "winner": name == winner, "lost": lost, "condition": None if lost else condition(z),
             "steps": None if lost else steps_to(z, target),
             "columns": [_histogram(z[:, i]) for i in range(len(names))] if len(rows) >= FEWEST else []}
        )  # fmt: skip
    return {"rows": len(rows), "names": list(names), "of": columns.shape[1], "left": LEFT, "scalings": found}


def steps_to(x: Array, y: Array, left: float = LEFT) -> int | None:
    """The steps that plain gradient descent from 0, at the rate 1 / λ_max, takes on the squared error of a linear model
    with a bias until only `left` of what it can take away from the loss is left; None above 1e9.

        E(t) = ½ Σᵢ (bᵢ² / λᵢ) (1 − λᵢ / λ_max)²ᵗ      λ, v of A = [x 1]ᵀ[x 1] / N,  bᵢ = vᵢᵀ [x 1]ᵀ y / N

    in closed form, so that no step is made. x: [N, D], y: [N].

    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> steps_to(x, x[:, 0] + x[:, 1]), steps_to(x * [1.0, 10.0], x[:, 0] + x[:, 1])
    (4, 195)
    """
    with_bias = np.hstack([np.asarray(x, np.float64), np.ones((len(x), 1))])
    values, vectors = np.linalg.eigh(with_bias.T @ with_bias / len(x))
    kept = values > NEGLIGIBLE * values[-1]
    b = vectors.T[kept] @ (with_bias.T @ np.asarray(y, np.float64)) / len(x)
    share, speed = b**2 / values[kept], 1 - values[kept] / values[-1]
    total = float(share.sum())
    if not math.isfinite(total) or total <= 0:
        return None
    arrived = lambda t: float(share @ speed ** (2 * t)) <= left * total  # noqa: E731
    if not arrived(FOREVER):
        return None
    low, high = 0, FOREVER
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if arrived(middle) else (middle + 1, high)
    return low


def _target(prepared: Prepared, rows: Array) -> Array:
    """A target of mean 0 and spread 1: the regression's own, or whether a row is of the commonest class."""
    y = prepared.labels[rows].astype(np.float64)
    if prepared.target.task == "classification":
        y = (y == np.bincount(y.astype(int)).argmax()).astype(np.float64)
    return (y - y.mean()) / (y.std() or 1.0)


def _lost(raw: Array, z: Array) -> int:
    """How many columns that vary are next to constant in a scaling: it has crushed them."""
    return int(((raw.std(0) > 0) & (z.std(0) < CRUSHED * np.maximum(np.abs(z).max(0), 1e-300))).sum())


def _histogram(values: Array) -> dict[str, list[Any]]:
    low, high = np.percentile(values, [0.5, 99.5])
    low, high = (low, high) if high > low else (low - 0.5, low + 0.5)
    edges = np.linspace(low, high, BINS + 1)
    counts = np.histogram(np.clip(values, low, high), edges)[0]
    decimals = DIGITS - 2 - math.floor(math.log10((high - low) / BINS))  # no cell is told exactly
    return {"edges": np.round(edges, decimals).tolist(), "counts": counts.tolist()}


def said(found: dict[str, Any]) -> Iterable[str]:
    """What the table of scalings comes to: the winner's beside the columns as they came; what crushes columns."""
    known = [one for one in found.get("scalings", ()) if one["steps"]]
    raw = next((one for one in known if one["scaling"] == "none"), None)
    own = next((one for one in known if one["winner"]), None)
    if raw and own and raw["steps"] > own["steps"]:
        yield (
            f"A linear model on the columns as they came takes {_times(raw['steps'] / own['steps'])} times as many"
            f" steps of plain gradient descent as under {own['scaling']}, the winner’s scaling: {raw['steps']:,}"
            f" against {own['steps']:,}."
        )
    for one in found.get("scalings", ()):
        if one.get("lost"):
            columns = f"{one['lost']} column{'s' * (one['lost'] != 1)}"
            yield f"Under {one['scaling']} {columns} became next to constant: what they held is gone."


def _times(ratio: float) -> str:
    """A ratio as people say it.

    >>> _times(1_808_828.0), _times(12_345.0), _times(3.456)
    ('1.8 million', '12,000', '3.5')
    """
    if ratio >= 1e6:
        return f"{ratio / 1e6:,.2g} million"
    return f"{float(f'{ratio:.2g}'):,.0f}" if ratio >= 10 else f"{ratio:.2g}"
