"""Entries: the recipes of a race, each with its racers, and how it ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from slalom.heat import Heat
from slalom.racer import Racer
from slalom.recipe import Recipe

FINISHED, DIVERGED, OUT_OF_TIME = "finished", "diverged", "out of time"
CONTENDERS = 40  # recipes that may be members of the ensemble
OF_EACH = 3  # and so many of each structure


@dataclass(eq=False)
class Entry:
    """One recipe of the race, with its racers: one a fold."""

    number: int
    recipe: Recipe
    heat: Heat
    racers: list[Racer]
    outcome: str = ""

    @property
    def curve(self) -> dict[int, float]:
        """step -> cost, the mean over the folds."""
        steps = sorted(set.intersection(*[set(racer.costs) for racer in self.racers]))
        return {step: sum(racer.costs[step] for racer in self.racers) / len(self.racers) for step in steps}

    @property
    def best(self) -> tuple[float, int]:
        """(cost, step) of the best moment; (∞, 0) where there is none or a racer diverged."""
        curve = self.curve
        if self.diverged or not curve:
            return float("inf"), 0
        step = min(curve, key=lambda s: (curve[s], s))
        return curve[step], step

    @property
    def diverged(self) -> bool:
        """Whether the last score of a racer says that it left for good."""
        return any(racer.diverged for racer in self.racers)

    @property
    def epochs(self) -> float:
        """Epochs run so far."""
        return min(racer.step for racer in self.racers) / self.heat.steps_per_epoch(0)

    @property
    def epoch_cost(self) -> float:
        """Modelled core-seconds of one epoch of all its racers."""
        return sum(self.heat.epoch_cost(racer.fold) for racer in self.racers)


def contenders(ranked: Sequence[Entry]) -> list[Entry]:
    """Of entries, the best first, those that may be members of the ensemble: the best 40, and behind them the best 3 of
    each structure, which err in other rows."""
    scored = [entry for entry in ranked if math.isfinite(entry.best[0]) and all(racer.best for racer in entry.racers)]
    seen: dict[object, int] = {}
    found = []
    for place, entry in enumerate(scored):
        seen[entry.heat.structure] = seen.get(entry.heat.structure, 0) + 1
        if place < CONTENDERS or seen[entry.heat.structure] <= OF_EACH:
            found.append(entry)
    return found
