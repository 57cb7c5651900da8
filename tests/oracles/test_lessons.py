"""The lessons' numbers on update rules."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom import rules
from slalom.scaling import ZScore

WORKED = json.loads((Path(__file__).parents[1] / "worked_examples.json").read_text())


def descended(rule, gradient, start, rate, steps, memory=None):
    """The points of a walk in one weight, from a memory of one's choice."""
    w = jnp.asarray([start])
    memory = rule.init(w) if memory is None else memory
    for t in range(1, steps + 1):
        delta, memory = rule.step(gradient(w), memory, w, t=t, rate=rate)
        w = w + delta
        yield float(w[0])


# The lessons' other writings: (rule, rate, the memory it starts with, nothing where it is the rule's own; g₁ = 1).
AVERAGED = "momentum, exponentially weighted, s1 = g1 (rate 0.01, 0.9)"
INSIDE = "momentum, rate inside the buffer (0.01, 0.9)"
SQUARE = "rmsprop, v1 = g1^2 (0.01, 0.9)"
VARIANTS = [
    pytest.param(AVERAGED, rules.AveragedMomentum(beta=0.9), 0.01, None, id="averaged_momentum"),
    pytest.param(AVERAGED, rules.Momentum(mu=0.9), 0.001, 1 / (1 - 0.9), id="averaged, as momentum from a memory"),
    pytest.param(INSIDE, rules.VelocityMomentum(mu=0.9), 0.01, None, id="velocity_momentum"),
    pytest.param(INSIDE, rules.Momentum(mu=0.9), 0.01, None, id="inside, as momentum at a constant rate"),
    pytest.param(SQUARE, rules.RMSProp(beta=0.9, epsilon=1e-10), 0.01, 1.0, id="rmsprop from a memory"),
]


@pytest.mark.parametrize(("name", "rule", "rate", "start"), VARIANTS)
def test_the_lessons_variants_are_known_rules(name, rule, rate, start):
    """The lessons' other writings of momentum and RMSProp are rules of their own or known ones from another memory."""
    memory = None if start is None else type(rule.init(jnp.zeros(1)))(jnp.array([start]))
    points = list(descended(rule, lambda w: w, 1.0, rate, 2, memory))
    np.testing.assert_allclose(points, WORKED["one_parameter"]["variants_in_the_lessons"][name], atol=6e-7)


def test_every_variant_of_the_lessons_is_computed():
    """No writing of the lessons is without its rule."""
    assert {variant.values[0] for variant in VARIANTS} == set(WORKED["one_parameter"]["variants_in_the_lessons"])


@pytest.mark.parametrize("rate", WORKED["rate_effect"]["x_over_4_looks"])
def test_the_effect_of_the_rate(rate):
    """On 4 x² a rate is slow, good, exact, swinging or diverging, as the lessons show."""
    points = [2.0, *descended(rules.SGD(), lambda x: 8 * x, 2.0, float(rate), 3)]
    expected = WORKED["rate_effect"]["x_over_4_looks"][rate]
    np.testing.assert_allclose(points, expected, atol=WORKED["rate_effect"]["tolerance"])


def test_scaling_makes_the_contours_round(float64):
    """Gradient descent on the lesson's two rows ends short of the minimum on raw columns and in it on z-scored ones."""
    case = WORKED["contours"]
    raw, y = np.array(case["x"], float), np.array(case["y"], float)[:, 0]
    scaled = np.column_stack([ZScore.fit(raw[:, :1])(raw[:, :1]), raw[:, 1]])  # the column of ones stays as it is
    np.testing.assert_allclose(scaled, case["x_zscored"])
    start = np.random.RandomState(24).randn(2)
    np.testing.assert_allclose(start, case["start_seed_24"], atol=1e-8)
    for x, condition, end in (
        (raw, case["condition_number_XtX_raw"], case["end_raw"]),
        (scaled, case["condition_number_XtX_zscored"], case["end_zscored"]),
    ):
        np.testing.assert_allclose(np.linalg.cond(x.T @ x), condition, rtol=1e-12)
        w, rule = jnp.asarray(start), rules.SGD()
        gradient = jax.jit(lambda w, x=x: 2 * x.T @ (x @ w - y) / len(y))
        for t in range(1, case["steps"] + 1):
            delta, _ = rule.step(gradient(w), None, w, t=t, rate=case["rate"])
            w = w + delta
        np.testing.assert_allclose(w, end, atol=1e-8)
