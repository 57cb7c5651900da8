"""The learning-rate schedules: one a file, one line each in the registry."""

from slalom.schedules.base import Schedule
from slalom.schedules.cosine import Cosine

REGISTRY: dict[str, type[Schedule]] = {
    "cosine": Cosine,
}

__all__ = ["REGISTRY", "Cosine", "Schedule"]
