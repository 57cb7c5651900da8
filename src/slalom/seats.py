"""Seats: where programs run. On a CPU every worker thread sits at a JAX client of its own, which has one thread.

JAX's usual client hands parts of every step to threads for all cores. Where each core runs a program already, these
only wait for each other: with a client a core, lanes of one racer (2 x 64, batch 64) ran 1.9 times as fast, lanes of
four 6 % faster, on two cores. On other devices there is one client, and all workers share it.
"""

import contextlib
import ctypes
import os
import threading
from typing import Any

import jax
import numpy as np

from slalom import forked
from slalom.types import Array, Tree

SUPPLIERS = 4  # workers of a device that is no CPU: one waits for it while others lay out the next calls
THREADS = "PJRT_NPROC"  # the environment variable from which a new client takes the number of its threads

_devices: list[Any] = []  # of the seats made so far; they live as long as the process
_lock = threading.Lock()
_here = threading.local()


def take(seat: int) -> None:
    """Let this thread run its programs at a seat: 0, 1, …, one for each worker that runs at the same time."""
    _here.seat = seat


def join(device: Any) -> None:
    """Let this thread run its programs at the seat of this device from now on, be another thread there or not."""
    _here.seat = _devices.index(device)


def make(count: int) -> None:
    """Make so many seats, before threads run: each is made under a setting of the environment. SlalomError in a copy of
    a process that had some."""
    forked.check("JAX")
    with _lock:
        while len(_devices) < count:
            _devices.append(_made())


def device() -> Any:
    """The device of this thread's seat; a thread that took none sits at seat 0.

    >>> device().platform == jax.default_backend()
    True
    """
    seat = getattr(_here, "seat", 0)
    make(seat + 1)
    return _devices[seat]


def has_own() -> bool:
    """Whether this thread's seat has a client of its own, with one thread."""
    return device() not in jax.local_devices()


def kind_of_device() -> str:
    """What JAX uses: "cpu", "gpu", …"""
    return jax.default_backend()


def workers(cores: int) -> int:
    """How many workers have something to do: one a core, and on another device as many as keep it supplied."""
    return cores if kind_of_device() == "cpu" else min(SUPPLIERS, cores)


def _made() -> Any:
    """A device that runs its programs in one thread, or the usual one where JAX cannot make that."""
    usual = jax.local_devices()[0]
    if usual.platform != "cpu":
        return usual
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"
    try:
        from jaxlib.xla_client import make_cpu_client

        client: Any = make_cpu_client(asynchronous=True)
        return client.local_devices()[0]
    except (ImportError, TypeError, RuntimeError):  # of another JAX: slower, and all the same otherwise
        return usual
    finally:
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before


class Placed:
    """Arrays at every seat where they are asked for; on CPUs one copy in memory that all seats read, where it begins at
    a multiple of 64 bytes (`blank`)."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._made: dict[Any, Tree] = {}
        self._lock = threading.Lock()

    def here(self) -> Any:
        """The arrays at this thread's seat."""
        where = device()
        with self._lock:
            if where not in self._made:
                self._made[where] = jax.device_put(self.tree, where)
        return self._made[where]


def blank(shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """Zeros that a device takes without copying them: they begin at a multiple of 64 bytes.

    >>> blank((2, 3)).tolist(), blank((5,)).ctypes.data % 64
    ([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], 0)
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    first = -raw.ctypes.data % 64
    return raw[first : first + size].view(dtype).reshape(shape)


def give_back() -> None:
    """Let the C library hand memory that is free back to the system, where it can: 150 MB of a million rows."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
