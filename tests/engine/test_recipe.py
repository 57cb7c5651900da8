"""Recipes: there and back through TOML and rows, and every sentence that refuses one, in full."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import rules, scaling, schedules
from slalom.errors import SlalomError
from slalom.layers import ACTIVATIONS
from slalom.net import EMBEDDINGS, NORMALISATIONS, Net
from slalom.recipe import CHOICES, RANGES, Recipe, parse_value
from slalom.record import settings_of, within

PROBES = [0.0, 1e-12, 1e-3, 0.3, 0.5, 0.999, 1.0, 2.5, 5.0, 7.0, 1e3]


@st.composite
def parts(draw, registry, leave_out=()):
    """A record of a registry with settings of their own."""
    name = draw(st.sampled_from(list(registry)))
    given_ = {}
    for key, about in settings_of(registry[name]).items():
        if key not in leave_out and draw(st.booleans()):
            given_[key] = draw(st.sampled_from([v for v in PROBES if within(v, about["interval"])]))
    return registry[name](**given_)


RECIPES = st.builds(
    Recipe,
    scaling=st.sampled_from(list(scaling.REGISTRY)),
    rule=parts(rules.REGISTRY, leave_out=("weight_decay",)),
    learning_rate=st.floats(1e-300, 1e300),
    schedule=parts(schedules.REGISTRY),
    warmup=st.floats(0, 1e6),
    batch_size=st.integers(1, 2**20),
    epochs=st.integers(1, 10**6),
    depth=st.integers(0, 100),
    width=st.integers(1, 65536),
    activation=st.sampled_from(list(ACTIVATIONS)),
    normalisation=st.sampled_from(["none", "batch_norm", "layer_norm"]),
    placement=st.sampled_from(["before", "after"]),
    learned_scale=st.sampled_from(["none", "learned"]),
    block=st.sampled_from(["plain", "residual"]),
    embedding=st.sampled_from(list(EMBEDDINGS)),
    embedding_size=st.sampled_from([0, 2, 4, 16, 64]),
    embedding_sigma=st.floats(0, 1e300),
    dropout=st.floats(0, 1, exclude_max=True),
    weight_decay=st.floats(0, 1e300),
)


@given(RECIPES)
@settings(max_examples=200, deadline=None)
def test_toml_and_back(recipe):
    """A recipe written as TOML is read back as the same recipe, to the last bit of its numbers."""
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe.from_plain(recipe.to_plain()) == recipe


@given(RECIPES, RECIPES)
@settings(max_examples=100, deadline=None)
def test_row_and_back(recipe, other):
    """The row of a recipe is flat, and turns any other recipe into it."""
    row = recipe.flat()
    assert not [value for value in row.values() if not isinstance(value, (str, int, float))]
    assert other.with_fields(row) == recipe
    assert recipe.with_fields({}) == recipe
    assert recipe.with_epochs(7).flat() == row | {"epochs": 7}


def test_empty_toml_is_the_default():
    """A field that is not there keeps its default."""
    assert Recipe.from_toml("") == Recipe()
    assert Recipe.from_toml("rule = 'sgd'\nwidth = 3") == Recipe(rule="sgd", width=3)


def test_flat_names_settings_by_their_part():
    """The row names the settings of rule and schedule behind a dot, and weight decay once, as the recipe's."""
    row = Recipe(rule="adamw", schedule="step", weight_decay=0.5).flat()
    assert (row["rule"], row["rule.beta1"], row["schedule"], row["schedule.factor"]) == ("adamw", 0.9, "step", 0.5)
    assert row["weight_decay"] == 0.5
    assert "rule.weight_decay" not in row


def test_with_fields_replaces_a_rule_before_its_settings():
    """A new rule starts from its own defaults; a setting beside it is the new rule's, in whatever order they come."""
    recipe = Recipe(rule=rules.Adam(beta1=0.5))
    assert recipe.with_fields({"rule": "momentum"}).rule == rules.Momentum()
    assert recipe.with_fields({"rule.mu": 0.7, "rule": "momentum"}).rule == rules.Momentum(mu=0.7)
    assert recipe.with_fields({"rule.beta2": 0.6}).rule == rules.Adam(beta1=0.5, beta2=0.6)
    assert recipe.with_fields({"rule": rules.SGD()}).rule == rules.SGD()
    assert recipe.rule == rules.Adam(beta1=0.5)  # the recipe itself is as it was


def test_weight_decay_goes_one_way():
    """λ is decoupled with the rule that has a decay of its own, and a penalty on the gradient with every other."""
    for name, cls in rules.REGISTRY.items():
        recipe = Recipe(rule=name, weight_decay=0.25)
        own = "weight_decay" in settings_of(cls)
        assert recipe.penalty == (0.0 if own else 0.25)
        assert getattr(recipe.rule, "weight_decay", None) == (0.25 if own else None), name
    assert "weight_decay" in settings_of(rules.AdamW)
    wrapped = Recipe(rule=rules.ClipNorm(rules.Lookahead(rules.AdamW())), weight_decay=0.25)
    assert (wrapped.penalty, wrapped.rule.rule.rule.weight_decay) == (0.0, 0.25)
    assert Recipe.from_toml(wrapped.to_toml()) == wrapped
    assert wrapped.flat()["rule.rule.rule"] == "adamw"
    assert Recipe().with_fields(wrapped.flat()) == wrapped


def test_decay_of_the_rule_is_the_recipes():
    """A rule's own decay and the recipe's are one number, whichever it is given as; two different ones are refused."""
    for recipe in (
        Recipe(rule=rules.AdamW(weight_decay=0.1)),
        Recipe(rule="adamw", weight_decay=0.1),
        Recipe(rule={"name": "adamw", "weight_decay": 0.1}),
        Recipe().with_fields({"rule": "adamw", "weight_decay": 0.1}),
        Recipe().with_fields({"rule": "adamw", "rule.weight_decay": 0.1}),
    ):
        assert recipe.rule == rules.AdamW(weight_decay=0.1)
        assert recipe.weight_decay == recipe.rule.weight_decay == 0.1
        assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe(rule="adamw").weight_decay == Recipe().with_fields({"rule": "adamw"}).weight_decay == 0.01
    assert Recipe(rule="adam").weight_decay == Recipe(rule="adamw").with_fields({"rule": "adam"}).weight_decay == 0.0
    assert Recipe(rule="adamw", weight_decay=0).rule.weight_decay == 0.0
    with pytest.raises(SlalomError) as error:
        Recipe(rule=rules.AdamW(weight_decay=0.1), weight_decay=0.2)
    assert str(error.value) == "Recipe(weight_decay=…) must agree with its rule's, 0.1. Got 0.2. Give one of them."


def test_warmup_stands_in_front_of_the_schedule():
    """The factor climbs over the warm-up and is the schedule afterwards; without warm-up it is the schedule's alone."""
    t = np.arange(10.0)
    assert Recipe(schedule="constant", warmup=4).rate_factor()(t, 10).tolist() == [0.25, 0.5, 0.75] + [1] * 7
    assert Recipe(schedule="constant").rate_factor()(t, 10).tolist() == [1] * 10


def test_net_of_a_recipe():
    """A recipe's net has its shape; what makes no difference is written in one way, so that programs are shared."""
    recipe = Recipe(depth=3, width=7, activation="tanh", normalisation="layer_norm", placement="after")
    assert recipe.net(5, 2) == Net(5, 2, 3, 7, "tanh", "layer_norm", "after")
    linear = [
        Recipe(depth=0, width=w, activation=a, normalisation=n)
        for w, a, n in [(9, "relu", "none"), (8, "tanh", "batch_norm")]
    ]
    assert len({recipe.net(5, 2) for recipe in linear}) == 1
    assert Recipe(placement="after").net(5, 2) == Recipe(placement="before").net(5, 2)
    assert Recipe(embedding="periodic", embedding_size=8).net(5, 2, 3) == Net(
        5, 2, 2, 128, embedding="periodic", embedding_size=8, embedded=3
    )
    same = [("periodic", 4, 5), ("periodic", 0, None), ("none", 8, 3), ("none", 0, None), ("periodic", 8, 0)]
    nets = [Recipe(embedding=e, embedding_size=k).net(5, 2, numeric) for e, k, numeric in same]
    assert nets[0] == nets[1] == Net(5, 2, 2, 128, embedding="periodic")
    assert nets[2] == nets[3] == nets[4] == Net(5, 2, 2, 128)
    residual = {"block": "residual", "normalisation": "batch_norm"}
    assert Recipe(**residual, placement="after").net(5, 2) == Recipe(**residual).net(5, 2)
    assert Recipe(**residual).net(5, 2) == Net(5, 2, 2, 128, normalisation="batch_norm", block="residual")
    assert Recipe(**residual, depth=0).net(5, 2) == Recipe(depth=0).net(5, 2)
    assert Recipe(learned_scale="learned").net(5, 2) == Net(5, 2, 2, 128, learned_scale=True)


def one_of(what, known, got, meant=""):
    """The sentence for an unknown name."""
    return f"{what} must be one of {', '.join(known)}. Got {got!r}." + (f" Did you mean {meant!r}?" if meant else "")


ADAM = list(settings_of(rules.Adam))
FIELDS = list(Recipe.__dataclass_fields__)
NUMBER = "Recipe({}=…) must be a number in {}. Got {}."
WHOLE = "Recipe({}=…) must be a whole number in {}. Got {}."


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"scaling": "zscore"}, one_of("scaling", scaling.REGISTRY, "zscore", "z_score")),
        ({"activation": "relo"}, one_of("activation", ACTIVATIONS, "relo", "relu")),
        ({"normalisation": "batchnorm"}, one_of("normalisation", NORMALISATIONS, "batchnorm", "batch_norm")),
        ({"placement": "xyz"}, "placement must be one of before, after. Got 'xyz'."),
        ({"block": "resnet"}, "block must be one of plain, residual. Got 'resnet'."),
        ({"learned_scale": True}, "learned_scale must be one of none, learned. Got True."),
        ({"rule": "adma"}, one_of("rule", rules.REGISTRY, "adma", "adam")),
        ({"schedule": "cosin"}, one_of("schedule", schedules.REGISTRY, "cosin", "cosine")),
        ({"rule": 5}, "rule must be a name or a table with a name. Got 5."),
        ({"rule": {"beta1": 0.9}}, "rule must be a name or a table with a name. Got {'beta1': 0.9}."),
        ({"rule": {"name": "adam", "beta": 0.9}}, one_of("setting of rule adam", ADAM, "beta", "beta2")),
        ({"rule": {"name": "adam", "beta1": 1.2}}, "Adam(beta1=…) must be in [0, 1). Got 1.2."),
        ({"rule": {"name": "adam", "beta1": "much"}}, "Adam(beta1=…) must be a number in [0, 1). Got 'much'."),
        ({"learning_rate": 0}, NUMBER.format("learning_rate", "(0, inf)", 0)),
        ({"learning_rate": -1e-3}, NUMBER.format("learning_rate", "(0, inf)", -0.001)),
        ({"learning_rate": math.inf}, NUMBER.format("learning_rate", "(0, inf)", "inf")),
        ({"learning_rate": math.nan}, NUMBER.format("learning_rate", "(0, inf)", "nan")),
        ({"learning_rate": "fast"}, NUMBER.format("learning_rate", "(0, inf)", "'fast'")),
        ({"learning_rate": True}, NUMBER.format("learning_rate", "(0, inf)", "True")),
        ({"learning_rate": None}, NUMBER.format("learning_rate", "(0, inf)", "None")),
        ({"warmup": -0.1}, NUMBER.format("warmup", "[0, inf)", -0.1)),
        ({"weight_decay": -1}, NUMBER.format("weight_decay", "[0, inf)", -1)),
        ({"dropout": 1.0}, NUMBER.format("dropout", "[0, 1)", 1.0)),
        ({"batch_size": 0}, WHOLE.format("batch_size", "[1, 1048576]", 0)),
        ({"batch_size": 2**20 + 1}, WHOLE.format("batch_size", "[1, 1048576]", 2**20 + 1)),
        ({"batch_size": 1.5}, WHOLE.format("batch_size", "[1, 1048576]", 1.5)),
        ({"epochs": 0}, WHOLE.format("epochs", "[1, 1000000]", 0)),
        ({"depth": -1}, WHOLE.format("depth", "[0, 100]", -1)),
        ({"embedding_size": 65}, WHOLE.format("embedding_size", "[0, 64]", 65)),
        ({"embedding_size": 1}, "Recipe(embedding_size=…) must be at least 2, or 0 for the embedding's own. Got 1."),
        ({"embedding_sigma": -0.1}, NUMBER.format("embedding_sigma", "[0, inf)", -0.1)),
        ({"width": 0}, WHOLE.format("width", "[1, 65536]", 0)),
        ({"width": "wide"}, WHOLE.format("width", "[1, 65536]", "'wide'")),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_every_refusal_is_one_sentence(fields, sentence):
    """A field outside its range, or an unknown name, is one sentence: where, what was wanted, what came, what to do."""
    with pytest.raises(SlalomError) as error:
        Recipe(**fields)
    assert str(error.value) == sentence


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["batch_size", "epochs", "depth", "width"])
def test_whole_numbers_that_are_no_numbers_are_refused(name, value):
    """NaN and infinity where a whole number is wanted are refused by the same sentence, from Python and from --set."""
    with pytest.raises(SlalomError, match=rf"^Recipe\({name}=…\) must be a whole number in .*\. Got -?(nan|inf)\.$"):
        Recipe(**{name: value})


@pytest.mark.parametrize("text", ["nan", "inf"])
def test_set_of_a_whole_number_that_is_none_is_refused(text):
    """--set width=nan is one sentence, as every other bad value."""
    with pytest.raises(SlalomError):
        Recipe(width=parse_value("width", text))


@pytest.mark.parametrize("number", [np.int64(64), np.int32(64), np.uint8(64)])
def test_numpys_whole_numbers_are_whole_numbers(number):
    """A width that comes out of a NumPy array is a width."""
    assert Recipe(width=number).width == 64


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("learning_rte = 1", one_of("recipe field", FIELDS, "learning_rte", "learning_rate")),
        ("width = ", "The recipe must be TOML. Invalid value (at end of document)."),
        ("[rule]\nname = 'momentum'\nmuu = 1", one_of("setting of rule momentum", ["mu"], "muu", "mu")),
    ],
    ids=["field", "toml", "setting"],
)  # fmt: skip
def test_bad_toml_is_one_sentence(text, sentence):
    """A recipe file with an unknown field, broken TOML or an unknown setting is refused in one sentence."""
    with pytest.raises(SlalomError) as error:
        Recipe.from_toml(text)
    assert str(error.value) == sentence


@pytest.mark.parametrize("name", ["scaling", "activation", "normalisation"])
def test_names_that_are_no_text_are_refused(name):
    """A list where a name is wanted, as TOML may hold one, is refused in a sentence."""
    with pytest.raises(SlalomError, match=rf"^{name} must be one of "):
        Recipe.from_toml(f"{name} = ['relu']")


def test_set_reads_numbers_and_names():
    """`--set` gives whole numbers, numbers and names as the fields want them, and says what it cannot read."""
    assert repr(parse_value("width", "64")) == "64"
    assert repr(parse_value("learning_rate", "1e-3")) == "0.001"
    assert parse_value("rule.beta1", "0.5") == 0.5
    assert parse_value("rule", "adam") == "adam"
    assert parse_value("normalisation", "none") == "none"
    with pytest.raises(SlalomError) as error:
        parse_value("width", "wide")
    assert str(error.value) == "--set width must be a number. Got 'wide'."
    with pytest.raises(SlalomError) as error:
        parse_value("widht", "8")
    known = ", ".join(field for field in [*CHOICES, *RANGES] if field != "epochs")
    assert str(error.value) == (
        f"--set FIELD must be one of {known}, rule, schedule. Got 'widht'. Did you mean 'width'?"
    )
    with pytest.raises(SlalomError, match=r"^Recipe\(width=…\) must be a whole number in \[1, 65536\]\. Got 1\.5\.$"):
        Recipe(width=parse_value("width", "1.5"))
