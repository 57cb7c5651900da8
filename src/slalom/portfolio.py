"""The portfolio: recipes that did well across many data sets, raced first, and the shapes that recipes are drawn in."""

from typing import Any

SHAPE_FIELDS = ("depth", "width", "batch_size", "activation", "normalisation", "placement", "embedding")

# The shapes that a race opens, one after the other as its time allows.
SHAPES: tuple[dict[str, Any], ...] = (
    {"depth": 3, "width": 128, "batch_size": 256, "activation": "silu", "embedding": "periodic"},
    {"depth": 2, "width": 128, "batch_size": 128, "activation": "relu"},
    {"depth": 3, "width": 128, "batch_size": 128, "activation": "silu"},
)
RATES: dict[str, tuple[float, float]] = {"adamw": (1e-3, 2e-2), "adam": (5e-4, 1e-2), "muon": (5e-3, 5e-2)}
LEADING: tuple[dict[str, Any], ...] = ()
