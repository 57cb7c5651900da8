"""Lesson: mismatched units, and new rows that are scaled by what the training rows taught."""

from typing import Any

import numpy as np

from slalom.lessons.base import Lesson, Page
from slalom.scaling import MinMax
from slalom.types import Array

SEED = 24
TRUE = np.array([[200.0], [-1.0]])  # before the units are changed
UNITS = np.array([0.1, 10.0])  # one column in units ten times as large, the other in units ten times as small
NOISE = 0.01


def _rows(random: Any, count: int) -> tuple[Array, Array]:
    """(two columns [N, 2] in their first units, the target [N, 1])."""
    features, noise = random.randn(count, len(TRUE)), random.normal(size=(count, 1)) * NOISE
    return features, features @ TRUE + 1 + noise


def _ones(x: Array) -> Array:
    return np.column_stack([x, np.ones(len(x))])


def _fitted(x: Array, y: Array) -> Array:
    """The coefficients of least squares."""
    return np.linalg.lstsq(_ones(x), y)[0]


def tell(page: Page) -> None:
    """Coefficients in mismatched units, after scaling, and the predictions of new rows."""
    page.lines("y = w₁ x₁ + w₂ x₂ + b,    w by least squares,    κ = λ_max / λ_min of [x 1]ᵀ[x 1]")
    random = np.random.RandomState(SEED)
    features, y = _rows(random, 1000)
    page.say("1,000 rows of two columns alike; the first rows, with the column of ones:")
    _matrix(page, ["x₁", "x₂", "1"], _ones(features)[:3])
    x = features * UNITS
    page.say("Then one column is measured in a unit ten times as large, the other in one ten times as small:")
    raw = _fitted(x, y)[:, 0]
    page.table({"": ["w₁", "w₂", "b"], "coefficient": raw}, digits=8)
    page.say("One coefficient is {ratio:.8f} times the other, and κ = {kappa:,.0f}.",
             ratio=raw[0] / raw[1], kappa=_condition(x))  # fmt: skip
    of_x, of_y = MinMax.fit(x), MinMax.fit(y)
    scaled, w = of_x(x), _fitted(of_x(x), of_y(y))
    page.say("Min-max of both columns and of y; the first rows, and the coefficients (κ = {kappa:,.1f}):",
             kappa=_condition(scaled))  # fmt: skip
    _matrix(page, ["z₁", "z₂", "1"], _ones(scaled)[:3])
    page.table({"": ["w₁", "w₂", "b"], "coefficient": w[:, 0]}, digits=8)

    new, truth = _rows(random, 100)
    z = of_x(new * UNITS)
    prediction = _ones(z) @ w
    back = of_y.inverse(prediction)
    page.say(
        "100 new rows, scaled with the minima and ranges of the training rows, never with their own; five of them:"
    )
    page.table({"scaled": prediction[:5, 0], "in units": back[:5, 0], "truth": truth[:5, 0]}, digits=8)
    page.say("{out} of the {all} scaled new cells lie outside 0 to 1, and that is right. With extremes of their own the"
             " predictions would be off by {wrong:.1f} on average instead of {right:.4f}.",
             out=int(((z < 0) | (z > 1)).sum()), all=z.size, right=abs(back - truth).mean(),
             wrong=abs(of_y.inverse(_ones(MinMax.fit(new * UNITS)(new * UNITS)) @ w) - truth).mean())  # fmt: skip

    page.see(
        "Units alone made the coefficients differ by four orders: their size says nothing of what a column is worth."
    )
    page.see(
        "Scaling x and y together brings the coefficients to one scale and the contours of the loss nearer to circles."
    )
    page.see("A scaler belongs to the training rows. New rows get its numbers, and predictions go back by its inverse.")


def _condition(x: Array) -> float:
    return float(np.linalg.cond(_ones(x).T @ _ones(x)))


def _matrix(page: Page, names: list[str], rows: Array) -> None:
    page.table(dict(zip(names, rows.T, strict=True)), digits=8)


def draw() -> Any:
    """The coefficients before and after, and the predictions of new rows."""
    from slalom import pictures

    random = np.random.RandomState(SEED)
    features, y = _rows(random, 1000)
    x, new_rows = features * UNITS, _rows(random, 100)
    of_x, of_y = MinMax.fit(x), MinMax.fit(y)
    made, axes = pictures.panels(1, 2, width=9.6, height=3.9)
    sizes = {"mismatched units": _fitted(x, y), "min-max of x and y": _fitted(of_x(x), of_y(y))}
    left, right = axes[0]
    for i, (name, w) in enumerate(sizes.items()):
        left.plot([0, 1], abs(w[:2, 0]), "o-", markersize=7)
        left.annotate(name, xy=(1, abs(w[1, 0])), xytext=(8, 0), textcoords="offset points", va="center", color=f"C{i}")
    left.set_yscale("log")
    left.set(xticks=[0, 1], xticklabels=["|w₁|", "|w₂|"], xlim=(-0.2, 2.1), ylabel="size of the coefficient")
    left.set_title("Units decide the coefficients")
    back = of_y.inverse(_ones(of_x(new_rows[0] * UNITS)) @ _fitted(of_x(x), of_y(y)))
    right.plot(new_rows[1][:, 0], back[:, 0], "o", markersize=4, alpha=0.7)
    ends = [new_rows[1].min(), new_rows[1].max()]
    right.plot(ends, ends, color="#a6a6a6", linewidth=1, zorder=1)
    right.set(xlabel="truth", ylabel="prediction, back in units")
    right.set_title("New rows, scaled by the training rows’ extremes")
    return made


LESSON = Lesson("Mismatched units: what they do to coefficients, and how new rows are scaled", tell, draw)
