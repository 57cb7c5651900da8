"""Series: values over time and their exponentially weighted averages."""

from typing import Any

import numpy as np

from slalom.averages import ewma as averaged
from slalom.errors import wrong
from slalom.pictures.labels import End, at_the_end
from slalom.pictures.style import FAINT, SOFT, colour_of, drawn, entitle, plain, taken
from slalom.types import Array


@drawn
def ewma(
    values: Array,
    betas: Any,
    *,
    bias_correction: bool = False,
    title: str = "",
    y_label: str = "value",
    axes: Any = None,
) -> Any:
    """A series and its exponentially weighted averages, one curve for each beta.

        S₁ = Y₁,  Sₜ = β Sₜ₋₁ + (1 − β) Yₜ        with bias correction that from zero, Sₜ / (1 − βᵗ)

    values: [T]. betas: a number in [0, 1), or several. The larger beta, the smoother and the later the curve. Errors
    are those of `slalom.ewma`; a table of several columns is refused.

    >>> picture = ewma([1.0, 3.0, 2.0, 5.0], [0.5, 0.9])
    >>> [text.get_text() for text in picture.axes[0].texts]
    ['values', 'β = 0.5', 'β = 0.9']
    """
    several = np.atleast_1d(np.asarray(betas, object)).tolist()
    curves = averaged(values, several, bias_correction)
    if curves.ndim != 2:
        raise wrong("ewma(values=…)", "one series [T]", np.shape(values))
    y, t = np.asarray(values, np.float64), np.arange(1, curves.shape[1] + 1)
    picture, axes = taken(axes, 7.2, 4.2)
    axes.plot(t, y, "o-", color=FAINT, markersize=3, linewidth=0.9)
    for i, curve in enumerate(curves):
        axes.plot(t, curve, color=colour_of(i), linewidth=2.0)
    axes.set(xlabel="time", ylabel=plain(y_label), xlim=(1, max(len(t), 2)))
    axes.set_ylim(*axes.get_ylim())
    entitle(axes, title)
    ends = [End(_last(y), "values", SOFT)]
    ends += [
        End(_last(c), f"β = {beta:g}", colour_of(i)) for i, (beta, c) in enumerate(zip(several, curves, strict=True))
    ]
    at_the_end(axes, ends)
    return picture


def _last(row: Array) -> float:
    there = row[np.isfinite(row)]
    return float(there[-1]) if len(there) else float("nan")
