"""Gathered: everything that the page of a race shows, as plain data; report.json holds it."""

import contextlib
import math
import shlex
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from slalom.board import short
from slalom.errors import SlalomError
from slalom.folder import public
from slalom.journal import Journal
from slalom.metrics import Metric, is_named
from slalom.model import Model
from slalom.prepare import Prepared
from slalom.recipe import Recipe
from slalom.repeated import environment
from slalom.report.predicted import of_classes, of_numbers
from slalom.report.scaled import scaled
from slalom.result import Result, finite
from slalom.verdict import counts, has_winner, verdict

POINTS = 241  # of a schedule's curve
FINALISTS = 6  # whose schedules are drawn
FEWEST_ROWS, MOST_ROWS = 500, 20_000  # that are predicted for the page
NUMBERS = 4e8  # products of weights that this takes, about
NO_TIME = "There was no time left for it."
OF_ROWS = ("fingerprint", "roles", "columns", "reading", "given", "validation_rows")  # what race.toml says of them
DIGITS = 6  # of numbers that only a picture needs


def gathered(
    result: Result, journal: Journal, settings: dict[str, Any], prepared: Prepared | None, until: float,
    interrupted: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """What the page shows of a race that has just ended. settings: as race.toml holds them. until: the perf_counter()
    from which there is no time left for what takes some, predictions and scalings; the page says so then. prepared: the
    rows; None where they are not there. interrupted: whether the race was."""
    about, metric = result.about, result.metric
    order, data = settings.get("order", {}), settings.get("data", {})
    stopped = f"Interrupted: this is the best so far. `slalom resume {shlex.quote(public(result.out or ''))}` goes on."
    rungs = [rung["epochs"] for rung in settings.get("plan", {}).get("rungs", [])[:-1]]
    told = result.summary() | {
        "out": public(result.out) if result.out else None,
        "title": titled(about),
        "verdict": [*([stopped] if interrupted else []), *verdict(result)],
        "counts": counts(result),
        "recipe_toml": result.best.recipe.to_toml(),
        "leaderboard": result.leaderboard.to_dicts(),
        "won": has_winner(result),
        "order": {"task": order.get("task", "auto"), "test": order.get("test", True)}
        | ({"metric": order["metric"]} if is_named(order.get("metric", "")) else {}),
        "data": {name: data[name] for name in OF_ROWS if name in data},
        "race": curves(result.leaderboard, journal.scores(), metric, rungs),
        "schedules": schedules(result, journal),
        "environment": environment(),
    }
    told |= with_studies(journal.studies(), metric)
    told["predictions"] = {"why": NO_TIME}
    if result.single and prepared and perf_counter() < until:
        told["predictions"] = predictions(result.single, prepared, bool(about.get("refit")) and order.get("refit"))
    told["scaling"] = {}
    if prepared and perf_counter() < until:
        told["scaling"] = scaled(prepared, result.best.recipe.scaling, until)
    return finite(told)


def titled(about: dict[str, Any]) -> str:
    """What the race was about: `price in houses.csv`."""
    source = str(about.get("source") or "").replace("\\", "/").rpartition("/")[2]
    target = about.get("target")
    return f"{target} in {source}" if source and target else source or target or "a race"


def curves(
    board: pl.DataFrame, scores: dict[int, dict[float, float | None]], metric: Metric, rungs: Sequence[int]
) -> dict[str, Any]:
    """Every racer's scores on choosing rows over its epochs, the baselines', and the epochs of the rungs."""
    racers, baselines = [], []
    for row in board.to_dicts():
        if row["kind"] == "baseline":
            if row["score"] is not None:
                baselines.append({"name": short(row["name"]), "score": row["score"]})
            continue
        costs = scores.get(int(row["name"].rpartition(" ")[2]), {})
        points = [
            [rounded(epoch), rounded(metric.score_of(cost))]
            for epoch, cost in costs.items()
            if cost is not None and math.isfinite(cost)
        ]
        racers.append(
            {"name": row["name"], "outcome": row["outcome"], "finalist": bool(row.get("seeds")), "curve": points}
        )
    return {"rungs": [float(epoch) for epoch in rungs], "racers": racers, "baselines": baselines}


def schedules(result: Result, journal: Journal) -> list[dict[str, Any]]:
    """The learning rate over the epochs of the finalists, or of the winner and those behind it."""
    rows = {f"recipe {row['number']}": row for row in journal.recipes()}
    board = [row for row in result.leaderboard.to_dicts() if row["kind"] == "recipe" and row["name"] in rows]
    first = [row for row in board if row["name"] == result.best.name]
    finalists = [row for row in board if row.get("seeds") and row not in first] or board[1:3]
    training = min(result.about["rows"]["training"])
    found = []
    for row in [*first, *finalists][:FINALISTS]:
        with contextlib.suppress(SlalomError):  # a function of Python, of which only the name was kept
            found.append({"name": row["name"]} | rates(Recipe.from_plain(rows[row["name"]]["recipe"]), training))
    return found


def rates(recipe: Recipe, training: int) -> dict[str, Any]:
    """The learning rate of a recipe over its epochs, for so many training rows."""
    horizon = recipe.epochs * max(1, training // recipe.batch_size)
    steps = np.unique(np.linspace(0, max(horizon - 1, 0), POINTS).astype(int))
    values = recipe.learning_rate * np.asarray(recipe.rate_factor()(steps, horizon), np.float64)
    flat = recipe.flat()
    return {
        "schedule": flat["schedule"],
        "warmup": recipe.warmup,
        "epochs": [rounded(step / horizon * recipe.epochs) for step in steps],
        "rates": [rounded(rate) for rate in values],
    }


def predictions(model: Model, prepared: Prepared, refit: Any = False) -> dict[str, Any]:
    """Truth and prediction of the winner's network, of test rows, or of evidence rows where there are none: of rows
    that it was not trained on; where there are none, why. refit: on which rows it was trained once more, as of `race`;
    False where it was not."""
    rows, most = prepared.split.test, int(np.clip(NUMBERS / max(model.net.parameters, 1), FEWEST_ROWS, MOST_ROWS))
    if refit == "all" or (refit and not len(rows)):
        return {"why": "The network was trained once more on all rows (--refit)."}
    if len(rows):
        kept, kind = _spread(len(rows), most), "test"
        answer, rows = model.answer(prepared.columns(prepared.test_rows[kept])), rows[kept]
    elif prepared.whole is None and len(prepared.folds[0].evidence):
        rows, kind = prepared.folds[0].evidence, "evidence"
        rows = rows[_spread(len(rows), most)]
        answer = model.answer_scaled(prepared.as_raced(model.recipe.scaling, 0, rows))
    else:
        return {"why": "There is no row that the network was not trained on: it was trained on all folds."}
    y = prepared.labels[rows]
    if model.target.task == "regression":
        found = of_numbers(y, answer, model.conformal)
    else:
        found = of_classes(y, answer, [str(name) for name in model.target.classes], model.threshold)
    return found | {"kind": kind} if found else {"why": "There are fewer than twenty such rows."}


def _spread(count: int, most: int) -> Any:
    """Numbers of at most so many of the rows, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))


def with_studies(studies: dict[str, tuple[dict[str, Any], bytes | None]], metric: Metric) -> dict[str, Any]:
    """Of what was measured behind a race that which evidence.json has not: the grids of learning rates."""
    grids: list[dict[str, Any]] = []
    for name, (about, _) in studies.items():
        if name.startswith("grid "):
            part = name.partition(" ")[2]
            of = "the winner" if part == "winner" else f"without its {part.replace('_', ' ')}"
            seeds = {rate: [_score(cost, metric) for cost in some] for rate, some in about.get("seeds", [])}
            scores = [[rate, _score(cost, metric), seeds.get(rate, [])] for rate, cost in about["costs"]]
            grids.append({"of": of, "scores": scores})
    return {"grids": sorted(grids, key=lambda one: one["of"] != "the winner")}


def _score(cost: float | None, metric: Metric) -> float | None:
    return None if cost is None or not math.isfinite(cost) else metric.score_of(cost)


def rounded(value: float) -> float:
    """A number with as many digits as a picture needs."""
    return float(f"{value:.{DIGITS}g}")
