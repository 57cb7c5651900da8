"""An ONNX file of a model: from raw columns to predictions, checked as it is written."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from slalom.data.base import as_floats, as_words
from slalom.ensemble import Ensemble
from slalom.errors import SlalomError
from slalom.exports.numpy_files import FAR, made_rows
from slalom.exports.onnx_graph import Graph
from slalom.exports.onnx_net import Arrays, outputs
from slalom.exports.onnx_rows import encoded, is_text, scaled, unscaled
from slalom.model import Model
from slalom.types import Array

OPSET, OPSET_ML, IR = 18, 3, 10


def export(model: Model | Ensemble, file: Path) -> tuple[int, float]:
    """Write a file that must not be there yet, once it is checked: (on how many rows, the largest difference), see
    `checked` (SlalomError)."""
    if file.exists():
        raise SlalomError(f"--out must be a new file. {file} is there already.")
    fresh = file.with_name(file.name + ".tmp")
    try:
        write(model, fresh)
        found = checked(model, fresh)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    return found


def write(model: Model | Ensemble, file: Path) -> None:
    """Write the file (SlalomError where a part of the model has no ONNX).

    Inputs: one a column, [N, 1]: float64 for numbers, truths and dates (days since 1970-01-01; NaN where missing),
    text for words ("" where missing). Outputs: `prediction` [N], and for classes `probabilities` [N, C].
    """
    onnx = _library("onnx")
    g, first = Graph(), model if isinstance(model, Model) else model.members[0]
    kinds = {t.name: is_text(t) for t in first.columns.treatments}
    types = onnx.TensorProto
    given = [
        onnx.helper.make_tensor_value_info(name, types.STRING if text else types.DOUBLE, ["N", 1])
        for name, text in kinds.items()
    ]
    x = encoded(g, first.columns, {name: name for name in kinds})
    answer = _together(g, model, x)
    ends = _labelled(g, model, answer) if model.classes is not None else {"prediction": answer}
    nodes = [*g.nodes, *[onnx.helper.make_node("Identity", [value], [name]) for name, value in ends.items()]]
    out = [_output(onnx, name, model) for name in ends]
    graph = onnx.helper.make_graph(nodes, "slalom", given, out, g.constants)
    opsets = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid("ai.onnx.ml", OPSET_ML)]
    made = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="slalom")
    onnx.checker.check_model(made, full_check=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(made.SerializeToString())


def checked(model: Model | Ensemble, file: Path) -> tuple[int, float]:
    """(how many rows, the largest difference of their predictions) between the file, run by ONNX Runtime, and the
    model, on made rows with missing cells and unseen words. Raises SlalomError where they differ by more than rounding.
    """
    rows = made_rows(model)
    found = run(model, file, rows)
    ours = model.predict(rows) if model.classes is None else model.predict_proba(rows)
    theirs = found["prediction" if model.classes is None else "probabilities"]
    finite = np.isfinite(ours)
    far = float(np.abs(ours[finite] - theirs[finite]).max(initial=0.0))
    if not np.isfinite(theirs[finite]).all() or far > FAR * max(float(np.ptp(ours[finite])), 1e-12):
        raise SlalomError(
            f"The file must predict as the model does. They differ by up to {far:.3g}: please report this."
        )
    return len(rows), far


def run(model: Model | Ensemble, file: Path, rows: pl.DataFrame) -> dict[str, Array]:
    """The outputs of the file for rows of a frame, by name."""
    session = _library("onnxruntime").InferenceSession(str(file), providers=["CPUExecutionProvider"])
    given: dict[str, Array] = {}
    for treatment in model.columns.treatments:
        cells = rows[treatment.name]
        if is_text(treatment):
            words = as_words(cells).fill_null("").to_list()
            given[treatment.name] = np.array(words, object)[:, None]
        else:
            of = "date" if cells.dtype.is_temporal() else "number"
            given[treatment.name] = np.asarray(as_floats(cells, of), np.float64)[:, None]
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, given), strict=True))


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise SlalomError(f"ONNX files need {name}, which is not installed: pip install 'slalom[onnx]'.") from None


def _output(onnx: Any, name: str, model: Model | Ensemble) -> Any:
    """The type and shape of an output."""
    types = onnx.TensorProto
    if name == "probabilities":
        assert model.classes is not None
        return onnx.helper.make_tensor_value_info(name, types.DOUBLE, ["N", len(model.classes)])
    kind = "f" if model.classes is None else model.classes.dtype.kind
    dtype = {"f": types.DOUBLE, "i": types.INT64, "u": types.INT64, "b": types.BOOL}.get(kind, types.STRING)
    return onnx.helper.make_tensor_value_info(name, dtype, ["N"])


def _together(g: Graph, model: Model | Ensemble, x: str) -> str:
    """The weighted mean of the answers of all networks, [N] or [N, C], float64."""
    if isinstance(model, Model):
        return _answer(g, model, x)
    found = ""
    for member, weight in zip(model.members, model.weights, strict=True):
        part = g("Mul", _answer(g, member, x), float(weight))
        found = g("Add", found, part) if found else part
    if model.classes is None or model.calibration.temperature == 1:
        return found
    logs = g("Log", g("Max", found, 1e-300))
    return g("Softmax", g("Div", logs, float(model.calibration.temperature)), axis=1)


def _answer(g: Graph, model: Model, x: str) -> str:
    """What one network predicts for encoded rows [N, D]."""
    about, arrays = model.parts()
    scaler = about["scaler"] | _of(arrays, "scaler")
    net, codes = about["net"], len(about["net"]["categories"])
    width = net["inputs"] - codes
    parts = [scaled(g, _some(scaler, width), g.columns(x, range(width)))] if width else []
    parts += [g.columns(x, range(width, width + codes))] if codes else []
    out = g.cast(outputs(g, net, arrays, g.cast(g.joined(parts), "float")), "double")
    temperature = float(about["temperature"])
    if about["loss"] == "softmax":
        return g("Softmax", g("Div", out, temperature), axis=1)
    if about["loss"] == "logistic":
        p = g("Sigmoid", g("Div", out, temperature))
        return g.joined([g("Sub", 1.0, p), p])
    number = g("Squeeze", out, np.array([1], np.int64))
    number = g("Exp", number) if about["loss"] == "poisson" else number
    unit = about["unit"]
    if unit is None:
        return number
    for end, kind in (("low", "Max"), ("high", "Min")):
        if unit[end] is not None and math.isfinite(unit[end]):
            number = g(kind, number, float(unit[end]))
    return unscaled(g, unit["scaler"] | _of(arrays, "unit"), number)


def _of(arrays: Arrays, prefix: str) -> Arrays:
    return {name.partition(".")[2]: value for name, value in arrays.items() if name.startswith(prefix + ".")}


def _some(scaler: dict[str, Any], width: int) -> dict[str, Any]:
    """The numbers of a scaler for the first columns: codes behind them are not scaled."""
    cut = lambda name, value: value if name == "references" or not np.ndim(value) else value[..., :width]  # noqa: E731
    return {name: cut(name, value) for name, value in scaler.items()}


def _labelled(g: Graph, model: Model | Ensemble, answer: str) -> dict[str, str]:
    """The outputs for classes: labels and probabilities."""
    labels = np.asarray(model.classes)
    if labels.dtype.kind in "iu":
        labels = labels.astype(np.int64)
    if len(labels) == 2:
        threshold = model.threshold if isinstance(model, Model) else model.calibration.threshold
        second = g("Gather", answer, np.int64(1), axis=1)
        code = g.cast(g("Greater", second, float(threshold)), "int64")
    else:
        code = g("ArgMax", answer, axis=1, keepdims=0)
    return {"prediction": g("Gather", labels, code, axis=0), "probabilities": answer}
