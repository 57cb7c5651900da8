"""Evidence: what is said about a winner and its parts, as data, computed from runs that chose nothing."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from slalom import statistics
from slalom.ablated import Part
from slalom.combined import cost_of
from slalom.intervals import LEVEL, Estimate, clopper_pearson, difference, holm, mean_cost, runs_of, two_way
from slalom.metrics import METRICS, Metric
from slalom.study import FRESH, Grid, Replicates
from slalom.types import Array

HELPS, HURTS, LEVEL_WITH, UNSTABLE, NOT_MEASURED = (
    "helps", "hurts", "no difference seen", "needed to train at all", "not measured",
)  # fmt: skip


@dataclass(frozen=True)
class Worth:
    """What a part of the winner is worth: the mean score with it less that without it, both re-tuned, on evidence rows;
    in the unit of the metric, above 0 where the part helps, whichever direction the metric has.

    low, high: its 95 % interval. p: corrected for all parts that the winner has. unseen: the smallest worth that would
    have been seen in eight of ten such comparisons. rate, rate_without: the best learning rates of both. kept: the same
    difference on choosing rows with the winner's rate kept, which describes and proves nothing. None: not known.
    """

    part: str
    value: Any
    plain: Any
    verdict: str
    worth: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    unseen: float | None = None
    rate: float | None = None
    rate_without: float | None = None
    kept: float | None = None
    diverged: int = 0  # of the runs without it


@dataclass(frozen=True)
class Standing:
    """The named winner with seeds that chose nothing on rows that chose nothing: mean score, 95 % interval; beside it
    the score that it was chosen by, and that corrected for the choice. None: not known."""

    seeds: int
    rows: int
    score: float | None
    low: float | None
    high: float | None
    found: float | None = None
    corrected: float | None = None


@dataclass(frozen=True)
class Dropping:
    """Recipes that were dropped, drawn at random, trained to their end: how many of them would have been better than
    the winner's mean over new seeds, and the share of all dropped recipes that may be (95 %, Clopper-Pearson)."""

    rung: int
    dropped: int
    drawn: int
    better: int
    most: float
    best: float | None  # score


@dataclass(frozen=True)
class Evidence:
    """All that was measured behind a race: see the classes of its fields. None and empty: not measured."""

    metric: str
    greater: bool
    standing: Standing | None = None
    worths: tuple[Worth, ...] = ()
    droppings: tuple[Dropping, ...] = ()
    fields: tuple[dict[str, Any], ...] = ()  # what mattered over all recipes
    scalings: tuple[dict[str, Any], ...] = ()  # curvature under each
    columns: tuple[dict[str, Any], ...] = ()  # permutation importance
    intervals: dict[str, Any] = field(default_factory=dict)  # of predictions
    seconds: float = 0.0

    @property
    def missing(self) -> list[str]:
        """The parts that were not measured."""
        return [worth.part for worth in self.worths if worth.verdict == NOT_MEASURED]

    def plain(self) -> dict[str, Any]:
        """As JSON-able data."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Evidence":
        """From plain data, as `plain` makes it."""
        given = dict(plain)
        given["standing"] = Standing(**given["standing"]) if given.get("standing") else None
        given["worths"] = tuple(Worth(**one) for one in given["worths"])
        given["droppings"] = tuple(Dropping(**one) for one in given["droppings"])
        return cls(**given | {name: tuple(given[name]) for name in ("fields", "scalings", "columns")})


def worths(
    parts: Sequence[Part], grids: dict[str, Grid], runs: dict[str, Replicates], y: Array, metric: Metric, rate: float
) -> tuple[Worth, ...]:
    """What each part is worth. grids, runs: by field, those of the winner under `winner`; y: the evidence rows' labels.
    rate: the winner's own."""
    own = runs.get("winner")
    estimates: dict[str, Estimate | None] = {}
    for part in parts:
        theirs = runs.get(part.field)
        both = own is not None and theirs is not None and not theirs.diverged and not own.diverged
        estimates[part.field] = _difference(theirs, own, y, metric) if both else None  # type: ignore[arg-type]
    corrected = holm([e.p if e else math.nan for e in estimates.values()])
    level = 1 - (1 - LEVEL) / max(len(parts), 1)
    return tuple(
        _worth(part, estimates[part.field], p, level, grids, runs, rate)
        for part, p in zip(parts, corrected, strict=True)
    )


def _worth(
    part: Part, found: Estimate | None, p: float, level: float, grids: dict[str, Grid], runs: dict[str, Replicates],
    rate: float,
) -> Worth:  # fmt: skip
    """The worth of one part, from its comparison, if there is one."""
    without, own, theirs = grids.get(part.field), grids.get("winner"), runs.get(part.field)
    about: dict[str, Any] = {
        "rate": own.rate if own else None,
        "rate_without": without.rate if without else None,
        "diverged": theirs.diverged if theirs else 0,
    }
    if own and without:
        kept = without.costs.get(rate, math.inf) - own.costs.get(rate, math.inf)
        about["kept"] = kept if math.isfinite(kept) else None
    said = (part.name, part.value, part.plain)
    if (without and without.rate is None) or (theirs and theirs.diverged):
        return Worth(*said, UNSTABLE, **about)
    if found is None:
        return Worth(*said, NOT_MEASURED, **about)
    known = math.isfinite(found.error)
    seen = known and p < 1 - LEVEL
    verdict = (HELPS if found.value > 0 else HURTS) if seen else LEVEL_WITH
    return Worth(
        *said, verdict, found.value, _known(found.low), _known(found.high), _known(p), _known(found.unseen(level)),
        **about,
    )  # fmt: skip


def standing(
    runs: Replicates | None, y: Array, metric: Metric, found: float | None, corrected: float | None
) -> Standing:
    """The named winner on evidence rows."""
    if runs is None or not len(runs.costs):
        return Standing(0, len(y), None, None, None, found, corrected)
    costs = [cost_of(metric)(y, prediction) for prediction in runs.predictions]
    mean = float(np.mean(costs))
    ends = (math.nan, math.nan)
    if (means := means_of(metric)) and len(costs) > 1:
        estimate = mean_cost(runs_of(means, y, list(runs.predictions)))
        ends = estimate.low, estimate.high
    scores = [metric.score_of(end) for end in ends]
    low, high = sorted(scores) if all(map(math.isfinite, scores)) else (math.nan, math.nan)
    score = metric.score_of(mean) if math.isfinite(mean) else None
    return Standing(len(costs), len(y), score, _known(low), _known(high), found, corrected)


def dropping(rung: int, dropped: int, costs: Sequence[float], winner: float, metric: Metric) -> Dropping:
    """What dropping at a rung may have cost: the costs of some of its recipes at their end beside the winner's mean."""
    better = sum(cost < winner for cost in costs)
    best = min(costs, default=math.inf)
    score = metric.score_of(best) if math.isfinite(best) else None
    return Dropping(rung, dropped, len(costs), better, clopper_pearson(better, len(costs))[1], score)


def means_of(metric: Metric) -> statistics.Means | None:
    """The metric's cost as a function of means over rows; None where it is none."""
    return statistics.MEANS.get(metric.name) if METRICS.get(metric.name) is metric else None


def _difference(theirs: Replicates, own: Replicates, y: Array, metric: Metric) -> Estimate:
    """The mean cost without a part less that with it."""
    if means := means_of(metric):
        return difference(runs_of(means, y, list(theirs.predictions)), runs_of(means, y, list(own.predictions)))
    return two_way(list(theirs.predictions), list(own.predictions), y, cost_of(metric), seed=FRESH[0])


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
