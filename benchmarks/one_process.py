"""All shapes in one process, for a machine that is lent by the minute: nothing is started anew for each contestant.

    python -m benchmarks.one_process [--steps 1000] [--shapes ABCDEFG] [--racers 64,1024] [--widths 256,1024]

Prints a line of JSON for each contestant: racer-steps a second (the better of two rounds), the share of the matrix
product's rate, compile seconds, the loss at the end. A contestant that fails is told with its error, and the next goes
on. PyTorch takes part where it is installed.
"""

import argparse
import gc
import json
import traceback
from collections.abc import Callable
from typing import Any

from slalom.bench import jax_rival, measure, ours
from slalom.bench.cases import SHAPES, Case

ROUNDS = 2
Ready = Callable[[], tuple[Callable[[], dict[str, Any]], dict[str, Any]]]


def measured(name: str, ready: Ready, case: Case, limit: float) -> None:
    """Make a contestant ready, run it, print what it did."""
    told: dict[str, Any] = {"contestant": name, **case.plain()}
    try:
        run, about = ready()
        answers = [run() for _ in range(ROUNDS)]
        rates = [answer["updates"] / answer["seconds"] for answer in answers]
        told |= about | {"racer_steps_per_second": round(max(rates)), "rounds": [round(rate) for rate in rates]}
        told |= {"share": round(max(rates) * case.flops / 1e9 / limit, 4), "loss": round(answers[0]["loss"], 3)}
    except Exception as error:  # noqa: BLE001 - told, and the next one has its turn
        traceback.print_exc()
        told["failure"] = f"{type(error).__name__}: {error}"[:300]
    print(json.dumps(told), flush=True)
    gc.collect()


def contestants(case: Case, racers: list[int], widths: list[int]) -> list[tuple[str, Ready, Case]]:
    """Everybody who can take part in a shape."""
    at = lambda n, **other: Case(case.shape, n, case.rows, **{"steps": case.steps, **other})  # noqa: E731
    made: list[tuple[str, Ready, Case]] = []
    for n in racers:
        made.append((f"Slalom, {n} racers", lambda n=n: ours.contestant(at(n)), at(n)))  # type: ignore[misc]
    if set(case.fields) <= measure.SIMPLE:
        n = max(racers)
        made.append((f"JAX, scan and vmap, {n} racers", lambda: jax_rival.usual_jax(at(n)), at(n)))
    if measure.has_torch():
        from slalom.bench import torch_rivals

        few = at(1, steps=min(case.steps, 500))
        made.append(("PyTorch, one racer", lambda: torch_rivals.loop(few, 1), few))
        for n in widths:
            made.append((f"PyTorch, population of {n}", lambda n=n: torch_rivals.population(at(n), 1, n), at(n)))  # type: ignore[misc]
    return made


def main() -> None:
    """Measure and print."""
    numbers = lambda text: [int(n) for n in text.split(",")]  # noqa: E731
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--shapes", default="".join(SHAPES))
    parser.add_argument("--racers", type=numbers, default=[64, 1024])
    parser.add_argument("--widths", type=numbers, default=[256, 1024])
    given = parser.parse_args()
    product, about = jax_rival.matrix_product()
    product()
    answer = product() | about
    print(json.dumps({"machine": measure.machine(), "matrix_product": answer}), flush=True)
    for letter in given.shapes:
        for name, ready, case in contestants(Case(letter, 1, given.rows, given.steps), given.racers, given.widths):
            measured(name, ready, case, answer["gflops"])


if __name__ == "__main__":
    main()
