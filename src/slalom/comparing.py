"""Comparing: the door that searches with each value of a field, equally long, and says which is better."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slalom import schedules
from slalom.contest import Comparison, Contender, Pair, constant_cost, expected
from slalom.entry import FURTHER, Entry
from slalom.errors import SlalomError, wrong
from slalom.intervals import Estimate, Runs, difference, holm, mean_cost, means_of, runs_of
from slalom.metrics import Metric
from slalom.order import Order
from slalom.plan import flat
from slalom.recipe import CHOICES, Recipe
from slalom.record import settings_of
from slalom.space import LIKELY_RULES, PLAIN, Space
from slalom.start import entered, fewest_rows, prepared_for
from slalom.statistics import Means
from slalom.status import Status
from slalom.study import Study
from slalom.table import table_of
from slalom.track import Track

SEARCHES = 3
EPSILON = {"low": 1e-10, "high": 1e-3}  # of every rule that has one: where it is never searched, rankings turn over
APART = 1009  # of the seeds of two searches
MOST_VALUES = 6  # where the caller names none


def compare(
    X: Any,
    y: Any = None,
    *,
    target: str | None = None,
    over: str = "rule",
    values: Sequence[Any] | None = None,
    recipes: int = 16,
    epochs: int = 10,
    fixed: dict[str, Any] | None = None,
    task: str = "auto",
    metric: str | None = None,
    seed: int = 0,
    progress: Callable[[Status], None] | None = None,
) -> Comparison:
    """Compare the values of a field of recipes: three independent searches with each, equally many recipes for equally
    many epochs, every other field drawn by each search anew; then the best recipe of each search with 5 new seeds.

    X, y, target, task, metric, seed: as in `race`. over: a field, named as in `Recipe.flat`. values: to be compared;
    without them the names that the field may have, the likeliest six rules. recipes, epochs: of each search; the first
    recipe of the first one is the default one. fixed: fields that all share; the shape is that of the default recipe
    otherwise, so that all make equally many steps. Every rule has its own range of learning rates, and of ε where it
    has one.

    The best value is named by choosing rows; what is said of it and each other one comes from evidence rows, which
    chose nothing: a t interval over searches and rows.
    Raises SlalomError where something given cannot be used.

    >>> rng = np.random.default_rng(0); X = rng.normal(size=(100, 2)); y = X @ [2.0, -1.0]
    >>> found = compare(X, y, values=["adam", "sgd"], recipes=1, epochs=1, fixed={"depth": 0, "batch_size": 16})
    >>> sorted(one.value for one in found.contenders), found.contenders[0].runs
    (['adam', 'sgd'], 15)
    """
    named = _values(over, values, dict(fixed or {}))
    for name, value in (("recipes", recipes), ("epochs", epochs)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise wrong(name, "a whole number of at least 1", value)
    also = tuple(Recipe().with_fields(dict(fixed or {}) | {over: value}) for value in named)
    table = table_of(X, y, target)
    order = Order(recipes=recipes, epochs=epochs, seed=seed, task=task, metric=metric, also=also)
    prepared, measure = prepared_for(order, table, [], look=False)
    means = means_of(measure)
    if means is None:
        raise SlalomError(f"metric must be a mean over rows or a function of such means. Got {measure.name}.")
    study = Study(prepared, measure, seed)
    contest = _Contest(study, means, over, dict(fixed or {}), recipes, epochs, progress, time.perf_counter())
    found = [contest.searched(value) for value in named]
    classes = len(prepared.target.classes) if prepared.target.task == "classification" else 0
    fold = prepared.folds[0]
    constant = constant_cost(prepared.labels, fold.train, fold.choose, classes, measure.cost)
    found.sort(key=lambda one: expected(one[0], constant)[-1][0])  # by choosing rows: the best one is named by them
    contenders = tuple(contender for contender, _ in found)
    return Comparison(
        table.source, over, measure.name, measure.greater, recipes, epochs, constant, contenders, _pairs(found)
    )


@dataclass(eq=False)
class _Contest:
    """What all searches of a comparison share."""

    study: Study
    means: Means
    over: str
    fixed: dict[str, Any]
    recipes: int
    epochs: int
    progress: Callable[[Status], None] | None
    began: float

    def searched(self, value: Any) -> tuple[Contender, Runs | None]:
        """Three searches with a value, and the best recipe of each with new seeds on evidence rows."""
        prepared = self.study.prepared
        labels = prepared.labels[np.concatenate([fold.evidence for fold in prepared.folds])]
        costs, seconds, searches = [], 0.0, []
        for search in range(SEARCHES):
            entries = self._search(value, search)
            costs.append(tuple(entry.best[0] for entry in entries))
            seconds += sum(racer.seconds for entry in entries for racer in entry.racers)
            best = min(entries, key=lambda entry: entry.place)
            seeds = range(FURTHER[0] + len(FURTHER) * search, FURTHER[0] + len(FURTHER) * (search + 1))
            runs = self.study.replicates(best.recipe, seeds) if np.isfinite(best.best[0]) else None
            if runs and runs.costs and not runs.diverged:
                searches.append(runs_of(self.means, labels, list(runs.predictions)))
        return _contender(str(value), costs, seconds, searches, self.study.metric)

    def _search(self, value: Any, search: int) -> list[Entry]:
        """The recipes of a search with a value, trained to their end."""
        study, seed = self.study, self.study.seed + APART * search
        space = self._space(value)
        lead = [space.default()] * (search == 0)  # in one search alone: the others must not find the same again
        drawn = lead + space.drawn(seed, 0, self.recipes - len(lead), space.shapes(1, [PLAIN]))
        heats, entries = entered(drawn, 0, study.prepared, study.metric, seed, replayed=False)
        track = Track(flat(self.recipes, self.epochs), heats, entries, study.executor, math.inf)

        def report(phase: str, alive: int, steps: int) -> None:
            if self.progress:
                doing = f"{self.over} {value}, search {search + 1} of {SEARCHES}"
                self.progress(Status(doing, alive, None, steps, time.perf_counter() - self.began, None))

        track.report = study.report = report
        track.run()
        if track.interrupted:
            raise KeyboardInterrupt
        return entries

    def _space(self, value: Any) -> Space:
        """What a search with a value draws from."""
        prepared, fixed = self.study.prepared, self.fixed | {self.over: value}
        rule = Recipe().with_fields(fixed).rule
        epsilon = "epsilon" in settings_of(rule) and "rule.epsilon" not in fixed
        classes = prepared.target.task == "classification"
        return Space(
            fewest_rows(prepared), self.epochs, fixed, classes=classes, scalings=prepared.scalings,
            given={"rule.epsilon": EPSILON} if epsilon else {},
        )  # fmt: skip


def _values(over: str, values: Sequence[Any] | None, fixed: dict[str, Any]) -> list[Any]:
    """The values that are compared, two at least."""
    if over in fixed:
        raise SlalomError(f"{over} must not be fixed and compared. Leave it out of one.")
    if values is None:
        names = {"rule": [*LIKELY_RULES][:MOST_VALUES], "schedule": [*schedules.REGISTRY], "loss": []}
        likely = names.get(over, list(CHOICES.get(over, ())))
        if not likely:
            raise SlalomError(f"values must be given for {over}: values=[…], on the command line --values A,B.")
        values = likely
    found = list(dict.fromkeys(values))
    if len(found) < 2:
        raise wrong("values", "at least two different ones", list(values))
    for value in found:
        Recipe().with_fields(fixed | {over: value})  # refuses what no recipe can have
    return found


def _contender(
    value: str, costs: list[tuple[float, ...]], seconds: float, searches: list[Runs], measure: Metric
) -> tuple[Contender, Runs | None]:
    """A value with what its searches found; its runs on evidence rows as one for each search, which is what is drawn
    independently."""
    if len(searches) < len(costs):  # a search of which nothing came to its end: no mean over searches
        return Contender(value, tuple(costs), seconds, 0, None, None, None), None
    runs = Runs(np.array([one.costs.mean() for one in searches]), np.mean([one.rows for one in searches], axis=0))
    told = mean_cost(runs)
    scores = sorted(measure.score_of(end) for end in (told.low, told.high))
    score, count = measure.score_of(told.value), sum(len(one.costs) for one in searches)
    return Contender(value, tuple(costs), seconds, count, score, *map(_known, scores)), runs


def _pairs(found: list[tuple[Contender, Runs | None]]) -> tuple[Pair, ...]:
    """The best value, as choosing rows name it, beside each of the others."""
    (best, own), *rest = found
    if own is None:
        return ()
    others = [(one, runs) for one, runs in rest if runs is not None]
    told: list[Estimate] = [difference(runs, own) for _, runs in others]
    ps = holm([one.p for one in told])
    return tuple(
        Pair(best.value, one.value, gap.value, _known(gap.low), _known(gap.high), _known(p))
        for (one, _), gap, p in zip(others, told, ps, strict=True)
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
