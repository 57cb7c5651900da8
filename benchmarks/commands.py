"""The whole command, as a user calls it: when the first step is made, how much work is useful, how much memory."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from slalom.bench import measure
from slalom.bench.cases import Case, made_data

SHAPE_A = ("depth=2", "width=64", "batch_size=64", "normalisation=none", "activation=relu", "embedding=none")
WARM_RUNS = 3
RECIPES = 600  # so many that every rule is drawn
RACE_SECONDS = 45
# Runs a command and tells the peak of its memory. A process of its own and small, since Linux counts what a process was
# before it became another one: started from here, the command would seem as large as this process.
WATCHER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(process.pid, 0)
print(used.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def race(table: Path, cache: Path, *options: str) -> dict[str, Any]:
    """Run `slalom race` on a table in a process of its own; its JSON, with the peak of its memory in MB."""
    program = str(Path(sys.executable).parent / "slalom")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            program,
            "race",
            str(table),
            "--target",
            "y",
            "--json",
            "--quiet",
            "--out",
            folder + "/run",
            *options,
        ]
        watched = [sys.executable, "-c", WATCHER, *command]
        answer = subprocess.run(watched, capture_output=True, text=True, env=os.environ | {"SLALOM_CACHE": str(cache)})
        if answer.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {answer.returncode}: {answer.stderr}")
        return json.loads(answer.stdout) | {"peak_mb": int(answer.stderr.split()[-1]) / 1024}


def fixed(*fields: str) -> list[str]:
    """The options that fix these fields."""
    return [part for field in fields for part in ("--set", field)]


def start(folder: Path, say: measure.Say) -> dict[str, Any]:
    """Seconds from the command to the first training step, shape A: programs compiled, and programs kept."""
    x, y = made_data(Case("A"))
    table = folder / "shape_a.csv"
    pl.DataFrame(x).with_columns(y=pl.Series(y.astype(str))).write_csv(table)
    told = {}
    for name, rules in {"Adam": ["rule=adam"], "every rule": []}.items():
        options = [*fixed(*SHAPE_A, *rules), "--recipes", str(RECIPES), "--epochs", "1"]
        say(f"start with {name}, cold")
        cold = race(table, folder / name, *options)["start_seconds"]
        say(f"start with {name}, warm")
        warm = [race(table, folder / name, *options)["start_seconds"] for _ in range(WARM_RUNS)]
        told[name] = {"cold": cold, "warm": statistics.median(warm), "all_warm": warm}
    return told


def useful(folder: Path, say: measure.Say) -> dict[str, Any]:
    """The share of places whose updates were of living racers, over whole races."""
    told = {}
    for name, fields in {"shape A": SHAPE_A, "as users call it": ()}.items():
        say(f"a race of {RACE_SECONDS} s, {name}")
        answer = race(folder / "shape_a.csv", folder / name, "--seconds", str(RACE_SECONDS), *fixed(*fields))
        kept = ("useful_share", "racer_steps", "recipes", "seconds", "compile_seconds", "start_seconds")
        told[name] = {key: answer.get(key) for key in kept}
    return told


def memory(folder: Path, say: measure.Say) -> dict[str, Any]:
    """Peak memory of a race on 1,000,000 rows x 28 columns of float32 in a Parquet file: 112 MB of data."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1_000_000, 28), np.float32)
    table = folder / "large.parquet"
    pl.DataFrame(x).with_columns(y=pl.Series(x[:, 0] + x[:, 1] * x[:, 2])).write_parquet(table)
    del x
    told = {}
    for name, fields in {"as users call it": (), "scaling=z_score": ("scaling=z_score",)}.items():
        say(f"a race on a million rows, {name}")
        answer = race(table, folder / "large", "--seconds", "30", *fixed(*fields))
        told[name] = {key: answer.get(key) for key in ("peak_mb", "start_seconds", "recipes", "seconds")}
    return told


def measured(shapes: str, seconds: float, say: measure.Say) -> dict[str, Any]:
    """All three; shapes and seconds do not matter here."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        return {"start": start(folder, say), "useful": useful(folder, say), "memory": memory(folder, say)}
