"""A contestant's process: `python -m benchmarks.equal.contestant NAME FOLDER`; without a folder it only imports."""

import importlib
import sys
from pathlib import Path

DOORS = {  # name: the function that does it
    "slalom": "ours:contest",
    "slalom-topk": "ours:contest_top_k",
    "optuna": "optuna_torch:contest",
    "halving": "halving:contest",
    "trees": "trees:contest",
}
NOT_OFFERED = 3  # how a process ends that has nothing to run


def main() -> int:
    """Take part."""
    module, _, door = DOORS[sys.argv[1]].partition(":")
    found = importlib.import_module(f"benchmarks.equal.{module}")
    from benchmarks.equal import ours
    from benchmarks.equal.task import Task

    if len(sys.argv) < 3:
        importlib.import_module("slalom.racing" if module == "ours" else "benchmarks.equal.task")
        return 0
    try:
        getattr(found, door)(Task.read(Path(sys.argv[2])))
    except ours.NotOffered as why:
        print(why, file=sys.stderr)
        return NOT_OFFERED
    return 0


if __name__ == "__main__":
    sys.exit(main())
