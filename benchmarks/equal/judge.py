"""The judge: lays a task out, runs a contestant's process, and looks at the test rows once."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.equal import costs
from benchmarks.equal.contestant import DOORS
from benchmarks.equal.sets import DataSet

ROOT = Path(__file__).parents[2]
GRACE = 5.0  # seconds behind the deadline after which a process is killed
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Ended:
    """How a process ended: its code (None: it was killed), its seconds, and its last line on stderr."""

    code: int | None
    seconds: float
    word: str


def lay_out(data: DataSet, seed: int, folder: Path, seconds: float, cores: int) -> None:
    """Write the task of a set and a seed: all rows, but no targets of test rows."""
    for part, rows in zip(PARTS, data.rows(seed), strict=True):
        data.frame[rows].write_parquet(folder / f"{part}.parquet")
        if part != "test":
            np.save(folder / f"{part}.npy", data.target[rows])
    about = {"metric": data.metric, "classes": len(data.classes), "seconds": seconds, "seed": seed, "cores": cores}
    (folder / "task.json").write_text(json.dumps(about | {"began": time.time()}))


def begin(folder: Path) -> float:
    """The clock starts now: what the contestant counts its seconds from."""
    file = folder / "task.json"
    began = time.time()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"began": began}))
    return began


def run(command: list[str], limit: float, environment: dict[str, str] | None = None) -> Ended:
    """Run a process, and end it with all that it started when so many seconds are over."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | (environment or {}), stdout=subprocess.DEVNULL, stderr=said,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            code: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            seconds = time.perf_counter() - began
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its session: whatever it left behind as well
            process.wait()
        said.seek(0)
        return Ended(code, seconds, (said.read().strip().splitlines() or [""])[-1])


def command_of(contestant: str, *folder: str) -> list[str]:
    """How a contestant is started."""
    return [sys.executable, "-m", "benchmarks.equal.contestant", contestant, *folder]


def can_run(contestant: str) -> str:
    """Why a contestant cannot take part here; nothing where it can. Its packages lie in memory afterwards."""
    if contestant not in DOORS:
        return f"there is no contestant {contestant!r}: {', '.join(DOORS)}"
    ended = run(command_of(contestant), 120)
    return "" if ended.code == 0 else ended.word


def contested(data: DataSet, contestant: str, seed: int, seconds: float, cores: int, programs: str) -> dict[str, Any]:
    """One contestant on one set and seed: how its process ended, and for each of its answers the metrics on test rows.
    seconds and code are those of the whole process; the code is None where it was killed at the deadline.

    programs: the folder of Slalom's compiled programs; empty for a new one that is forgotten afterwards.
    """
    with tempfile.TemporaryDirectory() as held:
        folder, cache = Path(held) / "task", Path(held) / "programs"
        folder.mkdir()
        lay_out(data, seed, folder, seconds, cores)
        began = begin(folder)
        ended = run(command_of(contestant, str(folder)), seconds + GRACE, {"SLALOM_CACHE": programs or str(cache)})
        answers = judged(data, seed, folder, began + seconds)
        about: dict[str, Any] = {}
        for file in sorted(folder.glob("about-*.json")):
            with contextlib.suppress(json.JSONDecodeError):  # it was ended while it wrote
                told = json.loads(file.read_text())
                about |= told | {"tried": max(told["tried"], about.get("tried", 0))}
    return {
        "set": data.name, "metric": data.metric, "contestant": contestant, "seed": seed, "limit": seconds,
        "cores": cores, "kept_programs": bool(programs),
        "began": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(began)), "day": time.strftime("%Y-%m-%d"),
        "seconds": round(ended.seconds, 2), "late": ended.code is None or ended.seconds > seconds, "code": ended.code,
        "failure": failure(ended, answers), "answers": answers, "about": about,
    }  # fmt: skip


def failure(ended: Ended, answers: dict[str, Any]) -> str:
    """What went wrong in a run: that it broke off, whether or not it had saved something, or that nothing lay there.

    >>> failure(Ended(-9, 7.0, ""), {}), failure(Ended(None, 65.0, ""), {}), failure(Ended(None, 65.0, ""), {"nets": 1})
    ('it ended with code -9', 'it left nothing in time', '')
    """
    if ended.code:
        return ended.word or f"it ended with code {ended.code}"
    return "" if answers else "it left nothing in time"


def judged(data: DataSet, seed: int, folder: Path, deadline: float) -> dict[str, dict[str, float]]:
    """For each label the metrics on the test rows of what was best on the validation rows, of what lay there in time.

    {label: {metric: value on test rows, …, "validation": the deciding metric on validation rows}}
    """
    _, validation, test = data.rows(seed)
    best: dict[str, tuple[float, np.ndarray]] = {}
    for file in sorted(folder.glob("*-*.npz")):
        if file.stat().st_mtime > deadline:
            continue
        try:
            with np.load(file, allow_pickle=False) as held:
                label, chosen, answer = str(held["label"]), held["validation"], held["test"]
        except (zipfile.BadZipFile, OSError, ValueError, KeyError):
            continue
        if len(chosen) != len(validation) or len(answer) != len(test) or not np.isfinite(answer).all():
            continue
        cost = costs.cost(data.metric, data.target[validation], chosen)
        if cost < best.get(label, (np.inf,))[0]:
            best[label] = cost, answer
    told = {}
    for label, (cost, answer) in best.items():
        told[label] = {name: costs.METRICS[name](data.target[test], answer) for name in costs.of_task(data.metric)}
        told[label]["validation"] = -cost if data.metric in costs.LARGER_IS_BETTER else cost
    return told
