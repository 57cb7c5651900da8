"""How racers are cut into crews, those that the same calls advance, and cut again where memory does not suffice."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from slalom.errors import RaceFailed
from slalom.heat import Heat, bytes_of_lane
from slalom.racer import Racer

T = TypeVar("T")


def order_of(racer: Racer) -> tuple[int, int]:
    """What the order decides in which a racer goes through the rows."""
    return racer.replicate, racer.fold


def orders_of(racers: Sequence[Racer]) -> list[tuple[int, int]]:
    """The orders of these racers, each once."""
    return list(dict.fromkeys(map(order_of, racers)))


def together(heat: Heat, members: Sequence[T], share: int, racer_of: Callable[[T], Racer]) -> list[list[T]]:
    """Racers of one rule, each perhaps with something beside it, as crews: in their order, as many as one call takes,
    but at most `share` in whole lanes, so that all cores have something to do, and of no more orders of rows than the
    program takes."""
    most = max(heat.width, min(heat.places, -(-share // heat.width) * heat.width))
    crews: list[list[T]] = []
    orders: set[tuple[int, int]] = set()
    for member in members:
        order = order_of(racer_of(member))
        if not crews or len(crews[-1]) == most or len(orders | {order}) > heat.orders:
            crews.append([])
            orders = set()
        crews[-1].append(member)
        orders.add(order)
    return crews


def parted(crew: Sequence[T], heat: Heat, lanes: int, error: BaseException) -> list[list[T]]:
    """A crew for which memory did not suffice, in parts for a program of half as many lanes, which is made; any other
    error is raised, and one of memory where the program had but one lane (RaceFailed, with what a lane needs).

    lanes: of the program that failed.
    """
    if not isinstance(error, MemoryError) and not re.search("RESOURCE_EXHAUSTED|[Oo]ut of memory", str(error)):
        raise error
    if not heat.shrink(lanes):
        net = heat.structure.net
        need = bytes_of_lane(heat.structure, heat.width)
        raise RaceFailed(
            f"There must be memory for {heat.width} racers of {net.depth} x {net.width} side by side, about"
            f" {need / 2**20:,.0f} MB beside the data. There is not: take a smaller width, depth or batch_size."
        ) from error
    return cut(crew, heat.places)


def cut(crew: Sequence[T], places: int) -> list[list[T]]:
    """A crew in parts of so many at most.

    >>> cut([1, 2, 3], 2)
    [[1, 2], [3]]
    """
    return [list(crew[i : i + places]) for i in range(0, len(crew), places)]
