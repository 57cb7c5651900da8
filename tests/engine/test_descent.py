"""Descents: the recorded path against plain loops, its forms over data, and what a person may give wrongly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import slalom
from slalom import rules, schedules
from slalom.descent import iterations
from slalom.errors import SlalomError

TURN = np.linalg.qr(np.random.default_rng(7).normal(size=(4, 4)))[0]
QUADRATIC = TURN @ np.diag(np.logspace(-2, 1, 4)) @ TURN.T
START = np.array([1.0, -2.0, 0.5, 3.0])


def bowl(w):
    return w @ QUADRATIC @ w / 2


def looped(rule, start, rates, slope):
    """The points of a walk, step by step, without a program."""
    w = jnp.asarray(start)
    memory, points, scored = rule.init(w), [w], []
    scored.append(rule.weights_to_score(w, memory))
    for t, rate in enumerate(rates):
        delta, memory = rule.step(slope(w, t), memory, w, t=t + 1, rate=rate)
        w = w + delta
        points.append(w)
        scored.append(rule.weights_to_score(w, memory))
    return np.array(points), np.array(scored)


@pytest.mark.parametrize("rule", [rules.Adam(beta2=0.9), rules.SGD(), rules.Lookahead(rules.Momentum(), k=4)], ids=str)
def test_a_path_is_the_loop(rule):
    """Every point, loss, gradient and scored weight of 60 steps is that of a plain loop."""
    clock = schedules.Cosine()
    path = slalom.descend(bowl, START, rule, learning_rate=0.05, schedule=clock, steps=60)
    rates = 0.05 * clock(np.arange(60), 60)
    with jax.enable_x64(True):
        points, scored = looped(rule, START, rates, lambda w, t: jnp.asarray(QUADRATIC) @ w)
    np.testing.assert_array_equal(path.rates, rates)
    np.testing.assert_allclose(path.parameters, points, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(path.scored, scored, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(path.losses, [w @ QUADRATIC @ w / 2 for w in points], rtol=1e-12)
    np.testing.assert_allclose(path.gradients, points @ QUADRATIC, rtol=1e-11, atol=1e-12)
    assert path.parameters.dtype == path.losses.dtype == np.float64
    assert path.steps.tolist() == list(range(61))


@pytest.mark.parametrize("name", rules.REGISTRY)
def test_every_rule_descends(name):
    """Every rule of the registry walks down a bowl of matrices, in a tree, under its name."""
    start = {"w": np.ones((3, 2)), "b": [np.ones(3)]}
    f = lambda w: (w["w"] ** 2).sum() + (w["b"][0] ** 2).sum()  # noqa: E731
    path = slalom.descend(f, start, name, learning_rate=rules.REGISTRY[name]().rates[0], steps=20)
    assert path.parameters["w"].shape == (21, 3, 2)
    assert path.gradients["b"][0].shape == path.scored["b"][0].shape == (21, 3)
    assert path.losses[-1] < path.losses[0] == 9.0


def test_a_step_can_raise_the_loss():
    """The first-order promise, f(w + Δ) ≈ f(w) − η |∇f|², holds for a small enough rate only: on 4 x² below 2 / 8."""
    for rate in (1e-4, 0.01, 0.1, 0.2, 0.24, 0.26, 0.3):
        path = slalom.descend(lambda x: 4 * x**2, 2.0, "sgd", learning_rate=rate, steps=5)
        assert (np.diff(path.losses) < 0).all() == (rate < 0.25)
        if rate == 1e-4:
            promised = rate * path.gradients[:-1] ** 2
            np.testing.assert_allclose(-np.diff(path.losses), promised, rtol=1e-3)


def test_a_diverging_path_is_data():
    """A walk to infinity and NaN is recorded as it went, up to the last step."""
    path = slalom.descend(lambda x: 4 * x**2, 2.0, "sgd", learning_rate=10.0, steps=400)
    assert path.parameters.shape == (401,)
    assert np.isfinite(path.losses[:50]).all()
    assert np.isnan(path.parameters[-1])


@pytest.fixture(scope="module")
def whole():
    return slalom.descend(bowl, START, "adam", learning_rate=0.05, steps=60)


@pytest.mark.parametrize("every", [3, 7, 60, 100])
def test_a_thin_path_is_a_part_of_the_whole(every, whole):
    """A thinned record holds every so many points and the last, of the same walk."""
    thin = slalom.descend(bowl, START, "adam", learning_rate=0.05, steps=60, every=every)
    assert thin.steps.tolist() == sorted({*range(0, 60, every), 60})
    np.testing.assert_array_equal(thin.parameters, whole.parameters[thin.steps])
    np.testing.assert_array_equal(thin.losses, whole.losses[thin.steps])
    np.testing.assert_array_equal(thin.gradients, whole.gradients[thin.steps])


def test_precision_is_the_starts():
    """A float64 start is computed in float64, a float32 one in float32; JAX's settings stay as they were."""
    for start, dtype in ((START, np.float64), (START.tolist(), np.float64), (jnp.asarray(START), np.float32)):
        path = slalom.descend(lambda w: (w**2).sum(), start, "adam", learning_rate=0.1, steps=3)
        assert path.parameters.dtype == path.losses.dtype == path.gradients.dtype == dtype
    assert jnp.ones(1).dtype == np.float32
    with pytest.raises(ZeroDivisionError):
        slalom.descend(lambda w: 1 / 0, START, "sgd", learning_rate=0.1, steps=3)
    assert jnp.ones(1).dtype == np.float32


@pytest.mark.parametrize(
    "schedule",
    [lambda t: 1 / (t + 1), lambda t, T: 1 - t / T, "cosine", {"name": "step", "every": 2}],
    ids=["of t", "of t and T", "name", "plain"],
)
def test_any_function_is_a_schedule(schedule):
    """A function of the step, of step and horizon, a name, or a name with settings sets the rates."""
    path = slalom.descend(bowl, START, "sgd", learning_rate=0.1, schedule=schedule, steps=5)
    expected = (
        {
            "cosine": schedules.Cosine()(np.arange(5), 5),
        }.get(schedule)
        if isinstance(schedule, str)
        else None
    )
    if isinstance(schedule, dict):
        expected = schedules.Step(every=2)(np.arange(5), 5)
    elif callable(schedule):
        expected = [schedule(t) if schedule.__code__.co_argcount == 1 else schedule(t, 5) for t in range(5)]
    np.testing.assert_allclose(path.rates, 0.1 * np.array(expected), rtol=1e-15)


def test_a_length_of_a_rule_is_a_fraction_of_the_horizon():
    """SWA from half of the way on averages the last half of the points."""
    path = slalom.descend(bowl, START, rules.SWA(rules.SGD(), start=0.5), learning_rate=0.1, steps=40)
    np.testing.assert_allclose(path.scored[19], path.parameters[19], rtol=1e-15)
    np.testing.assert_allclose(path.scored[-1], path.parameters[20:].mean(0), rtol=1e-12, atol=1e-13)


def test_a_plateau_hears_the_losses():
    """Reduce on plateau is told the loss after each step; over data that of all rows after each epoch."""
    plateau = schedules.Plateau(patience=2, fall=0.1)
    path = slalom.descend(lambda x: jnp.abs(x), 0.05, "sgd", learning_rate=0.1, schedule=plateau, steps=12)
    factors = plateau.over(path.losses[1:])
    np.testing.assert_allclose(path.rates, 0.1 * np.array([1, *factors[:-1]]), rtol=1e-12)
    assert len(set(path.rates)) > 1

    data = (np.array([1.0, -1.0, 1.0, -1.0]),)
    path = slalom.descend(
        lambda w, x: jnp.abs(w - x).mean(),
        0.0,
        "sgd",
        learning_rate=0.1,
        schedule=plateau,
        data=data,
        batch_size=2,
        epochs=9,
    )
    first = path.rates.reshape(9, 2)
    assert (first[:, 0] == first[:, 1]).all()
    assert first[-1, 0] < 0.1


# --- over data --------------------------------------------------------------------------------------------------------

X = np.random.default_rng(3).normal(size=(23, 4))
Y = X @ [1.0, -2.0, 0.5, 3.0] + 0.1 * np.random.default_rng(4).normal(size=23)


def mean_square(w, x, y):
    return ((x @ w - y) ** 2).mean()


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [None, 1, 5, 22, 23])
def test_an_epoch_sees_every_row_once(batch_size, shuffle):
    """Batch, stochastic and mini-batch descent are loops over the batches, the short last one among them."""
    path = slalom.descend(
        mean_square,
        np.zeros(4),
        rules.Adam(),
        learning_rate=0.02,
        data=(X, Y),
        batch_size=batch_size,
        epochs=3,
        shuffle=shuffle,
        seed=9,
    )
    size = batch_size or 23
    batches = []
    for epoch in range(3):
        whole = size == 23 or not shuffle
        order = np.arange(23) if whole else np.random.default_rng([9, epoch]).permutation(23)
        batches += [order[i : i + size] for i in range(0, 23, size)]
    assert len(batches) == 3 * iterations(23, size) == len(path.rates) == len(path.losses) == len(path.gradients)

    def slope(w, t):
        x, y = X[batches[t]], Y[batches[t]]
        return jnp.asarray(2 * x.T @ (x @ np.asarray(w) - y) / len(y))

    with jax.enable_x64(True):
        points, _ = looped(rules.Adam(), np.zeros(4), path.rates, slope)
    np.testing.assert_allclose(path.parameters, points, rtol=1e-10, atol=1e-12)
    of_batch = [mean_square(points[t], X[b], Y[b]) for t, b in enumerate(batches)]
    np.testing.assert_allclose(path.losses, of_batch, rtol=1e-10)
    ends = points[:: iterations(23, size)]
    np.testing.assert_allclose(path.epoch_losses, [mean_square(w, X, Y) for w in ends], rtol=1e-10)


def test_a_thin_record_over_data():
    """Over data a thinned record holds the same points, batch losses and gradients."""
    options = {"learning_rate": 0.02, "data": (X, Y), "batch_size": 5, "epochs": 3}
    whole = slalom.descend(mean_square, np.zeros(4), "adam", **options)
    thin = slalom.descend(mean_square, np.zeros(4), "adam", every=4, **options)
    assert thin.steps.tolist() == [0, 4, 8, 12, 15]
    np.testing.assert_array_equal(thin.parameters, whole.parameters[thin.steps])
    np.testing.assert_array_equal(thin.losses, whole.losses[thin.steps[:-1]])
    np.testing.assert_array_equal(thin.gradients, whole.gradients[thin.steps[:-1]])
    np.testing.assert_array_equal(thin.epoch_losses, whole.epoch_losses)


def test_seeds_shuffle_differently():
    """The seed alone decides the order of the rows."""

    def end(seed):
        options = {"data": (X, Y), "batch_size": 1, "epochs": 1, "seed": seed}
        return slalom.descend(mean_square, np.zeros(4), "sgd", learning_rate=0.01, **options).parameters[-1]

    np.testing.assert_array_equal(end(0), end(0))
    assert not np.allclose(end(0), end(1), rtol=1e-6)


# --- what a person may give wrongly -----------------------------------------------------------------------------------

NO_JAX = "descend: f must be made of JAX functions: jax.numpy in the place of numpy, no `if`."
WRONG = [
    (
        {"f": lambda w: w},
        "descend: f must answer with one floating-point number. Got float64 of shape (4,). Take its sum or mean.",
    ),
    ({"f": lambda w: "loss"}, None),
    ({"f": lambda w: np.linalg.norm(w)}, NO_JAX),
    ({"f": lambda w: w[0] if w[0] > 0 else w[1]}, NO_JAX),
    ({"start": {"w": "no"}}, "descend: start must be of floating-point numbers. Got 'str'."),
    ({"start": {}}, "descend: start must be an array or a tree with an array in it. Got {}."),
    ({"start": [[1.0], [1.0, 2.0]]}, "descend: start must be an array, or a tree of arrays. Got [[1.0], [1.0, 2.0]]."),
    ({"steps": 0}, "descend(steps=…) must be a whole number, 1 or more. Got 0."),
    ({"steps": 2.5}, "descend(steps=…) must be a whole number, 1 or more. Got 2.5."),
    ({"steps": None}, "descend(steps=…) must be a whole number, 1 or more. Got None."),
    ({"every": 0}, "descend(every=…) must be a whole number, 1 or more. Got 0."),
    ({"epochs": 3}, "descend without data takes steps=…, not epochs=…. Got 3."),
    ({"batch_size": 3}, "descend without data takes steps=…, not batch_size=…. Got 3."),
    ({"learning_rate": -1}, "descend(learning_rate=…) must be a finite number, 0 or more. Got -1."),
    ({"learning_rate": "fast"}, "descend(learning_rate=…) must be a finite number, 0 or more. Got 'fast'."),
    ({"schedule": 3}, "descend(schedule=…) must be a schedule, the name of one, or a function of the step. Got 3."),
    ({"rule": 3}, "descend: rule must be a rule or the name of one. Got 3. Write Adam() for the rule Adam."),
    ({"data": (X, Y)}, "descend over data takes epochs=…, not steps=…. Got 3."),
    ({"data": (X, Y), "steps": None}, "descend(epochs=…) must be a whole number, 1 or more. Got None."),
    ({"data": X, "steps": None, "epochs": 1}, "descend(data=…) must be a tuple of arrays, (X, y). Got 'ndarray'."),
    (
        {"data": (X, Y[1:]), "steps": None, "epochs": 1},
        "descend(data=…) must be arrays of equally many rows, at least one. Got [(23, 4), (22,)].",
    ),
    (
        {"data": (X, Y), "steps": None, "epochs": 1, "batch_size": 24},
        "descend(batch_size=…) must be at most the 23 rows of data. Got 24.",
    ),
    (
        {"data": (X, Y), "steps": None, "epochs": 1, "batch_size": 0},
        "descend(batch_size=…) must be a whole number, 1 or more. Got 0.",
    ),
]


@pytest.mark.parametrize(("given", "sentence"), WRONG)
def test_wrong_input_is_a_sentence(given, sentence):
    """What cannot be used is refused in one sentence that says what to do."""
    options = {"f": bowl, "start": START, "rule": "sgd", "learning_rate": 0.1, "steps": 3} | given
    places = [options.pop(name) for name in ("f", "start", "rule")]
    with pytest.raises(SlalomError if sentence else (SlalomError, TypeError)) as error:
        slalom.descend(*places, **options)
    assert sentence is None or str(error.value) == sentence


def test_unknown_names_have_neighbours():
    """A misspelt rule or schedule is answered with the nearest name."""
    with pytest.raises(SlalomError, match=r"Got 'momentun'. Did you mean 'momentum'"):
        slalom.descend(bowl, START, "momentun", learning_rate=0.1, steps=1)
    with pytest.raises(SlalomError, match=r"Got 'cosin'. Did you mean 'cosine'"):
        slalom.descend(bowl, START, "adam", learning_rate=0.1, schedule="cosin", steps=1)
