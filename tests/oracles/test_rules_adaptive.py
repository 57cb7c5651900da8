"""The rules with a rate for every weight, against loops written from their papers, and against Optax.

Those that came first stand in `test_rules.py`.
"""

import numpy as np
import optax
import pytest

from slalom import rules

from .problems import FALL, assert_is_its_paper, assert_same_walk, by_optax, by_slalom, each_case

# --- the papers, as loops over w, with the settings as the papers name them -------------------------------------------


def rmsprop_momentum(gradient, w, rate, beta, mu, epsilon):
    mean_square, buffer = 0 * w, 0 * w
    for eta in rate:
        g = gradient(w)
        mean_square = beta * mean_square + (1 - beta) * g * g
        buffer = mu * buffer + g / (np.sqrt(mean_square) + epsilon)
        w = w - eta * buffer
        yield w


def centred_rmsprop(gradient, w, rate, beta, mu, epsilon, floor):
    mean_square, mean, buffer = 0 * w, 0 * w, 0 * w
    for eta in rate:
        g = gradient(w)
        mean_square, mean = beta * mean_square + (1 - beta) * g * g, beta * mean + (1 - beta) * g
        variance = np.maximum(mean_square - mean**2, floor * mean_square)
        buffer = mu * buffer + g / (np.sqrt(variance) + epsilon)
        w = w - eta * buffer
        yield w


def adadelta(gradient, w, rate, rho, epsilon):
    def rms(mean_square):
        return np.sqrt(mean_square + epsilon)

    of_gradients, of_steps = 0 * w, 0 * w
    for eta in rate:
        g = gradient(w)
        of_gradients = rho * of_gradients + (1 - rho) * g * g
        step = -rms(of_steps) / rms(of_gradients) * g
        of_steps = rho * of_steps + (1 - rho) * step * step
        w = w + eta * step
        yield w


def adamax(gradient, w, rate, beta1, beta2, epsilon):
    m, u = 0 * w, 0 * w
    for t, eta in enumerate(rate, start=1):
        g = gradient(w)
        m, u = beta1 * m + (1 - beta1) * g, np.maximum(beta2 * u, np.abs(g) + epsilon)
        w = w - eta / (1 - beta1**t) * m / u
        yield w


def nadam(gradient, w, rate, beta1, beta2, epsilon, momentum_decay):
    # Written as PyTorch documents it, with the product of all μ.
    m, v, product = 0 * w, 0 * w, 1.0
    for t, eta in enumerate(rate, start=1):
        g = gradient(w)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        now, following = (beta1 * (1 - 0.5 * 0.96 ** (k * momentum_decay)) for k in (t, t + 1))
        product *= now
        m_hat = following * m / (1 - product * following) + (1 - now) * g / (1 - product)
        w = w - eta * m_hat / (np.sqrt(v / (1 - beta2**t)) + epsilon)
        yield w


def nadam_simple(gradient, w, rate, beta1, beta2, epsilon):
    m, v = 0 * w, 0 * w
    for t, eta in enumerate(rate, start=1):
        g = gradient(w)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        m_hat = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)
        w = w - eta * m_hat / (np.sqrt(v / (1 - beta2**t)) + epsilon)
        yield w


def adabound(gradient, w, rate, beta1, beta2, epsilon, final_rate, gamma):
    m, v = 0 * w, 0 * w
    for t, eta in enumerate(rate, start=1):
        g = gradient(w)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        of_weight = eta / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
        final = final_rate * eta
        w = w - np.clip(of_weight, final * (1 - 1 / (gamma * t + 1)), final * (1 + 1 / (gamma * t))) * m
        yield w


def adabelief(gradient, w, rate, beta1, beta2, epsilon):
    m, s = 0 * w, 0 * w
    for t, eta in enumerate(rate, start=1):
        g = gradient(w)
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * (g - m) ** 2 + epsilon
        w = w - eta * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + epsilon)
        yield w


def lion(gradient, w, rate, beta1, beta2, weight_decay):
    m = 0 * w
    for eta in rate:
        g = gradient(w)
        w = w - eta * (np.sign(beta1 * m + (1 - beta1) * g) + weight_decay * w)
        m = beta2 * m + (1 - beta2) * g
        yield w


# Settings at which every term matters: ε as large as the roots, means that forget visibly, a decay that pulls.
CASES = {
    "rmsprop_momentum": [
        (0.01, {"beta": 0.8, "mu": 0.7, "epsilon": 0.5}),
        (0.01, {"beta": 0.8, "mu": 0.0, "epsilon": 0.5}),
    ],
    "centred_rmsprop": [
        (0.01, {"beta": 0.8, "mu": 0.7, "epsilon": 0.5, "floor": 0.0}),
        (0.01, {"beta": 0.8, "mu": 0.0, "epsilon": 0.1, "floor": 0.1}),
    ],
    "adadelta": [(0.1, {"rho": 0.8, "epsilon": 1e-2}), (3.0, {"rho": 0.95, "epsilon": 1e-3})],
    "adamax": [(0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5})],
    "nadam": [
        (0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "momentum_decay": 4e-3}),
        (0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "momentum_decay": 1.0}),
    ],
    "nadam_simple": [(0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5})],
    "adabound": [(0.02, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.1, "final_rate": 2.0, "gamma": 0.02})],
    "adabelief": [(0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.1})],
    "lion": [(0.02, {"beta1": 0.8, "beta2": 0.9, "weight_decay": 0.5})],
}


@each_case(CASES)
def test_a_rule_is_its_paper(name, rate, settings, float64):
    """200 steps agree with a loop written from the paper, down a quadratic and in a small net."""
    assert_is_its_paper(name, globals()[name], rate, settings)


# Optax, where its definition is the same one. In its RMSProps the rate stands inside the momentum, so the trace is put
# behind the scaling by hand; its variance is v − m² without a floor.
OPTAX = {
    "rmsprop_momentum": (
        0.01,
        {"beta": 0.8, "mu": 0.7, "epsilon": 0.5},
        optax.chain(optax.scale_by_rms(0.8, 0.5, eps_in_sqrt=False), optax.trace(0.7)),
    ),
    "centred_rmsprop": (
        0.01,
        {"beta": 0.8, "mu": 0.7, "epsilon": 0.5, "floor": 0.0},
        optax.chain(optax.scale_by_stddev(0.8, 0.5, eps_in_sqrt=False), optax.trace(0.7)),
    ),
    "adadelta": (0.1, {"rho": 0.8, "epsilon": 1e-2}, optax.scale_by_adadelta(0.8, 1e-2)),
    "adamax": (0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5}, optax.scale_by_adamax(0.8, 0.9, 0.5)),
    "nadam_simple": (
        0.05,
        {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5},
        optax.scale_by_adam(0.8, 0.9, 0.5, nesterov=True),
    ),
    "adabelief": (
        0.05,
        {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.1},
        optax.scale_by_belief(0.8, 0.9, eps=0.1, eps_root=0.1),
    ),
    "lion": (
        0.02,
        {"beta1": 0.8, "beta2": 0.9, "weight_decay": 0.5},
        optax.chain(optax.scale_by_lion(0.8, 0.9), optax.add_decayed_weights(0.5)),
    ),
}


@pytest.mark.parametrize("name", OPTAX)
def test_a_rule_agrees_with_optax(name, float64):
    """200 steps agree with Optax where it means the same rule."""
    rate, settings, transformation = OPTAX[name]
    theirs = by_optax(transformation, rate * FALL)
    assert_same_walk(by_slalom(rules.REGISTRY[name](**settings), rate * FALL), theirs)
