"""A trained net as ONNX: outputs for scaled columns, in float32 as Slalom computes them."""

import math
from typing import Any

import numpy as np

from slalom.exports.onnx_graph import Graph, small
from slalom.types import Array

Arrays = dict[str, Array]
EPSILON = 1e-5


def outputs(g: Graph, net: dict[str, Any], w: Arrays, z: str) -> str:
    """What a net answers [N, C] to scaled columns z [N, D], float32. net, w: as `Model.parts` has them."""
    codes, front = len(net["categories"]), 0
    plain = net["inputs"] - codes
    taken = 0 if net["embedding"] == "none" else plain if net["embedded"] < 0 else net["embedded"]
    parts = [g.columns(z, range(plain))] if plain else []
    if net["embedding"] != "none":
        embed = _periodic if net["embedding"] == "periodic" else _piecewise_linear
        parts = [embed(g, w, g.columns(z, range(taken)), taken)] if taken else []
        parts += [g.columns(z, range(taken, plain))] if taken < plain else []
        front = 1
    if codes:
        parts.insert(0, _looked_up(g, w, front, g.columns(z, range(plain, plain + codes)), codes))
        front += 1
    x = g.joined(parts)
    if net["learned_scale"]:
        x, front = g("Mul", x, small(w[f"layer.{front}.scale"].T)), front + 1
    return (_residual if net["block"] == "residual" and net["depth"] else _plain)(g, net, w, x, front)


def _periodic(g: Graph, w: Arrays, x: str, columns: int) -> str:
    """Each column beside mixtures of cosines of it."""
    frequency, phase = (small(w[f"layer.0.{name}"][..., 0])[None] for name in ("frequency", "phase"))
    wide = g("Unsqueeze", x, np.array([2], np.int64))  # [N, D, 1]
    turns = g("Add", g("Mul", wide, frequency), phase / np.float32(2 * math.pi))
    turned = g("Sub", turns, g("Round", turns))  # the cosine of a small angle keeps its digits
    waves = g("Cos", g("Mul", turned, np.float32(2 * math.pi)))
    mixed = g("Einsum", waves, small(w["layer.0.w"]), equation="ndm,djm->ndj")
    mixed = g("Add", mixed, small(w["layer.0.b"][..., 0])[None])
    size = columns * (1 + w["layer.0.w"].shape[1])
    return g("Reshape", g("Concat", wide, mixed, axis=2), np.array([-1, size], np.int64))


def _piecewise_linear(g: Graph, w: Arrays, x: str, columns: int) -> str:
    """How far each column has gone through each of its bins; the first and the last go on."""
    edges = small(w["memory.0.edges"])
    left, right = edges[None, :, :-1], edges[None, :, 1:]
    some = right > left
    wide = g("Unsqueeze", x, np.array([2], np.int64))
    u = g("Div", g("Sub", wide, left), np.where(some, right - left, np.float32(1)))
    u = g("Where", left > edges[None, :, :1], g("Max", u, np.float32(0)), u)
    u = g("Where", right < edges[None, :, -1:], g("Min", u, np.float32(1)), u)
    u = g("Mul", u, some.astype(np.float32))
    return g("Reshape", u, np.array([-1, columns * left.shape[2]], np.int64))


def _looked_up(g: Graph, w: Arrays, at: int, codes: str, count: int) -> str:
    """The vector of each code; the mean of all for one that there is not."""
    found = []
    for i in range(count):
        table = w[f"layer.{at}.table{i}"][0]
        rows = small(np.concatenate([table, table.mean(1, keepdims=True)], 1).T)
        code = g.cast(g("Gather", codes, np.int64(i), axis=1), "int64")
        found.append(g("Gather", rows, code, axis=0))
    return g.joined(found)


def _normed(g: Graph, net: dict[str, Any], w: Arrays, i: int, x: str) -> str:
    """x [N, F] behind the normalisation of layer i, if there is one."""
    if f"layer.{i}.gain" not in w:
        return x
    gain, shift = (w[f"layer.{i}.{name}"].T.astype(np.float64) for name in ("gain", "shift"))
    if net["normalisation"] == "batch_norm":
        weight = np.maximum(w[f"memory.{i}.weight"], 1e-12)
        mean, variance = (w[f"memory.{i}.{name}"].T.astype(np.float64) / weight for name in ("mean", "variance"))
        factor = gain / np.sqrt(variance + EPSILON)
        return g("Add", g("Mul", g("Sub", x, small(mean)), small(factor)), small(shift))
    width, grouped = gain.shape[1], net["normalisation"] == "group_norm"
    groups = next((n for n in (8, 4, 2) if width % n == 0 and width // n >= 8), 1) if grouped else 1
    h = g("Reshape", x, np.array([-1, groups, width // groups], np.int64))
    centred = g("Sub", h, g("ReduceMean", h, np.array([2], np.int64), keepdims=1))
    variance = g("ReduceMean", g("Mul", centred, centred), np.array([2], np.int64), keepdims=1)
    h = g("Div", centred, g("Sqrt", g("Add", variance, np.float32(EPSILON))))
    h = g("Reshape", h, np.array([-1, width], np.int64))
    return g("Add", g("Mul", h, small(gain)), small(shift))


def _dense(g: Graph, w: Arrays, i: int, x: str) -> str:
    return g("Add", g("MatMul", x, small(w[f"layer.{i}.w"].T)), small(w[f"layer.{i}.b"].T))


def _plain(g: Graph, net: dict[str, Any], w: Arrays, x: str, first: int) -> str:
    """Hidden layers: dense, normalisation before or behind the activation; then a dense layer."""
    for i in range(first, first + net["depth"]):
        x = _dense(g, w, i, x)
        before = net["placement"] == "before"
        x = _activated(g, net, _normed(g, net, w, i, x) if before else x)
        x = x if before else _normed(g, net, w, i, x)
    return _dense(g, w, first + net["depth"], x)


def _residual(g: Graph, net: dict[str, Any], w: Arrays, x: str, first: int) -> str:
    """Blocks whose answer is added to what they are given."""
    x = _dense(g, w, first, x)
    for i in range(first + 1, first + 1 + 2 * net["depth"], 2):
        inside = _activated(g, net, _dense(g, w, i, _normed(g, net, w, i - 1, x)))
        x = g("Add", x, _dense(g, w, i + 1, inside))
    last = first + 2 * net["depth"]
    return _dense(g, w, last + 1, _activated(g, net, _normed(g, net, w, last, x)))


def _activated(g: Graph, net: dict[str, Any], x: str) -> str:
    """The activation of a net; ONNX's own where it has it."""
    kind = net["activation"]
    if kind == "identity":
        return x
    if kind == "silu":
        return g("Mul", x, g("Sigmoid", x))
    if kind == "gelu":
        half = g("Mul", x, np.float32(0.5))
        return g("Mul", half, g("Add", g("Erf", g("Mul", x, np.float32(0.5**0.5))), np.float32(1)))
    if kind == "mish":
        return g("Mul", x, g("Tanh", g("Softplus", x)))
    if kind == "selu":
        return g("Selu", x, alpha=1.6732632423543772, gamma=1.0507009873554805)
    if kind == "leaky_relu":
        return g("LeakyRelu", x, alpha=0.01)
    names = {"relu": "Relu", "elu": "Elu", "softplus": "Softplus", "tanh": "Tanh", "sigmoid": "Sigmoid"}
    return g(names[kind], x)
