"""Ablated: a recipe with each of its parts taken away, or set to the plain value that stands in its place."""

import math
from typing import Any, NamedTuple

from slalom.recipe import Recipe

# What a recipe may have: the field, what stands in its place without it, and the words for it.
PLAIN: tuple[tuple[str, Any, str], ...] = (
    ("scaling", "none", "scaling"),
    ("rule", "sgd", "update rule"),
    ("schedule", "constant", "schedule"),
    ("warmup", 0.0, "warm-up"),
    ("normalisation", "none", "normalisation"),
    ("dropout", 0.0, "dropout"),
    ("weight_decay", 0.0, "weight decay"),
    ("batch_size", Recipe().batch_size, "batch size"),
    ("embedding", "none", "embedding"),
    ("learned_scale", "none", "learned scale"),
    ("label_smoothing", 0.0, "label smoothing"),
    ("l1", 0.0, "L1 penalty"),
    ("class_weight", 0.0, "class weights"),
    ("target_scaling", "z_score", "target scaling"),
)
OF_CLASSES, OF_NUMBERS = {"label_smoothing", "class_weight"}, {"target_scaling"}
RATES = 7  # learning rates of a grid
FACTOR = math.sqrt(10)  # from one to the next
FURTHER = 8  # rates that a grid grows by at most


class Part(NamedTuple):
    """A part that a recipe has: its field and name, its value, the plain value in its place, and the recipe without."""

    field: str
    name: str
    value: Any
    plain: Any
    without: Recipe


def parts(recipe: Recipe, *, classes: bool, rows: int, numbers: bool = True) -> list[Part]:
    """The parts that a recipe has, each with the recipe without it.

    classes: whether the target is classes. rows: training rows, above which no batch may be. numbers: whether the table
    has columns of numbers, which alone are embedded.

    The plain rule is stochastic gradient descent with the recipe's own decay, which means the same there: a step of
    −η λ w. A schedule keeps the warm-up in front of it.

    >>> found = parts(Recipe(dropout=0.1, warmup=0.05), classes=False, rows=1000)
    >>> [part.name for part in found]
    ['scaling', 'update rule', 'schedule', 'warm-up', 'dropout']
    >>> found[1].without.flat()["rule"], found[-1].without.dropout
    ('sgd', 0.0)
    """
    row, found = recipe.flat(), []
    for field, plain, name in PLAIN:
        value = row[field]
        if value == plain or field in (OF_NUMBERS if classes else OF_CLASSES):
            continue
        if (field == "target_scaling" and recipe.loss == "poisson") or (field == "batch_size" and plain > rows):
            continue
        if (field == "normalisation" and recipe.depth == 0) or (field == "embedding" and not numbers):
            continue
        given = {field: plain}
        if field == "rule":
            given["weight_decay"] = recipe.weight_decay
        found.append(Part(field, name, value, plain, recipe.with_fields(given)))
    return found


def rates(centre: float) -> list[float]:
    """The grid of learning rates around one, the least first.

        η √10ⁱ,  i = −3 … 3

    >>> [round(rate, 4) for rate in rates(0.01)]
    [0.0003, 0.001, 0.0032, 0.01, 0.0316, 0.1, 0.3162]
    """
    half = RATES // 2
    return [centre * FACTOR**i for i in range(-half, half + 1)]


def further(tried: dict[float, float]) -> list[float]:
    """The rates that a grid lacks: the next one behind an edge where the best one lies there, eight in all; none where
    the best lies inside, or none has a finite cost.

    tried: cost of each rate.

    >>> [round(rate, 3) for rate in further({0.1: 3.0, 0.3: 2.0, 1.0: 1.0})], further({0.1: 2.0, 0.3: 1.0, 1.0: 3.0})
    ([3.162], [])
    """
    known, best = sorted(tried), chosen(tried)
    if best is None or len(known) >= RATES + FURTHER:
        return []
    if best == known[-1]:
        return [best * FACTOR]
    return [best / FACTOR] if best == known[0] else []


def chosen(tried: dict[float, float]) -> float | None:
    """The rate of least cost, of equals the least; None where none has a finite cost."""
    finite = {rate: cost for rate, cost in tried.items() if math.isfinite(cost)}
    return min(sorted(finite), key=lambda rate: finite[rate]) if finite else None


class Grid(NamedTuple):
    """What a search of the learning rate found on choosing rows: cost of each rate, ∞ where it diverged."""

    costs: dict[float, float]

    @property
    def rate(self) -> float | None:
        """The best rate; None where all diverged."""
        return chosen(self.costs)
