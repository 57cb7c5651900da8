"""Forked: refuses to work in a copy of a process in which tables were read, where it would wait for ever."""

import os

from slalom.errors import SlalomError

_here = {"read": False, "copy": False}


def check() -> None:
    """Note that this process reads a table; SlalomError where it was forked from one that had.

    Polars and JAX have threads from then on, which a copy made by `os.fork` lacks and would wait for: a process that
    was forked before, or is started by spawn, is well.

    >>> check()
    """
    if _here["copy"]:
        raise SlalomError(
            "This process must not be a fork of one in which Slalom has read a table: the threads of its libraries are"
            ' not copied. Start it by multiprocessing.get_context("spawn") or joblib, or fork before.'
        )
    _here["read"] = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _here.update(copy=_here["read"]))
