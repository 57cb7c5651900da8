"""Where the time of a step goes: the parts of the compiled program, as JAX's profiler saw them run.

    python -m benchmarks.profile [--shape A] [--steps 2000] [--top 12]

One worker trains one lane of racers with Adam. Each part of the program is put under a name by what its text in the
compiled module does; what no part accounts for (the loop itself, starting the parts) is told as the rest.
"""

import argparse
import collections
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import jax

from slalom import seats
from slalom.bench import ours
from slalom.bench.cases import Case
from slalom.crew import Crew
from slalom.metrics import find_metric
from slalom.start import entered

WARM = 50
KINDS = (
    ("matrix products", r"\bdot\("),
    ("gather of the batch", r"\bgather\("),
    ("Adam (roots)", r"\b(rsqrt|sqrt)\("),
    ("exponentials of the loss", r"\bexponential\("),
    ("sums (bias gradients, softmax)", r"\breduce\("),
    ("transposes and copies", r"\b(transpose|copy)\("),
)


def crew_of(case: Case) -> Crew:
    """One lane of racers with a compiled program."""
    prepared = ours.prepared_for(case)
    heats, entries = entered(ours.recipes(case), 0, prepared, find_metric(None, "classification"), 0)
    heats[0].compile()
    racers = [racer for entry in entries for racer in entry.racers]
    return Crew(heats[0], racers[: heats[0].width])


def computations(text: str) -> dict[str, str]:
    """The body of every computation of a compiled module, and of every instruction of it, by name."""
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=%|ENTRY)", text):
        if named := re.match(r"(?:ENTRY )?%?([\w.-]+)", block):
            found[named[1]] = block
    bodies = {}
    for block in found.values():
        for name, what in re.findall(r"^\s+(?:ROOT )?%?([\w.-]+) = (.*)$", block, re.MULTILINE):
            called = re.search(r"calls=%?([\w.-]+)", what)
            bodies[name] = what + ("\n" + found.get(called[1], "") if called else "")
    return bodies


def kind_of(body: str) -> str:
    """What an instruction does, by the first kind that its text holds."""
    return next((kind for kind, pattern in KINDS if re.search(pattern, body)), "other elementwise work")


def seconds_of(folder: Path) -> collections.Counter[str]:
    """Seconds of each instruction in the recorded trace."""
    (file,) = folder.rglob("*.xplane.pb")
    spent: collections.Counter[str] = collections.Counter()
    for plane in jax.profiler.ProfileData.from_file(str(file)).planes:
        for line in plane.lines:
            for event in line.events:
                spent[event.name] += event.duration_ns / 1e9
    return spent


def measured(case: Case, top: int) -> list[tuple[str, float]]:
    """(what, µs of a racer's step): the whole, without and with the profiler, the kinds, and the dearest parts."""
    crew = crew_of(case)
    crew.advance(WARM, [], lambda: False)
    racers = len(crew.racers)

    def timed(stop: int) -> float:
        first, again = crew.racers[0].step, Crew(crew.heat, crew.racers)
        began = time.perf_counter()
        again.advance(stop, [], lambda: False)
        return (time.perf_counter() - began) / (stop - first) / racers * 1e6

    plain = timed(WARM + case.steps)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            traced = timed(WARM + 2 * case.steps)
        spent = seconds_of(Path(folder))
    program: Any = crew.program.advance
    bodies = computations(program.as_text())
    each = {name: seconds / case.steps / racers * 1e6 for name, seconds in spent.items() if name in bodies}
    loops = {name for name in each if re.search(r"\b(while|call|conditional)\(", bodies[name])}
    kinds: collections.Counter[str] = collections.Counter()
    for name, cost in each.items():
        if name not in loops:
            kinds[kind_of(bodies[name])] += cost
    dearest = sorted(((name, cost) for name, cost in each.items() if name not in loops), key=lambda one: -one[1])[:top]
    rest = [("rest: the loop, starting the parts, the profiler", traced - sum(kinds.values()))]
    whole = [("a racer's step", plain), ("a racer's step under the profiler", traced)]
    return [*whole, *kinds.most_common(), *rest, *[(f"  {name}: {kind_of(bodies[name])}", c) for name, c in dearest]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="A")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--top", type=int, default=12)
    given = parser.parse_args()
    seats.take(0)
    for what, cost in measured(Case(given.shape, 16, 20_000, given.steps), given.top):
        print(f"{cost:9.2f} µs  {what}")


if __name__ == "__main__":
    main()
