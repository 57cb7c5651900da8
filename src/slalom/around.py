"""Around: the loss around where a recipe's training ends, with the paths of several rules that begin at one point."""

import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from slalom.cost import step_seconds
from slalom.crew import Crew
from slalom.errors import SlalomError
from slalom.finish import structure_of
from slalom.heat import Heat
from slalom.lane import Data, width
from slalom.prepare import Prepared
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.seats import Placed, kind_of_device
from slalom.shuffles import Shuffles
from slalom.step import Structure, kind_of
from slalom.surface import Plane, filter_normalised, loss_around, over_plane, principal, seen_along
from slalom.types import Array, Tree

SIDE = 31  # points a side of each plane
ROWS = 1024  # training rows that the loss is taken on, at most
STOPS = 32  # points of a path
SHARE = 0.5  # of the seconds that compiling and the paths may take, about
FEWEST, FEWEST_ROWS = 20, 128  # steps of a path; rows that the loss is taken on
SPEED = 1e10  # products a second, that the planes are cut to
FAR, SMALLER = 1.0, 3  # by how much of the first loss it rises where a path has left the place; rates tried then
OTHERS = ("sgd", "momentum", "rmsprop", "adam")  # rules that walk beside the winner's own


class Walk(NamedTuple):
    """The path of one rule: its name and rate, the weights on the way with their losses, the last memory."""

    rule: str
    rate: float
    points: list[Tree]
    losses: list[float]
    memory: Tree
    left: bool  # whether it was cut where its loss rose far above that of the start


def landscape(
    prepared: Prepared, metric: Any, winner: Recipe, rates: dict[str, float], seconds: float
) -> dict[str, Any]:
    """The loss around the end of a training of the winner, over two planes, as plain data.

        L(w* + α d₁ + β d₂)    random:     dᵢ ~ N(0, 1), every unit scaled to the size of its own weights
                               of a path:  the first two principal components of all points of all paths, less w*

    The winner's own rule and, without weight decay, up to four others walk from the same first weights, those of the
    seed 0, with the winner's schedule, batches and rows, for equally many steps, which are the whole horizon: that of
    the winner, or a shorter one where the seconds do not suffice (by the cost model). rates: the learning rate of each
    rule; those that are not in it have the middle (in the logarithm) of the rule's own range; a path whose loss rises
    by more than the size of that of the start is walked again at smaller rates while there is time, and cut there if
    none helps. A plateau does not fall: it hears of no scores. w*: where the winner's own rule ends, which is not the
    network of the race.
    The loss is that of at most 1,024 training rows, without penalties, dropout and smoothing, in the net's unit; batch
    norm takes its statistics anew from them at every point. Source: Li et al. 2018, https://arxiv.org/abs/1712.09913.
    """
    began, fold = time.perf_counter(), len(prepared.folds) if prepared.whole else 0
    structure = structure_of(winner, prepared)
    recipes = _several(winner, rates)
    data = Placed(Data(prepared.x, prepared.y))
    kinds = tuple(dict.fromkeys(kind_of(recipe.rule) for recipe in recipes))
    heat = Heat(structure, prepared, data, metric, Shuffles(0), 0, kinds, crowd=1, replayed=False)
    heat.compile()
    left = max(SHARE * seconds - (time.perf_counter() - began), 0.1 * seconds)
    steps = _steps(heat, structure, winner, fold, left / len(recipes))
    epochs = max(1, steps // heat.steps_per_epoch(fold))
    steps = min(steps, epochs * heat.steps_per_epoch(fold))
    recipes, late = [recipe.with_epochs(epochs) for recipe in recipes], began + SHARE * seconds
    train = prepared.all_folds[fold].train
    most = int(np.clip(0.2 * seconds * SPEED / (4 * SIDE**2 * structure.net.parameters), FEWEST_ROWS, ROWS))
    rows = train[np.unique(np.linspace(0, len(train) - 1, min(most, len(train))).astype(int))]
    x = prepared.as_raced(winner.scaling, fold, rows)
    first = prepared.first_target(winner.unit, fold)
    around = lambda memory: loss_around(structure.net, winner, structure.loss, memory, x, prepared.y[first + rows])  # noqa: E731
    start = structure.net.init(np.random.default_rng(0))[1]
    at = jax.jit(around(start))
    walks = [_calm(heat, recipe, fold, steps, at, late) for recipe in recipes]
    loss = around(walks[0].memory)
    return {
        "loss": structure.loss,
        "rows": len(rows),
        "steps": steps,
        "epochs": steps / heat.steps_per_epoch(fold),
        "batch_norm": structure.net.normalisation == "batch_norm",
        "random": _random(loss, walks[0].points[-1]),
        "path": _along(loss, walks),
    }


def _several(winner: Recipe, rates: dict[str, float]) -> list[Recipe]:
    """The winner, and the same with other rules, each at its rate."""
    own = winner.flat()["rule"]
    found = [winner]
    for name in OTHERS:
        if name == own:
            continue
        other = winner.with_fields({"rule": name, "weight_decay": 0.0})  # decay means another thing in each rule
        low, high = other.rule.rates
        found.append(other.with_fields({"learning_rate": rates.get(name, math.sqrt(low * high))}))
    return found


def _steps(heat: Heat, structure: Structure, winner: Recipe, fold: int, seconds: float) -> int:
    """How many steps fit into so many seconds, up to the winner's horizon."""
    each = step_seconds(structure, width(structure, racers=1), kind_of_device())
    return int(np.clip(seconds / max(each, 1e-9), FEWEST, winner.epochs * heat.steps_per_epoch(fold)))


def _calm(heat: Heat, recipe: Recipe, fold: int, steps: int, loss: Any, late: float) -> Walk:
    """One rule's path at its rate, or, where it leaves the place there, at the first of three smaller ones (each by
    √10) at which it does not. late: the perf_counter() from which no further one is tried."""
    walk = _walked(heat, recipe, fold, steps, loss)
    for _ in range(SMALLER):
        if not walk.left or time.perf_counter() > late:
            break
        recipe = recipe.with_fields({"learning_rate": recipe.learning_rate / math.sqrt(10)})
        walk = _walked(heat, recipe, fold, steps, loss)
    return walk


def _walked(heat: Heat, recipe: Recipe, fold: int, steps: int, loss: Any) -> Walk:
    """One rule's path from the common first weights."""
    racer = Racer(0, recipe, fold)
    here = Crew(heat, [racer]).moment()
    points, losses, left = [here.weights], [float(loss(here.weights))], False
    for stop in np.unique(np.round(np.geomspace(1, steps, STOPS)).astype(int)):
        Crew(heat, [racer]).advance(int(stop), [], lambda: False)
        moment = Crew(heat, [racer]).moment()
        found = float(loss(moment.weights))
        left = not found - losses[0] <= FAR * abs(losses[0])  # a loss of poisson may be below 0
        if left:
            break
        here = moment
        points.append(here.weights)
        losses.append(found)
    return Walk(recipe.flat()["rule"], recipe.learning_rate, points, losses, here.memory, left)


def _random(loss: Any, end: Tree) -> dict[str, Any]:
    """The plane of two random directions."""
    side = np.linspace(-1, 1, SIDE)
    return {
        "x": side.tolist(),
        "y": side.tolist(),
        "values": _plain(over_plane(loss, filter_normalised(end), side, side)),
    }


def _along(loss: Any, walks: Sequence[Walk]) -> dict[str, Any] | None:
    """The plane of principal components of the paths, and the paths in it; None where they all lie on one line."""
    end = walks[0].points[-1]
    try:
        plane: Plane = principal(end, [point for walk in walks for point in walk.points])
    except SlalomError:
        return None
    seen = [seen_along(plane, walk.points) for walk in walks]
    every = np.concatenate([*seen, np.zeros((1, 2))])
    low, high = every.min(0), every.max(0)
    half = 0.6 * np.maximum(high - low, (high - low).max() / 3)
    x, y = (np.linspace(m - h, m + h, SIDE) for m, h in zip((low + high) / 2, half, strict=True))
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "values": _plain(over_plane(loss, plane, x, y)),
        "explained": list(plane.explained or ()),
        "paths": [
            {"rule": walk.rule, "rate": walk.rate, "points": points.tolist(), "losses": walk.losses, "left": walk.left}
            for walk, points in zip(walks, seen, strict=True)
        ],
    }


def _plain(values: Array) -> list[list[float | None]]:
    """A table of numbers with None where there is none."""
    return [[float(f"{v:.6g}") if math.isfinite(v) else None for v in row] for row in values]
