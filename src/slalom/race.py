"""The race: the door that takes a data set and hands back a trained model, its recipe, and how all the others did."""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from slalom import plan as planning
from slalom.baselines import Baselines
from slalom.data import Target, split, split_given
from slalom.errors import SlalomError, wrong
from slalom.executor import Threads, cores
from slalom.finish import (
    about_wave,
    baseline_rows,
    best_of,
    class_count,
    crowned,
    environment,
    heat_settings,
    recipe_rows,
    structure_of,
)
from slalom.folder import RunFolder
from slalom.heat import Heat, Orders, Racer, epoch_cost
from slalom.journal import Journal
from slalom.lane import Data
from slalom.metrics import Metric, find_metric
from slalom.model import Model
from slalom.plan import Plan
from slalom.prepare import Prepared, prepare
from slalom.racer import Structure
from slalom.recipe import Recipe
from slalom.report import page
from slalom.result import Best, Result, leaderboard
from slalom.rules import REGISTRY
from slalom.space import SCALINGS, Space, check_fields
from slalom.table import Table, table_of
from slalom.track import FINISHED, Entry, Status, Track

VERSION = version("slalom")
DEFAULT_SECONDS = 60.0


@dataclass(frozen=True)
class Order:
    """What a caller wants of a race, checked: see `race` for the meaning of the fields."""

    seconds: float | None = None
    recipes: int | None = None
    epochs: int | None = None
    recipe: Recipe | None = None
    fixed: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    task: str = "auto"
    metric: Any = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not (isinstance(self.seconds, (int, float)) and 0 < self.seconds < math.inf):
            raise wrong("seconds", "a positive number", self.seconds)
        for name in ("recipes", "epochs"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise wrong(name, "a whole number of at least 1", value)
        if self.recipe is None and (self.recipes is None) != (self.epochs is None):
            raise SlalomError("recipes and epochs go together: so many recipes for so many epochs each, none dropped.")
        if self.recipe is not None and self.recipes is not None:
            raise SlalomError("recipes must not be given beside recipe: just that one recipe is run.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise wrong("seed", "a whole number of at least 0", self.seed)
        if self.task not in ("auto", "regression", "classification"):
            raise wrong("task", "one of auto, regression, classification", self.task)
        check_fields(self.fixed)


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
    seed: int = 0,
    out: str | Path | None = None,
    extend: str | Path | None = None,
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
    fixed: recipe fields that all racers share, named as in `Recipe.flat`. seed: of splits, draws and first weights.
    out: the folder to leave everything in; it must not hold anything yet. extend: the folder of a finished race that
    more recipes are added to, on the same data. progress: called with a `Status` a few times a second.
    began: the time.perf_counter() at which the seconds started to count.

    Raises SlalomError where something given cannot be used, before anything is written.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0); X = rng.normal(size=(300, 3)); y = X @ [1.0, 2.0, 3.0]
    >>> result = race(X, y, recipes=2, epochs=3, seed=0, fixed={"depth": 1, "width": 8})
    >>> result.leaderboard["kind"].to_list().count("recipe"), result.model.predict(X).shape
    (2, (300,))
    """
    return _entered(
        X, y, target=target, validation=validation, task=task, metric=metric, seconds=seconds, recipes=recipes,
        epochs=epochs, recipe=recipe, fixed=fixed, seed=seed, out=out, extend=extend, progress=progress, began=began,
    ).run()  # fmt: skip


def preview(X: Any, y: Any = None, **asked: Any) -> dict[str, Any]:
    """What `race` would run with the same arguments: rows, rungs, structures, memory and time. Nothing is trained or
    written; raises SlalomError as `race` would.

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
    began = time.perf_counter() if began is None else began
    if all(asked.get(name) is None for name in ("seconds", "recipes", "epochs", "recipe")):
        asked["seconds"] = DEFAULT_SECONDS
    order = Order(**asked | {"fixed": dict(asked.get("fixed") or {})})
    folder = RunFolder.extend(extend) if extend else RunFolder.new(out)
    return Race(order, table_of(X, y, target, validation), folder, began, progress)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a race early; everything so far is saved and `result` holds it."""

    def __init__(self, result: Result) -> None:
        super().__init__("the race was interrupted")
        self.result = result


@dataclass(eq=False)
class Race:
    """One race, from the rows to the result. `run` reads as the order of what happens."""

    order: Order
    table: Table
    folder: RunFolder
    began: float
    progress: Callable[[Status], None] | None = None
    notes: list[str] = field(default_factory=list)
    metric: Metric | None = None
    best: float | None = None

    def run(self) -> Result:
        """Prepare, race, save, and sum up."""
        self.notes += self.table.notes
        prepared = self._prepare()
        plan, shapes = self._plan(prepared)
        fingerprint = self._fingerprint(prepared)
        track = self._track(prepared, plan, shapes, self._first())  # what cannot race is refused before a write
        self.folder.make()
        folds = [fold.train for fold in prepared.all_folds]
        baselines = Baselines(prepared.table, prepared.labels, folds, class_count(prepared))
        try:
            with Journal(self.folder.journal) as journal:
                wave = len(journal.waves())
                track.at_rung = lambda entries: self._rung(track, journal, wave)
                ranked = self._raced(track)
                journal.write(*recipe_rows(track, wave))
                result = self._finish(prepared, track, ranked, baselines, journal, wave, fingerprint)
        finally:
            baselines.close()
        if track.interrupted:
            raise Interrupted(result)
        return result

    def _first(self) -> int:
        """The number of the first recipe: those of the race that is continued come before it."""
        if not self.folder.extends:
            return 0
        with Journal(self.folder.journal) as journal:
            return len(journal.recipes())

    def preview(self) -> dict[str, Any]:
        """What would run, for `--dry-run`: rows, rungs, structures, memory and time; nothing is trained or written."""
        self.notes += self.table.notes
        prepared = self._prepare()
        plan, shapes = self._plan(prepared)
        track = self._track(prepared, plan, shapes, self._first())
        state = (
            4 * 4 * max(heat.structure.net.parameters for heat in track.heats)
        )  # weights, memory of a rule, the best
        held = prepared.table.nbytes + prepared.x.nbytes + prepared.y.nbytes
        work = plan.recipe_epochs() * sum(entry.epoch_cost for entry in track.entries) / len(track.entries)
        return {
            **about_wave(track, prepared, 0.0),
            "metric": self.metric.name if self.metric else "",
            "recipes": plan.recipes,
            "epochs": plan.epochs,
            "structures": [[*heat.structure.net.sizes, heat.structure.batch_size] for heat in track.heats],
            "memory_bytes": held + state * plan.recipes * len(prepared.folds),
            "training_seconds": round(work / track.executor.workers, 1),
            "limit_seconds": self.order.seconds,
            "notes": list(self.notes),
        }

    def _prepare(self) -> Prepared:
        """Decide the task and the metric, divide the rows, turn the columns into numbers."""
        self._say("reading", 0, 0)
        table, order = self.table, self.order
        target = Target.fit(table.labels, order.task, name=table.target or "target")
        self.notes += target.notes
        self.metric = find_metric(order.metric, target.task)
        codes = target.encode(table.labels) if target.task == "classification" else None
        if table.validation:
            rows = split_given(len(table.frame) - table.validation, table.validation, seed=order.seed)
            self.notes.append("validation rows were given: no other rows are held out, and there is no test score.")
        else:
            rows = split(len(table.frame), codes, seed=order.seed)
        wanted = order.recipe.scaling if order.recipe else order.fixed.get("scaling")
        scalings = {wanted} if wanted else set(SCALINGS)
        prepared = prepare(table.frame, table.labels, target, rows, scalings, whole=not table.validation)
        self.notes += prepared.columns.notes
        return prepared

    def _plan(self, prepared: Prepared) -> tuple[Plan, list[dict[str, Any]]]:
        """The rungs and the shapes, from the order and a cost model; nothing is measured."""
        order, rows = self.order, min(len(fold.train) for fold in prepared.folds)
        if order.recipe:
            return planning.flat(1, order.epochs or order.recipe.epochs), []
        space = Space(rows, order.epochs or 1, order.fixed)
        self.notes += space.notes
        if order.recipes and order.epochs:
            return planning.flat(order.recipes, order.epochs), space.shapes(max(1, min(8, order.recipes // 16)))
        assert order.seconds is not None
        shapes = space.shapes(max(1, int(order.seconds / planning.STRUCTURE_SECONDS)))
        structures = [structure_of(space.default().with_fields(shape), prepared) for shape in shapes]
        costs = [epoch_cost(s, max(1, rows // s.batch_size)) * len(prepared.folds) for s in structures]
        spent = time.perf_counter() - self.began
        return planning.for_seconds(order.seconds, cores(), costs, start=spent + 2.0), shapes

    def _track(self, prepared: Prepared, plan: Plan, shapes: list[dict[str, Any]], first: int) -> Track:
        """Draw the recipes, group them by structure, and lay the data on the device."""
        assert self.metric
        order, rows = self.order, min(len(fold.train) for fold in prepared.folds)
        if order.recipe:
            recipes = [order.recipe.with_fields(order.fixed).with_epochs(plan.epochs)]
        else:
            space = Space(rows, plan.epochs, order.fixed)
            recipes = [space.recipe(order.seed, first + i, shapes) for i in range(plan.recipes)]
        by_structure: dict[Structure, list[int]] = {}
        for i, recipe in enumerate(recipes):
            if recipe.batch_size > rows:
                raise wrong("batch_size", f"at most the number of training rows, {rows}", recipe.batch_size)
            by_structure.setdefault(structure_of(recipe, prepared), []).append(i)
        data, orders = Data(jnp.asarray(prepared.x), jnp.asarray(prepared.y)), Orders(order.seed)
        heats, entries = [], []
        for structure, members in by_structure.items():
            used = {type(recipes[i].rule) for i in members}
            rules = tuple(cls for cls in REGISTRY.values() if cls in used)
            heat = Heat(structure, prepared, data, self.metric, orders, order.seed, rules)
            heats.append(heat)
            for i in members:
                racers = [Racer(first + i, recipes[i], fold) for fold in range(len(prepared.folds))]
                entries.append(Entry(first + i, recipes[i], heat, racers))
        entries.sort(key=lambda entry: entry.number)
        return Track(plan, heats, entries, Threads(), self._end(prepared, plan, heats), self._say)

    def _end(self, prepared: Prepared, plan: Plan, heats: list[Heat]) -> float:
        """When racers must stop, so that the rest is done within the limit."""
        if self.order.seconds is None:
            return math.inf
        end = self.began + self.order.seconds * (1 - planning.RESERVE) - 0.5
        if prepared.whole:  # time to train the winner once more on all rows
            end -= 1.5 * plan.epochs * max(heat.epoch_cost(len(prepared.folds)) for heat in heats)
        return max(end, self.began + 0.5 * self.order.seconds)

    def _raced(self, track: Track) -> list[Entry]:
        """Run the track; the first Ctrl-C ends it where it is, and what there is is saved."""
        try:
            return track.run()
        except KeyboardInterrupt:
            track.interrupted = True
            return track.stop()

    def _rung(self, track: Track, journal: Journal, wave: int) -> None:
        assert self.metric
        journal.write(*recipe_rows(track, wave))
        costs = [entry.best[0] for entry in track.started]
        if costs and math.isfinite(min(costs)):
            self.best = self.metric.score_of(min(costs))

    def _finish(
        self,
        prepared: Prepared,
        track: Track,
        ranked: list[Entry],
        baselines: Baselines,
        journal: Journal,
        wave: int,
        fingerprint: str,
    ) -> Result:
        """Choose the winner, score it on test rows once, save everything."""
        metric, order, folder = self.metric, self.order, self.folder
        assert metric
        self._say("finishing", 0, track.racer_steps)
        limit = self.began + order.seconds - 1.0 if order.seconds else math.inf
        winner = crowned(ranked, prepared, metric, track, limit)
        kept = folder.settings()["best"] if folder.extends else None
        if kept and kept["cost"] <= winner.cost:
            assert folder.path
            model = Model.load(folder.path)
            best = Best(kept["name"], model.recipe, kept["score"], kept["epoch"], kept.get("test"))
        else:
            model, best = winner.model, best_of(winner, prepared, metric)
        waiting = 0.0 if track.interrupted else limit
        found = baseline_rows(baselines.collect(waiting), prepared, metric)
        journal.write_baselines(row for row in found if row["outcome"] == FINISHED or not folder.extends)
        about = about_wave(track, prepared, track.executor.compile_seconds)
        about |= {"source": self.table.source, "target": self.table.target, "seed": order.seed}
        if folder.model:
            model.save(folder.model)
        board = leaderboard(journal.recipes(), journal.baselines(), metric)
        folder.write_leaderboard(board)
        tests = {best.name: best.test} | {row["name"]: row["test"] for row in journal.baselines()}
        folder.write_settings(self._settings(track, metric, best, metric.cost_of(best.score), fingerprint))
        about["seconds"] = round(time.perf_counter() - self.began, 3)
        journal.write_wave(wave, about)
        result = Result(board, best, model, metric, about, tests, tuple(self.notes), folder.path)
        if folder.path:
            folder.write_report(page(result), result.summary())
        return result

    def _settings(self, track: Track, metric: Metric, best: Best, cost: float, fingerprint: str) -> dict[str, Any]:
        """race.toml: everything that is needed to repeat the race."""
        order = self.order
        return {
            "slalom": VERSION,
            "data": {
                "source": self.table.source,
                "target": self.table.target,
                "fingerprint": fingerprint,
                "validation_rows": self.table.validation,
            },
            "order": {
                "seed": order.seed,
                "task": order.task,
                "metric": metric.name,
                "seconds": order.seconds,
                "recipes": order.recipes,
                "epochs": order.epochs,
                "recipe": order.recipe.to_plain() if order.recipe else None,
                "fixed": order.fixed,
            },
            "plan": {
                "rungs": [{"recipes": rung.recipes, "epochs": rung.epochs} for rung in track.plan.rungs],
                "structures": heat_settings(track.heats),
                "workers": track.executor.workers,
            },
            "environment": environment(),
            "best": {
                "name": best.name,
                "cost": cost,
                "score": best.score,
                "epoch": best.epoch,
                "test": best.test,
                "recipe": best.recipe.to_plain(),
            },
        }

    def _fingerprint(self, prepared: Prepared) -> str:
        """A hash of the encoded rows; a race is only extended on the same ones (SlalomError)."""
        made = hashlib.blake2b(np.ascontiguousarray(prepared.table).data, digest_size=16)
        made.update(np.ascontiguousarray(prepared.labels).data)
        if self.folder.extends and self.folder.settings()["data"]["fingerprint"] != made.hexdigest():
            raise SlalomError(
                f"The data must be the same as in {self.folder.path}. Rows, columns or target differ: start a new race."
            )
        return made.hexdigest()

    def _say(self, phase: str, alive: int, racer_steps: int) -> None:
        if self.progress:
            now = time.perf_counter() - self.began
            left = None if self.order.seconds is None else max(0.0, self.order.seconds - now)
            self.progress(Status(phase, alive, self.best, racer_steps, now, left))
