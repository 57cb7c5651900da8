"""Pictures as functions: each answers with a figure that a person may restyle, and save as PNG, SVG or HTML."""

from slalom.pictures.columns import scaling
from slalom.pictures.curves import learning_curves
from slalom.pictures.factors import schedule
from slalom.pictures.grids import rate_range
from slalom.pictures.landscapes import landscape
from slalom.pictures.paths import contours
from slalom.pictures.series import ewma
from slalom.pictures.style import Picture, panels

__all__ = [
    "Picture",
    "contours",
    "ewma",
    "landscape",
    "learning_curves",
    "panels",
    "rate_range",
    "scaling",
    "schedule",
]
