"""Confirmed: what is said of a winner's parts on one half of a real table, and on the other half, counted.

    python -m benchmarks.confirmed --tables DIR --sets housing diamonds churn --json build/confirmed.json \
        --page docs/evidence.md

The rows of a table are dealt to two halves. A race on the first finds a winner, whose parts are measured there. The
same recipe is trained on the second half, and its parts are measured again, with other rows of every kind.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import page
from benchmarks.equal import sets
from slalom import Recipe, explain, race
from slalom.evidence import HELPS, HURTS, LEVEL_WITH, NOT_COMPARED, NOT_MEASURED, UNSTABLE, Evidence

MOST = 16_000  # rows of a table, at most
SAID = {HELPS: "helps", HURTS: "does harm", UNSTABLE: "unstable without", LEVEL_WITH: "no difference"}
SAID |= {NOT_COMPARED: "not compared", NOT_MEASURED: "–"}


def halves(data: sets.DataSet, seed: int) -> list[tuple[pl.DataFrame, np.ndarray]]:
    """All rows of a set, dealt to two halves of at most 8,000 rows each."""
    y = np.array(data.classes)[data.target] if data.classes else data.target
    order = np.random.default_rng([seed, 11]).permutation(len(y))[:MOST]
    return [(data.frame[part], y[part]) for part in np.array_split(order, 2)]


def measured(data: sets.DataSet, seconds: float, seed: int) -> dict[str, Any]:
    """The verdicts of both halves, part by part."""
    (x, y), (other_x, other_y) = halves(data, seed)
    with tempfile.TemporaryDirectory() as folder:
        first = race(x, y, seconds=seconds, seed=seed, out=f"{folder}/first")
        here = explain(f"{folder}/first", x, y)
        recipe = Recipe.from_plain(first.best.recipe.to_plain())
        race(other_x, other_y, recipe=recipe, seed=seed + 1, out=f"{folder}/second")
        there = explain(f"{folder}/second", other_x, other_y)
    sides = {"first": told(here), "second": told(there)}
    return {"metric": here.metric, "rows": len(y), "recipe": recipe.to_plain()} | sides


def told(found: Evidence) -> dict[str, Any]:
    """The verdicts, by part."""
    return {
        one.part: {"verdict": one.verdict, "worth": one.worth, "low": one.low, "high": one.high, "unseen": one.unseen}
        for one in found.worths
    }


def counted(runs: dict[str, Any]) -> dict[str, int]:
    """Verdicts of the first halves that said something, by what the second halves say of them."""
    found = {"the same": 0, "the same sign, not shown": 0, "the other sign, not shown": 0, "the opposite": 0}
    for run in runs.values():
        for part, first in run["first"].items():
            second = run["second"].get(part)
            if first["verdict"] == HELPS and second and second["verdict"] == UNSTABLE:
                found["the same"] += 1
                continue
            if first["verdict"] not in (HELPS, HURTS) or second is None or second["worth"] is None:
                continue
            same = (first["worth"] > 0) == (second["worth"] > 0)
            shown = second["verdict"] in (HELPS, HURTS)
            unsure = f"the {'same' if same else 'other'} sign, not shown"
            found[("the same" if same else "the opposite") if shown else unsure] += 1
    return found


def table(runs: dict[str, Any]) -> str:
    """Part by part what both halves say, and the counts."""
    lines = [
        "| set | part | first half | worth there (95 %) | second half | worth there (95 %) |",
        "|:--|:--|:--|--:|:--|--:|",
    ]
    for name, run in runs.items():
        for part, first in run["first"].items():
            second = run["second"].get(part, {"verdict": NOT_MEASURED, "worth": None})
            lines.append(f"| {name}, {run['metric']} | {part} | {_cells(first)} | {_cells(second)} |")
    counts = ", ".join(f"{count} {what}" for what, count in counted(runs).items())
    said = f"Of the verdicts of the first halves that a part helps or does harm the second halves say: {counts}."
    return "\n".join(lines) + f"\n\n{said}"


def _cells(one: dict[str, Any]) -> str:
    worth = "–" if one["worth"] is None else f"{one['worth']:.4g}"
    ends = "" if one.get("low") is None else f" ({one['low']:.4g} to {one['high']:.4g})"
    return f"{SAID[one['verdict']]} | {worth}{ends}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--rtdl", type=Path)
    parser.add_argument("--sets", nargs="*", default=["diabetes", "digits"])
    parser.add_argument("--seconds", type=float, default=30.0, help="of the race on the first half")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("build/confirmed.json"))
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    runs: dict[str, Any] = json.loads(given.json.read_text()) if given.json.exists() else {}
    readers = sets.loaders(given.rtdl, given.tables)
    for name in given.sets:
        if name in runs:
            continue
        began = time.perf_counter()
        runs[name] = measured(readers[name](), given.seconds, given.seed)
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(runs, indent=1))
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    print(table(runs))
    if given.page:
        page.write(given.page, {"confirmed": table(runs)}, {"confirmed": ("confirmed", lambda told: told["confirmed"])})


if __name__ == "__main__":
    main()
