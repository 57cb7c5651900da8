"""Entries: the recipes of a race, each with its racers, and how it ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from slalom.heat import Heat
from slalom.racer import Racer
from slalom.recipe import Recipe

FINISHED, STOPPED, DIVERGED, OUT_OF_TIME = "finished", "stopped early", "diverged", "out of time"
FURTHER = range(11, 16)  # seeds of the named winner that chose nothing; finalists have 1 to 5
CONTENDERS = 40  # recipes that may be members of the ensemble
OF_EACH = 3  # and so many of each structure
SPARE = 5  # dropped recipes whose best weights are kept in any case, should all survivors diverge
SPARE_BYTES = 2**28  # of the best weights of dropped recipes that may be members of the ensemble


@dataclass(eq=False)
class Entry:
    """One recipe of the race, with its racers: one a fold, and of a finalist more, one a fold and new seed."""

    number: int
    recipe: Recipe
    heat: Heat
    racers: list[Racer]
    outcome: str = ""
    again: list[Racer] = field(default_factory=list)  # of a finalist, with new seeds
    further: list[Racer] = field(default_factory=list)  # of the named winner, with seeds that chose nothing

    @property
    def curve(self) -> dict[int, float]:
        """step -> cost, the mean over the folds."""
        return _mean_curve(self.racers)

    @property
    def best(self) -> tuple[float, int]:
        """(cost, step) of the best moment; (∞, 0) where there is none or a racer diverged."""
        return best_of(self.racers)

    @property
    def runs(self) -> list[Racer]:
        """Its racers that have a best moment, those with new seeds too."""
        return [racer for racer in (*self.racers, *self.again, *self.further) if racer.best]

    @property
    def chosen(self) -> list[Racer]:
        """Of each fold the racer whose best moment cost least: the single networks of this recipe."""
        best = sorted(self.runs, key=lambda racer: (racer.best.cost, racer.replicate))  # type: ignore[union-attr]
        first = {racer.fold: racer for racer in reversed(best)}
        return [first[fold] for fold in sorted(first)]

    @property
    def seeds(self) -> int:
        """New seeds that it was run again with; 0 where it is no finalist."""
        return len({racer.replicate for racer in self.again})

    @property
    def replicated(self) -> tuple[float, int]:
        """(cost, step) of the best moment of the mean of the new seeds, which had no part in the choice; (∞, 0) where
        there is none or one of them diverged."""
        return best_of(self.again)

    @property
    def place(self) -> tuple[float, float, int]:
        """What entries are ranked by, the least first: finalists stand in front, by their new seeds."""
        return self.replicated[0], self.best[0], self.number

    @property
    def diverged(self) -> bool:
        """Whether the last score of a racer says that it left for good."""
        return any(racer.diverged for racer in self.racers)

    @property
    def stopped(self) -> bool:
        """Whether all its racers were stopped early."""
        return all(racer.stopped_at is not None for racer in self.racers)

    @property
    def epochs(self) -> float:
        """Epochs run so far."""
        return min(racer.step for racer in self.racers) / self.heat.steps_per_epoch(0)

    @property
    def epoch_cost(self) -> float:
        """Modelled core-seconds of one epoch of all its racers."""
        return sum(self.heat.epoch_cost(racer.fold) for racer in self.racers)

    def rerun(self, seeds: int, first: int = 1) -> "Entry":
        """The same recipe at the start, with so many new seeds from a first one on."""
        new = range(first, first + seeds)
        racers = [Racer(self.number, self.recipe, r.fold, seed) for seed in new for r in self.racers]
        return Entry(self.number, self.recipe, self.heat, racers)

    def unfinished(self, epochs: int) -> set[int]:
        """The seeds of which a racer did not come to an epoch."""
        steps = epochs * self.heat.steps_per_epoch(0)
        return {racer.replicate for racer in self.racers if racer.step < steps and racer.over_at is None}


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


def best_cost(started: Sequence[Entry]) -> float | None:
    """The least cost so far, also between rungs; None before any racer has one."""
    found = [[racer.best for racer in entry.racers] for entry in list(started)]
    costs = [sum(best.cost for best in bests if best) / len(bests) for bests in found if all(bests)]
    return min(costs, default=None)


def forget(started: Sequence[Entry], best: Sequence[Entry]) -> None:
    """Free the weights of those that ended, but for the best moments of those that may be members of the ensemble, and
    of a few that come next should all survivors diverge. Of the best their last weights stay as well, which may be what
    the winner is calibrated by."""
    ended = sorted((entry for entry in started if entry.outcome), key=lambda e: (e.best[0], e.number))
    kept, room = set(contenders(ended)), SPARE_BYTES
    for place, entry in enumerate(ended):
        room -= sum(racer.best.nbytes for racer in entry.racers if racer.best) if entry in kept else 0
        for racer in entry.racers:
            racer.state = racer.state if entry in best else None
            racer.best = racer.best if place < SPARE or (entry in kept and room >= 0) else None


def _mean_curve(racers: Sequence[Racer]) -> dict[int, float]:
    steps = sorted(set.intersection(*[set(racer.costs) for racer in racers])) if racers else []
    return {step: sum(racer.costs[step] for racer in racers) / len(racers) for step in steps}


def best_of(racers: Sequence[Racer]) -> tuple[float, int]:
    """(cost, step) of the best moment of the mean of racers; (∞, 0) where there is none or one of them diverged."""
    curve = _mean_curve(racers)
    if not curve or any(racer.diverged for racer in racers):
        return float("inf"), 0
    step = min(curve, key=lambda s: (curve[s], s))
    return curve[step], step
