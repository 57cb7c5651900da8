"""Runs the real command in a process of its own, and writes the small tables it is given."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

# Ctrl-C is let through first: the parent may be a job in the background, and that ignores it.
LISTEN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
SLALOM = [sys.executable, "-c", f"{LISTEN}; from slalom.cli import main; main()"]
TINY = ["--set", "depth=1", "--set", "width=8", "--set", "rule=adam"]  # compiles in a second
COUNTED = ["--recipes", "4", "--epochs", "2", *TINY]


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """The running command."""
    environment = {k: v for k, v in os.environ.items() if k not in ("SLALOM_DEBUG", "COLUMNS", "FORCE_COLOR")}
    return subprocess.Popen(
        [*SLALOM, *map(str, arguments)], cwd=cwd, env=environment, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def slalom(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command that has ended."""
    with start(*arguments, cwd=cwd) as process:
        out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def table(path: Path, rows: int = 60, **replaced: object) -> Path:
    """A CSV file with columns a, b, kind and price; replaced: column_row=value puts a cell elsewhere."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=rows), rng.normal(size=rows)
    cells = {
        "a": [f"{v:.6f}" for v in a],
        "b": [f"{v:.6f}" for v in b],
        "kind": ["yes" if v > 0 else "no" for v in a - b],
        "price": [f"{v:.6f}" for v in 3 * a - b + 0.1 * rng.normal(size=rows)],
    }
    for place, value in replaced.items():
        name, _, row = place.rpartition("_")
        cells[name][int(row)] = str(value)
    lines = [",".join(cells), *(",".join(row) for row in zip(*cells.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def there(folder: Path) -> set[str]:
    """Everything in a folder, by name."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
