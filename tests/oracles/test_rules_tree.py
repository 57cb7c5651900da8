"""The rules that need the whole parameter tree or score other weights, each against its paper and against Optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from slalom import rules
from slalom.record import settings_of
from slalom.rules.base import Beta
from slalom.rules.muon import orthogonal

from .problems import FALL, QUADRATIC, START, STEPS

RISE = np.minimum(1.0, np.arange(STEPS) / 20)  # a warm-up, whose first step has rate 0
FLAT = np.ones(STEPS)


# --- what is walked on: a start, a tree of arrays, and the gradient of step t there -----------------------------------


def on_quadratic(w, t):
    """The ill-conditioned quadratic, its six weights laid out as a matrix and a vector."""
    g = QUADRATIC @ jnp.concatenate([w["matrix"].ravel(), w["vector"]])
    return {"matrix": g[:4].reshape(2, 2), "vector": g[4:]}


def tanh_net(w, x, y):
    """The squared error of a net with one hidden layer."""
    outputs = w["w2"] @ jnp.tanh(w["w1"] @ x + w["b1"]) + w["b2"]
    return jnp.mean((outputs - y) ** 2) / 2


def on_net(w, t):
    """A net 8-32-1 on 1,024 rows, in batches of 64."""
    random = np.random.default_rng(3)
    x = random.normal(size=(8, 1024))
    y = np.sin(x[:1]) + 0.5 * x[1:2] * x[2:3] + 0.1 * random.normal(size=(1, 1024))
    rows = jnp.asarray(random.integers(0, 1024, (STEPS, 64)))[t - 1]
    dtype = w["w1"].dtype
    return jax.grad(tanh_net)(w, jnp.asarray(x, dtype)[:, rows], jnp.asarray(y, dtype)[:, rows])


def net_start():
    random = np.random.default_rng(5)
    w1, w2 = random.normal(size=(32, 8)) / np.sqrt(8), random.normal(size=(1, 32)) / np.sqrt(32)
    return {"w1": w1, "b1": np.zeros((32, 1)), "w2": w2, "b2": np.zeros((1, 1))}


GROUNDS = {
    # (gradient, start, how nearly walks must agree)
    "quadratic": (on_quadratic, {"matrix": START[:4].reshape(2, 2), "vector": START[4:]}, 1e-12),
    "net": (on_net, net_start(), 1e-9),
}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def walked(step, init, score, ground, rates, dtype="float64"):
    """(every point, what is scored at every point, the last memory); step(g, memory, w, t, rate) -> (delta, memory)."""
    gradient, start, _ = GROUNDS[ground]

    def one(carry, now):
        w, memory = carry
        t, rate = now
        delta, memory = step(gradient(w, t), memory, w, t, rate)
        w = jax.tree.map(jnp.add, w, delta)
        return (w, memory), (w, score(w, memory))

    start = jax.tree.map(lambda p: jnp.asarray(p, dtype), start)
    now = jnp.arange(1, len(rates) + 1), jnp.asarray(rates, dtype)
    (_, memory), points = jax.jit(lambda w: jax.lax.scan(one, (w, init(w)), now))(start)
    return *jax.tree.map(np.asarray, points), memory


def by_slalom(rule, ground, rates, dtype="float64"):
    step = lambda g, m, w, t, rate: rule.step(g, m, w, t=t.astype(dtype), rate=rate)  # noqa: E731
    return walked(step, rule.init, rule.weights_to_score, ground, rates, dtype)


def assert_same_walk(mine, theirs, ground):
    """Equal to rounding, measured against the size of each point as a whole; and the walk leads somewhere."""
    mine, theirs, start = (flat(tree) for tree in (mine, theirs, jax.tree.map(lambda p: p[None], GROUNDS[ground][1])))
    assert np.isfinite(theirs).all()
    assert np.abs(theirs[-1] - start).max() > 0.01
    np.testing.assert_array_less(np.abs(mine - theirs).max(axis=1), GROUNDS[ground][2] * np.abs(theirs).max(axis=1))


def flat(tree):
    """[T, all weights] of a tree of [T, …]."""
    return np.concatenate([np.asarray(leaf).reshape(len(leaf), -1) for leaf in jax.tree.leaves(tree)], axis=1)


# --- the papers, as loops over a list of arrays; each yields where it stands and what is to be scored -----------------


def swats(gradient, w, rates, beta1, beta2, epsilon, threshold, latest):
    # The paper's rate is constant until the switch; after it Λ moves as the rate does.
    shapes = [p.shape for p in w]
    m = a = v = 0.0
    average, learned, at = 0.0, None, None
    for k, eta in enumerate(rates, start=1):
        g = np.concatenate([one.ravel() for one in gradient(w)])
        whole = np.concatenate([one.ravel() for one in w])
        if learned is not None:
            v = beta1 * v + g
            whole = whole - (1 - beta1) * learned * eta / at * v
        else:
            m, a = beta1 * m + (1 - beta1) * g, beta2 * a + (1 - beta2) * g * g
            p = -eta * np.sqrt(1 - beta2**k) / (1 - beta1**k) * m / (np.sqrt(a) + epsilon)
            whole = whole + p
            if p @ g != 0:
                gamma = p @ p / -(p @ g)
                average = beta2 * average + (1 - beta2) * gamma
                estimate = average / (1 - beta2**k)
                steady = abs(estimate - gamma) < threshold * estimate
                if k > 1 and estimate > 0 and (steady or 0 < latest <= k):
                    learned, at = estimate, eta
        ends = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
        w = [part.reshape(shape) for part, shape in zip(np.split(whole, ends), shapes, strict=True)]
        yield w, w


def lamb(gradient, w, rates, beta1, beta2, epsilon, weight_decay):
    m, v = [0 * p for p in w], [0 * p for p in w]
    for t, eta in enumerate(rates, start=1):
        g = gradient(w)
        for i in range(len(w)):
            m[i] = beta1 * m[i] + (1 - beta1) * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2
            r = m[i] / (1 - beta1**t) / (np.sqrt(v[i] / (1 - beta2**t)) + epsilon) + weight_decay * w[i]
            long = np.linalg.norm(w[i]) > 0 and np.linalg.norm(r) > 0
            w[i] = w[i] - eta * (np.linalg.norm(w[i]) / np.linalg.norm(r) if long else 1) * r
        yield list(w), list(w)


def schedule_free(gradient, w, rates, beta1, weight_decay, direction):
    x, y, z = list(w), list(w), list(w)
    weights = [largest**2 for largest in np.maximum.accumulate(rates)]
    for t, eta in enumerate(rates, start=1):
        d = direction(gradient(y), t)
        c = weights[t - 1] / sum(weights[:t]) if sum(weights[:t]) > 0 else 0.0
        for i in range(len(w)):
            z[i] = z[i] - eta * (d[i] + weight_decay * y[i])
            x[i] = (1 - c) * x[i] + c * z[i]
            y[i] = (1 - beta1) * z[i] + beta1 * x[i]
        yield list(y), list(x)


def schedule_free_sgd(gradient, w, rates, beta, weight_decay):
    yield from schedule_free(gradient, w, rates, beta, weight_decay, lambda g, t: g)


def schedule_free_adamw(gradient, w, rates, beta1, beta2, epsilon, weight_decay):
    v = [0 * p for p in w]

    def direction(g, t):
        v[:] = [beta2 * old + (1 - beta2) * one**2 for old, one in zip(v, g, strict=True)]
        return [one / (np.sqrt(square / (1 - beta2**t)) + epsilon) for one, square in zip(g, v, strict=True)]

    yield from schedule_free(gradient, w, rates, beta1, weight_decay, direction)


def prodigy(gradient, w, rates, beta1, beta2, epsilon, d0, coefficient, weight_decay):
    start, d, r = list(w), d0, 0.0
    m, v, s = ([0 * p for p in w] for _ in range(3))
    for t, eta in enumerate(rates, start=1):
        g = gradient(w)
        step = eta * d * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        back = sum(np.sum(one * (p0 - p)) for one, p0, p in zip(g, start, w, strict=True))
        r = np.sqrt(beta2) * r + step * d / d0 * back
        for i in range(len(w)):
            m[i] = beta1 * m[i] + (1 - beta1) * d * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * d**2 * g[i] ** 2
            s[i] = np.sqrt(beta2) * s[i] + step * d / d0 * g[i]
        if eta > 0:
            d = max(d, coefficient * r / sum(np.abs(one).sum() for one in s))
        w = [
            p - step * (one / (np.sqrt(square) + d * epsilon) + weight_decay * p)
            for p, one, square in zip(w, m, v, strict=True)
        ]
        yield w, w


def muon(gradient, w, rates, mu, beta1, beta2, epsilon, weight_decay):
    m, v = [0 * p for p in w], [0 * p for p in w]
    for t, eta in enumerate(rates, start=1):
        for i, g in enumerate(gradient(w)):
            if g.ndim == 2 and 1 not in g.shape:
                m[i] = mu * m[i] + (1 - mu) * g
                u = mu * m[i] + (1 - mu) * g
                left, values, right = np.linalg.svd(u, full_matrices=False)
                values = values / (np.sqrt(np.sum(values**2)) + epsilon)
                for _ in range(5):
                    values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
                direction = 0.2 * np.sqrt(max(g.shape)) * (left * values) @ right
            else:
                m[i], v[i] = beta1 * m[i] + (1 - beta1) * g, beta2 * v[i] + (1 - beta2) * g**2
                direction = m[i] / (1 - beta1**t) / (np.sqrt(v[i] / (1 - beta2**t)) + epsilon)
            w[i] = w[i] - eta * (direction + weight_decay * w[i])
        yield list(w), list(w)


# Settings at which every term matters: ε as large as the roots, means that forget visibly, a decay that pulls.
MEANS = {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5}
PAPERS = {
    "swats": [
        ("quadratic", 0.05 * FALL, MEANS | {"threshold": 0.02, "latest": 0.0}),
        ("quadratic", 0.05 * FALL, MEANS | {"threshold": 0.0, "latest": 40.0}),
        ("quadratic", 0.05 * FLAT, MEANS | {"threshold": 1e-9, "latest": 0.0}),
        ("net", 0.003 * FALL, MEANS | {"threshold": 1e-2, "latest": 0.0}),
    ],
    "lamb": [
        ("quadratic", 0.01 * FALL, MEANS | {"weight_decay": 0.1}),
        ("net", 0.01 * FALL, MEANS | {"weight_decay": 0.1}),
    ],
    "schedule_free_sgd": [
        ("quadratic", 0.1 * FALL, {"beta": 0.8, "weight_decay": 0.1}),
        ("quadratic", 0.1 * RISE, {"beta": 0.0, "weight_decay": 0.1}),
        ("net", 0.1 * RISE, {"beta": 0.8, "weight_decay": 0.1}),
    ],
    "schedule_free_adamw": [
        ("quadratic", 0.05 * FALL, MEANS | {"weight_decay": 0.1}),
        ("quadratic", 0.05 * RISE, MEANS | {"weight_decay": 0.1}),
        ("net", 0.01 * RISE, MEANS | {"weight_decay": 0.1}),
    ],
    "prodigy": [
        ("quadratic", FALL, MEANS | {"d0": 1e-2, "coefficient": 0.5, "weight_decay": 0.1}),
        ("quadratic", RISE, MEANS | {"d0": 1e-2, "coefficient": 0.5, "weight_decay": 0.1}),
        ("net", RISE, MEANS | {"d0": 1e-3, "coefficient": 0.5, "weight_decay": 0.1}),
    ],
    "muon": [
        ("quadratic", 0.01 * FALL, MEANS | {"mu": 0.9, "weight_decay": 0.1}),
        ("net", 0.01 * FALL, MEANS | {"mu": 0.9, "weight_decay": 0.1}),
    ],
}


def by_paper(name, ground, rates, settings):
    """The points of a paper's loop, and what it would have scored."""
    gradient, start, _ = GROUNDS[ground]
    structure, t = jax.tree.structure(start), iter(range(1, len(rates) + 1))
    taken = jax.jit(gradient)
    listed = lambda w: [np.asarray(g) for g in jax.tree.leaves(taken(structure.unflatten(w), next(t)))]  # noqa: E731
    points = list(globals()[name](listed, jax.tree.leaves(start), rates, **settings))
    return tuple([np.stack(leaves) for leaves in zip(*column, strict=True)] for column in zip(*points, strict=True))


@pytest.mark.parametrize(
    ("name", "ground", "rates", "settings"),
    [pytest.param(name, *case, id=f"{name}-{i}") for name, cases in PAPERS.items() for i, case in enumerate(cases)],
)
def test_a_rule_of_the_tree_is_its_paper(name, ground, rates, settings):
    """200 steps, and what is scored on the way, agree with a loop written from the paper, settings being plain numbers
    or (on the quadratic) numbers of a program."""
    points, scored = by_paper(name, ground, rates, settings)
    cls = rules.REGISTRY[name]
    about = settings_of(cls)
    assert set(settings) == set(about)
    traced = {n: Beta(jnp.asarray(1 - v)) if about[n]["keeps"] else jnp.asarray(v) for n, v in settings.items()}
    for rule in (cls(**settings), cls(**traced))[: 1 if ground == "net" else 2]:
        mine = by_slalom(rule, ground, rates)
        assert_same_walk(mine[0], points, ground)
        assert_same_walk(mine[1], scored, ground)


# --- Optax, where its definition is the same one ----------------------------------------------------------------------


def by_optax(make, ground, rates, score=lambda state, w: w):
    """The points of a transformation that is made from a schedule, a function of the steps before this one."""
    transformation = make(lambda before: jnp.asarray(rates)[before])
    return walked(
        lambda g, state, w, t, rate: transformation.update(g, state, w),
        transformation.init,
        lambda w, state: score(state, w),
        ground,
        rates,
    )


def optax_schedule_free(base, beta):
    """Optax's wrapper, told the rate of this step; its own shortcuts tell it the next one (see below)."""
    return lambda schedule: optax.contrib.schedule_free(base(schedule), lambda step: schedule(step - 1), b1=beta)


DECAYED_SGD = lambda schedule: optax.chain(optax.add_decayed_weights(0.1), optax.sgd(schedule))  # noqa: E731
DECAYED_RMS = lambda schedule: optax.chain(  # noqa: E731
    optax.scale_by_rms(0.9, 0.5, eps_in_sqrt=False, bias_correction=True),
    optax.add_decayed_weights(0.1),
    optax.scale_by_learning_rate(schedule),
)
EVALUATED = optax.contrib.schedule_free_eval_params
OPTAX = {
    "lamb": (0.01 * FALL, MEANS | {"weight_decay": 0.1}, lambda s: optax.lamb(s, 0.8, 0.9, 0.5, weight_decay=0.1)),
    "schedule_free_sgd": (
        0.1 * RISE,
        {"beta": 0.8, "weight_decay": 0.1},
        optax_schedule_free(DECAYED_SGD, 0.8),
        EVALUATED,
    ),
    "schedule_free_adamw": (
        0.05 * RISE,
        MEANS | {"weight_decay": 0.1},
        optax_schedule_free(DECAYED_RMS, 0.8),
        EVALUATED,
    ),
    "prodigy": (
        FALL,
        MEANS | {"d0": 1e-2, "coefficient": 0.5, "weight_decay": 0.1},
        lambda s: optax.contrib.prodigy(
            s, (0.8, 0.9), eps=0.5, estim_lr0=1e-2, estim_lr_coef=0.5, weight_decay=0.1, safeguard_warmup=False
        ),
    ),
}


@pytest.mark.parametrize("name", OPTAX)
def test_a_rule_of_the_tree_agrees_with_optax(name):
    """200 steps, and the weights to be scored, agree with Optax where it means the same rule."""
    rates, settings, make, *score = OPTAX[name]
    theirs = by_optax(make, "quadratic", rates, *score)
    mine = by_slalom(rules.REGISTRY[name](**settings), "quadratic", rates)
    assert_same_walk(mine[0], theirs[0], "quadratic")
    assert_same_walk(mine[1], theirs[1], "quadratic")


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        (rules.ScheduleFreeSGD(beta=0.8), lambda s: optax.contrib.schedule_free_sgd(s, b1=0.8)),
        (rules.ScheduleFreeAdamW(beta1=0.8), lambda s: optax.contrib.schedule_free_adamw(s, b1=0.8)),
    ],
    ids=["sgd", "adamw"],
)
def test_optaxs_schedule_free_shortcuts_weigh_by_the_next_rate(rule, make):
    """At a constant rate Optax's shortcuts are these rules; in a warm-up they weigh a step by the rate of the next."""
    assert_same_walk(
        by_slalom(rule, "quadratic", 0.05 * FLAT)[0], by_optax(make, "quadratic", 0.05 * FLAT)[0], "quadratic"
    )
    mine, theirs = by_slalom(rule, "quadratic", 0.05 * RISE)[0], by_optax(make, "quadratic", 0.05 * RISE)[0]
    assert np.abs(flat(mine) - flat(theirs))[50].max() > 1e-3


def on_matrix(w, t):
    """The quadratic again, with all its weights in one matrix."""
    return (QUADRATIC @ w.ravel()).reshape(w.shape)


GROUNDS["matrix"] = (on_matrix, START.reshape(2, 3), 1e-12)


def optax_muon(beta):
    return lambda schedule: optax.contrib.muon(schedule, beta=beta, eps=0.5, weight_decay=0.1, consistent_rms=0.2)


def test_muon_without_momentum_agrees_with_optax():
    """On a matrix, with nothing of the past kept, 200 steps are Optax's with its factor for a consistent size."""
    mine = by_slalom(rules.Muon(mu=0.0, epsilon=0.5, weight_decay=0.1), "matrix", 0.01 * FALL)[0]
    assert_same_walk(mine, by_optax(optax_muon(0.0), "matrix", 0.01 * FALL)[0], "matrix")


def test_muon_with_momentum_is_not_optaxs():
    """Optax corrects the means for their start by different amounts, which turns its look ahead in the first steps."""
    mine = by_slalom(rules.Muon(mu=0.9, epsilon=1e-8, weight_decay=0.1), "matrix", 0.01 * FALL)[0]
    apart = np.abs(mine - by_optax(optax_muon(0.9), "matrix", 0.01 * FALL)[0]).max(axis=(1, 2))
    assert apart[10] > 1e-4


# --- SWATS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_swats_switches_on_a_small_tanh_net(dtype):
    """With its default settings and Adam's usual rate SWATS switches before step 200, and says so."""
    rule = rules.SWATS(threshold=1e-3)
    memory = by_slalom(rule, "net", 1e-3 * FLAT, dtype)[2]
    assert rule == rules.SWATS()
    assert 1 < float(memory.switched) < 200
    assert rule.remark(memory) == "switched to SGD at step 134 with rate 0.0499"


@pytest.mark.parametrize("fall", [FLAT, np.where(np.arange(STEPS) < 160, 1.0, 0.1)], ids=["constant", "falling"])
def test_swats_is_momentum_after_its_switch(fall):
    """From the switch on SWATS is SGD with momentum from rest, at (1 − β₁) times the rate learned there, and a schedule
    moves this rate as it would have moved Adam's."""
    points, _, memory = by_slalom(rules.SWATS(), "net", 1e-3 * fall)
    switched, learned = int(memory.switched), float(memory.learned)
    assert 1 < switched < 150
    w = jax.tree.map(lambda p: jnp.asarray(p[switched - 1]), points)  # the switching step is still Adam's
    momentum = rules.Momentum(mu=0.9)
    v = momentum.init(w)
    step = jax.jit(lambda w, v, t, rate: momentum.step(on_net(w, t), v, w, t=t - switched, rate=rate))
    for t in range(switched + 1, STEPS + 1):
        delta, v = step(w, v, t, (1 - 0.9) * learned * fall[t - 1])
        w = jax.tree.map(jnp.add, w, delta)
        for mine, theirs in zip(jax.tree.leaves(points), jax.tree.leaves(w), strict=True):
            np.testing.assert_allclose(mine[t - 1], theirs, rtol=1e-12, atol=1e-12)


def test_swats_as_the_paper_has_its_threshold_never_switches():
    """A threshold of the order of the paper's 1e-9 is met in no run of this length: SWATS stays Adam, and says so."""
    rule = rules.SWATS(threshold=1e-9, epsilon=1e-30)  # no ε, which SWATS adds before the correction and Adam after it
    points, _, memory = by_slalom(rule, "net", 1e-3 * FLAT)
    assert rule.remark(memory) == "never switched to SGD"
    assert_same_walk(points, by_slalom(rules.Adam(epsilon=1e-30), "net", 1e-3 * FLAT)[0], "net")


def fed(rule, gradients, rates):
    """The moves and the memories of a rule that is handed gradients, whatever it does with them."""
    w = jnp.zeros(np.shape(gradients[0]))
    memory = rule.init(w)
    step = jax.jit(lambda g, memory, t, rate: rule.step(g, memory, w, t=t, rate=rate))
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        delta, memory = step(jnp.asarray(g), memory, t, rate)
        yield np.asarray(delta), memory


def test_swats_never_climbs():
    """A negative estimate is no rate: the switch waits for a positive one, even where it is overdue."""
    # The mean of 1, −½, −½ is positive at step 2, where the gradient is not: Adam climbs, and γ < 0.
    rule = rules.SWATS(beta2=0.0, threshold=1e-3, latest=1.0)
    memories = [memory for _, memory in fed(rule, [[1.0], [-0.5], [-0.5], [-0.5]], [0.1] * 4)]
    assert [bool(memory.projection > 0) for memory in memories[:3]] == [True, False, True]
    assert [float(memory.switched) for memory in memories] == [0, 0, 3, 3]
    assert float(memories[-1].learned) > 0


def test_swats_learns_nothing_from_a_step_across_the_gradient():
    """Where pᵀg = 0 the estimate stays as it is, and no NaN arises, not even unseen."""
    with jax.debug_nans(True):
        # m = ½ · ½ − ½ · ½ = 0 at step 2; no gradient at all at step 3.
        rule = rules.SWATS(beta1=0.5, beta2=0.9, latest=2.0)
        moves = list(fed(rule, [[1.0], [-0.5], [0.0], [1.0]], [0.1] * 4))
    first, second, third, fourth = (memory for _, memory in moves)
    assert float(first.projection) > 0
    assert float(second.projection) == float(first.projection)
    assert float(third.projection) == float(first.projection)
    assert float(fourth.projection) != float(first.projection)
    assert [float(memory.switched) for _, memory in moves] == [0, 0, 0, 4]


def test_the_estimate_of_swats_leaves_the_rate_out():
    """A warm-up changes neither when SWATS switches nor SGD's rate over Adam's, only the rate itself; at rate 0 it
    does not switch."""
    gradients = 0.5 + np.random.default_rng(1).normal(size=(60, 4))
    rule = rules.SWATS(threshold=0.0, latest=30.0)
    *_, (_, constant) = fed(rule, gradients, np.full(60, 0.1))
    *_, (_, warmed) = fed(rule, gradients, np.linspace(0.0, 0.1, 60))
    *_, (_, at_rest) = fed(rule, gradients, np.zeros(60))
    assert float(constant.switched) == float(warmed.switched) == 30
    assert float(warmed.ratio) == float(constant.ratio) > 0
    assert float(warmed.learned) == pytest.approx(float(constant.learned) * 29 / 59)
    assert float(at_rest.switched) == 0


def test_swats_switches_racer_by_racer():
    """Racers of one lane switch each at their own step, and walk as each would alone."""
    latest = [0.0, 20.0, 70.0]
    walk = lambda rule: by_slalom(rule, "quadratic", 0.05 * FALL)  # noqa: E731
    gradient, start, _ = GROUNDS["quadratic"]

    def lane(latest):
        rule = rules.SWATS(threshold=jnp.zeros(()), latest=latest)

        def one(carry, now):
            w, memory = carry
            delta, memory = rule.step(gradient(w, 0), memory, w, t=now[0], rate=now[1])
            w = jax.tree.map(jnp.add, w, delta)
            return (w, memory), w

        w = jax.tree.map(jnp.asarray, start)
        (_, memory), points = jax.lax.scan(one, (w, rule.init(w)), (jnp.arange(1, STEPS + 1), 0.05 * FALL))
        return points, memory.switched

    together, switched = jax.jit(jax.vmap(lane))(jnp.asarray(latest))
    assert switched.tolist() == [0, 20, 70]
    for k, at in enumerate(latest):
        alone = walk(rules.SWATS(threshold=0.0, latest=at))[0]
        assert_same_walk(jax.tree.map(lambda p, k=k: p[k], together), alone, "quadratic")


# --- corners of the others --------------------------------------------------------------------------------------------


def test_lamb_moves_an_array_by_a_share_of_its_norm():
    """Every array moves by the rate times its own norm, and at Adam's length where its norm or its direction is 0."""
    w = {
        "long": jnp.array([[30.0, 40.0]]),
        "short": jnp.array([3e-4, 4e-4]),
        "zero": jnp.zeros(2),
        "still": jnp.ones(2),
    }
    g = {"long": jnp.array([[1.0, -3.0]]), "short": jnp.array([5.0, 0.1]), "zero": jnp.ones(2), "still": jnp.zeros(2)}
    rule = rules.LAMB(epsilon=1e-30, weight_decay=0.0)
    delta, _ = rule.step(g, rule.init(w), w, t=1, rate=0.1)
    moved = {name: float(jnp.linalg.norm(d)) for name, d in delta.items()}
    assert moved == pytest.approx({"long": 5.0, "short": 5e-5, "zero": 0.1 * 2**0.5, "still": 0.0})


@pytest.mark.parametrize(
    "rule", [rules.ScheduleFreeSGD(beta=0.7), rules.ScheduleFreeAdamW(beta1=0.7)], ids=["sgd", "adamw"]
)
def test_schedule_free_scores_the_mean_of_its_walk(rule):
    """What is scored is the mean of all z, weighted by the square of the largest rate so far; steps at rate 0 before
    the first weigh nothing."""
    rates = 0.1 * RISE
    assert rates[0] == 0
    gradients = 0.5 + np.random.default_rng(2).normal(size=(STEPS, 3))
    memories = [memory for _, memory in fed(rule, gradients, rates)]
    z = np.array([memory.walk.z for memory in memories])
    mean = np.average(z, axis=0, weights=np.maximum.accumulate(rates) ** 2)
    np.testing.assert_allclose(rule.weights_to_score(jnp.zeros(3), memories[-1]), mean, rtol=1e-12, atol=1e-13)


def test_prodigy_never_estimates_more_than_the_distance():
    """On a convex function d only grows, from d₀ to the order of the largest coordinate of the way to the minimum, and
    never above it; what starts at a rate too small by five orders of magnitude arrives."""
    target, w, rule = jnp.array([3.0, -1.0, 0.5]), jnp.zeros(3), rules.Prodigy()
    memory, distances = rule.init(w), []
    step = jax.jit(lambda w, memory, t: rule.step(w - target, memory, w, t=t, rate=jnp.asarray(1.0)))
    for t in range(1, 301):
        delta, memory = step(w, memory, float(t))
        w = w + delta
        distances.append(float(memory.d))
    assert distances == sorted(distances)
    assert distances[0] == 1e-6
    assert 0.3 < distances[-1] <= 3.0
    np.testing.assert_allclose(w, target, atol=0.2)
    assert rule.remark(memory) == f"estimated d = {distances[-1]:.3g}"


def test_muon_turns_all_directions_alike():
    """The step of a matrix has the gradient's singular vectors and singular values of 0.68 to 1.14, whatever they were;
    a high matrix is a wide one turned; no gradient gives no step."""
    random = np.random.default_rng(4)
    for shape in ((6, 6), (3, 9), (9, 3)):
        u = random.normal(size=shape) * np.logspace(-3, -5, shape[1])
        left, values, right = np.linalg.svd(u, full_matrices=False)
        inside = left.T @ np.asarray(orthogonal(jnp.asarray(u), 1e-12)) @ right.T
        assert values.max() / values.min() > 2
        np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-12)
        assert 0.68 < np.diag(inside).min() <= np.diag(inside).max() < 1.14
        turned = np.asarray(orthogonal(jnp.asarray(u.T), 1e-12)).T
        np.testing.assert_allclose(left.T @ turned @ right.T, inside, atol=1e-12)
    np.testing.assert_array_equal(orthogonal(jnp.zeros((2, 3)), 1e-8), np.zeros((2, 3)))


def test_muon_takes_matrices_and_adamw_the_rest():
    """Biases, gains and the only row of a last layer walk as AdamW walks them, to the last digit."""
    muon, adamw = rules.Muon(), rules.AdamW()
    w = {"matrix": jnp.ones((2, 3)), "bias": jnp.ones((4, 1)), "row": jnp.ones((1, 4)), "vector": jnp.ones(4)}
    g = jax.tree.map(lambda p: jnp.linspace(-1.0, 2.0, p.size).reshape(p.shape), w)
    by_muon, by_adamw = (rule.step(g, rule.init(w), w, t=1, rate=0.1)[0] for rule in (muon, adamw))
    for name in w:
        same = np.allclose(by_muon[name], by_adamw[name], rtol=1e-14, atol=0)
        assert same == (name != "matrix")
    # One rate for both: the size of a matrix's step is about 0.2 times AdamW's first, which is its usual one.
    wide = jnp.asarray(np.random.default_rng(0).normal(size=(64, 128)))
    delta, _ = muon.step(wide, muon.init(wide), 0 * wide, t=1, rate=1.0)
    assert float(jnp.sqrt(jnp.mean(delta**2))) == pytest.approx(0.2, rel=0.2)
