"""A contestant's process: `python -m benchmarks.equal.contestant NAME FOLDER`; without a folder it only says whether it
could run, which brings all its packages into memory."""

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


def main(name: str, folder: str = "") -> str | None:
    """Take part; what is handed back is why it could not."""
    module, _, door = DOORS[name].partition(":")
    found = importlib.import_module(f"benchmarks.equal.{module}")
    if not folder:
        return (found.lacking(name) if module == "ours" else "") or None
    from benchmarks.equal.task import Task

    getattr(found, door)(Task.read(Path(folder)))
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
