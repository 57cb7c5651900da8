"""Every number of worked_examples.json, computed by the library: the lessons' examples, one test for each key."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import slalom
from slalom import rules, schedules
from slalom.descent import iterations
from slalom.layers import BatchNorm, Dropout
from slalom.scaling import MinMax, NoScaling, Sigmoid, ZScore

WORKED = json.loads((Path(__file__).parents[1] / "worked_examples.json").read_text())
COMPUTED = set()
PRINTED = 5.1e-9  # half of the eighth decimal, the last that is printed, and rounding


def computes(key):
    """Say which key of the file a test computes."""

    def noted(test):
        COMPUTED.add(key)
        return test

    return noted


def test_every_key_is_computed():
    """No key of the file is without a test, and no test is of a key that is not there."""
    assert set(WORKED) == COMPUTED


# --- scaling ----------------------------------------------------------------------------------------------------------


@computes("minmax")
def test_minmax():
    """Min-max brings every column to between 0 and 1, and back."""
    case = WORKED["minmax"]
    scaler = MinMax.fit(case["x"])
    np.testing.assert_allclose(scaler(case["x"]), case["scaled"], atol=1e-15)
    np.testing.assert_allclose(scaler.inverse(case["scaled"]), case["x"], atol=1e-14)


@computes("zscore")
def test_zscore():
    """The z-score divides by the standard deviation of all rows (ddof 0)."""
    case = WORKED["zscore"]
    scaler = ZScore.fit(case["x"])
    np.testing.assert_allclose(scaler.mean, case["mean"], rtol=1e-15)
    np.testing.assert_allclose(scaler.spread, case["std"], atol=PRINTED)
    for column in scaler(case["x"]).T:
        np.testing.assert_allclose(column, case["scaled_column"], atol=PRINTED)


@computes("sigmoid")
def test_sigmoid():
    """The sigmoid scaling squashes every cell to between 0 and 1."""
    case = WORKED["sigmoid"]
    np.testing.assert_allclose(Sigmoid.fit(case["x"])(case["x"]), case["scaled"], atol=PRINTED)


@computes("outlier")
@pytest.mark.parametrize(("name", "cls"), [("minmax", MinMax), ("zscore", ZScore)])
def test_outlier(name, cls):
    """One outlier squeezes the rest of its column under min-max, and stays visible under the z-score."""
    case = WORKED["outlier"]
    np.testing.assert_allclose(cls.fit(case["x"])(case["x"]), case[name], atol=PRINTED)


@computes("height_weight_zscore")
def test_heights_and_weights():
    """Centimetres and kilograms on one scale."""
    case = WORKED["height_weight_zscore"]
    np.testing.assert_allclose(ZScore.fit(case["x"])(case["x"]), case["scaled"], atol=PRINTED)


def ones_beside(x):
    return np.column_stack([x, np.ones(len(x))])


@computes("mismatched_units")
def test_mismatched_units():
    """Mismatched units pull the coefficients 20,000 times apart; min-max of X and y brings them together, and new rows
    are scaled by the fitted numbers and their predictions go back to the target's unit."""
    case = WORKED["mismatched_units"]
    random = np.random.RandomState(24)

    def rows(n):
        features, noise = random.randn(n, 2), random.normal(size=(n, 1)) * 0.01
        return features, features @ [[200], [-1]] + 1 + noise

    features, y = rows(1000)
    np.testing.assert_allclose(ones_beside(features)[:3], case["first_rows_before_units"], atol=PRINTED)
    features *= [0.1, 10]
    raw = np.linalg.lstsq(ones_beside(NoScaling.fit(features)(features)), y)[0][:, 0]
    np.testing.assert_allclose(raw, case["lstsq_raw_units"], atol=5e-8)
    assert raw[0] / raw[1] == pytest.approx(case["ratio_of_coefficients_raw"], rel=1e-7)

    of_x, of_y = MinMax.fit(features), MinMax.fit(y)
    scaled = ones_beside(of_x(features))
    np.testing.assert_allclose(scaled[:3], case["minmax_first_rows"], atol=PRINTED)
    w = np.linalg.lstsq(scaled, of_y(y))[0]
    np.testing.assert_allclose(w[:, 0], case["lstsq_after_minmax_of_x_and_y"], atol=PRINTED)
    assert abs(w[0, 0] / w[1, 0]) < 200

    new, truth = rows(100)
    prediction = ones_beside(of_x(new * [0.1, 10])) @ w
    np.testing.assert_allclose(prediction[:5, 0], case["prediction_scaled_first5"], atol=PRINTED)
    np.testing.assert_allclose(of_y.inverse(prediction)[:5, 0], case["prediction_in_units_first5"], atol=5e-8)
    np.testing.assert_allclose(truth[:5, 0], case["truth_first5"], atol=5e-8)


# --- descent ----------------------------------------------------------------------------------------------------------


@computes("contours")
def test_contours():
    """Scaling makes the contours round: from the same start at the same rate, 100 steps of gradient descent end short
    of the minimum on raw columns and in it on z-scored ones, after 37 of them."""
    case = WORKED["contours"]
    raw, y = np.array(case["x"], float), np.array(case["y"], float)[:, 0]
    scaled = np.column_stack([ZScore.fit(raw[:, :1])(raw[:, :1]), raw[:, 1]])  # the column of ones stays as it is
    np.testing.assert_allclose(scaled, case["x_zscored"])
    start = np.random.RandomState(24).randn(2)
    np.testing.assert_allclose(start, case["start_seed_24"], atol=PRINTED)
    assert case["gradient"] == "2 X'(Xw - y) / n"

    steps_to_the_minimum = []
    for x, which in ((raw, "raw"), (scaled, "zscored")):
        np.testing.assert_allclose(np.linalg.cond(x.T @ x), case[f"condition_number_XtX_{which}"], rtol=1e-12)
        loss = lambda w, x=x: ((x @ w - y) ** 2).mean()  # noqa: E731
        path = slalom.descend(loss, start, "sgd", learning_rate=case["rate"], steps=case["steps"])
        np.testing.assert_allclose(path.parameters[-1], case[f"end_{which}"], atol=PRINTED)
        np.testing.assert_allclose(path.gradients, 2 * (path.parameters @ x.T - y) @ x / len(y), atol=1e-12)
        steps_to_the_minimum.append(int((path.losses > 1e-6).sum()))  # of both the least loss is 0
    # 101: not one of the raw path's losses is as low. 37: |w₀ − w*|² 0.8²ᵗ = 14.3 × 0.64ᵗ falls below 1e-6 there
    assert steps_to_the_minimum == [101, 37]


def half_square(w):
    return w**2 / 2


RULES_OF_THE_LESSONS = {
    "momentum(rate 0.01, 0.9)": rules.Momentum(mu=0.9),
    "adagrad(rate 0.01)": rules.Adagrad(),
    "rmsprop(rate 0.01, decay 0.9)": rules.RMSProp(beta=0.9, epsilon=1e-10),
    "adam(rate 0.01, 0.9, 0.99)": rules.Adam(beta1=0.9, beta2=0.99),
    "momentum, exponentially weighted, s1 = g1 (rate 0.01, 0.9)": rules.AveragedMomentum(beta=0.9),
    "momentum, rate inside the buffer (0.01, 0.9)": rules.VelocityMomentum(mu=0.9),
}
STARTED = "rmsprop, v1 = g1^2 (0.01, 0.9)"  # the one variant that is a rule from another memory
TWO_STEPS = WORKED["one_parameter"]["after_two_steps"] | WORKED["one_parameter"]["variants_in_the_lessons"]


@computes("one_parameter")
@pytest.mark.parametrize("name", [name for name in TWO_STEPS if name != STARTED])
def test_one_parameter(name):
    """Two steps down w² / 2 from 1, by every rule and every writing of the lessons."""
    assert WORKED["one_parameter"]["loss"] == "w^2 / 2 from w = 1"
    path = slalom.descend(half_square, 1.0, RULES_OF_THE_LESSONS[name], learning_rate=0.01, steps=2)
    np.testing.assert_allclose(path.parameters, [1, *TWO_STEPS[name]], atol=5.1e-7)  # six decimals are printed


def test_one_parameter_from_another_memory():
    """RMSProp that starts at v₁ = g₁² is RMSProp from the memory v₀ = g₁²."""
    rule, w, points = rules.RMSProp(beta=0.9, epsilon=1e-10), jnp.ones(1), []
    memory = type(rule.init(w))(w**2)
    for t in (1, 2):
        delta, memory = rule.step(w, memory, w, t=t, rate=0.01)
        w = w + delta
        points.append(float(w[0]))
    np.testing.assert_allclose(points, TWO_STEPS[STARTED], atol=6e-7)


@computes("rate_effect")
@pytest.mark.parametrize("rate", WORKED["rate_effect"]["x_over_4_looks"])
def test_rate_effect(rate):
    """On 4 x² from 2 a rate is slow, good, exact, swinging or diverging."""
    case = WORKED["rate_effect"]
    assert case["loss"] == "4 x^2 from x = 2"
    path = slalom.descend(lambda x: 4 * x**2, 2.0, "sgd", learning_rate=float(rate), steps=3)
    np.testing.assert_allclose(path.parameters, case["x_over_4_looks"][rate], atol=case["tolerance"])
    raised = (np.diff(path.losses) > 0).all()
    assert raised == (rate == "0.3"), "a step raises the loss only where the rate is too large"


@computes("batch_counts")
def test_batch_counts():
    """50,000 rows in batches of 256: 196 iterations an epoch, the last of 80 rows; 1,960 in 10 epochs."""
    case = WORKED["batch_counts"]
    assert iterations(case["rows"], case["batch"]) == case["iterations_per_epoch"]
    x = np.ones(case["rows"])
    options = {"data": (x,), "batch_size": case["batch"], "epochs": 10}
    path = slalom.descend(lambda w, x: (w * x).sum(), 0.0, "sgd", learning_rate=1.0, **options)
    assert len(path.rates) == case["ten_epochs"]
    # d/dw Σ w x is the number of rows in the batch
    sizes = path.gradients[: case["iterations_per_epoch"]]
    assert (sizes[:-1] == case["batch"]).all()
    assert sizes[-1] == 80 == case["rows"] - 195 * case["batch"]
    assert path.gradients.sum() == 10 * case["rows"]


SCHEDULES = {
    "step": lambda case: schedules.Step(every=case["every"], factor=case["factor"]),
    "multistep": lambda case: schedules.MultiStep(milestones=case["milestones"], factor=case["factor"]),
    "exponential": lambda case: schedules.Exponential(every=1, factor=case["factor"]),
}


@computes("schedules")
@pytest.mark.parametrize("steps", [1, 7], ids="{} steps an epoch".format)
@pytest.mark.parametrize("name", WORKED["schedules"])
def test_schedules(name, steps):
    """The rates of 200 epochs, also where an epoch has many steps."""
    case = WORKED["schedules"][name]
    clock = schedules.ByEpoch(SCHEDULES[name](case), case["epochs"])
    path = slalom.descend(
        half_square, 1.0, "sgd", learning_rate=case["start"], schedule=clock, steps=steps * case["epochs"]
    )
    for epoch, rate in case["samples"].items():
        here = path.rates[int(epoch) * steps : (int(epoch) + 1) * steps]
        np.testing.assert_allclose(here, rate, rtol=1e-3 if rate < 1e-5 else 1e-7)  # as many digits as are printed


# --- layers -----------------------------------------------------------------------------------------------------------


@computes("dropout")
def test_dropout():
    """Where an element is kept it is 1 / 0.6 of what it was; every element is kept under some key."""
    case = WORKED["dropout"]
    x, after = jnp.array(case["before"], jnp.float32)[:, None], np.array(case["after_when_all_kept"])
    seen = np.zeros(len(after), bool)
    for key in range(20):
        y, _ = Dropout(p=case["p"]).apply((), (), x, training=True, key=jnp.uint32(key))
        kept = np.asarray(y[:, 0]) != 0
        np.testing.assert_allclose(y[kept, 0], after[kept], atol=case["tolerance"])
        seen |= kept
    assert seen[1:].all()  # the first is 0 anyway


@computes("batch_norm_image")
def test_batch_norm_image():
    """Every channel of an image to mean 0 and variance 1 over its rows and places."""
    case = WORKED["batch_norm_image"]
    assert list(np.shape(case["x"])) == case["shape"]
    x, y = (np.moveaxis(np.array(case[k]), 1, 0).reshape(case["shape"][1], -1) for k in ("x", "y"))
    layer = BatchNorm(epsilon=case["eps"])
    weights, memory = layer.init(np.random.default_rng(0), 2, 2)
    got, _ = layer.apply(weights, memory, jnp.asarray(x, jnp.float32), training=True, key=0)
    np.testing.assert_allclose(got, y, atol=case["tolerance"])


@computes("batch_norm_two_rows")
def test_batch_norm_of_two_rows():
    """Of two rows every column becomes almost exactly ±1, whatever they are: ±0.9998 at a half-difference of 0.15."""
    case = WORKED["batch_norm_two_rows"]
    assert "gain 1, shift 0, eps 1e-5" in case["x"]
    assert "0.9998 when the half-difference is 0.15" in case["y"]
    layer = BatchNorm(epsilon=1e-5)
    weights, memory = layer.init(np.random.default_rng(0), 2, 2)
    two, _ = layer.apply(weights, memory, jnp.array([[4.15, 3.85], [-2.0, 7.0]]), training=True, key=0)
    np.testing.assert_allclose(two[0], [0.9998, -0.9998], atol=5e-5)  # half of the last digit
    np.testing.assert_allclose(two[1], [-1, 1], atol=1e-6)  # ε / 4.5² / 2 = 2.5e-7


# --- averages and back-propagation ------------------------------------------------------------------------------------


@computes("ewma")
def test_ewma():
    """The lessons' averages of a series; the larger beta, the smoother and the later the curve."""
    case = WORKED["ewma"]
    assert case["rule"] == "S1 = Y1, St = beta S(t-1) + (1-beta) Yt"
    betas = [float(key.removeprefix("beta_")) for key in case if key.startswith("beta_")]
    curves = slalom.ewma(case["series"], betas)
    for beta, curve in zip(betas, curves, strict=True):
        np.testing.assert_allclose(curve, case[f"beta_{beta}"], atol=5.1e-7)  # six decimals are printed
    assert case["what_to_see"] == "the larger beta, the smoother and the later the curve"
    assert betas == sorted(betas)
    roughness = np.abs(np.diff(curves)).mean(1)
    assert (np.diff(roughness) < 0).all()
    impulse = slalom.ewma([0.0, 1.0] + 500 * [0.0], betas)
    delay = (impulse * np.arange(502)).sum(1) / impulse.sum(1) - 1  # the mean age, β / (1 − β)
    np.testing.assert_allclose(delay, np.array(betas) / (1 - np.array(betas)), rtol=1e-9)


@computes("back_propagation")
def test_back_propagation():
    """The widely used teaching net: every hidden value, output, derivative and the weights after one step."""
    case = WORKED["back_propagation"]
    first, second = (np.reshape(case[key], (2, 2)) for key in ("w1_to_w4", "w5_to_w8"))
    net = slalom.SigmoidNet([first, second], [case["b1"], case["b2"]])
    forward, back = net.forward(case["inputs"]), net.backward(case["inputs"], case["targets"])
    after = net.step(case["inputs"], case["targets"], case["learning_rate"], biases=False)
    for got, key in (
        (forward.out[0], "hidden"),
        (forward.out[1], "outputs"),
        (back.loss, "loss"),
        (back.de_dw[1], "d_w5_to_w8"),
        (back.de_dw[0], "d_w1_to_w4"),
        (after.weights[1], "w5_to_w8_after"),
        (after.weights[0], "w1_to_w4_after"),
    ):
        np.testing.assert_allclose(np.ravel(got), case[key], atol=5.1e-10)  # nine decimals are printed
    assert [float(b) for b in after.biases] == [case["b1"], case["b2"]]
