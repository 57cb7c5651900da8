"""Columns: how the values of each column are distributed before a scaling and after it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from slalom import scaling as scalers_room
from slalom.errors import SlalomError, unknown, wrong
from slalom.pictures.style import FAINT, LONGEST, SMALL, SOFT, MaxNLocator, colour_of, dark, drawn, panels, plain
from slalom.scaling.base import as_columns
from slalom.types import Array

MOST = 8  # columns, and scalings
ROWS = 500  # of a table: up to so many, every value is a tick of its own, and an outlier is seen
NOTHING = 1e-10  # of the largest singular value: below it a direction has no rows


@drawn
def scaling(X: Array, scalers: Any, *, names: Sequence[str] | None = None, title: str = "") -> Any:
    """The distribution of every column as it came and under each scaling, one panel each; over each scaling stands the
    condition number of what it makes.

        κ = λ_max / λ_min of [z 1]ᵀ[z 1]     by how much the loss of a linear model curves more one way than another

    X: [N, D], at most eight columns; a missing cell (NaN) is left out. scalers: names, classes or fitted records of
    `slalom.scaling`, one, several in a list, or several by name; each is fitted to X where it is not yet. names: of the
    columns; those of a data frame by themselves. Every panel has its own axis: a straight scaling (min-max, z-score,
    robust, max-abs) moves the numbers of the axis and leaves the shape; a bent one (sigmoid, quantiles) changes it.
    Raises SlalomError for what is no table of numbers, and for an unknown scaler.

    >>> picture = scaling([[1.0, 200.0], [2.0, 100.0], [4.0, 900.0]], ["min_max", "z_score"], names=["size", "price"])
    >>> len(picture.axes), picture.axes[1].get_title().split("\\n")[0]
    (6, 'min-max')
    """
    given = [str(name) for name in X.columns] if names is None and hasattr(X, "columns") else names
    x = as_columns(X, "scaling(X)")
    given = [f"column {i + 1}" for i in range(x.shape[1])] if given is None else list(given)
    if len(given) != x.shape[1]:
        raise wrong("scaling(names=…)", f"{x.shape[1]} names, one a column", given)
    made = {"as it came": x} | {name: of(x) for name, of in _as_scalers(scalers, x).items()}
    if x.shape[1] > MOST or len(made) > MOST + 1:
        raise SlalomError(f"scaling shows at most {MOST} columns and {MOST} scalings. Choose some: X[:, :{MOST}].")
    rows, columns = x.shape[1], len(made)
    picture, axes = panels(rows, columns, width=1.1 + 1.9 * columns, height=1.0 + 1.25 * rows)
    for j, (name, z) in enumerate(made.items()):
        for i in range(rows):
            _distribution(axes[i, j], z[:, i], colour_of(i))
        axes[0, j].set_title(f"{plain(name)}\n{_condition(z)}", fontsize=SMALL + 1)
    for i, name in enumerate(given):
        axes[i, 0].set_ylabel(plain(name, 20), color=dark(colour_of(i)), fontsize=SMALL + 1)
    if title:
        picture.suptitle(plain(title, LONGEST), x=0.01, ha="left", fontsize=11)
    return picture


def _condition(z: Array) -> str:
    """The condition number in words, of the rows without a missing cell."""
    whole = z[np.isfinite(z).all(1)]
    if not len(whole):
        return ""
    sizes = np.linalg.svd(np.column_stack([whole, np.ones(len(whole))]), compute_uv=False)
    kappa = float((sizes[0] / sizes[sizes > NOTHING * sizes[0]][-1]) ** 2)
    return f"κ = {kappa:,.0f}" if kappa >= 100 else f"κ = {kappa:.3g}"


def _distribution(axes: Any, values: Array, colour: str) -> None:
    """A histogram; of few values a tick for each, too."""
    there = values[np.isfinite(values)]
    axes.grid(visible=False)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=SMALL - 1)
    if not len(there):
        return
    bins = int(np.clip(np.sqrt(len(there)) * 1.5, 6, 40))
    low, high = there.min(), there.max()
    edges = np.linspace(low, high, bins + 1) if high > low else np.array([low - 0.5, low + 0.5])
    heights = axes.hist(there, bins=edges, color=colour, alpha=0.75, edgecolor="white", linewidth=0.4)[0]
    axes.set_ylim(-0.16 * heights.max() if len(there) <= ROWS else 0, 1.08 * heights.max())
    if len(there) <= ROWS:
        axes.plot(
            there,
            np.full(len(there), -0.08 * heights.max()),
            "|",
            color=SOFT,
            markersize=5,
            alpha=0.9 if len(there) <= 40 else 0.35,
        )
        axes.axhline(0, color=FAINT, linewidth=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))


def _as_scalers(given: Any, x: Array) -> dict[str, Callable[[Array], Array]]:
    """Scalers by name, fitted."""
    if isinstance(given, Mapping):
        return {str(name): _fitted(one, x) for name, one in given.items()}
    several = given if isinstance(given, (list, tuple)) else [given]
    return {_name(one): _fitted(one, x) for one in several}


def _name(one: Any) -> str:
    """What a scaler is called in words."""
    kinds = {cls: name for name, cls in scalers_room.REGISTRY.items()}
    name = one if isinstance(one, str) else kinds.get(one if isinstance(one, type) else type(one), type(one).__name__)
    return {"min_max": "min-max", "z_score": "z-score", "max_abs": "max-abs"}.get(name, name.replace("_", " "))


def _fitted(one: Any, x: Array) -> Callable[[Array], Array]:
    """A scaler, fitted to x where it is only named."""
    if isinstance(one, str):
        if one not in scalers_room.REGISTRY:
            raise unknown("scaler", one, scalers_room.REGISTRY)
        one = scalers_room.REGISTRY[one]
    if isinstance(one, type) and hasattr(one, "fit"):
        return one.fit(x)
    if not callable(one):
        raise wrong("scaling(scalers=…)", "scalers of slalom.scaling, or their names", one)
    return one
