"""Draws: values come as often as their weights say, ranges are even on their axis, and neighbours stay near."""

import math
import tomllib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom.draws import BLOCK, Choice, Range, hypercube, read
from slalom.errors import SlalomError
from slalom.fields import drawn_by

PLACES = st.floats(0, 1, exclude_max=True)


@given(u=PLACES, weights=st.lists(st.floats(0.01, 10), min_size=1, max_size=6))
def test_choice_is_the_inverse_of_its_cumulated_weights(u, weights):
    """The value at u is the first whose cumulated share is above u."""
    drawn = Choice(tuple(range(len(weights))), tuple(weights)).at(u)
    before, total = sum(weights[:drawn]), sum(weights)
    assert before / total - 1e-9 <= u <= (before + weights[drawn]) / total + 1e-9


@given(u=PLACES, low=st.floats(1e-6, 1), times=st.floats(1, 1e5), zero=st.floats(0, 0.9))
def test_range_is_even_on_a_logarithmic_axis(u, low, times, zero):
    """Below its share of zeros a range gives 0, and from there on low (high / low)^((u − zero) / (1 − zero))."""
    value = Range(low, low * times, zero=zero).at(u)
    wanted = 0.0 if u < zero else low * times ** ((u - zero) / (1 - zero))
    assert value == pytest.approx(wanted, rel=6e-3)
    assert value in Range(low, low * times, zero=zero)


@given(u=st.floats(0, 1, exclude_max=True), low=st.floats(0.9, 0.99999), share=st.floats(0, 1), log=st.booleans())
def test_rounding_leaves_no_range(u, low, share, log):
    """Numbers have three digits but where those lie outside: 0.9999 does not become 1."""
    high = low + share * (0.999999 - low)
    made = Range(low, high, log)
    assert low <= made.at(u) <= high
    assert low <= made.near(made.at(u), np.random.default_rng(0)) <= high
    assert Range(0.99, 0.9999, log).at(0.99999) == 0.9999
    assert Range(1.6, 3.4, log, whole=True).at(u) in (2, 3)


def test_range_is_even_on_a_straight_axis():
    """Without the logarithm the middle of 0.1 and 0.5 is 0.3; whole numbers are rounded."""
    assert Range(0.1, 0.5, log=False).at(0.5) == 0.3
    assert [Range(1, 4, log=False, whole=True).at(u) for u in (0.0, 0.4, 0.99)] == [1, 2, 4]


@given(seed=st.integers(0, 2**31), block=st.integers(0, 50), field=st.text(max_size=8))
@settings(max_examples=30)
def test_every_block_of_recipes_covers_an_axis_evenly(seed, block, field):
    """Of 64 recipes in a row, from a multiple of 64 on, one lies in each sixty-fourth of the axis of any field."""
    places = [hypercube(seed, block * BLOCK + i, field) for i in range(BLOCK)]
    assert sorted(int(place * BLOCK) for place in places) == list(range(BLOCK))


def test_axes_are_independent():
    """The places on the axes of two fields have nothing to do with each other."""
    places = np.array([[hypercube(0, i, name) for i in range(64 * 20)] for name in ("dropout", "learning_rate")])
    assert abs(np.corrcoef(places)[0, 1]) < 0.1


@given(place=st.floats(0.2, 0.8), seed=st.integers(0, 1000))
@settings(max_examples=50)
def test_neighbours_of_a_number_are_near_and_inside(place, seed):
    """A neighbour of a rate lies in the range; half of them within a tenth of its logarithmic width, about."""
    draw, rng = Range(1e-4, 1e-1), np.random.default_rng(seed)
    value = draw.at(place)
    found = [draw.near(value, rng) for _ in range(200)]
    assert all(1e-4 <= one <= 1e-1 for one in found)
    distances = np.abs(np.log(np.array(found) / value)) / math.log(1e3)
    assert 0.05 < np.median(distances) < 0.15


def test_neighbours_of_zero_and_of_names_mostly_stay():
    """A decay of 0 stays 0 in at least eight of ten neighbours, a choice likewise; the others are drawn anew."""
    rng = np.random.default_rng(0)
    zeros = Counter(Range(1e-3, 0.3, zero=0.5).near(0.0, rng) == 0 for _ in range(1000))
    assert 850 < zeros[True] < 950  # 0.8 stay, half of the others are drawn as 0
    names = Counter(Choice(("relu", "silu"), (1.0, 1.0)).near("relu", rng) for _ in range(1000))
    assert 850 < names["relu"] < 950
    assert Choice(("relu",), (1.0,)).near("tanh", rng) == "relu"  # a value that is no longer in the space
    moved = Counter(Range(0.1, 0.4, log=False, zero=0.5).near(0.2, rng) == 0 for _ in range(1000))
    assert 50 < moved[True] < 150  # and some numbers become 0


@pytest.mark.parametrize(
    ("plain", "wanted"),
    [
        (64, Choice((64,), (1.0,))),
        ([64, 128], Choice((64, 128), (1.0, 1.0))),
        ({"adam": 3, "sgd": 1, "lion": 0}, Choice(("adam", "sgd"), (3.0, 1.0))),
        ({"low": 1e-4, "high": 1e-2}, Range(1e-4, 1e-2)),
        ({"low": 0.0, "high": 1.0}, Range(0.0, 1.0, log=False)),
        ({"low": 0.1, "high": 0.2, "log": False, "zero": 0.5}, Range(0.1, 0.2, log=False, zero=0.5)),
    ],
)
def test_draws_are_read_from_plain_data(plain, wanted):
    """A value, a list, a table with weights and a table with two ends are the four ways to say what is drawn."""
    assert read("learning_rate", plain, None) == wanted


def test_a_range_keeps_the_axis_of_the_field():
    """A range of a field whose own range is straight is straight, unless it says otherwise."""
    assert read("dropout", {"low": 0.1, "high": 0.2}, Range(0, 0.4, log=False)).log is False
    assert read("dropout", {"low": 0.1, "high": 0.2, "log": True}, Range(0, 0.4, log=False)).log is True


@pytest.mark.parametrize(
    ("given_space", "sentence"),
    [
        ({"learning_rte": [0.1]}, "space: field must be one of"),
        (
            {"epochs": 9},
            "space: epochs is no field to draw: it is the horizon of all recipes. Give recipes and epochs.",
        ),
        ({"learning_rate": {"low": 0.1}}, "space: learning_rate must be low and high, two numbers, low at most high."),
        ({"learning_rate": {"low": 0.1, "high": 0.01}}, "space: learning_rate must be low and high"),
        (
            {"learning_rate": {"low": 0.1, "high": 0.2, "lgo": True}},
            "space: learning_rate, key must be one of low, high",
        ),
        ({"learning_rate": {"low": -1, "high": 0.2, "log": True}}, "space: learning_rate must be log true or false"),
        ({"dropout": {"low": 0.1, "high": 0.2, "zero": 1.0}}, "space: dropout must be zero, the share of draws"),
        ({"dropout": {"low": 0.1, "high": 1.0}}, "Recipe(dropout=…) must be a number in [0, 1). Got 1.0."),
        ({"rule": []}, "space: rule must be names or numbers, one at least."),
        ({"rule": {"adam": -1}}, "space: rule must be a table of values with weights from 0 on"),
        ({"rule": ["adma"]}, "rule must be one of"),
        ({"rule": [None]}, "space: rule must be names or numbers, one at least."),
        ({"rule.betta2": [0.9]}, "space: setting of a rule must be one of"),
        ({"rule.beta2": [1.0]}, "(beta2=…) must be in [0, 1). Got 1.0."),
        ({"forbid": ["adam"]}, "space: forbid must be a table of fields"),
        ({"forbid": {"learning_rate": [0.1]}}, "space: forbid takes fields that are chosen from a list."),
        ({"forbid": {"rule": ["adam", "sgd"]}}, "space: forbid must leave a value of rule: adam, sgd. It left none."),
        ({"forbid": {"rule": ["adma"]}}, "space: rule holds what no recipe can have. rule must be one of"),
        (
            {"learning_rate": {"low": 0.1, "high": 0.2, "zero": 0.3}},
            "space: learning_rate holds what no recipe can have. Recipe(learning_rate=…) must be",
        ),
        ({"width": {"low": 4, "high": 9, "zero": 0.01}}, "space: width holds what no recipe can have."),
    ],
)
def test_bad_spaces_are_refused_in_one_sentence(given_space, sentence):
    """A space that no recipe could come from is one sentence that says where and what was wanted."""
    usual = {"rule": Choice(("adam", "sgd"), (1.0, 1.0)), "learning_rate": Range(1e-3, 1e-1)}
    with pytest.raises(SlalomError) as error:
        drawn_by(given_space, usual)
    assert sentence in str(error.value)


def test_forbidden_values_leave_the_others_with_their_weights():
    """What is forbidden leaves a choice, of Slalom's own or of the caller's; the weights of the others stay."""
    usual = {"rule": Choice(("adam", "sgd", "lion"), (3.0, 2.0, 1.0))}
    assert drawn_by({"forbid": {"rule": "sgd"}}, usual)["rule"] == Choice(("adam", "lion"), (3.0, 1.0))
    own = {"rule": {"adam": 1, "muon": 5}, "forbid": {"rule": ["adam"]}}
    assert drawn_by(own, usual)["rule"] == Choice(("muon",), (5.0,))


def test_weights_of_numbers_are_read_from_toml():
    """The keys of a table are text in TOML: numbers among them are numbers again, names stay names."""
    given = tomllib.loads(
        'width = { 128 = 3, 256 = 1 }\n"rule.beta2" = { "0.95" = 1, "0.99" = 2 }\nrule = { adam = 2 }'
    )
    found = drawn_by(given, {})
    assert found["width"] == Choice((128, 256), (3.0, 1.0))
    assert found["rule.beta2"] == Choice((0.95, 0.99), (1.0, 2.0))
    assert found["rule"] == Choice(("adam",), (2.0,))
