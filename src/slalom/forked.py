"""Forked: refuses to work in a copy of a process whose libraries had threads: a copy lacks them and waits for ever."""

import os
from pathlib import Path

from slalom.errors import SlalomError

THREADS = {"polars-0": "Polars", "tf_XLAEigen": "JAX"}  # as Linux names them

_started: set[str] = set()  # libraries that Slalom has set to work in this process
_lost: set[str] = set()  # libraries whose threads stayed in the process that this one was forked from


def check(library: str) -> None:
    """Note that this process sets a library to work, Polars or JAX; SlalomError where it was forked from one that had.

    `os.fork` copies no threads. A process that is forked before the library has any, or is started by spawn, is well.

    >>> check("Polars")
    """
    if library in _lost:
        raise SlalomError(
            f"This process must not be a fork of one in which {library} was at work: it would wait for threads that"
            ' were not copied. Start it by multiprocessing.get_context("spawn"), or fork before tables are read and'
            " nets trained."
        )
    _started.add(library)


def running() -> set[str]:
    """The libraries that have threads in this process, whoever set them to work (Linux); elsewhere those that Slalom
    did."""
    names = set()
    for file in Path("/proc/self/task").glob("*/comm"):
        try:
            names.add(THREADS.get(file.read_text(encoding="utf-8", errors="replace").strip(), ""))
        except OSError:  # a thread that has just ended
            continue
    return (names | _started) - {""}


def _before() -> None:
    _started.update(running())


def _copied() -> None:
    _lost.update(_started)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_child=_copied)
