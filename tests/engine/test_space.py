"""The space: recipe number i of a seed is always the same one, and what is fixed holds."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import rules, schedules
from slalom.errors import SlalomError
from slalom.fields import NAMES, check_fields
from slalom.nested import decaying
from slalom.portfolio import LEADING, RATES, SHAPE_FIELDS, SHAPES
from slalom.recipe import Recipe
from slalom.space import RULES, SCALINGS, SCHEDULES, Space, check_space, shape_of

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


def recipe(space, seed, number, shapes):
    """Recipe `number` of a seed."""
    return space.recipes(seed, number, 1, shapes)[0]


@given(seed=SEEDS, numbers=st.lists(NUMBERS, min_size=1, max_size=4), fixed=FIXED)
@settings(max_examples=60, deadline=None)
def test_recipe_of_a_number_is_always_the_same(seed, numbers, fixed):
    """The same number of the same seed is the same recipe, whatever was drawn before it and by whichever space."""
    space = Space(1000, 9, fixed)
    shapes = space.shapes(4)
    drawn = [recipe(space, seed, number, shapes) for number in numbers]
    again = Space(1000, 9, dict(reversed(fixed.items())))
    assert [recipe(again, seed, number, again.shapes(4)) for number in reversed(numbers)] == drawn[::-1]


@given(seed=SEEDS, number=NUMBERS, fixed=FIXED)
@settings(max_examples=150, deadline=None)
def test_fixed_fields_hold(seed, number, fixed):
    """Every recipe has the fixed fields as they were given, and the horizon of the race; the default recipe too."""
    space = Space(1000, 7, fixed)
    for one in (recipe(space, seed, number, space.shapes(3)), space.default()):
        row = one.flat()
        assert {name: row[name] for name in fixed} == fixed
        assert one.epochs == 7
        assert one.batch_size <= 1000


@given(seed=SEEDS, number=st.integers(100, 10_000))
@settings(max_examples=100, deadline=None)
def test_drawn_recipe_lies_in_the_space(seed, number):
    """What is drawn is one of the choices, rates lie in their rule's range with three digits, shapes take turns."""
    space = Space(10_000, 5)
    shapes = space.shapes(8)
    drawn = recipe(space, seed, number, shapes)
    row = drawn.flat()
    low, high = RATES.get(row["rule"], drawn.rule.rates)
    assert low * 0.999 <= row["learning_rate"] <= high * 1.001  # rounded to three digits
    assert float(f"{row['learning_rate']:.3g}") == row["learning_rate"]
    assert row["scaling"] in SCALINGS
    assert row["schedule"] in SCHEDULES
    assert row["warmup"] in (0.0, 0.05, 0.1)
    assert 0 <= row["dropout"] <= 0.5
    assert 0 <= row["weight_decay"] <= (0.3 if decaying(drawn.rule) else 1e-3)
    assert shape_of(drawn) == shapes[number % len(shapes)]


def test_fixed_settings_of_a_rule_hold():
    """A fixed rule with a fixed setting has it in every recipe, and its other settings at their defaults or drawn."""
    space = Space(1000, 5, {"rule": "adam", "rule.beta2": 0.5, "schedule": "step", "schedule.factor": 0.25})
    shapes = space.shapes(1)
    for number in range(50):
        row = recipe(space, 0, number, shapes).flat()
        assert (row["rule"], row["rule.beta2"], row["rule.beta1"]) == ("adam", 0.5, 0.9)
        assert (row["schedule"], row["schedule.factor"], row["schedule.every"]) == ("step", 0.25, 0.25)


def test_seeds_and_numbers_differ():
    """Neighbouring seeds and neighbouring numbers draw different recipes."""
    space = Space(10_000, 5)
    shapes = space.shapes(1)
    drawn = {recipe(space, seed, number, shapes).to_toml() for seed in range(10) for number in range(50, 70)}
    assert len(drawn) == 200


@pytest.mark.long
def test_everything_is_drawn_as_often_as_it_says():
    """Over 3,000 recipes each rule, scaling and schedule comes as often as its weight, within four standard errors."""
    space, count = Space(10_000, 5), 3_000
    shapes = space.shapes(1)
    rows = [recipe(space, 1, number, shapes).flat() for number in range(1, count + 1)]
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
    assert recipe(space, 0, 0, space.shapes(3)) == recipe(space, 9, 0, space.shapes(1)) == Recipe(epochs=33)


@given(rows=st.integers(1, 3000))
@settings(max_examples=60, deadline=None)
def test_batches_fit_the_rows(rows):
    """No recipe has more rows in a batch than there are training rows; from 4 rows on an epoch has at least 4 steps."""
    space = Space(rows, 3)
    for shape in space.shapes(8):
        assert 1 <= shape["batch_size"] <= max(1, rows // 4)
    assert all(one.batch_size <= max(1, rows // 4) for one in space.recipes(0, 0, 30, space.shapes(8)))


def test_leading_recipes_come_behind_the_default_one():
    """The caller's own recipes are numbers 1 and so on, then comes the portfolio, and no recipe twice."""
    own = Recipe(rule="sgd", depth=1, width=9)
    space = Space(10_000, 20, also=(own, Recipe(epochs=20)))
    shapes = space.shapes(99)
    leading = space.leading(shapes)
    assert leading[:3] == [Recipe(epochs=20), own.with_epochs(20), Recipe(epochs=20)]
    assert len(leading) == 3 + len(LEADING)
    assert space.recipes(5, 0, len(leading), shapes) == leading
    assert len({one.to_toml() for one in leading}) == len(leading) - 1  # the caller's may be the default one again


def test_portfolio_is_that_of_the_race():
    """Recipes of the portfolio are raced where their shape, rule, scaling and fields are those of the race; labels are
    smoothed only where there are classes."""
    few = Space(10_000, 20, most_rules=1)
    shape = few.shapes(1)
    assert {one.flat()["rule"] for one in few.leading(few.shapes(99))[1:]} == set(few.rules)
    assert all(shape_of(one) == shape[0] for one in few.leading(shape)[1:])
    sgd = Space(10_000, 20, {"rule": "sgd"})
    assert sgd.leading(sgd.shapes(99)) == [sgd.default()]
    own = Space(10_000, 20, given={"dropout": [0.123]})
    assert own.leading(own.shapes(99)) == [own.default()]
    stored = Space(10_000, 20, scalings=["z_score"])
    assert {one.scaling for one in stored.recipes(0, 0, 80, stored.shapes(3))} == {"z_score"}
    for classes in (True, False):
        space = Space(10_000, 20, classes=classes)
        drawn = space.recipes(0, 0, 200, space.shapes(99))
        assert (max(one.label_smoothing for one in drawn) > 0) == classes
        assert ({one.target_scaling for one in drawn} == {"z_score"}) == classes


def test_short_race_has_fewer_rules():
    """A race with time to compile two rules draws from the two likeliest, and says so."""
    space = Space(10_000, 3, most_rules=2)
    shapes = space.shapes(1)
    drawn = {recipe(space, 0, number, shapes).flat()["rule"] for number in range(1, 100)}
    assert drawn == {"adamw", "muon"} == set(space.rules)
    assert space.notes[0] == f"The race is short: of {len(RULES)} update rules it draws adamw, muon."
    assert recipe(Space(10_000, 3, {"rule": "sgd"}, most_rules=2), 0, 1, shapes).flat()["rule"] == "sgd"
    assert Space(2000, 3, {"rule": "sgd"}, most_rules=2).notes == ()


def test_large_batches_leave_and_it_is_said():
    """Batch sizes above a quarter of the training rows leave the space, in one sentence that names exactly those; with
    enough rows nothing is said."""
    sizes = sorted({shape["batch_size"] for shape in SHAPES})
    for rows in (100, 127, 128, 600, 1023, 1024):
        gone = ", ".join(str(size) for size in sizes if size > rows // 4)
        sentence = f"Batches above a quarter of the {rows} training rows leave the space: {gone}."
        assert Space(rows, 3).notes == ((sentence,) if gone else ())
    assert Space(100, 3, {"batch_size": 10}).notes == ()


def test_shapes_are_different():
    """Shapes come without repetition, in the order of the portfolio; fixed fields hold in all of them."""
    space = Space(10_000, 3)
    for count in range(1, 12):
        shapes = space.shapes(count)
        assert len(shapes) == min(count, len({tuple(sorted(s.items())) for s in space.shapes(99)}))
        assert shapes == space.shapes(99)[:count]
        assert set(shapes[0]) == set(SHAPE_FIELDS)
    assert len(space.shapes(99)) == len(SHAPES)
    tanh = Space(10_000, 3, {"activation": "tanh", "depth": 1}).shapes(99)
    assert {(s["activation"], s["depth"]) for s in tanh} == {("tanh", 1)}
    assert len({tuple(sorted(s.items())) for s in tanh}) == len(tanh)


def test_own_space_is_what_is_drawn():
    """Fields of the caller's own space have its values in every draw, shapes too; other fields stay as they are."""
    own = {
        "depth": [1, 5], "width": {"low": 10, "high": 40}, "rule": {"adam": 1, "nesterov": 3}, "schedule": ["step"],
        "learning_rate": {"low": 0.5, "high": 0.6}, "rule.beta2": [0.5], "schedule.factor": [0.125],
        "weight_decay": [0.0625],
    }  # fmt: skip
    space = Space(10_000, 7, given=own)
    shapes = space.shapes(99)
    drawn = space.recipes(0, 10, 200, shapes)
    assert {one.depth for one in drawn} == {1, 5}
    assert all(isinstance(one.width, int) and 10 <= one.width <= 40 for one in drawn)
    rows = [one.flat() for one in drawn]
    counted = Counter(row["rule"] for row in rows)
    assert set(counted) == {"adam", "nesterov"}
    assert counted["nesterov"] > 2 * counted["adam"]
    assert {row.get("rule.beta2") for row in rows} == {0.5, None}
    assert {(row["schedule"], row["schedule.factor"]) for row in rows} == {("step", 0.125)}
    assert all(0.49 < row["learning_rate"] < 0.61 and row["weight_decay"] == 0.0625 for row in rows)


def test_forbidden_values_are_not_drawn():
    """What is forbidden is in no shape and no draw; the shapes that had it have another value."""
    space = Space(
        10_000, 7, given={"forbid": {"rule": ["adamw", "muon"], "activation": "relu", "scaling": ["z_score"]}}
    )
    shapes = space.shapes(99)
    assert "relu" not in {shape["activation"] for shape in shapes}
    drawn = space.recipes(0, 1, 300, shapes)
    assert not {"adamw", "muon"} & {one.flat()["rule"] for one in drawn}
    assert "z_score" not in {one.scaling for one in drawn}


@given(seed=SEEDS, number=NUMBERS, fixed=FIXED)
@settings(max_examples=60, deadline=None)
def test_neighbours_keep_shape_rule_and_fixed_fields(seed, number, fixed):
    """A neighbour has the shape and the rule of a parent, the fixed fields, and a rate of its rule's range; it is a
    function of seed, number and parents."""
    space = Space(1000, 9, fixed)
    parents = space.recipes(seed, 20, 6, space.shapes(3))
    made = space.near(seed, number, parents)
    row = made.flat()
    assert {name: row[name] for name in fixed} == fixed
    assert (shape_of(made), type(made.rule)) in [(shape_of(one), type(one.rule)) for one in parents]
    assert made == space.near(seed, number, list(parents))
    if "learning_rate" not in fixed:
        low, high = RATES.get(row["rule"], made.rule.rates)
        assert low * 0.995 <= made.learning_rate <= high * 1.005


def test_neighbours_are_nearer_to_the_best():
    """The first of the parents has the most neighbours, whose rates lie around its own."""
    space = Space(10_000, 9, {"rule": "adamw"})
    first, second = (space.default().with_fields({"learning_rate": rate}) for rate in (2e-3, 1.5e-2))
    made = [space.near(0, number, [first, second]) for number in range(400)]
    rates = np.log([one.learning_rate for one in made])
    nearer = np.abs(rates - math.log(2e-3)) < np.abs(rates - math.log(1.5e-2))
    assert 0.62 < nearer.mean() < 0.8  # u² < ½ in 71 of 100
    assert len({one.to_toml() for one in made}) > 390


def test_a_rule_that_wraps_another_is_varied_as_it_is():
    """A neighbour of a rule around a rule keeps both, with the settings of the one inside."""
    space, parent = Space(10_000, 9), Recipe(rule={"name": "ema", "rule": {"name": "adamw", "beta2": 0.9}}, epochs=9)
    for number in range(20):
        row = space.near(0, number, [parent]).flat()
        assert (row["rule"], row["rule.rule"], row["rule.rule.beta2"]) == ("ema", "adamw", 0.9)


def test_bad_spaces_are_refused():
    """A space is checked as a whole, before any race."""
    with pytest.raises(SlalomError, match="space: field must be one of"):
        check_space({"widht": [3]})
    with pytest.raises(SlalomError, match=r"Recipe\(width=…\) must be a whole number"):
        Space(100, 3, given={"width": [2.5]})


@pytest.mark.parametrize(
    ("fixed", "sentence"),
    [
        (
            {"batch_size": 101},
            "batch_size must be at most the number of training rows, 100. Got 101.",
        ),
        (
            {"learning_rte": 0.1},
            f"recipe field must be one of {', '.join(NAMES)}. Got 'learning_rte'. Did you mean 'learning_rate'?",
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


@pytest.mark.parametrize(("name", "loss"), [("huber_delta", "huber"), ("quantile", "quantile")])
def test_the_number_of_a_loss_stands_beside_the_loss(name, loss):
    """Without the loss that reads it, the number would do nothing: that is said. The loss may be fixed or drawn."""
    for asked in ({"fixed": {name: 0.3}}, {"given": {name: [0.3, 0.4]}}, {"fixed": {name: 0.3, "loss": "poisson"}}):
        with pytest.raises(SlalomError, match=f"^{name} must be given beside loss={loss}: it says nothing to another"):
            Space(100, 3, **asked)
    Space(100, 3, {name: 0.3, "loss": loss})
    Space(100, 3, {name: 0.3}, given={"loss": ["squared_error", loss]})
