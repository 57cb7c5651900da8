"""What a winner is compared with: every part that it has is taken away once, and nothing else is touched."""

import math
from itertools import pairwise

import pytest

from slalom.ablated import FURTHER, PLAIN, RATES, chosen, further, parts, rates
from slalom.recipe import Recipe

FULL = Recipe().with_fields(
    {
        "scaling": "quantile_normal", "rule": "adamw", "schedule": "linear", "warmup": 0.1, "dropout": 0.2,
        "normalisation": "batch_norm", "weight_decay": 0.05, "batch_size": 256, "embedding": "periodic",
        "learned_scale": "learned", "label_smoothing": 0.1, "l1": 1e-5, "class_weight": 0.5, "target_scaling": "robust",
    }
)  # fmt: skip


@pytest.mark.parametrize("classes", [True, False])
def test_every_part_is_taken_away_once(classes):
    """Of a recipe that has everything each part goes once, to its plain value, and no other field changes; the rule
    takes its own settings with it and leaves the decay."""
    found = parts(FULL, classes=classes, rows=1000)
    absent = {"target_scaling"} if classes else {"label_smoothing", "class_weight"}
    assert [part.field for part in found] == [field for field, *_ in PLAIN if field not in absent]
    before = FULL.flat()
    for part in found:
        after = part.without.flat()
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        allowed = {name for name in {*before, *after} if name == part.field or name.startswith(f"{part.field}.")}
        assert part.field in changed <= allowed
        assert after[part.field] == part.plain


def test_what_a_recipe_has_not_is_no_part_of_it():
    """A plain recipe has no parts; a batch that no rows could fill, a normalisation of no layers, an embedding of no
    numbers, and the scaling of a count's logarithm are none."""
    plain = FULL.with_fields({field: value for field, value, _ in PLAIN} | {"weight_decay": 0.0})
    assert parts(plain, classes=True, rows=1000) == []
    names = lambda recipe, **about: {part.field for part in parts(recipe, **({"classes": False, "rows": 1000} | about))}  # noqa: E731
    assert "batch_size" not in names(FULL.with_fields({"batch_size": 64}), rows=100)
    assert "normalisation" not in names(FULL.with_fields({"depth": 0}))
    assert "embedding" not in names(FULL, numbers=False)
    assert "target_scaling" not in names(FULL.with_fields({"loss": "poisson"}))


def test_grids_are_centred_and_grow_where_the_best_lies_at_an_edge():
    """Seven rates, √10 apart, with the recipe's own in the middle; behind an edge one more as long as it is the best,
    eight at most; rates that diverged are never chosen."""
    grid = rates(0.01)
    assert len(grid) == RATES
    assert grid[3] == 0.01
    assert all(b / a == pytest.approx(math.sqrt(10)) for a, b in pairwise(grid))
    costs = dict.fromkeys(grid, 2.0) | {0.01: 1.0}
    assert (chosen(costs), further(costs)) == (0.01, [])
    falling = {rate: rate for rate in grid}
    while more := further(falling):
        assert more == [pytest.approx(min(falling) / math.sqrt(10))]
        falling |= {more[0]: more[0]}
    assert len(falling) == RATES + FURTHER
    assert further({rate: -rate for rate in grid}) == [pytest.approx(grid[-1] * math.sqrt(10))]
    gone = {rate: math.inf if rate > 0.02 else 2.0 - rate for rate in grid}
    assert (chosen(gone), further(gone)) == (0.01, [])  # what lies behind it diverged: no edge
    assert (chosen(dict.fromkeys(grid, math.inf)), further(dict.fromkeys(grid, math.inf))) == (None, [])
