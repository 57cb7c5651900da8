"""A racer on the host: one recipe with its weights, being trained, and what it was scored so far."""

import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from slalom.recipe import Recipe
from slalom.schedules.base import plateau_of
from slalom.step import Kind, Knobs, State, kind_of
from slalom.types import Array, Tree


class Moment(NamedTuple):
    """A racer at a check: its cost on choosing rows (less is better) and the weights that had it."""

    cost: float
    step: int
    weights: Tree
    memory: Tree

    @property
    def nbytes(self) -> int:
        """How much memory its weights take."""
        return sum(array.nbytes for layer in (*self.weights, *self.memory) for array in _arrays(layer))


def _arrays(layer: Any) -> list[Any]:
    """The arrays of one layer: of a dict, of a NamedTuple, or none."""
    return list(layer.values() if isinstance(layer, dict) else layer)


@dataclass(eq=False)
class Racer:
    """One recipe with its weights, being trained on one fold."""

    number: int  # of the recipe in the race
    recipe: Recipe
    fold: int
    replicate: int = 0
    state: State | None = None
    knobs: Knobs | None = None
    step: int = 0
    costs: dict[int, float] = field(default_factory=dict)  # step -> cost on choosing rows
    rows: dict[int, Array] = field(default_factory=dict)  # step -> [M, k] float32, of whose means that is a function
    best: Moment | None = None
    falls: list[tuple[float, float]] = field(default_factory=list)  # of a plateau: (step, the factor from there on)
    plateau: Any = None  # what its plateau has seen
    remark: str = ""  # what its rule says of the training
    diverged_at: int | None = None  # the step of the score that said so; it then counts as ended
    stopped_at: int | None = None  # the step of the score at which it had not been better for too long
    seconds: float = 0.0  # its share of its lanes' time
    waiting: list[Array] | None = None  # what a checkpoint kept of its state, until its program is there

    @property
    def diverged(self) -> bool:
        """Whether it has left for good: a racer that diverged once is not waited for, whoever races beside it."""
        return self.diverged_at is not None

    @property
    def over_at(self) -> int | None:
        """The step behind which nothing counts any more; None while it races."""
        return self.stopped_at if self.diverged_at is None else self.diverged_at

    @cached_property
    def kind(self) -> Kind:
        """The kind of its update rule."""
        return kind_of(self.recipe.rule)

    @property
    def watches(self) -> bool:
        """Whether its rate hangs on its scores."""
        return plateau_of(self.recipe.rate_factor()) is not None

    def watch(self, step: int, cost: float, horizon: int) -> None:
        """Show a score to its plateau, which may lower the rate from this step on."""
        plateau = plateau_of(self.recipe.rate_factor())
        assert plateau is not None
        before = plateau.start() if self.plateau is None else self.plateau
        self.plateau = plateau.observe(before, step, cost, horizon)
        if self.plateau.factor != before.factor:
            self.falls.append((step, self.plateau.factor))


def draw_key(seed: int, replicate: int, recipe: int) -> np.uint32:
    """The uint32 key of a racer's draws, well apart for neighbouring seeds."""
    return np.uint32(zlib.crc32(f"{seed} {replicate} {recipe}".encode()))
