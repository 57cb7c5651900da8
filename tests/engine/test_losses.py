"""Losses as fields of a recipe: their formulas, their numbers in the program, and what does not fit a target."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics as oracle
from sklearn.utils.class_weight import compute_class_weight

from slalom import fit
from slalom.crew import Crew
from slalom.errors import SlalomError
from slalom.executor import Threads
from slalom.losses import CHOICES, LOSSES, class_weights, constant, measured, number_shape, predictions
from slalom.recipe import Recipe
from slalom.scored import predicted
from slalom.unit import Unit

from .heats import (
    BATCH,
    CHOOSE,
    COMMON,
    EPOCHS,
    TRAIN,
    bits,
    compiled,
    first_weights,
    heat_of,
    racer,
    table,
    weights_of,
)

PER_EPOCH = len(TRAIN) // BATCH
NUMBERS = {"squared_error": 1.0, "huber": 0.7, "absolute_error": 1.0, "quantile": 0.8, "poisson": 1.0}


def rows_of_numbers(seed=0, rows=40):
    """Outputs [1, rows] and targets that are 0 or more."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(1, rows)), rng.poisson(2.0, rows) * 0.5


def plain(loss, z, y, number):
    """The losses of the rows one by one, as their formulas stand in books."""
    r = z - y
    return {
        "squared_error": r**2,
        "huber": np.where(np.abs(r) <= number, r**2 / 2, number * (np.abs(r) - number / 2)),
        "absolute_error": np.abs(r),
        "quantile": np.where(r < 0, -number * r, (1 - number) * r),
        "poisson": np.exp(z) - y * z,
    }[loss]


@pytest.mark.parametrize("loss", CHOICES["regression"])
def test_a_loss_is_its_formula(loss):
    """The mean of the rows' losses, and a gradient that is the slope of it, in float64."""
    outputs, y = rows_of_numbers()
    number, towards, h = NUMBERS[loss], np.random.default_rng(1).normal(size=outputs.shape), 1e-6
    with jax.enable_x64(True):
        value, gradient = jax.jit(jax.value_and_grad(LOSSES[loss]))(outputs, y, 0.0, number)
    np.testing.assert_allclose(value, plain(loss, outputs[0], y, number).mean(), rtol=1e-12)
    up, down = (plain(loss, (outputs + step * towards)[0], y, number).mean() for step in (h, -h))
    np.testing.assert_allclose((np.asarray(gradient) * towards).sum(), (up - down) / (2 * h), rtol=1e-6)


@pytest.mark.parametrize("loss", CHOICES["regression"])
def test_the_measured_loss_is_the_training_loss(loss):
    """On scored rows the loss is the same; poisson's is half of scikit-learn's deviance: 0 is the best of it."""
    z, y = rows_of_numbers(2)
    found = measured(loss, z, y, NUMBERS[loss])
    if loss == "poisson":
        np.testing.assert_allclose(2 * found, oracle.mean_poisson_deviance(y, np.exp(z[0])), rtol=1e-12)
    else:
        np.testing.assert_allclose(found, plain(loss, z[0], y, NUMBERS[loss]).mean(), rtol=1e-12)
    if loss == "quantile":
        np.testing.assert_allclose(found, oracle.mean_pinball_loss(y, z[0], alpha=0.8), rtol=1e-12)


@pytest.mark.parametrize("loss", CHOICES["regression"])
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_what_knows_nothing_is_not_hopeless(loss, size):
    """What a constant prediction's loss is said to be is that to a factor of ten, in any unit of the target; an output
    a thousand spreads away costs far more."""
    y = Unit.fit("mean" if loss == "poisson" else "z_score", rows_of_numbers(3, 400)[1])(rows_of_numbers(3, 400)[1])
    y = y if loss == "poisson" else y * size
    number = 0.05 * size if loss == "huber" else NUMBERS[loss]
    output, usual = constant(loss, y.mean(), y.var(), number)
    found = measured(loss, np.full((1, len(y)), output), y, number)
    assert usual / 10 < found < usual * 10
    away = output + (10 if loss == "poisson" else 1e4 * y.std())
    assert measured(loss, np.full((1, len(y)), away), y, number) > 1000 * usual


def test_predictions_of_poisson_are_means():
    """The exponential of the output times the mean of the training targets; the unit keeps 0 where it is."""
    y = np.array([0.0, 2.0, 10.0])
    unit = Unit.fit("mean", y)
    assert unit(y).tolist() == [0.0, 0.5, 2.5]
    assert (unit.mean, unit.low, unit.high) == (1.0, -np.inf, np.inf)
    np.testing.assert_allclose(predictions("poisson", np.log([[1.0, 0.25]]), unit.inverse), [4.0, 1.0])
    nothing = Unit.fit("mean", np.zeros(3))
    assert nothing(np.array([0.0, 3.0])).tolist() == [0.0, 3.0]


@pytest.mark.parametrize("counts", [[90, 10], [5, 30, 65], [1, 1, 1, 997]])
def test_class_weights_are_scikit_learns(counts):
    """With exponent 1 they are those of class_weight="balanced", with 0 all are 1, in between their power."""
    y = np.repeat(np.arange(len(counts)), counts)
    balanced = compute_class_weight("balanced", classes=np.arange(len(counts)), y=y)
    np.testing.assert_allclose(class_weights(np.array(counts), 1.0), balanced, rtol=1e-12)
    np.testing.assert_allclose(class_weights(np.array(counts), 0.3), balanced**0.3, rtol=1e-12)
    assert class_weights(np.array(counts), 0.0).tolist() == [1.0] * len(counts)


def test_a_class_without_rows_has_a_finite_weight():
    """A fold may lack a class: its weight is a number, and none of the others is NaN."""
    assert np.isfinite(class_weights(np.array([0, 7, 3]), 1.0)).all()


@pytest.mark.parametrize(("loss", "classes"), [("logistic", 2), ("softmax", 3)])
def test_weights_of_one_change_nothing(loss, classes):
    """With weights of 1 the loss is the unweighted one, and its gradient the same bit for bit in a batch of 64."""
    rng = np.random.default_rng(0)
    outputs = rng.normal(scale=3, size=(max(1, classes if classes > 2 else 1), 64)).astype(np.float32)
    y = rng.integers(classes, size=64).astype(np.float32)
    run = jax.jit(jax.value_and_grad(LOSSES[loss]))
    ones = np.ones(number_shape(loss, classes), np.float32)
    np.testing.assert_allclose(run(outputs, y, 0.1, ones)[0], run(outputs, y, 0.1)[0], rtol=1e-6)
    np.testing.assert_array_equal(run(outputs, y, np.float32(0.1), ones)[1], run(outputs, y, np.float32(0.1))[1])
    heavy = ones * [3.0] + np.arange(classes)
    assert abs(run(outputs, y, 0.1, heavy)[0] - run(outputs, y, 0.1)[0]) > 1e-3


# --- in a program -----------------------------------------------------------------------------------------------------


def step_by_hand(heat, recipe, labels, loss_of_outputs):
    """The weights after one step of plain descent by 0.1, in float32."""
    rows = heat.shuffles.batches(TRAIN, 0, 0, start=0, count=1, batch=BATCH, per_epoch=PER_EPOCH)[0]
    x = jnp.asarray(heat.prepared.as_raced(recipe.scaling, 0, rows).T)
    weights = first_weights(heat)

    def loss(weights):
        out, _ = heat.structure.net.apply(weights, ((), ()), x, training=True, key=0)
        return loss_of_outputs(out, jnp.asarray(labels[rows], jnp.float32))

    return jax.tree.map(lambda w, g: w - 0.1 * g, weights, jax.grad(loss)(weights))


def far(a, b):
    return max(np.abs(x - y).max() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


PLAIN = {"learning_rate": 0.1, "schedule": "constant", "weight_decay": 0.0, "scaling": "min_max"}


@pytest.mark.parametrize(
    ("loss", "numbers"),
    [("huber", [0.3, 2.0]), ("quantile", [0.1, 0.7]), ("absolute_error", [1.0]), ("poisson", [1.0])],
)
def test_the_loss_and_its_number_reach_the_step(loss, numbers):
    """One step descends the recipe's loss; racers with other numbers share the program, each with its own."""
    heat = compiled(heat_of("regression", loss=loss), ["sgd"], 2)
    field = {"huber": "huber_delta", "quantile": "quantile"}.get(loss)
    racers = [
        racer("sgd", number=i, loss=loss, **PLAIN | ({field: number} if field else {}))
        for i, number in enumerate(numbers)
    ]
    Crew(heat, racers).advance(1, [], lambda: False)
    y = table("regression")[1]
    unit = Unit.fit("mean" if loss == "poisson" else "z_score", y[TRAIN])
    for one, number in zip(racers, numbers, strict=True):
        expected = step_by_hand(heat, one.recipe, unit(y), lambda out, y: LOSSES[loss](out, y, 0.0, number))  # noqa: B023
        assert far(weights_of(heat, one), expected) < 1e-6
        assert far(first_weights(heat), expected) > 1e-3


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_class_weights_reach_the_step(task):
    """Each class has the weight that its training rows give it; a racer has the same bits whoever races beside it, and
    one without weights takes another step."""
    heat = compiled(heat_of(task), ["sgd"], 2)
    heat.prepared.labels[TRAIN[:20]] = 0  # classes of different sizes
    heat.data.tree.y[TRAIN[:20]] = 0
    both = [racer("sgd", number=i, class_weight=w, **PLAIN) for i, w in enumerate([0.0, 0.8])]
    Crew(heat, both).advance(1, [], lambda: False)
    labels = heat.prepared.labels
    classes = {"binary": 2, "multiclass": 3}[task]
    balanced = compute_class_weight("balanced", classes=np.arange(classes), y=labels[TRAIN])
    loss = LOSSES[{"binary": "logistic", "multiclass": "softmax"}[task]]
    for one, weights in zip(both, (np.ones(classes), balanced**0.8), strict=True):
        expected = step_by_hand(heat, one.recipe, labels, lambda out, y: loss(out, y, 0.0, weights))  # noqa: B023
        assert far(weights_of(heat, one), expected) < 1e-6
    assert far(both[0].state.weights, both[1].state.weights) > 1e-4
    alone = racer("sgd", number=1, class_weight=0.8, **PLAIN)
    Crew(heat, [alone]).advance(1, [], lambda: False)
    assert bits(alone) == bits(both[1])


@pytest.mark.parametrize("loss", ["huber", "quantile", "absolute_error", "poisson"])
def test_a_racer_that_runs_away_is_told(loss):
    """A training whose loss leaves all bounds counts as diverged whatever its loss, and a sound one does not."""
    heat = compiled(heat_of("regression", loss=loss), ["sgd"], 2)
    mad = racer("sgd", number=0, loss=loss, **PLAIN | {"learning_rate": 1e6})
    sound = racer("sgd", number=1, loss=loss, **PLAIN | {"learning_rate": 0.01})
    Crew(heat, [mad, sound]).advance(40, [10, 20, 30], lambda: False)
    assert mad.diverged
    assert not sound.diverged
    assert sound.costs[40] < sound.costs[10]


@pytest.mark.parametrize("loss", ["poisson", "huber"])
def test_members_of_an_ensemble_predict_in_the_target_s_unit(loss):
    """What a racer predicts for an ensemble is what its best moment was scored by."""
    heat = compiled(heat_of("regression", loss=loss), ["sgd"], 1)
    one = racer("sgd", loss=loss, **PLAIN | {"learning_rate": 0.01})
    Crew(heat, [one]).advance(30, [10, 20], lambda: False)
    found = predicted(Threads(1), [(heat, one, CHOOSE)], math.inf)
    np.testing.assert_allclose(heat.metric.cost(heat.prepared.labels[CHOOSE], found[one]), one.best.cost, rtol=1e-6)


# --- from the recipe to the model -------------------------------------------------------------------------------------


def test_the_quantile_is_predicted():
    """The share of targets below the prediction of the quantile 0.9 is 0.9, of 0.2 it is 0.2."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 1))
    y = 50 + 3 * x[:, 0] + rng.exponential(4, 1500)
    for quantile in (0.9, 0.2):
        recipe = Recipe(depth=0, learning_rate=0.05, batch_size=100, epochs=40, loss="quantile", quantile=quantile)
        assert abs((y < fit(x, y, recipe=recipe).predict(x)).mean() - quantile) < 0.03


def test_huber_and_absolute_error_do_not_follow_outliers():
    """Beside a tenth of wild rows the line through the others is found, which squared error misses."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 1))
    y = 2 * x[:, 0] + 0.1 * rng.normal(size=600)
    y[::10] += 60
    error = {}
    for loss in ("squared_error", "huber", "absolute_error"):
        recipe = Recipe(depth=0, learning_rate=0.02, batch_size=60, epochs=60, loss=loss, huber_delta=0.05)
        sound = np.delete(np.arange(600), np.arange(0, 600, 10))
        error[loss] = np.abs(fit(x, y, recipe=recipe).predict(x) - y)[sound].mean()
    assert error["squared_error"] > 4
    assert max(error["huber"], error["absolute_error"]) < 1


def test_poisson_is_better_on_counts():
    """On counts whose logarithm of the mean is a line, a linear model with Poisson's loss has the smaller deviance."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(1200, 2))
    mean = 40 * np.exp(0.9 * x[:, 0] - 0.5 * x[:, 1])
    y = rng.poisson(mean)
    deviance = {}
    for loss in ("squared_error", "poisson"):
        recipe = Recipe(depth=0, learning_rate=0.02, batch_size=100, epochs=40, loss=loss)
        answer = fit(x[:800], y[:800], recipe=recipe, task="regression").predict(x[800:])
        deviance[loss] = oracle.mean_poisson_deviance(y[800:], np.maximum(answer, 1e-3))
    assert deviance["poisson"] < 1.3
    assert deviance["squared_error"] > 5 * deviance["poisson"]


COUNTS = np.arange(30.0)


@pytest.mark.parametrize(
    ("fields", "y", "sentence"),
    [
        ({"loss": "huber"}, "classes", "loss must be one of auto, cross_entropy for classes. Got 'huber'."),
        (
            {"loss": "cross_entropy"},
            COUNTS,
            "loss must be one of auto, squared_error, huber, absolute_error, quantile, poisson for a regression. Got"
            " 'cross_entropy'.",
        ),
        ({"class_weight": 0.5}, COUNTS, "class_weight must be 0 for a regression, which has no classes. Got 0.5."),
        ({"huber_delta": 2}, "classes", "huber_delta must be left away for classes. Got 2.0."),
        ({"quantile": 0.9}, "classes", "quantile must be left away for classes. Got 0.9."),
        (
            {"loss": "poisson"},
            COUNTS - 2,
            "loss poisson wants a target of 0 or more. Got 2 negative of 30. Take another loss.",
        ),
        (
            {"loss": "poisson", "target_scaling": "robust"},
            COUNTS,
            "target_scaling must be left away with loss poisson, whose unit is the mean. Got 'robust'.",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_does_not_fit_the_target_is_refused(fields, y, sentence):
    """A loss of the other task, its numbers, weights of classes that are none, negative counts: one sentence each."""
    y = np.arange(30) % 2 if isinstance(y, str) else y
    with pytest.raises(SlalomError) as error:
        fit(np.arange(30.0)[:, None], y, recipe=Recipe(batch_size=10, epochs=1, depth=0, **fields))
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("loss", "hubert", "loss must be one of auto, squared_error, huber, .* Did you mean 'huber'"),
        ("huber_delta", 0, r"Recipe\(huber_delta=…\) must be a number in \(0, inf\)"),
        ("quantile", 1, r"Recipe\(quantile=…\) must be a number in \(0, 1\)"),
        ("class_weight", 1.5, r"Recipe\(class_weight=…\) must be a number in \[0, 1\]"),
    ],
)
def test_fields_out_of_range_are_refused(field, value, wanted):
    """Names and intervals are those of the recipe."""
    with pytest.raises(SlalomError, match=wanted):
        Recipe(**{field: value})


def test_the_fields_come_back():
    """TOML, a flat row and `with_fields` keep them; a recipe of before has the defaults."""
    recipe = Recipe(loss="quantile", quantile=0.9, huber_delta=2, class_weight=0.25)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe().with_fields(recipe.flat()) == recipe
    old = {k: v for k, v in Recipe().to_plain().items() if k not in ("loss", "quantile", "huber_delta", "class_weight")}
    assert Recipe.from_plain(old) == Recipe()
    assert (COMMON["epochs"], recipe.unit, Recipe(loss="poisson").unit) == (EPOCHS, "z_score", "mean")
