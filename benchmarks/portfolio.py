"""The pool: recipes trained to their end on many data sets, out of which portfolio, shapes and plan are chosen.

    python -m benchmarks.portfolio run --json build/pool.json       set after set, for an hour; goes on where it was
    python -m benchmarks.portfolio choose --json build/pool.json    the portfolio, and how plans would have done

Every recipe of the pool is trained on every set for all its epochs, and scored on choosing rows some fifty times. A
plan can then be tried out on paper: which recipes it would have dropped, and how good the best of the others ended.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import page, pooled, sets
from slalom import seats
from slalom.executor import Threads, cores
from slalom.order import Order
from slalom.plan import flat
from slalom.recipe import Recipe
from slalom.space import Space
from slalom.start import entered, prepared_for
from slalom.table import table_of
from slalom.track import Track

RECIPES, EPOCHS, RULES, SHAPES = 64, 45, 2, 4
BUDGETS = (6, 12, 24)  # trainings to the end that a plan costs
DEFAULT = Recipe().flat()


def pool(task: str, rows: int, count: int) -> list[Recipe]:
    """The recipes of the pool, the same numbers for every set."""
    space = Space(rows, EPOCHS, most_rules=RULES, classes=task == "classification")
    return space.recipes(0, 10_000, count, space.shapes(SHAPES))


def run(path: Path, names: list[str], count: int) -> None:
    """Train the pool on each set that the file does not have yet."""
    done: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    executor = Threads(seats.workers(cores()), seats.take)
    seats.make(executor.workers)
    for name in names:
        if name in done:
            continue
        began, one = time.perf_counter(), sets.made(name)
        order = Order(seed=0, recipes=1, epochs=1, task=one.task)
        prepared, metric = prepared_for(order, table_of(one.frame, one.y, None, None), [])
        recipes = pool(one.task, min(len(fold.train) for fold in prepared.folds), count)
        heats, entries = entered(recipes, 0, prepared, metric, 0)
        Track(flat(count, EPOCHS), heats, entries, executor, math.inf).run()
        rows = []
        for entry in entries:
            per_epoch, curve = entry.heat.steps_per_epoch(0), entry.curve
            costs = [
                [round(step / per_epoch, 3), cost if math.isfinite(cost) else None] for step, cost in curve.items()
            ]
            seconds = EPOCHS * entry.epoch_cost
            rows.append({"recipe": entry.recipe.to_plain(), "curve": costs, "cost_model": seconds})
        done[name] = {"task": one.task, "metric": metric.name, "recipes": rows, "seconds": time.perf_counter() - began}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(done))
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)


def choose(path: Path, count: int, page_file: Path | None) -> None:
    """Print the portfolio, the share of each field in it, and how the plans would have done."""
    done: dict[str, Any] = json.loads(path.read_text())
    names = list(done)
    table = np.array([pooled.regrets(_ends(done[name])) for name in names])
    recipes = done[names[0]]["recipes"]
    usual = np.array([one["recipe"]["target_scaling"] == DEFAULT["target_scaling"] for one in recipes])
    table[:, ~usual] = np.inf  # half of the sets have no target to scale, and say nothing of it
    now = np.full(len(names), np.inf)
    for place, i in enumerate(pooled.portfolio(table, count)):
        now = np.minimum(now, table[:, i])
        fields = {k: v for k, v in Recipe.from_plain(recipes[i]["recipe"]).flat().items() if v != DEFAULT.get(k)}
        print(f"{place + 1}. recipe {i}: regret of the best so far {now.mean():.3f}\n   {fields}")
    lines = [f"| plan | {' | '.join(f'{b} trainings' for b in BUDGETS)} |", "|---|" + "--:|" * len(BUDGETS)]
    for plan, rungs in pooled.PLANS.items():
        means = [np.mean([pooled.tried(done[n]["recipes"], rungs, b, EPOCHS) for n in names]) for b in BUDGETS]
        lines.append(f"| {plan} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")
    text = "\n".join(
        [f"{len(names)} sets ({', '.join(names)}); {len(recipes)} recipes each, {EPOCHS} epochs.", "", *lines]
    )
    print(text)
    if page_file:
        page.write(page_file, {"plans": text}, {"plans": ("plans", lambda told: told["plans"])})


def _ends(one: dict[str, Any]) -> np.ndarray:
    """The best cost of each recipe of a set."""
    return np.array([pooled.best_until(recipe["curve"], EPOCHS) for recipe in one["recipes"]])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["run", "choose"])
    parser.add_argument("--json", type=Path, default=Path("build/pool.json"))
    parser.add_argument("--sets", nargs="*", default=list(sets.NAMED))
    parser.add_argument("--recipes", type=int, default=RECIPES, help="of the pool, or of the portfolio")
    parser.add_argument("--page", type=Path, help="the page whose table of plans is written")
    given = parser.parse_args()
    if given.verb == "run":
        run(given.json, given.sets, given.recipes)
    else:
        choose(given.json, given.recipes if given.recipes != RECIPES else 16, given.page)


if __name__ == "__main__":
    main()
