"""The walk of a rule down a function, or over data: one compiled program, every point written down."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slalom.rules import Rule
from slalom.schedules.base import Listener
from slalom.types import Array, Tree


@dataclass(frozen=True, eq=False)
class Path:
    """Where a descent went, as NumPy arrays; P points, the first of them the start, the last of them the end.

    With `every=1` there is a point before each of the T steps and one after the last: P = T + 1. Where the parameters
    are a tree, so are `parameters`, `gradients` and `scored`.
    """

    parameters: Tree  # [P, …]
    losses: Array  # [P] at the parameters; over data [P - 1]: the loss of the batch that the next step saw
    gradients: Tree  # [P, …] at the parameters; over data [P - 1, …], of the same batch
    scored: Tree  # [P, …] the weights that a score is taken with: the parameters, for most rules
    steps: Array  # [P] how many steps were done before each point
    rates: Array  # [T] the learning rate of each step
    epoch_losses: Array | None = None  # over data: [epochs + 1] the loss of all rows at the scored weights
    remark: str = ""  # what the rule says about how it went


class _Seen(NamedTuple):
    """What is recorded: a row for each point that is kept."""

    parameters: Tree
    scored: Tree  # None where they are the parameters
    losses: Array
    gradients: Tree


class _State(NamedTuple):
    w: Tree
    memory: Tree
    seen: _Seen


def _written(seen: _Seen, row: Array, point: _Seen) -> _Seen:
    """A point in its row; a row beyond the record is not written."""
    return jax.tree.map(lambda rows, now: rows.at[row].set(now.astype(rows.dtype), mode="drop"), seen, point)


def _stretch(f: Callable[..., Any], rule: Rule, batch: int, every: int) -> Callable[..., _State]:
    """The program of one stretch: steps of a function, or one epoch over data in the order given."""
    value_and_gradient = jax.value_and_grad(f)

    def one(state: _State, t: Array, rate: Array, rows: tuple[Array, ...]) -> _State:
        w, memory, seen = state
        loss, gradient = value_and_gradient(w, *rows)
        row = jnp.where(t % every == 0, t // every, len(seen.losses))
        seen = _written(seen, row, _Seen(w, _scored(rule, w, memory), loss, gradient))
        delta, memory = rule.step(gradient, memory, w, t=t + 1, rate=rate)
        return _State(jax.tree.map(lambda p, d: (p + d).astype(p.dtype), w, delta), memory, seen)

    def program(seen: _Seen, w: Tree, memory: Tree, first: Array, rates: Array, held: Any, order: Any) -> _State:
        def step(state: _State, now: tuple[Array, Array, Array | None]) -> tuple[_State, None]:
            t, rate, rows = now
            return one(state, t, rate, taken(rows)), None

        def taken(rows: Array | None) -> tuple[Array, ...]:
            return held if rows is None else tuple(array[rows] for array in held)

        ts, state = first + jnp.arange(len(rates)), _State(w, memory, seen)
        if order is None:
            return jax.lax.scan(step, state, (ts, rates, None))[0]
        whole = len(order) // batch
        batches = order[: whole * batch].reshape(whole, batch)
        state, _ = jax.lax.scan(step, state, (ts[:whole], rates[:whole], batches))
        if len(order) % batch:  # the short last batch of an epoch
            state = one(state, ts[-1], rates[-1], taken(order[whole * batch :]))
        return state

    return jax.jit(program, donate_argnums=0)


def walked(
    f: Callable[..., Any],
    rule: Rule,
    w: Tree,
    rates: Array,
    stretch: int,
    held: tuple[Array, ...],
    batch: int,
    order_of: Callable[[int], Array] | None,
    listener: Listener | None,
    every: int,
) -> Path:
    """Stretch after stretch of steps; over `held` data a stretch is an epoch, with the loss of all rows after it."""
    points, rates = -(-len(rates) // every) + 1, rates.copy()
    of_all, memory = jax.jit(f), rule.init(w)
    program, state = _stretch(f, rule, batch, every), _State(w, memory, _blank(f, rule, w, memory, held, points))
    score = lambda: float(of_all(rule.weights_to_score(state.w, state.memory), *held))  # noqa: E731
    epoch_losses = [score()] if held else None
    heard = listener.start() if listener else None
    for number, first in enumerate(range(0, len(rates), stretch)):
        now = slice(first, first + stretch)
        if heard is not None:
            rates[now] *= heard.factor
        given = jnp.asarray(rates[now], jnp.result_type(*jax.tree.leaves(w)))
        order = None if order_of is None else order_of(number)
        state = program(state.seen, state.w, state.memory, first, given, held, order)
        cost = score() if held or listener else math.nan
        if epoch_losses is not None:
            epoch_losses.append(cost)
        if listener:
            heard = listener.observe(heard, first + stretch, cost, len(rates))
    return _path(f, rule, state, rates, epoch_losses, every)


def _blank(f: Callable[..., Any], rule: Rule, w: Tree, memory: Tree, held: tuple[Array, ...], points: int) -> _Seen:
    """An empty record, of zeros, with a row for each point."""

    def point(w: Tree, memory: Tree, *rows: Array) -> _Seen:
        loss, gradient = jax.value_and_grad(f)(w, *rows)
        return _Seen(w, _scored(rule, w, memory), loss, gradient)

    shapes = jax.eval_shape(point, w, memory, *held)
    return jax.tree.map(lambda a: jnp.zeros((points, *a.shape), a.dtype), shapes)


def _path(
    f: Callable[..., Any], rule: Rule, state: _State, rates: Array, epoch_losses: list[float] | None, every: int
) -> Path:
    """The record on the host, with the end of the walk in its last row."""
    points = len(state.seen.losses)
    if epoch_losses is None:
        loss, gradient = jax.jit(jax.value_and_grad(f))(state.w)
    else:  # over data: the end has no batch, and its row is left out
        loss, gradient = jnp.zeros(()), jax.tree.map(jnp.zeros_like, state.w)
    end = _Seen(state.w, _scored(rule, state.w, state.memory), loss, gradient)
    seen = jax.tree.map(np.array, _written(state.seen, points - 1, end))
    known = points if epoch_losses is None else points - 1
    return Path(
        parameters=seen.parameters,
        losses=seen.losses[:known],
        gradients=jax.tree.map(lambda a: a[:known], seen.gradients),
        scored=seen.parameters if seen.scored is None else seen.scored,
        steps=np.minimum(np.arange(points) * every, len(rates)),
        rates=rates,
        epoch_losses=None if epoch_losses is None else np.array(epoch_losses),
        remark=rule.remark(jax.tree.map(np.asarray, state.memory)),
    )


def _scored(rule: Rule, w: Tree, memory: Tree) -> Tree:
    """The weights to score; None where a rule has no others than the parameters, which are then kept once."""
    return None if type(rule).weights_to_score is Rule.weights_to_score else rule.weights_to_score(w, memory)


def orders(rows: int, batch: int, shuffle: bool, seed: int) -> Callable[[int], Array] | None:
    """The order of the rows in an epoch; None where every step sees them all, as they lie."""
    if batch == rows:
        return None
    drawn = lambda epoch: np.random.default_rng([seed, epoch]).permutation(rows)  # noqa: E731
    return lambda epoch: jnp.asarray(drawn(epoch) if shuffle else np.arange(rows))
