"""Slalom beside others at equal seconds of the whole process, on real tables.

    python -m benchmarks.equal_time [--rtdl DIR] [--tables DIR] [--sets california adult …] [--seconds 60 300 …]
        [--seeds 5] [--contestants slalom optuna halving trees slalom-topk] [--json build/equal_time.json]
        [--page docs/results.md]

rtdl: a folder with california.npz and adult.npz (X_num, X_cat, y, idx_train, idx_val, idx_test). tables: a folder of
CSV files, named in benchmarks/equal/sets.py. Without them there are scikit-learn's sets. Contestants run one after the
other, each in a process of its own. Every run is written to the file at once, with its seconds, day, commit and
machine; what stands in it is not run again, so that a run that was cut off goes on where it was. Runs whose process
broke off are tried again, which their record says; those that left nothing in time are not (--again CONTESTANT runs one
anew). With --page the tables of that page are written from all that the file holds, with --seeds 0 without a run.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.equal import judge, sets, tables
from slalom.bench import measure

SOURCES = {"slalom": "src/slalom", "slalom-topk": "src/slalom"}  # contestants that are not this folder's own


def source_of(contestant: str) -> str:
    """A digest of the source that a contestant is made of: runs of two sources are told apart."""
    files = sorted((judge.ROOT / SOURCES.get(contestant, "benchmarks/equal")).rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def commit() -> str:
    """The commit of the source, and whether files were changed since; nothing outside of a repository."""
    git = ["git", "-C", str(judge.ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + (" and changes" if changed.stdout.strip() else "")


def kept(file: Path) -> dict[str, Any]:
    """What a file holds; SystemExit where it was measured on another machine."""
    machine = measure.machine()
    told: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"machine": machine, "runs": []}
    if told["machine"]["processor"] != machine["processor"] or told["machine"]["cores"] != machine["cores"]:
        raise SystemExit(f"{file} holds runs of another machine ({told['machine']['processor']}). Name another --json.")
    for run in told["runs"]:  # before the file's machine becomes the present one
        run.setdefault("machine", told["machine"])
    return told | {"machine": machine}


def keep(file: Path, told: dict[str, Any]) -> None:
    """Write the file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(told, indent=1) + "\n")
    new.replace(file)


def key(run: dict[str, Any]) -> tuple[Any, ...]:
    """What a run is the only one of."""
    return run["set"], run["contestant"], run["seed"], run["limit"], run["cores"], run["kept_programs"]


def runs(given: argparse.Namespace, contestants: list[str]) -> Iterator[tuple[Any, ...]]:
    """(set, contestant, seed, seconds) of all runs, seeds outermost: what is cut off is short of seeds, not of sets."""
    for seed in range(given.seeds):
        for seconds in given.seconds:
            for name in given.sets:
                for contestant in contestants:
                    yield name, contestant, seed, seconds


def broke_off(run: dict[str, Any]) -> bool:
    """Whether a run's process ended with an error; one that was killed at the deadline did not."""
    return bool(run.get("code"))


def measured(given: argparse.Namespace, told: dict[str, Any]) -> None:
    """Run what the file lacks; every run is kept at once."""
    readers = sets.loaders(given.rtdl, given.tables)
    if strange := [name for name in given.sets if name not in readers]:
        raise SystemExit(f"There is no set {strange[0]!r}. With the folders given there are {', '.join(readers)}.")
    wanted = []
    for contestant in given.contestants if given.seeds else ():
        why = judge.can_run(contestant)
        print(f"{contestant} takes no part: {why}" if why else f"{contestant} takes part", flush=True)
        wanted += [] if why else [contestant]
    loaded: dict[str, sets.DataSet] = {}
    for name, contestant, seed, seconds in runs(given, wanted):
        wished = (name, contestant, seed, seconds, given.cores, bool(given.programs))
        old = [one for one in told["runs"] if key(one) == wished]
        broken = [one for one in old if broke_off(one)]
        if old and not broken and contestant not in given.again:
            continue
        loaded[name] = loaded.get(name) or readers[name]()
        made = {"commit": commit(), "source": source_of(contestant), "machine": told["machine"]}
        made["attempt"] = 1 + max((one.get("attempt", 1) for one in broken), default=0)
        run = judge.contested(loaded[name], contestant, seed, seconds, given.cores, given.programs)
        told["runs"] = [one for one in told["runs"] if key(one) != wished] + [run | made]
        keep(given.json, told)
        print(f"{time.strftime('%H:%M:%S')}  {tables.line(run)}", flush=True)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtdl", type=Path)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--sets", nargs="*", help="by name; all that can be read, where none is named")
    parser.add_argument("--seconds", type=float, nargs="+", default=[60.0], help="of the process; several in turn")
    parser.add_argument("--seeds", type=int, default=5, help="so many, from 0 on")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--contestants", nargs="*", default=list(judge.DOORS), choices=list(judge.DOORS))
    parser.add_argument("--again", nargs="*", default=[], help="contestants whose runs are measured anew")
    parser.add_argument("--programs", default="", help="a folder that keeps Slalom's programs; new ones for every run")
    parser.add_argument("--json", type=Path, default=Path("build/equal_time.json"))
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    given.sets = given.sets or list(sets.loaders(given.rtdl, given.tables))
    if hasattr(os, "sched_setaffinity"):  # the contestants inherit it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the judge ends the contestant first
    told = kept(given.json)
    measured(given, told)
    if not told["runs"]:
        raise SystemExit(f"{given.json} holds no runs.")
    if given.page:
        page.write(given.page, told, tables.TABLES)
    print(tables.text(told))


if __name__ == "__main__":
    main()
