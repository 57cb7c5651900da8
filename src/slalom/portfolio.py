"""The portfolio: recipes that did well across many data sets, raced first, and the shapes that recipes are drawn in."""

from typing import Any

SHAPE_FIELDS = (
    "depth", "width", "batch_size", "activation", "block", "normalisation", "placement", "embedding", "embedding_size",
    "learned_scale", "loss",
)  # fmt: skip

# The shapes that a race opens, one after the other as its time allows.
SHAPES: tuple[dict[str, Any], ...] = (
    {"depth": 3, "width": 128, "batch_size": 256, "activation": "silu", "embedding": "periodic"},
    {"depth": 3, "width": 128, "batch_size": 128, "activation": "silu", "learned_scale": "learned"},
    {"depth": 2, "width": 128, "batch_size": 128, "activation": "silu", "embedding": "periodic", "embedding_size": 6},
    {"depth": 1, "width": 128, "batch_size": 256, "activation": "silu", "embedding": "periodic", "block": "residual"},
    {"depth": 3, "width": 128, "batch_size": 256, "activation": "relu", "normalisation": "batch_norm"},
    {"depth": 3, "width": 256, "batch_size": 256, "activation": "silu", "embedding": "periodic"},
    {"depth": 2, "width": 64, "batch_size": 64, "activation": "silu"},
    {"depth": 2, "width": 128, "batch_size": 256, "activation": "relu", "embedding": "piecewise_linear"},
)
RATES: dict[str, tuple[float, float]] = {"adamw": (1e-3, 2e-2), "adam": (5e-4, 1e-2), "muon": (5e-3, 5e-2)}
LEADING: tuple[dict[str, Any], ...] = ()
