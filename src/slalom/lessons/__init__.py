"""The lessons: one technique a file, one line each in the registry, in the order in which they build on each other."""

import json
from importlib import resources

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

LANGUAGES = ("en", "zh")

__all__ = ["LANGUAGES", "REGISTRY", "Lesson", "Page", "lesson", "words"]


def lesson(name: str) -> Lesson:
    """The lesson of this name; `_` and spaces count as `-`. SlalomError with the nearest name where there is none.

    >>> lesson("batch_norm").title
    'Batch normalisation: an image, training against test mode, and the batch'
    """
    wanted = str(name).strip().lower().replace("_", "-").replace(" ", "-")
    if wanted not in REGISTRY:
        raise unknown("NAME of a lesson", str(name), REGISTRY)
    return REGISTRY[wanted]


def words(language: str) -> dict[str, str]:
    """The sentences of the lessons in another language by the English ones, for a `Page`; none for English.

    >>> words("zh")["What to see"], words("en")
    ('看什么', {})
    """
    if language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)
    if language == "en":
        return {}
    return dict(json.loads(resources.files(__package__).joinpath(f"{language}.json").read_text(encoding="utf-8")))
