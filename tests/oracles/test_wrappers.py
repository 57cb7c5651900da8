"""Every rule that wraps another against its paper as a plain float64 loop, around several rules, and against Optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from slalom import rules
from slalom.record import from_plain, settings_of, to_plain
from slalom.rules.base import Beta, Rule, at_horizon

# An ill-conditioned quadratic over a tree of two arrays, so that a norm of the whole tree is not that of one of them.
TURN = np.linalg.qr(np.random.default_rng(7).normal(size=(6, 6)))[0]
QUADRATIC = TURN @ np.diag(np.logspace(-2, 1, 6)) @ TURN.T
TREE = {"a": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.array([-0.25, 1.5])}
START = np.array([1.0, -2.0, 0.5, 3.0, -0.25, 1.5])
STEPS = 200
FALL = np.where(np.arange(STEPS) < 100, 1.0, 0.3)


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


# --- the papers, as loops; a rule inside is a function (g, w, t, η) -> Δ with a memory of its own ---------------------


def sgd():
    return lambda g, w, t, eta: -eta * g


def momentum(mu):
    v = 0.0

    def step(g, w, t, eta):
        nonlocal v
        v = mu * v + g
        return -eta * v

    return step


def adamw(beta1, beta2, epsilon, weight_decay):
    m = s = 0.0

    def step(g, w, t, eta):
        nonlocal m, s
        m, s = beta1 * m + (1 - beta1) * g, beta2 * s + (1 - beta2) * g * g
        return -eta * (m / (1 - beta1**t) / (np.sqrt(s / (1 - beta2**t)) + epsilon) + weight_decay * w)

    return step


INSIDE = {
    "sgd": (0.1, rules.SGD(), sgd),
    "momentum": (0.03, rules.Momentum(mu=0.8), lambda: momentum(0.8)),
    "adamw": (
        0.05,
        rules.AdamW(beta1=0.8, beta2=0.9, epsilon=0.5, weight_decay=0.1),
        lambda: adamw(0.8, 0.9, 0.5, 0.1),
    ),
}


def clip_norm(inside, w, rates, norm):
    for t, eta in enumerate(rates, 1):
        g = QUADRATIC @ w
        w = w + inside(g * min(1, norm / np.sqrt(np.sum(g * g))), w, t, eta)
        yield w, w


def clip_value(inside, w, rates, value):
    for t, eta in enumerate(rates, 1):
        w = w + inside(np.clip(QUADRATIC @ w, -value, value), w, t, eta)
        yield w, w


def lookahead(inside, slow, rates, k, alpha):
    for first in range(0, len(rates), k):  # the outer loop of the paper
        fast = slow
        for i, eta in enumerate(rates[first : first + k], 1):
            fast = fast + inside(QUADRATIC @ fast, fast, first + i, eta)
            if i == k:
                slow = fast = slow + alpha * (fast - slow)
            yield fast, slow


def ema(inside, w, rates, beta):
    s = 0.0
    for t, eta in enumerate(rates, 1):
        w = w + inside(QUADRATIC @ w, w, t, eta)
        s = beta * s + (1 - beta) * w
        yield w, s / (1 - beta**t)


def swa(inside, w, rates, start, every):
    kept = []
    for t, eta in enumerate(rates, 1):
        w = w + inside(QUADRATIC @ w, w, t, eta)
        if t >= start and (t - start) % every == 0:
            kept.append(w)
        yield w, np.mean(kept, axis=0) if kept else w


CASES = {
    "clip_norm": [{"norm": 1.0}, {"norm": 0.2}],
    "clip_value": [{"value": 0.3}],
    "lookahead": [{"k": 5, "alpha": 0.5}, {"k": 7, "alpha": 0.8}, {"k": 1, "alpha": 0.3}],
    "ema": [{"beta": 0.9}, {"beta": 0.0}, {"beta": 0.999}],
    "swa": [{"start": 100, "every": 1}, {"start": 37, "every": 10}, {"start": 1, "every": 3}],
}
EACH_CASE = pytest.mark.parametrize(
    ("name", "settings"),
    [pytest.param(name, case, id=f"{name}-{i}") for name, cases in CASES.items() for i, case in enumerate(cases)],
)
EACH_INSIDE = pytest.mark.parametrize("inside", INSIDE)


def walked(rule, rates, start=TREE, t0=1):
    """Every point of a walk down the quadratic and what would be scored there, flat; the start's type is kept."""
    start = jax.tree.map(jnp.asarray, start)
    flat, unflatten = ravel_pytree(start)

    def one(carry, now):
        w, memory = carry
        gradient = unflatten(jnp.asarray(QUADRATIC, flat.dtype) @ ravel_pytree(w)[0])
        delta, memory = rule.step(gradient, memory, w, t=now[0], rate=now[1])
        w = jax.tree.map(jnp.add, w, delta)
        return (w, memory), (ravel_pytree(w)[0], ravel_pytree(rule.weights_to_score(w, memory))[0])

    t = (t0 + jnp.arange(len(rates))).astype(flat.dtype)
    run = jax.jit(lambda carry: jax.lax.scan(one, carry, (t, jnp.asarray(rates, flat.dtype)))[1])
    return tuple(np.asarray(points) for points in run((start, rule.init(start))))


def assert_same(mine, theirs):
    """Equal to 1e-12 of the size of each point."""
    assert np.isfinite(theirs).all()
    assert np.abs(theirs[-1] - START).max() > 0.1, "the walk is to lead somewhere"
    np.testing.assert_array_less(np.abs(mine - theirs).max(axis=1), 1e-12 * np.abs(theirs).max(axis=1))


@EACH_CASE
@EACH_INSIDE
def test_a_wrapper_is_its_paper(name, settings, inside, float64):
    """200 points and what is scored there agree with the paper's loop, settings plain or numbers of a program."""
    rate, rule, loop = INSIDE[inside]
    cls = rules.REGISTRY[name]
    paper = list(globals()[name](loop(), START, rate * FALL, **settings))
    about = settings_of(cls)
    traced = {n: Beta(jnp.asarray(1 - v)) if about[n]["keeps"] else jnp.asarray(float(v)) for n, v in settings.items()}
    for made in (cls(rule, **settings), cls(rule, **traced)):
        points, scored = walked(made, rate * FALL)
        assert_same(points, np.array([w for w, _ in paper]))
        assert_same(scored, np.array([s for _, s in paper]))


def test_every_wrapper_has_a_paper():
    """Every case gives all settings of its rule."""
    for name, cases in CASES.items():
        assert all(set(settings) == set(settings_of(rules.REGISTRY[name])) for settings in cases)


# --- Optax ------------------------------------------------------------------------------------------------------------


def optax_loop(tx, w, rates, seen=lambda w: w):
    """The flat points of an Optax loop whose transformation leaves the rate to us."""
    state, points = tx.init(w), []
    for eta in rates:
        gradient = jax.tree.map(jnp.asarray, ravel_pytree(w)[1](QUADRATIC @ ravel_pytree(w)[0]))
        update, state = tx.update(gradient, state, w)
        w = jax.tree.map(lambda p, u, eta=eta: p - eta * u, w, update)
        points.append(np.asarray(ravel_pytree(seen(w))[0]))
    return np.array(points)


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        (lambda inside: rules.ClipNorm(inside, norm=0.7), optax.clip_by_global_norm(0.7)),
        (lambda inside: rules.ClipValue(inside, value=0.3), optax.clip(0.3)),
    ],
    ids=["norm", "value"],
)
@pytest.mark.parametrize(
    ("inside", "then"),
    [
        (rules.SGD(), optax.identity()),
        (rules.Adam(beta1=0.8, beta2=0.9, epsilon=0.5), optax.scale_by_adam(0.8, 0.9, 0.5)),
    ],
    ids=["sgd", "adam"],
)
def test_clipping_is_that_of_optax(rule, first, inside, then, float64):
    """200 steps behind a clipping agree with a chain of Optax."""
    rates = 0.05 * FALL
    theirs = optax_loop(optax.chain(first, then), jax.tree.map(jnp.asarray, TREE), rates)
    assert_same(walked(rule(inside), rates)[0], theirs)


@pytest.mark.parametrize(
    ("inside", "fast"),
    [
        (rules.SGD(), optax.sgd(0.05)),
        (rules.Adam(beta1=0.8, beta2=0.9, epsilon=0.5), optax.adam(0.05, 0.8, 0.9, 0.5)),
    ],
    ids=["sgd", "adam"],
)
def test_lookahead_is_that_of_optax(inside, fast, float64):
    """200 fast and slow weights agree with Optax's, which keeps both as parameters."""
    tx = optax.lookahead(fast, sync_period=6, slow_step_size=0.4)
    params = optax.LookaheadParams.init_synced(jnp.asarray(START))

    @jax.jit
    def step(params, state):
        update, state = tx.update(jnp.asarray(QUADRATIC) @ params.fast, state, params)
        return optax.apply_updates(params, update), state

    state, theirs = tx.init(params), []
    for _ in range(STEPS):
        params, state = step(params, state)
        theirs.append((params.fast, params.slow))
    fast_path, slow_path = np.array(theirs).swapaxes(0, 1)
    points, scored = walked(rules.Lookahead(inside, k=6, alpha=0.4), np.full(STEPS, 0.05))
    assert_same(points, fast_path)
    assert_same(scored, slow_path)


def test_the_average_is_that_of_optax(float64):
    """Optax's debiased moving average, fed with the weights, is the one that is scored."""
    points, scored = walked(rules.EMA(rules.Momentum(mu=0.8), beta=0.97), 0.03 * FALL)
    tx = optax.ema(0.97, debias=True)
    state, theirs = tx.init(jnp.asarray(START)), []
    for w in points:
        average, state = tx.update(jnp.asarray(w), state)
        theirs.append(average)
    assert_same(scored, np.array(theirs))


# --- known differences ------------------------------------------------------------------------------------------------


def test_pytorch_clips_a_millionth_shorter(float64):
    """PyTorch divides by the norm + 1e-6: at a norm of 5 its gradient is 2e-7 shorter, and no more."""
    g = jnp.array([3.0, -4.0])
    delta, _ = rules.ClipNorm(rules.SGD(), norm=1.0).step(g, None, g, t=1, rate=1.0)
    torch = np.array([3.0, -4.0]) * min(1, 1.0 / (5 + 1e-6))
    np.testing.assert_allclose(-torch / delta, 1 - 2e-7, rtol=1e-12)


def test_a_norm_of_each_array_is_another_clipping(float64):
    """Keras's clipnorm, of each array by itself, keeps more of a tree's gradient than the norm of the whole tree."""
    gradient = {"a": jnp.array([3.0]), "b": jnp.array([4.0])}
    rule = rules.ClipNorm(rules.SGD(), norm=1.0)
    delta, _ = rule.step(gradient, rule.init(gradient), gradient, t=1, rate=1.0)
    np.testing.assert_allclose([delta["a"][0], delta["b"][0]], [-0.6, -0.8], rtol=1e-15)  # each alone: -1, -1


def test_an_average_that_begins_with_a_copy_is_another(float64):
    """Averages of PyTorch, Keras and timm begin with the first weights: at step t they keep βᵗ⁻¹ of them too much."""
    points, scored = walked(rules.EMA(rules.SGD(), beta=0.9), 0.1 * FALL)
    copied = points[0]
    for t, w in enumerate(points[1:20], 2):
        copied = 0.9 * copied + 0.1 * w
        mine = scored[t - 1] * (1 - 0.9**t)  # without the correction
        np.testing.assert_allclose(copied, mine + 0.9**t * points[0], rtol=1e-12, atol=1e-13)
        assert np.abs(copied - scored[t - 1]).max() > 1e-3


def test_a_penalty_is_clipped_with_the_gradient(float64):
    """The gradient that a rule gets has its penalty in it: PyTorch, which adds it afterwards, goes further."""
    w, g, penalty = jnp.array([2.0]), jnp.array([3.0]), 0.5
    delta, _ = rules.ClipNorm(rules.SGD(), norm=1.0).step(g + penalty * w, None, w, t=1, rate=1.0)
    torch = -(min(1, 1 / 3) * g + penalty * w)
    assert float(delta[0]) == -1.0
    assert float(torch[0]) == -2.0


# --- corners ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("around", [lambda r: rules.EMA(r, beta=0.9), lambda r: rules.SWA(r, start=5, every=2)])
@pytest.mark.parametrize("inside", [rules.SGD(), rules.Adam(), rules.RAdam(), rules.Lookahead(rules.Momentum())])
def test_an_average_changes_no_bit_of_the_way(around, inside):
    """The weights of 200 float32 steps are the same bits with and without an average beside them."""
    tree = jax.tree.map(np.float32, TREE)
    np.testing.assert_array_equal(walked(around(inside), 0.01 * FALL, tree)[0], walked(inside, 0.01 * FALL, tree)[0])


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1e30])
def test_a_norm_is_right_at_any_size(size):
    """Gradients whose squares are no numbers of float32 are clipped like any other."""
    g = {"a": jnp.array([3.0, 0.0]) * size, "b": jnp.array([4.0]) * size}
    rule = rules.ClipNorm(rules.SGD(), norm=size)
    delta, _ = rule.step(g, rule.init(g), g, t=1, rate=1.0)
    np.testing.assert_allclose(np.array([*delta["a"], *delta["b"]]) / size, [-0.6, 0.0, -0.8], rtol=1e-6)


def test_what_has_diverged_is_not_hidden():
    """A clipped norm hands NaN and infinity on as NaN; a clipped value cuts an infinite element and keeps NaN."""
    g = jnp.array([jnp.inf, 1.0])
    assert jnp.isnan(rules.ClipNorm(rules.SGD()).step(g, None, g, t=1, rate=1.0)[0]).any()
    np.testing.assert_array_equal(rules.ClipValue(rules.SGD()).step(g, None, g, t=1, rate=1.0)[0], [-1.0, -1.0])
    g = jnp.array([jnp.nan, 1.0])
    for rule in (rules.ClipNorm(rules.SGD()), rules.ClipValue(rules.SGD())):
        assert jnp.isnan(rule.step(g, None, g, t=1, rate=1.0)[0][0])


def test_a_broken_number_of_steps_is_its_whole_part(float64):
    """Lookahead with k = 2.9 is that with 2; SWA from 10.5 every 3.7 is that from 10 every 3."""
    rates = 0.05 * FALL[:40]
    pairs = (
        (rules.Lookahead(rules.SGD(), k=2.9), rules.Lookahead(rules.SGD(), k=2)),
        (rules.SWA(rules.SGD(), start=10.5, every=3.7), rules.SWA(rules.SGD(), start=10, every=3)),
    )
    for broken, whole in pairs:
        for mine, theirs in zip(walked(broken, rates), walked(whole, rates), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_start_that_no_host_has_turned_averages_from_the_first_step(float64):
    """A fraction inside a step counts as 0 steps: the mean of all weights, without those that training began with."""
    points, scored = walked(rules.SWA(rules.SGD(), start=0.75), 0.05 * FALL)
    np.testing.assert_allclose(
        scored, np.cumsum(points, axis=0) / np.arange(1, STEPS + 1)[:, None], rtol=1e-12, atol=1e-13
    )


def test_averages_are_of_what_the_rule_inside_scores(float64):
    """EMA around Lookahead averages slow weights; SWA around EMA averages averages, and scores EMA's at first."""
    rates = 0.05 * FALL
    _, slow = walked(rules.Lookahead(rules.SGD(), k=5, alpha=0.5), rates)
    _, scored = walked(rules.EMA(rules.Lookahead(rules.SGD(), k=5, alpha=0.5), beta=0.0), rates)
    np.testing.assert_allclose(scored, slow, rtol=1e-12, atol=1e-13)
    _, average = walked(rules.EMA(rules.SGD(), beta=0.9), rates)
    _, scored = walked(rules.SWA(rules.EMA(rules.SGD(), beta=0.9), start=120), rates)
    np.testing.assert_array_equal(scored[:119], average[:119])
    np.testing.assert_allclose(scored[-1], average[119:].mean(axis=0), rtol=1e-12, atol=1e-13)
    _, scored = walked(rules.ClipNorm(rules.EMA(rules.SGD(), beta=0.9), norm=1e9), rates)
    np.testing.assert_array_equal(scored, average)


def test_lookahead_asks_the_rule_inside_at_the_slow_weights():
    """What Lookahead scores is what the rule inside makes of the slow weights."""

    class Doubled(rules.SGD):
        def weights_to_score(self, params, memory):
            return jax.tree.map(lambda p: 2 * p, params)

    rule, w = rules.Lookahead(Doubled(), k=5), jnp.ones(3)
    _, memory = rule.step(w, rule.init(w), w, t=1, rate=0.1)
    np.testing.assert_array_equal(rule.weights_to_score(0 * w, memory), 2 * w)


def test_averages_keep_their_digits_in_float32():
    """What is scored after 2,000 float32 steps lies within 3e-6 of the same in float64."""
    rates = np.full(2000, 2.0**-10)
    for rule in (
        rules.EMA(rules.SGD(), beta=Beta(np.float32(0.0001))),
        rules.SWA(rules.SGD(), start=np.float32(100)),
        rules.Lookahead(rules.SGD(), k=np.float32(5)),
    ):
        narrow = walked(rule, rates, jax.tree.map(np.float32, TREE))[1]
        with jax.enable_x64(True):
            wide = walked(jax.tree.map(np.float64, rule), rates)[1]
        assert np.abs(narrow - wide).max() < 3e-6 * np.abs(wide).max()


def test_lengths_become_steps_in_nested_rules():
    """A fraction of the horizon becomes steps, rounded as a schedule's; steps, and numbers of a program, stay."""
    rule = at_horizon(rules.ClipNorm(rules.SWA(rules.SWA(rules.SGD(), start=50), start=0.1)), 70)
    assert (rule.rule.start, rule.rule.rule.start) == (7.0, 50)
    inside_a_program = rules.SWA(rules.SGD(), start=jnp.float32(0.5))
    assert at_horizon(inside_a_program, 70).start is inside_a_program.start
    assert at_horizon(rules.Adam(beta1=0.5), 70) == rules.Adam(beta1=0.5)


def test_a_wrapper_is_worth_the_rates_of_the_rule_inside():
    """The learning rates worth trying are those of the innermost rule; a class has those of most rules."""
    assert rules.ClipNorm(rules.EMA(rules.Momentum())).rates == rules.Momentum.rates
    assert rules.ClipNorm.rates == Rule.rates


@pytest.mark.parametrize("name", CASES)
def test_a_remark_is_passed_on(name):
    """What the rule inside has to say about a training is said."""

    class Talking(rules.SGD):
        def remark(self, memory):
            return "switched at step 7"

    rule = rules.REGISTRY[name](Talking())
    assert rule.remark(rule.init(jnp.zeros(2))) == "switched at step 7"


def test_plain_data_holds_the_rules_inside():
    """A rule around a rule around a rule is written down with all settings, and read again."""
    rule = rules.ClipNorm(rules.Lookahead(rules.Momentum(mu=0.8), k=10), norm=2.0)
    plain = to_plain(rule, rules.REGISTRY)
    inner = {"name": "lookahead", "k": 10, "alpha": 0.5, "rule": {"name": "momentum", "mu": 0.8}}
    assert plain == {"name": "clip_norm", "norm": 2.0, "rule": inner}
    assert from_plain("rule", plain, rules.REGISTRY) == rule


def test_a_memory_has_weights_of_its_own():
    """No memory is the parameters' own buffer, so that a program may be given both to reuse."""
    w = jnp.ones(3)
    for name in CASES:
        assert all(leaf is not w for leaf in jax.tree.leaves(rules.REGISTRY[name]().init(w)))
