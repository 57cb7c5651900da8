"""Predicts with a network that Slalom trained. Needs Python 3.9 or newer and NumPy, and nothing of Slalom.

    python predict.py rows.csv > predictions.csv

    import predict
    model = predict.load("this folder")
    model.predict({"rooms": [3, None], "town": ["north", "south"]})     # columns by name: numbers, text, dates, None

Beside this file stand rows.py, model.json (columns, scaling, the shape of the nets) and weights.npz.
"""

import csv
import json
import math
import re
import sys
from pathlib import Path

import numpy as np

from slalom.exports.rows import encoded, scaled, sigmoid, unscaled

ERF = np.vectorize(math.erf, otypes=[float])
CHUNK = 4096  # rows at once


class Model:
    """One network or the weighted mean of several, from columns to predictions.

    classes: the labels, in the order of the columns of `predict_proba`; None for numbers.
    """

    def __init__(self, about, arrays):
        self.about, self.members = about, []
        for k, member in enumerate(about["members"]):
            prefix = f"{k}/"
            own = {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
            self.members.append((member, own, about["weights"][k]))
        target = about["members"][0]["target"]
        self.classes = target["classes"] if target["task"] == "classification" else None

    def predict(self, columns):
        """Numbers [N], or a label for each row."""
        answer = self._answer(columns)
        if self.classes is None:
            return answer
        if len(self.classes) == 2:
            return [self.classes[int(p > self.about["threshold"])] for p in answer[:, 1]]
        return [self.classes[code] for code in answer.argmax(1)]

    def predict_proba(self, columns):
        """The probability [N, C] of every class."""
        if self.classes is None:
            raise ValueError("This model predicts numbers: it has no probabilities.")
        return self._answer(columns)

    def _answer(self, columns):
        x = self._rows(columns)
        parts = [
            sum(weight * answer(member, arrays, x[i : i + CHUNK]) for member, arrays, weight in self.members)
            for i in range(0, max(len(x), 1), CHUNK)
        ]
        found = np.concatenate(parts)
        if self.classes is None or self.about["temperature"] == 1:
            return found
        with np.errstate(divide="ignore"):
            logs = np.log(found) / self.about["temperature"]
        powers = np.exp(logs - logs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def _rows(self, columns):
        """The table as numbers [N, D]."""
        treatments = self.about["members"][0]["columns"]["treatments"]
        missing = sorted({t["name"] for t in treatments} - set(columns))
        if missing:
            raise ValueError(f"The columns {', '.join(map(repr, missing))} are missing.")
        return np.hstack([encoded(treatment, list(columns[treatment["name"]])) for treatment in treatments])


def answer(about, w, x):
    """Predictions of one network for encoded rows x [N, D]."""
    scaler = about["scaler"] | {n.split(".")[1]: a for n, a in w.items() if n.startswith("scaler.")}
    net, codes = about["net"], len(about["net"]["categories"])
    with np.errstate(all="ignore"):
        z = np.clip(scaled(scaler, x), -1e18, 1e18)
        z[:, x.shape[1] - codes :] = x[:, x.shape[1] - codes :]
        out = outputs(net, w, z)
        if about["loss"] == "logistic":
            p = sigmoid(out[0] / about["temperature"])
            return np.stack([1 - p, p], axis=1)
        if about["loss"] == "softmax":
            powers = np.exp((out - out.max(0)) / about["temperature"])
            return (powers / powers.sum(0)).T
        number = np.exp(out[0]) if about["loss"] == "poisson" else out[0]
        unit = about["unit"]
        if unit is None:
            return number
        low, high = (
            (-math.inf if unit["low"] is None else unit["low"]),
            (math.inf if unit["high"] is None else unit["high"]),
        )
        own = unit["scaler"] | {n.split(".")[1]: a for n, a in w.items() if n.startswith("unit.")}
        return unscaled(own, np.clip(number, low, high))


# --- the net ----------------------------------------------------------------------------------------------------------

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "silu": lambda x: x * sigmoid(x),
    "gelu": lambda x: x * 0.5 * (1 + ERF(x / math.sqrt(2))),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(x, 0),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "identity": lambda x: x,
}


def activation(net):
    """The function between the layers of a net."""
    return ACTIVATIONS[net["activation"]]


def outputs(net, w, x):
    """What the net answers [C, N] to scaled columns x [N, D]. w: its arrays by name."""
    x, front = x.T, 0
    plain = net["inputs"] - len(net["categories"])
    taken = 0 if net["embedding"] == "none" else plain if net["embedded"] < 0 else net["embedded"]
    parts = [x[:plain]]
    if net["embedding"] != "none":
        embed = periodic if net["embedding"] == "periodic" else piecewise_linear
        parts, front = [embed(w, x[:taken]), x[taken:plain]], 1
    if net["categories"]:
        parts.insert(0, looked_up(w, front, x[plain:]))
        front += 1
    x = np.concatenate([part for part in parts if len(part)])
    if net["learned_scale"]:
        x, front = x * w[f"layer.{front}.scale"], front + 1
    return (residual if net["block"] == "residual" and net["depth"] else dense_layers)(net, w, x, front)


def periodic(w, x):
    """Each column beside mixtures of cosines of it."""
    turns = w["layer.0.frequency"] * x[:, None] + w["layer.0.phase"] / (2 * np.pi)
    mixed = w["layer.0.w"] @ np.cos(2 * np.pi * turns) + w["layer.0.b"]
    return np.concatenate([x[:, None], mixed], 1).reshape(-1, x.shape[1])


def piecewise_linear(w, x):
    """How far each column has gone through each of its bins; the first and the last go on."""
    edges = w["memory.0.edges"]
    left, right = edges[:, :-1, None], edges[:, 1:, None]
    some = right > left
    u = (x[:, None] - left) / np.where(some, right - left, 1)
    u = np.where(left > edges[:, :1, None], np.maximum(u, 0), u)
    u = np.where(right < edges[:, -1:, None], np.minimum(u, 1), u)
    return np.where(some, u, 0).reshape(-1, x.shape[1])


def looked_up(w, at, codes):
    """The vector of each code; the mean of all for one that there is not."""
    found = []
    for i, code in enumerate(codes):
        table = w[f"layer.{at}.table{i}"][0]
        table = np.concatenate([table, table.mean(1, keepdims=True)], 1)
        found.append(table[:, np.clip(code.astype(int), 0, table.shape[1] - 1)])
    return np.concatenate(found)


def normed(net, w, i, x):
    """x [F, N] behind the normalisation of layer i."""
    kind = net["normalisation"]
    if f"layer.{i}.gain" not in w:
        return x
    if kind == "batch_norm":
        weight = np.maximum(w[f"memory.{i}.weight"], 1e-12)
        x = (x - w[f"memory.{i}.mean"] / weight) / np.sqrt(w[f"memory.{i}.variance"] / weight + 1e-5)
    else:
        width = len(x)
        groups = next((g for g in (8, 4, 2) if width % g == 0 and width // g >= 8), 1) if kind == "group_norm" else 1
        g = x.reshape(groups, width // groups, -1)
        x = ((g - g.mean(1, keepdims=True)) / np.sqrt(g.var(1, keepdims=True) + 1e-5)).reshape(x.shape)
    return x * w[f"layer.{i}.gain"] + w[f"layer.{i}.shift"]


def dense(w, i, x):
    return w[f"layer.{i}.w"] @ x + w[f"layer.{i}.b"]


def dense_layers(net, w, x, first):
    """Hidden layers: dense, normalisation before or behind the activation; then a dense layer."""
    act = activation(net)
    for i in range(first, first + net["depth"]):
        x = dense(w, i, x)
        x = act(normed(net, w, i, x)) if net["placement"] == "before" else normed(net, w, i, act(x))
    return dense(w, first + net["depth"], x)


def residual(net, w, x, first):
    """Blocks whose answer is added to what they are given."""
    act, x = activation(net), dense(w, first, x)
    for i in range(first + 1, first + 1 + 2 * net["depth"], 2):
        x = x + dense(w, i + 1, act(dense(w, i, normed(net, w, i - 1, x))))
    last = first + 2 * net["depth"]
    return dense(w, last + 1, act(normed(net, w, last, x)))


# --- from a folder, on the command line ------------------------------------------------------------------------------


def load(folder):
    """The model in a folder."""
    folder = Path(folder)
    with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
        held = {name: arrays[name].astype(np.float64) for name in arrays.files}
    return Model(json.loads((folder / "model.json").read_text(encoding="utf-8")), held)


def read(file):
    """The columns of a CSV file with a header, by name. Its separator is the sign that its header has most of; behind
    any other than a comma 1,5 is 1.5."""
    with open(file, encoding="utf-8-sig", newline="") as handle:
        separator = max(",;\t|", key=handle.readline().count)
        handle.seek(0)
        header, *records = [record for record in csv.reader(handle, delimiter=separator) if record]
    columns = {name: [record[i] for record in records] for i, name in enumerate(header)}
    if separator == ",":
        return columns
    number = re.compile(r"\s*[-+]?\d*,\d+(e[-+]?\d+)?\s*", re.IGNORECASE)
    return {n: [c.replace(",", ".") if number.fullmatch(c) else c for c in cells] for n, cells in columns.items()}


def main(file):
    """Predict every row of a CSV file."""
    print("prediction")
    for value in load(Path(__file__).parent).predict(read(file)):
        print(value)


if __name__ == "__main__":
    main(sys.argv[1])
