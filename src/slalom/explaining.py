"""Explaining: the door that measures, behind a race, what its winner and each of its parts are worth."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slalom import weighed
from slalom.ablated import Grid, parts
from slalom.continued import fingerprint
from slalom.entry import FURTHER
from slalom.errors import SlalomError, wrong
from slalom.evidence import Evidence
from slalom.folder import RunFolder
from slalom.journal import Journal
from slalom.mattered import mattered
from slalom.metrics import Metric, is_named
from slalom.opened import evidence
from slalom.order import Order
from slalom.prepare import Prepared
from slalom.recipe import Recipe
from slalom.report import with_evidence
from slalom.start import prepared_for
from slalom.study import Study
from slalom.table import table_of
from slalom.track import Status
from slalom.weighed import FRESH, Replicates, kept, parts_of

DRAWN = 10  # dropped recipes that are trained to their end, of each rung
SCALINGS = ("none", "min_max", "z_score", "robust")  # under which curvature is looked at: none of them is stored
OF_COLUMNS = 2  # seeds that shuffled columns are predicted with
SAVING = 0.5  # seconds kept free at the end

Found = dict[str, tuple[dict[str, Any], bytes | None]]


def explain(
    folder: str | Path,
    X: Any = None,
    y: Any = None,
    *,
    validation: tuple[Any, Any] | None = None,
    metric: Callable[[Any, Any], float] | None = None,
    seconds: float | None = None,
    progress: Callable[[Status], None] | None = None,
    began: float | None = None,
) -> Evidence:
    """Measure what the winner of the race in a folder, and each part of its recipe, is worth; go on where an earlier
    call stopped.

    One thing after the other: the winner with 5 seeds that chose nothing; then for each part that it has, both sides'
    grids of learning rates (7 rates, factor √10, further at an edge, 2 seeds) on choosing rows, and 10 new seeds at the
    best rates, compared on evidence rows; then recipes that the rungs dropped, to their end. What is done stands in the
    journal; what the seconds did not allow is "not measured".

    folder: of a race. X, y, validation, metric: as they were given to `race`, where it was not a file or no name; the
    rows must be the same (SlalomError). seconds: a limit; without it everything is measured. progress: as in `race`.
    """
    began = time.perf_counter() if began is None else began
    if seconds is not None and not (isinstance(seconds, (int, float)) and 0 < seconds < math.inf):
        raise wrong("seconds", "a positive number", seconds)
    return _Explaining.of(folder, X, y, validation, metric, seconds, progress, began).run()


@dataclass(eq=False)
class _Explaining:
    """One call of `explain`."""

    folder: RunFolder
    prepared: Prepared
    metric: Metric
    winner: Recipe
    settings: dict[str, Any]
    study: Study
    drawn: dict[int, "_Sample"]  # of what each rung dropped
    progress: Callable[[Status], None] | None
    began: float
    seconds: float | None
    found: Found = field(default_factory=dict)
    doing: str = ""

    @classmethod
    def of(
        cls, folder: str | Path, X: Any, y: Any, validation: Any, metric: Any, seconds: float | None,
        progress: Callable[[Status], None] | None, began: float,
    ) -> "_Explaining":  # fmt: skip
        """The rows of the race in the folder again, and its winner."""
        opened = RunFolder.extend(folder)
        settings = opened.settings()
        order, best, data = settings["order"], settings["best"], settings["data"]
        if not best["name"].startswith("recipe "):
            raise SlalomError(f"{folder} has no winner to explain: no recipe could be scored.")
        winner = Recipe.from_plain(best["recipe"])
        if metric is None and not is_named(order["metric"]):
            raise SlalomError(
                f"metric must be given: the race in {folder} was chosen by a function, {order['metric']}."
            )
        table = _table(opened, data, X, y, validation)
        rows = len(table.labels)
        with Journal(opened.journal, read_only=True) as journal:
            drawn = _drawn(journal.recipes(), order["seed"])
        variants = [part.without for task in (True, False) for part in parts(winner, classes=task, rows=rows)]
        variants += [recipe for sample in drawn.values() for recipe in sample.recipes.values()]
        given = Order(
            recipes=1, epochs=1, seed=order["seed"], task=order["task"], metric=metric or order["metric"],
            also=(winner, *variants),
            space={"scaling": [winner.scaling, *SCALINGS], "target_scaling": [winner.target_scaling]},
        )  # fmt: skip
        prepared, measure = prepared_for(given, table, [])
        fingerprint(opened, prepared)
        end = math.inf if seconds is None else began + seconds - SAVING
        study = Study(prepared, measure, order["seed"], end)
        made = cls(opened, prepared, measure, winner, settings, study, drawn, progress, began, seconds)
        study.report = made.say
        return made

    def run(self) -> Evidence:
        """Measure, one thing after the other, while there is time; after Ctrl-C what was finished is told all the
        same."""
        with Journal(self.folder.journal) as journal:
            self.found = journal.studies()
            try:
                self._measure(journal)
            finally:
                found = self._evidence(journal)
                self._write(found)
        return found

    def _measure(self, journal: Journal) -> None:
        for name, measure in self._studies():
            if name in self.found:
                continue
            self.doing = name
            made = measure() if time.perf_counter() < self.study.end else None
            if made is None:
                return
            about, predictions = made
            journal.write_study(name, about, predictions)
            self.found[name] = made

    def say(self, phase: str, alive: int, steps: int) -> None:
        """Tell the display."""
        if self.progress:
            now = time.perf_counter() - self.began
            left = None if self.seconds is None else max(0.0, self.seconds - now)
            self.progress(Status(self.doing, alive, None, steps, now, left))

    def _studies(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """All that is to be measured, in its order: the name, and what measures it (None: no time)."""
        yield "winner", lambda: self._replicated(self.winner, FURTHER)
        for name, recipe in [
            ("winner", self.winner),
            *((part.field, part.without) for part in parts_of(self.winner, self.prepared)),
        ]:
            yield f"grid {name}", lambda recipe=recipe: self._grid(recipe)  # type: ignore[misc]
            yield f"runs {name}", lambda name=name, recipe=recipe: self._runs(name, recipe)  # type: ignore[misc]
        for rung, sample in self.drawn.items():
            yield f"dropped {rung}", lambda sample=sample: self._finished(sample)  # type: ignore[misc]
        yield "columns", self._columns
        for name in SCALINGS:
            yield f"scaling {name}", lambda name=name: self._scaling(name)  # type: ignore[misc]

    def _grid(self, recipe: Recipe) -> tuple[dict[str, Any], None] | None:
        grid = self.study.grid(recipe)
        if grid is None:
            return None
        return {"costs": [[rate, cost if math.isfinite(cost) else None] for rate, cost in grid.costs.items()]}, None

    def _runs(self, name: str, recipe: Recipe) -> tuple[dict[str, Any], bytes | None] | None:
        rate = self._grids()[name].rate
        if rate is None:  # nothing to run: it diverges at every rate
            return {"rate": None, "costs": [], "diverged": len(FRESH), "shape": [0]}, None
        return self._replicated(recipe.with_fields({"learning_rate": rate}), FRESH)

    def _replicated(self, recipe: Recipe, seeds: Sequence[int]) -> tuple[dict[str, Any], bytes] | None:
        made = self.study.replicates(recipe, seeds)
        return kept(made, recipe.learning_rate) if made else None

    def _finished(self, sample: "_Sample") -> tuple[dict[str, Any], None] | None:
        costs = self.study.finished(list(sample.recipes.values()), list(sample.recipes))
        if costs is None:
            return None
        told = [cost if math.isfinite(cost) else None for cost in costs]
        return {"dropped": sample.dropped, "numbers": list(sample.recipes), "costs": told}, None

    def _columns(self) -> tuple[dict[str, Any], None] | None:
        made = self.study.columns(self.winner, FURTHER[:OF_COLUMNS])
        return None if made is None else ({"columns": [one._asdict() for one in made]}, None)

    def _scaling(self, name: str) -> tuple[dict[str, Any], None] | None:
        made = self.study.scaling(self.winner, name)
        return (made, None) if made else None

    def _grids(self) -> dict[str, Grid]:
        """The grids so far, by field."""
        return {
            name.partition(" ")[2]: Grid({rate: math.inf if cost is None else cost for rate, cost in about["costs"]})
            for name, (about, _) in self.found.items()
            if name.startswith("grid ")
        }

    def _replicates(self) -> dict[str, Replicates]:
        """The runs so far, by field; `named` those of the named winner at its own rate."""
        runs = {}
        for name, (about, blob) in self.found.items():
            if name.startswith("runs ") or name == "winner":
                predictions = np.frombuffer(blob or b"", "<f4").reshape(about["shape"]).astype(np.float64)
                key = "named" if name == "winner" else name.partition(" ")[2]
                runs[key] = Replicates(about["costs"], predictions, about["diverged"])
        return runs

    def _evidence(self, journal: Journal) -> Evidence:
        """All that is known, as it is told."""
        metric, best, runs = self.metric, self.settings["best"], self._replicates()
        y = weighed.evidence_labels(self.prepared)
        named = runs.get("named")
        droppings = []
        for name, (about, _) in self.found.items():
            if name.startswith("dropped ") and named and named.costs:
                costs = [math.inf if cost is None else cost for cost in about["costs"]]
                rung = int(name.partition(" ")[2])
                droppings.append(weighed.dropping(rung, about["dropped"], costs, float(np.mean(named.costs)), metric))
        before = evidence(self.folder.path) if self.folder.path else None
        return Evidence(
            intervals=before.intervals if before else {},
            metric=metric.name,
            greater=metric.greater,
            standing=weighed.standing(named, y, metric, best["score"], best.get("corrected")) if named else None,
            worths=weighed.worths(
                parts_of(self.winner, self.prepared), self._grids(), runs, y, metric, self.winner.learning_rate
            ),
            droppings=tuple(droppings),
            scalings=weighed.scalings([a for name, (a, _) in self.found.items() if name[:8] == "scaling "], metric),
            columns=tuple(self.found["columns"][0]["columns"]) if "columns" in self.found else (),
            fields=self._mattered(journal),
            seconds=round(time.perf_counter() - self.began, 1),
        )

    def _mattered(self, journal: Journal) -> tuple[dict[str, Any], ...]:
        """What decided over the recipes of the first start."""
        count, space = self.settings["plan"]["rungs"][0]["recipes"], self.settings["order"].get("space", {})
        return mattered(journal.recipes(), journal.scores(), count, self.winner, self.metric, space)

    def _write(self, found: Evidence) -> None:
        """evidence.json, and the same in report.json and on the page."""
        self.folder.write_json("evidence.json", found.plain())
        path = self.folder.path
        assert path
        report = (
            json.loads((path / "report.json").read_text(encoding="utf-8")) if (path / "report.json").exists() else {}
        )
        self.folder.write_json("report.json", report | {"evidence": found.plain()})
        if (path / "report.html").exists():
            page = (path / "report.html").read_text(encoding="utf-8")
            self.folder.write("report.html", with_evidence(page, found, path))


class _Sample(NamedTuple):
    """Of the recipes that a rung dropped: how many there are, and some drawn at random, by number."""

    dropped: int
    recipes: dict[int, Recipe]


def _drawn(rows: list[dict[str, Any]], seed: int) -> dict[int, _Sample]:
    """Of each rung some of those that it dropped."""
    dropped: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        if row["outcome"].startswith("dropped at rung "):
            dropped.setdefault(int(row["outcome"].rpartition(" ")[2]), []).append(row)
    found = {}
    for rung, some in sorted(dropped.items()):
        chosen = np.sort(np.random.default_rng([seed, 6, rung]).permutation(len(some))[:DRAWN])
        found[rung] = _Sample(len(some), {some[i]["number"]: Recipe.from_plain(some[i]["recipe"]) for i in chosen})
    return found


def _table(opened: RunFolder, data: dict[str, Any], X: Any, y: Any, validation: Any) -> Any:
    """The rows of the race: those that are given, or its file's."""
    source, target = data["source"], data["target"]
    if X is None:
        if not source or not target or data.get("validation_rows"):
            raise SlalomError(
                f"X, y{' and validation' if data.get('validation_rows') else ''} must be given: the race in"
                f" {opened.path} had rows from Python. slalom.explain({str(opened.path)!r}, X, y, …)."
            )
        return table_of(source, None, target)
    return table_of(X, y, target if y is None else None, validation)
