"""Kills races at random moments and resumes them: each must end as the race that was left alone, bit for bit.

    python -m benchmarks.kills [--count 100] [--seed 0] [--folds] [--keep DIR]

Half of the kills come at a random time of the process, half at a random one of its writes: before what was written is
synced, between the sync and the new name, or behind it; those of checkpoints, and those of the model, the leaderboard
and race.toml at the end. A race that is resumed may be killed again, up to three times. Prints one line a kill and a
summary; the exit code is 1 where one race ended otherwise.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

# The process sends itself SIGKILL at the n-th call of what a write does; 0 for never; or its disk is full then; or it
# gets Ctrl-C, at a write or (compile) when its n-th program is to be made.
DEADLY = """
import errno, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
calls, at, how = 0, int(sys.argv.pop(1)), sys.argv.pop(1)
def deadly(call):
    def counted(*given, **more):
        global calls
        calls += 1
        if how == "full" and calls >= at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(given[0]))
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL if how == "kill" else signal.SIGINT)
        return call(*given, **more)
    return counted
if how == "compile":
    from slalom.heat import Heat
    Heat._compile = deadly(Heat._compile)
else:
    os.fsync, os.replace = deadly(os.fsync), deadly(os.replace)
    import pathlib
    pathlib.Path.replace = deadly(pathlib.Path.replace)
from slalom import cli
code = cli.run(sys.argv[1:])
sys.stdout.flush()
if at < 0:
    print("calls", calls, file=sys.stderr)
os._exit(code)
"""
RACE = ["--target", "price", "--recipes", "6", "--epochs", "6", "--set", "width=8", "--set", "depth=1", "--set",
        "rule=adam", "--checkpoint", "0", "--quiet"]  # fmt: skip


def table(file: Path, rows: int) -> None:
    """A table of so many rows with a price."""
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=rows), draw.normal(size=rows)
    kind = np.where(a > b, "yes", "no")
    pl.DataFrame({"a": a, "b": b, "kind": kind, "price": 3 * a - b + 0.1 * draw.normal(size=rows)}).write_csv(file)


def started(home: Path, *arguments: object, at: int = 0, how: str = "kill") -> subprocess.Popen[str]:
    """The command in a process of its own, that kills itself at its n-th write, or whose disk is `full` from there, or
    that is interrupted there (`stop`, or `compile`: at its n-th program)."""
    return subprocess.Popen(
        [sys.executable, "-c", DEADLY, str(at), how, *map(str, arguments)], cwd=home, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def left(folder: Path) -> dict[str, Any]:
    """What a race leaves that must be the same: the leaderboard without its times, the weights, what they are."""
    board = pl.read_csv(folder / "leaderboard.csv").drop("seconds")
    found: dict[str, Any] = {"leaderboard": board.write_csv()}
    for file in sorted(folder.rglob("*.safetensors")):
        found[str(file.relative_to(folder))] = file.read_bytes()
    for file in sorted(folder.rglob("model.json")):
        found[str(file.relative_to(folder))] = file.read_text(encoding="utf-8")
    summary = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    found["said"] = {name: summary[name] for name in ("winner", "score", "epoch", "test", "corrected_score", "recipe")}
    return found


def one(home: Path, name: str, draw: random.Random, seconds: float, calls: int) -> tuple[int, str]:
    """(how often a race was killed, how), until it came to its end."""
    folder, kills, how = home / name, 0, []
    command = ["race", "rows.csv", *RACE, "--out", name]
    while True:
        deadly = kills < 3 and (kills == 0 or draw.random() < 0.4)
        timed = draw.random() < 0.5
        at = draw.randint(1, calls) if deadly and not timed else 0
        process = started(home, *command, at=at)
        if deadly and timed:
            try:
                process.wait(draw.uniform(0.2, seconds))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=300)
        if process.returncode == 0:
            return kills, ", ".join(how)
        if process.returncode != -signal.SIGKILL:
            raise SystemExit(f"{name}: exit code {process.returncode}\n{out}\n{err}")
        kills += 1
        how.append(f"write {at}" if at else "time")
        begun = (folder / "unfinished" / "order.toml").exists()
        command = ["resume", name, "--quiet"] if begun else ["race", "rows.csv", *RACE, "--out", name]
        if not begun and folder.exists() and (folder / "race.toml").exists():
            return kills, ", ".join([*how, "it had ended"])
        if not begun:  # before anything was kept
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Kill and resume; 1 where a race ended otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folds", action="store_true", help="a small table, whose folds are cross-fitted")
    parser.add_argument("--keep", type=Path, help="a folder for the races, kept")
    given = parser.parse_args()
    home = given.keep or Path(tempfile.mkdtemp(prefix="slalom-kills-"))
    home.mkdir(parents=True, exist_ok=True)
    os.environ["SLALOM_CACHE"] = str(home / "programs")
    table(home / "rows.csv", 120 if given.folds else 5_200)
    draw, other, kills = random.Random(given.seed), 0, 0
    for name in ("warm", "alone"):  # the first compiles
        began, process = time.monotonic(), started(home, "race", "rows.csv", *RACE, "--out", name, at=-1)
        _, err = process.communicate(timeout=300)
        seconds, calls = time.monotonic() - began, int(err.split()[-1])
    wanted = left(home / "alone")
    if differs := [key for key, value in left(home / "warm").items() if wanted.get(key) != value]:
        raise SystemExit(f"two races that were left alone differ in {', '.join(differs)}")
    print(f"left alone: {seconds:.1f} s, {calls} calls of writes", flush=True)
    for i in range(given.count):
        died, how = one(home, f"race{i}", draw, seconds, calls)
        found = left(home / f"race{i}")
        differs = [key for key in wanted if found.get(key) != wanted[key]] + [key for key in found if key not in wanted]
        kills, other = kills + died, other + bool(differs)
        print(
            f"race {i}: killed {died} times ({how}): {'differs in ' + ', '.join(differs) if differs else 'the same'}",
            flush=True,
        )
        if not differs:
            shutil.rmtree(home / f"race{i}")
    print(f"{given.count} races, {kills} kills: {given.count - other} ended the same, {other} otherwise.")
    if not given.keep:
        shutil.rmtree(home)
    return int(other > 0)


if __name__ == "__main__":
    sys.exit(main())
