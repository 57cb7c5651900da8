"""Mattered: what decided over all recipes of a race, field by field, out of its journal."""

import math
from typing import Any

import numpy as np

from slalom.draws import Draw, Range
from slalom.entry import DIVERGED, OUT_OF_TIME
from slalom.importance import at_edge, importance, profile
from slalom.metrics import Metric
from slalom.nested import decaying
from slalom.portfolio import RATES
from slalom.recipe import Recipe
from slalom.space import COUPLED, DECOUPLED, DRAWS, Space

SHARES = 1e-9  # of an epoch, that two count as the same


def mattered(
    recipes: list[dict[str, Any]], scores: dict[int, dict[float, float | None]], count: int, winner: Recipe,
    metric: Metric, space: dict[str, Any],
) -> tuple[dict[str, Any], ...]:  # fmt: skip
    """For each field of the first `count` recipes, those of the first start: how much it decided, the best score of
    each of its values, and whether the winner lies at the edge of the range that it was drawn from; what decided most
    first.

    Recipes are compared at the last epoch that all of them that did not diverge came to: at equal fractions of the
    horizon, none of them favoured by having been trained longer. Neighbours of the best, which later starts are made
    of, are left out: they have its values because it was good. space: the caller's own.
    """
    first = [row for row in recipes if row["wave"] == 0 and row["number"] < count]
    told = _costs(first, scores)
    first, early = [row for row in first if row["number"] in told], np.array(list(told.values()))
    late = np.array([math.inf if row["cost"] is None else row["cost"] for row in first])
    rows = [Recipe.from_plain(row["recipe"]).flat() for row in first]
    found, own = [], Space(2**20, 1, given=space).own
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [_value(row, name) for row in rows]
        if name == "epochs" or len({str(value) for value in values if value is not None}) < 2:
            continue
        decided = importance(values, early)
        levels = [
            level._asdict() | {"best": metric.score_of(level.best) if math.isfinite(level.best) else None}
            for level in profile(values, late)
        ]
        found.append({"field": name, **decided._asdict(), "levels": levels, "edge": _edge(name, winner, own)})
    return tuple(sorted(found, key=lambda one: -one["divergence"]))


def ended(recipes: list[dict[str, Any]]) -> dict[str, int]:
    """How many recipes began, and how many of them diverged."""
    begun = [row["outcome"] for row in recipes if row["outcome"]]
    return {"recipes": len(begun), "diverged": begun.count(DIVERGED)}


def _costs(recipes: list[dict[str, Any]], scores: dict[int, dict[float, float | None]]) -> dict[int, float]:
    """The best cost of each recipe up to the epoch that all came to, by number; ∞ of those that diverged before. Those
    that time ran out for are not waited for, and what has no score up to there is left out."""
    whole = [row for row in recipes if row["outcome"] not in (DIVERGED, OUT_OF_TIME, "racing")]
    common = min((max(scores[row["number"]]) for row in whole if scores.get(row["number"])), default=0.0) + SHARES
    found = {}
    for row in recipes:
        own = scores.get(row["number"], {})
        upto = [cost for epoch, cost in own.items() if epoch <= common and cost is not None]
        if row["outcome"] == DIVERGED and max(own, default=0.0) <= common:
            found[row["number"]] = math.inf
        elif upto:
            found[row["number"]] = min(upto)
    return found


def _value(row: dict[str, Any], name: str) -> Any:
    """A recipe's value of a field; None where it has not the field, or it means nothing in it."""
    value = row.get(name)
    if name in ("embedding_sigma", "embedding_size") and row["embedding"] == "none":
        return None
    return None if name == "embedding_sigma" and row["embedding"] != "periodic" else value


def _edge(name: str, winner: Recipe, own: dict[str, Draw]) -> str:
    """At which edge of the range that a field is drawn from, the caller's own or Slalom's, the winner lies; "" for
    none."""
    row = winner.flat()
    draws: dict[str, Draw] = (
        DRAWS
        | {
            "learning_rate": Range(*RATES.get(row["rule"], winner.rule.rates)),
            "weight_decay": DECOUPLED if decaying(winner.rule) else COUPLED,
        }
        | own
    )
    draw, value = draws.get(name), row.get(name)
    if not isinstance(draw, Range) or not value or _value(row, name) is None:
        return ""
    edge = at_edge(value, draw.low, draw.high, log=draw.log)
    return "" if edge == "lower" and draw.zero else edge  # 0 lies beyond, and is drawn as well
