"""Pace: how long what is left of a race will take, by the cost model and the speed measured so far."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from slalom.entry import FURTHER, Entry
from slalom.heat import Heat
from slalom.plan import Plan

MEASURED = 0.3  # core-seconds of crews after which their speed is believed
SAFETY = 1.03
FINALISTS = 3  # recipes that are run again with new seeds
SEEDS = 5  # new seeds of each, at most
ENOUGH = 3  # of each, where the winner is to have further ones


@dataclass(eq=False)
class Pace:
    """The speed of a race, and what it says of the time to come. All costs are modelled core-seconds."""

    plan: Plan
    workers: int
    modelled: float = 0.0  # of the crews that ended
    measured: float = 0.0  # core-seconds of the same by the clock
    _checks: dict[Heat, list[int]] = field(default_factory=dict)
    _stretches: dict[tuple[Heat, int], float] = field(default_factory=dict)  # of one racer

    @property
    def slowness(self) -> float:
        """Measured over modelled time of the crews that ended: 1 before any has."""
        return self.measured / self.modelled if self.measured > MEASURED and self.modelled else 1.0

    def checks(self, heat: Heat) -> list[int]:
        """The steps at which the racers of a heat are scored."""
        if heat not in self._checks:
            self._checks[heat] = heat.checks(self.plan.epochs, 0, [rung.epochs for rung in self.plan.rungs])
        return self._checks[heat]

    def crew(self, heat: Heat, racers: int, start: int, stop: int) -> float:
        """Of racers that are advanced as one from a step to another."""
        checks = self.checks(heat)
        return heat.crew_cost(racers, stop - start, bisect_right(checks, stop) - bisect_right(checks, start))

    def stretch(self, entry: Entry, j: int) -> float:
        """Of one entry on its way to rung j, in lanes that are full."""
        heat, rungs = entry.heat, self.plan.rungs
        if (heat, j) not in self._stretches:
            start, stop = ((rungs[i].epochs if i >= 0 else 0) * heat.steps_per_epoch(0) for i in (j - 1, j))
            self._stretches[heat, j] = self.crew(heat, heat.width, start, stop) / heat.width
        return len(entry.racers) * self._stretches[heat, j]

    def upto(self, entries: Sequence[Entry]) -> dict[Entry, float]:
        """For each of these, of it and all before it, were they to start the whole plan.

        Behind the first rung a recipe costs its share, halfway to that of the dearest: larger nets are the likelier
        ones to stay.
        """
        rungs, total, found = self.plan.rungs, 0.0, {}
        shares = [rung.recipes / rungs[0].recipes for rung in rungs]
        one_each = {entry.heat: entry for entry in entries}
        later = {h: sum(shares[j] * self.stretch(e, j) for j in range(1, len(rungs))) for h, e in one_each.items()}
        first = {h: self.stretch(e, 0) for h, e in one_each.items()}
        for entry in sorted(entries, key=lambda entry: entry.number):
            total += first[entry.heat] + (later[entry.heat] + max(later.values())) / 2
            found[entry] = total
        return found

    def stay(self, ranked: Sequence[Entry], i: int, started: int, left: float) -> int:
        """How many of these, the best first, go on behind rung i: as many as the plan and the seconds left allow, one
        at least."""
        low, high = 1, min(self.plan.rungs[i + 1].recipes, len(ranked))
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.rest(ranked[:middle], i, started) <= left else (low, middle - 1)
        return min(low, len(ranked))

    def rest(self, ranked: Sequence[Entry], i: int, started: int) -> float:
        """Seconds until the end of the plan, were these to stay at rung i of a start of so many."""
        total, rungs, counts = 0.0, self.plan.rungs, self.plan.counts(started)
        for j in range(i + 1, len(rungs)):
            stay = max(1, round(len(ranked) * counts[j] / counts[i + 1]))
            total += sum(self.stretch(entry, j) for entry in ranked[:stay])
        rest = range(i + 1, len(rungs))
        chain = max(sum(self.stretch(entry, j) for j in rest) / len(entry.racers) for entry in ranked)
        return max(total / self.workers, chain) * self.slowness * SAFETY

    def finals(self, ranked: Sequence[Entry], left: float) -> tuple[Sequence[Entry], int, bool]:
        """(the entries, the best first, that are run again, new seeds of each, whether the winner has further ones) in
        the seconds left.

        As many finalists with three seeds at least as leave time for the winner's further ones; where there is no time
        for two, as many seeds as fit, and one more that may not come to its end; ([], 0, False) where there is none for
        two entries with one seed.
        """
        most = range(min(FINALISTS, len(ranked)), 1, -1)
        for count in most:
            behind = max(self.again([entry], len(FURTHER)) for entry in ranked[:count])
            for seeds in range(SEEDS, ENOUGH - 1, -1):
                if self.again(ranked[:count], seeds) + behind <= left:
                    return ranked[:count], seeds, True
        for count in most:
            for seeds in range(SEEDS, 0, -1):
                if self.again(ranked[:count], seeds) <= left:
                    return ranked[:count], min(seeds + 1, SEEDS), False
        return [], 0, False

    def all_finals(self, ranked: Sequence[Entry]) -> float:
        """Seconds of the finals of these, the best first, with all seeds, the winner's further ones too; 0 of none."""
        best = ranked[:FINALISTS]
        return self.again(best) + max(self.again([entry], len(FURTHER)) for entry in best) if best else 0.0

    def again(self, entries: Sequence[Entry], seeds: int = SEEDS) -> float:
        """Seconds of running these, one at least, from start to end with so many new seeds."""
        runs = [self._whole_run(entry) for entry in entries for _ in entry.racers]  # of one seed
        rounds = -(-seeds * len(runs) // self.workers)  # a run is on one core from start to end
        return max(rounds * max(runs), seeds * sum(runs) / self.workers) * self.slowness * SAFETY

    def _whole_run(self, entry: Entry) -> float:
        """Of one racer of an entry, alone in its lane, from its start to the end of the plan."""
        return self.crew(entry.heat, 1, 0, self.plan.epochs * entry.heat.steps_per_epoch(0))
