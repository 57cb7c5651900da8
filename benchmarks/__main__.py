"""All benchmarks of Slalom on this machine, in one run.

    python -m benchmarks [rivals] [alone] [commands] [kernel] [--shapes ABCDEFG] [--json FILE] [--page FILE]

rivals: every shape beside PyTorch, scikit-learn, plain JAX and the matrix product. alone: Slalom with every rule, with
16 to 1,024 racers, on 1,000 to 1,000,000 rows. commands: start, useful share and memory of the whole command. kernel: a
step written by hand in C, shapes A and D. With --page the tables of that page, between its markers, are written anew;
--json keeps everything that was measured, beside what is in the file from this machine.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import alone, commands, kernel, page
from slalom.bench import measure, shown
from slalom.bench.cases import SHAPES

RACERS, ROWS = 64, 20_000


def rivals(shapes: str, seconds: float, say: measure.Say) -> list[dict[str, Any]]:
    """Slalom beside its rivals on every shape; printed as they come."""
    told = []
    for letter in shapes:
        told.append(measure.compared(measure.case_of(letter, RACERS, ROWS, seconds), say))
        print(shown.text(told[-1]) + "\n", flush=True)
    return told


PARTS: dict[str, Callable[[str, float, measure.Say], Any]] = {
    "rivals": rivals,
    "alone": alone.measured,
    "commands": commands.measured,
    "kernel": kernel.measured,
}


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--shapes", default="".join(SHAPES))
    parser.add_argument("--seconds", type=float, default=3.0, help="of Slalom's work, a round")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    began = time.perf_counter()

    def say(text: str) -> None:
        print(f"  {time.perf_counter() - began:6.0f} s  {text} …", flush=True)

    told: dict[str, Any] = json.loads(given.json.read_text()) if given.json and given.json.exists() else {}
    machine = measure.machine()
    told = told if told.get("machine") == machine else {"machine": machine, "days": {}}
    for part in given.parts or PARTS:
        told[part] = PARTS[part](given.shapes, given.seconds, say)
        told["days"][part] = time.strftime("%Y-%m-%d")
        if given.json:
            given.json.write_text(json.dumps(told, indent=1) + "\n")
        if given.page:
            page.write(given.page, told)
    print(page.text(told))


if __name__ == "__main__":
    main()
