"""Checkpoints: racers as they are on their way, written to files from which a race goes on where its process died.

One file holds some racers, all that changed since the file before: their weights, the memory of their rules, their best
moments as arrays, everything else as JSON in the head, and beside it how far the race is. Its name ends in the digest
of its bytes; a file that is not what its name says is left out, and the one before counts. Files are written under
another name, synced and renamed.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from slalom.folder import EVERY, write
from slalom.heat import Heat
from slalom.net import Net
from slalom.racer import Moment, Racer
from slalom.schedules.plateau import PlateauMemory
from slalom.step import refilled
from slalom.types import Array, Tree

SHARE = 20.0  # times as long as the last file took, at least, until the next
SUFFIX = ".safetensors"
PLAIN: dict[str, Any] = {  # of a racer, and its types
    "step": int, "remark": str, "diverged_at": int | None, "stopped_at": int | None, "seconds": int | float,
    "falls": list,
}  # fmt: skip

Key = tuple[int, int, int]  # recipe, fold, replicate


class Snapshot(NamedTuple):
    """A racer at the end of a call: what is plain, and its arrays by name."""

    plain: dict[str, Any]
    arrays: dict[str, Array]


def key_of(racer: Racer) -> Key:
    """What a racer is the only one of."""
    return racer.number, racer.fold, racer.replicate


def taken(racer: Racer) -> Snapshot:
    """A racer as it stands; nothing that is kept changes later."""
    plain = {name: getattr(racer, name) for name in PLAIN} | {"costs": sorted(racer.costs.items())}
    plain["falls"] = list(racer.falls)
    arrays = {f"state.{i}": leaf for i, leaf in enumerate(jax.tree.leaves(racer.state))}
    arrays |= {f"rows.{step}": rows for step, rows in racer.rows.items()}
    if racer.plateau is not None:
        plain["plateau"] = list(racer.plateau)
    if racer.best:
        plain["best"] = [racer.best.cost, racer.best.step]
        moment = racer.best.weights, racer.best.memory
        arrays |= {f"best.{i}": leaf for i, leaf in enumerate(jax.tree.leaves(moment))}
    return Snapshot(plain, arrays)


def put(racer: Racer, kept: Snapshot, heat: Heat) -> None:
    """Give a racer what was kept of it; its state once its program is there (`Heat.ready`).

    Raises ValueError where that does not fit it.
    """
    plain, net = kept.plain, heat.structure.net
    for name, kinds in PLAIN.items():
        if isinstance(plain[name], bool) or not isinstance(plain[name], kinds):
            raise ValueError(f"{name} of a racer is {plain[name]!r:.60}")
        setattr(racer, name, plain[name])
    if not 0 <= racer.step < 2**31:
        raise ValueError(f"the step of a racer is {racer.step}")
    racer.falls = [(step + 0, factor + 0.0) for step, factor in plain["falls"]]  # numbers, or a TypeError
    racer.costs = {int(step): float(cost) for step, cost in plain["costs"]}
    racer.rows = {int(name[5:]): rows for name, rows in kept.arrays.items() if name.startswith("rows.")}
    count = len(heat.prepared.folds[racer.fold].choose)
    if any(rows.shape[:1] != (count,) for rows in racer.rows.values()):
        raise ValueError(f"it scored other rows than the {count} of now")
    heat.prepared.kept += sum(rows.nbytes for rows in racer.rows.values())
    if "plateau" in plain:
        racer.plateau = PlateauMemory(*map(float, plain["plateau"]))
    if "best" in plain:
        weights, memory = refilled(_like(net), [v for _, v in _numbered(kept.arrays, "best.")])
        racer.best = Moment(float(plain["best"][0]), int(plain["best"][1]), weights, memory)
    racer.waiting = [v for _, v in _numbered(kept.arrays, "state.")] or None


def _numbered(arrays: dict[str, Array], prefix: str) -> list[tuple[int, Array]]:
    found = [(int(name[len(prefix) :]), array) for name, array in arrays.items() if name.startswith(prefix)]
    return sorted(found, key=lambda pair: pair[0])


@lru_cache(maxsize=64)
def _like(net: Net) -> tuple[Tree, Tree]:
    """Weights and memory of a net, for their shapes."""
    return net.init(np.random.default_rng(0))


class Checkpoints:
    """The files of one race in a folder; nothing is written where that is None.

    track: what the race says of itself, as plain data, whenever a file is written. every: seconds between two.
    """

    def __init__(self, folder: Path | None, every: float = EVERY) -> None:
        self.folder, self.every = folder, every
        self.track: Callable[[], dict[str, Any]] = dict
        self.trouble = ""
        self._waiting: dict[Key, Snapshot] = {}
        self._over: set[Key] = set()  # of recipes that have ended: one copy will do
        self._files: dict[Path, set[Key]] = {}  # those on disk, the oldest first, with the racers that they hold
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._wait, self._own = every, threading.local()  # seconds until the next file; when, of each thread

    def due(self) -> bool:
        """Whether it is time that this thread writes a file."""
        if self.folder is None:
            return False
        if not hasattr(self._own, "due"):
            self._own.due = time.monotonic() + self._wait
        return time.monotonic() > self._own.due

    def mark(self, racers: Sequence[Racer]) -> None:
        """Note racers as they stand now, so that the next file holds them so."""
        if self.folder is not None:
            found = {key_of(racer): taken(racer) for racer in racers if not racer.replicate}
            with self._lock:
                self._waiting |= found

    def ended(self, racers: Sequence[Racer]) -> None:
        """Note racers of recipes that have ended, of which less is kept than before."""
        new = [racer for racer in racers if key_of(racer) not in self._over]
        self.mark(new)
        self._over |= {key_of(racer) for racer in new if not racer.replicate}

    def close(self) -> None:
        """Write nothing more: what a thread still does that nobody waits for is not kept."""
        self.folder = None

    def save(self, *, last: bool = False) -> None:
        """Write a file with all that was noted since the last one. last: wait for one that is being written."""
        if self.folder is None or not self._writing.acquire(blocking=last):
            return  # another worker writes: what was noted since comes with the next
        began = time.monotonic()
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        try:
            self._write(waiting)
        except OSError as error:  # a full disk costs what could be resumed, not the race
            with self._lock:
                self._waiting = waiting | self._waiting
            self.trouble = f"checkpoints could not be written: {error.strerror or error}."
        finally:
            self._wait = max(self.every, SHARE * (time.monotonic() - began))
            self._own.due = time.monotonic() + self._wait
            self._writing.release()

    def _write(self, waiting: dict[Key, Snapshot]) -> None:
        folder = self.folder
        if folder is None:
            return
        about = {"track": self.track(), "racers": [[*key, kept.plain] for key, kept in waiting.items()]}
        arrays = {
            f"{i}.{name}": np.asarray(array, order="C")
            for i, kept in enumerate(waiting.values())
            for name, array in kept.arrays.items()
        }
        arrays["none"] = np.zeros(1, np.uint8)  # a file must hold an array
        data = safetensors.numpy.save(arrays, {"slalom": json.dumps(about)})
        number = max((_number(file) for file in self._files), default=0) + 1
        file = folder / f"{number:06}-{digest(data)}{SUFFIX}"
        write(file, data)
        self._files[file] = set(waiting)
        self._drop()

    def _drop(self) -> None:
        """Delete files of whose racers there are two later copies each, or one of a recipe that has ended; the last two
        stay in any case."""
        seen: dict[Key, int] = {}
        files = list(self._files)
        for place, file in enumerate(reversed(files)):
            needed = place < 2 or any(seen.get(key, 0) < 2 - (key in self._over) for key in self._files[file])
            for key in self._files[file]:
                seen[key] = seen.get(key, 0) + 1
            if not needed:
                file.unlink(missing_ok=True)
                del self._files[file]

    def load(self) -> "Kept":
        """The last copy of every racer, and what the race said of itself in the last file; files that are damaged are
        left out, and named."""
        racers: dict[Key, Snapshot] = {}
        track: dict[str, Any] = {}
        damaged: list[str] = []
        files = sorted(self.folder.glob(f"*{SUFFIX}"), key=_number) if self.folder else []
        for file in files:
            try:
                track, found = _read(file)
            except (
                ValueError,
                OSError,
                KeyError,
                TypeError,
                IndexError,
                AttributeError,
                RecursionError,
                SafetensorError,
            ):
                damaged.append(file.name)
                continue
            self._files[file] = set(found)
            racers |= found
        return Kept(racers, track, tuple(damaged))


class Kept(NamedTuple):
    """What the files of a race hold."""

    racers: dict[Key, Snapshot]
    track: dict[str, Any]
    damaged: tuple[str, ...]


def _read(file: Path) -> tuple[dict[str, Any], dict[Key, Snapshot]]:
    data = file.read_bytes()
    if file.name != f"{file.name.partition('-')[0]}-{digest(data)}{SUFFIX}":
        raise ValueError("the file is not what its name says")
    size = int.from_bytes(data[:8], "little")
    about = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["slalom"])
    arrays = safetensors.numpy.load(data)
    kept: list[dict[str, Array]] = [{} for _ in about["racers"]]
    for name, array in arrays.items():
        place, _, rest = name.partition(".")
        if rest:
            kept[int(place)][rest] = array
    racers = {
        (int(n), int(f), int(r)): Snapshot(plain, own)
        for (n, f, r, plain), own in zip(about["racers"], kept, strict=True)
    }
    track = about["track"]
    if not isinstance(track, dict) or not isinstance(track.get("seconds", 0.0), (int, float)):
        raise ValueError("what the race says of itself is no table")
    return track, racers


def _number(file: Path) -> int:
    digits = file.name.partition("-")[0]
    return int(digits) if digits.isdecimal() else 0


def digest(data: bytes) -> str:
    """The checksum in a file's name."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()
