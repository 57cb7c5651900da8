"""Lesson: scaling makes the contours of a loss round, and a round bowl is quickly at its bottom."""

from collections.abc import Callable
from typing import Any

import numpy as np

from slalom.descent import descend
from slalom.lessons.base import Lesson, Page, first_below, steps_said
from slalom.scaling import MinMax, ZScore
from slalom.types import Array

X, Y = np.array([[1.0, 1.0], [3.0, 1.0]]), np.array([2.0, 4.0])
SEED, RATE, STEPS = 24, 0.1, 100
NEAR, MOST = 1e-6, 3000


def _scaled(fit: Any) -> Array:
    """The rows with their column scaled; the column of ones stays as it is."""
    return np.column_stack([fit(X[:, :1])(X[:, :1]), X[:, 1]])


def _loss(x: Array, y: Array) -> Callable[[Any], Any]:
    return lambda w: ((x @ w - y) ** 2).mean()


def _start() -> Array:
    return np.random.RandomState(SEED).randn(2)


def tell(page: Page) -> None:
    """Paths and their ends on raw and z-scored columns; z-score against min-max in steps."""
    page.lines("L(w) = mean (Xw − y)²,   ∇L = 2 Xᵀ(Xw − y) / n,   κ = λ_max / λ_min of XᵀX")
    page.say("Two rows, one column beside the ones. Gradient descent from w = ({a:.8f}, {b:.8f}), {steps} steps at the"
             " rate {rate}:", a=_start()[0], b=_start()[1], steps=STEPS, rate=RATE)  # fmt: skip
    rows = {"raw": X, "min-max": _scaled(MinMax.fit), "z-score": _scaled(ZScore.fit)}
    page.table({"z-score": rows["z-score"][:, 0], "1": rows["z-score"][:, 1], "y": Y}, digits=0)
    paths = {name: descend(_loss(x, Y), _start(), "sgd", learning_rate=RATE, steps=STEPS) for name, x in rows.items()}
    below = [first_below(path.losses, NEAR) for path in paths.values()]
    page.table(
        {
            "column": list(rows),
            "κ of XᵀX": [f"{np.linalg.cond(x.T @ x):.8f}" for x in rows.values()],
            "w₁ at the end": [path.parameters[-1, 0] for path in paths.values()],
            "w₂ at the end": [path.parameters[-1, 1] for path in paths.values()],
            "steps to a loss of 1e-6": [steps_said(steps, STEPS) for steps in below],
        },
        digits=8,
    )
    page.say(
        "Three larger tables of two columns, 200 rows each, the rate the largest that suits each (1 / λ_max). Steps"
             " until a millionth of the first loss is left:")  # fmt: skip
    found = {kind: _steps(table) for kind, table in _tables().items()}
    page.table({"columns": list(found)} | {name: [row[name] for row in found.values()] for name in rows})

    page.see("Raw, the contours are long ellipses: the path falls across the valley and then creeps along its floor.")
    page.see("Z-scored, the two directions are at right angles and equally steep (κ = 1): the path is straight.")
    won = sum(_count(row["z-score"]) < _count(row["min-max"]) for row in found.values())
    page.see(
        "Min-max columns are not centred, so that they lean on the column of ones. The z-score needs fewer steps on "
        "{won} of"
        " these {all} tables.",
        won=won,
        all=len(found),
    )


def _count(said: str) -> float:
    """Steps as a number; infinity where they were not enough."""
    return float("inf") if said.startswith(">") else float(said.replace(",", ""))


def _tables() -> dict[str, Array]:
    rng = np.random.default_rng(SEED)
    normal, even = rng.normal([50, -3], [4, 1], (200, 2)), rng.uniform([0, 100], [1, 180], (200, 2))
    return {"normal": normal, "evenly spread": even, "skewed": rng.lognormal(1, 0.8, (200, 2))}


def _steps(table: Array) -> dict[str, str]:
    """How many steps least squares takes on a table, raw and under two scalings."""
    y, told = table @ [1.0, -0.5] + 10, {}
    for name, z in {"raw": table, "min-max": MinMax.fit(table)(table), "z-score": ZScore.fit(table)(table)}.items():
        x = np.column_stack([z, np.ones(len(z))])
        best = ((x @ np.linalg.lstsq(x, y)[0] - y) ** 2).mean()
        rate = 1 / np.linalg.eigvalsh(2 * x.T @ x / len(x))[-1]
        losses = descend(_loss(x, y), np.zeros(3), "sgd", learning_rate=rate, steps=MOST).losses - best
        told[name] = steps_said(first_below(losses, NEAR * losses[0]), MOST)
    return told


def draw() -> Any:
    """The two paths over their contours, side by side, to one scale."""
    from slalom import pictures

    made, axes = pictures.panels(1, 2, width=9.6, height=5.2, fixed=True)
    for panel, (name, x) in zip(axes[0], {"raw": X, "z-scored": _scaled(ZScore.fit)}.items(), strict=True):
        loss = _loss(x, Y)
        path = descend(loss, _start(), "sgd", learning_rate=RATE, steps=STEPS)
        middle = path.parameters[-1]
        extent = (middle[0] - 3.4, middle[0] + 3.4, middle[1] - 4.2, middle[1] + 2.6)
        title = f"{name}: κ = {np.linalg.cond(x.T @ x):.4g}, {STEPS} steps at the rate {RATE}"
        pictures.contours(loss, path, extent=extent, axes=panel, title=title)
    return made


LESSON = Lesson("Contours: why scaled columns need fewer steps", tell, draw)
