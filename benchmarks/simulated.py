"""Simulated: races whose truth is known, through the statistics of Slalom at exactly the numbers that it uses.

    python -m benchmarks.simulated --races 500 --json build/simulated.json --page docs/evidence.md

Everything that chooses is played: 200 recipes through the rungs, the best moment of each, the best recipe; and, for a
winner of its own, a grid of learning rates for it and for each recipe without one of its parts, two seeds each, all on
choosing rows, then 10 new seeds a side on evidence rows. Nothing is trained: a run's errors are drawn.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import page
from slalom.ablated import Grid, further, rates
from slalom.corrected import Curve, Start, corrected
from slalom.intervals import difference, holm, runs_of
from slalom.statistics import MEANS
from slalom.weighed import FRESH, GRID

RECIPES, MOMENTS = 200, 18
RUNGS, PASSED = (1, 2, MOMENTS), (66, 22)  # moments at which recipes are compared; how many pass
WORTHS = (0.0, 0.0, 0.0, 0.0, 0.01, 0.02, 0.04, 0.08)  # what the winner's parts are worth in truth, of an RMSE of 1
RMSE = MEANS["rmse"]
Rows = Callable[[np.random.Generator, int], np.ndarray]


class World(NamedTuple):
    """What is drawn: rows of each kind, how far recipes are apart, and the noise of seeds, and of seeds and rows."""

    name: str
    choosing: int
    evidence: int
    hardness: Rows  # of rows: what makes a row hard for all
    spread: float = 0.06
    seeds: float = 0.01
    own: float = 0.25
    steep: float = 0.03  # what half a decade from the best rate costs


def _normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_normal(n)


def _skewed(rng: np.random.Generator, n: int) -> np.ndarray:
    """Squares of which are far more skewed than of normal errors: one row in a hundred weighs as much as sixty."""
    return rng.standard_t(4, n) / math.sqrt(2)


WORLDS = (
    World("few rows", 700, 300, _normal),
    World("usual", 2_100, 900, _normal),
    World("many rows", 7_000, 3_000, _normal),
    World("noisy seeds", 2_100, 900, _normal, seeds=0.04),
    World("skewed rows", 2_100, 900, _skewed),
)


class Runs:
    """Errors of runs on fixed rows: (size + seed) hardness + what the recipe finds hard + noise of the run; the target
    is 0. The two noises have half of the variance `own`² each."""

    def __init__(self, world: World, rng: np.random.Generator, rows: int) -> None:
        self.world, self.rng, self.z = world, rng, world.hardness(rng, rows)

    def recipe(self) -> np.ndarray:
        """What a recipe finds hard: the same in all its runs."""
        return self.world.own * math.sqrt(0.5) * self.rng.standard_normal(len(self.z))

    def __call__(self, size: float, seeds: int, hard: np.ndarray) -> list[np.ndarray]:
        """So many runs of a recipe."""
        w, rng, half = self.world, self.rng, self.world.own * math.sqrt(0.5)
        return [
            (size + w.seeds * rng.standard_normal()) * self.z + hard + half * rng.standard_normal(len(self.z))
            for _ in range(seeds)
        ]


def truth(world: World, size: float, square: float) -> float:
    """The mean RMSE of a recipe over seeds and all rows there are; square: the mean of the squared hardness."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    sizes = (size + world.seeds * nodes) ** 2 * square + world.own**2
    return float(weights @ np.sqrt(sizes) / weights.sum())


def searched(world: World, rng: np.random.Generator, square: float) -> dict[str, float]:
    """One search: the score that it found, the corrected one, and the true one of what it chose."""
    z = world.hardness(rng, world.choosing)
    level, at = 1 + world.spread * np.abs(rng.standard_normal(RECIPES)), np.arange(1, MOMENTS + 1)
    best = rng.uniform(8, 16, RECIPES)[:, None]  # the moment from which on a recipe overfits
    size = level[:, None] * (1 + 0.5 * np.exp(-at / 2) + 0.0008 * np.maximum(at - best, 0) ** 2)
    alive, until = np.arange(RECIPES), np.zeros(RECIPES, int)
    seed, fixed = world.seeds * rng.standard_normal((RECIPES, 1)), world.own * rng.standard_normal((RECIPES, len(z)))
    squares, costs = [np.empty((0, len(z)), np.float32)] * RECIPES, [np.empty(0)] * RECIPES
    for j, end in enumerate(RUNGS):
        for i in alive:
            moments = (size[i, until[i] : end] + seed[i])[:, None] * z
            moments = moments + 0.9 * fixed[i] + 0.436 * world.own * rng.standard_normal(moments.shape)
            squares[i] = np.concatenate([squares[i], np.square(moments).astype(np.float32)])
            costs[i] = np.sqrt(squares[i].mean(1))
            until[i] = end
        if j < len(PASSED):
            order = np.argsort([costs[i].min() for i in alive], kind="stable")
            alive = np.sort(alive[order[: PASSED[j]]])
    curves = [Curve(at[:end], (rows[:, :, None],)) for end, rows in zip(until, squares, strict=True)]
    told = corrected(
        [Start(curves, [np.full(RECIPES, end) for end in RUNGS], PASSED)], RMSE.of, seed=int(rng.integers(2**31))
    )
    found, i = min((costs[i].min(), i) for i in range(RECIPES))
    true = math.sqrt((size[i, costs[i].argmin()] + seed[i, 0]) ** 2 * square + world.own**2)
    return {"found": found - true, "corrected": told.corrected - true, "held": float(told.low <= true <= told.high)}


def tuned(world: World, choose: Runs, level: float, best: float) -> tuple[float, float]:
    """(the rate of the least cost on a grid, on choosing rows, and the size of the recipe's errors there)."""
    size = lambda rate: level + world.steep * (2 * math.log10(rate / best)) ** 2  # noqa: E731
    costs: dict[float, float] = {}
    wanted, hard = rates(1.0), choose.recipe()
    while wanted:
        for rate in wanted:
            costs[rate] = float(np.mean([np.sqrt(np.mean(run**2)) for run in choose(size(rate), len(GRID), hard)]))
        wanted = further(costs)
    rate = Grid(costs).rate
    assert rate is not None
    return rate, size(rate)


def compared(world: World, rng: np.random.Generator, square: float) -> list[dict[str, float]]:
    """The comparisons of one winner with itself without each of its parts: the difference that was measured, its
    interval, its corrected p, and the true difference at the rates that were chosen."""
    choose, evidence = Runs(world, rng, world.choosing), Runs(world, rng, world.evidence)
    sides, own = [], 10 ** rng.uniform(-0.75, 0.75)
    for worth in (0.0, *WORTHS):
        # A part that is worth something moves the best rate; one that is worth nothing does not: its truth is 0.
        best = 10 ** rng.uniform(-0.75, 0.75) if worth else own
        _, size = tuned(world, choose, 1 + worth, best)
        runs = evidence(size, len(FRESH), evidence.recipe())
        sides.append((truth(world, size, square), runs_of(RMSE, np.zeros(world.evidence), runs)))
    (own_truth, winner), *others = sides
    found = [difference(theirs, winner) for _, theirs in others]
    ps = holm([one.p for one in found])
    return [
        {"worth": worth, "true": true - own_truth, "value": one.value, "low": one.low, "high": one.high, "p": p}
        for worth, (true, _), one, p in zip(WORTHS, others, found, ps, strict=True)
    ]


def simulated(world: World, races: int, seed: int = 0) -> dict[str, Any]:
    """So many races of a world: the figures that docs/evidence.md tells."""
    square = float(np.mean(world.hardness(np.random.default_rng(99), 2_000_000) ** 2))
    searches, families = [], []
    for race in range(races):
        rng = np.random.default_rng([seed, race])
        searches.append(searched(world, rng, square))
        families.append(compared(world, rng, square))
    everything = [one for family in families for one in family]
    seen = lambda one: one["p"] < 0.05  # noqa: E731
    false = [any(seen(one) and one["true"] * one["value"] <= 0 for one in family) for family in families]
    return {
        "world": world.name,
        "rows": [world.choosing, world.evidence],
        "races": races,
        "coverage": float(np.mean([one["low"] <= one["true"] <= one["high"] for one in everything])),
        "family": float(np.mean(false)),
        "power": {
            str(worth): float(np.mean([seen(one) and one["value"] > 0 for one in everything if one["worth"] == worth]))
            for worth in sorted(set(WORTHS))
        },
        "optimism": float(np.mean([one["found"] for one in searches])),
        "left": float(np.mean([one["corrected"] for one in searches])),
        "left_error": float(np.std([one["corrected"] for one in searches]) / math.sqrt(races)),
        "held": float(np.mean([one["held"] for one in searches])),
    }


def table(told: list[dict[str, Any]]) -> str:
    """The figures as a table."""
    worths = [worth for worth in sorted(set(WORTHS)) if worth]
    lines = [
        "| rows: choosing, evidence | races | intervals that hold the truth | races with a false verdict |"
        + "".join(f" a worth of {worth} is seen |" for worth in worths)
        + " optimism of the score that chose | left after the correction | corrected intervals that hold the truth |",
        "|:--|--:|--:|--:|" + "--:|" * (len(worths) + 3),
    ]
    for one in told:
        power = "".join(f" {one['power'][str(worth)]:.0%} |" for worth in worths)
        left = f"{one['left']:+.4f} ± {1.96 * one['left_error']:.4f}"
        lines.append(
            f"| {one['world']}: {one['rows'][0]:,}, {one['rows'][1]:,} | {one['races']} | {one['coverage']:.1%} |"
            f" {one['family']:.1%} |{power} {one['optimism']:+.4f} | {left} | {one['held']:.1%} |"
        )
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", type=int, default=500)
    parser.add_argument("--worlds", nargs="*", default=[world.name for world in WORLDS])
    parser.add_argument("--json", type=Path, default=Path("build/simulated.json"))
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    told = []
    for world in WORLDS:
        if world.name in given.worlds:
            began = time.perf_counter()
            told.append(simulated(world, given.races))
            print(f"{world.name}: {time.perf_counter() - began:.0f} s", flush=True)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(told, indent=1))
    print(table(told))
    if given.page:
        page.write(given.page, {"simulated": table(told)}, {"simulated": ("simulated", lambda told: told["simulated"])})


if __name__ == "__main__":
    main()
