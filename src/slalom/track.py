"""The track: takes the recipes of a race through the rungs of its plan, and says how each of them ended."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from slalom.checkpoints import Checkpoints
from slalom.crew import Crew
from slalom.crews import cut, parted, together
from slalom.entry import DIVERGED, FINISHED, FURTHER, OUT_OF_TIME, STOPPED, Entry, forget
from slalom.executor import Executor, Task
from slalom.heat import Heat
from slalom.pace import FINALISTS, Pace
from slalom.plan import Plan
from slalom.racer import Racer
from slalom.status import phase_of
from slalom.step import Kind

TASKS = 4  # a core and rung, at least, where there are racers enough
LEAST = 18  # recipes of a further start, of which two come to their end


@dataclass(eq=False)
class Track:
    """The running race. Everything here is decided at rungs, between which nothing is compared."""

    plan: Plan
    heats: list[Heat]
    entries: list[Entry]
    executor: Executor
    end: float  # time.perf_counter() at which racers stop; ∞ without a limit
    report: Callable[[str, int, int], None] = lambda phase, alive, steps: None
    at_rung: Callable[["Track"], None] = lambda track: None
    first: float = math.inf  # time.perf_counter() at which the first start should be through, where others follow
    last: float = math.inf  # the same of the last start, where finalists follow; later where they need less
    patience: float = math.inf  # share of the horizon after which a racer that was not better is stopped
    more: Callable[[list[Entry]], list[Entry]] = lambda ranked: []  # the recipes of a further start
    racer_steps: int = 0  # updates of living racers
    place_steps: int = 0  # updates of all places, as computed
    began: float | None = None  # time.perf_counter() before the first step
    keeper: Checkpoints = field(default_factory=lambda: Checkpoints(None))
    start: int = 0  # that runs, from 1 on
    rung: int = 0  # of it, from 0 on
    size: int = 0  # of its entries that passed the first rung
    failed: list[tuple[Heat, BaseException]] = field(default_factory=list)  # heats that could not be compiled
    interrupted: bool = False
    started: list[Entry] = field(default_factory=list)
    starts: list[tuple[list[Entry], list[int]]] = field(default_factory=list)  # who began; how many passed each rung
    begun: set[Entry] = field(default_factory=set)  # the entries in `started`
    _upto: dict[Entry, float] = field(default_factory=dict)  # `Pace.upto` of this start
    before: float = 0.0  # modelled core-seconds of the starts before this one
    _until: float = math.inf  # time.perf_counter() at which this start should be through
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.pace = Pace(self.plan, self.executor.workers)

    def halted(self) -> bool:
        """Whether racers must stop where they are."""
        return self.interrupted or time.perf_counter() > self.end

    def run(self) -> list[Entry]:
        """Run all rungs, then the finalists; every entry that started has an outcome afterwards. Returns them, the best
        first."""
        try:
            self._through_rungs()
            if self.last < self.end:
                self._finals()
        except KeyboardInterrupt:  # the first Ctrl-C ends the race where it is
            self.interrupted = True
            try:
                self.executor.wait(5.0)
            finally:  # also where Ctrl-C comes again
                self.keeper.save(last=True)  # as they stand: the race may be resumed
        except BaseException:
            self.interrupted = True  # racers must not go on behind the caller's back
            raise
        self.keeper.close()
        return self.stop()

    def _through_rungs(self) -> None:
        """One start after the other, each through all rungs, while there are recipes and time for them."""
        waiting = self.entries
        while waiting and not self.halted():
            self.start += 1
            self._until = min(self.first if self.start == 1 else math.inf, self._last_start())
            goes_on = self.rung > 0 or any(entry in self.begun for entry in waiting)  # it is resumed
            self._upto, self.before = self.pace.upto(waiting), self.before if goes_on else self.pace.modelled
            if self.start > 1 and not goes_on and sum(cost <= self._left() for cost in self._upto.values()) < LEAST:
                return
            if not self._one_start(waiting, f"start {self.start}, " if self.start > 1 else ""):
                return
            over = self.halted() or time.perf_counter() > self._last_start()
            self.entries = waiting = [] if over else self.more(self.ranked())

    def ranked(self) -> list[Entry]:
        """The entries that started, the best first."""
        return sorted(self.started, key=lambda entry: entry.place)

    def _last_start(self) -> float:
        """The time.perf_counter() at which the last start should be through: finalists get what is behind `last`, but
        no more than they need."""
        needed = self.pace.all_finals(self._finished())
        return min(max(self.last, self.end - needed), self.end) if needed else min(self.last, self.end)

    def _finished(self) -> list[Entry]:
        """The entries that came to their end with a score, the best first."""
        return [e for e in self.ranked() if e.outcome in (FINISHED, STOPPED) and math.isfinite(e.best[0])]

    def _finals(self) -> None:
        """Run the best few again with new seeds, as many as the time left allows: their new scores name the winner.
        None is stopped early, since the seeds of a recipe are compared at equal steps."""
        finalists, seeds, further = self.pace.finals(self._finished(), self.end - time.perf_counter())
        self.patience = math.inf
        runs = {entry: entry.rerun(seeds) for entry in finalists}
        if not runs:
            return
        self._race(
            list(runs.values()), self.plan.epochs, first=False, phase=f"{len(runs)} finalists, {seeds} new seeds"
        )
        cut = set().union(*(run.unfinished(self.plan.epochs) for run in runs.values()))  # a seed counts if all ran it
        for entry, run in runs.items():
            entry.again = [racer for racer in run.racers if racer.replicate not in cut]
        if further and not self.halted():
            self._further(self.ranked()[0])

    def _further(self, winner: Entry) -> None:
        """Run the named winner with seeds that have no part in any choice between recipes."""
        run = winner.rerun(len(FURTHER), FURTHER[0])
        self._race([run], self.plan.epochs, first=False, phase=f"the winner, {len(FURTHER)} further seeds")
        cut = run.unfinished(self.plan.epochs)
        winner.further = [racer for racer in run.racers if racer.replicate not in cut]

    def _left(self) -> float:
        """Modelled core-seconds that fit into the time of this start, with those that it has used."""
        left = (self._until - time.perf_counter()) * self.executor.workers / self.pace.slowness
        return left + self.pace.modelled - self.before

    def _one_start(self, waiting: list[Entry], name: str) -> bool:
        """Take recipes through the rungs, from the present one on; False where that came to no end."""
        rungs = self.plan.rungs
        alive = [e for e in waiting if e in self.begun and not e.outcome] if self.rung else waiting
        for i in range(self.rung, len(rungs)):
            self.rung = i
            if not self._race(alive, rungs[i].epochs, first=i == 0, phase=f"{name}rung {i + 1} of {len(rungs)}"):
                return False
            if self.failed and not self.started:  # no program could be compiled: baselines are left
                return False
            if i == 0:
                alive = [entry for entry in self.started if not entry.outcome]
                self.size = len(alive)
                self.starts.append(([entry for entry in self.started if entry in self._upto], []))
            alive = self._settle(alive, i, self.size)
            if i + 1 < len(rungs) and not self.halted():
                self.starts[-1][1].append(len(alive))
            self.at_rung(self)
            if self.halted() or not alive:
                break
        if not self.halted():
            self.rung = 0
        return True

    def stop(self) -> list[Entry]:
        """Give an outcome to every entry that started and has none. Returns them, the best first."""
        for entry in self.started:
            entry.outcome = entry.outcome or self._ended(entry)
        return self.ranked()

    def _race(self, alive: list[Entry], epochs: int, *, first: bool, phase: str) -> bool:
        """Take these entries to an epoch; False where the executor did not come to an end."""
        tasks: list[Task] = []
        share = -(-sum(len(entry.racers) for entry in alive) // (TASKS * self.executor.workers))
        for heat in self.heats:
            mine = [entry for entry in alive if entry.heat is heat]
            crews = self._crews(heat, mine, epochs, first=first, share=share) if mine else []
            if mine and (first or heat.programs is None):
                tasks.append(Task(-1, self._compiling(heat, crews), "compile"))
            else:
                tasks.extend(crews)

        def tick() -> None:
            waiting = [heat.programs is None for heat in self.heats]
            self.report(phase_of(phase, waiting), len(self.started if first else alive), self.racer_steps)

        deadline = self.end + 3.0  # the call that is under way ends within a fraction of this
        return self.executor.run(tasks, deadline=deadline, tick=tick)

    def _compiling(self, heat: Heat, crews: list[Task]) -> Callable[[], Iterable[Task]]:
        def work() -> Iterable[Task]:
            if self.halted():
                return ()
            try:
                heat.compile()
            except Exception as error:  # noqa: BLE001 - of one program, whatever it is: others race on
                with self._lock:
                    self.failed.append((heat, error))
                    self.heats.remove(heat)
                return ()
            for entry in list(self.started):  # of a race that is resumed: some folds may have set out, others not
                for racer in [r for r in entry.racers if r.step and entry.heat is heat]:
                    heat.ready(racer)
            return crews

        return work

    def _crews(self, heat: Heat, entries: Sequence[Entry], epochs: int, *, first: bool, share: int) -> list[Task]:
        """The racers of a heat that are not there yet as tasks: crews of one rule and step, in the order of their
        numbers, as many as one call takes, but at most `share`, so that all cores have something to do.

        On the first rung crews start in the order of the recipes' numbers, later seed after seed the longest first.
        """
        groups: dict[tuple[Kind, int], list[tuple[Entry, Racer]]] = {}
        stop = epochs * heat.steps_per_epoch(0)
        pairs = [(e, racer) for e in entries for racer in e.racers if racer.over_at is None and racer.step < stop]
        for entry, racer in sorted(pairs, key=lambda pair: pair[1].replicate):
            groups.setdefault((racer.kind, racer.step), []).append((entry, racer))
        tasks = []
        for group in groups.values():
            for crew in together(heat, group, share, racer_of=lambda pair: pair[1]):
                cost = sum(heat.epoch_cost(racer.fold) * epochs for _, racer in crew)
                priority = crew[0][0].number if first else crew[0][1].replicate * 10**12 - int(cost * 1e6)
                tasks.append(Task(priority, self._crew(heat, crew, epochs, first=first)))
        return tasks

    def _crew(
        self, heat: Heat, crew: list[tuple[Entry, Racer]], epochs: int, *, first: bool
    ) -> Callable[[], Iterable[Task]]:  # fmt: skip
        def work() -> Iterable[Task]:
            start, stop = crew[0][1].step, epochs * heat.steps_per_epoch(0)
            racers = self._admitted(crew, first=first)
            if not racers or self.halted():
                return ()
            whole = self.pace.crew(heat, len(racers), start, stop)
            lanes = heat.program.lanes  # loaded at this seat before the clock that measures speed is read
            if len(crew) > heat.places:  # memory did not suffice for the program that it was cut for
                return [Task(0, self._crew(heat, part, epochs, first=first)) for part in cut(crew, heat.places)]
            began = time.perf_counter()
            self.began = self.began or began
            patience = self.patience * heat.horizon(racers[0])
            try:
                laid_out = Crew(heat, racers)
                made = laid_out.advance(stop, self.pace.checks(heat), self.halted, patience, self.keeper)
            except (RuntimeError, MemoryError) as error:
                parts = parted(crew, heat, lanes, error)
                return [Task(0, self._crew(heat, part, epochs, first=first)) for part in parts]
            with self._lock:
                self.racer_steps += made
                self.place_steps += laid_out.place_steps
                self.pace.modelled += whole * max(racer.step - start for racer in racers) / (stop - start)
                self.pace.measured += time.perf_counter() - began
            return ()

        return work

    def _admitted(self, crew: list[tuple[Entry, Racer]], *, first: bool) -> list[Racer]:
        """The racers of a crew that may run: recipes that have not started only if they still fit.

        With them and all that come before them, also those whose program is not compiled yet, the whole plan must end
        in time at the speed measured so far.
        """
        if not first:
            return [racer for _, racer in crew]
        with self._lock:
            left = self._left()
            for entry, _ in crew:
                if entry not in self.begun and (self._upto[entry] <= left or not self.started):
                    self.begun.add(entry)
                    self.started.append(entry)
            return [racer for entry, racer in crew if entry in self.begun]

    def _settle(self, alive: list[Entry], i: int, started: int) -> list[Entry]:
        """Compare at a rung, of a start of so many: outcomes for those that end here; the others, at most as many as
        the plan and the time allow."""
        self.started.sort(key=lambda entry: entry.number)
        if i + 1 == len(self.plan.rungs):
            for entry in alive:
                entry.outcome = self._ended(entry)
            return []
        for entry in alive:
            entry.outcome = DIVERGED if entry.diverged else STOPPED if entry.stopped else ""
        ranked = sorted(
            (entry for entry in alive if not entry.outcome and entry.curve), key=lambda e: (e.best[0], e.number)
        )
        if self.halted():
            return []
        stay = self.pace.stay(ranked, i, started, self._until - time.perf_counter())
        for entry in ranked[stay:]:
            entry.outcome = f"dropped at rung {i + 1}"
        forget(self.started, self._finished()[:FINALISTS])
        self.keeper.ended([racer for entry in self.started if entry.outcome for racer in entry.racers])
        return sorted(ranked[:stay], key=lambda entry: entry.number)

    def _ended(self, entry: Entry) -> str:
        """How an entry ended that no rung dropped."""
        if entry.diverged or entry.stopped:
            return DIVERGED if entry.diverged else STOPPED
        return FINISHED if entry.epochs >= self.plan.epochs else OUT_OF_TIME
