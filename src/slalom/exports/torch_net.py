"""The net of a model that Slalom trained, as a module of PyTorch. Needs Python 3.9 or newer, PyTorch and NumPy.

    import torch_net
    nets = torch_net.load("this folder")      # one, or those of an ensemble
    nets[0](torch.zeros(5, columns))          # columns as `rows.py` makes and scales them

Beside this file stand predict.py (from a table to predictions, through these nets), rows.py, model.json, weights.npz.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "mish": nn.Mish,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


class Periodic(nn.Module):
    """Each column beside learned mixtures of learned cosines of it."""

    def __init__(self, w):
        super().__init__()
        for name in ("frequency", "phase", "w", "b"):
            self.register_parameter(name, nn.Parameter(w[name]))

    def forward(self, x):
        x = x[:, :, None, None]  # [B, D, 1, 1]
        turns = self.frequency * x + self.phase / (2 * math.pi)
        mixed = self.w @ torch.cos(2 * math.pi * turns) + self.b
        return torch.cat([x, mixed], 2).flatten(1)


class PiecewiseLinear(nn.Module):
    """How far each column has gone through each of its bins; the first and the last go on."""

    def __init__(self, edges):
        super().__init__()
        self.register_buffer("edges", edges)

    def forward(self, x):
        left, right = self.edges[:, :-1], self.edges[:, 1:]
        some = right > left
        u = (x[:, :, None] - left) / torch.where(some, right - left, torch.ones_like(left))
        u = torch.where(left > self.edges[:, :1], u.clamp(min=0), u)
        u = torch.where(right < self.edges[:, -1:], u.clamp(max=1), u)
        return torch.where(some, u, torch.zeros_like(u)).flatten(1)


class Vectors(nn.Module):
    """A learned vector for each code of a column; the mean of all for a code that there is not."""

    def __init__(self, table):
        super().__init__()
        self.table = nn.Parameter(table[0].T.contiguous())  # [R, F]

    def forward(self, codes):
        table = torch.cat([self.table, self.table.mean(0, keepdim=True)])
        return table[codes.round().long().clamp(0, len(table) - 1)]


class Block(nn.Module):
    """What a sequence makes of x, added to x."""

    def __init__(self, *inside):
        super().__init__()
        self.inside = nn.Sequential(*inside)

    def forward(self, x):
        return x + self.inside(x)


class Net(nn.Module):
    """From scaled columns [B, D], codes of words the last of them, to outputs [B, C]. about: the shape, as in
    model.json. w: arrays by name, as in weights.npz. There is no dropout in it: add some to train on."""

    def __init__(self, about, w):
        super().__init__()
        self.about = about
        w = {name: torch.tensor(np.asarray(array, np.float32)) for name, array in w.items()}
        self.plain = about["inputs"] - len(about["categories"])
        self.taken = self.plain if about["embedded"] < 0 else about["embedded"]
        front, kind = 0, about["embedding"]
        if kind == "none":
            self.taken = 0
        else:
            own = {n.split(".")[2]: array for n, array in w.items() if n.startswith("layer.0.")}
            self.embed = Periodic(own) if kind == "periodic" else PiecewiseLinear(w["memory.0.edges"])
            front = 1
        tables = [w[f"layer.{front}.table{i}"] for i in range(len(about["categories"]))]
        self.vectors = nn.ModuleList(Vectors(table) for table in tables)
        front += bool(tables)
        if about["learned_scale"]:
            self.scale, front = nn.Parameter(w[f"layer.{front}.scale"][:, 0]), front + 1
        residual = about["block"] == "residual" and about["depth"]
        self.body = nn.Sequential(*(_residual if residual else _plain)(about, w, front))

    def forward(self, x):
        parts = [own(codes) for own, codes in zip(self.vectors, x[:, self.plain :].T)]
        parts += [self.embed(x[:, : self.taken])] if self.taken else []
        x = torch.cat([*parts, x[:, self.taken : self.plain]], 1)
        return self.body(x * self.scale if self.about["learned_scale"] else x)


def _dense(w, i):
    layer = nn.Linear(w[f"layer.{i}.w"].shape[1], w[f"layer.{i}.w"].shape[0])
    layer.weight.data, layer.bias.data = w[f"layer.{i}.w"], w[f"layer.{i}.b"][:, 0]
    return layer


def _norm(about, w, i):
    """The normalisation behind layer i, in a list; [] where it has none."""
    if f"layer.{i}.gain" not in w:
        return []
    width, kind = about["width"], about["normalisation"]
    if kind == "batch_norm":
        layer, weight = nn.BatchNorm1d(width), w[f"memory.{i}.weight"].clamp(min=1e-12)
        layer.running_mean.data = w[f"memory.{i}.mean"][:, 0] / weight
        layer.running_var.data = w[f"memory.{i}.variance"][:, 0] / weight
    elif kind == "group_norm":
        layer = nn.GroupNorm(next((g for g in (8, 4, 2) if width % g == 0 and width // g >= 8), 1), width)
    else:
        layer = nn.LayerNorm(width)
    layer.weight.data, layer.bias.data = w[f"layer.{i}.gain"][:, 0], w[f"layer.{i}.shift"][:, 0]
    return [layer]


def _plain(about, w, first):
    """Hidden layers: dense, normalisation before or behind the activation; then a dense layer."""
    layers = []
    for i in range(first, first + about["depth"]):
        act, norm = [ACTIVATIONS[about["activation"]]()], _norm(about, w, i)
        layers += [_dense(w, i), *(norm + act if about["placement"] == "before" else act + norm)]
    return [*layers, _dense(w, first + about["depth"])]


def _residual(about, w, first):
    """Blocks whose answer is added to what they are given."""
    act, last = ACTIVATIONS[about["activation"]], first + 2 * about["depth"]
    blocks = [Block(*_norm(about, w, i - 1), _dense(w, i), act(), _dense(w, i + 1)) for i in range(first + 1, last, 2)]
    return [_dense(w, first), *blocks, *_norm(about, w, last), act(), _dense(w, last + 1)]


def load(folder):
    """The nets in a folder, ready to predict."""
    folder = Path(folder)
    about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    return [of(member, held, f"{k}/") for k, member in enumerate(about["members"])]


def of(member, held, prefix=""):
    """The net of a member of model.json with its arrays."""
    own = {name[len(prefix) :]: array for name, array in held.items() if name.startswith(prefix)}
    return Net(member["net"], own).eval()


def outputs(net, w, x):
    """What the net answers [C, N] to scaled columns x [N, D], as predict.py asks for it."""
    if id(w) not in _MADE:
        _MADE[id(w)] = w, Net(net, w).eval()
    with torch.no_grad():
        return _MADE[id(w)][1](torch.tensor(np.asarray(x, np.float32))).double().numpy().T


_MADE: dict = {}  # arrays and their net, by the identity of the arrays
