"""How the command line speaks: what goes to stdout and stderr, how wide, and since when this process runs."""

import json
import os
import resource
import shlex
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from slalom.errors import RaceFailed

ADDRESSES = 1.8e9, 0.3e9  # bytes that a small race asks the system for, and for each core
AMPLE = 1.5  # times as many were enough for all races that were tried; with 1.2 times as many one was ended


def dialect(command: Any) -> Any:
    """Options that say how a text file is to be read."""
    for name, metavar, what in (
        ("encoding", "NAME", "Of a text file, as in cp1252."),
        ("decimal", "SIGN", "Of a text file: . or ,"),
        ("separator", "SIGN", "Of a text file; tab is a word for one."),
    ):
        command = click.option(f"--{name}", metavar=metavar, help=f"{what}  [found out]")(command)
    return command


def reading(command: Any) -> Any:
    """The same, and what its columns are."""
    said = "What columns are: number, category, date, text or drop.  [found out]"
    return dialect(click.option("--columns", type=click.Path(path_type=Path), metavar="FILE.toml", help=said)(command))


class Terminated(KeyboardInterrupt):
    """SIGTERM: what Ctrl-C ends this ends as well, and the exit code is another."""


def end_on_term() -> Callable[[], bool]:
    """Have SIGTERM end what runs as Ctrl-C does; a function that says whether it came."""
    came: list[int] = []

    def handler(signum: int, frame: Any) -> None:
        came.append(signum)
        if len(came) == 1:  # once: what is being saved is not cut off
            raise Terminated

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
    return lambda: bool(came)


def enough_addresses(ended: str = "") -> None:
    """RaceFailed where the system's limit on a process's addresses is below what a race needs in any case: libraries of
    C++ and Rust would end the process without a word. A warning where it is little more; ended: its last words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    need = ADDRESSES[0] + ADDRESSES[1] * cores
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= AMPLE * need:
        return
    if limit < need:
        raise RaceFailed(
            f"The limit on addresses (ulimit -v) must be at least {need / 1e6:,.0f} MB for a race on {cores} cores. It"
            f" is {limit / 1e6:,.0f} MB. Raise it, and limit memory by --memory instead."
        )
    complain(
        f"The limit on addresses (ulimit -v) of {limit / 1e6:,.0f} MB may be too little for nets of many kinds, so that"
        f" JAX's compiler ends this process: {AMPLE * need / 1e6:,.0f} MB were enough wherever it was tried. {ended}"
    )


def process_start() -> float:
    """The time.perf_counter() at which this process began, so that its own start counts (Linux; else now)."""
    now = time.perf_counter()
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return now
    return now - age if 0 <= age < 3600 else now


def program() -> str:
    """How this command is called from here: its path where it is not on the PATH."""
    called = Path(sys.argv[0])
    if called.name != "slalom" or shutil.which("slalom"):
        return "slalom"
    return shlex.quote(os.path.relpath(called) if called.is_absolute() else str(called))


def columns() -> int:
    """Signs in a line of the terminal; a pipe gets 100."""
    return max(shutil.get_terminal_size((100, 24)).columns, 40)


def as_json(value: Any) -> str:
    """JSON in which NaN and infinity, that it does not have, are null."""
    from slalom.result import finite

    return json.dumps(finite(value), indent=1, allow_nan=False, default=str)


def show(text: str, *, raw: bool = False) -> None:
    """Write to stdout; a reader that has had enough (`| head`) is no failure. raw: data, as it is in a pipe."""
    from slalom.board import clean

    if sys.stdout is None:  # closed before Python began
        return
    try:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")
        sys.stdout.write(text if raw and not sys.stdout.isatty() else clean(text))
        sys.stdout.write("" if text.endswith("\n") else "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(sentence: str) -> None:
    """One line on stderr."""
    if os.environ.get("SLALOM_DEBUG") and sys.exc_info()[0]:
        traceback.print_exc()
    text = " ".join(sentence.split())
    click.echo("".join(c if c.isprintable() else "�" for c in text), err=True)
