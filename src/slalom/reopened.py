"""Reopened: a race read back from its folder, its rows laid out again, so that more can be measured."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slalom.ablated import parts
from slalom.continued import fingerprint
from slalom.errors import SlalomError
from slalom.folder import RunFolder
from slalom.journal import Journal
from slalom.metrics import Metric, is_named
from slalom.order import Order
from slalom.prepare import Prepared
from slalom.recipe import Recipe
from slalom.start import prepared_for
from slalom.table import About, Table, table_of

DRAWN = 10  # dropped recipes that may be trained to their end, of each rung


class Reopened(NamedTuple):
    """A race that ended: its folder and settings, its rows, its metric, its winner, and some of what rungs dropped."""

    folder: RunFolder
    settings: dict[str, Any]
    prepared: Prepared
    metric: Metric
    winner: Recipe
    drawn: dict[int, "Sample"]


def reopened(
    folder: str | Path, X: Any, y: Any, validation: Any, metric: Any, scalings: tuple[str, ...],
    roles: dict[str, Any] | None = None, door: str = "explain",
) -> Reopened:  # fmt: skip
    """The race in a folder, with its rows from where they were, or from X and y.

    metric: the function that chose, where it was one. scalings: that are wanted beside those of its recipes. roles: as
    of `About`, those that were no columns. door: what is called, for what is said. Raises SlalomError where there is no
    winner, the rows are not the same, or something has to be given.
    """
    opened = RunFolder.extend(folder)
    settings = opened.settings()
    order, best = settings["order"], settings["best"]
    if not best["name"].startswith("recipe "):
        raise SlalomError(f"{folder} has no winner to explain: no recipe could be scored.")
    if metric is None and not is_named(order["metric"]):
        raise SlalomError(f"metric must be given: the race in {folder} was chosen by a function, {order['metric']}.")
    winner = Recipe.from_plain(best["recipe"])
    table = rows_of(opened, settings["data"], X, y, validation, roles or {}, door)
    with Journal(opened.journal, read_only=True) as journal:
        drawn = _drawn(journal.recipes(), order["seed"], winner.epochs)
    rows = len(table.labels)
    raced = [part.without for task in (True, False) for part in parts(winner, classes=task, rows=rows)]
    raced += [recipe for sample in drawn.values() for recipe in sample.recipes.values()]
    given = Order(
        recipes=1, epochs=1, seed=order["seed"], task=order["task"], metric=metric or order["metric"],
        test=order.get("test", True),
        also=(winner, *raced),
        space={"scaling": [winner.scaling, *scalings], "target_scaling": [winner.target_scaling]},
    )  # fmt: skip
    prepared, measure = prepared_for(given, table, [], look=False)
    if (measure.name, measure.greater) != (order["metric"], order["greater_is_better"]):
        raise SlalomError(f"metric must be that of the race in {folder}, {order['metric']}. Got {measure.name}.")
    fingerprint(opened, prepared)
    return Reopened(opened, settings, prepared, measure, winner, drawn)


class Sample(NamedTuple):
    """Of the recipes that a rung dropped: how many there are, and some drawn at random, by number."""

    dropped: int
    recipes: dict[int, Recipe]


def _drawn(rows: list[dict[str, Any]], seed: int, epochs: int) -> dict[int, Sample]:
    """Of each rung some of the recipes with a horizon that it dropped; those of a race that was continued may have
    others."""
    dropped: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        if row["outcome"].startswith("dropped at rung ") and row["recipe"]["epochs"] == epochs:
            dropped.setdefault(int(row["outcome"].rpartition(" ")[2]), []).append(row)
    found = {}
    for rung, some in sorted(dropped.items()):
        chosen = np.sort(np.random.default_rng([seed, 6, rung]).permutation(len(some))[:DRAWN])
        found[rung] = Sample(len(some), {some[i]["number"]: Recipe.from_plain(some[i]["recipe"]) for i in chosen})
    return found


def rows_of(
    opened: RunFolder, data: dict[str, Any], X: Any, y: Any, validation: Any, roles: dict[str, Any],
    door: str = "explain",
) -> Table:  # fmt: skip
    """The rows of a race: those that are given, or its file's. door: what is called, for what is said."""
    for role in data.get("given", []):
        if roles.get(role) is None:
            raise SlalomError(f"{role} must be given, as it was to the race in {opened.path}: it was no column.")
    about = About.of(data, roles)
    source, target = data["source"], data["target"]
    if X is None:
        if not source or not target or data.get("validation_rows"):
            raise SlalomError(
                f"X, y{' and validation' if data.get('validation_rows') else ''} must be given: the race in"
                f" {opened.path} had rows from Python. slalom.{door}({str(opened.path)!r}, X, y, …)."
            )
        if not os.path.exists(source):  # False for names that no file can have, too
            raise SlalomError(
                f"{source} must be the table of the race in {opened.path}. There is no file at this path from here: say"
                f" where it is, as in slalom {door.partition('_')[0]} {opened.path} PATH/{Path(source).name}."
            )
        return table_of(source, None, target, about=about)
    return table_of(X, y, target if y is None else None, validation, about)
