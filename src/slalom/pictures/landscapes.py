"""Landscapes: the loss around a trained net, along two random directions and along the path that led there."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from slalom.data import frame_of
from slalom.ensemble import Ensemble
from slalom.errors import SlalomError, wrong
from slalom.folder import RunFolder
from slalom.model import Model
from slalom.pictures.labels import PAPER
from slalom.pictures.paths import give_way, rings, walked
from slalom.pictures.style import COLOURS, LONGEST, SMALL, SOFT, drawn, panels, plain
from slalom.reopened import rows_of
from slalom.result import Result
from slalom.surface import Plane, filter_normalised, loss_around, over_plane, principal, seen_along
from slalom.types import Array, Tree

ROWS = 1024  # that the loss is taken on, at most
SIDE = 31  # points a side
STEEP = 0.97  # the share of the points below the highest ring: what lies above it is one colour


class Ground(NamedTuple):
    """What a landscape is taken of: the loss as a function of weights, how many rows, and what batch norm does."""

    loss: Callable[[Tree], Any]
    rows: int
    about: str


@drawn
def landscape(
    result: Any,
    X: Any = None,
    y: Any = None,
    *,
    path: Any = None,
    extent: float = 1.0,
    points: int = SIDE,
    batch_norm: str = "re-estimated",
    seed: int = 0,
    title: str = "",
) -> Any:
    """The loss around the winner of a race, or any model: along two random directions, and along the two in
    which a path of its training differs most.

        L(w* + α d₁ + β d₂)    random:     dᵢ ~ N(0, 1), every unit scaled to the size of its own weights
                               of a path:  the first two principal components of w₁ − w*, w₂ − w*, …

    result: a `Result`, the folder of a race, or a `Model`; of a race the winner's single network. X, y: rows to take
    the loss on, in the form that the race had; for a race of a file its rows by themselves. At most 1,024,
    evenly spread. The loss is what the recipe trains, without penalties, dropout and smoothing, in the net's unit.
    path: models of the same net in the order of training, as `fit(…, stop=1)`, `fit(…, stop=2)`, … make them, or trees
    of weights; or several such paths by name. extent: how far the random directions go either way: at 1 every unit has
    moved by its own size. The plane of a path is as large as the path. points: a side. seed: of the random directions.
    batch_norm: "re-estimated" takes the statistics of batch normalisation anew from the rows at every point, as
    training does; "stored" keeps those that the model has, which fit its own weights alone. The picture says which.
    Where the loss is no number the ground is hatched. Source: Li et al. 2018, https://arxiv.org/abs/1712.09913.
    Raises SlalomError where rows are needed, or a path has other weights than the model.

    >>> from slalom import Recipe, fit
    >>> X = np.random.default_rng(0).normal(size=(64, 2)); recipe = Recipe(depth=1, width=4, batch_size=16, epochs=3)
    >>> picture = landscape(fit(X, X[:, 0], recipe=recipe), X, X[:, 0], points=5)
    >>> picture.axes[0].get_xlabel()
    'random direction 1 (share of each unit’s size)'
    """
    model = _model(result)
    if batch_norm not in ("re-estimated", "stored"):
        raise wrong("landscape(batch_norm=…)", "'re-estimated' or 'stored'", batch_norm)
    if not (isinstance(extent, (int, float)) and 0 < extent < float("inf")):
        raise wrong("landscape(extent=…)", "a finite number above 0", extent)
    if isinstance(points, bool) or not isinstance(points, int) or points < 3:
        raise wrong("landscape(points=…)", "a whole number, 3 or more", points)
    ground = _ground(model, *_rows(result, model, X, y), batch_norm)
    paths = _paths(path, model)
    picture, axes = panels(1, 2 if paths else 1, width=10.4 if paths else 5.9, height=5.2, fixed=True)
    _random(axes[0, 0], ground, filter_normalised(model.weights, seed), float(extent), points)
    if paths:
        _along(
            axes[0, 1], ground, principal(model.weights, [w for walk in paths.values() for w in walk]), paths, points
        )
    loss = model.loss.replace("_", " ")
    picture.suptitle(plain(title or f"The loss ({loss}) around these weights", LONGEST), x=0.01, ha="left", fontsize=11)
    picture.supxlabel(f"{loss} of {ground.rows:,} rows, without penalties and dropout{ground.about}", fontsize=SMALL,
                      color=SOFT, x=0.01, ha="left")  # fmt: skip
    return picture


def _random(axes: Any, ground: Ground, plane: Plane, extent: float, points: int) -> None:
    """The panel of the random directions."""
    side = np.linspace(-extent, extent, points)
    _surface(axes, side, side, over_plane(ground.loss, plane, side, side))
    axes.plot(0, 0, "o", color=COLOURS[0], markersize=7, markeredgecolor="white", zorder=5)
    _named(axes, "these weights")
    axes.set_title(f"Two random directions, scaled unit by unit\nfrom −{extent:g} to {extent:g}")
    for name, setter in (("1", axes.set_xlabel), ("2", axes.set_ylabel)):
        setter(f"random direction {name} (share of each unit’s size)")
    axes.set_aspect("equal")


def _along(axes: Any, ground: Ground, plane: Plane, paths: dict[str, list[Tree]], points: int) -> None:
    """The panel of the principal components, with the paths."""
    walks = {name: seen_along(plane, [*walk]) for name, walk in paths.items()}
    every = np.concatenate([*walks.values(), np.zeros((1, 2))])
    low, high = every.min(0), every.max(0)
    half = 0.65 * np.maximum(high - low, (high - low).max() / 3)
    middle = (low + high) / 2
    x, y = (np.linspace(m - h, m + h, points) for m, h in zip(middle, half, strict=True))
    heights = _surface(axes, x, y, over_plane(ground.loss, plane, x, y))
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    give_way(axes, heights, walked(axes, walks))
    axes.plot(0, 0, "o", color=COLOURS[0], markersize=7, markeredgecolor="white", zorder=6)
    _named(axes, "these weights")
    assert plane.explained
    first, second = (f"{share:.0%}" for share in plane.explained)
    axes.set_title(f"The first two principal components of the path\n{_ends(x)} by {_ends(y)}")
    axes.set(xlabel=f"component 1 ({first} of the variance)", ylabel=f"component 2 ({second} of the variance)")
    axes.set_aspect("equal")


def _ends(side: Array) -> str:
    return f"{side[0]:.3g} to {side[-1]:.3g}".replace("-", "−")


def _surface(axes: Any, x: Array, y: Array, values: Array) -> list[Any]:
    """Rings of equal loss; what is far above the rest is one colour."""
    there = np.isfinite(values)
    if there.any():
        values = np.where(there, np.minimum(values, np.quantile(values[there], STEEP)), np.nan)
    return rings(axes, x, y, values, 16)


def _named(axes: Any, text: str) -> None:
    axes.annotate(text, xy=(0, 0), xytext=(7, -7), textcoords="offset points", va="top", fontsize=SMALL, bbox=PAPER,
                  color=COLOURS[0], zorder=7)  # fmt: skip


def _model(result: Any) -> Model:
    """The single network of a result, of a folder, or itself."""
    if isinstance(result, Result):
        result = result.single or result.model
    elif isinstance(result, (str, Path)):
        return Model.load(result)
    if isinstance(result, Ensemble) or not isinstance(result, Model):
        what = "a Result, the folder of a race, or a Model: an ensemble has no one set of weights"
        raise wrong("landscape: result", what, type(result).__name__)
    return result


def _rows(result: Any, model: Model, X: Any, y: Any) -> tuple[Array, Array]:
    """(scaled rows [N, D], targets [N] as the loss takes them), those that are given or the file's."""
    if X is None:
        path = result.out if isinstance(result, Result) else result if isinstance(result, (str, Path)) else None
        if path is None:
            raise SlalomError("landscape needs rows to take the loss on: give X and y.")
        opened = RunFolder.extend(path)
        table = rows_of(opened, opened.settings()["data"], None, None, None, {}, "pictures.landscape")
        frame, labels = table.frame, table.labels
    else:
        if y is None:
            raise SlalomError("landscape needs the targets of the rows: give y beside X.")
        frame, labels = frame_of(X, as_text=model.columns.text_names).frame, np.asarray(y)
    if len(frame) != len(labels):
        raise wrong("landscape(y=…)", f"as long as X, {len(frame)} rows", len(labels))
    kept = np.unique(np.linspace(0, len(frame) - 1, min(ROWS, len(frame))).astype(int))
    x = model.scaled(model.columns(frame[kept]))
    encoded = np.asarray(model.target.encode(labels[kept]), np.float64)
    return x, model.unit(encoded) if model.unit else encoded


def _ground(model: Model, x: Array, y: Array, batch_norm: str) -> Ground:
    """The loss of a net's weights on these rows."""
    normed = model.net.normalisation == "batch_norm"
    anew = normed and batch_norm == "re-estimated"
    loss = loss_around(model.net, model.recipe, model.loss, model.memory, x, y, anew=anew)
    said = f"; the statistics of batch norm are {'re-estimated at every point' if anew else 'the model’s own'}"
    return Ground(loss, len(y), said if normed else "")


def _paths(path: Any, model: Model) -> dict[str, list[Tree]]:
    """Paths by name as weights, without points that are the model itself in another form."""
    if path is None:
        return {}
    several: Mapping[str, Sequence[Any]] = path if isinstance(path, Mapping) else {"": path}
    return {str(name): [_weights(point, model) for point in walk] for name, walk in several.items()}


def _weights(point: Any, model: Model) -> Tree:
    """The weights of one point of a path; SlalomError where they are not those of the same net."""
    weights = point.weights if isinstance(point, Model) else point
    shapes = [jax.tree.map(np.shape, tree) for tree in (weights, model.weights)]
    if shapes[0] != shapes[1]:
        raise SlalomError("landscape(path=…) must hold models of the same net as the winner's, or their weights.")
    return weights
