"""One step of one racer's training, and its outputs, as pure functions of one racer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slalom.layers.batch_norm import BatchNormMemory
from slalom.losses import LOSSES
from slalom.net import Net
from slalom.record import parts_of, settings_of
from slalom.rules import Rule
from slalom.rules.base import Beta
from slalom.types import Array, Tree

Kind = Any  # a jax.tree_util.PyTreeDef


@dataclass(frozen=True)
class Structure:
    """What changes the compiled program: the net, the batch size and the loss."""

    net: Net
    batch_size: int
    loss: str


class State(NamedTuple):
    """What a step changes."""

    weights: Tree
    memory: Tree  # of the layers
    rule: Tree  # memory of the update rule


class Knobs(NamedTuple):
    """A racer's own numbers: what differs between racers of one program, and a step does not change."""

    centre: Array  # [D] of the scaling, in units of the stored X; 0 for its columns of zeros
    factor: Array  # [D] 1 / spread of the scaling; 0 for its columns of zeros
    squash: Array  # [] 1 / clip², 0 where the scaling does not clip
    table: Array  # [] int32 first row of the stored variant of X
    target: Array  # [] int32 first row of the stored variant of y
    order: Array  # [] int32 which of the orders of rows of a call
    key: Array  # [] uint32 of this racer's draws
    dropout: Array  # []
    penalty: Array  # [] λ of the term λ w added to the gradient
    l1: Array  # [] λ₁ of the term λ₁ sign(w) added to the gradient
    smoothing: Array  # [] of the labels
    loss: Array  # [] δ or τ of the loss, or [C] the weights of the classes
    settings: Array  # [S] of the rule, in the order of its fields, betas as 1 − β


def scaled(x: Array, knobs: Knobs) -> Array:
    """Rows of the stored X [B, D] in the racer's scaling: u = (x − centre) factor, then u / √(1 + squash u²)."""
    u = jnp.clip((x - knobs.centre) * knobs.factor, -1e18, 1e18)  # its square stays finite
    return u * jax.lax.rsqrt(1 + knobs.squash * u * u)


def refilled(like: Tree, leaves: Sequence[Array]) -> Tree:
    """A tree like another with these leaves (ValueError where they do not fit)."""
    wanted, shape = jax.tree.flatten(like)
    if [(np.shape(a), np.asarray(a).dtype) for a in wanted] != [(a.shape, a.dtype) for a in leaves]:
        raise ValueError("the arrays of a racer are not those of its net and rule")
    return jax.tree.unflatten(shape, leaves)


def batch_of(net: Net, knobs: Knobs, rows: Array, x: Array) -> Array:
    """Rows [B] of the stored X as the net takes them: scaled, codes as they are, features first; an embedding has no
    columns of zeros."""
    stored = gather(x, rows + knobs.table)
    batch = scaled(stored, knobs).T
    if net.categories:
        codes = stored.T[net.plain : net.inputs]
        batch = jnp.concatenate([batch[: net.plain], codes, batch[net.inputs :]])
    return batch if net.embedding == "none" else batch[: net.inputs]


def seen(net: Net, rule: Rule, tree: Tree) -> Tree:
    """Weights or a gradient as a rule sees them: without the columns of zeros, if those would mean something to it."""
    return tree if rule.ignores_zeros else net.narrowed(tree)


def to_score(net: Net, rule: Rule, weights: Tree, memory: Tree, columns: int) -> Tree:
    """The weights that a rule is scored with, for X with so many columns."""
    return net.widened(rule.weights_to_score(seen(net, rule, weights), memory), columns)


def gather(table: Array, rows: Array) -> Array:
    """Rows of a table; the caller promises that they are there."""
    return table.at[rows].get(mode="promise_in_bounds")


def step(
    structure: Structure, rule: Rule, state: State, knobs: Knobs, t: Array, rate: Array, rows: Array, x: Array, y: Array
) -> State:
    """Step number t (the first is 1) on a batch: rows [B] of x [N, D] and y [N]."""
    net = structure.net
    gradient, memory = gradient_of(structure, state.weights, state.memory, knobs, t, rows, x, y)
    own, mine = seen(net, rule, gradient), seen(net, rule, state.weights)
    delta, carried = rule.step(own, state.rule, mine, t=t.astype(jnp.float32), rate=rate)
    delta = net.widened(delta, x.shape[1])
    return State(jax.tree.map(jnp.add, state.weights, delta), memory, carried)


@partial(jax.jit, static_argnums=0)
def gradient_of(
    structure: Structure, weights: Tree, memory: Tree, knobs: Knobs, t: Array, rows: Array, x: Array, y: Array
) -> tuple[Tree, Tree]:
    """(the gradient of the penalised loss on a batch, the next memory of the layers).

    A function of its own for JAX: all rules of a program share its trace.
    """
    net = structure.net
    batch = batch_of(net, knobs, rows, x)
    targets = gather(y, rows + knobs.target)
    key = (knobs.key ^ (t.astype(jnp.uint32) * jnp.uint32(0x27D4EB2F))) * jnp.uint32(0x165667B1)

    def loss(weights: Tree) -> tuple[Array, Tree]:
        outputs, after = net.apply(weights, memory, batch, training=True, key=key, dropout=knobs.dropout)
        return LOSSES[structure.loss](outputs, targets, knobs.smoothing, knobs.loss), after

    gradient, after = jax.grad(loss, has_aux=True)(weights)
    penalised = lambda g, w: g + (knobs.penalty * w + signed(knobs.l1, w))  # noqa: E731
    return jax.tree.map(penalised, gradient, weights), after


def signed(size: Array, w: Array) -> Array:
    """size · sign(w); `jnp.sign` takes three times as many instructions, 4 % of a step of 2 x 64."""
    return jnp.where(w == 0, 0, jnp.copysign(size, w))


def outputs(structure: Structure, weights: Tree, memory: Tree, knobs: Knobs, rows: Array, x: Array) -> Array:
    """The net's outputs [C, B] for rows [B] of x [N, D], as in prediction."""
    return structure.net.apply(weights, memory, batch_of(structure.net, knobs, rows, x), training=False)[0]


def handed(rule: Rule) -> Rule:
    """The rule as a program gets it: every beta as 1 − β, taken in float64, in rules inside rules as well."""
    betas = {name: Beta(1.0 - getattr(rule, name)) for name, about in settings_of(rule).items() if about["keeps"]}
    inside = {name: handed(getattr(rule, name)) for name in parts_of(rule)}
    return replace(rule, **betas, **inside) if betas or inside else rule  # type: ignore[type-var]


def kind_of(rule: Rule) -> Kind:
    """What a program must know of a rule beside its numbers: its class, and those of the rules inside it."""
    return jax.tree.structure(handed(rule))


def settings_vector(rule: Rule) -> list[float]:
    """A rule's settings as the numbers handed to a program: float64, in the order of the fields, betas as 1 − β."""
    return [float(number) for number in jax.tree.leaves(handed(rule))]


def rebuilt(kind: Kind, vector: Array) -> Rule:
    """The rule inside a program, from the numbers of `settings_vector`; nothing is validated."""
    return jax.tree.unflatten(kind, [vector[i] for i in range(kind.num_leaves)])


def reestimated(structure: Structure, weights: Tree, memory: Tree, knobs: Knobs, rows: Array, x: Array) -> Tree:
    """The layers' memory for other weights than those it was gathered with: from batches of rows [M, B], nothing
    dropped out (batch norm's averages start anew; what other layers carry stays)."""

    def body(i: Array, memory: Tree) -> Tree:
        batch = batch_of(structure.net, knobs, rows[i], x)
        return structure.net.apply(weights, memory, batch, training=True, key=jnp.uint32(0))[1]

    gathered = lambda one: isinstance(one, BatchNormMemory)  # noqa: E731
    empty = lambda one: jax.tree.map(jnp.zeros_like, one) if gathered(one) else one  # noqa: E731
    return jax.lax.fori_loop(0, rows.shape[0], body, jax.tree.map(empty, memory, is_leaf=gathered))
