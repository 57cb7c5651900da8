"""Descent without nets: any rule down any differentiable function, every point of the path recorded."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slalom import rules, schedules
from slalom.errors import SlalomError, wrong
from slalom.record import from_plain
from slalom.rules import Rule
from slalom.rules import base as rules_base
from slalom.schedules import Schedule
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


def descend(
    f: Callable[..., Any],
    start: Tree,
    rule: Rule | str | dict[str, Any],
    *,
    learning_rate: float,
    schedule: Schedule | str | dict[str, Any] | Callable[..., Any] | None = None,
    by: str = "step",
    steps: int | None = None,
    data: tuple[Array, ...] | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    every: int = 1,
) -> Path:
    """Walk down a differentiable function by an update rule and record the path.

        wₜ₊₁ = wₜ + Δ,   Δ = rule(∇f(wₜ)) at the rate  learning_rate × schedule(t, T),   t = 0 … T − 1

    f: a JAX function of w, one number; with `data=(X, y)` a function of (w, X, y), the mean loss of the rows given.
    start: w₀, an array, a number or any tree of arrays. It is computed in float64 where the start is (NumPy's arrays
    and Python's numbers are), in float32 where it is (JAX's arrays usually are); JAX's settings stay as they were.
    rule, schedule: a record, a name of its registry, or a name with settings. A schedule may also be a plain function
    of the step, or of the step and the horizon, that answers with a factor. by: `"step"`, or `"epoch"`, where the
    schedule is asked once an epoch for (epoch, epochs).
    steps: T. Over data there are `epochs` instead, of ⌈rows / batch_size⌉ steps each: an epoch's last batch may be
    short, and is kept. batch_size: None for all rows (batch), 1 (stochastic), B (mini-batch). shuffle: a new order
    of the rows for each epoch, drawn from the seed; without it they come as they lie, as on-line learning sees them.
    every: a point of the path is kept each so many steps, and the last. A point holds three copies of the parameters
    (two, for most rules): 10,000 steps in 1,000 parameters are 160 MB in float64 with `every=1`.
    A walk that diverges is recorded as it went, to infinity and NaN; it raises nothing.

    >>> path = descend(lambda x: 4 * x**2, 2.0, "sgd", learning_rate=0.3, steps=3)
    >>> path.parameters.round(3).tolist(), path.losses.round(2).tolist()
    ([2.0, -2.8, 3.92, -5.488], [16.0, 31.36, 61.47, 120.47])
    """
    rule = from_plain("rule", rule, rules.REGISTRY)
    w, dtype = _as_start(start)
    _counts(steps=steps, epochs=epochs, data=data, batch_size=batch_size, every=every)
    with jax.enable_x64(dtype == np.float64 or jax.config.jax_enable_x64):
        w = jax.tree.map(partial(jnp.asarray, dtype=dtype), w)
        held = () if data is None else _as_data(data)
        rows = len(held[0]) if held else 1
        batch = rows if batch_size is None else batch_size
        if batch > rows:
            raise wrong("descend(batch_size=…)", f"at most the {rows} rows of data", batch)
        _check_scalar(f, w, tuple(array[:batch] for array in held))
        length = iterations(rows, batch) if held else int(steps or 0)  # steps of one stretch: an epoch, or all
        horizon = length * int(epochs or 1)
        rates = _rates(learning_rate, schedule, by, horizon, length)
        rule = _at_horizon(rule, horizon)
        orders = _orders(rows, batch, shuffle, seed) if held else None
        return _walked(f, rule, w, rates, length, held, batch, orders, every)


def iterations(rows: int, batch_size: int) -> int:
    """The steps of one epoch, the short last batch among them.

    >>> iterations(50_000, 256), 10 * iterations(50_000, 256)
    (196, 1960)
    """
    return -(-rows // batch_size)


# --- the walk ---------------------------------------------------------------------------------------------------------


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
    """The program of one stretch: all steps of a function, or one epoch over data in the order given."""
    value_and_gradient = jax.value_and_grad(f)

    def one(state: _State, t: Array, rate: Array, rows: tuple[Array, ...]) -> _State:
        w, memory, seen = state
        loss, gradient = value_and_gradient(w, *rows)
        row = jnp.where(t % every == 0, t // every, len(seen.losses))
        seen = _written(seen, row, _Seen(w, _scored(rule, w, memory), loss, gradient))
        delta, memory = rule.step(gradient, memory, w, t=t + 1, rate=rate)
        return _State(jax.tree.map(lambda p, d: (p + d).astype(p.dtype), w, delta), memory, seen)

    def program(seen: _Seen, w: Tree, memory: Tree, t: Array, rates: Array, held: Any, order: Any) -> _State:
        def step(state: _State, now: Any) -> tuple[_State, None]:
            return one(state, *now[:2], taken(held, now[2])), None

        taken = lambda held, rows: held if order is None else tuple(array[rows] for array in held)  # noqa: E731
        whole = len(rates) if order is None else len(order) // batch
        ts = t + jnp.arange(len(rates))
        batches = None if order is None else order[: whole * batch].reshape(whole, batch)
        state, _ = jax.lax.scan(step, _State(w, memory, seen), (ts[:whole], rates[:whole], batches))
        if whole < len(rates):  # the short last batch of an epoch
            state = one(state, ts[-1], rates[-1], taken(held, order[whole * batch :]))
        return state

    return jax.jit(program, donate_argnums=0)


def _walked(f, rule, w, rates, length, held, batch, orders, every) -> Path:
    """Stretch after stretch; over data with the loss of all rows between them."""
    points = -(-len(rates) // every) + 1
    memory = rule.init(w)
    value_and_gradient, of_all = jax.jit(jax.value_and_grad(f)), jax.jit(f)
    shapes = jax.eval_shape(
        lambda w, m, *rows: _Seen(w, _scored(rule, w, m), *value_and_gradient(w, *rows)), w, memory, *held
    )
    seen = jax.tree.map(lambda a: jnp.zeros((points, *a.shape), a.dtype), shapes)
    program, state = _stretch(f, rule, batch, every), _State(w, memory, seen)
    given = jnp.asarray(rates, jnp.result_type(*jax.tree.leaves(w)))
    score = lambda state: float(of_all(rule.weights_to_score(state.w, state.memory), *held))  # noqa: E731

    epoch_losses = [score(state)] if held else None
    for epoch, first in enumerate(range(0, len(rates), length)):
        order = None if orders is None else orders(epoch)
        state = program(state.seen, state.w, state.memory, first, given[first : first + length], held, order)
        if epoch_losses is not None:
            epoch_losses.append(score(state))

    if held:  # the last point has no batch
        loss, gradient = jnp.zeros(()), jax.tree.map(jnp.zeros_like, state.w)
    else:
        loss, gradient = value_and_gradient(state.w)
    seen = _written(state.seen, points - 1, _Seen(state.w, _scored(rule, state.w, state.memory), loss, gradient))
    seen = jax.tree.map(np.array, seen)
    known = points - 1 if held else points
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


def _orders(rows: int, batch: int, shuffle: bool, seed: int) -> Callable[[int], Array] | None:
    """The order of the rows in an epoch; None where every step sees them all, as they lie."""
    if batch == rows:
        return None
    drawn = lambda epoch: np.random.default_rng([seed, epoch]).permutation(rows)  # noqa: E731
    return lambda epoch: jnp.asarray(drawn(epoch) if shuffle else np.arange(rows))


def _at_horizon(rule: Any, horizon: int) -> Any:
    """Lengths of time among the settings of a rule, in steps."""
    turned = getattr(rules_base, "at_horizon", None)
    return turned(rule, horizon) if turned else rule


def _rates(learning_rate: float, schedule: Any, by: str, horizon: int, length: int) -> Array:
    """The rate of every step, float64 on the host."""
    number = isinstance(learning_rate, (int, float, np.number)) and not isinstance(learning_rate, bool)
    if not (number and math.isfinite(learning_rate) and learning_rate >= 0):
        raise wrong("descend(learning_rate=…)", "a finite number, 0 or more", learning_rate)
    if by not in ("step", "epoch"):
        raise wrong("descend(by=…)", "'step' or 'epoch'", by)
    if isinstance(schedule, (str, dict)):
        schedule = from_plain("schedule", schedule, schedules.REGISTRY)
    ends = horizon if by == "step" else horizon // length
    if schedule is None:
        factors = np.ones(ends)
    elif hasattr(schedule, "__dataclass_fields__"):  # a record, asked for all steps at once
        factors = np.asarray(schedule(np.arange(ends), ends), np.float64)
    elif callable(schedule):
        more = len(inspect.signature(schedule).parameters) > 1
        factors = np.array([float(schedule(t, ends) if more else schedule(t)) for t in range(ends)])
    else:
        raise wrong("descend(schedule=…)", "a schedule, a name of one, or a function of the step", schedule)
    return float(learning_rate) * np.repeat(factors, horizon // ends)


# --- what a person gave -----------------------------------------------------------------------------------------------


def _as_start(start: Tree) -> tuple[Tree, Any]:
    """The start as a tree of arrays of one type; a list of numbers is an array, not a tree."""
    if isinstance(start, (list, tuple)) and all(isinstance(leaf, (int, float)) for leaf in jax.tree.leaves(start)):
        try:
            start = np.asarray(start)
        except ValueError as error:
            raise wrong("descend: start", "an array, or a tree of arrays", start) from error
    leaves = [np.asarray(leaf) if isinstance(leaf, (int, float)) else leaf for leaf in jax.tree.leaves(start)]
    if not leaves:
        raise wrong("descend: start", "an array or a tree with an array in it", start)
    for leaf in leaves:
        kind = getattr(leaf, "dtype", type(leaf).__name__)
        if not (hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)):
            raise wrong("descend: start", "of floating-point numbers", str(kind), "Write 1.0 for 1.")
    return start, np.result_type(*[np.dtype(leaf.dtype) for leaf in leaves])


def _counts(*, steps: Any, epochs: Any, data: Any, batch_size: Any, every: Any) -> None:
    """Check the numbers of steps, and that those of the other form are not given."""
    wanted, other = ("steps", "epochs") if data is None else ("epochs", "steps")
    given = {"steps": steps, "epochs": epochs, "batch_size": batch_size, "every": every}
    if given[other] is not None or (data is None and batch_size is not None):
        name = other if given[other] is not None else "batch_size"
        form = "without data" if data is None else "over data"
        raise SlalomError(f"descend {form} takes {wanted}=…, not {name}=…. Got {given[name]!r}.")
    for name in (wanted, "every", *(["batch_size"] if batch_size is not None else [])):
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise wrong(f"descend({name}=…)", "a whole number, 1 or more", value)


def _as_data(data: Any) -> tuple[Array, ...]:
    """The arrays of data, of equal length."""
    if not isinstance(data, (tuple, list)) or not data:
        raise wrong("descend(data=…)", "a tuple of arrays, (X, y)", type(data).__name__)
    held = tuple(jnp.asarray(array) for array in data)
    lengths = [array.shape[0] if array.ndim else 0 for array in held]
    if len(set(lengths)) > 1 or lengths[0] < 1:
        raise wrong("descend(data=…)", "arrays of equally many rows, at least one", [a.shape for a in held])
    return held


def _check_scalar(f: Callable[..., Any], w: Tree, rows: tuple[Array, ...]) -> None:
    """Check that f can be traced and answers with one number."""
    try:
        answer = jax.eval_shape(f, w, *rows)
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
        raise SlalomError(
            "descend: f must be made of JAX functions: jax.numpy in the place of numpy, no `if`."
        ) from error
    shape, dtype = getattr(answer, "shape", None), getattr(answer, "dtype", None)
    if shape != () or not jnp.issubdtype(dtype, jnp.floating):
        got = f"{dtype} of shape {shape}" if shape is not None else type(answer).__name__
        raise SlalomError(f"descend: f must answer with one floating-point number. Got {got}. Take its sum or mean.")
