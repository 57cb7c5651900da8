"""What a recipe's loss is on some data: its name in the program, its number, and what does not fit the target."""

import numpy as np

from slalom.errors import SlalomError, wrong
from slalom.losses import CHOICES, class_weights, number_shape
from slalom.prepare import Prepared
from slalom.recipe import Recipe
from slalom.types import Array

DEFAULT = Recipe()
OF_TASK = {  # fields that mean something to one task alone: what is said to the other
    "regression": {
        "label_smoothing": "0 for a regression, which has no labels",
        "class_weight": "0 for a regression, which has no classes",
    },
    "classification": {
        "target_scaling": "left away for classes",
        "huber_delta": "left away for classes",
        "quantile": "left away for classes",
    },
}


def loss_of(recipe: Recipe, prepared: Prepared) -> str:
    """The name of the recipe's loss in the program; SlalomError where it does not fit the target."""
    check(recipe, prepared)
    target = prepared.target
    if target.task == "classification":
        return "logistic" if target.outputs == 1 else "softmax"
    return CHOICES["regression"][0] if recipe.loss == "auto" else recipe.loss


def check(recipe: Recipe, prepared: Prepared) -> None:
    """SlalomError where the loss, or a field of the other task, does not fit the target."""
    task = prepared.target.task
    fitting = ("auto", *CHOICES[task])
    if recipe.loss not in fitting:
        what = "classes" if task == "classification" else "a regression"
        raise wrong("loss", f"one of {', '.join(fitting)} for {what}", recipe.loss)
    for name, wanted in OF_TASK[task].items():
        if (value := getattr(recipe, name)) != getattr(DEFAULT, name):
            raise wrong(name, wanted, value)
    if recipe.loss != "poisson":
        return
    if recipe.target_scaling != DEFAULT.target_scaling:
        raise wrong("target_scaling", "left away with loss poisson, whose unit is the mean", recipe.target_scaling)
    if below := prepared.negative:
        raise SlalomError(
            f"loss poisson wants a target of 0 or more. Got {below:,} negative of {len(prepared.labels):,}. Take"
            " another loss."
        )


def number_of(recipe: Recipe, loss: str, prepared: Prepared, fold: int) -> Array:
    """The number of a recipe's loss in the program, float32: δ of huber or τ of quantile [], the weights of the classes
    [C] by the training rows of a fold; 1 [] where the loss has none."""
    shape = number_shape(loss, prepared.target.outputs)
    if not shape:
        return np.float32({"huber": recipe.huber_delta, "quantile": recipe.quantile}.get(loss, 1.0))
    return class_weights(prepared.class_counts(fold), recipe.class_weight).astype(np.float32)
