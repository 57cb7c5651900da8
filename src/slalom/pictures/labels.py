"""Labels beside what they name, in the place of legends: at the ends of curves, and on paths where they are alone."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from slalom.pictures.style import SMALL, colour_of, dark, plain, spread
from slalom.types import Array

PAPER = {"facecolor": "white", "alpha": 0.9, "edgecolor": "none", "pad": 1.0}  # behind words on a picture


class End(NamedTuple):
    """The end of a curve: its height in the units of the axis, the words for it, its colour, and where it ends, if that
    is before the right edge."""

    y: float
    text: str
    colour: Any
    strong: bool = False
    x: float | None = None


def at_the_end(axes: Any, ends: Sequence[End], *, size: float = SMALL + 0.5) -> None:
    """Name curves at the right edge of the axes, each at the height at which it ends, moved where names would touch.

    Called when the limits of the axes are what they will be.
    """
    ends = [end for end in ends if np.isfinite(end.y)]
    if not ends:
        return
    to_axes, edge = axes.transScale + axes.transLimits, axes.get_xlim()[1]
    points = np.array([to_axes.transform((edge if end.x is None else end.x, end.y)) for end in ends]).clip(0, 1)
    inches = axes.get_figure(root=True).get_size_inches()[1] * axes.get_position().height
    places = spread(points[:, 1], 1.45 * size / 72 / max(inches, 0.1))
    for end, point, place in zip(ends, points, places, strict=True):
        line = {"arrowstyle": "-", "color": end.colour, "linewidth": 0.6, "shrinkA": 2, "shrinkB": 0, "alpha": 0.7,
                "relpos": (0.0, 0.5)}  # fmt: skip
        axes.annotate(
            plain(end.text), xy=tuple(point), xytext=(1.025, place), xycoords="axes fraction",
            textcoords="axes fraction", va="center", fontsize=size, color=dark(end.colour), annotation_clip=False,
            fontweight="bold" if end.strong else "normal", arrowprops=line, zorder=6,
        )  # fmt: skip


def lines(axes: Any, curves: Mapping[str, tuple[Any, Any]], **options: Any) -> None:
    """Curves (x, y) by name, each named at its end. options: of matplotlib's `plot`. Scales, and limits of the height,
    are set before."""
    for i, (x, y) in enumerate(curves.values()):
        axes.plot(x, y, color=colour_of(i), **options)
    ends = [(float(np.min(x)), float(np.max(x))) for x, _ in curves.values()]
    axes.set_xlim(min(first for first, _ in ends), max(last for _, last in ends))
    axes.set_ylim(*axes.get_ylim())
    last = [np.asarray(y, float)[np.isfinite(np.asarray(y, float))] for _, y in curves.values()]
    at_the_end(
        axes,
        [End(float(y[-1]), name, colour_of(i)) for i, (name, y) in enumerate(zip(curves, last, strict=True)) if len(y)],
    )


def on_paths(axes: Any, paths: Sequence[Array], texts: Sequence[str], colours: Sequence[Any]) -> Array:
    """Name paths [P, 2], each at the point that is furthest from all other paths and labels; where the labels lie
    [L, 2], in shares of the axes.

    Called when the limits of the axes are what they will be.
    """
    to_axes = axes.transScale + axes.transLimits
    seen = []
    for path in paths:
        points = to_axes.transform(np.asarray(path, float))
        inside = points[((points > 0.02) & (points < 0.98)).all(1)]
        seen.append(_along(inside if len(inside) else np.clip(points[:1], 0.03, 0.97)))
    taken: list[Array] = []
    for i, (points, text, colour) in enumerate(zip(seen, texts, colours, strict=True)):
        others = [p for k, p in enumerate(seen) if k != i] + taken
        far = np.min([_distance(points, other) for other in others], axis=0) if others else np.arange(len(points))
        at = points[int(np.argmax(far))]
        right = at[0] < 0.7
        axes.annotate(
            plain(text), xy=at, xycoords="axes fraction", xytext=(7 if right else -7, 7), textcoords="offset points",
            ha="left" if right else "right", va="bottom", fontsize=SMALL + 0.5, color=dark(colour), bbox=PAPER,
            zorder=7,
        )  # fmt: skip
        side = 1 if right else -1
        taken.append(at[None] + np.array([[0.02 * side, 0.05], [0.08 * side, 0.05], [0.14 * side, 0.05]]))
    return np.concatenate(taken) if taken else np.zeros((0, 2))


def _along(points: Array, count: int = 60) -> Array:
    """Points of a path at even distances, so that its slow end does not outweigh the rest."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    if length[-1] == 0:
        return points[:1]
    at = np.linspace(0, length[-1], count)
    return np.column_stack([np.interp(at, length, points[:, k]) for k in range(2)])


def _distance(points: Array, others: Array) -> Array:
    """The distance of each point to the nearest of the others."""
    return np.linalg.norm(points[:, None] - others[None], axis=2).min(1)
