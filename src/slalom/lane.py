"""Lanes: K racers of one structure and one rule, side by side in one program. The one door for the racer axis."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slalom.cost import step_seconds
from slalom.losses import number_shape
from slalom.room import Room
from slalom.seats import kind_of_device
from slalom.step import Kind, Knobs, State, Structure, outputs, rebuilt, reestimated, seen, step, to_score
from slalom.types import Array, Tree

SCORE_CHUNK = 1024  # rows scored at once: a larger chunk leaves the cache
CALL_SECONDS = 0.05  # of work that one call is about
MOST_LANES = 16  # of one call
MOST_STEPS = {True: 4096, False: 256}  # of one call, on a CPU and on another device
MOST_ORDERS = 8  # of rows, in one call
REESTIMATED = 16  # batches that batch norm's averages are gathered from anew


def width(structure: Structure, device: str = "", racers: int = 2**24) -> int:
    """K, the racers of a lane: a pure function of the structure, the kind of device and, where that is no CPU, of how
    many racers there are for it.

    On a CPU narrow lanes: a step of a lane costs 5 µs beside its arithmetic, so that tiny nets share it, but places
    without a racer cost as much as others. 2 x 64, batch 64, takes 90 % as many steps a second in lanes of two as in
    lanes of four; in a race that drops racers 92 % of the places of the former are used and 82 % of the latter.
    Other devices have thousands of cores to fill and start every part of a step anew: wide lanes.
    """
    net = structure.net
    work = structure.batch_size * max(net.sizes if net.depth else net.sizes[1:])
    if not on_cpu(device):
        return min(max(8, min(1024, 2**24 // work)), 2 ** (racers - 1).bit_length())
    return 1 if work > 8192 else 2 if work > 4096 else 4 if work > 512 else 8


def on_cpu(device: str = "") -> bool:
    """Whether a kind of device, or the one that JAX uses, is a CPU."""
    return (device or kind_of_device()) == "cpu"


def call_lanes(structure: Structure, width: int, epoch: int, device: str = "") -> int:
    """G, the most lanes that one call advances, one after the other, where an epoch has so many steps: as many as make
    an epoch of them all CALL_SECONDS of work. What a call costs on the host is then shared by all of them. On other
    devices than a CPU lanes are wide instead."""
    if not on_cpu(device):
        return 1
    lanes = CALL_SECONDS / (width * epoch * step_seconds(structure, width))
    return 2 ** int(np.log2(min(max(lanes, 1), MOST_LANES)))


def call_steps(structure: Structure, width: int, lanes: int, orders: int = 1, device: str = "") -> int:
    """S, the most steps of one call: on a CPU about CALL_SECONDS of work; at most 8 MB of row numbers."""
    cpu = on_cpu(device)
    by_time = CALL_SECONDS / (width * lanes * step_seconds(structure, width)) if cpu else np.inf
    return int(max(1, min(by_time, 2**21 // (orders * structure.batch_size), MOST_STEPS[cpu])))


class Data(NamedTuple):
    """The data on the device: one copy for all racers."""

    x: Array  # [V N, D] float32: V stored variants of the columns, one below the other
    y: Array  # [N] float32: standardised target, 0/1, or class codes


def each_racer(one: Callable[..., Any], width: int, axes: Any = 0) -> Callable[..., Any]:
    """`one`, written for one racer, for the K racers of a lane (`axes`: None for an argument without a racer axis).

    Inside the program of a lane of one there is no racer axis at all: see `each_lane`.
    """
    return jax.vmap(one, in_axes=axes) if width > 1 else one


def each_lane(run: Callable[..., Any], width: int, lanes: int) -> Callable[..., Any]:
    """(filled, answer, *given) -> answer: `run` on the first `filled` of G lanes, one after the other.

    given: trees [G K, …] that `run` takes lane by lane; answer: a tree [G K, …] that its answers are put into. A lane
    of one is handed to `run` without its racer axis: around the whole step loop, since inside it XLA copied every array
    once a step, 13 % of 3 x 128, batch 256.
    """

    def answered(filled: Array, answer: Any, *given: Any) -> Any:
        def body(g: Array, answer: Any) -> Any:
            take = lambda a: jax.lax.dynamic_slice_in_dim(a, g * width, width)  # noqa: E731
            mine = jax.tree.map(take, given)
            if width == 1:
                mine = jax.tree.map(lambda a: a[0], mine)
            put = lambda a, b: jax.lax.dynamic_update_slice_in_dim(a, b if width > 1 else b[None], g * width, 0)  # noqa: E731
            return jax.tree.map(put, answer, run(*mine))

        return jax.lax.fori_loop(0, filled, body, answer) if lanes > 1 else body(jnp.int32(0), answer)

    return answered


def ordered(rows: Array, knobs: Knobs) -> Array:
    """The rows [...] of a racer out of those of a call [U, ...]: racers of one fold go through them in one order."""
    return rows[knobs.order] if rows.shape[0] > 1 else rows[0]


def build_advance(structure: Structure, room: Room, width: int, lanes: int) -> Callable[..., State]:
    """The program that takes racers of one rule some steps further: G lanes of K, one lane after the other.

    The switch over the rules stands outside the step loop, so a lane pays for its own rule alone.
    """

    def advance(rule, count, t, filled, state, knobs, rates, rows, data):
        # rule, count, t, filled: [] int32. rates: [G K, S]. rows: [U, S, B] int32.
        def branch(kind: Kind) -> Callable[[State], State]:
            def one(state: State, knobs: Knobs, rate: Array, rows: Array, t: Array) -> State:
                own = rebuilt(kind, knobs.settings)
                before = state._replace(rule=room.unpack(kind, state.rule))
                after = step(structure, own, before, knobs, t, rate, ordered(rows, knobs), data.x, data.y)
                return after._replace(rule=room.pack(kind, after.rule, state.rule))

            def first(state: State, knobs: Knobs) -> tuple[Array, ...]:
                own = rebuilt(kind, knobs.settings)
                return room.pack(kind, own.init(seen(structure.net, own, state.weights)), state.rule)

            def run(state: State, knobs: Knobs, rates: Array) -> State:
                # Before step 1 the memory is the rule's own; on the host each racer would pay milliseconds for it.
                fresh = each_racer(first, width)(state, knobs)
                state = state._replace(rule=jax.tree.map(partial(jnp.where, t == 1), fresh, state.rule))
                every = each_racer(one, width, axes=(0, 0, 0, None, None))

                def body(i: Array, state: State) -> State:
                    pick = lambda table, axis: jax.lax.dynamic_index_in_dim(table, i, axis, keepdims=False)  # noqa: E731
                    return every(state, knobs, pick(rates, rates.ndim - 1), pick(rows, 1), t + i)

                return jax.lax.fori_loop(0, count, body, state)

            return lambda state: each_lane(run, width, lanes)(filled, state, state, knobs, rates)

        return jax.lax.switch(rule, [branch(kind) for kind in room.rules], state)

    return advance


def build_score(structure: Structure, width: int, lanes: int) -> Callable[..., Array]:
    """The program that answers the outputs [G K, C, M] of racers for rows [U, chunks, M / chunks]."""

    def score(filled, weights, memory, knobs, rows, x):
        def one(weights, memory, knobs):
            chunks = jax.lax.map(lambda r: outputs(structure, weights, memory, knobs, r, x), ordered(rows, knobs))
            return jnp.moveaxis(chunks, 0, 1).reshape(structure.net.outputs, -1)

        answer = jnp.zeros((width * lanes, structure.net.outputs, rows.shape[1] * rows.shape[2]), jnp.float32)
        return each_lane(each_racer(one, width), width, lanes)(filled, answer, weights, memory, knobs)

    return score


def build_average(structure: Structure, room: Room, width: int, lanes: int) -> Callable[..., tuple[Tree, Tree]]:
    """The program that answers the (weights, memory) that racers of one rule are scored with.

    Where those are not the weights of the last step, batch norm's averages are gathered anew on rows [U, M, B].
    """

    def average(rule, filled, state, knobs, rows, data):
        def branch(kind: Kind) -> Callable[[State], tuple[Tree, Tree]]:
            def one(state: State, knobs: Knobs) -> tuple[Tree, Tree]:
                own = rebuilt(kind, knobs.settings)
                memory = room.unpack(kind, state.rule)
                weights = to_score(structure.net, own, state.weights, memory, data.x.shape[1])
                if structure.net.normalisation != "batch_norm":
                    return weights, state.memory
                return weights, reestimated(structure, weights, state.memory, knobs, ordered(rows, knobs), data.x)

            if kind not in room.averaging:
                return lambda state: (state.weights, state.memory)
            every = each_lane(each_racer(one, width), width, lanes)
            return lambda state: every(filled, (state.weights, state.memory), state, knobs)

        return jax.lax.switch(rule, [branch(kind) for kind in room.rules], state)

    return average


def empty_knobs(structure: Structure, columns: int, settings: int) -> Knobs:
    """The numbers of a racer, all zero: their shapes and types."""
    shape = number_shape(structure.loss, structure.net.outputs)
    vector, zero, place = np.zeros(columns, np.float32), np.float32(0), np.int32(0)
    return Knobs(
        centre=vector, factor=vector, squash=zero, table=place, target=place, order=place, key=np.uint32(0),
        dropout=zero, penalty=zero, l1=zero, smoothing=zero, loss=np.zeros(shape, np.float32),
        settings=np.zeros(settings, np.float32),
    )  # fmt: skip


def score_shape(rows: int) -> tuple[int, int]:
    """(chunks, rows of a chunk) that hold so many rows, at most SCORE_CHUNK each, with little waste.

    >>> score_shape(2500), score_shape(40)
    ((3, 848), (1, 48))
    """
    chunks = max(1, -(-rows // SCORE_CHUNK))
    return chunks, -(-rows // (chunks * 16)) * 16
