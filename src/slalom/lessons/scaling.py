"""Lesson: the feature scalings, with an outlier and with centimetres beside kilograms."""

from typing import Any

import numpy as np

from slalom.lessons.base import Lesson, Page
from slalom.scaling import MinMax, Robust, Sigmoid, ZScore

ROWS = np.arange(12.0).reshape(6, 2)
OUTLIER = np.array([[0, 1], [2, 100], [4, 5], [6, 7]])
PEOPLE = np.array([[170.0, 70.0], [160.0, 65.0], [180.0, 80.0], [175.0, 75.0], [165.0, 68.0]])


def tell(page: Page) -> None:
    """Two columns under three scalings, an outlier, heights and weights."""
    for name in ("min_max", "z_score", "sigmoid"):
        page.formula("scalers", name)
    page.say("Two columns of six rows, x₁ and x₂, under each of the three:")
    minmax, z, s = MinMax.fit(ROWS), ZScore.fit(ROWS), Sigmoid.fit(ROWS)
    page.table(_beside({"x": ROWS, "min-max": minmax(ROWS)}), digits=1)
    page.table(_beside({"z-score": z(ROWS), "sigmoid": s(ROWS)}), digits=8)
    page.say("The z-score has learnt these from the training rows, and divides by the number of rows, not by one less:")
    page.table({"column": ["x₁", "x₂"], "mean": z.mean, "standard deviation": z.spread}, digits=8)
    page.say(
        "The way back, z → x, is off by at most {off:.1e} (min-max) and {other:.1e} (z-score).",
        off=abs(minmax.inverse(minmax(ROWS)) - ROWS).max(),
        other=abs(z.inverse(z(ROWS)) - ROWS).max(),
    )

    page.say("One outlier, the {most:g} among the x₂:", most=OUTLIER.max())
    of_min_max, of_z = MinMax.fit(OUTLIER)(OUTLIER), ZScore.fit(OUTLIER)(OUTLIER)
    page.table(_beside({"x": OUTLIER.astype(float)}), digits=0)
    page.table(_beside({"min-max": of_min_max, "z-score": of_z}), digits=8)
    others = np.delete(of_min_max[:, 1], OUTLIER[:, 1].argmax())
    page.say("Under min-max the other three rows share {share:.1%} of the range.", share=others.max() - others.min())

    page.say("Five people, centimetres and kilograms, and their z-scores:")
    scaled = ZScore.fit(PEOPLE)(PEOPLE)
    page.table({"height": PEOPLE[:, 0], "weight": PEOPLE[:, 1]}, digits=0)
    page.table({"z of height": scaled[:, 0], "z of weight": scaled[:, 1]}, digits=8)

    page.see("Min-max and z-score are straight lines: they move a column and stretch it, and leave its shape alone.")
    page.see("The sigmoid bends: values far from 0 all become 0 or 1, and what told them apart is gone.")
    page.see("Min-max ends at the extremes, so that one outlier squeezes all the others; the z-score keeps it visible.")
    page.see("Scaled, a centimetre no longer counts for more than a kilogram: both columns have mean 0 and spread 1.")


def _beside(tables: dict[str, Any]) -> dict[str, Any]:
    """The two columns of each table, by the table's name."""
    return {f"{name} {'₁₂'[k]}": table[:, k] for name, table in tables.items() for k in range(2)}


def draw() -> Any:
    """Heights, and incomes with an outlier, under five scalings."""
    from slalom import pictures

    rng = np.random.default_rng(0)
    heights, incomes = rng.normal(170, 9, 300), np.append(rng.lognormal(3.4, 0.5, 299), 400.0)
    scalers = {"min-max": MinMax, "z-score": ZScore, "robust": Robust, "sigmoid of z": "z_score_sigmoid"}
    table, names = np.column_stack([heights, incomes]), ["height, cm", "income, 1,000"]
    return pictures.scaling(
        table, scalers, names=names, title="A straight scaling leaves the shape; a bent one does not"
    )


LESSON = Lesson("Feature scaling: min-max, z-score and sigmoid, and what an outlier does to them", tell, draw)
