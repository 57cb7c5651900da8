"""The race: the door that takes a data set and hands back a trained model, its recipe, and how all the others did."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any
from weakref import proxy

from slalom import seats
from slalom.baselines import Numbers
from slalom.compared import Rivals
from slalom.continued import earlier, fingerprint
from slalom.ending import Ended, Ending
from slalom.entry import FINISHED, Entry, best_cost
from slalom.errors import SlalomError
from slalom.executor import Threads, cores
from slalom.finish import about_wave, recipe_rows, structure_of
from slalom.folder import EVERY, RunFolder, public
from slalom.journal import Journal
from slalom.metrics import Metric
from slalom.order import Order
from slalom.outline import outline
from slalom.prepare import Prepared, Sink
from slalom.recipe import Recipe
from slalom.repeated import begun, race_settings
from slalom.report import kept
from slalom.report.gathered import gathered
from slalom.result import ENSEMBLE, Best, Interrupted, Result, leaderboard
from slalom.resumed import opened, plain, put_back
from slalom.start import drawn, end_of, entered, further, plan_of, prepared_for
from slalom.status import Status
from slalom.table import ROLES, About, Table, table_of
from slalom.track import Track
from slalom.winning import beside, named, troubles

DEFAULT_SECONDS = 60.0
LATEST = 0.4  # seconds behind the limit, up to which the page gets what takes time
UNDIVIDED = 12.0  # seconds of racers that are too few to divide
GIVEN_UP = "a race in this folder that had not ended was given up: --continue adds to what was there before it."
PATIENCE = 0.3  # of the horizon, after which a racer that was not better is stopped
FIRST_START, LAST_START = 0.5, 0.8  # of the racers' time: until when the first start runs, and the last one


def race(
    X: Any,
    y: Any = None,
    *,
    target: str | None = None,
    validation: tuple[Any, Any] | None = None,
    task: str = "auto",
    metric: Any = None,
    seconds: float | None = None,
    recipes: int | None = None,
    epochs: int | None = None,
    recipe: Recipe | None = None,
    fixed: dict[str, Any] | None = None,
    space: dict[str, Any] | None = None,
    also: Sequence[Recipe] = (),
    plan: str = "halving",
    seed: int = 0,
    out: str | Path | None = None,
    extend: str | Path | None = None,
    refit: bool | str = False,
    sample_weight: Any = None,
    group: Any = None,
    time: Any = None,
    columns: dict[str, str] | None = None,
    reading: dict[str, str] | None = None,
    test: bool = True,
    baselines: bool = True,
    every: float = EVERY,
    memory: int | str | None = None,
    progress: Callable[[Status], None] | None = None,
    began: float | None = None,
) -> Result:
    """Race recipes on a data set; hand back the trained model, the leaderboard and what was noticed.

    X: the path of a table, a data frame of any make, or an array [N, D]. y: the target [N]; or target: the name of its
    column.
    validation: (X, y) rows held out by the caller: no other rows are held out, and there is no test score.
    task: auto, regression or classification. metric: a name, or f(y, prediction) that is larger when better (set its
    attribute `greater_is_better = False` otherwise); log loss and RMSE where none is named.
    seconds: a hard limit on everything, 60 unless recipes are counted. recipes and epochs: exactly so many recipes for
    so many epochs, none dropped (then the same seed gives the same result). recipe: just this one.
    fixed: recipe fields that all racers share, named as in `Recipe.flat`. space: what fields are drawn from instead of
    Slalom's own space: for each a list of values, a table of values with weights, or {"low": …, "high": …}; under
    "forbid" fields with values that are never drawn. also: recipes of your own that race along, all for the horizon of
    the race. plan: halving, or top_k: all recipes for one epoch and then the best ninth to the end. seed: of splits,
    draws and first weights.
    out: the folder to leave everything in; it must not hold anything yet. extend: the folder of a finished race that
    more recipes are added to, on the same data. refit: whether the winner is trained once more at the end on all rows
    that are not test rows ("all": on those too); scores stay those of the model before.
    sample_weight: how often a row is met in training and chooses; evidence and test rows count once; 0 leaves it out.
    group: rows of one group are never both in training and held out. time: what was first trains, what came later is
    held out. All three: a column's name (an input only of time) or an array [N]. columns: what columns are, where it is
    not to be found out: number, category, date, text, drop; reading: separator, decimal, encoding of a text file.
    test, baselines: whether there are any. every: seconds between two checkpoints in the folder, from which `resume`
    goes on where the process died. progress: called with a `Status` a few times a second. began: the perf_counter()
    from which the seconds count. memory: what is planned with, such as "4GB", or bytes.

    Raises SlalomError where something given cannot be used, before anything is written.

    >>> import numpy as np; rng = np.random.default_rng(0); X = rng.normal(size=(300, 3)); y = X @ [1.0, 2.0, 3.0]
    >>> result = race(X, y, recipes=2, epochs=3, seed=0, fixed={"depth": 1, "width": 8})
    >>> result.leaderboard["kind"].to_list().count("recipe"), result.model.predict(X).shape
    (2, (300,))
    """
    return _entered(
        X, y, target=target, validation=validation, task=task, metric=metric, seconds=seconds, recipes=recipes,
        epochs=epochs, recipe=recipe, fixed=fixed, space=space, also=also, plan=plan, seed=seed, out=out, extend=extend,
        refit=refit, sample_weight=sample_weight, group=group, time=time, columns=columns,
        reading=reading, test=test, baselines=baselines, every=every, memory=memory, progress=progress, began=began,
    ).run()  # fmt: skip


def preview(X: Any, y: Any = None, **asked: Any) -> dict[str, Any]:
    """What `race` would run with the same arguments, or its SlalomError; nothing is trained or written.

    >>> import numpy as np
    >>> X = np.arange(300.0).reshape(100, 3)
    >>> preview(X, X[:, 0], recipes=2, epochs=3)["rungs"]
    [[2, 3]]
    """
    return _entered(X, y, **asked).preview()


def _entered(
    X: Any,
    y: Any = None,
    *,
    target: str | None = None,
    validation: tuple[Any, Any] | None = None,
    out: str | Path | None = None,
    extend: str | Path | None = None,
    progress: Callable[[Status], None] | None = None,
    began: float | None = None,
    **asked: Any,
) -> "Race":
    """The race that is asked for, its arguments checked, its rows read; see `race`."""
    about = About({n: asked.pop(n, None) for n in ROLES}, *(asked.pop(n, None) or {} for n in ("columns", "reading")))
    began = perf_counter() if began is None else began
    if all(asked.get(name) is None for name in ("seconds", "recipes", "epochs", "recipe")):
        asked["seconds"] = DEFAULT_SECONDS
    order = Order(**asked | {name: dict(asked.get(name) or {}) for name in ("fixed", "space")})
    if extend and out:
        raise SlalomError("out must not be given beside extend: the race stays in its folder.")
    folder = RunFolder.extend(extend) if extend else RunFolder.new(out)
    return Race(order, table_of(X, y, target, validation, about), folder, began, progress)


@dataclass(eq=False)
class Race:
    """One race, from the rows to the result. `run` reads as the order of what happens."""

    order: Order
    table: Table
    folder: RunFolder
    began: float
    progress: Callable[[Status], None] | None = None
    notes: list[str] = field(default_factory=list)
    best: float | None = None  # score so far
    mark: str = ""  # the fingerprint of its rows
    resumes: dict[str, Any] | None = None  # wave and fingerprint of the race that is resumed

    def run(self) -> Result:
        """Prepare, race, save, and sum up; what cannot race is refused before anything is written."""
        with ExitStack() as last:
            last.callback(seats.give_back)  # race after race in a process would take more and more
            return self._run(last.enter_context(Numbers()))

    def _run(self, numbers: Numbers) -> Result:
        there = self.folder.extends or bool(self.resumes)  # its files are read from the start
        with ExitStack() as held:
            if there:
                held.enter_context(self.folder.locked())
            if self.resumes:
                self.folder.begin_again()
            prepared, metric, track = self._start(numbers.put if self.order.baselines else None)
            self.folder.make()
            if not there:
                held.enter_context(self.folder.locked())
                RunFolder.new(self.folder.path)  # still nobody else's
            try:
                result = self._held(prepared, metric, track, numbers)
            except KeyboardInterrupt as stopped:  # a second time: what was kept stays
                stopped.kept = self.folder.path if self.folder.abandoned else None  # type: ignore[attr-defined]
                raise
            if track.interrupted:
                raise Interrupted(result)
            self.folder.end()
        return result

    def _held(self, prepared: Prepared, metric: Metric, track: Track, numbers: Numbers) -> Result:
        """The race in a folder that is no other process's."""
        rivals = Rivals(numbers, prepared, there=self.order.baselines)
        try:
            with Journal(self.folder.journal) as journal:
                wave = self.resumes["wave"] if self.resumes else len(journal.waves())
                if not self.resumes:
                    self.notes += [GIVEN_UP] * self.folder.abandoned
                    self.folder.begin(begun(self.order, self.table, self.mark, metric), wave)
                journal.forget_waves(wave)  # of one that is begun again
                track.at_rung = lambda track: journal.write(*recipe_rows(track, wave))
                ranked = track.run()
                journal.write(*recipe_rows(track, wave))
                self._say("finishing", 0, track.racer_steps)
                self.notes += troubles(track, self.folder)
                best, single, stays = named(
                    self.folder, prepared, metric, track, ranked, self.notes, self.order.seconds,
                    lambda: self._limit(len(ranked)),
                )  # fmt: skip
                limit = self._limit(len(ranked))
                ending = Ending(self.order, self.folder, prepared, metric, track, ranked, limit)
                ended = ending.run(best, single, self.notes, journal, stays=stays)
                rows = beside(rivals, metric, track, self._limit(len(track.started)))
                journal.write_baselines(row for row in rows if row["outcome"] == FINISHED or not self.folder.extends)
                result = self._result(prepared, metric, track, journal, best, ended)
                settings = race_settings(self.order, self.table, self.mark, track, result)
                if self.folder.extends:  # what repeats the first race stays; the journal tells of its waves
                    settings = self.folder.settings() | {name: settings[name] for name in ("best", ENSEMBLE)}
                self.folder.write_settings(settings)
                result.about["seconds"] = round(perf_counter() - self.began, 3)
                journal.write_wave(wave, result.about)
                if self.folder.path:
                    found = partial(gathered, result, journal, settings, prepared, limit + LATEST, track.interrupted)
                    result = replace(result, notes=(*result.notes, *kept(self.folder, result.evidence, found)))
        finally:
            rivals.close()
        return result

    def preview(self) -> dict[str, Any]:
        """What would run, for `--dry-run`: rows, rungs, structures, memory and time; nothing is trained or written."""
        return outline(self.order, *self._start(), notes=list(self.notes))

    def _start(self, sink: Sink | None = None) -> tuple[Prepared, Metric, Track]:
        """The rows in order, the plan, and all recipes at the start."""
        self._say("reading", 0, 0)
        order, self.notes = self.order, [*self.notes, *self.table.notes]
        prepared, metric = prepared_for(order, self.table, self.notes, sink)
        before = earlier(self.folder, order, metric, self.resumes["wave"] if self.resumes else None)
        self.mark = fingerprint(self.folder, prepared, (self.resumes or {}).get("fingerprint"))
        plan, shapes = plan_of(order, prepared, self.notes)
        recipes = drawn(order, prepared, plan, shapes, before.first, before.holds)
        heats, entries = entered(recipes, before.first, prepared, metric, order.seed)
        executor = Threads(seats.workers(cores()), seats.take)
        seats.make(executor.workers)
        keeper, kept = opened(self.folder, order.every, self.notes, resumes=bool(self.resumes))
        if kept.track:  # what it takes to begin again is not counted twice
            self.began = perf_counter() - float(kept.track.get("seconds", 0.0))
        track = Track(plan, heats, entries, executor, end_of(order, prepared, plan, heats, self.began), keeper=keeper)
        seen = proxy(track)  # what a track calls does not hold it: it goes when its race does
        keeper.track = partial(plain, seen, before.first + len(recipes), self.began, perf_counter)
        put_back(track, kept, lambda recipe: structure_of(recipe, prepared), len(prepared.folds))

        def report(phase: str, alive: int, racer_steps: int) -> None:
            cost = best_cost(seen.started)
            self.best = self.best if cost is None else metric.score_of(cost)
            self._say(phase, alive, racer_steps)

        def more(ranked: list[Entry]) -> list[Entry]:
            return further(order, prepared, plan, heats, ranked, 1 + max(entry.number for entry in seen.entries))

        track.report = report
        if order.seconds and not order.recipe:
            track.more, now = more, perf_counter()
            track.patience = PATIENCE if len(prepared.folds) == 1 else math.inf  # folds are scored at equal steps
            if track.end - now > UNDIVIDED:
                track.first, track.last = (now + share * (track.end - now) for share in (FIRST_START, LAST_START))
        return prepared, metric, track

    def _limit(self, recipes: int) -> float:
        """When everything but the last writing, of so many recipes, must be done."""
        return self.began + self.order.seconds - 1.2 - 4e-4 * recipes if self.order.seconds else math.inf

    def _result(
        self, prepared: Prepared, metric: Metric, track: Track, journal: Journal, best: Best, ended: Ended
    ) -> Result:
        """Everything in one place; the leaderboard is written."""
        board = leaderboard(journal.recipes(), journal.baselines(), metric)
        self.folder.write_leaderboard(board)
        model, single, ensemble, gain, again, evidence = ended
        tests = {best.name: best.test} | ({ENSEMBLE: gain.test} if gain else {})
        tests |= {row["name"]: row["test"] for row in journal.baselines()}
        about = about_wave(track, prepared, track.executor.compile_seconds)
        about |= {"source": public(self.table.source), "target": self.table.target, "seed": self.order.seed}
        about["start_seconds"] = None if track.began is None else round(track.began - self.began, 3)
        about["seconds"] = round(perf_counter() - self.began, 3)
        about["refit"] = {"rows": again.rows, "epochs": again.epochs} if again else None
        notes, path = tuple(self.notes), self.folder.path
        return Result(board, best, model, metric, about, tests, notes, path, single, ensemble, gain, evidence)

    def _say(self, phase: str, alive: int, racer_steps: int) -> None:
        if self.progress:
            now = perf_counter() - self.began
            left = None if self.order.seconds is None else max(0.0, self.order.seconds - now)
            self.progress(Status(phase, alive, self.best, racer_steps, now, left))
