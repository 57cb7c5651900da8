"""Descent without nets: any rule down any differentiable function, every point of the path recorded."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slalom import forked, rules, schedules
from slalom.errors import SlalomError, wrong
from slalom.record import from_plain
from slalom.rules import Rule
from slalom.rules.base import at_horizon
from slalom.schedules import Custom, Schedule
from slalom.schedules.base import plateau_of
from slalom.types import Array, Tree
from slalom.walk import Path, orders, walked


def descend(
    f: Callable[..., Any],
    start: Tree,
    rule: Rule | str | dict[str, Any],
    *,
    learning_rate: float,
    schedule: Schedule | str | dict[str, Any] | Callable[..., Any] | None = None,
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
    of the step, or of the step and the horizon, that answers with a factor. `schedules.ByEpoch` moves one epoch by
    epoch. A plateau is told the loss of the scored weights: after each step, over data the loss of all rows after each
    epoch.
    steps: T. Over data there are `epochs` instead, of ⌈rows / batch_size⌉ steps each: an epoch's last batch may be
    short, and is kept. batch_size: None for all rows (batch), 1 (stochastic), B (mini-batch). shuffle: a new order
    of the rows for each epoch, drawn from the seed; without it they come as they lie, as on-line learning sees them.
    every: a point of the path is kept each so many steps, and the last. A point holds three copies of the parameters
    (two, for most rules): 10,000 steps in 1,000 parameters are 160 MB in float64 with `every=1`.
    The last loss and gradient of a path are those at its end; over data, where no batch follows, they are left out.
    A walk that diverges is recorded as it went, to infinity and NaN; it raises nothing.

    >>> path = descend(lambda x: 4 * x**2, 2.0, "sgd", learning_rate=0.3, steps=3)
    >>> path.parameters.round(3).tolist(), path.losses.round(2).tolist()
    ([2.0, -2.8, 3.92, -5.488], [16.0, 31.36, 61.47, 120.47])
    """
    forked.check("JAX")
    chosen, clock = _as_rule(rule), _as_schedule(schedule)
    tree, dtype = _as_start(start)
    _counts(steps=steps, epochs=epochs, data=data, batch_size=batch_size, every=every)
    with jax.enable_x64(dtype == np.float64 or jax.config.read("jax_enable_x64")):
        w, held = jax.tree.map(partial(jnp.asarray, dtype=dtype), tree), _as_data(data)
        rows = len(held[0]) if held else 1
        batch = batch_size or rows
        if batch > rows:
            raise wrong("descend(batch_size=…)", f"at most the {rows} rows of data", batch)
        _check_scalar(f, w, tuple(array[:batch] for array in held))
        epoch = iterations(rows, batch) if held else int(steps or 0)  # in steps; without data the whole walk
        horizon = epoch * int(epochs or 1)
        order_of = orders(rows, batch, shuffle, seed) if held else None
        rates, listener = _rates(learning_rate, clock, horizon), plateau_of(clock)
        stretch = 1 if listener and not held else epoch
        turned = at_horizon(chosen, horizon)
        return walked(f, turned, w, rates, stretch, held, batch, order_of, listener, every)


def iterations(rows: int, batch_size: int) -> int:
    """The steps of one epoch, the short last batch among them.

    >>> iterations(50_000, 256), 10 * iterations(50_000, 256)
    (196, 1960)
    """
    return -(-rows // batch_size)


# --- what a person gave -----------------------------------------------------------------------------------------------


def _as_rule(rule: Any) -> Rule:
    """A rule from its name, or itself."""
    if isinstance(rule, type) or not (isinstance(rule, (str, dict)) or hasattr(rule, "step")):
        raise wrong("descend: rule", "a rule or the name of one", rule, "Write Adam() for the rule Adam.")
    return from_plain("rule", rule, rules.REGISTRY) if isinstance(rule, (str, dict)) else rule


def _as_schedule(schedule: Any) -> Schedule:
    """A schedule from its name, from a function of the step, or itself."""
    if schedule is None:
        return schedules.Constant()
    if isinstance(schedule, (str, dict)):
        return from_plain("schedule", schedule, schedules.REGISTRY)
    if isinstance(schedule, type) or not callable(schedule):
        raise wrong("descend(schedule=…)", "a schedule, the name of one, or a function of the step", schedule)
    return schedule if hasattr(schedule, "plateau") else Custom(schedule)


def _rates(learning_rate: float, schedule: Schedule, horizon: int) -> Array:
    """The rate of every step, float64 on the host."""
    number = isinstance(learning_rate, (int, float, np.number)) and not isinstance(learning_rate, bool)
    if not (number and math.isfinite(learning_rate) and learning_rate >= 0):
        raise wrong("descend(learning_rate=…)", "a finite number, 0 or more", learning_rate)
    return float(learning_rate) * np.asarray(schedule(np.arange(horizon), horizon), np.float64)


def _as_start(start: Tree) -> tuple[Tree, Any]:
    """The start as a tree of arrays of one type; a list of numbers is an array, not a tree."""
    if isinstance(start, (list, tuple)) and all(isinstance(leaf, (int, float)) for leaf in jax.tree.leaves(start)):
        try:
            start = np.asarray(start)
        except ValueError as error:
            raise wrong("descend: start", "an array, or a tree of arrays", start) from error
    whole = lambda leaf: np.asarray(leaf).dtype.kind in "iu" and not isinstance(leaf, (bool, jax.Array))  # noqa: E731
    start = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64) if whole(leaf) else leaf, start)  # 2 for 2.0
    leaves = [np.asarray(leaf) if isinstance(leaf, (int, float)) else leaf for leaf in jax.tree.leaves(start)]
    if not leaves or not any(np.size(leaf) for leaf in leaves):
        raise wrong("descend: start", "an array or a tree with an array in it", start)
    for leaf in leaves:
        kind = getattr(leaf, "dtype", type(leaf).__name__)
        if not (hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)):
            raise wrong("descend: start", "of floating-point numbers", str(kind))
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
    """The arrays of data, of equal length; none without data."""
    if data is None:
        return ()
    if not isinstance(data, (tuple, list)) or not data:
        raise wrong("descend(data=…)", "a tuple of arrays, (X, y)", type(data).__name__)
    for array in data:
        if np.asarray(array).dtype.kind not in "fiub":
            raise wrong("descend(data=…)", "arrays of numbers", str(np.asarray(array).dtype))
    held = tuple(jnp.asarray(array) for array in data)
    lengths = [array.shape[0] if array.ndim else 0 for array in held]
    if len(set(lengths)) > 1 or lengths[0] < 1:
        raise wrong("descend(data=…)", "arrays of equally many rows, at least one", [a.shape for a in held])
    return held


def _check_scalar(f: Callable[..., Any], w: Tree, rows: tuple[Array, ...]) -> None:
    """Check that f can be traced and answers with one number."""
    if not callable(f):
        raise wrong("descend: f", "a function of the parameters", f)
    try:
        raw: list[Any] = []  # JAX makes an array of what f answers
        answer = jax.eval_shape(lambda *given: raw.append(f(*given)) or raw[0], w, *rows)  # type: ignore[func-returns-value]
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError, ValueError) as error:
        if isinstance(error, ValueError) and "truth value" not in str(error):
            raise
        raise SlalomError(
            "descend: f must be made of JAX functions: jax.numpy in the place of numpy, no `if`."
        ) from error
    shape, dtype = getattr(answer, "shape", None), getattr(answer, "dtype", np.dtype(object))
    if isinstance(raw[0], (int, float)):
        raise SlalomError(f"descend: f must be computed from the parameters. Got {raw[0]!r} whatever they are.")
    if shape == () and not jnp.issubdtype(dtype, jnp.floating):
        raise SlalomError(f"descend: f must answer with a floating-point number. Got {dtype}.")
    if shape != ():
        got = f"{dtype} of shape {shape}" if shape is not None else type(answer).__name__
        raise SlalomError(f"descend: f must answer with one floating-point number. Got {got}. Take its sum or mean.")
