"""Every rule against its paper, written once more as a plain float64 loop, against Optax, and the lessons' numbers."""

import json
import math
from decimal import Decimal, localcontext
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from slalom import rules
from slalom.record import settings_of
from slalom.rules.base import Beta, debias
from slalom.rules.radam import span
from slalom.scaling import ZScore

WORKED = json.loads((Path(__file__).parents[1] / "worked_examples.json").read_text())

# An ill-conditioned quadratic, ½ w'A w with eigenvalues from 0.01 to 10, turned so that its weights depend on each
# other. The rates below keep every walk stable: a chaotic one would blow rounding up.
TURN = np.linalg.qr(np.random.default_rng(7).normal(size=(6, 6)))[0]
QUADRATIC = TURN @ np.diag(np.logspace(-2, 1, 6)) @ TURN.T
START = np.array([1.0, -2.0, 0.5, 3.0, -0.25, 1.5])
STEPS = 200
FALL = np.where(np.arange(STEPS) < 100, 1.0, 0.3)  # the rate moves, so that it matters where it stands


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


def nesterov(gradient, w, rate, mu):
    # Sutskever et al. 2013, eq. 3 and 4, written for a velocity without the rate; yields the point ahead.
    x, v = w, 0 * w
    for eta, following in zip(rate, [*rate[1:], rate[-1]], strict=True):
        v = mu * v + gradient(x - eta * mu * v)
        x = x - eta * v
        yield x - eta * mu * v
        x = x + (following - eta) * mu * v  # where the rate moves, the point ahead stays and the one behind it moves


def adagrad(gradient, w, rate, epsilon):
    seen = []
    for eta in rate:
        seen.append(gradient(w))
        w = w - eta * seen[-1] / (np.sqrt(sum(g * g for g in seen)) + epsilon)
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


def adam(gradient, w, rate, beta1, beta2, epsilon, weight_decay=0.0):
    walk = moments(gradient, w, beta1, beta2)
    _, _, m_hat, v_hat, _ = next(walk)
    for eta in rate:
        w = w - eta * (m_hat / (np.sqrt(v_hat) + epsilon) + weight_decay * w)
        yield w
        _, _, m_hat, v_hat, _ = walk.send(w)


def adamw(gradient, w, rate, beta1, beta2, epsilon, weight_decay):
    yield from adam(gradient, w, rate, beta1, beta2, epsilon, weight_decay)


def amsgrad(gradient, w, rate, beta1, beta2, epsilon):
    walk = moments(gradient, w, beta1, beta2)
    largest = 0 * w
    _, v, m_hat, _, t = next(walk)
    for eta in rate:
        largest = np.maximum(largest, v)
        w = w - eta * m_hat / (np.sqrt(largest / (1 - beta2**t)) + epsilon)
        yield w
        _, v, m_hat, _, t = walk.send(w)


def radam(gradient, w, rate, beta1, beta2, epsilon, threshold):
    walk = moments(gradient, w, beta1, beta2)
    rho_inf = 2 / (1 - beta2) - 1
    _, _, m_hat, v_hat, t = next(walk)
    for eta in rate:
        rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        if rho > threshold:
            r = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            w = w - eta * r * m_hat / (np.sqrt(v_hat) + epsilon)
        else:
            w = w - eta * m_hat
        yield w
        _, _, m_hat, v_hat, t = walk.send(w)


# Settings at which every term matters: ε as large as the roots, means that forget visibly, a decay that pulls.
CASES = {
    "sgd": [(0.1, {})],
    "momentum": [(0.03, {"mu": 0.8}), (0.1, {"mu": 0.0})],
    "nesterov": [(0.03, {"mu": 0.8})],
    "adagrad": [(0.5, {"epsilon": 0.5}), (0.5, {"epsilon": 1e-2})],
    "rmsprop": [(0.01, {"beta": 0.8, "epsilon": 0.5})],
    "adam": [
        (0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5}),
        (0.01, {"beta1": 0.0, "beta2": 0.9, "epsilon": 0.1}),
    ],
    "amsgrad": [(0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5})],
    "adamw": [(0.05, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "weight_decay": 0.1})],
    "radam": [
        (0.03, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "threshold": 5.0}),
        (0.03, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "threshold": 4.0}),
        (0.03, {"beta1": 0.8, "beta2": 0.5, "epsilon": 0.5, "threshold": 5.0}),
    ],
}
EACH_CASE = pytest.mark.parametrize(
    ("name", "rate", "settings"),
    [pytest.param(name, *case, id=f"{name}-{i}") for name, cases in CASES.items() for i, case in enumerate(cases)],
)


def walked(step, memory, start, rates):
    """Every point of a walk down the quadratic; `step(g, memory, w, t, rate) -> (delta, memory)`."""

    def one(carry, now):
        w, memory = carry
        delta, memory = step(jnp.asarray(QUADRATIC) @ w, memory, w, *now)
        return (w + delta, memory), w + delta

    t = jnp.arange(1, len(rates) + 1)
    return np.asarray(jax.jit(lambda c: jax.lax.scan(one, c, (t, jnp.asarray(rates)))[1])((jnp.asarray(start), memory)))


def by_slalom(rule, rates, start=START):
    return walked(
        lambda g, m, w, t, eta: rule.step(g, m, w, t=t, rate=eta), rule.init(jnp.asarray(start)), start, rates
    )


def assert_same_walk(mine, theirs):
    """Equal to 1e-12 of the size of each point: rounding, and no more, is allowed to differ."""
    assert np.isfinite(theirs).all()
    assert np.abs(theirs[-1] - START).max() > 0.1, "the walk is to lead somewhere"
    np.testing.assert_array_less(np.abs(mine - theirs).max(axis=1), 1e-12 * np.abs(theirs).max(axis=1))


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


@EACH_CASE
def test_a_rule_is_its_paper(name, rate, settings, float64):
    """200 steps agree with a loop written from the paper, settings being plain numbers or numbers of a program."""
    rates = rate * FALL
    paper = np.array(list(globals()[name](lambda w: QUADRATIC @ w, START, rates, **settings)))
    cls = rules.REGISTRY[name]
    about = settings_of(cls)
    traced = {n: Beta(jnp.asarray(1 - v)) if about[n]["keeps"] else jnp.asarray(v) for n, v in settings.items()}
    for rule in (cls(**settings), cls(**traced)):
        assert_same_walk(by_slalom(rule, rates), paper)


def tree_rules():
    """The rules whose independent loops stand in the file beside this one."""
    from oracles.test_rules_tree import PAPERS

    return set(PAPERS)


def test_every_rule_has_a_paper():
    """No rule of the registry is without an independent loop."""
    elsewhere = {"clip_norm", "clip_value", "lookahead", "ema", "swa"} | {"from_optax"}  # test_wrappers, …_optax_bridge
    assert set(CASES) | tree_rules() == set(rules.REGISTRY) - elsewhere
    for name, cases in CASES.items():
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

    def step(g, memory, w, t, eta):
        update, memory = transformation.update(g, memory, w)
        return -eta * update, memory

    theirs = walked(step, transformation.init(jnp.asarray(START)), START, rate * FALL)
    assert_same_walk(by_slalom(rules.REGISTRY[name](**settings), rate * FALL), theirs)


# --- the lessons' numbers ---------------------------------------------------------------------------------------------


def descended(rule, gradient, start, rate, steps, memory=None):
    """The points of a walk in one weight, from a memory of one's choice."""
    w = jnp.asarray([start])
    memory = rule.init(w) if memory is None else memory
    for t in range(1, steps + 1):
        delta, memory = rule.step(gradient(w), memory, w, t=t, rate=rate)
        w = w + delta
        yield float(w[0])


ONE_PARAMETER = {
    "momentum(rate 0.01, 0.9)": rules.Momentum(mu=0.9),
    "adagrad(rate 0.01)": rules.Adagrad(),
    "rmsprop(rate 0.01, decay 0.9)": rules.RMSProp(beta=0.9, epsilon=1e-10),
    "adam(rate 0.01, 0.9, 0.99)": rules.Adam(beta1=0.9, beta2=0.99),
}


@pytest.mark.parametrize("name", WORKED["one_parameter"]["after_two_steps"])
def test_the_lessons_first_two_steps(name):
    """Two steps down w²/2 from 1 are the lessons'."""
    points = list(descended(ONE_PARAMETER[name], lambda w: w, 1.0, 0.01, 2))
    np.testing.assert_allclose(points, WORKED["one_parameter"]["after_two_steps"][name], atol=6e-7)


# The lessons' other writings are the same rules at another rate, or from another memory (v₀ below, with g₁ = 1).
VARIANTS = {
    "momentum, exponentially weighted, s1 = g1 (rate 0.01, 0.9)": (rules.Momentum(mu=0.9), 0.001, 1 / (1 - 0.9)),
    "momentum, rate inside the buffer (0.01, 0.9)": (rules.Momentum(mu=0.9), 0.01, 0.0),
    "rmsprop, v1 = g1^2 (0.01, 0.9)": (rules.RMSProp(beta=0.9, epsilon=1e-10), 0.01, 1.0),
}


@pytest.mark.parametrize("name", WORKED["one_parameter"]["variants_in_the_lessons"])
def test_the_lessons_variants_are_known_rules(name):
    """The lessons' other writings of momentum and RMSProp are these rules, as their docstrings say."""
    rule, rate, v0 = VARIANTS[name]
    memory = type(rule.init(jnp.zeros(1)))(jnp.array([v0]))
    points = list(descended(rule, lambda w: w, 1.0, rate, 2, memory))
    np.testing.assert_allclose(points, WORKED["one_parameter"]["variants_in_the_lessons"][name], atol=6e-7)


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
