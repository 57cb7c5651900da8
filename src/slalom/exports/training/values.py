"""What the templates of a training script are told: every number and every piece of text of a recipe."""

import re
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slalom.data.base import shown
from slalom.data.decided import MAX_CODES, RARE_ROWS
from slalom.errors import SlalomError
from slalom.exports.training import inputs, nets, optimisers, rates
from slalom.exports.training.reading import Reading
from slalom.layers.embedding import Embedding
from slalom.layers.periodic import Periodic
from slalom.metrics import Metric
from slalom.model import Model
from slalom.net import FEATURES
from slalom.types import Array

NEEDS = {
    "torch": "Python 3.11 or newer, torch, numpy, polars and scikit-learn",
    "keras": "Python 3.11 or newer, keras with a backend, numpy, polars and scikit-learn",
}
SCORED = {
    "rmse": "The root of the mean squared error, in the unit of the target",
    "mae": "The mean absolute error, in the unit of the target",
    "r2": "1 less the squared errors over those of the mean",
    "pinball": "The mean pinball loss of a quantile",
    "log_loss": "The mean of -log p(the class that it is)",
    "accuracy": "The share of rows whose class is met",
    "balanced_accuracy": "The share of rows whose class is met, the mean over the classes",
    "f1": "F1 of the second class, or the mean of all classes",
    "auc": "The area under the curve of true over false positives, the mean over classes",
}
LEARNED = {"balanced_accuracy": "balanced_accuracy_score", "f1": "f1_score", "auc": "roc_auc_score"}


class About(NamedTuple):
    """A race as a script tells of it: the winner's name, the file and its target, the metric, the best epoch (where no
    rows chose it) and the score that Slalom's own run had, as a sentence."""

    name: str
    source: Path
    target: str
    metric: Metric
    epochs: float | None
    scores: str
    weights: str | None


def values(
    about: About, model: Model, library: str, reading: Reading, names: list[str] | None, train: int
) -> dict[str, Any]:  # fmt: skip
    """All that the templates are told. names: of the columns, where the file's own are others. train: rows.

    Raises SlalomError for a part of the recipe that has no text.
    """
    quantiles = int(max(2, min(max(min(train // 30, 1000), 10), train)))
    found = (
        _told(about)
        | _columns(model, reading, names, quantiles)
        | _target(about, model, quantiles)
        | _net(model, library)
        | _training(model, library)
    )
    beside = "Beside it lies rows.npz: which rows train, which choose the best epoch, which test."
    needs = textwrap.fill(f"Needs {NEEDS[library]}, and nothing of Slalom. {beside} {about.scores}", 110)
    return found | {"needs": needs, "imports": _imports(found, library)}


def _told(about: About) -> dict[str, Any]:
    """What the head says."""
    return {
        "name": quiet(about.name),
        "target_words": quiet(about.target),
        "file_words": quiet(about.source.name),
        "file": repr(str(about.source)),
        "target": repr(about.target),
        "target_name": about.target,
        "fixed_epochs": about.epochs,
        "weighted": f"(weights := number(table[{about.weights!r}])[train]) / weights.sum()" if about.weights else "",
    }


def quiet(text: str) -> str:
    r"""Text of a stranger as it may stand in a docstring: on one line, no quote and no backslash in it, cut when long.

    >>> quiet("price"), quiet('a"b\\c'), len(quiet("a" * 100))
    ('price', "a'b/c", 61)
    """
    return shown(text)[1:-1].replace('"', "'").replace("\\", "/")


def _columns(model: Model, reading: Reading, names: list[str] | None, quantiles: int) -> dict[str, Any]:
    """From the file to scaled numbers."""
    return {
        "reading": reading.call,
        "decimal": reading.decimal,
        "names": names and repr(names),
        "used": inputs.used(model.columns),
        "columns": inputs.columns(model.columns),
        "scaling_name": model.recipe.scaling,
        "scaling": inputs.scaling(model.parts()[0]["scaler"], quantiles),
        "rare": RARE_ROWS,
        "most_codes": MAX_CODES,
        "codes": list(model.net.categories),
        "plain": model.net.plain,
    }


def _target(about: About, model: Model, quantiles: int) -> dict[str, Any]:
    """What is predicted, how it is scored."""
    metric, _, number = about.metric.name.partition(":")
    if metric not in SCORED:
        raise SlalomError(f"A training script has no text of the metric {about.metric.name}: it is a function.")
    classes = model.classes
    unit = "" if classes is not None else inputs.target(model.recipe.unit, quantiles)
    return {
        "classes": None if classes is None else repr(_labels(classes)),
        "labels": None if classes is None else _labels(classes),
        "ends": "Power" in unit or "Quantile" in unit,
        "classes_are_words": classes is not None and classes.dtype.kind not in "iufb",
        "two": classes is not None and len(classes) == 2,
        "unit": "mean" if model.loss == "poisson" else unit,
        "loss": model.loss,
        "temperature": model.temperature,
        "threshold": model.threshold,
        "metric": metric,
        "metric_number": float(number or 0.5),
        "metric_label": about.metric.name,
        "metric_words": SCORED[metric],
        "greater": about.metric.greater,
    }


def _labels(classes: Array) -> list[Any]:
    """The labels as the script compares them: words, or numbers (of truths 0 and 1)."""
    return np.asarray(classes, int).tolist() if classes.dtype.kind == "b" else classes.tolist()


def _net(model: Model, library: str) -> dict[str, Any]:
    """The shape of the net and how it starts."""
    recipe, net, torch = model.recipe, model.net, library == "torch"
    penalised = bool(recipe.l1 or recipe.penalty)
    norm = nets.normalisation(net, library, penalised)
    return {
        "outline": _outline(model),
        "penalty": penalised and not torch,
        "penalised": ", regularizer=PENALTY" if penalised else "",
        "depth": net.depth,
        "width": net.width,
        "outputs": net.outputs,
        "dropout": recipe.dropout if net.depth else 0,
        "learned_scale": net.learned_scale,
        "embedding": net.embedding,
        "embedded": net.resolved,
        "size": net.size,
        "sigma": recipe.embedding_sigma or Periodic().sigma,
        "code_sigma": Embedding().sigma,
        "code_features": FEATURES,
        "block": net.block,
        "placement": net.placement,
        "gain": nets.gain(net, recipe),
        "init": nets.INITS[recipe.initialiser][not torch],
        "init_words": nets.words_of(recipe.initialiser),
        "net_words": nets.net_words(net, recipe),
        "first_size": nets.first_size(net),
        "parts": nets.parts(net, library),
        **(nets.torch_layers if torch else nets.keras_layers)(norm, net.activation),
    }


def _training(model: Model, library: str) -> dict[str, Any]:
    """The steps of the training."""
    recipe, plain = model.recipe, model.recipe.to_plain()
    made = optimisers.optimiser(plain["rule"], library)
    if library == "keras" and model.net.outputs == 1:  # no matrix
        made = made.replace("Muon(Rates(), ", 'Muon(Rates(), exclude_layers=["last"], ')
    lines = nets.torch_loss if library == "torch" else nets.keras_loss
    return {
        "epochs": recipe.epochs,
        "batch": recipe.batch_size,
        "rate": recipe.learning_rate,
        "decay": recipe.weight_decay or 0.0,
        "decoupled": not recipe.penalty,
        "l1": recipe.l1,
        "l2": recipe.penalty / 2,
        "rule_name": plain["rule"]["name"],
        "optimiser": made,
        "warmup": f"{recipe.warmup} * horizon" if 0 < recipe.warmup < 1 else recipe.warmup,
        "by_epoch": recipe.schedule_by == "epoch",
        "factor": rates.factor(recipe.schedule, plain["schedule"]),
        "loss_words": nets.LOSS_WORDS[model.loss],
        "loss_lines": lines(model.loss, recipe),
        "class_weight": recipe.class_weight,
    }


def _outline(model: Model) -> str:
    """The recipe in a line."""
    recipe, plain = model.recipe, model.recipe.to_plain()
    said = (
        f"{nets.net_words(model.net, recipe)}; scaling {recipe.scaling}; {plain['rule']['name']}, rate"
        f" {recipe.learning_rate:g}, {plain['schedule']['name']}, batches of {recipe.batch_size}."
    )
    return textwrap.fill(said, 110) + "\n"


def _imports(found: dict[str, Any], library: str) -> list[str]:
    """The lines that import what the script uses."""
    hashed, torch = "hashed" in found["used"], library == "torch"
    first = ["import math", *["import re"] * hashed, "import sys", *["import zlib"] * hashed]
    second = ["import numpy as np", "import polars as pl", *["import torch"] * torch]
    learned = LEARNED.get(found["metric"])
    scalers = scalers_in(" ".join([*found["scaling"], found["unit"]]))
    third = [*["from keras import layers, ops"] * (not torch)]
    third += [f"from sklearn.metrics import {learned}"] if learned else []
    third += [f"from sklearn.preprocessing import {', '.join(scalers)}"] if scalers else []
    third += ["from torch import nn"] * torch
    return [*first, "from pathlib import Path", "", *["import keras"] * (not torch), *second, *third]


def scalers_in(text: str) -> list[str]:
    """The classes of scikit-learn's preprocessing that a text makes."""
    return sorted(set(re.findall(r"\b(\w+(?:Scaler|Transformer))\(", text)))
