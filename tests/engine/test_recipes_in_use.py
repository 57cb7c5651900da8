"""Recipes with everything in them: objects, rules inside rules, what is fixed, what is written, and what is refused."""

import tomllib

import numpy as np
import optax
import pytest

import slalom
from slalom import fit, fitting, load, race, rules, schedules
from slalom import racer as racers
from slalom.errors import RaceFailed, SlalomError
from slalom.recipe import Recipe
from slalom.schedules import Warmup
from slalom.space import Space

from .heats import table


def test_optax_chain_races_and_is_saved(tmp_path):
    """A chain of Optax and a schedule of one's own train a model, which is saved by their names, and predicts again."""
    x, y = table("regression")
    chain = rules.FromOptax(optax.chain(optax.clip_by_global_norm(1.0), optax.adabelief(1.0)))
    own = lambda t, horizon: 1 - t / horizon  # noqa: E731
    shape = {"batch_size": 10, "epochs": 30, "depth": 1, "width": 8, "learning_rate": 0.02}
    model = fit(x, y, recipe=Recipe(rule=chain, schedule=own, **shape))
    assert np.std(model.predict(x) - y) < 0.3 * np.std(y)
    model.save(tmp_path)
    again = load(tmp_path)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.recipe.to_plain()["schedule"] == {"name": "custom", "function": own.__qualname__}
    for lost in ({"rule": "adam"}, {"schedule": "cosine"}):  # the other of the two is still lost
        with pytest.raises(SlalomError, match=r"was a Python object, of which only the name was kept\. Give it anew\."):
            fit(x, y, recipe=again.recipe.with_fields(lost))
    fit(x, y, recipe=again.recipe.with_fields({"rule": "adam", "schedule": own}))


def test_fields_are_replaced_without_losing_objects():
    """A recipe keeps a function or a transformation where other fields of it are replaced."""
    chain, own = rules.FromOptax(optax.sgd(1.0)), lambda t: 1.0
    recipe = Recipe(rule=chain, schedule=own).with_fields({"width": 7, "weight_decay": 0.1}).with_epochs(3)
    assert recipe.rule is chain
    assert recipe.schedule.function is own
    assert recipe.penalty == 0.1
    moved = Recipe(rule="adamw").with_fields({"weight_decay": 0.3})
    assert moved.rule.weight_decay == moved.weight_decay == 0.3


@pytest.mark.parametrize(
    ("fields", "classes", "sentence"),
    [
        ({"label_smoothing": 0.1}, False, "label_smoothing must be 0 for a regression, which has no labels. Got 0.1."),
        ({"target_scaling": "min_max"}, True, "target_scaling must be left away for classes. Got 'min_max'."),
        ({"schedule": "plateau"}, False, "A plateau waits for scores: give validation=(X, y), or another schedule."),
    ],
)
def test_what_does_not_fit_the_target_is_refused(fields, classes, sentence):
    """Labels are smoothed and targets scaled where there are labels and targets, and a plateau needs scores."""
    x, y = table("binary" if classes else "regression")
    with pytest.raises(SlalomError) as error:
        fit(x, y, recipe=Recipe(batch_size=10, epochs=1, depth=0, **fields))
    assert str(error.value) == sentence


@pytest.fixture
def made(monkeypatch):
    """The racers that `fit` makes."""
    seen = []

    class Watched(racers.Racer):
        def __init__(self, *args):
            super().__init__(*args)
            seen.append(self)

    monkeypatch.setattr(fitting, "Racer", Watched)
    return seen


def test_patience_ends_a_training_early(made):
    """Early stopping: a training ends where its scores have not improved for the patience, with its best moment."""
    x, y = table("regression")
    noisy = y + np.random.default_rng(0).normal(0, 30, len(y))
    recipe = Recipe(rule="sgd", learning_rate=0.1, schedule="constant", batch_size=5, epochs=200, depth=1, width=32)
    given = {"recipe": recipe, "validation": (x[40:], noisy[40:])}
    whole, early = fit(x[:40], noisy[:40], **given), fit(x[:40], noisy[:40], patience=0.1, **given)
    assert made[0].step == 1600
    assert made[1].best.step + 160 < made[1].step < 1600
    assert made[1].best.step == min(made[1].costs, key=made[1].costs.get)
    assert made[0].best.cost <= made[1].best.cost
    assert early.predict(x).shape == whole.predict(x).shape
    for bad in (0, -1, float("nan")):
        with pytest.raises(SlalomError, match=r"^patience must be above 0, and given with validation=\(X, y\)\. Got "):
            fit(x, y, patience=bad, **given)
    with pytest.raises(SlalomError, match=r"^patience must be above 0"):
        fit(x, y, recipe=recipe, patience=0.1)


# --- what stands in a race's fixed fields, and on disk ----------------------------------------------------------------


WRITTEN = [
    Recipe(rule=rules.FromOptax("adamw", {"weight_decay": 0.1})),
    Recipe(rule=rules.Lookahead(rules.FromOptax("adamw", {"weight_decay": 0.1}), k=3), weight_decay=0.2),
    Recipe(rule=rules.FromOptax("contrib.prodigy", {"betas": (0.9, 0.98)})),
    Recipe(rule=rules.EMA(rules.ClipNorm(rules.AdamW(weight_decay=0.3), norm=2), beta=0.5), schedule="coslog"),
    Recipe(rule=rules.SWA(rules.Muon()), schedule=schedules.PiecewiseConstant(), schedule_by="epoch"),
]


@pytest.mark.parametrize("recipe", WRITTEN, ids=lambda recipe: type(recipe.rule).__name__)
def test_every_setting_comes_back(recipe):
    """TOML and a flat row hold every setting of rules inside rules and of Optax's own."""
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe().with_fields(recipe.flat()) == recipe
    assert recipe.with_fields({"width": 5}).with_fields({"width": recipe.width}) == recipe


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"rule": "lookahead", "rule.rule.beta1": 0.5}, rules.Lookahead(rules.Adam(beta1=0.5))),
        ({"rule": "lookahead", "rule.rule": "adamw"}, rules.Lookahead(rules.AdamW())),
        ({"rule": rules.Momentum(), "rule.mu": 0.5}, rules.Momentum(mu=0.5)),
        ({"rule": rules.AdamW(weight_decay=0.1)}, rules.AdamW(weight_decay=0.1)),
        (
            {"rule": "from_optax", "rule.optimiser": "sgd", "rule.nesterov": "false"},
            rules.FromOptax("sgd", {"nesterov": False}),
        ),
    ],
)
def test_fields_of_rules_are_what_they_say(given, expected):
    """Fields of rules, and of rules inside rules, beside names or records."""
    assert Recipe().with_fields(given).rule == expected


def test_fixed_decay_of_a_rule_holds():
    """A decay that is fixed in a rule is every recipe's; a decoupled one that is not is drawn from larger numbers."""
    for fixed in (
        {"rule": "adamw", "rule.weight_decay": 0.01},
        {"rule": "lookahead", "rule.rule": "adamw", "rule.rule.weight_decay": 0.01},
        {"rule": rules.AdamW(weight_decay=0.01)},
    ):
        space = Space(1000, 3, fixed)
        assert {one.weight_decay for one in space.recipes(0, 0, 20, space.shapes(1))} == {0.01}
    space = Space(1000, 3, {"rule": "lookahead", "rule.rule": "adamw"})
    drawn = {one.weight_decay for one in space.recipes(0, 1, 40, space.shapes(1))}
    assert max(drawn) > 0.05
    assert not [decay for decay in drawn if 0 < decay < 1e-3]


def test_objects_race_and_are_written_by_name(tmp_path):
    """A function and a transformation of Optax can be fixed in a race; continuing it without them is one sentence."""
    x, y = table("regression")
    fixed = {"schedule": lambda t, horizon: 1 - t / horizon, "rule": rules.FromOptax(optax.adabelief(1.0))}
    small = {"recipes": 2, "epochs": 2}
    result = race(x, y, out=tmp_path / "run", fixed=fixed | {"depth": 1, "width": 4}, **small)
    assert result.about["outcomes"] == {"finished": 2}
    written = tomllib.loads((tmp_path / "run" / "race.toml").read_text())["order"]["fixed"]
    assert written["rule.unwritten"] == "GradientTransformationExtraArgs"
    with pytest.raises(SlalomError, match=r" was a Python object, of which only the name was kept\. Give it anew\.$"):
        Space(1000, 3, written)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: rules.Lookahead("sgd"), "Lookahead(rule=…) must be made as Adam() is. Got 'sgd'."),
        (lambda: rules.ClipNorm(schedules.Cosine()), "ClipNorm(rule=…) must be made as Adam() is. Got Cosine("),
        (lambda: rules.Lookahead(rules.SGD), "Lookahead(rule=…) must be made as Adam() is. Got <class"),
        (lambda: rules.Adam(beta1=np.float32(1.5)), "Adam(beta1=…) must be in [0, 1). Got 1.5."),
        (lambda: Recipe(schedule=Warmup(schedules.Cosine(), 5)), "schedule must be one without wrapper. Got Warmup("),
        (lambda: Recipe(rule=rules.Adam), "rule must be made: Adam(). Got <class"),
        (
            lambda: Warmup("cosine", 10),
            "Warmup(schedule=…) must be a schedule or a function. Got 'cosine'. As in Warmup(",
        ),
        (
            lambda: schedules.ByEpoch(schedules.Step, 5),
            "ByEpoch(schedule=…) must be a schedule or a function. Got <class",
        ),
        (lambda: rules.to_optax(rules.SWATS(latest=0.5), 0.1), "to_optax(rule=…) has a length below 1, a fraction of"),
        (lambda: slalom.ewma([1, 2], 0.5, start=0), "ewma(start=…) must be 'first' or 'zero'. Got 0."),
        (lambda: slalom.ewma([1, 2], "0.5"), "ewma(beta=…) must be in [0, 1). Got '0.5'."),
        (
            lambda: slalom.descend(lambda w: 1.0, 1.0, "sgd", learning_rate=1, steps=1),
            "descend: f must be computed from",
        ),
        (lambda: slalom.descend("f", 1.0, "sgd", learning_rate=1, steps=1), "descend: f must be a function of the"),
        (lambda: Recipe(schedule="custom"), "schedule must be one of constant, "),
        (lambda: Recipe().with_fields({"rule": "adam", "rule.name": "sgd"}), "rule.name must be given as rule."),
        (
            lambda: Recipe().with_fields({"rule": "from_optax", "rule.optimiser": "sgd", "rule.nesterov": "no"}),
            "setting nesterov of Optax's sgd must be true or false. Got 'no'.",
        ),
    ],
)
def test_rubbish_is_one_sentence(made, sentence):
    """What cannot be a rule, a schedule or a setting is refused where it is given."""
    with pytest.raises(SlalomError) as error:
        made()
    assert str(error.value).startswith(sentence)


def test_numbers_of_numpy_are_numbers():
    """Settings given as NumPy numbers and arrays are kept as plain ones, which can be written down."""
    recipe = Recipe(rule=rules.Adam(beta1=np.float32(0.5)), schedule=schedules.MultiStep(np.array([0.25, 0.5])))
    assert type(recipe.rule.beta1) is float
    assert recipe.schedule.milestones == (0.25, 0.5)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_fit_does_not_hand_back_what_diverged():
    """A training whose scores left all bounds is no model, though its weights are finite."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(1e6, 1, (60, 2)), rng.normal(size=60)
    with pytest.raises(RaceFailed, match=r"^The training diverged: its weights or its scores left all bounds\. "):
        fit(x, y, recipe=Recipe(scaling="none", batch_size=10, epochs=5), validation=(x, y))


def test_training_goes_on_to_its_stop(made):
    """Training ends at `stop`, also where the last score before it was earlier."""
    x, y = table("regression")
    fit(x, y, recipe=Recipe(batch_size=5, epochs=100, depth=0), validation=(x, y), stop=7)
    assert made[0].step == max(made[0].costs) == 7 * 12


def test_whole_numbers_are_a_start():
    """A descent starts from whole numbers as from the same floating-point ones."""
    for whole, broken in ((2, 2.0), ([-1, 1], [-1.0, 1.0]), (np.array([1, 2]), np.array([1.0, 2.0]))):
        paths = [slalom.descend(lambda w: (w**2).sum(), w, "sgd", learning_rate=0.1, steps=2) for w in (whole, broken)]
        np.testing.assert_array_equal(paths[0].parameters, paths[1].parameters)
        assert paths[0].parameters.dtype == np.float64
