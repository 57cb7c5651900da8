"""Studies: recipes that are trained behind a race, on its rows, with seeds that it did not have."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from slalom import seats
from slalom.ablated import chosen, further, rates
from slalom.entry import Entry
from slalom.executor import Threads, cores
from slalom.metrics import Metric
from slalom.plan import flat
from slalom.prepare import Prepared
from slalom.recipe import Recipe
from slalom.scored import predicted
from slalom.start import entered
from slalom.track import Track
from slalom.types import Array

# Seeds of each kind of study, that have no part in another. A race has 0, and its finalists 1 to 5.
WINNER = range(11, 16)  # of the named winner, at its own rate
GRID = range(21, 23)  # of each learning rate of a grid
FRESH = range(31, 41)  # of either side of a comparison: n = 10, fixed beforehand


class Grid(NamedTuple):
    """What a search of the learning rate found on choosing rows: cost of each rate, ∞ where it diverged."""

    costs: dict[float, float]

    @property
    def rate(self) -> float | None:
        """The best rate; None where all diverged."""
        return chosen(self.costs)


class Replicates(NamedTuple):
    """Runs of one recipe with several seeds: the cost of each on choosing rows at its best moment, and its predictions
    for the evidence rows, fold after fold: [n, N] or [n, N, C]. diverged: seeds that came to nothing."""

    costs: list[float]
    predictions: Array
    diverged: int


@dataclass(eq=False)
class Study:
    """A place to train recipes in, on the rows of a race. end: the time.perf_counter() at which it closes."""

    prepared: Prepared
    metric: Metric
    seed: int
    end: float = math.inf
    report: Callable[[str, int, int], None] = lambda phase, alive, steps: None
    racer_steps: int = 0

    def __post_init__(self) -> None:
        self.executor = Threads(seats.workers(cores()), seats.take)
        seats.make(self.executor.workers)

    def grid(self, recipe: Recipe, known: dict[float, float] | None = None) -> Grid | None:
        """The learning rates around that of a recipe, two seeds each, further where the best lies at an edge; None
        where the time is up before."""
        costs = dict(known or {})
        wanted = [rate for rate in rates(recipe.learning_rate) if rate not in costs]
        while wanted:
            entries = self._trained([recipe.with_fields({"learning_rate": rate}) for rate in wanted], GRID)
            if entries is None:
                return None
            costs |= {rate: entry.best[0] for rate, entry in zip(wanted, entries, strict=True)}
            wanted = further(costs)
        return Grid(costs)

    def replicates(self, recipe: Recipe, seeds: Sequence[int]) -> Replicates | None:
        """A recipe trained with each of these seeds, and what its best moments predict for the evidence rows; None
        where the time is up before."""
        entries = self._trained([recipe], seeds)
        if entries is None:
            return None
        entry, folds = entries[0], self.prepared.folds
        whole = [seed for seed in seeds if all(r.best and not r.diverged for r in _of(entry, seed))]
        asked = [(entry.heat, racer, folds[racer.fold].evidence) for seed in whole for racer in _of(entry, seed)]
        found = predicted(self.executor, asked, math.inf)
        assert found is not None
        predictions = [np.concatenate([found[racer] for racer in _of(entry, seed)]) for seed in whole]
        costs = [float(np.mean([r.best.cost for r in _of(entry, seed)])) for seed in whole]
        return Replicates(costs, np.array(predictions), len(seeds) - len(whole))

    def finished(self, recipes: Sequence[Recipe], numbers: Sequence[int]) -> list[float] | None:
        """The costs on choosing rows of recipes of the race that are trained to their end with the seed that they had
        in it; None where the time is up before."""
        entries = self._trained(list(recipes), (0,), numbers)
        return None if entries is None else [entry.best[0] for entry in entries]

    def _trained(
        self, recipes: list[Recipe], seeds: Sequence[int], numbers: Sequence[int] | None = None
    ) -> list[Entry] | None:
        """Entries of these recipes, one racer a fold and seed, at the end of their horizon; None where not all got
        there in time."""
        heats, entries = entered(recipes, 0, self.prepared, self.metric, self.seed, seeds)
        for entry, number in zip(entries, numbers or (), strict=False):
            entry.number = number
            for racer in entry.racers:
                racer.number = number
        track = Track(flat(len(recipes), recipes[0].epochs), heats, entries, self.executor, self.end, self.report)
        track.racer_steps = self.racer_steps
        track.run()
        self.racer_steps = track.racer_steps
        if track.interrupted:
            raise KeyboardInterrupt
        late = time.perf_counter() > self.end
        done = all(entry in track.started and not (late and entry.unfinished(track.plan.epochs)) for entry in entries)
        return entries if done else None


def _of(entry: Entry, seed: int) -> list[Any]:
    """The racers of an entry with a seed, fold after fold."""
    return [racer for racer in entry.racers if racer.replicate == seed]
