"""Further starts: what the table says of runs, what a model sees of recipes, and which score of a start counts."""

import math
import types

import numpy as np
import pytest
from benchmarks import sets, waves

from slalom import seats
from slalom.entry import FINISHED, STOPPED
from slalom.executor import Threads
from slalom.recipe import Recipe


def run_of(first, *costs):
    """A run: the first start's cost, then those of the three kinds, proposed in 1, 2 and 3 seconds."""
    proposed = {kind: (cost, 1.0 + j) for j, (kind, cost) in enumerate(zip(waves.KINDS, costs, strict=True))}
    return {"": (first, 0.0)} | proposed


def test_the_table_counts_runs_and_ranks():
    """Better is less than the first start, not equal to it; those of one cost share the better rank; a start without a
    finisher is the last."""
    runs = [run_of(1.0, 0.9, 0.8, 0.7), run_of(1.0, 1.0, 0.9, 1.1), run_of(1.0, 0.5, 0.5, math.inf)]
    lines = waves.told([*runs, run_of(1.0, 2.0, 1.5, 0.9)], ["a", "b"], 2).splitlines()
    assert lines[0] == "2 sets (a, b), 2 seeds; 81 recipes, then 45; 45 epochs."
    assert lines[2].startswith("| a further start of recipes | better than the first start | best of the three |")
    assert lines[4:] == [
        "| drawn anew | 50% | 25% | 2.25 | 1.00 |",
        "| neighbours of the best | 75% | 50% | 1.50 | 2.00 |",
        "| proposed by forests | 50% | 50% | 2.00 | 3.00 |",
    ]


def test_features_are_places_of_names_and_logarithms_of_numbers():
    """A row a recipe, a column a field of any of them; a field that a recipe has not is at -20."""
    recipes = [
        Recipe().with_fields({"learning_rate": rate, "rule": rule, "dropout": 0.0})
        for rate, rule in ((1e-3, "muon"), (1e-2, "adam"), (1e-1, "adam"))
    ]
    names = sorted({name for recipe in recipes for name in recipe.flat()})
    rows = waves.features(recipes)
    assert rows.shape == (3, len(names))
    column = {name: rows[:, j] for j, name in enumerate(names)}
    np.testing.assert_allclose(column["learning_rate"], np.log([1e-3, 1e-2, 1e-1]))
    assert column["rule"].tolist() == [1, 0, 0]
    np.testing.assert_allclose(column["dropout"], math.log(1e-9))
    (own, *_) = [name for name in names if name.startswith("rule.") and name not in recipes[0].flat()]
    assert column[own][0] == -20
    assert np.isfinite(rows).all()


@pytest.mark.parametrize(
    ("ends", "best"),
    [
        ([(FINISHED, 2.0), (STOPPED, 1.0), ("dropped", 0.5)], 1.0),
        ([("diverged", 0.1), ("dropped", 0.5)], math.inf),
        ([], math.inf),
    ],
)
def test_the_best_is_one_that_came_to_its_end(ends, best):
    """Those that were dropped or diverged do not count; where none is left the cost is infinite."""
    entries = [types.SimpleNamespace(outcome=outcome, best=(cost, None)) for outcome, cost in ends]
    assert waves.best_of(entries) == best


@pytest.mark.long
def test_a_run_tells_the_cost_of_each_kind_and_the_seconds_of_proposing(monkeypatch):
    """A few recipes, on few rows of a set: every kind comes to an end."""
    for name, value in {"FIRST": 9, "FURTHER": 3, "EPOCHS": 3, "SHAPES": 1, "RULES": 1}.items():
        monkeypatch.setattr(waves, name, value)
    whole = sets.made("moons")
    few = whole._replace(frame=whole.frame[:300], y=whole.y[:300])
    monkeypatch.setattr(waves.sets, "made", lambda name: few)
    seats.make(1)
    found = waves.run("moons", 0, Threads(1, seats.take))
    assert list(found) == ["", *waves.KINDS]
    assert found[""][1] == 0
    for cost, seconds in found.values():
        assert 0 < cost < 1
        assert 0 <= seconds < 60
