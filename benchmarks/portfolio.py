"""The pool: recipes trained to their end on many data sets, out of which portfolio, shapes and plan are chosen.

    python -m benchmarks.portfolio run --json build/pool.json       set after set, for an hour; goes on where it was
    python -m benchmarks.portfolio choose --json build/pool.json    the portfolio, how plans would have done, and what
                                                                    stopping early saves and costs

Every recipe of the pool is trained on every set for all its epochs, and scored on choosing rows some fifty times. A
plan can then be tried out on paper: which recipes it would have dropped, and how good the best of the others ended.
"""

import argparse
import hashlib
import json
import math
import operator
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import page, pooled, sets
from benchmarks.equal_time import commit
from slalom import seats
from slalom.executor import Threads, cores
from slalom.order import Order
from slalom.plan import flat
from slalom.portfolio import LEADING
from slalom.recipe import Recipe
from slalom.space import Space
from slalom.start import entered, prepared_for
from slalom.table import table_of
from slalom.track import Track

RECIPES, EPOCHS, RULES, SHAPES = 64, 45, 2, 4
CHOSEN = 16  # recipes of the portfolio that are printed
# What only one of the two tasks has, as it is by default: a recipe of the pool is the same one on every set.
FIXED = {"label_smoothing": 0.0, "target_scaling": "z_score"}
BUDGETS = (6, 12, 24)  # trainings to the end that a plan costs
DEFAULT = Recipe().flat()


def pool(task: str, rows: int, count: int) -> list[Recipe]:
    """The recipes of the pool, the same numbers for every set: so many draws, and behind them those of the portfolio
    that ships, which may stay in it."""
    space = Space(rows, EPOCHS, fixed=FIXED, most_rules=RULES, classes=task == "classification")
    shipped = [Recipe().with_fields(recipe | {"epochs": EPOCHS} | FIXED) for recipe in LEADING]
    return space.recipes(0, 10_000, count, space.shapes(SHAPES)) + shipped


def made_of(recipes: list[dict[str, Any]]) -> dict[str, Any]:
    """What the recipes of a pool are: how many, what was fixed, and a digest of them all."""
    digest = hashlib.sha256(json.dumps(recipes, sort_keys=True).encode()).hexdigest()[:12]
    return {"recipes": len(recipes), "epochs": EPOCHS, "fixed": FIXED, "digest": digest}


def refuse_others(path: Path, done: dict[str, Any], made: dict[str, Any]) -> None:
    """SystemExit where a file holds sets with another pool: recipe i would not be the same one on every set."""
    for name, one in done.items():
        held = {key: value for key, value in one.get("pool", {}).items() if key != "commit"}
        if held != made:
            raise SystemExit(
                f"{path} must hold one pool, {made}. Got {held or 'one that does not say what it is'} for {name}."
                " Name another --json, or run every set of that file anew."
            )


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
        made = made_of([recipe.to_plain() for recipe in recipes])
        refuse_others(path, done, made)
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
        done[name]["pool"] = made | {"commit": commit()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(done))
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)


def choose(path: Path, count: int, chosen: int, page_file: Path | None) -> None:
    """Print the portfolio out of all recipes, and of the first `count`, the draws, how the plans would have done and
    what patience does."""
    done: dict[str, Any] = json.loads(path.read_text())
    whole = {name: one["recipes"] for name, one in done.items()}
    pools, recipes = {name: one[:count] for name, one in whole.items()}, alike(path, whole)
    table = np.array([pooled.regrets(_ends(one)) for one in whole.values()])
    now = np.full(len(pools), np.inf)
    for place, i in enumerate(pooled.portfolio(table, min(chosen, len(recipes)))):
        now = np.minimum(now, table[:, i])
        fields = {k: v for k, v in Recipe.from_plain(recipes[i]["recipe"]).flat().items() if v != DEFAULT.get(k)}
        print(f"{place + 1}. recipe {i}: regret of the best so far {now.mean():.3f}\n   {fields}")
    about = f"{len(pools)} sets ({', '.join(pools)}); {count} recipes each, {EPOCHS} epochs."
    told = {"plans": f"{about}\n\n{plans(pools)}", "patience": f"{about}\n\n{patience(pools)}"}
    print("\n\n".join(told.values()))
    if page_file:
        page.write(page_file, told, {name: (name, operator.itemgetter(name)) for name in told})


def alike(path: Path, pools: dict[str, Any]) -> list[dict[str, Any]]:
    """The recipes of the sets; SystemExit where recipe i is not the same one on every set."""
    (first, recipes), *others = pools.items()
    plain = [one["recipe"] for one in recipes]
    for name, theirs in others:
        found = [one["recipe"] for one in theirs]
        if found != plain:
            i = next((i for i, (a, b) in enumerate(zip(plain, found, strict=False)) if a != b), None)
            where = f"recipe {i} differs" if i is not None else f"{len(plain)} and {len(found)} recipes"
            raise SystemExit(
                f"{path} must hold the same recipes for every set. Got others for {first} and {name}: {where}."
                " Run the pool into a new --json."
            )
    return recipes


def plans(pools: dict[str, Any]) -> str:
    """Plans down, budgets across: the mean regret over the sets; a dash where the pool has not the recipes."""
    lines = [f"| plan | {' | '.join(f'{b} trainings' for b in BUDGETS)} |", "|---|" + "--:|" * len(BUDGETS)]
    for plan, rungs in pooled.PLANS.items():
        cells = []
        for budget in BUDGETS:
            found = [pooled.tried(recipes, rungs, budget, EPOCHS) for recipes in pools.values()]
            known = [one for one in found if one is not None]
            cells.append(f"{np.mean(known):.3f}" if len(known) == len(found) else "–")
        lines.append(f"| {plan} | {' | '.join(cells)} |")
    return "\n".join(lines)


def patience(pools: dict[str, Any]) -> str:
    """Patiences down: what stopping early saves and costs, the mean over the sets."""
    lines = [
        "| patience, of the horizon | epochs saved | by the better third | regret of the best |",
        "|---|--:|--:|--:|",
    ]
    for share in pooled.PATIENCES:
        saved, better, lost = np.mean([pooled.waited(one, share, EPOCHS) for one in pools.values()], axis=0)
        lines.append(f"| {share:g} | {saved:.1%} | {better:.1%} | {lost:.3f} |")
    return "\n".join(lines)


def _ends(recipes: list[dict[str, Any]]) -> np.ndarray:
    """The best cost of each recipe of a set."""
    return np.array([pooled.best_until(recipe["curve"], EPOCHS) for recipe in recipes])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["run", "choose"])
    parser.add_argument("--json", type=Path, default=Path("build/pool.json"))
    parser.add_argument("--sets", nargs="*", default=list(sets.NAMED))
    parser.add_argument("--recipes", type=int, default=RECIPES, help="that are drawn for the pool")
    parser.add_argument("--chosen", type=int, default=CHOSEN, help="of them, for the portfolio")
    parser.add_argument("--page", type=Path, help="the page whose tables of plans and of patience are written")
    given = parser.parse_args()
    if given.verb == "run":
        run(given.json, given.sets, given.recipes)
    else:
        choose(given.json, given.recipes, given.chosen, given.page)


if __name__ == "__main__":
    main()
