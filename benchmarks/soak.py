"""Races one after the other in one process, and looks at its memory: `python -m benchmarks.soak [--minutes 60]`.

Each race has other rows, another seed and, in turn, one of four shapes; its result is let go. The resident memory
after each is printed at times; the slope over the second half, in MB an hour and in KB a race, with its standard
error, at the end.
"""

import argparse
import gc
import os
import sys
import time
from pathlib import Path

import numpy as np

from slalom import race

SHAPES = (
    {"depth": 1, "width": 8, "rule": "adam"},
    {"depth": 2, "width": 16, "rule": "sgd", "normalisation": "batch_norm"},
    {"depth": 1, "width": 8, "rule": "adam", "embedding": "periodic"},
    {"depth": 1, "width": 16, "rule": "momentum", "dropout": 0.1},
)


def resident() -> float:
    """MB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """(the slope of the line through points, its standard error)."""
    centred = x - x.mean()
    found = float((centred * y).sum() / (centred**2).sum())
    rest = y - y.mean() - found * centred
    return found, float(np.sqrt((rest**2).sum() / max(len(x) - 2, 1) / (centred**2).sum()))


def main() -> int:
    """Race until the time is over; always 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    given = parser.parse_args()
    began, hours, memory = time.monotonic(), [], []
    while time.monotonic() - began < 60 * given.minutes:
        i = len(memory)
        draw = np.random.default_rng(i)
        x = draw.normal(size=(400, 6))
        y = x[:, 0] - x[:, 1] * x[:, 2] + 0.1 * draw.normal(size=400)
        race(x, y, recipes=4, epochs=3, seed=i, fixed=SHAPES[i % len(SHAPES)])
        gc.collect()
        hours.append((time.monotonic() - began) / 3600)
        memory.append(resident())
        if i % 20 == 0:
            print(f"race {i}: {memory[-1]:,.0f} MB after {60 * hours[-1]:.1f} minutes", flush=True)
    half = len(memory) // 2
    x, y = np.array(hours[half:]), np.array(memory[half:])
    per_hour, error = slope(x, y)
    per_race = slope(np.arange(half, len(memory)), y)[0] * 1024
    print(
        f"{len(memory)} races in {60 * hours[-1]:.1f} minutes:"
        f" {memory[0]:,.0f} MB at first, {memory[-1]:,.0f} MB at last"
    )
    print(f"second half: {per_hour:+,.1f} MB an hour (standard error {error:,.1f}), {per_race:+,.1f} KB a race")
    return 0


if __name__ == "__main__":
    sys.exit(main())
