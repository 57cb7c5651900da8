"""The bridge to Optax: any rule as a GradientTransformation, for training loops of JAX, Flax and Equinox."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from slalom.errors import SlalomError, wrong
from slalom.record import within
from slalom.rules.base import Rule, at_horizon
from slalom.types import Array, Tree


def the_optax() -> ModuleType:
    """The package Optax, which Slalom does without until somebody asks for it."""
    try:
        import optax  # type: ignore[import-untyped]
    except ImportError:
        raise SlalomError("Optax must be installed for this. Do `pip install optax`.") from None
    return optax


class RuleState(NamedTuple):
    """What `to_optax` keeps between two updates: in the state of a chain, one of its members."""

    count: Array  # [] int32 updates done
    memory: tuple[Array, ...]  # of the rule, its leaves: a Flax state would not keep a tree of tuples as it is


def unpacked(rule: Rule, state: RuleState, params: Tree) -> Tree:
    """The memory of a rule in its own form."""
    return jax.tree.unflatten(jax.tree.structure(jax.eval_shape(rule.init, params)), state.memory)


def factor_of(where: str, given: Any, horizon: int | None) -> Callable[[Array], Array]:
    """A number, a function of the step or a schedule of (step, horizon) as a function of the step."""
    if not callable(given):
        if isinstance(given, (str, bool, type(None))) or (
            isinstance(given, (int, float)) and not within(given, "[0, inf)")
        ):
            raise wrong(where, "a number in [0, inf), or a function of the step", given)
        return lambda step: given
    wanted = [p for p in inspect.signature(given).parameters.values() if p.default is p.empty]
    if len([p for p in wanted if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]) < 2:
        return given
    if horizon is None:
        raise SlalomError(f"{where} is a schedule, which must know its horizon. Give to_optax(horizon=…) in steps.")
    return lambda step: given(step.astype(float), horizon)  # JAX divides whole numbers in float32


def to_optax(rule: Rule, learning_rate: Any, *, schedule: Any = None, horizon: int | None = None) -> Any:
    """Any rule as an Optax `GradientTransformation`, usable in chains and in loops of Flax and Equinox.

        t ← t + 1
        update = rule.step(g, memory, params, t = t, rate = learning_rate × schedule(t − 1, horizon))

    rule: any rule of `slalom.rules`. learning_rate: a number ≥ 0, or as everywhere in Optax a function of the step, the
    first of which is 0. schedule: any schedule of `slalom.schedules`, or a function of the step, that the rate is
    multiplied by. horizon: the updates of the training in all; needed by schedules and by rules with a setting that is
    a fraction of it (`at_horizon`). The updates are those to be added (`optax.apply_updates`): put nothing behind it in
    a chain that changes their size. The parameters must be given: `update(gradient, state, params)`.
    The other way round any schedule is a function of the step for Optax: `lambda t: rate * schedule(t, horizon)`.
    Inside a program schedules are computed in float32, in a race on the host in float64: 1e-7 apart.

    >>> from slalom import rules, schedules
    >>> tx = to_optax(rules.Momentum(mu=0.5), 0.1, schedule=schedules.Cosine(), horizon=4)
    >>> params = jnp.array([1.0])
    >>> state = tx.init(params)
    >>> updates, state = tx.update(jnp.array([1.0]), state, params)
    >>> float(updates[0])
    -0.1...
    """
    optax = the_optax()
    if not (hasattr(rule, "init") and hasattr(rule, "step")) or isinstance(rule, type):
        raise wrong("to_optax(rule=…)", "a rule of slalom.rules", rule, "Give a record such as Adam().")
    turned = at_horizon(rule, horizon or 10**6)
    if horizon is None and turned != rule:
        raise SlalomError("to_optax(rule=…) has a length below 1, a fraction of the horizon. Give horizon=… in steps.")
    rule = turned if horizon is not None else rule
    rate_at = factor_of("to_optax(learning_rate=…)", learning_rate, horizon)
    factor_at = factor_of("to_optax(schedule=…)", 1.0 if schedule is None else schedule, horizon)

    def init(params: Tree) -> RuleState:
        return RuleState(jnp.zeros([], jnp.int32), tuple(jax.tree.leaves(rule.init(params))))

    def update(gradient: Tree, state: RuleState, params: Tree | None = None) -> tuple[Tree, RuleState]:
        if params is None:
            raise wrong("to_optax: update(params=…)", "the parameters", None, "Call update(gradient, state, params).")
        count = optax.safe_increment(state.count)
        # A step number needs more digits than a half-precision parameter has.
        exact = jnp.promote_types(jnp.result_type(*jax.tree.leaves(params)), jnp.float32)
        rate = jnp.asarray(rate_at(state.count) * factor_at(state.count), exact)
        memory = unpacked(rule, state, params)
        delta, after = rule.step(gradient, memory, params, t=count.astype(exact), rate=rate)
        delta = jax.tree.map(lambda d, p: d.astype(p.dtype), delta, params)
        kept = [new.astype(old.dtype) for new, old in zip(jax.tree.leaves(after), state.memory, strict=True)]
        return delta, RuleState(count, tuple(kept))

    return optax.GradientTransformation(init, update)


def score_params(rule: Rule, state: Any, params: Tree) -> Tree:
    """The weights that a score is taken with, out of the state of `to_optax(rule, …)` or of a chain that holds it.

    They are the parameters themselves for most rules, the average for `EMA`, the slow weights for `Lookahead`.

    >>> from slalom import rules
    >>> rule, params = rules.EMA(rules.SGD(), beta=0.5), jnp.array([1.0])
    >>> float(score_params(rule, to_optax(rule, 0.1).init(params), params)[0])
    1.0
    """
    leaves = jax.tree.leaves(state, is_leaf=lambda node: isinstance(node, RuleState))
    found = [leaf for leaf in leaves if isinstance(leaf, RuleState)]
    if len(found) != 1:
        raise wrong("score_params(state=…)", "an Optax state with one rule of to_optax in it", len(found))
    return rule.weights_to_score(params, unpacked(rule, found[0], params))
