"""Studies: recipes that are trained behind a race, on its rows, with seeds that it did not have."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from slalom import seats
from slalom.ablated import further, rates
from slalom.curvature import condition, sharpness
from slalom.entry import Entry, best_of
from slalom.executor import Threads, cores
from slalom.metrics import Metric
from slalom.permuted import Worth, columns
from slalom.plan import flat
from slalom.prepare import Prepared
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.start import entered
from slalom.track import Track
from slalom.weighed import GRID, Replicates, replicates


@dataclass(eq=False)
class Study:
    """A place to train recipes in, on the rows of a race. end: the time.perf_counter() at which it closes."""

    prepared: Prepared
    metric: Metric
    seed: int
    end: float = math.inf
    report: Callable[[str, int, int], None] = lambda phase, alive, steps: None
    racer_steps: int = 0
    slowness: float = 1.0  # measured over modelled time, of what was trained last
    needed: float = 0.0  # seconds, by the model, that the first thing takes for which there was no time

    def __post_init__(self) -> None:
        self.executor = Threads(seats.workers(cores()), seats.take)
        seats.make(self.executor.workers)

    def grid(
        self, recipe: Recipe, known: dict[float, float] | None = None
    ) -> tuple[dict[float, float], dict[float, list[float]], bool]:
        """(the cost of each learning rate around that of a recipe, two seeds each, further where the best lies at an
        edge; of those that are new, the cost of each seed by itself; whether all are there): as many as there is time
        for, beside those that are known."""
        costs: dict[float, float] = dict(known or {})
        seeds: dict[float, list[float]] = {}
        wanted = [rate for rate in rates(recipe.learning_rate) if rate not in costs] or further(costs)
        while wanted:
            entries = self._fitting([recipe.with_fields({"learning_rate": rate}) for rate in wanted])
            costs |= {entry.recipe.learning_rate: entry.best[0] for entry in entries}
            seeds |= {entry.recipe.learning_rate: _by_seed(entry) for entry in entries}
            if len(entries) < len(wanted):
                return costs, seeds, False
            wanted = further(costs)
        return costs, seeds, True

    def _fitting(self, recipes: list[Recipe]) -> list[Entry]:
        """The first of these recipes, as many as there is time for, trained as racers of a grid."""
        before = self.needed
        for count in range(len(recipes), 0, -1):
            self.needed = before  # where nothing fits, what the least of it needs is told
            entries = self._trained(recipes[:count], GRID)
            if entries is not None:
                return entries
        return []

    def replicates(self, recipe: Recipe, seeds: Sequence[int]) -> Replicates | None:
        """A recipe trained with each of these seeds, and what its best moments predict for the evidence rows; None
        where the time is up before."""
        entries = self._trained([recipe], seeds)
        if entries is None:
            return None
        return replicates(entries[0], entries[0].racers, self.executor, math.inf)

    def scaling(self, recipe: Recipe, name: str) -> dict[str, Any] | None:
        """A recipe on columns in another scaling: how ill-conditioned they are, how sharply the loss curves at the
        first weights, and the curve of its cost at the best rate of a grid, one seed; None where the time is up before.

        Curves are [(epoch, cost), …].
        """
        scaled = recipe.with_fields({"scaling": name})
        entries = self._trained(
            [scaled.with_fields({"learning_rate": rate}) for rate in rates(recipe.learning_rate)], GRID[:1]
        )
        if entries is None:
            return None
        best = min(entries, key=lambda entry: (entry.best[0], entry.recipe.learning_rate))
        heat, train = best.heat, self.prepared.folds[0].train
        columns = self.prepared.as_raced(name, 0, train)[:, : self.prepared.plain]
        return {
            "scaling": name,
            "condition": condition(columns) if columns.shape[1] else 1.0,
            "sharpness": sharpness(heat, Racer(0, scaled, 0, GRID[0])),
            "rate": best.recipe.learning_rate,
            "curve": [
                [step / heat.steps_per_epoch(0), cost] for step, cost in best.curve.items() if math.isfinite(cost)
            ],
        }

    def columns(self, recipe: Recipe, seeds: Sequence[int]) -> list[Worth] | None:
        """What each column of the table is worth to a recipe, trained with these seeds; None where the time is up
        before."""
        entries = self._trained([recipe], seeds)
        late = lambda: time.perf_counter() > self.end  # noqa: E731
        return None if entries is None else columns(entries[0], self.metric, seed=self.seed, late=late)

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
        heats, entries = entered(recipes, 0, self.prepared, self.metric, self.seed, seeds, replayed=False)
        for entry, number in zip(entries, numbers or (), strict=False):
            entry.number = number
            for racer in entry.racers:
                racer.number = number
        track = Track(flat(len(recipes), recipes[0].epochs), heats, entries, self.executor, self.end, self.report)
        seconds = max(track.pace.upto(entries).values()) / self.executor.workers * self.slowness
        if seconds > self.end - time.perf_counter():  # none of it would be of use
            self.needed = self.needed or seconds
            return None
        track.racer_steps = self.racer_steps
        track.run()
        self.racer_steps, self.slowness = track.racer_steps, track.pace.slowness
        if track.interrupted:
            raise KeyboardInterrupt
        late = time.perf_counter() > self.end
        if all(entry in track.started and not (late and entry.unfinished(track.plan.epochs)) for entry in entries):
            return entries
        self.needed = self.needed or 1.5 * seconds
        return None


def _by_seed(entry: Entry) -> list[float]:
    """The cost of the best moment of each seed of an entry."""
    seeds = sorted({racer.replicate for racer in entry.racers})
    return [best_of([racer for racer in entry.racers if racer.replicate == seed])[0] for seed in seeds]
