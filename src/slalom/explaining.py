"""Explaining: the door that measures, behind a race, what its winner and each of its parts are worth."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from slalom import weighed
from slalom.ablated import Grid
from slalom.entry import FURTHER
from slalom.errors import wrong
from slalom.evidence import Evidence
from slalom.intervals import means_of
from slalom.journal import Journal
from slalom.mattered import ended, mattered
from slalom.opened import known, report
from slalom.recipe import Recipe
from slalom.reopened import Reopened, Sample, reopened
from slalom.report import left
from slalom.report.gathered import with_studies
from slalom.result import finite
from slalom.status import Status
from slalom.study import Study
from slalom.weighed import FRESH, Replicates, kept, parts_of

SCALINGS = ("none", "min_max", "z_score", "sigmoid", "robust")  # under which curvature is looked at, and the winner's
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
    sample_weight: Any = None,
    group: Any = None,
    time: Any = None,
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

    folder: of a race. X, y, validation, metric, sample_weight, group, time: as they were given to `race`, where it was
    not a file or no name; the rows must be the same (SlalomError). seconds: a limit; without it everything is measured.
    progress: as in `race`.

    >>> import tempfile; from slalom import race
    >>> rng = np.random.default_rng(0); X = rng.normal(size=(100, 2)); y = X @ [2.0, -1.0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = race(X, y, recipes=1, epochs=1, fixed={"depth": 0, "batch_size": 16}, out=f"{folder}/run")
    ...     found = explain(f"{folder}/run", X, y, seconds=0.01)  # too little for any of it
    >>> found.missing[:3]
    ['scaling', 'update rule', 'schedule']
    """
    began = perf_counter() if began is None else began
    if seconds is not None and not (isinstance(seconds, (int, float)) and 0 < seconds < math.inf):
        raise wrong("seconds", "a positive number", seconds)
    roles = {"sample_weight": sample_weight, "group": group, "time": time}
    race = reopened(folder, X, y, validation, metric, SCALINGS, roles)
    end = math.inf if seconds is None else began + seconds - SAVING
    study = Study(race.prepared, race.metric, race.settings["order"]["seed"], end)
    return _Explaining(race, study, progress, began, seconds).run()


@dataclass(eq=False)
class _Explaining:
    """One call of `explain`."""

    race: Reopened
    study: Study
    progress: Callable[[Status], None] | None
    began: float
    seconds: float | None
    found: Found = field(default_factory=dict)
    doing: str = ""
    spent: float = 0.0  # seconds of measuring
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.folder, self.settings, self.prepared, self.metric, self.winner, self.drawn = self.race
        self.study.report = self.say

    def run(self) -> Evidence:
        """Measure, one thing after the other, while there is time; after Ctrl-C what was finished is told all the
        same."""
        with self.folder.locked(), Journal(self.folder.journal) as journal:
            self.found, self.journal = journal.studies(), journal
            try:
                self._measure(journal)
            finally:
                found = self._evidence(journal)
                self._write(found)
        return found

    def _measure(self, journal: Journal) -> None:
        began = perf_counter()
        for name, measure in self._studies():
            if name in self.found:
                continue
            self.doing = name
            made = measure() if perf_counter() < self.study.end else None
            self.spent = perf_counter() - began
            if made is None:  # something shorter may still fit
                continue
            about, predictions = made
            journal.write_study(name, about, predictions)
            self.found[name] = made

    def say(self, phase: str, alive: int, steps: int) -> None:
        """Tell the display."""
        if self.progress:
            now = perf_counter() - self.began
            left = None if self.seconds is None else max(0.0, self.seconds - now)
            self.progress(Status(self.doing, alive, None, steps, now, left))

    def _studies(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """All that is to be measured, in its order: the name, and what measures it (None: no time)."""
        yield "winner", lambda: self._replicated(self.winner, FURTHER)
        for name, recipe in [
            ("winner", self.winner),
            *((part.field, part.without) for part in parts_of(self.winner, self.prepared)),
        ]:
            yield f"grid {name}", lambda name=name, recipe=recipe: self._grid(name, recipe)  # type: ignore[misc]
            yield f"runs {name}", lambda name=name, recipe=recipe: self._runs(name, recipe)  # type: ignore[misc]
        for rung, sample in self.drawn.items():
            yield f"dropped {rung}", lambda sample=sample: self._finished(sample)  # type: ignore[misc]
        yield "columns", self._columns
        for name in self._scalings():
            yield f"scaling {name}", lambda name=name: self._scaling(name)  # type: ignore[misc]

    def _scalings(self) -> tuple[str, ...]:
        """Under which curvature is looked at."""
        return tuple(dict.fromkeys((*SCALINGS, self.winner.scaling)))

    def _grid(self, name: str, recipe: Recipe) -> tuple[dict[str, Any], None] | None:
        """A whole grid; the rates of one that is not whole are kept for the next call."""
        begun, _ = self.found.get(f"begun grid {name}", ({"costs": []}, None))
        costs, seeds, whole = self.study.grid(recipe, _costs(begun))
        about: dict[str, Any] = finite({"costs": [[rate, cost] for rate, cost in costs.items()]})
        about["seeds"] = [*begun.get("seeds", []), *finite([[rate, some] for rate, some in seeds.items()])]
        if whole:
            return about, None
        if len(costs) > len(begun["costs"]):
            self.journal.write_study(f"begun grid {name}", about, None)
        return None

    def _runs(self, name: str, recipe: Recipe) -> tuple[dict[str, Any], bytes | None] | None:
        grid = self._grids().get(name)
        if grid is None:  # there was no time for it
            return None
        rate = grid.rate
        if rate is None:  # nothing to run: it diverges at every rate
            return {"rate": None, "costs": [], "diverged": len(FRESH), "shape": [0]}, None
        own = self._replicates().get("winner") if name != "winner" else None
        return self._replicated(recipe.with_fields({"learning_rate": rate}), FRESH, own)

    def _replicated(
        self, recipe: Recipe, seeds: Sequence[int], own: Replicates | None = None
    ) -> tuple[dict[str, Any], bytes] | None:
        """Runs of a recipe; beside the winner's `own` also their difference, where it is no quick formula."""
        made = self.study.replicates(recipe, seeds)
        if made is None:
            return None
        if own and own.costs and made.costs and means_of(self.metric) is None:
            y = weighed.evidence_labels(self.prepared)
            made = made._replace(estimate=tuple(weighed.estimated(made, own, y, self.metric)))
        return kept(made, recipe.learning_rate)

    def _finished(self, sample: Sample) -> tuple[dict[str, Any], None] | None:
        costs = self.study.finished(list(sample.recipes.values()), list(sample.recipes))
        if costs is None:
            return None
        told = [cost if math.isfinite(cost) else None for cost in costs]
        return {"numbers": list(sample.recipes), "costs": told}, None

    def _columns(self) -> tuple[dict[str, Any], None] | None:
        made = self.study.columns(self.winner, FURTHER[:OF_COLUMNS])
        return None if made is None else ({"columns": [one._asdict() for one in made]}, None)

    def _scaling(self, name: str) -> tuple[dict[str, Any], None] | None:
        made = self.study.scaling(self.winner, name)
        return (made, None) if made else None

    def _grids(self) -> dict[str, Grid]:
        """The grids so far, by field."""
        return {
            name.partition(" ")[2]: Grid(_costs(about))
            for name, (about, _) in self.found.items()
            if name.startswith("grid ")
        }

    def _replicates(self) -> dict[str, Replicates]:
        """The runs so far, by field; `named` those of the named winner at its own rate."""
        return {
            "named" if name == "winner" else name.partition(" ")[2]: weighed.read_back(about, blob)
            for name, (about, blob) in self.found.items()
            if name.startswith("runs ") or name == "winner"
        }

    def _evidence(self, journal: Journal) -> Evidence:
        """All that is known, as it is told."""
        metric, best, runs = self.metric, self.settings["best"], self._replicates()
        y = weighed.evidence_labels(self.prepared)
        named, before = runs.get("named"), known(self.folder.path)
        droppings = []
        for rung, sample in self.drawn.items():
            about, _ = self.found.get(f"dropped {rung}", ({}, None))
            if about and named and named.costs and not named.diverged:
                costs = [math.inf if cost is None else cost for cost in about["costs"]]
                mean = float(np.mean(named.costs))
                droppings.append(weighed.dropping(rung, sample.dropped, costs, mean, metric))
        needed = self.study.needed
        return Evidence(
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
            ended=ended(journal.recipes()),
            intervals=before.intervals if before else {},
            left=self._left(),
            needed=round(needed + perf_counter() - self.began - self.spent, 1) if needed else 0.0,
        )

    def _left(self) -> tuple[str, ...]:
        """What, beside parts, was not measured."""
        there = {
            "further seeds": ["winner"],
            "dropped recipes": [f"dropped {rung}" for rung in self.drawn],
            "shuffled columns": ["columns"],
            "curvature": [f"scaling {name}" for name in self._scalings()],
        }
        return tuple(what for what, names in there.items() if any(name not in self.found for name in names))

    def _mattered(self, journal: Journal) -> tuple[dict[str, Any], ...]:
        """What decided over the recipes of the first start."""
        count, space = self.settings["plan"]["rungs"][0]["recipes"], self.settings["order"].get("space", {})
        return mattered(journal.recipes(), journal.scores(), count, self.winner, self.metric, space)

    def _write(self, found: Evidence) -> None:
        """evidence.json, and the same in report.json and on the page; the page of an older Slalom stays as it was."""
        assert self.folder.path
        plain = finite(found.plain())
        self.folder.write_json("evidence.json", plain)
        if told := report(self.folder.path):
            left(self.folder, told | {"evidence": plain} | with_studies(self.found, self.metric))


def _costs(about: dict[str, Any]) -> dict[float, float]:
    """The costs of a grid out of the journal."""
    return {rate: math.inf if cost is None else cost for rate, cost in about["costs"]}
