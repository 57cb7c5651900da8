"""Lesson: a deep net of sigmoids with and without batch normalisation, before and after the activation."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from slalom.lessons.base import Lesson, Page
from slalom.racing import race
from slalom.recipe import Recipe
from slalom.types import Array

ROWS, DEPTH, WIDTH, EPOCHS = 600, 6, 24, 40
KINDS = {
    "without": ("none", "before"),
    "batch norm before the sigmoid": ("batch_norm", "before"),
    "batch norm after it": ("batch_norm", "after"),
}


def _data() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 4))
    return x, np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.1 * rng.normal(size=ROWS)


def curves() -> dict[str, Array]:
    """(epoch, R² on choosing rows) of each net, by name: a race of three, the first of which is the fixed one."""
    from slalom.pictures.curves import read

    fixed = {"depth": DEPTH, "width": WIDTH, "activation": "sigmoid", "initialiser": "glorot_normal", "batch_size": 32,
             "rule": "adam", "learning_rate": 0.01}  # fmt: skip
    also = [Recipe().with_fields({"normalisation": norm, "placement": at}) for norm, at in list(KINDS.values())[1:]]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        race(*_data(), recipes=len(KINDS), epochs=EPOCHS, fixed=fixed, also=also, metric="r2", out=out, baselines=False)
        found = {racer.name: racer.curve for racer in read(out).racers}
    return {kind: found[f"recipe {i}"] for i, kind in enumerate(KINDS)}


def tell(page: Page) -> None:
    """R² of the three nets over their epochs."""
    page.lines(
        "without:   x ← σ(W x + b)",
        "before:    x ← σ(BN(W x))",
        "after:     x ← BN(σ(W x + b))",
        "σ′ = σ (1 − σ) ≤ 1/4: through L layers a slope is multiplied by at most 4⁻ᴸ and the weights",
    )
    page.say(
        "{depth} hidden layers of {width} sigmoids, {rows} rows, y = sin 2x₁ + x₂ x₃ with noise, Adam, the same rate"
             " and the same first weights. R² on rows that were not trained on (1 is perfect, 0 is guessing the mean):",
             depth=DEPTH, width=WIDTH, rows=ROWS)  # fmt: skip
    found = curves()
    looks = [EPOCHS // 8, EPOCHS // 4, EPOCHS // 2, EPOCHS]
    page.table(
        {"net": list(found)}
        | {f"epoch {look}": [float(np.interp(look, *curve.T)) for curve in found.values()] for look in looks}
        | {"best": [float(curve[:, 1].max()) for curve in found.values()]},
        digits=3,
    )
    page.see("Without it hardly anything reaches the first layers: the net stays near guessing for long.")
    page.see(
        "Batch norm in front of the sigmoid keeps its input where it is steep, around 0; behind it, it undoes the"
        " mean of 1/2 that sigmoids have. Which is better here, the table says: one data set, one seed."
    )


def draw() -> Any:
    """The three curves."""
    from slalom import pictures
    from slalom.pictures.labels import lines

    made, axes = pictures.panels(width=7.6, height=4.0)
    panel = axes[0, 0]
    panel.axhline(0, color="#a6a6a6", linewidth=0.8)
    panel.set_ylim(-0.25, 1.02)
    lines(panel, {name: tuple(curve.T) for name, curve in curves().items()})
    panel.set(xlabel="epochs", ylabel="R² on choosing rows", title=f"{DEPTH} layers of sigmoids")
    return made


LESSON = Lesson("A deep net of sigmoids, with and without batch normalisation", tell, draw)
