"""Paths: where descents went, over the contours of the loss, or on its curve where there is one parameter."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from slalom.errors import SlalomError, wrong
from slalom.pictures.labels import PAPER, on_paths
from slalom.pictures.style import FAINT, GROUND, INK, SMALL, SOFT, colour_of, drawn, entitle, plain, taken
from slalom.surface import over_grid
from slalom.types import Array
from slalom.walk import Path

GRID_POINTS = 81  # a side
ALIKE = 3.01  # how many times one side may be the other for both to have one scale
HIDES = np.array([0.08, 0.09])  # how near to a path's label one of a ring may not be, in shares of the axes
DOTS = 60  # a path of more points is a line without dots


@drawn
def contours(
    f: Callable[..., Any],
    paths: Any = (),
    *,
    data: tuple[Any, ...] = (),
    extent: Sequence[float] | None = None,
    levels: int = 16,
    names: Sequence[str] = ("w₁", "w₂"),
    title: str = "",
    axes: Any = None,
) -> Any:
    """The contours of a loss with the paths of descents on them.

        level k = low + (high − low) (k / levels)²,   k = 0 … levels     rings of a round bowl are evenly spaced

    f: a function of w [2] (with data, of (w, *data)) that answers with one number; or of w [] or [1], and the picture
    is its curve. JAX functions are computed in one program, others point by point.
    paths: what `slalom.descend` answers with, or points [P, 2]; one, several, or several by name, {"adam": path, …}.
    A path begins at a ring and ends at a dot. extent: (left, right, bottom, top), of a curve (left, right); by itself
    a little more than the paths take. levels: how many rings. names: of the parameters. axes: to draw into.
    Where the loss is not a number the ground is hatched. Raises SlalomError for paths in more than two parameters, and
    where there is neither a path nor an extent.

    >>> from slalom import descend
    >>> bowl = lambda w: w[0] ** 2 + 10 * w[1] ** 2
    >>> path = descend(bowl, [3.0, 1.0], "sgd", learning_rate=0.05, steps=20)
    >>> picture = contours(bowl, {"sgd": path})
    >>> [text.get_text() for text in picture.axes[0].texts][-1]
    'sgd'
    """
    walks = as_walks(paths)
    one = all(points.shape[1] == 1 for points in walks.values()) and (bool(walks) or len(extent or ()) == 2)
    box = _extent(walks, extent, 1 if one else 2)
    picture, axes = taken(axes, *((6.4, 4.2) if one else _size(box)), fixed=not one)
    (_curve if one else _rings)(axes, f, walks, data, box, levels, names)
    entitle(axes, title)
    return picture


def _size(box: Array) -> tuple[float, float]:
    """Inches of a picture whose sides are to one scale where they differ by at most three times."""
    ratio = float(np.divide(*(box[:, 1] - box[:, 0])))
    if not 1 / ALIKE <= ratio <= ALIKE:
        return 6.4, 4.8
    return (7.4, 6.6 / ratio + 0.8) if ratio > 1.3 else (4.8 * ratio + 0.9, 5.4)


def as_walks(paths: Any) -> dict[str, Array]:
    """Paths by name as points [P, D], float64, those that are numbers; of several without names the names are blank.

    Raises SlalomError where a path has no point that is a number, or they are not all in as many parameters.
    """
    if isinstance(paths, Mapping):
        several = {str(name): path for name, path in paths.items()}
    else:
        several = {"": paths} if _is_one(paths) else {" " * i: path for i, path in enumerate(paths)}
    found = {name: _points(path, f"[{name!r}]" if name.strip() else "") for name, path in several.items()}
    if len({points.shape[1] for points in found.values()}) > 1:
        raise SlalomError("contours(paths=…) must have paths in one parameter, or in two; not both.")
    return found


def _points(path: Any, place: str) -> Array:
    """One path as points [P, D]."""
    given = path.parameters if isinstance(path, Path) else path
    try:
        points = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise wrong(f"contours(paths=…){place}", "a path, or points [P, 2]", type(given).__name__) from error
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2 or points.shape[1] not in (1, 2):
        raise wrong(f"contours(paths=…){place}", "a path in one or two parameters, points [P, 2]", points.shape)
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        raise SlalomError(f"contours(paths=…){place} has no point that is a number.")
    return points


def _is_one(paths: Any) -> bool:
    """Whether this is a single path: of points, or what `descend` answers with."""
    if isinstance(paths, Path):
        return True
    return not isinstance(paths, (list, tuple)) or bool(paths and np.ndim(paths[0]) < 2 and not _has_paths(paths))


def _has_paths(paths: Any) -> bool:
    return any(isinstance(path, Path) for path in paths)


def _extent(walks: dict[str, Array], extent: Sequence[float] | None, size: int) -> Array:
    """[size, 2]: from where to where each parameter goes."""
    if extent is not None:
        box = np.asarray(extent, np.float64).reshape(-1, 2) if len(extent) == 2 * size else np.zeros((0, 2))
        if not (len(box) == size and np.isfinite(box).all() and (box[:, 0] < box[:, 1]).all()):
            sides = "left, right" if size == 1 else "left, right, bottom, top"
            raise wrong("contours(extent=…)", f"{sides}, each pair ascending", extent)
        return box
    if not walks:
        raise SlalomError("contours needs paths, or extent=(left, right, bottom, top).")
    points = np.concatenate(list(walks.values()))
    low, high = points.min(0), points.max(0)
    width = np.where(high > low, high - low, np.maximum(abs(high), 1.0))
    if size == 2:  # not so flat that the rings cannot be seen
        width = np.maximum(width, width.max() / 3)
    middle = (low + high) / 2
    return np.stack([middle - 0.62 * width, middle + 0.62 * width], axis=1)


def _rings(
    axes: Any, f: Any, walks: dict[str, Array], data: tuple[Any, ...], box: Array, levels: int, names: Sequence[str]
) -> None:
    """Rings of equal loss, and the paths."""
    x, y = (np.linspace(low, high, GRID_POINTS) for low, high in box)
    values = over_grid(f, x, y, data)
    heights = rings(axes, x, y, values, levels)
    wide, high = box[:, 1] - box[:, 0]
    if 1 / ALIKE <= wide / high <= ALIKE:
        axes.set_aspect("equal", adjustable="box")
    axes.set(xlim=box[0], ylim=box[1], xlabel=plain(names[0]), ylabel=plain(names[1]))
    give_way(axes, heights, walked(axes, walks))


def give_way(axes: Any, heights: Sequence[Any], labels: Array) -> None:
    """Hide the labels of rings that lie under those of paths."""
    to_axes = axes.transScale + axes.transLimits
    for text in heights:
        place = to_axes.transform(text.get_position())
        if len(labels) and np.abs((labels - place) / HIDES).max(1).min() < 1:
            text.set_visible(False)


def walked(axes: Any, walks: dict[str, Array]) -> Array:
    """Draw paths [P, 2] by name on axes whose limits stand, from a ring to a dot; where their labels lie."""
    for i, points in enumerate(walks.values()):
        dots = {"marker": "o", "markersize": 2.6} if len(points) <= DOTS else {}
        axes.plot(*points.T, color=colour_of(i), linewidth=1.4, zorder=4, **dots)
        axes.plot(*points[-1:].T, "o", color=colour_of(i), markersize=6.5, zorder=5, markeredgecolor="white")
    for points in walks.values():
        axes.plot(*points[:1].T, "o", color=INK, markersize=7, zorder=5, markerfacecolor="white", markeredgewidth=1.4)
    named = {name: points for name, points in walks.items() if name.strip()}
    return on_paths(
        axes, list(named.values()), list(named), [colour_of(i) for i, name in enumerate(walks) if name.strip()]
    )


def rings(axes: Any, x: Array, y: Array, values: Array, levels: int) -> list[Any]:
    """Contours of values [len(y), len(x)], filled; hatched where they are no numbers. Some are labelled: the labels."""
    there = np.isfinite(values)
    axes.grid(visible=False)
    if not there.all():
        axes.patch.set(hatch="////", facecolor="#f4f4f4", edgecolor=FAINT)
    if not there.any() or values[there].min() == values[there].max():
        return []
    low, high = values[there].min(), values[there].max()
    steps = low + (high - low) * (np.arange(levels + 1) / levels) ** 2
    masked = np.ma.masked_array(values, ~there)
    axes.contourf(x, y, masked, levels=steps, cmap=GROUND, extend="max")
    lines = axes.contour(x, y, masked, levels=steps[1:], colors="#7d93a6", linewidths=0.6, linestyles="solid")
    labels = axes.clabel(lines, levels=steps[3::4], fontsize=SMALL - 1.5, fmt=lambda v: f"{v:.3g}", colors=SOFT)
    for text in labels:
        text.set_bbox(PAPER | {"pad": 0.3, "alpha": 0.6})
    return list(labels)


def _curve(
    axes: Any, f: Any, walks: dict[str, Array], data: tuple[Any, ...], box: Array, levels: int, names: Sequence[str]
) -> None:
    """The curve of a function of one parameter, and the paths on it."""
    del levels
    x = np.linspace(box[0, 0], box[0, 1], 301)
    axes.plot(x, over_grid(f, x, None, data)[0], color=FAINT, linewidth=1.4)
    axes.set(xlim=box[0], xlabel=plain(names[0]), ylabel="loss")
    on_curve = {name: np.column_stack([p[:, 0], over_grid(f, p[:, 0], None, data)[0]]) for name, p in walks.items()}
    axes.autoscale(axis="y")
    axes.set_ylim(*axes.get_ylim())
    walked(axes, on_curve)
