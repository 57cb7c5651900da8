"""Programs: the executables of one heat, compiled once, kept on disk, and loaded wherever a worker sits."""

import functools
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from platform import machine
from typing import Any

import jax
import jaxlib
import numpy as np
from jax.experimental import serialize_executable

from slalom import cache, seats
from slalom.lane import (
    REESTIMATED,
    Data,
    build_advance,
    build_average,
    build_score,
    call_steps,
    empty_knobs,
    score_shape,
)
from slalom.room import Room
from slalom.step import Kind, State, Structure
from slalom.types import Array, Tree


@dataclass(frozen=True)
class Program:
    """The executables of one structure: a few rules in one, one that scores, and one that averages."""

    structure: Structure
    room: Room
    width: int  # K, racers of a lane
    lanes: int  # G, the most of one call
    orders: int  # U, the most orders of rows of one call
    steps: int  # S, the most of one call
    settings: int  # numbers of a rule, at most
    score_shape: tuple[int, int]  # (chunks, rows of a chunk)
    advance: Callable[..., State]
    score: Callable[..., Array]
    average: Callable[..., tuple[Tree, Tree]] | None  # (weights, memory) to score; None where no rule averages
    seconds: float  # of compiling, or of loading what was compiled before

    def rule_index(self, kind: Kind) -> int:
        """Where a rule stands in the program's switch."""
        return self.room.rules.index(kind)


@dataclass(frozen=True)
class Blueprint:
    """What a program is compiled from.

    x, y: the shapes of the data. score_rows: how many rows a score takes. width: K, racers of a lane. lanes: G, the
    most of one call. orders: U, of rows, the most of one call.
    """

    structure: Structure
    rules: tuple[Kind, ...]
    x: tuple[int, ...]
    y: tuple[int, ...]
    score_rows: int
    width: int
    lanes: int
    orders: int = 1

    @property
    def places(self) -> int:
        """G K, racers of one call."""
        return self.width * self.lanes

    @property
    def steps(self) -> int:
        """S, the most steps of one call, which one lane makes; more lanes make fewer."""
        return call_steps(self.structure, self.width, 1, self.orders)

    @property
    def settings(self) -> int:
        """Numbers of a rule, at most."""
        return max(kind.num_leaves for kind in self.rules)

    @cached_property
    def start(self) -> tuple[Tree, Tree]:
        """(weights, memory) of some racer before its first step."""
        weights, memory = self.structure.net.init(np.random.default_rng(0))
        return self.structure.net.widened(weights, self.x[1]), memory

    @cached_property
    def room(self) -> Room:
        """The room for the rules' memories."""
        return Room(self.rules, self.structure.net, self.start[0])

    def parts(self) -> list[tuple[Callable[..., Any], tuple[Any, ...], Any]]:
        """(function, example arguments, the tree of its answer) of each executable, in the order of `Program`."""
        place, data = np.int32(0), Data(seats.blank(self.x), seats.blank(self.y))
        room, lanes = self.room, (self.width, self.lanes)
        rows = lambda *shape: np.zeros((self.orders, *shape), np.int32)  # noqa: E731
        stacked = lambda tree: jax.tree.map(lambda a: np.stack([a] * self.places), tree)  # noqa: E731
        state = stacked(State(*self.start, room.empty()))
        knobs = stacked(empty_knobs(self.structure, self.x[1], self.settings))
        one, rates = np.int32(1), np.full((self.places, self.steps), 1e-3, np.float32)
        walk = (place, one, one, one, state, knobs, rates, rows(self.steps, self.structure.batch_size), data)
        look = (one, state.weights, state.memory, knobs, rows(*score_shape(self.score_rows)), data.x)
        tree = jax.tree.structure
        made = [
            (build_advance(self.structure, room, *lanes), walk, tree(state)),
            (build_score(self.structure, *lanes), look, tree(0)),
        ]
        if room.averaging:
            seen = (place, one, state, knobs, rows(REESTIMATED, self.structure.batch_size), data)
            made.append((build_average(self.structure, room, *lanes), seen, tree(state[:2])))
        return made

    def program(self, executables: Sequence[Callable[..., Any]], seconds: float) -> Program:
        """The program that these executables are."""
        advance, score, *average = executables
        shape = score_shape(self.score_rows)
        return Program(
            self.structure, self.room, self.width, self.lanes, self.orders, self.steps, self.settings, shape, advance,
            score, average[0] if average else None, seconds,
        )  # fmt: skip

    def key(self, platform: str) -> str:
        """The name under which the program is kept; "" where it must not be: on other devices, or where a rule is a
        Python object or of a class that is not Slalom's own, which have no name that lasts."""
        kinds = [str(kind) for kind in self.rules]
        if platform != "cpu" or any("0x" in kind for kind in kinds) or not all(map(_ours, self.rules)):
            return ""
        about = (
            *(self.structure, kinds, self.x, self.y, self.score_rows, self.width, self.lanes, self.orders, self.steps),
            compiler_options(),
            *(jax.__version__, jaxlib.__version__, version("optax") if "FromOptax" in str(kinds) else ""),
            *[getattr(jax.config, name) for name in ("jax_enable_x64", "jax_default_matmul_precision")],
            *(os.environ.get("XLA_FLAGS"), machine(), processor(), seats.has_own(), SOURCE),
        )
        return hashlib.blake2b(repr(about).encode(), digest_size=20).hexdigest()


class Programs:
    """The program of a blueprint, at every seat where it is asked for: compiled at the first, loaded at the others. A
    thread where it can be neither loaded nor compiled joins the first one's seat: slower, and the same bits."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self._made: dict[Any, Program] = {}
        self._home: Any = None  # the first device
        self._kept: list[bytes] = []  # the executables as bytes
        self.troubles: dict[Any, Exception] = {}  # why a device does not have it
        self.seconds = 0.0  # until the first seat had the program
        self._lock = threading.Lock()

    def here(self) -> Program:
        """The program at this thread's seat."""
        device = seats.device()
        made = self._made.get(device)
        if made is None:
            with self._lock:  # the others wait for the first
                if not self._made:
                    first = self._first(device)
                    self._made[device], self._home, self.seconds = first, device, first.seconds
            made = self._made.get(device) or self._next(device)
        return made

    def _first(self, device: Any) -> Program:
        """The program out of the cache where a trial shows that it does what it did, else compiled."""
        began, blueprint = time.perf_counter(), self.blueprint
        key = blueprint.key(device.platform)
        digest, *kept = (cache.read(key) if key else None) or [b""]
        if kept:
            program = _loaded(blueprint, kept, device, began)
            if program and trial(program, blueprint, device) == digest:
                self._kept = kept
                return program
            cache.forget(key)
        executables = _compiled(blueprint, device)
        seats.give_back()  # what the compiler used
        program = blueprint.program(executables, time.perf_counter() - began)
        self._kept = _serialised(executables) if device.platform == "cpu" else []  # elsewhere there is one seat
        if key and self._kept and (digest := trial(program, blueprint, device)):
            cache.write(key, [digest, *self._kept])
        return program

    def _next(self, device: Any) -> Program:
        """The program at another seat than the first, or at that one, which this thread joins."""
        if device not in self.troubles:
            try:
                return self._made.setdefault(device, self._again(device))
            except Exception as error:  # noqa: BLE001 - whatever is the matter here: it was well there
                self.troubles[device] = error
        seats.join(self._home)
        return self._made[self._home]

    def _again(self, device: Any) -> Program:
        """The program for another device: loaded, else compiled."""
        began = time.perf_counter()
        if self._kept and (loaded := _loaded(self.blueprint, self._kept, device, began)):
            return loaded
        return self.blueprint.program(_compiled(self.blueprint, device), time.perf_counter() - began)


def _ours(kind: Kind) -> bool:
    """Whether a rule and the rules inside it are Slalom's own: of the text that `SOURCE` is the hash of."""
    about = kind.node_data()
    own = about is None or about[0].__module__.startswith(("slalom.", "builtins"))
    return own and all(map(_ours, kind.children()))


def _compiled(blueprint: Blueprint, device: Any) -> list[Callable[..., Any]]:
    """The executables, compiled for a device."""
    where = jax.sharding.SingleDeviceSharding(device)
    shape = lambda a: jax.ShapeDtypeStruct(np.shape(a), np.asarray(a).dtype, sharding=where)  # noqa: E731
    lowered = [jax.jit(build).lower(*jax.tree.map(shape, given)) for build, given, _ in blueprint.parts()]
    return [one.compile(compiler_options=compiler_options(device.platform)) for one in lowered]


def _serialised(executables: Sequence[Any]) -> list[bytes]:
    """The executables as bytes; [] where JAX cannot do that."""
    try:
        return [serialize_executable.serialize(one)[0] for one in executables]
    except Exception:  # noqa: BLE001 - whatever is the matter, the other seats compile for themselves
        return []


def _loaded(blueprint: Blueprint, kept: Sequence[bytes], device: Any, began: float) -> Program | None:
    """The program from its bytes; None where they do not load."""
    try:
        executables = [
            serialize_executable.deserialize_and_load(
                blob, jax.tree.structure((given, {})), answer, backend=device.client, execution_devices=[device]
            )
            for blob, (_, given, answer) in zip(kept, blueprint.parts(), strict=True)
        ]
    except Exception:  # noqa: BLE001 - whatever is the matter, it is compiled anew
        return None
    return blueprint.program(executables, time.perf_counter() - began)


def trial(program: Program, blueprint: Blueprint, device: Any) -> bytes:
    """A digest of one step of every rule, of a score and of an average, from made-up numbers: the same wherever the
    program does the same. b"" where it does not run."""
    made = hashlib.blake2b(digest_size=16)
    try:
        walk, look, *rest = (given for _, given, _ in blueprint.parts())
        knobs = jax.tree.map(lambda a: np.full_like(a, 0.5) if a.dtype == np.float32 else a, walk[5])
        calls: list[tuple[Callable[..., Any], Any]] = []
        calls += [(program.advance, (np.int32(i), *walk[1:5], knobs, *walk[6:])) for i in range(len(blueprint.rules))]
        calls.append((program.score, (*look[:3], knobs, *look[4:])))
        for seen in rest:
            assert program.average
            calls.append((program.average, (*seen[:3], knobs, *seen[4:])))
        for call, given in calls:
            for leaf in jax.tree.leaves(call(*jax.device_put(given, device))):
                made.update(np.ascontiguousarray(leaf).tobytes())
    except Exception:  # noqa: BLE001 - a program that does not run is compiled anew
        return b""
    return made.digest()


def compiler_options(platform: str = "cpu") -> dict[str, Any] | None:
    """Options of the one executable (never global XLA flags).

    LLVM's first level of optimisation gives programs up to 9 % faster than its third, and compiles them in 70-90 %
    of the time (the loops are vectorised before LLVM sees them). The analysis of regions saves copies of the weights,
    2-4 %. Wide vectors where the processor has them: 2-4 % of small nets.
    """
    if platform != "cpu":
        return None
    options = {"xla_backend_optimization_level": 1, "xla_cpu_copy_insertion_use_region_analysis": True}
    return options | ({"xla_cpu_prefer_vector_width": 512} if "avx512f" in processor() else {})


@functools.cache
def processor() -> str:
    """Model and abilities of the processor, as Linux tells them; "" elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return ""
    return " ".join(re.findall(r"^(?:model name|flags|Features)\s*: (.*)$", text.partition("\n\n")[0], re.MULTILINE))


def _source() -> str:
    """A hash of Slalom's own text: a program is as old as the code that it was compiled from."""
    made = hashlib.blake2b(digest_size=16)
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        made.update(file.read_bytes())
    return made.hexdigest()


SOURCE = _source()  # read while the code is loaded: it may be replaced while this process runs
