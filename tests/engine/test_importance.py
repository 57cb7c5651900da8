"""Which fields decided: a field that does is told from those that do not, and chance is taken off."""

import math
from itertools import pairwise

import numpy as np
import pytest

from slalom.importance import at_edge, importance, profile

RNG = np.random.default_rng


def test_idle_fields_have_nothing_on_average():
    """Over many searches a field without any influence has importance 0 on average, and a p below 0.05 in about one of
    twenty."""
    rng = RNG(0)
    found = [importance(list(rng.random(90)), rng.random(90), seed=s) for s in range(150)]
    assert abs(np.mean([one.divergence for one in found])) < 0.03
    assert np.mean([one.p < 0.05 for one in found]) < 0.1


def test_what_decides_more_has_more():
    """Of three fields that decide much, little and not at all, importance has them in this order, names as numbers."""
    rng = RNG(1)
    much, little, idle = rng.choice(list("abc"), 300), rng.random(300), rng.random(300)
    costs = 3.0 * (much == "b") + 1.0 * little + 0.3 * rng.standard_normal(300)
    told = [importance(list(values), costs) for values in (much, little, idle)]
    assert told[0].divergence > 0.2
    assert told[1].divergence > 0.2
    assert told[2].divergence < 0.1
    assert max(told[0].p, told[1].p) < 0.01 < told[2].p


def test_the_divergence_is_pearsons_by_hand():
    """Of two values where the best fifth has one alone: V = q (1/q − 1)² + (1 − q), less what chance gives."""
    values, costs = ["good"] * 20 + ["bad"] * 80, np.arange(100.0)
    exact = 0.2 * (1 / 0.2 - 1) ** 2 + 0.8
    assert importance(values, costs).divergence == pytest.approx(exact, abs=0.1)


def test_recipes_that_diverged_are_the_worst_and_level():
    """NaN and infinity are no better than each other, and worse than any number."""
    costs = np.array([1.0, math.nan, math.inf] * 20)
    told = importance(["ok", "gone", "gone"] * 20, costs)
    assert told.divergence > 0.5
    same = importance([i % 2 for i in range(60)], np.full(60, math.inf))
    assert same.p > 0.05


def test_of_few_recipes_nothing_is_said():
    """Below 25 recipes that have the field, or with one value, importance is 0."""
    assert importance([1.0, 2.0] * 12, np.arange(24.0)) == (0.0, 1.0, 24)
    assert importance(["a"] * 50, np.arange(50.0)).p == 1.0
    assert importance([None] * 50, np.arange(50.0)).recipes == 0


def test_profiles_have_the_best_of_each_bin():
    """Numbers are cut into at most six bins that cover them all, from low to high, each with its best and the share
    that diverged."""
    rng = RNG(2)
    values, costs = rng.random(120), rng.random(120)
    costs[values < 0.1] = math.inf
    levels = profile(list(values), costs)
    assert len(levels) == 6
    assert sum(level.recipes for level in levels) == 120
    assert all(a.high < b.low for a, b in pairwise(levels))
    for level in levels:
        inside = costs[(values >= level.low) & (values <= level.high)]
        assert level.best == inside.min()
        assert level.diverged == pytest.approx(np.isinf(inside).mean())
    assert profile([None, None], np.zeros(2)) == []


@pytest.mark.parametrize(
    ("value", "low", "high", "log", "edge"),
    [(1.0, 1, 100, True, "lower"), (99, 1, 100, True, "upper"), (10, 1, 100, True, ""), (0, 1, 100, True, ""),
     (0.5, 0, 1, False, ""), (0.98, 0, 1, False, "upper"), (1, 1, 1, False, "")],
)  # fmt: skip
def test_edges_are_a_twentieth_of_the_axis(value, low, high, log, edge):
    """A number within a twentieth of an end of its axis lies at that edge."""
    assert at_edge(value, low, high, log=log) == edge
