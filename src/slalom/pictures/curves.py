"""Learning curves: every racer of a race, those that were dropped fading where they were dropped, the winner named."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slalom.board import number, short
from slalom.errors import SlalomError, wrong
from slalom.folder import RunFolder
from slalom.journal import Journal
from slalom.metrics import Metric
from slalom.opened import leaderboard
from slalom.pictures.labels import End, at_the_end
from slalom.pictures.style import COLOURS, FAINT, SMALL, SOFT, LineCollection, drawn, entitle, plain, taken, thousands
from slalom.result import Result
from slalom.types import Array

WIDE = 25.0  # how many times the best score the worst may be before the axis is logarithmic
SHOWN = 0.9  # the share of racers whose last score is in sight, at least
LONG = 6.0  # how many times the first rung the last epoch may be before that axis is logarithmic
FADE = 0.4  # the share of a dropped racer's curve over which it fades
NAMED = 4  # curves that are named


class Racer(NamedTuple):
    """A recipe of a race as it is drawn: its name, how it ended, and its scores [S, 2] (epoch, score)."""

    name: str
    outcome: str
    finalist: bool
    curve: Array


class Race(NamedTuple):
    """What is drawn of a race."""

    metric: Metric
    winner: str
    racers: list[Racer]
    baselines: list[tuple[str, float]]
    rungs: list[float]  # epochs


@drawn
def learning_curves(result: Any, *, title: str | None = None, axes: Any = None) -> Any:
    """Every racer's score on the choosing rows over its epochs, with the rungs and the baselines of the race.

    result: a `Result`, or the folder of a race; the curves come out of its journal. Of a result without a folder
    there are only the best moments, which are drawn as dots. axes: to draw into.
    A racer that was dropped is grey, and its curve fades where it was dropped; one that diverged ends with a cross. The
    dot is the winner's best moment. Scores far behind are out of sight: nine of ten racers end within it. The axis of
    scores is logarithmic where they differ by more than 25 times, that of epochs where the last is more than six times
    the first rung. Raises SlalomError where there is no race, or none of its recipes has a score.

    >>> import tempfile; from slalom import race
    >>> rng = np.random.default_rng(0); X = rng.normal(size=(200, 2)); y = X @ [2.0, -1.0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = race(X, y, recipes=2, epochs=3, fixed={"depth": 0, "batch_size": 16}, out=f"{folder}/run")
    ...     picture = learning_curves(f"{folder}/run")
    >>> picture.axes[0].get_ylabel()
    'rmse on the choosing rows (less is better)'
    """
    race = read(result)
    scored = [racer for racer in race.racers if len(racer.curve)]
    if not scored:
        raise SlalomError("learning_curves needs a recipe with a score. No recipe of this race has one.")
    picture, axes = taken(axes, 8.2, 4.8)
    _limits(axes, race, scored)
    for racer in sorted(scored, key=lambda racer: (racer.name == race.winner, racer.finalist)):
        _draw(axes, racer, racer.name == race.winner, race.metric.cost_of)
    for epoch in race.rungs:
        axes.axvline(epoch, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)), zorder=1)
    for i, epoch in enumerate(race.rungs, start=1):
        axes.annotate(
            f"rung {i}", xy=(epoch, 1), xycoords=("data", "axes fraction"), xytext=(3, -3), textcoords="offset points",
            va="top", fontsize=SMALL - 0.5, color=SOFT,
        )  # fmt: skip
    direction = "more" if race.metric.greater else "less"
    axes.set(xlabel="epochs", ylabel=f"{plain(race.metric.name)} on the choosing rows ({direction} is better)")
    entitle(axes, _said(race) if title is None else title)
    at_the_end(axes, _ends(axes, race, scored))
    return picture


def read(result: Any) -> Race:
    """What is drawn of a race, from its result or its folder."""
    if isinstance(result, Result) and result.out is None:
        return _from_board(result.leaderboard.to_dicts(), result.metric, result.best.name)
    if not isinstance(result, (Result, str, Path)):
        raise wrong("learning_curves: result", "a Result, or the folder of a race", type(result).__name__)
    folder = RunFolder.extend(result.out if isinstance(result, Result) else result)  # type: ignore[arg-type]
    settings, board = folder.settings(), leaderboard(folder.path).to_dicts()  # type: ignore[arg-type]
    order = settings["order"]
    metric = Metric(str(order["metric"]), lambda y, prediction: 0.0, bool(order["greater_is_better"]), "")
    with Journal(folder.journal, read_only=True) as journal:
        scores = journal.scores()
    race = _from_board(board, metric, settings.get("best", {}).get("name", ""))
    racers = []
    for racer in race.racers:
        costs = scores.get(int(racer.name.rpartition(" ")[2]), {})
        known = [(epoch, float(cost)) for epoch, cost in costs.items() if cost is not None]
        pairs = [(epoch, metric.score_of(cost)) for epoch, cost in known if math.isfinite(cost)]
        racers.append(racer._replace(curve=np.array(pairs, float).reshape(-1, 2)))
    rungs = [float(rung["epochs"]) for rung in settings.get("plan", {}).get("rungs", [])][:-1]
    return race._replace(racers=racers, rungs=rungs)


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _from_board(board: list[dict[str, Any]], metric: Metric, winner: str) -> Race:
    """A race from its leaderboard alone: of every recipe the best moment."""
    racers, baselines = [], []
    for row in board:
        if row["kind"] == "baseline":
            baselines += [(short(row["name"]), row["score"])] if _finite(row["score"]) else []
            continue
        known = _finite(row["score"]) and _finite(row["best_epoch"])
        curve = np.array([[row["best_epoch"], row["score"]]] if known else [], float).reshape(-1, 2)
        racers.append(Racer(row["name"], row["outcome"], bool(row.get("seeds")), curve))
    return Race(metric, winner, racers, baselines, [])


def _limits(axes: Any, race: Race, scored: list[Racer]) -> None:
    """Set the limits: from the best score to that with which nine of ten racers ended, not beyond that of guessing."""
    best = min(race.metric.cost_of(score) for racer in scored for score in racer.curve[:, 1])
    worst = float(np.quantile([race.metric.cost_of(racer.curve[-1, 1]) for racer in scored], SHOWN))
    guess = [race.metric.cost_of(score) for name, score in race.baselines if name.startswith("mean or")]
    known = [race.metric.cost_of(score) for name, score in race.baselines if not name.startswith("mean or")]
    worst = min(max([worst, *known]), *guess, math.inf)
    near, far = race.metric.score_of(best), race.metric.score_of(max(worst, best))
    first, last = min(racer.curve[0, 0] for racer in scored), max(racer.curve[-1, 0] for racer in scored)
    if race.rungs and first > 0 and last > LONG * race.rungs[0]:  # rungs lie at powers of three
        axes.set_xscale("log")
        ticks = [first, *race.rungs, last]
        axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlim(first, last * 1.02)
    else:
        axes.set_xlim(0, last * 1.01)
    if not race.metric.greater and near > 0 and far > WIDE * near:
        axes.set_yscale("log")
        axes.set_ylim(near * 0.85, far * 1.1)
        return
    room = 0.06 * abs(far - near) or 0.05 * abs(near) or 1.0
    axes.set_ylim(*sorted((near + math.copysign(room, near - far), far - math.copysign(room, near - far))))
    thousands(axes)


def _draw(axes: Any, racer: Racer, wins: bool, cost_of: Callable[[float], float]) -> None:
    """One curve in the manner of how it ended."""
    curve = racer.curve
    if wins:
        axes.plot(*curve.T, color=COLOURS[0], linewidth=2.4, zorder=5)
        at = curve[int(np.argmin([cost_of(score) for score in curve[:, 1]]))]
        axes.plot(*at, "o", color=COLOURS[0], markersize=7, markeredgecolor="white", zorder=6)
    elif racer.finalist:
        axes.plot(*curve.T, color=COLOURS[1], linewidth=1.3, zorder=4, marker="o" if len(curve) == 1 else "")
    elif len(curve) == 1:
        axes.plot(*curve.T, "o", color=FAINT, markersize=3, zorder=2)
    else:
        dropped = racer.outcome.startswith("dropped")
        axes.add_collection(_faded(curve, dropped), autolim=False)
    if racer.outcome.startswith("diverged"):
        axes.plot(*curve[-1:].T, "x", color=COLOURS[3], markersize=5, zorder=3)


def _faded(curve: Array, dropped: bool) -> LineCollection:
    """A grey curve; of a dropped racer its last part fades away."""
    begin, end = curve[0, 0], curve[-1, 0]
    at = np.unique(np.concatenate([curve[:, 0], np.linspace(end - FADE * (end - begin), end, 9)]))
    points = np.column_stack([at, np.interp(at, *curve.T)])
    left = (end - points[1:, 0]) / max(FADE * (end - begin), 1e-12)
    strength = 0.12 + 0.55 * np.clip(left, 0, 1) if dropped else np.full(len(at) - 1, 0.7)
    colours = np.column_stack([np.full((len(at) - 1, 3), 0.45), strength])
    return LineCollection(list(np.stack([points[:-1], points[1:]], axis=1)), colors=colours, linewidths=0.9, zorder=2)


def _ends(axes: Any, race: Race, scored: list[Racer]) -> list[End]:
    """The labels at the right edge: the winner, some finalists, the baselines that are in sight."""
    low, high = axes.get_ylim()
    by_cost = sorted(scored, key=lambda racer: race.metric.cost_of(racer.curve[-1, 1]))
    named = [racer for racer in by_cost if racer.finalist and racer.name != race.winner][: NAMED - 1]
    ends = [End(racer.curve[-1, 1], racer.name, COLOURS[1]) for racer in named]
    ends += [
        End(racer.curve[-1, 1], f"{racer.name}, the winner", COLOURS[0], True)
        for racer in scored
        if racer.name == race.winner
    ]
    for name, score in race.baselines:
        if low <= score <= high:
            axes.axhline(score, color=COLOURS[2], linewidth=1.0, linestyle=(0, (5, 3)), zorder=3)
            ends.append(End(score, f"{name} {number(score)}", COLOURS[2]))
    return ends


def _said(race: Race) -> str:
    """How many recipes raced, and how many were dropped."""
    dropped = sum(racer.outcome.startswith("dropped") for racer in race.racers)
    begun = sum(bool(len(racer.curve)) for racer in race.racers)
    fading = f", {dropped:,} of them dropped" if dropped else ""
    moments = all(len(racer.curve) < 2 for racer in race.racers)
    return f"The best moments of {begun:,} recipes" if moments else f"{begun:,} recipes{fading}"
