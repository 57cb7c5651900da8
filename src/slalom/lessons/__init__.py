"""The lessons: one technique a file, one line each in the registry, in the order in which they build on each other."""

from slalom.errors import unknown
from slalom.lessons import (
    adagrad,
    adam,
    all_together,
    amsgrad,
    back_propagation,
    batch,
    batch_norm,
    contours,
    deep_sigmoid,
    dropout,
    ewma,
    loss_can_rise,
    momentum,
    radam,
    rate,
    rmsprop,
    saddle_and_ravine,
    scaling,
    schedules,
    swats,
    units,
)
from slalom.lessons.base import Lesson, Page

REGISTRY: dict[str, Lesson] = {
    "scaling": scaling.LESSON,
    "units": units.LESSON,
    "contours": contours.LESSON,
    "batch-stochastic-minibatch": batch.LESSON,
    "rate": rate.LESSON,
    "loss-can-rise": loss_can_rise.LESSON,
    "ewma": ewma.LESSON,
    "momentum": momentum.LESSON,
    "saddle-and-ravine": saddle_and_ravine.LESSON,
    "adagrad": adagrad.LESSON,
    "rmsprop": rmsprop.LESSON,
    "adam": adam.LESSON,
    "amsgrad": amsgrad.LESSON,
    "swats": swats.LESSON,
    "radam": radam.LESSON,
    "schedules": schedules.LESSON,
    "back-propagation": back_propagation.LESSON,
    "batch-norm": batch_norm.LESSON,
    "deep-sigmoid": deep_sigmoid.LESSON,
    "dropout": dropout.LESSON,
    "all-together": all_together.LESSON,
}

__all__ = ["REGISTRY", "Lesson", "Page", "lesson"]


def lesson(name: str) -> Lesson:
    """The lesson of this name; `_` and spaces count as `-`. SlalomError with the nearest name where there is none.

    >>> lesson("batch_norm").title
    'Batch normalisation: an image, training against test mode, and the batch'
    """
    wanted = str(name).strip().lower().replace("_", "-").replace(" ", "-")
    if wanted not in REGISTRY:
        raise unknown("NAME of a lesson", str(name), REGISTRY)
    return REGISTRY[wanted]
