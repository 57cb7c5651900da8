"""Predicted: how a model's answers lie beside the truth, counted in cells: no row can be read off."""

from typing import Any

import numpy as np

from slalom.conformal import Conformal, coverage
from slalom.intervals import clopper_pearson
from slalom.types import Array

FEWEST = 20  # rows, below which nothing is counted
CELLS, BINS, GROUPS = 28, 30, 10
LEVEL = 0.9
MOST_CLASSES = 20


def of_numbers(y: Array, prediction: Array, conformal: Conformal | None) -> dict[str, Any]:
    """Of a regression: truth against prediction as a table of counts, the residuals y − ŷ in a histogram and in ten
    groups of equally many rows by their prediction (10th, 50th and 90th percentile), and how often intervals of level
    0.9 held the truth in each group. The edges leave out half a percent at either end; what lies beyond is in the
    outermost cells. {} for fewer than twenty rows with finite predictions.

    >>> y = np.arange(100.0)
    >>> found = of_numbers(y, y + 1, None)
    >>> found["rows"], found["groups"][0]["median"], int(np.sum(found["counts"]))
    (100, -1.0, 100)
    """
    kept = np.isfinite(y) & np.isfinite(prediction)
    y, prediction = y[kept], prediction[kept]
    if len(y) < FEWEST:
        return {}
    edges = _edges(np.concatenate([y, prediction]), CELLS)
    inside = [np.clip(values, edges[0], edges[-1]) for values in (prediction, y)]
    counts = np.histogram2d(inside[1], inside[0], bins=[edges, edges])[0]
    residuals = y - prediction
    bins = _edges(residuals, BINS)
    histogram = np.histogram(np.clip(residuals, bins[0], bins[-1]), bins)[0]
    groups = []
    for some in np.array_split(np.argsort(prediction, kind="stable"), min(GROUPS, len(y) // 10)):
        low, median, high = np.percentile(residuals[some], [10, 50, 90])
        covered = coverage(conformal, y[some], prediction[some], LEVEL)[0] if conformal else None
        groups.append(
            {"prediction": float(np.median(prediction[some])), "low": float(low), "median": float(median),
             "high": float(high), "rows": len(some), "covered": covered}
        )  # fmt: skip
    return {
        "task": "regression", "rows": len(y), "edges": edges.tolist(), "counts": counts.astype(int).tolist(),
        "residual_edges": bins.tolist(), "residuals": histogram.tolist(), "groups": groups,
        "level": LEVEL if conformal else None,
    }  # fmt: skip


def of_classes(codes: Array, p: Array, classes: list[str], cut: float = 0.5) -> dict[str, Any]:
    """Of a classification: the confusion matrix (rows: the truth; of more than twenty classes the commonest, the others
    together), and how often the likeliest class was right among the rows that gave it a probability in each tenth, with
    the exact 95 % interval of that share; of two classes how often it was the second one. codes: [N]; p: [N, classes];
    cut: of two, from which probability the second is decided for. {} for fewer than twenty rows.

    >>> p = np.tile([[0.8, 0.2], [0.3, 0.7]], (20, 1))
    >>> found = of_classes(np.tile([0, 1], 20), p, ["no", "yes"])
    >>> found["confusion"], [bin["share"] for bin in found["calibration"] if bin["rows"]]
    ([[20, 0], [0, 20]], [0.0, 1.0])
    """
    kept = np.isfinite(p).all(1)
    codes, p = codes[kept].astype(int), p[kept]
    if len(codes) < FEWEST:
        return {}
    two = p.shape[1] == 2
    decided = (p[:, 1] >= cut).astype(int) if two else p.argmax(1)
    place, names = _places(codes, classes)
    confusion = np.zeros((len(names), len(names)), int)
    np.add.at(confusion, (place[codes], place[decided]), 1)
    sure, right = (p[:, 1], codes == 1) if two else (p.max(1), codes == p.argmax(1))
    bins = []
    for i in range(GROUPS):
        some = (sure >= i / GROUPS) & ((sure < (i + 1) / GROUPS) | (i == GROUPS - 1))
        there = bool(some.any())
        bins.append(
            {"low": i / GROUPS, "high": (i + 1) / GROUPS, "rows": int(some.sum()),
             "mean": float(sure[some].mean()) if there else None,
             "share": float(right[some].mean()) if there else None,
             "interval": clopper_pearson(int(right[some].sum()), int(some.sum()), both=True) if there else None}
        )  # fmt: skip
    of = names[1] if two else ""
    return {
        "task": "classification", "rows": len(codes), "classes": names, "confusion": confusion.tolist(),
        "calibration": bins, "of": of,
    }  # fmt: skip


def _places(codes: Array, classes: list[str]) -> tuple[Array, list[str]]:
    """(the row of each class in the matrix, the rows' names)."""
    if len(classes) <= MOST_CLASSES:
        return np.arange(len(classes)), list(classes)
    common = np.sort(np.argsort(-np.bincount(codes, minlength=len(classes)), kind="stable")[: MOST_CLASSES - 1])
    place = np.full(len(classes), len(common))
    place[common] = np.arange(len(common))
    return place, [*(classes[i] for i in common), "all others"]


def _edges(values: Array, cells: int) -> Array:
    """Edges of cells of equal width that hold all but half a percent at either end."""
    low, high = np.percentile(values, [0.5, 99.5])
    room = max(high - low, 1e-9 * max(abs(low), abs(high)), 1e-300)
    return np.linspace(low - 0.01 * room, high + 0.01 * room, cells + 1)
