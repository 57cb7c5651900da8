"""Surfaces: a loss over a grid of two numbers, directions in the space of weights, and paths seen along them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slalom.errors import SlalomError, wrong
from slalom.losses import LOSSES
from slalom.net import Net
from slalom.recipe import Recipe
from slalom.types import Array, Tree

NO_TRACE = (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError)  # of functions of NumPy


def over_grid(f: Callable[..., Any], x: Array, y: Array | None, data: Sequence[Any] = ()) -> Array:
    """A function of w [2] over a grid, values [len(y), len(x)] in float64; without y of one number, [1, len(x)].

    A JAX function is one program, which goes from point to point; any other is called for each of them. What is
    infinite is no number (NaN).

    >>> over_grid(lambda w: w[0] + 10 * w[1], np.array([1.0, 2.0]), np.array([0.0, 3.0])).tolist()
    [[1.0, 2.0], [31.0, 32.0]]
    """
    points = np.asarray(x, np.float64) if y is None else np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    with jax.enable_x64(True), np.errstate(all="ignore"):
        held = tuple(jnp.asarray(array) for array in data)
        try:
            values = np.asarray(jax.lax.map(lambda w: f(w, *held), jnp.asarray(points)), np.float64)
        except NO_TRACE:
            values = np.array([float(f(w, *data)) for w in points])
    if values.size != len(points):
        raise SlalomError(f"f must answer with one number. Got shape {values.shape[1:]}.")
    values = np.where(np.isfinite(values), values, np.nan)
    return values.reshape(1, -1) if y is None else values.reshape(len(y), len(x))


class Plane(NamedTuple):
    """A plane through some weights: where it is 0, its two directions (trees like the weights), and what they are."""

    origin: Tree
    first: Tree
    second: Tree
    explained: tuple[float, float] | None = None  # the share of a path's variance along each, of principal components


def flat(tree: Tree) -> Array:
    """All numbers of a tree in one row, float64.

    >>> flat(({"w": np.ones((1, 2))}, {"b": np.zeros(1)})).tolist()
    [1.0, 1.0, 0.0]
    """
    return np.concatenate([np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(tree)])


def like(row: Array, tree: Tree) -> Tree:
    """A row of numbers in the shape of a tree."""
    structure: Any
    leaves, structure = jax.tree.flatten(tree)
    ends = np.cumsum([np.size(leaf) for leaf in leaves])[:-1]
    parts = np.split(np.asarray(row), ends)
    return structure.unflatten([part.reshape(np.shape(leaf)) for part, leaf in zip(parts, leaves, strict=True)])


def filter_normalised(weights: Tree, seed: int = 0) -> Plane:
    """Two random directions through weights in which every unit moves in proportion to its own size (Li et al. 2018,
    https://arxiv.org/abs/1712.09913, section 4).

        dᵢ ← dᵢ ‖wᵢ‖ / ‖dᵢ‖,   d ~ N(0, 1),   wᵢ the weights that lead to unit i; biases, gains and shifts stay

    Without it a direction is large beside small weights: a net whose units are halved and doubled in turn, which
    computes the same, would look another. At the distance 1 every unit has moved by as much as it is large.

    >>> plane = filter_normalised(({"w": np.array([[3.0, 4.0], [0.0, 0.5]]), "b": np.ones((2, 1))},))
    >>> np.linalg.norm(plane.first[0]["w"], axis=1).round(6).tolist(), plane.first[0]["b"].ravel().tolist()
    ([5.0, 0.5], [0.0, 0.0])
    """
    rng = np.random.default_rng(seed)
    return Plane(weights, *(jax.tree_util.tree_map_with_path(partial(_direction, rng), weights) for _ in range(2)))


def _direction(rng: np.random.Generator, place: Any, w: Array) -> Array:
    """A random direction of one array; 0 for what is no matrix. An array named w is one, also of a single column."""
    w = np.asarray(w, np.float64)
    drawn = rng.normal(size=w.shape)
    named = getattr(place[-1], "key", "") if place else ""
    if w.ndim < 2 or (named != "w" and min(w.shape) == 1):
        return np.zeros(w.shape)
    size = np.linalg.norm(drawn.reshape(len(w), -1), axis=1)
    scale = np.linalg.norm(w.reshape(len(w), -1), axis=1) / np.maximum(size, 1e-300)
    return drawn * scale.reshape(-1, *[1] * (w.ndim - 1))


def principal(origin: Tree, points: Sequence[Tree]) -> Plane:
    """The plane through some weights along which the points of a path differ most: the first two principal components
    of wᵢ − origin, each of length 1, and the share of the sum of squares that lies along each (Li et al. 2018, 7.1).

    Raises SlalomError where there are fewer than two points beside the origin, or they lie on one line.

    >>> plane = principal({"w": np.zeros(3)}, [{"w": np.array([2.0, 0, 0])}, {"w": np.array([0, 1.0, 0])}])
    >>> [round(share, 3) for share in plane.explained]
    [0.8, 0.2]
    """
    centre = flat(origin)
    away = np.array([flat(point) - centre for point in points])
    if len(away) < 2 or not np.isfinite(away).all():
        raise wrong("landscape(path=…)", "at least two finite points beside the winner's own", len(away))
    _, sizes, directions = np.linalg.svd(away, full_matrices=False)
    if sizes[1] <= 1e-9 * sizes[0]:
        raise SlalomError("landscape(path=…) must have points that do not all lie on one line through the winner.")
    shares = sizes**2 / (sizes**2).sum()
    first, second = (like(row, origin) for row in directions[:2])
    return Plane(origin, first, second, (float(shares[0]), float(shares[1])))


def seen_along(plane: Plane, points: Sequence[Tree]) -> Array:
    """Points [P, 2] as distances along the two directions of a plane of principal components."""
    centre, axes = flat(plane.origin), np.stack([flat(plane.first), flat(plane.second)])
    return np.array([axes @ (flat(point) - centre) for point in points])


def over_plane(loss: Callable[[Tree], Any], plane: Plane, x: Array, y: Array) -> Array:
    """A loss of weights over a plane, values [len(y), len(x)]: L(origin + x first + y second), computed in the float
    type of the weights; NaN where it is no number."""
    leaves = jax.tree.leaves(plane.origin)
    dtype = np.result_type(*[np.asarray(leaf).dtype for leaf in leaves])
    origin, first, second = (jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree) for tree in plane[:3])

    @jax.jit
    def along(places: Any) -> Any:
        def at(place: Any) -> Any:
            return loss(jax.tree.map(lambda w, a, b: w + place[0] * a + place[1] * b, origin, first, second))

        return jax.lax.map(at, places)

    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    values = np.asarray(along(jnp.asarray(places, dtype)), np.float64)
    return np.where(np.isfinite(values), values, np.nan).reshape(len(y), len(x))


def loss_around(
    net: Net, recipe: Recipe, name: str, memory: Tree, x: Array, y: Array, *, anew: bool = True
) -> Callable[[Tree], Any]:
    """The loss of a net as a function of its weights, on scaled rows x [N, D] with targets y [N], without penalties,
    dropout and smoothing. anew: whether batch norm takes its statistics anew from these rows, as training does; with
    those in the memory, which fit one set of weights alone, another set would look worse than it is."""
    inputs, targets = jnp.asarray(x.T), jnp.asarray(y, jnp.float32)
    numbers = {"huber": recipe.huber_delta, "quantile": recipe.quantile}
    number = {"number": numbers[name]} if name in numbers else {}
    training = anew and net.normalisation == "batch_norm"

    def loss(weights: Tree) -> Any:
        outputs, _ = net.apply(weights, memory, inputs, training=training, dropout=None)
        return LOSSES[name](outputs, targets, 0.0, **number)

    return loss
