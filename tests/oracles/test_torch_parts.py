"""Schedules, normalisations, activations and the losses against what was recorded from PyTorch (tests/recorded)."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slalom import layers, schedules
from slalom.layers.batch_norm import BatchNormMemory
from slalom.losses import LOSSES, logistic, softmax
from slalom.record import from_plain

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "torch.json").read_text(encoding="utf-8"))
EXACT = 1e-12  # of the largest number of an array: rounding in another order, and no more


@pytest.fixture(autouse=True)
def float64():
    """All in float64, as recorded."""
    with jax.enable_x64(True):
        yield


def assert_same(mine, theirs):
    """Equal to 1e-12 of the largest of them."""
    theirs = np.asarray(theirs)
    assert np.shape(mine) == theirs.shape
    assert np.isfinite(theirs).all()
    assert np.abs(np.asarray(mine) - theirs).max() <= EXACT * np.abs(theirs).max()


# --- schedules --------------------------------------------------------------------------------------------------------


def schedule_of(plain):
    """A recorded schedule; a warm-up has another inside."""
    if plain["name"] == "warmup":
        return schedules.Warmup(schedule_of(plain["schedule"]), length=plain["length"])
    return from_plain("schedule", plain, schedules.REGISTRY)


EACH_SCHEDULE = pytest.mark.parametrize("recorded", RECORDED["schedules"], ids=lambda r: r["torch"].partition("(")[0])


@EACH_SCHEDULE
def test_a_schedule_is_pytorchs(recorded):
    """Every step of the horizon and ten after it have PyTorch's rate; where its curve rises again, up to the end."""
    theirs = np.array(recorded["factors"])
    horizon = recorded["horizon"]
    same = horizon + 1 if recorded["differs"] else len(theirs)
    mine = schedule_of(recorded["schedule"])(np.arange(len(theirs)), horizon)
    np.testing.assert_allclose(mine[:same], theirs[:same], rtol=1e-12, atol=1e-15)
    if recorded["differs"]:
        assert theirs[-1] > theirs[horizon] + 0.01
        assert mine[-1] == mine[horizon]


@pytest.mark.parametrize("recorded", RECORDED["plateaus"], ids=lambda r: r["name"])
def test_reduce_on_plateau_is_pytorchs(recorded):
    """The factor after every metric is PyTorch's, which for negative metrics alone never lets a flat one count."""
    sign = -1 if recorded["torch"].get("mode") == "max" else 1
    mine = schedule_of(recorded["schedule"]).over([sign * metric for metric in recorded["metrics"]])
    if recorded["differs"]:
        assert set(recorded["rates"]) == {1.0}
        assert mine[-1] < 0.01
    else:
        assert len(set(recorded["rates"])) > 2
        np.testing.assert_allclose(mine, recorded["rates"], rtol=1e-12)


# --- normalisations ---------------------------------------------------------------------------------------------------


def rows_last(x):
    """PyTorch's (N, C, …) as [C, …, N]."""
    return jnp.moveaxis(jnp.asarray(x), 0, -1)


def rows_first(x):
    """[C, …, N] as PyTorch's (N, C, …)."""
    return np.moveaxis(np.asarray(x), -1, 0)


def weights_of(recorded):
    """Gain and shift with an axis for the rows."""
    return {name: jnp.asarray(recorded[name])[..., None] for name in ("gain", "shift")}


def answered(layer, recorded, memory, update, *, training):
    """(y, dx, dgain, dshift) in PyTorch's layout, and the next memory."""
    back = rows_last(update["back"])

    def pulled(weights, x):
        y, after = layer.apply(weights, memory, x, training=training, key=0)
        return (y * back).sum(), (y, after)

    slopes = jax.value_and_grad(pulled, argnums=(0, 1), has_aux=True)
    (_, (y, after)), (dweights, dx) = slopes(weights_of(recorded), rows_last(update["x"]))
    return (rows_first(y), rows_first(dx), dweights["gain"][..., 0], dweights["shift"][..., 0]), after


def batches(recorded):
    """Every update as (its number from 1, the update)."""
    return enumerate(recorded["updates"], start=1)


EACH_LAYER = pytest.mark.parametrize("recorded", RECORDED["layers"], ids=lambda r: r["torch"])


@EACH_LAYER
def test_a_normalisation_and_its_gradients_are_pytorchs(recorded):
    """In training, over several updates, and at test time from PyTorch's moving averages."""
    layer = from_plain("layer", recorded["layer"], layers.REGISTRY)
    _, memory = layer.init(np.random.default_rng(0), len(recorded["gain"]), len(recorded["gain"]))
    memory = jax.tree.map(jnp.asarray, memory)
    for _, update in batches(recorded):
        mine, memory = answered(layer, recorded, memory, update, training=True)
        for one, name in zip(mine, ("y", "dx", "dgain", "dshift"), strict=True):
            assert_same(one, update[name])
    last = recorded["updates"][-1]
    if "mean" in last:
        theirs = [jnp.asarray(last[name])[:, None] for name in ("mean", "variance")]
        memory = BatchNormMemory(*theirs, jnp.ones(1))
    mine, _ = answered(layer, recorded, memory, recorded["test"], training=False)
    assert_same(mine[0], recorded["test"]["y"])
    assert_same(mine[1], recorded["test"]["dx"])


EACH_BATCH_NORM = pytest.mark.parametrize(
    "recorded", [r for r in RECORDED["layers"] if r["differs"]], ids=lambda r: r["torch"]
)


@EACH_BATCH_NORM
def test_moving_averages_are_pytorchs_but_for_start_and_divisor(recorded):
    """PyTorch's moving mean is Slalom's sum; its variance is n / (n − 1) of it, and (1 − ρ)ᵏ of the 1 it starts at."""
    layer = from_plain("layer", recorded["layer"], layers.REGISTRY)
    _, memory = layer.init(np.random.default_rng(0), len(recorded["gain"]), len(recorded["gain"]))
    memory = jax.tree.map(jnp.asarray, memory)
    for k, update in batches(recorded):
        _, memory = answered(layer, recorded, memory, update, training=True)
        n = np.size(update["x"]) / len(recorded["gain"])
        left = (1 - recorded["layer"]["rho"]) ** k
        assert_same(memory.mean[:, 0], update["mean"])
        assert_same(left + n / (n - 1) * memory.variance[:, 0], update["variance"])
        assert np.abs(memory.weight - (1 - left)).max() < EXACT
    assert np.abs(memory.variance / memory.weight - jnp.asarray(update["variance"])[:, None]).max() > 0.1


def test_every_normalisation_is_recorded():
    """Every layer of the registry that normalises has a recording, batch norm one for each kind of data."""
    assert {r["layer"]["name"] for r in RECORDED["layers"]} == {n for n in layers.REGISTRY if n.endswith("_norm")}
    assert [r["torch"].partition("(")[0] for r in RECORDED["layers"] if r["differs"]] == [
        "BatchNorm1d", "BatchNorm2d", "BatchNorm3d",
    ]  # fmt: skip


# --- activations and losses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", layers.ACTIVATIONS)
def test_an_activation_and_its_slope_are_pytorchs(name):
    """Value and slope from far left to far right; a missing recording is a missing line of tests/recorded."""
    x, recorded = np.array(RECORDED["activations"]["x"]), RECORDED["activations"][name]
    of = layers.ACTIVATIONS[name].of
    # 1e-15: x Φ(x) far left is a difference of numbers near 1.
    np.testing.assert_allclose(of(x), recorded["y"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(of(jnp.asarray(x)), recorded["y"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(jax.vmap(jax.grad(of))(jnp.asarray(x)), recorded["slope"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("recorded", RECORDED["losses"], ids=lambda r: f"smoothing {r['smoothing']}")
def test_cross_entropy_with_smoothed_labels_is_pytorchs(recorded):
    """Each row's loss, and the gradient of their mean."""
    logits, labels = jnp.asarray(recorded["logits"]).T, jnp.asarray(recorded["labels"], float)
    for i, theirs in enumerate(recorded["losses"]):
        mine = softmax(logits[:, i : i + 1], labels[i : i + 1], recorded["smoothing"])
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    slope = jax.grad(lambda z: softmax(z, labels, recorded["smoothing"]))(logits)
    np.testing.assert_allclose(slope.T, recorded["gradient"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("recorded", RECORDED["criteria"], ids=lambda r: f"{r['loss']} {r['number']}")
def test_losses_of_a_regression_are_pytorchs(recorded):
    """Value and gradient of the mean, also at the corners of Huber's loss and where the error is 0."""
    outputs, y = jnp.asarray(recorded["outputs"])[None], jnp.asarray(recorded["targets"])
    of = jax.value_and_grad(lambda z: LOSSES[recorded["loss"]](z, y, number=recorded["number"]))
    value, slope = of(outputs)
    np.testing.assert_allclose(value, recorded["value"], rtol=1e-12)
    np.testing.assert_allclose(slope[0], recorded["gradient"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("recorded", RECORDED["weighted"], ids=lambda r: f"weights {r['weights']}")
def test_weighted_cross_entropy_is_pytorchs(recorded):
    """Value and gradient of Σ w ℓ / Σ w; two classes as one logit have those of the same two as two logits."""
    logits, labels = jnp.asarray(recorded["logits"]).T, jnp.asarray(recorded["labels"], float)
    weights = jnp.asarray(recorded["weights"])
    value, slope = jax.value_and_grad(lambda z: softmax(z, labels, number=weights))(logits)
    np.testing.assert_allclose(value, recorded["value"], rtol=1e-12)
    np.testing.assert_allclose(slope.T, recorded["gradient"], rtol=1e-12, atol=1e-15)
    two, y = logits[:1], (labels > 0).astype(float)
    both = jnp.concatenate([0 * two, two])
    np.testing.assert_allclose(
        logistic(two, y, 0.2, weights[:2]), softmax(both, y, 0.2, weights[:2]), rtol=1e-12
    )  # fmt: skip
