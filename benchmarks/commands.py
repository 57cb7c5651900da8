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
# Runs a command and tells the peaks of its memory in kB: its own, and that of the process of the baselines which
# it starts. What `getrusage` tells is the larger of the two, or of whoever started it.
WATCHER = """
import pathlib, subprocess, sys, time
process, peaks = subprocess.Popen(sys.argv[1:]), {}
while process.poll() is None:
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            told = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue
        if str(process.pid) in (told["Pid"].strip(), told["PPid"].strip()) and "VmHWM" in told:
            peaks[told["Pid"].strip() == str(process.pid)] = int(told["VmHWM"].split()[0])
    time.sleep(0.1)
print(peaks[True], peaks.get(False, 0), file=sys.stderr)
sys.exit(process.returncode)
"""


def race(table: Path, cache: Path, *options: str) -> dict[str, Any]:
    """Run `slalom race` on a table in a process of its own; its JSON, with the peaks of memory in MB."""
    program = str(Path(sys.executable).parent / "slalom")
    with tempfile.TemporaryDirectory() as folder:
        run = ["--json", "--quiet", "--out", folder + "/run"]
        command = [program, "race", str(table), "--target", "y", *run, *options]
        watched = [sys.executable, "-c", WATCHER, *command]
        answer = subprocess.run(watched, capture_output=True, text=True, env=os.environ | {"SLALOM_CACHE": str(cache)})
        if answer.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {answer.returncode}: {answer.stderr}")
        own, baselines = (int(peak) / 1024 for peak in answer.stderr.split()[-2:])
        return json.loads(answer.stdout) | {"peak_mb": own, "baselines_mb": baselines}


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
        told[name] = {
            key: answer.get(key) for key in ("peak_mb", "baselines_mb", "start_seconds", "recipes", "seconds")
        }
    return told


def measured(shapes: str, seconds: float, say: measure.Say) -> dict[str, Any]:
    """All three; shapes and seconds do not matter here."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        return {"start": start(folder, say), "useful": useful(folder, say), "memory": memory(folder, say)}
