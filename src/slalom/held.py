"""How many recipes of a race a limit on memory has room for at a time, and which nets are too large for it."""

import math
from collections.abc import Sequence
from typing import Any

from slalom.budget import BYTES_A_PARAMETER, racers_of, said
from slalom.errors import SlalomError
from slalom.executor import cores
from slalom.finish import structure_of
from slalom.heat import bytes_of_lane
from slalom.lane import width
from slalom.order import Order
from slalom.plan import FINISHERS
from slalom.prepare import Prepared
from slalom.recipe import Recipe
from slalom.seats import workers
from slalom.space import Space
from slalom.step import Structure


def _held(structure: Structure, prepared: Prepared) -> int:
    """How many recipes of a structure memory has room for at a time."""
    lane = bytes_of_lane(structure, width(structure))
    return racers_of(prepared.room, structure.net.parameters, lane, workers(cores())) // len(prepared.folds)


def fitting(space: Space, prepared: Prepared, shapes: list[dict[str, Any]], notes: list[str]) -> list[dict[str, Any]]:
    """The shapes of which memory has room for a few recipes; the first one in any case."""
    held = [_held(structure_of(space.default().with_fields(shape), prepared), prepared) for shape in shapes]
    roomy = [shape for shape, most in zip(shapes, held, strict=True) if most >= FINISHERS]
    if prepared.room < math.inf and len(roomy) < len(shapes):
        notes.append(f"memory suffices for {len(roomy)} of {len(shapes)} shapes of nets.")
        return roomy or shapes[:1]
    return shapes


def most_recipes(order: Order, prepared: Prepared, recipes: Sequence[Recipe], fewest: int) -> int:
    """How many recipes memory has room for at a time, be they the largest of these; SlalomError with the need where a
    limit leaves room for fewer than are wanted at least."""
    structures = [structure_of(recipe, prepared) for recipe in recipes]
    most = min(_held(structure, prepared) for structure in structures)
    if order.memory and most < fewest:
        large = max(structures, key=lambda structure: structure.net.parameters)
        racers = BYTES_A_PARAMETER * large.net.parameters * len(prepared.folds) * fewest
        calls = workers(cores()) * max(bytes_of_lane(structure, width(structure)) for structure in structures)
        raise SlalomError(
            f"memory must be at least {said(order.memory - prepared.room + racers + calls)} for {fewest} recipes of"
            f" {large.net.parameters:,} weights beside this table. Got {said(order.memory)}. Give more, or take fewer"
            " recipes or narrower nets (--set width=64)."
        )
    return max(fewest, most)
