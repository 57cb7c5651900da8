"""One racer: its state, its numbers, and one step of its training, as a pure function of one racer."""

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slalom.losses import LOSSES
from slalom.net import Net
from slalom.record import settings_of
from slalom.rules import Rule
from slalom.rules.base import Beta
from slalom.types import Array, Tree


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

    centre: Array  # [D] of the scaling, in units of the stored X
    factor: Array  # [D] 1 / spread of the scaling
    squash: Array  # [] 1 / clip², 0 where the scaling does not clip
    table: Array  # [] int32 first row of the stored variant of X
    target: Array  # [] int32 first row of the stored variant of y
    key: Array  # [] uint32 of this racer's draws
    dropout: Array  # []
    penalty: Array  # [] λ of the term λ w added to the gradient
    settings: Array  # [S] of the rule, in the order of its fields, betas as 1 − β


def scaled(x: Array, knobs: Knobs) -> Array:
    """Rows of the stored X [B, D] in the racer's scaling: u = (x − centre) factor, then u / √(1 + squash u²)."""
    u = jnp.clip((x - knobs.centre) * knobs.factor, -1e18, 1e18)  # its square stays finite
    return u * jax.lax.rsqrt(1 + knobs.squash * u * u)


def gather(table: Array, rows: Array) -> Array:
    """Rows of a table; the caller promises that they are there."""
    return table.at[rows].get(mode="promise_in_bounds")


def step(
    structure: Structure, rule: Rule, state: State, knobs: Knobs, t: Array, rate: Array, rows: Array, x: Array, y: Array
) -> State:
    """Step number t (the first is 1) on a batch: rows [B] of x [N, D] and y [N]."""
    batch = scaled(gather(x, rows + knobs.table), knobs).T
    targets = gather(y, rows + knobs.target)
    key = (knobs.key ^ (t.astype(jnp.uint32) * jnp.uint32(0x27D4EB2F))) * jnp.uint32(0x165667B1)

    def loss(weights: Tree) -> tuple[Array, Tree]:
        outputs, memory = structure.net.apply(
            weights, state.memory, batch, training=True, key=key, dropout=knobs.dropout
        )
        return LOSSES[structure.loss](outputs, targets), memory

    gradient, memory = jax.grad(loss, has_aux=True)(state.weights)
    gradient = jax.tree.map(lambda g, w: g + knobs.penalty * w, gradient, state.weights)
    delta, carried = rule.step(gradient, state.rule, state.weights, t=t.astype(jnp.float32), rate=rate)
    return State(jax.tree.map(jnp.add, state.weights, delta), memory, carried)


def outputs(structure: Structure, weights: Tree, memory: Tree, knobs: Knobs, rows: Array, x: Array) -> Array:
    """The net's outputs [C, B] for rows [B] of x [N, D], as in prediction."""
    batch = scaled(gather(x, rows + knobs.table), knobs).T
    return structure.net.apply(weights, memory, batch, training=False)[0]


def settings_vector(cls: type[Rule], settings: dict[str, float]) -> list[float]:
    """A rule's settings as the numbers handed to a program: float64, in the order of the fields, betas as 1 − β."""
    known = settings_of(cls)
    return [1.0 - settings[name] if known[name]["keeps"] else settings[name] for name in known]


def rebuilt(cls: type[Rule], vector: Array) -> Rule:
    """The rule inside a program, from the numbers of `settings_vector`; nothing is validated."""
    rule = object.__new__(cls)
    for i, (name, about) in enumerate(settings_of(cls).items()):
        object.__setattr__(rule, name, Beta(vector[i]) if about["keeps"] else vector[i])
    return rule


def draw_key(seed: int, replicate: int, recipe: int) -> np.uint32:
    """The uint32 key of a racer's draws, well apart for neighbouring seeds."""
    return np.uint32(zlib.crc32(f"{seed} {replicate} {recipe}".encode()))
