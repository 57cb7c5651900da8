"""The space: recipe number i of a seed is always the same one, and what is fixed holds."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import rules, schedules
from slalom.errors import SlalomError
from slalom.nested import decaying
from slalom.recipe import CHOICES, RANGES, Recipe
from slalom.space import RULES, SCALINGS, SCHEDULES, SHAPE_FIELDS, SHAPES, Space, check_fields

SEEDS = st.integers(0, 2**40)
NUMBERS = st.integers(0, 10_000)
FIXED = st.fixed_dictionaries(
    {},
    optional={
        "rule": st.sampled_from(list(rules.REGISTRY)),
        "schedule": st.sampled_from(list(schedules.REGISTRY)),
        "scaling": st.sampled_from(list(SCALINGS)),
        "learning_rate": st.floats(1e-6, 10),
        "dropout": st.floats(0, 0.9),
        "weight_decay": st.floats(0, 1),
        "warmup": st.floats(0, 50),
        "batch_size": st.integers(1, 1000),
        "depth": st.integers(0, 5),
        "width": st.integers(1, 300),
        "activation": st.sampled_from(["relu", "tanh", "gelu"]),
        "normalisation": st.sampled_from(["none", "batch_norm", "layer_norm"]),
        "placement": st.sampled_from(["before", "after"]),
    },
)


@given(seed=SEEDS, numbers=st.lists(NUMBERS, min_size=1, max_size=4), fixed=FIXED)
@settings(max_examples=60, deadline=None)
def test_recipe_of_a_number_is_always_the_same(seed, numbers, fixed):
    """The same number of the same seed is the same recipe, whatever was drawn before it and by whichever space."""
    space = Space(1000, 9, fixed)
    shapes = space.shapes(4)
    drawn = [space.recipe(seed, number, shapes) for number in numbers]
    again = Space(1000, 9, dict(reversed(fixed.items())))
    assert [again.recipe(seed, number, again.shapes(4)) for number in reversed(numbers)] == drawn[::-1]


@given(seed=SEEDS, number=NUMBERS, fixed=FIXED)
@settings(max_examples=150, deadline=None)
def test_fixed_fields_hold(seed, number, fixed):
    """Every recipe has the fixed fields as they were given, and the horizon of the race; the default recipe too."""
    space = Space(1000, 7, fixed)
    for recipe in (space.recipe(seed, number, space.shapes(3)), space.default()):
        row = recipe.flat()
        assert {name: row[name] for name in fixed} == fixed
        assert recipe.epochs == 7
        assert recipe.batch_size <= 1000


@given(seed=SEEDS, number=st.integers(1, 10_000))
@settings(max_examples=100, deadline=None)
def test_drawn_recipe_lies_in_the_space(seed, number):
    """What is drawn is one of the choices, rates lie in their rule's range with three digits, shapes take turns."""
    space = Space(10_000, 5)
    shapes = space.shapes(8)
    recipe = space.recipe(seed, number, shapes)
    row = recipe.flat()
    low, high = recipe.rule.rates
    assert low * 0.999 <= row["learning_rate"] <= high * 1.001  # rounded to three digits
    assert float(f"{row['learning_rate']:.3g}") == row["learning_rate"]
    assert row["scaling"] in SCALINGS
    assert row["schedule"] in SCHEDULES
    assert row["warmup"] in (0.0, 0.05, 0.1)
    assert 0 <= row["dropout"] <= 0.4
    assert 0 <= row["weight_decay"] <= (0.3 if decaying(recipe.rule) else 1e-3)
    assert {name: row[name] for name in SHAPE_FIELDS} == shapes[number % len(shapes)]


def test_fixed_settings_of_a_rule_hold():
    """A fixed rule with a fixed setting has it in every recipe, and its other settings at their defaults or drawn."""
    space = Space(1000, 5, {"rule": "adam", "rule.beta2": 0.5, "schedule": "step", "schedule.factor": 0.25})
    shapes = space.shapes(1)
    for number in range(50):
        row = space.recipe(0, number, shapes).flat()
        assert (row["rule"], row["rule.beta2"], row["rule.beta1"]) == ("adam", 0.5, 0.9)
        assert (row["schedule"], row["schedule.factor"], row["schedule.every"]) == ("step", 0.25, 0.25)


def test_seeds_and_numbers_differ():
    """Neighbouring seeds and neighbouring numbers draw different recipes."""
    space = Space(10_000, 5)
    shapes = space.shapes(1)
    drawn = {space.recipe(seed, number, shapes).to_toml() for seed in range(10) for number in range(1, 21)}
    assert len(drawn) == 200


def test_everything_is_drawn_as_often_as_it_says():
    """Over 3,000 recipes each rule, scaling and schedule comes as often as its weight, within four standard errors."""
    space, count = Space(10_000, 5), 3_000
    shapes = space.shapes(1)
    rows = [space.recipe(1, number, shapes).flat() for number in range(1, count + 1)]
    weights = {"rule": RULES, "scaling": SCALINGS, "schedule": SCHEDULES}
    for field, wanted in weights.items():
        seen, total = Counter(row[field] for row in rows), sum(wanted.values())
        assert set(seen) == set(wanted)
        for name, weight in wanted.items():
            p = weight / total
            assert abs(seen[name] / count - p) < 4 * math.sqrt(p * (1 - p) / count), name
    rates = sorted(row["learning_rate"] for row in rows if row["rule"] == "sgd")
    middle = rates[len(rates) // 2]
    assert 0.05 < middle < 0.2  # evenly on the logarithmic axis: the middle of 0.01 … 1 is 0.1


def test_recipe_zero_is_the_default():
    """Recipe 0 of every seed is the default recipe with the race's horizon: the baseline that every race contains."""
    space = Space(10_000, 33)
    assert space.recipe(0, 0, space.shapes(3)) == space.recipe(9, 0, space.shapes(1)) == Recipe(epochs=33)


@given(rows=st.integers(1, 3000))
@settings(max_examples=100, deadline=None)
def test_batches_fit_the_rows(rows):
    """No recipe has more rows in a batch than there are training rows; from 4 rows on an epoch has at least 4 steps."""
    space = Space(rows, 3)
    for shape in space.shapes(8):
        assert 1 <= shape["batch_size"] <= max(1, rows // 4)
    for number in range(9):
        assert space.recipe(0, number, space.shapes(8)).batch_size <= max(1, rows // 4)


def test_short_race_has_fewer_rules():
    """A race with time to compile two rules draws from the two likeliest, and says so."""
    space = Space(10_000, 3, most_rules=2)
    shapes = space.shapes(1)
    drawn = {space.recipe(0, number, shapes).flat()["rule"] for number in range(100)}
    assert drawn == {"adamw", "adam"} == set(space.rules)
    assert space.notes[0] == f"the race is short: of {len(RULES)} update rules it uses adamw, adam."
    assert Space(10_000, 3, {"rule": "sgd"}, most_rules=2).recipe(0, 1, shapes).flat()["rule"] == "sgd"
    assert Space(2000, 3, {"rule": "sgd"}, most_rules=2).notes == ()


def test_large_batches_leave_and_it_is_said():
    """Batch sizes above a quarter of the training rows leave the space, in one sentence that names exactly those; with
    enough rows nothing is said."""
    assert Space(100, 3).notes == (
        "batches above a quarter of the 100 training rows leave the space: 32, 64, 128, 256.",
    )
    for rows, gone in [(127, "32, 64, 128, 256"), (128, "64, 128, 256"), (600, "256"), (1023, "256"), (1024, "")]:
        assert [note.partition(": ")[2] for note in Space(rows, 3).notes] == ([f"{gone}."] if gone else [])
    assert Space(100, 3, {"batch_size": 10}).notes == ()


def test_shapes_are_different_and_the_defaults_comes_first():
    """Shapes come without repetition, the default recipe's first; fixed fields hold in all of them."""
    space = Space(10_000, 3)
    for count in range(1, 12):
        shapes = space.shapes(count)
        assert len(shapes) == min(count, len({tuple(sorted(s.items())) for s in space.shapes(99)}))
        assert shapes[0] == {name: getattr(Recipe(), name) for name in SHAPE_FIELDS}
        assert shapes == space.shapes(99)[:count]
    assert len(space.shapes(99)) >= len(SHAPES)
    tanh = Space(10_000, 3, {"activation": "tanh", "depth": 1}).shapes(99)
    assert {(s["activation"], s["depth"]) for s in tanh} == {("tanh", 1)}
    assert len({tuple(sorted(s.items())) for s in tanh}) == len(tanh)


@pytest.mark.parametrize(
    ("fixed", "sentence"),
    [
        (
            {"batch_size": 101},
            "batch_size must be at most the number of training rows, 100. Got 101.",
        ),
        (
            {"learning_rte": 0.1},
            f"recipe field must be one of {', '.join([*CHOICES, *RANGES])}, rule, schedule.".replace(" epochs,", "")
            + " Got 'learning_rte'."
            " Did you mean 'learning_rate'?",
        ),
        ({"rule": "adma"}, None),
        ({"width": 0}, "Recipe(width=…) must be a whole number in [1, 65536]. Got 0."),
        ({"rule.beta2": 0.9}, "rule.beta2 must be given beside rule, as only some have it. Add rule=NAME."),
        (
            {"rule": "adam", "rule.betta2": 0.9},
            "setting of rule adam must be one of beta1, beta2, epsilon, epsilon_root. Got 'betta2'."
            " Did you mean 'beta2'?",
        ),
        (
            {"epochs": 9},
            "epochs is not a field to fix: it is the horizon of all recipes. Give recipes and epochs.",
        ),
        ({"rule": "adam", "rule.beta2": 1.0}, "Adam(beta2=…) must be in [0, 1). Got 1.0."),
    ],
)
def test_bad_fields_are_refused_before_anything_runs(fixed, sentence):
    """A fixed field that no recipe can have is one sentence, as soon as the space is made."""
    known = ", ".join(rules.REGISTRY)
    sentence = sentence or f"rule must be one of {known}. Got 'adma'. Did you mean 'adam'?"
    with pytest.raises(SlalomError) as error:
        Space(100, 3, fixed)
    assert str(error.value) == sentence
    if "batch_size" not in fixed:
        with pytest.raises(SlalomError):
            check_fields(fixed)
