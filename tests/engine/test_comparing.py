"""Comparing values of a field: equal searches, each rule with its own ranges, and what is said of the outcome."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slalom import Recipe, SlalomError, rules, standings
from slalom.comparing import compare
from slalom.contest import Comparison, Contender, Pair, expected, expected_best, profile, seconds_to
from slalom.crew import Crew
from slalom.portfolio import RATES

from .races import quickly

pytestmark = pytest.mark.long

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3)) * [1.0, 100.0, 0.01]
Y = X @ [1.0, -0.02, 50.0] + 0.1 * RNG.normal(size=400)
SMALL = {"depth": 1, "width": 8, "batch_size": 32}


@given(st.lists(st.floats(0, 10), min_size=1, max_size=5))
def test_expected_bests_are_the_mean_over_all_draws(costs):
    """E[min of k] is the mean of the least over all ways to draw k of the costs with replacement."""
    told = expected_best(costs)
    for k in range(1, min(len(costs), 4) + 1):
        drawn = [min(some) for some in itertools.product(costs, repeat=k)]
        assert told[k - 1] == pytest.approx(np.mean(drawn), abs=1e-9)
    assert all(b <= a + 1e-12 for a, b in itertools.pairwise(told))


def contender(value, *searches, seconds=1.0):
    """A value with what its searches found."""
    return Contender(value, tuple(map(tuple, searches)), seconds, 5, 1.0, 0.5, 1.5)


def table(*contenders, constant=10.0):
    """A comparison of these."""
    return Comparison("t.csv", "rule", "rmse", False, 2, 1, constant, contenders, ())


def test_bands_are_those_of_the_searches_and_divergence_costs():
    """The median of three searches with the least and the most; a recipe that diverged is worth what a constant is."""
    one = contender("adam", [1.0, 1.0], [2.0, 2.0], [3.0, math.inf])
    assert expected(one, 10.0) == [(2.0, 1.0, 6.5), (2.0, 1.0, 4.75)]
    assert one.diverged == pytest.approx(1 / 6)


def test_profiles_say_who_is_fast_on_how_many_tables():
    """On two tables, each won by another value by a factor of two: half of the tables at τ = 1, all at 2; what never
    comes to the target is never counted."""
    quick, slow = [1.0, 1.0], [1.0, 1.0]
    first = table(contender("a", quick, seconds=1.0), contender("b", slow, seconds=2.0), contender("c", [9, 9]))
    second = table(contender("b", quick, seconds=1.0), contender("a", slow, seconds=2.0), contender("c", [9, 9]))
    assert seconds_to(contender("a", [3.0, 1.0], seconds=4.0), 10.0, 1.6) == 4.0
    assert seconds_to(contender("a", [3.0, 1.0], seconds=4.0), 10.0, 0.5) == math.inf
    told = profile([first, second])
    assert told["a"] == told["b"] == [(1.0, 0.5), (2.0, 1.0)]
    assert told["c"] == [(1.0, 0.0), (2.0, 0.0)]
    with pytest.raises(ValueError, match="the same values"):
        profile([first, table(contender("a", quick))])


@pytest.fixture(scope="module")
def compared():
    """A comparison of three rules, and the racers that ran in it: (rule, replicate, fold, steps, recipe)."""
    seen, advance = [], Crew.advance

    def spy(crew, *args):
        made = advance(crew, *args)
        seen.extend((racer.recipe, racer.replicate, racer.fold, racer.step) for racer in crew.racers)
        return made

    with pytest.MonkeyPatch.context() as patch:
        quickly(patch)
        patch.setattr(Crew, "advance", spy)
        found = compare(X, Y, values=["adam", "sgd", "adagrad"], recipes=4, epochs=3, fixed=SMALL)
    return found, seen


def test_searches_are_equal_and_independent(compared):
    """Each value has three searches of as many recipes and steps, of other recipes each; rates lie in the rule's own
    range, and ε in one where the rule has it."""
    found, seen = compared
    assert sorted(one.value for one in found.contenders) == ["adagrad", "adam", "sgd"]
    assert all([len(search) for search in one.costs] == [4, 4, 4] for one in found.contenders)
    for name in ("adam", "sgd", "adagrad"):
        runs = [one for one in seen if one[0].flat()["rule"] == name]
        searched = [one for one in runs if one[1] == 0]
        assert len(searched) == 3 * 4 * 5  # searches, recipes, folds
        drawn = {one[0] for one in searched if one[0].learning_rate != 1e-3}
        assert len({recipe.learning_rate for recipe in drawn}) >= 9  # of eleven, some of which may be drawn twice
        default = Recipe(epochs=3).with_fields(SMALL | {"rule": name})
        assert sum(recipe == default for recipe, *_ in searched) == 5  # in one search alone, on each fold
        low, high = RATES.get(name, rules.REGISTRY[name]().rates)
        assert all(0.99 * low <= recipe.learning_rate <= 1.01 * high for recipe in drawn)
        if name != "sgd":
            assert len({recipe.rule.epsilon for recipe in drawn}) > 6
    assert len({steps for _, _, _, steps in seen}) == 1


def test_the_best_of_each_search_runs_again_on_evidence_rows(compared):
    """Three times five new seeds a value; the values stand in the order of their means, and the best beside each."""
    found, seen = compared
    for one in found.contenders:
        assert one.runs == 15
        assert one.low < one.score < one.high
    assert {replicate for _, replicate, _, _ in seen} == {0, *range(11, 26)}  # of each search its own
    ends = [expected(one, found.constant)[-1][0] for one in found.contenders]
    assert ends == sorted(ends)
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        (found.contenders[0].value, one.value) for one in found.contenders[1:]
    ]
    scores = {one.value: one.score for one in found.contenders}
    for pair in found.pairs:
        assert pair.better == pytest.approx(scores[pair.second] - scores[pair.first], rel=1e-9)


def test_a_comparison_is_told_and_written(compared):
    """The text has every value, its budget and its ties; JSON has the expected bests."""
    found, _ = compared
    said = "\n".join(standings.text(found))
    assert all(one.value in said for one in found.contenders)
    assert "best of 4" in said
    for pair in found.pairs:
        assert (f"{pair.second}: a tie" in said) == pair.tie
    plain = json.loads(json.dumps(found.plain()))
    assert len(plain["contenders"][0]["expected"]) == 4
    tied = Pair("a", "b", 0.1, -0.1, 0.3, 0.4)
    assert "a tie" in standings._pair(tied, "rmse")
    assert "is better than" in standings._pair(Pair("a", "b", 0.2, 0.1, 0.3, 0.01), "rmse")
    assert "τ = 1" in "\n".join(standings.profiled([found, found]))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"values": ["adam"]}, "at least two different ones"),
        ({"values": ["adam", "adma"]}, "Did you mean 'adam'"),
        ({"over": "dropout"}, "values must be given for dropout"),
        ({"over": "depth", "values": [1, 2], "fixed": {"depth": 1}}, "must not be fixed and compared"),
        ({"recipes": 0}, "recipes must be a whole number of at least 1"),
        ({"epochs": 1.5}, "epochs must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(asked, message):
    """One sentence says what is wanted."""
    with pytest.raises(SlalomError, match=message):
        compare(X, Y, **{"values": ["adam", "sgd"]} | asked if "over" not in asked else asked)
