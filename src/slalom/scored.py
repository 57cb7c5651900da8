"""Scored: what racers predict at their best moments for any rows of the table, by the programs that they raced in."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from slalom.executor import Executor, Task
from slalom.heat import Heat
from slalom.losses import predictions
from slalom.racer import Racer
from slalom.seats import device
from slalom.types import Array


def outputs_at_best(heat: Heat, racers: Sequence[Racer], rows: Array) -> list[Array]:
    """The outputs [C, M] of racers of a heat at their best moments for rows [M] of the table, in the order of racers.

    Racers of any rules and folds go together: a score knows no rule, and where a racer's variant of X begins is a
    number of its own.
    """
    found: list[Array] = []
    for i in range(0, len(racers), heat.places):
        some = racers[i : i + heat.places]
        found += _outputs(heat, some, np.asarray(rows, np.int32))
    return found


def _outputs(heat: Heat, racers: Sequence[Racer], rows: Array) -> list[Array]:
    """The same for as many racers as one call takes."""
    program, net, columns = heat.program, heat.structure.net, heat.data.tree.x.shape[1]
    lanes = -(-len(racers) // program.width)
    trees = []
    for racer in racers:
        heat.ready(racer)
        assert racer.best
        assert racer.knobs
        knobs = racer.knobs._replace(order=np.int32(0))
        trees.append((net.widened(racer.best.weights, columns), racer.best.memory, knobs))
    weights, memory, numbers = jax.device_put(_stacked(trees, heat.places), device())
    shape = program.score_shape
    parts = []
    for first in range(0, max(len(rows), 1), shape[0] * shape[1]):
        some = np.zeros((program.orders, shape[0] * shape[1]), np.int32)
        count = len(rows[first : first + some.shape[1]])
        some[:, :count] = rows[first : first + count]
        given = (np.int32(lanes), weights, memory, numbers, some.reshape(-1, *shape), heat.data.here().x)
        parts.append(np.asarray(program.score(*given))[: len(racers), :, :count])
    return list(np.concatenate(parts, axis=2))


def _stacked(trees: Sequence[Any], places: int) -> Any:
    """Trees as one tree of arrays [places, …]; in the places behind them stands the first once more."""
    return jax.tree.map(lambda *leaves: np.stack([*leaves, *[leaves[0]] * (places - len(leaves))]), *trees)


def predicted(
    executor: Executor, asked: Sequence[tuple[Heat, Racer, Array]], deadline: float
) -> dict[Racer, Array] | None:
    """The predictions of racers at their best moments: [M] in the target's unit, or probabilities [M, classes].

    asked: racers with their heats and rows; those of one heat and fold have the same rows. None where the workers did
    not come to an end by the deadline (a time.perf_counter()).
    """
    groups: dict[tuple[Heat, int], list[tuple[Racer, Array]]] = {}
    for heat, racer, rows in asked:
        groups.setdefault((heat, racer.fold), []).append((racer, rows))
    found: dict[Racer, Array] = {}

    def task(heat: Heat, members: list[tuple[Racer, Array]]) -> Task:
        def work() -> None:
            answers = outputs_at_best(heat, [racer for racer, _ in members], members[0][1])
            for (racer, _), outputs in zip(members, answers, strict=True):
                unit = heat.prepared.unit(racer.recipe.unit, racer.fold)
                found[racer] = predictions(heat.structure.loss, outputs, unit.inverse if unit else None)

        return Task(0, work)

    tasks = [task(heat, members) for (heat, _), members in groups.items()]
    return found if executor.run(tasks, deadline=deadline, tick=lambda: None) else None
