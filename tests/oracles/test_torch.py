"""Every rule that PyTorch has, step by step against walks recorded from it (tests/recorded), needing no PyTorch."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom import rules
from slalom.record import from_plain

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "torch.json").read_text(encoding="utf-8"))
WALKS = {walk["name"]: walk for walk in RECORDED["walks"]}
TOLERANCE = {"quadratic": 1e-12, "matrix": 1e-12, "net": 1e-9}  # of the largest weight of a point
APART = 1e-8  # of the largest weight: what a known difference makes at least, and rounding never


@pytest.fixture(autouse=True)
def float64():
    """All in float64, as recorded."""
    with jax.enable_x64(True):
        yield


def loss(problem, p):
    """The three functions walked down, as in tests/recorded/torch_walks.py."""
    about = RECORDED["problems"][problem]
    if problem == "net":
        hidden = jnp.tanh(jnp.asarray(about["x"]) @ p["w1"].T + p["b1"])
        return ((hidden @ p["w2"].T + p["b2"] - jnp.asarray(about["y"])) ** 2).mean()
    matrix = jnp.asarray(about["matrix"])
    columns = [p["w"][:, None]] if problem == "quadratic" else [p["tall"], p["wide"].T]
    return sum((w * (matrix @ w)).sum() for w in columns) / 2


def walked(walk, step, *, memory=None, seen=None):
    """The waypoints of a walk, all parameters in one row, and the last point; step as that of a rule.

    memory: of (rule's memory, first gradient) to the memory to start from. seen: of (weights to score, weights, t, the
    weights after the first step) to what is shown.
    """
    rule = rule_of(walk)
    start = {k: jnp.asarray(v) for k, v in RECORDED["problems"][walk["problem"]]["start"].items()}
    slope = lambda w: jax.tree.map(lambda g, p: g + walk["l2"] * p, jax.grad(lambda p: loss(walk["problem"], p))(w), w)  # noqa: E731

    def one(carry, now):
        w, memory = carry
        delta, memory = step(rule, slope(w), memory, w, *now)
        w = jax.tree.map(jnp.add, w, delta)
        return (w, memory), (rule.weights_to_score(w, memory), w)

    first = rule.init(start)
    first = first if memory is None else memory(first, slope(start))
    t = np.arange(1, RECORDED["steps"] + 1)
    since, share = RECORDED["fall"]
    rates = walk["rate"] * np.where(t > since, share, 1.0)
    scored, w = jax.jit(lambda c: jax.lax.scan(one, c, (t, rates))[1])((start, first))
    shown = scored
    if seen:
        at = {k: t.reshape(-1, *[1] * (v.ndim - 1)) for k, v in w.items()}
        shown = {k: seen(scored[k], at[k], w[k][:1]) for k in w}
    rows = np.concatenate([np.asarray(shown[k]).reshape(len(t), -1) for k in start], axis=1)
    return rows[np.array(walk["waypoints"]) - 1]


def rule_of(walk):
    """The rule that a recording names; an error where Slalom has none of that name or those settings."""
    return from_plain("rule", walk["rule"], rules.REGISTRY)


def plainly(rule, g, memory, w, t, rate):
    """One step of a rule."""
    return rule.step(g, memory, w, t=t, rate=rate)


# --- how PyTorch's own writing follows from Slalom's, where they differ -----------------------------------------------


def dampened(walk):
    """(1 − d) times the rate, from the memory d g₁ / ((1 − d) μ)."""
    d, mu = 0.4, walk["rule"]["mu"]

    def memory(empty, g):
        start = jax.tree.map(lambda leaf: d * leaf / ((1 - d) * mu), g)
        return jax.tree.unflatten(jax.tree.structure(empty), jax.tree.leaves(start))

    return walked(walk, lambda rule, g, m, w, t, rate: plainly(rule, g, m, w, t, (1 - d) * rate), memory=memory)


def early_epsilon(walk):
    """ε / √(1 − β₂ᵗ) in the place of ε."""
    beta2, epsilon = walk["rule"]["beta2"], walk["rule"]["epsilon"]

    def step(rule, g, memory, w, t, rate):
        rule = dataclasses.replace(rule, epsilon=epsilon / jnp.sqrt(1 - beta2**t))
        return plainly(rule, g, memory, w, t, rate)

    return walked(walk, step)


def longer_norm(walk):
    """c ‖g‖ / (‖g‖ + 1e-6) in the place of c."""

    def step(rule, g, memory, w, t, rate):
        length = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(g)))
        rule = dataclasses.replace(rule, norm=walk["rule"]["norm"] * length / (length + 1e-6))
        return plainly(rule, g, memory, w, t, rate)

    return walked(walk, step)


def from_a_copy(walk):
    """(1 − βᵗ) average + βᵗ w₁, the first weights after a step."""
    beta = walk["rule"]["beta"]
    return walked(walk, plainly, seen=lambda average, t, first: (1 - beta**t) * average + beta**t * first)


DIFFERENT = {
    "momentum with dampening": dampened,
    "RAdam": early_epsilon,
    "clip_grad_norm_ and SGD": longer_norm,
    "AveragedModel, EMA, and momentum": from_a_copy,
}


def difference(walk):
    """How PyTorch's walk follows from Slalom's rule, where it differs; None where it is the same."""
    found = [how for name, how in DIFFERENT.items() if walk["name"].startswith(f"{name}, ")]
    return found[0] if found else None


EACH_WALK = pytest.mark.parametrize("name", WALKS)


@EACH_WALK
def test_a_rule_walks_as_in_pytorch(name):
    """200 steps, the rate falling half-way, pass PyTorch's points: 1e-12 on the quadratics, 1e-9 on the net."""
    walk = WALKS[name]
    how = difference(walk)
    mine = how(walk) if how else walked(walk, plainly)
    theirs = np.array(walk["points"])
    assert mine.shape == theirs.shape
    assert np.isfinite(theirs).all()
    assert np.abs(theirs[-1] - theirs[0]).max() > 0.02, "the walk is to lead somewhere"
    apart = np.abs(mine - theirs).max(axis=1) / np.abs(theirs).max(axis=1)
    np.testing.assert_array_less(apart, TOLERANCE[walk["problem"]])


@pytest.mark.parametrize("name", [name for name, walk in WALKS.items() if walk["differs"]])
def test_a_known_difference_is_one(name):
    """Where PyTorch's definition is said to differ, the plain rule walks elsewhere."""
    walk = WALKS[name]
    theirs = np.array(walk["points"])
    apart = np.abs(walked(walk, plainly) - theirs).max(axis=1) / np.abs(theirs).max(axis=1)
    assert apart.max() > APART


def test_every_difference_is_named():
    """What is said to differ has its way to PyTorch's walk, and nothing else has one."""
    assert {name for name, walk in WALKS.items() if walk["differs"]} == {n for n, w in WALKS.items() if difference(w)}


def test_every_optimiser_is_recorded():
    """PyTorch's optimisers have a walk on both problems, its four with two or more sides have those too."""
    recorded = {(walk["rule"]["name"], walk["problem"]) for walk in WALKS.values()}
    one = ["sgd", "momentum", "averaged_momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "rmsprop_momentum",
           "centred_rmsprop", "adam", "amsgrad", "adamax", "nadam", "radam", "adamw", "clip_norm", "clip_value", "ema",
           "swa"]  # fmt: skip
    both = {(name, problem) for name in one for problem in ("quadratic", "net")}
    assert recorded == both | {("muon", "matrix"), ("muon", "net")}
    with_l2 = {walk["rule"]["name"] for walk in WALKS.values() if walk["l2"]}
    assert with_l2 == set(one[:14])
    assert all(walk["waypoints"][-1] == RECORDED["steps"] == 200 for walk in WALKS.values())
