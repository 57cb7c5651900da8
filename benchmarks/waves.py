"""Further starts: what recipes are worth that are drawn anew, near the best, or proposed by a model of the scores.

    python -m benchmarks.waves [--sets waves shop …] [--seeds 2] [--page docs/racing.md]

On each set, by default all that Slalom makes, a first start of drawn recipes goes through halving; then each kind of
further start does, with as many recipes as each other and the same rungs, and knows no more than the first start. What
counts is the score of its best recipe on choosing rows, beside the first start's and those of the other kinds.
"""

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import page, sets
from slalom import seats
from slalom.entry import FINISHED, STOPPED, Entry
from slalom.executor import Threads, cores
from slalom.order import Order
from slalom.plan import halving
from slalom.recipe import Recipe
from slalom.space import Space, shape_of
from slalom.start import PARENTS, entered, prepared_for
from slalom.table import table_of
from slalom.track import Track

FIRST, FURTHER, EPOCHS = 81, 45, 45  # recipes of the first start and of a further one, and their horizon
SHAPES, RULES = 2, 3  # as of a race of a minute
CANDIDATES = 20  # recipes that a model looks at for each that it proposes
DRAWN = 10_000  # the number of the first recipe: none of the portfolio is among them


def draws(space: Space, ranked: Sequence[Entry], seed: int, count: int) -> list[Recipe]:
    """The next recipes of the space."""
    shapes = list({repr(shape_of(entry.recipe)): shape_of(entry.recipe) for entry in ranked}.values())
    return space.recipes(seed, DRAWN + FIRST, count, shapes)


def neighbours(space: Space, ranked: Sequence[Entry], seed: int, count: int) -> list[Recipe]:
    """Neighbours of the best, as a race makes them."""
    parents = [entry.recipe for entry in ranked[: max(PARENTS, len(ranked) // 8)]]
    return [space.near(seed, DRAWN + FIRST + i, parents) for i in range(count)]


def modelled(space: Space, ranked: Sequence[Entry], seed: int, count: int) -> list[Recipe]:
    """Of many neighbours and draws those that random forests think best: a forest of each proposal's own, grown on the
    ranks of all recipes so far, looks at candidates of its own (Thompson sampling by bagging)."""
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng([seed, 9])
    many = neighbours(space, ranked, seed, count * CANDIDATES // 2) + draws(
        space, ranked, seed, count * CANDIDATES // 2
    )
    order = rng.permutation(len(many))
    rows = features([entry.recipe for entry in ranked] + many)
    place = np.argsort(np.argsort([entry.best[0] for entry in ranked])) / len(ranked)
    known, unknown, found = rows[: len(ranked)], rows[len(ranked) :], []
    for some in np.array_split(order, count):
        forest = RandomForestRegressor(10, min_samples_leaf=2, random_state=int(rng.integers(2**31)))
        found.append(many[some[forest.fit(known, place).predict(unknown[some]).argmin()]])
    return found


def features(recipes: Sequence[Recipe]) -> np.ndarray:
    """Recipes as numbers [N, fields]: names by their place among the names, numbers by their logarithm."""
    flat = [recipe.flat() for recipe in recipes]
    names = sorted({name for row in flat for name in row})
    table = np.full((len(flat), len(names)), -20.0)
    for j, name in enumerate(names):
        words = sorted({str(row[name]) for row in flat if isinstance(row.get(name), str)})
        for i, row in enumerate(flat):
            value = row.get(name)
            if isinstance(value, str):
                table[i, j] = words.index(value)
            elif value is not None:
                table[i, j] = math.log(max(abs(float(value)), 1e-9))
    return table


KINDS = {"drawn anew": draws, "neighbours of the best": neighbours, "proposed by forests": modelled}


def run(name: str, seed: int, executor: Threads) -> dict[str, tuple[float, float]]:
    """kind of start -> (cost of its best recipe, seconds of proposing)."""
    one = sets.made(name)
    prepared, metric = prepared_for(
        Order(seed=seed, recipes=1, epochs=1, task=one.task), table_of(one.frame, one.y, None, None), []
    )
    rows = min(len(fold.train) for fold in prepared.folds)
    space = Space(rows, EPOCHS, most_rules=RULES, classes=one.task == "classification", scalings=prepared.scalings)

    def raced(recipes: list[Recipe]) -> list[Entry]:
        heats, entries = entered(recipes, DRAWN, prepared, metric, seed)
        return Track(halving(len(recipes), EPOCHS), heats, entries, executor, math.inf).run()

    ranked = raced(space.recipes(seed, DRAWN, FIRST, space.shapes(SHAPES)))
    found = {"": (best_of(ranked), 0.0)}
    for kind, propose in KINDS.items():
        began = time.perf_counter()
        recipes = propose(space, ranked, seed, FURTHER)
        seconds = time.perf_counter() - began
        found[kind] = best_of(raced(recipes)), seconds
    return found


def best_of(entries: Sequence[Entry]) -> float:
    """The least cost of those that came to their end."""
    return min((e.best[0] for e in entries if e.outcome in (FINISHED, STOPPED)), default=math.inf)


def told(runs: list[dict[str, tuple[float, float]]], names: Sequence[str], seeds: int) -> str:
    """The table of the page."""
    about = f"{len(names)} sets ({', '.join(names)}), {seeds} seeds; {FIRST} recipes, then {FURTHER}; {EPOCHS} epochs."
    head = ["a further start of recipes", "better than the first start", "best of the three", "mean rank", "seconds"]
    lines = [about, "", f"| {' | '.join(head)} |", "|---|--:|--:|--:|--:|"]
    first = np.array([one[""][0] for one in runs])
    costs = np.array([[one[kind][0] for kind in KINDS] for one in runs])
    ranks = (costs[:, :, None] > costs[:, None, :]).sum(axis=2) + 1
    for j, kind in enumerate(KINDS):
        seconds = np.mean([one[kind][1] for one in runs])
        shares = f"{np.mean(costs[:, j] < first):.0%} | {np.mean(ranks[:, j] == 1):.0%}"
        lines.append(f"| {kind} | {shares} | {ranks[:, j].mean():.2f} | {seconds:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(sets.NAMED))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--page", type=Path, help="the page whose table is written")
    given = parser.parse_args()
    executor = Threads(seats.workers(cores()), seats.take)
    seats.make(executor.workers)
    runs = []
    for seed in range(given.seeds):
        for name in given.sets:
            runs.append(run(name, seed, executor))
            print(name, seed, {kind: round(cost, 5) for kind, (cost, _) in runs[-1].items()}, flush=True)
    text = told(runs, given.sets, given.seeds)
    print(text)
    if given.page:
        page.write(given.page, {"waves": text}, {"waves": ("waves", lambda told: told["waves"])})


if __name__ == "__main__":
    main()
