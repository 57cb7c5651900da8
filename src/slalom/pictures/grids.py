"""Grids: the score of every learning rate that was tried, the best one, and the edge from which trainings diverge."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slalom.errors import SlalomError, wrong
from slalom.folder import RunFolder
from slalom.journal import Journal
from slalom.metrics import Metric
from slalom.pictures.labels import End, at_the_end
from slalom.pictures.style import COLOURS, FAINT, SMALL, SOFT, colour_of, dark, drawn, entitle, plain, taken, thousands
from slalom.result import Result
from slalom.types import Array

WINNER = "winner"  # the name of its grid in a journal


class Grid(NamedTuple):
    """Scores of rates: a row for each rate, its mean, least and greatest score; NaN where it diverged."""

    rates: Array  # [G], ascending
    mean: Array  # [G]
    low: Array  # [G]
    high: Array  # [G]

    @property
    def edge(self) -> float | None:
        """Where trainings begin to diverge: between the highest rate with a score and the next one; None if none
        above it was tried."""
        there = np.flatnonzero(np.isfinite(self.mean))
        if not len(there):
            return float(self.rates[0])
        if there[-1] + 1 == len(self.rates):
            return None
        return float(np.sqrt(self.rates[there[-1]] * self.rates[there[-1] + 1]))


@drawn
def rate_range(
    grid: Any,
    *,
    metric: str = "loss",
    greater: bool = False,
    log: bool | None = None,
    title: str = "",
    axes: Any = None,
) -> Any:
    """The score of every learning rate that was tried: a range test with a whole training at each rate.

    grid: (rate, score) pairs or {rate: score}; several of them by name; or a `Result` or the folder of a race behind
    which `slalom explain` ran: then the grids of the winner and of the winner without each of its parts. A rate that
    stands there several times (seeds) has a band from its least to its greatest score. A score of None, NaN or infinity
    is a training that diverged: from there on the ground is grey, the edge lies halfway (in the logarithm) between the
    highest rate that did not and the next one. metric, greater: the name of the score, and whether more is better;
    those of the race where there is one. log: whether the axis of the score is logarithmic; where it helps by itself.
    Raises SlalomError where there is no pair, a rate is not above 0, or no grid was measured.

    >>> picture = rate_range([(0.01, 1.2), (0.1, 0.4), (1.0, float("nan"))])
    >>> [text.get_text() for text in picture.axes[0].texts]
    ['best: 0.1', 'diverges from 0.316']
    """
    found, metric, greater = _as_grids(grid, metric, greater)
    picture, axes = taken(axes, 7.2, 4.2)
    scores = np.concatenate([one.mean[np.isfinite(one.mean)] for one in found.values()])
    if log or (log is None and len(scores) and scores.min() > 0 and scores.max() > 20 * scores.min()):
        axes.set_yscale("log")
    axes.set_xscale("log")
    for i, one in enumerate(found.values()):
        colour = colour_of(i)
        axes.fill_between(one.rates, one.low, one.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(one.rates, one.mean, "o-", color=colour, markersize=4, linewidth=2.0 if i == 0 else 1.3, zorder=4)
    rates = np.unique(np.concatenate([one.rates for one in found.values()]))
    side = math.sqrt(rates[-1] / rates[-2]) if len(rates) > 1 else 2.0
    axes.set_xlim(rates[0] / side, rates[-1] * side)
    axes.margins(y=0.12)
    axes.autoscale_view(scalex=False)
    axes.set_ylim(*axes.get_ylim())
    thousands(axes)
    _mark(axes, next(iter(found.values())), greater)
    axes.set(xlabel="learning rate", ylabel=f"{plain(metric)} ({'more' if greater else 'less'} is better)")
    entitle(axes, title)
    at_the_end(axes, [_end(one, name, colour_of(i)) for i, (name, one) in enumerate(found.items()) if name])
    return picture


def _end(one: Grid, name: str, colour: Any) -> End:
    there = np.flatnonzero(np.isfinite(one.mean))
    last = there[-1] if len(there) else 0
    return End(float(one.mean[last]), name, colour, x=float(one.rates[last]))


def _mark(axes: Any, one: Grid, greater: bool) -> None:
    """Mark the best rate of a grid and the edge from which it diverges."""
    if np.isfinite(one.mean).any():
        at = int(np.nanargmax(one.mean) if greater else np.nanargmin(one.mean))
        axes.plot(one.rates[at], one.mean[at], "o", color=COLOURS[0], markersize=9, markeredgecolor="white", zorder=5)
        axes.annotate(
            f"best: {one.rates[at]:.3g}", xy=(one.rates[at], one.mean[at]), xytext=(0, 9 if greater else -9),
            textcoords="offset points", ha="center", va="bottom" if greater else "top", fontsize=SMALL + 0.5,
            color=dark(COLOURS[0]), fontweight="bold", zorder=6,
        )  # fmt: skip
    if one.edge is None:
        return
    axes.axvspan(one.edge, axes.get_xlim()[1], facecolor="#f1f1f1", edgecolor="none", zorder=0)
    axes.axvline(one.edge, color=FAINT, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.annotate(
        f"diverges from {one.edge:.3g}", xy=(one.edge, 1), xycoords=("data", "axes fraction"), xytext=(4, -4),
        textcoords="offset points", va="top", ha="left", fontsize=SMALL, color=SOFT, rotation=90,
    )  # fmt: skip


def _as_grids(given: Any, metric: str, greater: bool) -> tuple[dict[str, Grid], str, bool]:
    """(grids by name, the metric, whether more is better)."""
    if isinstance(given, (Result, str, Path)):
        return _of_race(given)
    if isinstance(given, Mapping) and given and not all(isinstance(key, (int, float, np.number)) for key in given):
        return {str(name): _grid(one) for name, one in given.items()}, metric, greater
    return {"": _grid(given)}, metric, greater


def _of_race(given: Any) -> tuple[dict[str, Grid], str, bool]:
    """The grids that stand in the journal of a race."""
    path = given.out if isinstance(given, Result) else given
    if path is None:
        raise SlalomError("rate_range needs the folder of the race: race(…, out=…), and slalom.explain behind it.")
    folder = RunFolder.extend(path)
    order = folder.settings()["order"]
    metric = Metric(str(order["metric"]), lambda y, prediction: 0.0, bool(order["greater_is_better"]), "")
    with Journal(folder.journal, read_only=True) as journal:
        studies = journal.studies()
    score = lambda cost: None if cost is None else metric.score_of(cost)  # noqa: E731
    grids = {
        name.partition(" ")[2]: _grid(
            (rate, score(cost)) for rate, some in about.get("seeds") or _alone(about["costs"]) for cost in some
        )
        for name, (about, _) in studies.items()
        if name.startswith("grid ")
    }  # fmt: skip
    if not grids:
        raise SlalomError(f"{path} has no grid of learning rates yet: slalom explain {path} measures them.")
    first = {"the winner": grids.pop(WINNER)} if WINNER in grids else {}
    others = {f"without its {name.replace('_', ' ')}": grid for name, grid in grids.items()}
    return first | others, metric.name, metric.greater


def _alone(costs: list[list[Any]]) -> list[list[Any]]:
    """Costs as if of one seed each: those of a journal that has no more."""
    return [[rate, [cost]] for rate, cost in costs]


def _grid(pairs: Any) -> Grid:
    """Pairs as a grid, of every rate the scores of all its seeds."""
    several: Iterable[Any] = pairs.items() if isinstance(pairs, Mapping) else pairs
    by_rate: dict[float, list[float]] = {}
    try:
        for rate, score in several:
            by_rate.setdefault(float(rate), []).append(math.nan if score is None else float(score))
    except (TypeError, ValueError) as error:
        raise wrong("rate_range(grid=…)", "(rate, score) pairs", type(pairs).__name__) from error
    if not by_rate or not all(0 < rate < math.inf for rate in by_rate):
        raise wrong("rate_range(grid=…)", "(rate, score) pairs with rates above 0", sorted(by_rate))
    rates = sorted(by_rate)
    rows = [[s if math.isfinite(s) else math.nan for s in by_rate[rate]] for rate in rates]
    mean, low, high = (np.array([of(row) for row in rows], float) for of in (np.mean, np.min, np.max))
    return Grid(np.array(rates), mean, low, high)
