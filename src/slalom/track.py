"""The track: takes the recipes of a race through the rungs of its plan, and says how each of them ended."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from slalom.executor import Executor, Task
from slalom.heat import Heat
from slalom.lane import width
from slalom.plan import Plan
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.step import Kind

FINISHED, DIVERGED, OUT_OF_TIME = "finished", "diverged", "out of time"
MEASURED = 0.3  # core-seconds of lanes after which their speed is believed
SPARE = 5  # dropped recipes whose weights are kept


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


class Status(NamedTuple):
    """What a display shows while a race runs."""

    phase: str
    alive: int  # recipes racing
    best: float | None  # best score so far, in the metric's own direction
    racer_steps: int
    seconds: float  # since the start
    left: float | None  # seconds until the limit


@dataclass(eq=False)
class Track:
    """The running race. Everything here is decided at rungs, between which nothing is compared."""

    plan: Plan
    heats: list[Heat]
    entries: list[Entry]
    executor: Executor
    end: float  # time.perf_counter() at which racers stop; ∞ without a limit
    report: Callable[[str, int, int], None] = lambda phase, alive, steps: None
    at_rung: Callable[[list[Entry]], None] = lambda entries: None
    racer_steps: int = 0
    interrupted: bool = False
    started: list[Entry] = field(default_factory=list)
    _begun: set[int] = field(default_factory=set)  # id of the entries in `started`
    _closed: bool = False  # no further recipe starts
    _modelled: float = 0.0  # core-seconds of the lanes that ended, by the model
    _measured: float = 0.0  # and by the clock
    _running: float = 0.0  # modelled core-seconds of the lanes that are under way
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def halted(self) -> bool:
        """Whether racers must stop where they are."""
        return self.interrupted or time.perf_counter() > self.end

    def run(self) -> list[Entry]:
        """Run all rungs; every entry that started has an outcome afterwards. Returns them, the best first."""
        try:
            self._through_rungs()
        except KeyboardInterrupt:  # the first Ctrl-C ends the race where it is
            self.interrupted = True
            self.executor.wait(5.0)
        except BaseException:
            self.interrupted = True  # racers must not go on behind the caller's back
            raise
        return self.stop()

    def best_cost(self) -> float | None:
        """The least cost so far, also between rungs; None before any racer has one."""
        found = [[racer.best for racer in entry.racers] for entry in list(self.started)]
        costs = [sum(best.cost for best in bests if best) / len(bests) for bests in found if all(bests)]
        return min(costs, default=None)

    def _through_rungs(self) -> None:
        alive = self.entries
        for i, rung in enumerate(self.plan.rungs):
            phase = f"rung {i + 1} of {len(self.plan.rungs)}"
            if not self._race(alive, rung.epochs, first=i == 0, phase=phase):
                break
            alive = self._settle(alive if i else self.started, i)
            self.at_rung(self.started)
            if self.halted() or not alive:
                break

    def stop(self) -> list[Entry]:
        """Give an outcome to every entry that started and has none. Returns them, the best first."""
        for entry in self.started:
            entry.outcome = entry.outcome or self._ended(entry)
        return sorted(self.started, key=lambda entry: (entry.best[0], entry.number))

    def _race(self, alive: list[Entry], epochs: int, *, first: bool, phase: str) -> bool:
        """Take these entries to an epoch; False where the executor did not come to an end."""
        tasks: list[Task] = []
        for heat in self.heats:
            mine = [entry for entry in alive if entry.heat is heat]
            lanes = self._lanes(heat, mine, epochs, first=first)
            if first and mine:
                tasks.append(Task(-1, self._compiling(heat, lanes), "compile"))
            else:
                tasks.extend(lanes)
        deadline = self.end + 3.0  # the call that is under way ends within a fraction of this
        return self.executor.run(
            tasks,
            deadline=deadline,
            tick=lambda: self.report(self._phase(phase), len(self.started if first else alive), self.racer_steps),
        )

    def _phase(self, phase: str) -> str:
        waiting = sum(heat.programs is None for heat in self.heats)
        return f"{phase}, compiling {waiting} of {len(self.heats)} shapes" if waiting else phase

    def _compiling(self, heat: Heat, lanes: list[Task]) -> Callable[[], Iterable[Task]]:
        def work() -> Iterable[Task]:
            if self.halted():
                return ()
            heat.compile()
            return lanes

        return work

    def _lanes(self, heat: Heat, entries: Sequence[Entry], epochs: int, *, first: bool) -> list[Task]:
        """The lanes of a heat as tasks: racers of one rule, in the order of their numbers, as many as there are places.

        On the first rung lanes start in the order of the recipes' numbers, later the longest first.
        """
        groups: dict[Kind, list[tuple[Entry, Racer]]] = {}
        for entry in entries:
            for racer in entry.racers:
                groups.setdefault(racer.kind, []).append((entry, racer))
        tasks, places = [], width(heat.structure)
        for group in groups.values():
            for i in range(0, len(group), places):
                lane = group[i : i + places]
                cost = sum(heat.epoch_cost(racer.fold) * epochs for _, racer in lane)
                priority = lane[0][0].number if first else -int(cost * 1e6)
                tasks.append(Task(priority, self._lane(heat, lane, epochs, first=first)))
        return tasks

    def _lane(self, heat: Heat, lane: list[tuple[Entry, Racer]], epochs: int, *, first: bool) -> Callable[[], None]:
        def work() -> None:
            start, per_epoch = lane[0][1].step, heat.steps_per_epoch(0)
            one = heat.epoch_cost(0) * (epochs - start / per_epoch)  # modelled core-seconds of one racer
            whole = one * width(heat.structure)  # places without a racer cost as much
            racers = self._admitted(lane, whole, first=first)
            if not racers or self.halted():
                return
            began, stop = time.perf_counter(), epochs * per_epoch
            checks = heat.checks(self.plan.epochs, 0, [rung.epochs for rung in self.plan.rungs])
            made = heat.advance(racers, stop, checks, self.halted)
            with self._lock:
                self.racer_steps += made
                self._running -= whole
                self._modelled += whole * max(racer.step - start for racer in racers) / (stop - start)
                self._measured += time.perf_counter() - began

        return work

    def _admitted(self, lane: list[tuple[Entry, Racer]], whole: float, *, first: bool) -> list[Racer]:
        """The racers of a lane that may run: recipes that have not started only if they still fit.

        With them and all that started, the whole plan must end in time at the speed measured so far.
        """
        with self._lock:
            new = [entry for entry, _ in lane if id(entry) not in self._begun] if first else []
            if new and not self._closed and self.end < float("inf") and self.started:
                racing = [*self.started, *new]
                costs = [entry.epoch_cost for entry in racing]
                likely = (sum(costs) / len(costs) + max(costs)) / 2  # larger nets are the likelier ones to stay
                later = self.plan.later_epochs() * len(racing) * likely
                left = (self.end - time.perf_counter()) * self.executor.workers
                self._closed = (self._running + whole + later) * self.slowness > left
            for entry in new:
                if not self._closed and id(entry) not in self._begun:
                    self._begun.add(id(entry))
                    self.started.append(entry)
            racers = [racer for entry, racer in lane if id(entry) in self._begun]
            self._running += whole if racers else 0.0
            return racers

    @property
    def slowness(self) -> float:
        """Measured over modelled time of the lanes that ended: 1 before any has."""
        return self._measured / self._modelled if self._measured > MEASURED and self._modelled else 1.0

    def _settle(self, alive: list[Entry], i: int) -> list[Entry]:
        """Compare at a rung: outcomes for those that end here; the others, at most as many as the plan and the time
        allow."""
        self.started.sort(key=lambda entry: entry.number)
        if i + 1 == len(self.plan.rungs):
            for entry in alive:
                entry.outcome = self._ended(entry)
            return []
        for entry in alive:
            if entry.diverged:
                entry.outcome = DIVERGED
        ranked = sorted(
            (entry for entry in alive if not entry.diverged and entry.curve), key=lambda e: (e.best[0], e.number)
        )
        if self.halted():
            return []
        stay = min(self.plan.rungs[i + 1].recipes, len(ranked))
        while stay > 1 and self._cost_of_rest(ranked[:stay], i) > (self.end - time.perf_counter()):
            stay -= 1
        for entry in ranked[stay:]:
            entry.outcome = f"dropped at rung {i + 1}"
        self._forget()
        return sorted(ranked[:stay], key=lambda entry: entry.number)

    def _ended(self, entry: Entry) -> str:
        """How an entry ended that no rung dropped."""
        return DIVERGED if entry.diverged else FINISHED if entry.epochs >= self.plan.epochs else OUT_OF_TIME

    def _forget(self) -> None:
        """Free the weights of those that ended, but for a few that come next should all survivors diverge."""
        ended = sorted((entry for entry in self.started if entry.outcome), key=lambda e: (e.best[0], e.number))
        for place, entry in enumerate(ended):
            for racer in entry.racers:
                racer.state = None
                racer.best = racer.best if place < SPARE else None

    def _cost_of_rest(self, ranked: Sequence[Entry], i: int) -> float:
        """Seconds until the end of the plan, were these to stay at rung i."""
        total, rungs, counts = 0.0, self.plan.rungs, self.plan.counts(len(self.started))
        for j in range(i + 1, len(rungs)):
            stay = max(1, round(len(ranked) * counts[j] / counts[i + 1]))
            total += sum(entry.epoch_cost for entry in ranked[:stay]) * (rungs[j].epochs - rungs[j - 1].epochs)
        chain = max(entry.epoch_cost / len(entry.racers) for entry in ranked) * (rungs[-1].epochs - rungs[i].epochs)
        return max(total / self.executor.workers, chain) * self.slowness * 1.03
