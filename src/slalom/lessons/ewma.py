"""Lesson: the exponentially weighted average, the tool inside most update rules."""

from typing import Any

import numpy as np

from slalom.averages import ewma
from slalom.lessons.base import Lesson, Page

SERIES = (
    -11.258399963378906, -11.523599624633789, -2.5058000087738037, -4.338799953460693, 8.487099647521973,
    6.920100212097168, -3.160099983215332, -21.15220069885254, 3.2227001190185547, -12.633299827575684,
    3.499799966812134, 3.0813000202178955, 1.1984000205993652, 12.37660026550293, -1.4347000122070312,
    -1.1160999536514282, -6.135799884796143, 0.3158999979496002, -4.926799774169922, 2.484100103378296,
    4.396999835968018, 1.1240999698638916, -8.410599708557129, -23.160400390625, -1.0231000185012817,
    7.9243998527526855, -2.896699905395508, 0.5250999927520752, 5.228600025177002, 23.0221004486084,
)  # fmt: skip
BETAS = (0.5, 0.9)


def tell(page: Page) -> None:
    """The averages of a series for two betas, with their roughness and their delay."""
    page.lines("S₁ = Y₁,   Sₜ = β Sₜ₋₁ + (1 − β) Yₜ      the weight of the value k steps back is (1 − β) βᵏ")
    page.say("{count} values and their averages:", count=len(SERIES))
    curves = ewma(SERIES, list(BETAS))
    page.table({"t": list(range(1, len(SERIES) + 1)), "Y": SERIES}
               | {f"β = {beta:g}": curve for beta, curve in zip(BETAS, curves, strict=True)})  # fmt: skip
    rough, late = abs(np.diff(curves)).mean(1), np.array(BETAS) / (1 - np.array(BETAS))
    page.table(
        {
            "β": [f"{beta:g}" for beta in BETAS],
            "mean change a step": rough,
            "mean age of what it shows": late,
            "values it is worth": 1 + late,
        },
        digits=3,
    )
    early = ewma([1.0] * 3, list(BETAS), start="zero")
    page.say("Started at 0 in place of Y₁, the average of a series of ones begins with {first}: too small by the factor"
             " 1 − βᵗ, by which Adam divides (bias correction): {right}.",
             first=_row(early[-1]), right=_row(ewma([1.0] * 3, BETAS[-1], bias_correction=True)))  # fmt: skip
    page.see("The larger β, the smoother the curve and the later it follows: with β = 0.9 it shows on average what was"
             " nine steps ago.")  # fmt: skip
    page.see("1 / (1 − β) is how many values the average is worth: 2 with β = 0.5, 10 with 0.9, 1,000 with 0.999.")
    page.see("Momentum is this average of gradients, RMSProp of their squares, Adam of both.")


def _row(values: Any) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def draw() -> Any:
    """The series and its averages."""
    from slalom import pictures

    title = "The larger β, the smoother and the later the curve"
    return pictures.ewma(SERIES, [*BETAS, 0.98], title=title)


LESSON = Lesson("The exponentially weighted average: smooth against late", tell, draw)
