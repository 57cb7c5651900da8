"""Columns of a table as ONNX: cells as numbers, words as places, every column scaled, targets back in their unit."""

import math
from typing import Any

import numpy as np

from slalom.data import Columns
from slalom.data.treatments import DIGITS, Category, Code, Cycle, Number, Presence, Text, Treatment
from slalom.errors import SlalomError
from slalom.exports.onnx_graph import Graph
from slalom.types import Array

EDGE = 1e-7  # of the probabilities of quantile_normal


def encoded(g: Graph, columns: Columns, inputs: dict[str, str]) -> str:
    """The numbers [N, D], float64, of columns that are inputs [N, 1] by name: float64 (dates in days since 1970-01-01,
    NaN where missing) or text ("" where missing)."""
    return g.joined([_column(g, treatment, inputs[treatment.name]) for treatment in columns.treatments])


def is_text(treatment: Treatment) -> bool:
    """Whether a column is an input of text."""
    return isinstance(treatment, (Category, Code))


def _column(g: Graph, treatment: Treatment, x: str) -> str:
    if isinstance(treatment, Number):
        return g("Where", g("IsNaN", x), treatment.fill, x)
    if isinstance(treatment, Presence):
        return g.cast(g("IsNaN", x), "double")
    if isinstance(treatment, Cycle):
        part = g("Mod", g("Floor", x) if treatment.whole else x, treatment.period, fmod=1)
        angle, missing = g("Mul", part, 2 * math.pi / treatment.period), g("IsNaN", x)
        waves = [g("Sin", angle), g("Sin", g("Add", angle, math.pi / 2))]  # not every runtime has a cosine of float64
        whole = 10.0**DIGITS
        rounded = [g("Div", g("Round", g("Mul", wave, whole)), whole) for wave in waves]
        return g.joined([g("Where", missing, 0.0, wave) for wave in rounded])
    if isinstance(treatment, (Category, Code)):
        return _levels(g, treatment, x)
    assert isinstance(treatment, Text)
    raise SlalomError(
        f"{treatment.name} is free text, whose words ONNX has no operator to find: export to numpy, or race without it."
    )


def _levels(g: Graph, treatment: Category | Code, x: str) -> str:
    """Places or codes of words; a word that there is not has the last of them, or none."""
    count = len(treatment.levels) + treatment.other + treatment.missing
    other = len(treatment.levels) if treatment.other else count
    missing = len(treatment.levels) + treatment.other if treatment.missing else count
    place = g(
        "LabelEncoder", x, domain="ai.onnx.ml", keys_strings=[*treatment.levels, ""],
        values_int64s=[*range(len(treatment.levels)), missing], default_int64=other,
    )  # fmt: skip
    if isinstance(treatment, Code):
        return g.cast(place, "double")
    rows = np.vstack([np.eye(count), np.zeros((1, count))])
    return g("Gather", rows, g("Squeeze", place, np.array([1], np.int64)), axis=0)


def scaled(g: Graph, scaler: dict[str, Any], x: str) -> str:
    """Columns x [N, D] in a scaling; its numbers are arrays and floats by name."""
    name, s = scaler["name"], scaler
    if name == "min_max":
        u = g("Div", g("Sub", x, s["minimum"]), s["extent"])
        return g("Add", g("Mul", u, float(s["high"] - s["low"])), float(s["low"]))
    if name == "max_abs":
        return g("Div", x, s["largest"])
    if name in ("z_score", "z_score_sigmoid"):
        u = g("Div", g("Sub", x, s["mean"]), s["spread"])
        return u if name == "z_score" else g("Sigmoid", u)
    if name in ("robust", "robust_clip"):
        u = g("Div", g("Sub", x, s["centre"]), s["spread"])
        if name == "robust":
            return u
        v = g("Div", g("Max", g("Min", u, 1e100), -1e100), float(s["clip"]))
        return g("Div", g("Mul", v, float(s["clip"])), g("Sqrt", g("Add", g("Mul", v, v), 1.0)))
    if name == "sigmoid":
        return g("Sigmoid", x)
    if name == "none":
        return x
    one = _bent if name == "power" else _ranked
    return g.joined([one(g, g.columns(x, range(i, i + 1)), s, i) for i in range(_width(s))])


def _width(s: dict[str, Any]) -> int:
    return len(s["power"]) if "power" in s else s["quantiles"].shape[1]


def _bent(g: Graph, x: str, s: dict[str, Any], i: int) -> str:
    return g("Div", bent(g, x, float(s["power"][i]), float(s["centre"][i])), float(s["spread"][i]))


def bent(g: Graph, x: str, p: float, c: float) -> str:
    """Yeo-Johnson's function with slope 1 and value 0 at c."""
    if c < 0:
        return g("Neg", bent(g, g("Neg", x), 2 - p, -c))
    above = g.power_of(g("Div", g("Sub", g("Max", x, 0.0), c), 1 + c), p)
    below = g.power_of(g("Max", g("Neg", x), 0.0), 2 - p)
    return g("Sub", g("Mul", above, 1 + c), g("Mul", below, math.exp(min((1 - p) * math.log1p(c), 700))))


def _ranked(g: Graph, x: str, s: dict[str, Any], i: int) -> str:
    """The normal quantile of the share of training rows below each cell of a column [N, 1]."""
    q, r = np.asarray(s["quantiles"][:, i], np.float64), np.asarray(s["references"], np.float64)
    low, high = float(q[0]), float(q[-1])
    if high - low <= max(4 * np.finfo(float).eps * max(abs(low), abs(high)), 1e-308):
        p = g("Where", g("Less", x, low), 0.0, g("Where", g("Greater", x, high), 1.0, 0.5))
    else:
        left = _between(g, x, q, r, g("LessOrEqual", q[None], x), -1)
        right = _between(g, x, q, r, g("Less", q[None], x), 0)
        inside = g("Mul", g("Add", left, right), 0.5)
        p = g("Where", g("LessOrEqual", x, low), 0.0, g("Where", g("GreaterOrEqual", x, high), 1.0, inside))
    return g.normal_quantile(g("Max", g("Min", p, 1 - EDGE), EDGE))


def _between(g: Graph, x: str, q: Array, r: Array, below: str, shift: int) -> str:
    """r between the quantiles q around x; below [N, Q]: which are below x. shift: -1 counts the last of these as the
    lower one, 0 the next as the upper one."""
    count = g("ReduceSum", g.cast(below, "int64"), np.array([1], np.int64), keepdims=1)
    at = g("Add", count, np.int64(shift))
    lower = np.int64(0 if shift else 1)
    at = g("Max", g("Min", at, np.int64(len(q) - 2 if shift else len(q) - 1)), lower)
    next_one = g("Add", at, np.int64(1 if shift else -1))
    a, b = (g("Gather", q, one) for one in (at, next_one))
    ra, rb = (g("Gather", r, one) for one in (at, next_one))
    width = g("Sub", b, a)
    safe = g("Where", g("Equal", width, 0.0), 1.0, width)
    return g("Add", ra, g("Mul", g("Div", g("Sub", x, a), safe), g("Sub", rb, ra)))


def unscaled(g: Graph, scaler: dict[str, Any], z: str) -> str:
    """Targets z [N] back from the unit that the net learnt in."""
    name, s = scaler["name"], {k: float(np.ravel(v)[0]) for k, v in scaler.items() if k not in ("name", "quantiles")}
    if name == "min_max":
        return g("Add", g("Mul", g("Div", g("Sub", z, s["low"]), s["high"] - s["low"]), s["extent"]), s["minimum"])
    if name == "max_abs":
        return g("Mul", z, s["largest"])
    if name in ("sigmoid", "z_score_sigmoid"):
        u = g("Sub", g("Log", z), g("Log", g("Sub", 1.0, z)))
        return u if name == "sigmoid" else g("Add", g("Mul", u, s["spread"]), s["mean"])
    if name == "robust_clip":
        v = g("Max", g("Min", g("Div", z, s["clip"]), 1.0), -1.0)
        z = g("Div", g("Mul", v, s["clip"]), g("Sqrt", g("Mul", g("Sub", 1.0, v), g("Add", 1.0, v))))
    if name in ("robust", "robust_clip"):
        return g("Add", g("Mul", z, s["spread"]), s["centre"])
    if name == "z_score":
        return g("Add", g("Mul", z, s["spread"]), s["mean"])
    if name == "none":
        return z
    raise SlalomError(f"target_scaling {name} has no way back in ONNX: export to numpy, or race with another one.")
