"""Every rule against its paper, written once more as a plain float64 loop, and against Optax.

The rules that adapt a rate to every weight and came later stand in `test_rules_adaptive.py`.
"""

import importlib
import math
from decimal import Decimal, localcontext
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from slalom import rules
from slalom.record import parts_of, settings_of
from slalom.rules.base import Beta, debias
from slalom.rules.radam import span

from .problems import FALL, assert_is_its_paper, assert_same_walk, by_optax, by_slalom, each_case

# --- the papers, as loops over w, with the settings as the papers name them -------------------------------------------


def sgd(gradient, w, rate):
    for eta in rate:
        w = w - eta * gradient(w)
        yield w


def momentum(gradient, w, rate, mu):
    v = 0 * w
    for eta in rate:
        v = mu * v + gradient(w)
        w = w - eta * v
        yield w


def averaged_momentum(gradient, w, rate, beta):
    mean = None
    for eta in rate:
        g = gradient(w)
        mean = g if mean is None else beta * mean + (1 - beta) * g
        w = w - eta * mean
        yield w


def velocity_momentum(gradient, w, rate, mu):
    velocity = 0 * w
    for eta in rate:
        velocity = mu * velocity - eta * gradient(w)
        w = w + velocity
        yield w


def nesterov(gradient, w, rate, mu):
    # Sutskever et al. 2013, eq. 3 and 4, written for a velocity without the rate; yields the point ahead.
    x, v = w, 0 * w
    for eta, following in zip(rate, [*rate[1:], rate[-1]], strict=True):
        v = mu * v + gradient(x - eta * mu * v)
        x = x - eta * v
        yield x - eta * mu * v
        x = x + (following - eta) * mu * v  # where the rate moves, the point ahead stays and the one behind it moves


def adagrad(gradient, w, rate, epsilon, start):
    seen = []
    for eta in rate:
        seen.append(gradient(w))
        w = w - eta * seen[-1] / (np.sqrt(start + sum(g * g for g in seen)) + epsilon)
        yield w


def rmsprop(gradient, w, rate, beta, epsilon):
    mean_square = 0 * w
    for eta in rate:
        g = gradient(w)
        mean_square = beta * mean_square + (1 - beta) * g * g
        w = w - eta * g / (np.sqrt(mean_square) + epsilon)
        yield w


def moments(gradient, w, beta1, beta2):
    """m and v of Adam's family for every step; the caller sends back where it went."""
    m, v, t = 0 * w, 0 * w, 0
    while True:
        g = gradient(w)
        m, v, t = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g, t + 1
        w = yield m, v, m / (1 - beta1**t), v / (1 - beta2**t), t


def adam(gradient, w, rate, beta1, beta2, epsilon, epsilon_root=0.0, weight_decay=0.0):
    walk = moments(gradient, w, beta1, beta2)
    _, _, m_hat, v_hat, _ = next(walk)
    for eta in rate:
        w = w - eta * (m_hat / (np.sqrt(v_hat + epsilon_root) + epsilon) + weight_decay * w)
        yield w
        _, _, m_hat, v_hat, _ = walk.send(w)


def adamw(gradient, w, rate, beta1, beta2, epsilon, weight_decay):
    yield from adam(gradient, w, rate, beta1, beta2, epsilon, 0.0, weight_decay)


def amsgrad(gradient, w, rate, beta1, beta2, epsilon):
    walk = moments(gradient, w, beta1, beta2)
    largest = 0 * w
    _, v, m_hat, _, t = next(walk)
    for eta in rate:
        largest = np.maximum(largest, v)
        w = w - eta * m_hat / (np.sqrt(largest / (1 - beta2**t)) + epsilon)
        yield w
        _, v, m_hat, _, t = walk.send(w)


def radam(gradient, w, rate, beta1, beta2, epsilon, threshold, early):
    walk = moments(gradient, w, beta1, beta2)
    rho_inf = 2 / (1 - beta2) - 1
    _, _, m_hat, v_hat, t = next(walk)
    for eta in rate:
        rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        if rho > threshold:
            r = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            w = w - eta * r * m_hat / (np.sqrt(v_hat) + epsilon)
        else:
            w = w - eta * early * m_hat
        yield w
        _, _, m_hat, v_hat, t = walk.send(w)


# Settings at which every term matters: ε as large as the roots, means that forget visibly, a decay that pulls.
CASES = {
    "sgd": [(0.1, {})],
    "momentum": [(0.03, {"mu": 0.8}), (0.1, {"mu": 0.0})],
    "averaged_momentum": [(0.1, {"beta": 0.8}), (0.1, {"beta": 0.0})],
    "velocity_momentum": [(0.03, {"mu": 0.8}), (0.1, {"mu": 0.0})],
    "nesterov": [(0.03, {"mu": 0.8})],
    "adagrad": [(0.5, {"epsilon": 0.5, "start": 0.0}), (0.2, {"epsilon": 1e-2, "start": 2.0})],
    "rmsprop": [(0.01, {"beta": 0.8, "epsilon": 0.5})],
    "adam": [
        (0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "epsilon_root": 0.0}),
        (0.01, {"beta1": 0.0, "beta2": 0.9, "epsilon": 0.1, "epsilon_root": 0.5}),
    ],
    "amsgrad": [(0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5})],
    "adamw": [(0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "weight_decay": 0.1})],
    "radam": [
        (0.03, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "threshold": 5.0, "early": 1.0}),
        (0.03, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "threshold": 4.0, "early": 0.0}),
        (0.03, {"beta1": 0.8, "beta2": 0.5, "epsilon": 0.5, "threshold": 5.0, "early": 0.5}),
    ],
}


@each_case(CASES)
def test_a_rule_is_its_paper(name, rate, settings, float64):
    """200 steps agree with a loop written from the paper, down a quadratic and in a small net."""
    assert_is_its_paper(name, globals()[name], rate, settings)


def test_every_rule_has_a_paper():
    """No rule of the registry is without an independent loop, and every setting of it is tried; rules that wrap another
    have theirs in test_wrappers, those of Optax in test_optax_bridge."""
    files = sorted(path.stem for path in Path(__file__).parent.glob("test_rules*.py"))
    modules = [vars(importlib.import_module(f".{file}", __package__)) for file in files]
    papers = [name for module in modules for name in (*module.get("CASES", {}), *module.get("PAPERS", {}))]
    alone = {name for name, cls in rules.REGISTRY.items() if not parts_of(cls) and cls is not rules.FromOptax}
    assert sorted(set(papers)) == sorted(alone)
    for name, cases in (case for module in modules for case in module.get("CASES", {}).items()):
        assert all(set(settings) == set(settings_of(rules.REGISTRY[name])) for _, settings in cases)


# Optax, where its definition is the same one. Its AMSGrad is another rule. Its Adagrad has ε inside the root: with a
# vanishing ε the two meet. Its RAdam is rectified at ρ ≥ 5; ρ is never 5 exactly.
OPTAX = {
    "sgd": (0.1, {}, optax.identity()),
    "momentum": (0.03, {"mu": 0.8}, optax.trace(0.8)),
    "nesterov": (0.03, {"mu": 0.8}, optax.trace(0.8, nesterov=True)),
    "adagrad": (0.5, {"epsilon": 1e-200}, optax.scale_by_rss(initial_accumulator_value=0.0, eps=1e-200)),
    "rmsprop": (0.01, {"beta": 0.8, "epsilon": 0.5}, optax.scale_by_rms(0.8, 0.5, eps_in_sqrt=False)),
    "adam": (0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5}, optax.scale_by_adam(0.8, 0.9, 0.5)),
    "adam-epsilon_root": (
        0.05,
        {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.1, "epsilon_root": 0.5},
        optax.scale_by_adam(0.8, 0.9, 0.1, 0.5),
    ),
    "adagrad-start": (  # ε inside the root is a part of the start
        0.5,
        {"epsilon": 1e-200, "start": 0.1 + 0.03},
        optax.scale_by_rss(initial_accumulator_value=0.1, eps=0.03),
    ),
    "adamw": (
        0.05,
        {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "weight_decay": 0.1},
        optax.chain(optax.scale_by_adam(0.8, 0.9, 0.5), optax.add_decayed_weights(0.1)),
    ),
    "radam": (
        0.03,
        {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "threshold": 5.0},
        optax.scale_by_radam(0.8, 0.9, 0.5, threshold=5.0),
    ),
}


@pytest.mark.parametrize("name", OPTAX)
def test_a_rule_agrees_with_optax(name, float64):
    """200 steps agree with Optax where it means the same rule."""
    rate, settings, transformation = OPTAX[name]
    theirs = by_optax(transformation, rate * FALL)
    assert_same_walk(by_slalom(rules.REGISTRY[name.partition("-")[0]](**settings), rate * FALL), theirs)


# --- corners of single rules ------------------------------------------------------------------------------------------


def test_amsgrad_never_forgets_a_large_gradient():
    """After one large gradient AMSGrad's steps stay short, while Adam's grow again."""
    lengths = {}
    for rule in (rules.AMSGrad(beta2=0.5), rules.Adam(beta2=0.5)):
        w = jnp.zeros(1)
        memory = rule.init(w)
        for t in range(1, 31):
            delta, memory = rule.step(jnp.full(1, 100.0 if t == 1 else 1.0), memory, w, t=t, rate=1.0)
        lengths[type(rule)] = -float(delta[0])
    assert lengths[rules.Adam] > 0.9
    assert lengths[rules.AMSGrad] < 0.1


@pytest.mark.parametrize("beta2", [0.9, 0.999, 0.99999])
@pytest.mark.parametrize(("threshold", "first"), [(5.0, 6), (4.0, 5)])
def test_radam_is_rectified_from_its_sixth_step(beta2, threshold, first):
    """Above 5 the first rectified step is the 6th, above 4 the 5th, even where float32 cannot take the difference."""
    rule = rules.RAdam(beta2=Beta(jnp.float32(1 - beta2)), threshold=jnp.float32(threshold))
    w = jnp.zeros(1)
    memory, lengths = rule.init(w), []
    for t in range(1, 8):
        delta, memory = rule.step(jnp.full(1, 1000.0), memory, w, t=t, rate=1.0)
        lengths.append(-float(delta[0]))
    # Momentum steps have the size of the gradient, rectified ones less than 1.
    assert [length > 1 for length in lengths] == [t < first for t in range(1, 8)]


def test_radam_at_its_threshold_is_not_rectified():
    """A span that equals the threshold is not above it, as in PyTorch."""
    f = jnp.float32(0.125)
    rule = rules.RAdam(beta2=Beta(f), threshold=span(f, 7))
    g = jnp.full(1, 1000.0)
    delta, _ = rule.step(g, rule.init(g), g, t=7, rate=1.0)
    assert -float(delta[0]) > 1


@pytest.mark.parametrize("f", ["0.9", "0.5", "0.1", "0.01", "0.001", "0.00001"])
def test_the_span_of_radam_keeps_its_digits(f):
    """ρ is the paper's to 1e-6 in float32 and to 1e-13 in float64, early and late."""
    for t in (1, 2, 5, 6, 100, 1000, 10**5):
        with localcontext() as context:
            context.prec = 60
            kept = (1 - Decimal(f)) ** t
            exact = float(2 / Decimal(f) - 1 - 2 * t * kept / (1 - kept))
        assert float(span(jnp.float32(f), jnp.float32(t))) == pytest.approx(exact, rel=2e-6)
        with jax.enable_x64(True):
            assert float(span(jnp.asarray(float(f)), t)) == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("f", ["0.9", "0.1", "0.001", "0.0000001"])
def test_the_bias_correction_keeps_its_digits(f):
    """1 − βᵗ is right to 1e-6 in float32, however little a mean forgets."""
    for t in (1, 2, 10, 1000):
        with localcontext() as context:
            context.prec = 60
            exact = float(1 - (1 - Decimal(f)) ** t)
        assert float(debias(jnp.float32(f), jnp.float32(t))) == pytest.approx(exact, rel=1e-6)
