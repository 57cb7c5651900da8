"""Lanes: K racers of one structure and one rule, advanced by one call. The one door for the racer axis."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slalom.net import Net
from slalom.step import Kind, Knobs, State, Structure, outputs, rebuilt, reestimated, seen, step, to_score
from slalom.types import Array, Tree

SCORE_CHUNK = 1024  # rows scored at once: a larger chunk leaves the cache
REESTIMATED = 16  # batches that batch norm's averages are gathered from anew


def width(structure: Structure, device: str = "") -> int:
    """K, the racers of a lane: a pure function of the structure and the kind of device."""
    work = structure.batch_size * max(structure.net.sizes)
    if (device or jax.default_backend()) != "cpu":
        return max(8, min(1024, 2**24 // work))
    return 1 if work > 8192 else 2 if work > 4096 else 4 if work > 2048 else 8


def call_steps(structure: Structure, lanes: int) -> int:
    """S, the most steps of one call: about 50 ms of work, and at most 8 MB of row numbers."""
    seconds = lanes * (structure.net.flops(structure.batch_size) / 1e11 + 2e-6 * (structure.net.depth + 1))
    by_memory = 2**21 // (lanes * structure.batch_size)
    return int(max(1, min(0.05 / seconds, by_memory, 4096)))


class Room:
    """Room for the memory of any one of several rules: of each shape the most arrays that one of them needs.

    So that all branches of a program hand on the same arrays, whichever rule a lane is of.
    """

    def __init__(self, rules: Sequence[Kind], net: Net, weights: Tree) -> None:
        self.rules = tuple(rules)
        self.shapes: list[tuple[tuple[int, ...], Any]] = []
        self.places: dict[Kind, list[int]] = {}
        self.structures: dict[Kind, Any] = {}
        self.averaging: set[Kind] = set()  # those that are scored with other weights than they step with
        for kind in rules:
            rule = rebuilt(kind, jnp.zeros(kind.num_leaves))
            own = seen(net, rule, weights)
            memory = jax.eval_shape(rule.init, own)
            leaves, self.structures[kind] = jax.tree.flatten(memory)
            used: Counter[tuple[tuple[int, ...], Any]] = Counter()
            self.places[kind] = [self._place((leaf.shape, leaf.dtype), used) for leaf in leaves]
            if scores_other_weights(rule, own, memory):
                self.averaging.add(kind)

    def _place(self, shape: tuple[tuple[int, ...], Any], used: Counter) -> int:
        mine = [i for i, known in enumerate(self.shapes) if known == shape]
        used[shape] += 1
        if used[shape] > len(mine):
            self.shapes.append(shape)
            return len(self.shapes) - 1
        return mine[used[shape] - 1]

    def empty(self) -> tuple[Array, ...]:
        """The arrays, all zero."""
        return tuple(np.zeros(shape, dtype) for shape, dtype in self.shapes)

    def unpack(self, kind: Kind, arrays: Sequence[Array]) -> Tree:
        """A rule's memory out of the arrays."""
        return jax.tree.unflatten(self.structures[kind], [arrays[i] for i in self.places[kind]])

    def pack(self, kind: Kind, memory: Tree, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The arrays with a rule's memory in its places."""
        packed = list(arrays)
        for i, leaf in zip(self.places[kind], jax.tree.leaves(memory), strict=True):
            packed[i] = leaf
        return tuple(packed)


def scores_other_weights(rule: Any, weights: Tree, memory: Tree) -> bool:
    """Whether a rule's `weights_to_score` answers with anything but the weights that it is given."""
    other = []

    def look(weights: Tree, memory: Tree) -> None:
        scored = jax.tree.leaves(rule.weights_to_score(weights, memory))
        other.append(any(a is not b for a, b in zip(scored, jax.tree.leaves(weights), strict=True)))

    jax.eval_shape(look, weights, memory)
    return other[0]


class Data(NamedTuple):
    """The data on the device: one copy for all racers."""

    x: Array  # [V N, D] float32: V stored variants of the columns, one below the other
    y: Array  # [N] float32: standardised target, 0/1, or class codes


@dataclass(frozen=True)
class Program:
    """The executables of one structure: all rules of the race in one, one that scores, and one that averages."""

    structure: Structure
    room: Room
    lanes: int  # K
    steps: int  # S, the most of one call
    settings: int  # numbers of a rule, at most
    score_shape: tuple[int, int]  # (chunks, rows of a chunk)
    advance: Callable[..., State]
    score: Callable[..., Array]
    average: Callable[..., tuple[Tree, Tree]] | None  # (weights, memory) to score; None where no rule averages
    seconds: float  # of compiling

    def rule_index(self, kind: Kind) -> int:
        """Where a rule stands in the program's switch."""
        return self.room.rules.index(kind)


def each_racer(one: Callable[..., Any], lanes: int) -> Callable[..., Any]:
    """`one`, written for one racer, over the racer axis of all its arguments. A lane of one has no axis at all inside:
    25-30 % faster on the larger nets."""
    if lanes > 1:
        return jax.vmap(one)
    strip = lambda tree: jax.tree.map(lambda a: a[0], tree)  # noqa: E731
    return lambda *args: jax.tree.map(lambda a: a[None], one(*[strip(arg) for arg in args]))


def build_advance(structure: Structure, room: Room, lanes: int) -> Callable[..., State]:
    """The program that takes K racers of one rule some steps further.

    The switch over the rules stands outside the step loop, so a lane pays for its own rule alone.
    """

    def advance(rule, count, t, state, knobs, rates, rows, data):
        # rule, count, t: [] int32. rates: [K, S]. rows: [K, S, B] int32.
        def branch(kind: Kind) -> Callable[[State], State]:
            def one(state: State, knobs: Knobs, rate: Array, rows: Array, t: Array) -> State:
                own = rebuilt(kind, knobs.settings)
                before = state._replace(rule=room.unpack(kind, state.rule))
                after = step(structure, own, before, knobs, t, rate, rows, data.x, data.y)
                return after._replace(rule=room.pack(kind, after.rule, state.rule))

            def first(state: State, knobs: Knobs) -> tuple[Array, ...]:
                own = rebuilt(kind, knobs.settings)
                return room.pack(kind, own.init(seen(structure.net, own, state.weights)), state.rule)

            def run(state: State, knobs: Knobs, rates: Array, rows: Array) -> State:
                # Before step 1 the memory is the rule's own; on the host each racer would pay milliseconds for it.
                fresh = lifted(first)(state, knobs)
                state = state._replace(rule=jax.tree.map(partial(jnp.where, t == 1), fresh, state.rule))

                def body(i: Array, state: State) -> State:
                    pick = lambda table: jax.lax.dynamic_index_in_dim(table, i, axis=rates.ndim - 1, keepdims=False)  # noqa: E731
                    return lifted(one, (0, 0, 0, 0, None))(state, knobs, pick(rates), pick(rows), t + i)

                return jax.lax.fori_loop(0, count, body, state)

            return lambda state: whole(run)(state, knobs, rates, rows)

        return jax.lax.switch(rule, [branch(kind) for kind in room.rules], state)

    def lifted(f, axes=0):
        return jax.vmap(f, in_axes=axes) if lanes > 1 else f

    def whole(f):
        return f if lanes > 1 else each_racer(f, 1)

    return advance


def build_score(structure: Structure, lanes: int) -> Callable[..., Array]:
    """The program that answers the outputs [K, C, M] of K racers for rows [K, chunks, M / chunks]."""

    def score(weights, memory, knobs, rows, x):
        def one(weights, memory, knobs, rows):
            chunks = jax.lax.map(lambda r: outputs(structure, weights, memory, knobs, r, x), rows)
            return jnp.moveaxis(chunks, 0, 1).reshape(structure.net.outputs, -1)

        return each_racer(one, lanes)(weights, memory, knobs, rows)

    return score


def build_average(structure: Structure, room: Room, lanes: int) -> Callable[..., tuple[Tree, Tree]]:
    """The program that answers the (weights, memory) that K racers of one rule are scored with.

    Where those are not the weights of the last step, batch norm's averages are gathered anew on rows [K, M, B].
    """

    def average(rule, state, knobs, rows, data):
        def branch(kind: Kind) -> Callable[[State], tuple[Tree, Tree]]:
            def one(state: State, knobs: Knobs, rows: Array) -> tuple[Tree, Tree]:
                own = rebuilt(kind, knobs.settings)
                weights = to_score(structure.net, own, state.weights, room.unpack(kind, state.rule))
                if structure.net.normalisation != "batch_norm":
                    return weights, state.memory
                return weights, reestimated(structure, weights, state.memory, knobs, rows, data.x)

            if kind not in room.averaging:
                return lambda state: (state.weights, state.memory)
            return lambda state: each_racer(one, lanes)(state, knobs, rows)

        return jax.lax.switch(rule, [branch(kind) for kind in room.rules], state)

    return average


def compiler_options() -> dict[str, Any] | None:
    """Options of the one executable (never global XLA flags).

    LLVM's first level of optimisation gives programs 3-9 % faster than its third, and compiles them in 70-90 % of
    the time (the loops are vectorised before LLVM sees them); wide vectors where the processor has them.
    """
    if jax.default_backend() != "cpu":
        return None
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="ignore") as file:
            wide = "avx512f" in file.read()
    except OSError:
        wide = False
    options = {"xla_backend_optimization_level": 1, "xla_cpu_copy_insertion_use_region_analysis": True}
    return options | ({"xla_cpu_prefer_vector_width": 512} if wide else {})


def compile_program(
    structure: Structure, rules: Sequence[Kind], data: Data, score_rows: int, lanes: int | None = None
) -> Program:
    """Compile the executables of a structure for the rules of a race. score_rows: how many rows a score takes."""
    start = time.perf_counter()
    lanes = lanes or width(structure)
    steps = call_steps(structure, lanes)
    weights, memory = structure.net.init(np.random.default_rng(0))
    columns = data.x.shape[1]
    weights = structure.net.widened(weights, columns)
    room = Room(rules, structure.net, weights)
    count = max(kind.num_leaves for kind in rules)
    stacked = lambda tree: jax.tree.map(  # noqa: E731
        lambda a: jax.ShapeDtypeStruct((lanes, *np.shape(a)), np.asarray(a).dtype), tree
    )
    whole = jax.ShapeDtypeStruct((), np.int32)
    rates = jax.ShapeDtypeStruct((lanes, steps), np.float32)
    table = lambda *shape: jax.ShapeDtypeStruct((lanes, *shape), np.int32)  # noqa: E731
    rows, shape = table(steps, structure.batch_size), score_shape(score_rows)
    state, knobs = stacked(State(weights, memory, room.empty())), stacked(empty_knobs(columns, count))
    lowered = [
        jax.jit(build_advance(structure, room, lanes)).lower(whole, whole, whole, state, knobs, rates, rows, data),
        jax.jit(build_score(structure, lanes)).lower(state.weights, state.memory, knobs, table(*shape), data.x),
    ]
    if room.averaging:
        seen = table(REESTIMATED, structure.batch_size)
        lowered.append(jax.jit(build_average(structure, room, lanes)).lower(whole, state, knobs, seen, data))
    made = [one.compile(compiler_options=compiler_options()) for one in lowered]
    average = made[2] if room.averaging else None
    return Program(structure, room, lanes, steps, count, shape, made[0], made[1], average, time.perf_counter() - start)


def empty_knobs(columns: int, settings: int) -> Knobs:
    """The numbers of a racer, all zero: their shapes and types."""
    vector, zero, place = np.zeros(columns, np.float32), np.float32(0), np.int32(0)
    return Knobs(
        centre=vector, factor=vector, squash=zero, table=place, target=place, key=np.uint32(0), dropout=zero,
        penalty=zero, l1=zero, smoothing=zero, settings=np.zeros(settings, np.float32),
    )  # fmt: skip


def score_shape(rows: int) -> tuple[int, int]:
    """(chunks, rows of a chunk) that hold so many rows, at most SCORE_CHUNK each, with little waste.

    >>> score_shape(2500), score_shape(40)
    ((3, 848), (1, 48))
    """
    chunks = max(1, -(-rows // SCORE_CHUNK))
    return chunks, -(-rows // (chunks * 16)) * 16
