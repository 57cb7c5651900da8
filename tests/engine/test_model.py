"""The trained model: the same predictions after a way through a folder, and a sentence for every damaged one."""

import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import safetensors.numpy

from slalom import load, scaling
from slalom.data import Columns, Target
from slalom.errors import SlalomError
from slalom.layers.batch_norm import BatchNormMemory
from slalom.model import FORMAT, Model
from slalom.net import NORMALISATIONS
from slalom.recipe import Recipe
from slalom.unit import Unit

N = 60
RNG = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "size": RNG.normal(50, 10, N),
        "rooms": [None if i % 7 == 0 else i % 5 for i in range(N)],
        "town": [["north", "south", "east"][i % 3] for i in range(N)],
    }
)
TARGETS = {
    "regression": 1e6 + 1e5 * RNG.normal(size=N),
    "binary": np.array(["no", "yes"])[np.arange(N) % 2],
    "multiclass": np.array([7, 3, 11])[np.arange(N) % 3],
}
LOSSES = {"regression": "squared_error", "binary": "logistic", "multiclass": "softmax"}


def made(task="regression", scaler="z_score", normalisation="none", **fields):
    """A model with every part at an odd value, untrained: predicting is all it is for."""
    rng = np.random.default_rng(1)
    columns = Columns.fit(FRAME, np.arange(40))
    target = Target.fit(TARGETS[task])
    recipe = Recipe(scaling=scaler, normalisation=normalisation, depth=2, width=5, activation="gelu", **fields)
    table = columns(FRAME)
    net = recipe.net(table.shape[1], target.outputs)
    weights, memory = net.init(rng)
    odd = lambda a: (a + rng.normal(size=a.shape)).astype(np.float32)  # noqa: E731
    weights = tuple({name: odd(value) for name, value in layer.items()} for layer in weights)
    memory = tuple(
        BatchNormMemory(odd(m.mean), np.abs(odd(m.variance)), np.full(1, 0.7, np.float32)) if m else () for m in memory
    )
    fitted = scaling.REGISTRY[scaler].fit(table[:40])
    unit = Unit.fit(recipe.target_scaling, 1e6 + 1e5 * rng.normal(size=40)) if task == "regression" else None
    return Model(recipe, columns, target, fitted, net, weights, memory, LOSSES[task], unit)


@pytest.mark.parametrize("normalisation", list(NORMALISATIONS))
@pytest.mark.parametrize("scaler", scaling.REGISTRY)
@pytest.mark.parametrize("task", LOSSES)
def test_saved_and_loaded_it_predicts_the_same_bits(tmp_path, task, scaler, normalisation):
    """A model that was saved, moved and loaded predicts the same, bit for bit, and holds the same recipe."""
    model = made(task, scaler, normalisation)
    model.save(tmp_path / "here" / "model")
    shutil.move(tmp_path / "here", tmp_path / "there")
    again = load(tmp_path / "there")
    assert again.recipe == model.recipe
    before, after = model.predict(FRAME), again.predict(FRAME)
    assert before.dtype == after.dtype
    np.testing.assert_array_equal(before, after)
    if task == "regression":
        assert before.dtype == np.float64
        assert len(np.unique(before)) == N or scaler == "sigmoid"  # raw units drive it into its bounds
        assert again.classes is None
    else:
        np.testing.assert_array_equal(model.predict_proba(FRAME), again.predict_proba(FRAME))
        np.testing.assert_array_equal(again.classes, np.unique(TARGETS[task]))
        np.testing.assert_allclose(again.predict_proba(FRAME).sum(1), 1, rtol=1e-12)
        if scaler not in ("none", "sigmoid"):  # raw units drive this net into saturation, where all rows are 1
            assert len(np.unique(again.predict_proba(FRAME)[:, 0])) > N // 2
        assert set(after) <= set(TARGETS[task])
        np.testing.assert_array_equal(again.classes[again.predict_proba(FRAME).argmax(1)], after)
    assert load(tmp_path / "there" / "model").recipe == model.recipe  # the model folder itself, too
    for saved, held in zip(dataclasses.fields(again.scaler), dataclasses.fields(model.scaler), strict=True):
        np.testing.assert_array_equal(getattr(again.scaler, saved.name), getattr(model.scaler, held.name))


def unsealed(folder):
    """Take the checksum of the weights out of a model folder, which then is of the format before, that had none."""
    about = json.loads((folder / "model.json").read_text())
    del about["digest"]
    about["format"] = 5
    (folder / "model.json").write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("normalisation", "count"),
    [("layer_norm", 4 + 2 * 4 + 2), ("batch_norm", 4 + 2 * 7 + 2)],
)
def test_every_array_of_the_model_is_its_own(tmp_path, normalisation, count):
    """Each single array in the folder matters: were it another, the predictions would be others."""
    model = made(scaler="robust_clip", normalisation=normalisation)
    model.save(tmp_path)
    arrays = safetensors.numpy.load_file(tmp_path / "weights.safetensors")
    unsealed(tmp_path)
    assert len(arrays) == count  # of two scalers; of two layers w, b, gain, shift and the three moments; of the last
    for name in arrays:
        other = {key: value + (key == name) * value.dtype.type(0.5) for key, value in arrays.items()}
        (tmp_path / "weights.safetensors").write_bytes(safetensors.numpy.save(other))
        assert (load(tmp_path).predict(FRAME) != model.predict(FRAME)).any(), name


def test_regression_is_in_the_unit_of_the_target():
    """A regression's prediction is the net's output on the scaled columns, taken back from the target's scaling."""
    model = made(scaler="min_max", target_scaling="min_max")
    table = model.columns(FRAME)
    outputs = model.net.predict(model.weights, model.memory, model.scaler(table).astype(np.float32))
    unit = model.unit.scaler
    expected = unit.minimum + unit.extent * outputs[0].astype(np.float64)
    np.testing.assert_allclose(model.predict(FRAME), expected, rtol=1e-14)
    np.testing.assert_array_equal(model.answer(table), model.predict(FRAME))


def test_columns_are_found_by_name():
    """The order of columns and further ones do not matter; a missing one is named in one sentence."""
    model = made()
    other = FRAME.select("town", pl.lit(1.0).alias("extra"), "size", "rooms")
    np.testing.assert_array_equal(model.predict(other), model.predict(FRAME))
    np.testing.assert_array_equal(model.predict(FRAME[3:4]), model.predict(FRAME)[3:4])
    with pytest.raises(SlalomError, match="size"):
        model.predict(FRAME.drop("size"))


def test_probabilities_are_for_classes():
    """predict_proba of a regression is one sentence."""
    with pytest.raises(SlalomError) as error:
        made().predict_proba(FRAME)
    assert str(error.value) == (
        "predict_proba is for classification. This model was trained for regression: use predict."
    )


# --- damaged folders --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    made(normalisation="layer_norm").save(tmp_path)
    return tmp_path


def sentence_of(folder):
    with pytest.raises(SlalomError) as error:
        load(folder)
    return str(error.value)


def about(folder, **changes):
    """Write model.json with changes; ... as a value takes the key away."""
    path = folder / "model.json"
    found = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in found.items() if value is not ...}))


def test_no_model_is_one_sentence(tmp_path):
    """A folder without a model, or none at all, is said to be neither a run folder nor a model folder."""
    for path in (tmp_path, tmp_path / "nowhere"):
        assert sentence_of(path) == f"{path} must be a run folder or a model folder. It has no model in it."


def test_missing_weights_are_no_model(folder):
    """A folder whose weights are gone has no model in it."""
    (folder / "weights.safetensors").unlink()
    assert sentence_of(folder) == f"{folder} must be a run folder or a model folder. It has no model in it."


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_cut_weights_are_one_sentence(folder, size):
    """Weights of which a part is missing are refused as a model that cannot be read."""
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    assert sentence_of(folder).startswith(f"{folder} holds a model that cannot be read: ")


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "\x00\x01"])
def test_broken_json_is_one_sentence(folder, text):
    """A model.json that is no JSON is refused as a model that cannot be read."""
    (folder / "model.json").write_text(text)
    assert sentence_of(folder).startswith(f"{folder} holds a model that cannot be read: ")


def test_model_json_of_no_text_is_one_sentence(folder):
    """A model.json that is no UTF-8 is refused as a model that cannot be read."""
    (folder / "model.json").write_bytes(b"\xff\xfe{}")
    assert sentence_of(folder).startswith(f"{folder} holds a model that cannot be read: ")


@pytest.mark.parametrize("found", [FORMAT + 1, 0, None, "1"])
def test_newer_format_is_one_sentence(folder, found):
    """A model of another format is refused with what to do."""
    about(folder, format=found)
    assert (
        sentence_of(folder)
        == f"{folder} holds a model of format {found}. This Slalom reads formats 2, 3, 4, 5 and 6: take that"
        " which wrote it."
    )


@pytest.mark.parametrize("key", ["recipe", "columns", "target", "scaler", "net", "loss", "unit"])
def test_missing_part_is_one_sentence(folder, key):
    """A model.json without one of its parts is refused, and the part is named."""
    about(folder, **{key: ...})
    assert sentence_of(folder) == f"{folder} holds a damaged model: KeyError: '{key}'."


def test_weights_of_another_net_are_refused(folder):
    """Arrays whose shape or type is not that of the net are refused with both shapes."""
    unsealed(folder)
    path = folder / "weights.safetensors"
    arrays = safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save(arrays | {"layer.0.b": np.zeros((4, 1), np.float32)}))
    assert sentence_of(folder) == (
        f"{folder} holds a damaged model: ValueError: an array is float32(4, 1), its net wants float32(5, 1)."
    )
    path.write_bytes(safetensors.numpy.save(arrays | {"layer.0.b": np.zeros((5, 1))}))
    assert sentence_of(folder) == (
        f"{folder} holds a damaged model: ValueError: an array is float64(5, 1), its net wants float32(5, 1)."
    )
    path.write_bytes(safetensors.numpy.save({k: v for k, v in arrays.items() if k != "layer.1.gain"}))
    assert sentence_of(folder) == f"{folder} holds a damaged model: KeyError: 'layer.1.gain'."


@pytest.mark.parametrize("whole", [[], "model", 3, None], ids=["list", "text", "number", "null"])
def test_json_that_is_no_object_is_one_sentence(folder, whole):
    """A model.json that is valid JSON of another kind is refused as a damaged model, too."""
    (folder / "model.json").write_text(json.dumps(whole))
    assert sentence_of(folder).startswith(f"{folder} holds a ")


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key in ("recipe", "columns", "target", "net") for value in ([], "text", 3, None)]
    + [("scaler", value) for value in ([], "text", 3, None)],
)
def test_part_of_another_kind_is_one_sentence(folder, key, value):
    """A part that is valid JSON of another kind is refused as a damaged model."""
    about(folder, **{key: value})
    assert sentence_of(folder).startswith(f"{folder} holds a damaged model: ")


def test_scaler_of_another_width_is_refused(folder):
    """A scaler with other columns than the net has inputs is refused when it is loaded."""
    path = folder / "weights.safetensors"
    arrays = safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save(arrays | {"scaler.mean": arrays["scaler.mean"][:1]}))
    assert sentence_of(folder).startswith(f"{folder} holds a damaged model: ")


def test_scaler_comes_back_as_it_was(tmp_path):
    """The fields of a scaler have the same types after a way through the folder: 7 columns, not 7.0."""
    model = made(scaler="none")
    model.save(tmp_path)
    assert repr(load(tmp_path).scaler) == repr(model.scaler)


def test_saving_over_a_model_leaves_one_whole_model(tmp_path):
    """Saving into a folder that has a model replaces it, and leaves no other file behind."""
    made("binary").save(tmp_path)
    made("regression", "quantile_normal").save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "weights.safetensors"]
    np.testing.assert_array_equal(load(tmp_path).predict(FRAME), made("regression", "quantile_normal").predict(FRAME))


def test_predicting_compiles_nothing(tmp_path):
    """A fresh process loads a model and predicts without scikit-learn, and without compiling a single JAX program."""
    model = made("multiclass", "quantile_normal", "layer_norm")
    model.save(tmp_path)
    FRAME.write_csv(tmp_path / "rows.csv")
    code = f"""
import sys
import jax
compiled = []
jax.monitoring.register_event_duration_secs_listener(lambda name, *_, **__: compiled.append(name))
import slalom
from slalom.data import read
answer = slalom.load({str(tmp_path)!r}).predict(read({str(tmp_path / "rows.csv")!r}).frame)
print(answer.tolist())
print([name for name in sys.modules if name.split(".")[0] in ("sklearn", "optax", "torch")])
print([name for name in compiled if "compile" in name])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    answer, loaded, compiled = done.stdout.splitlines()
    assert json.loads(answer) == model.predict(FRAME).tolist()
    assert (loaded, compiled) == ("[]", "[]")


# --- temperature and threshold ----------------------------------------------------------------------------------------


def test_temperature_and_threshold_decide(tmp_path):
    """Logits are divided by the temperature; of two classes the second is predicted above the threshold; both are kept
    with the model."""
    plain = made("binary")
    model = dataclasses.replace(plain, temperature=2.5, threshold=0.3)
    p, hot = plain.predict_proba(FRAME)[:, 1], model.predict_proba(FRAME)[:, 1]
    np.testing.assert_allclose(np.log(hot / (1 - hot)), np.log(p / (1 - p)) / 2.5, rtol=1e-9)
    assert model.predict(FRAME).tolist() == np.where(hot > 0.3, "yes", "no").tolist()
    assert model.predict(FRAME).tolist() != plain.predict(FRAME).tolist()
    model.save(tmp_path)
    again = load(tmp_path)
    assert (again.temperature, again.threshold) == (2.5, 0.3)
    np.testing.assert_array_equal(again.predict_proba(FRAME), model.predict_proba(FRAME))
    assert again.predict(FRAME).tolist() == model.predict(FRAME).tolist()


def test_temperature_keeps_the_order_of_several_classes():
    """With three classes and any temperature the same class is the most probable."""
    plain = made("multiclass")
    hot = dataclasses.replace(plain, temperature=7.0)
    assert hot.predict(FRAME).tolist() == plain.predict(FRAME).tolist()
    logits = np.log(plain.predict_proba(FRAME)) / 7
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(hot.predict_proba(FRAME), expected, rtol=1e-9)


def test_a_model_of_the_format_before_is_read(folder):
    """A folder of format 3, which knew no codes, or 2, which knew neither temperature nor threshold either, predicts as
    it did."""
    expected = load(folder).predict(FRAME)
    net = json.loads((folder / "model.json").read_text(encoding="utf-8"))["net"]
    del net["categories"]
    about(folder, format=3, net=net)
    np.testing.assert_array_equal(load(folder).predict(FRAME), expected)
    about(folder, format=2, temperature=..., threshold=...)
    model = load(folder)
    assert (model.temperature, model.threshold) == (1.0, 0.5)
    np.testing.assert_array_equal(model.predict(FRAME), expected)


@pytest.mark.parametrize("bad", [0, -1.0, None, "1"])
def test_a_temperature_that_is_none_is_refused(folder, bad):
    """A temperature that is no number above 0 is refused as a damaged model."""
    about(folder, temperature=bad)
    assert sentence_of(folder) == f"{folder} holds a damaged model: ValueError: the temperature is {bad!r}."
