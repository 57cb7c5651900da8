"""Every kind of net in a race: a racer is the same alone and in company, and its saved model is what was scored."""

import jax
import numpy as np
import polars as pl
import pytest

from slalom import Recipe, fit, load
from slalom.cost import EMBEDDED, FURTHER, step_seconds
from slalom.crew import Crew
from slalom.finish import model_of
from slalom.recipe import parse_value

from .heats import CHOOSE, bits, compiled, heat_of, racer, table

pytestmark = pytest.mark.long

NETS = {
    "learned scale": {"learned_scale": "learned"},
    "residual": {"block": "residual"},
    "residual, batch norm": {"block": "residual", "normalisation": "batch_norm", "activation": "silu"},
    "eight of periodic": {"embedding": "periodic", "embedding_size": 8, "embedding_sigma": 0.5},
    "five bins": {"embedding": "piecewise_linear", "embedding_size": 5},
    "residual, periodic, scale": {"block": "residual", "embedding": "periodic", "learned_scale": "learned"},
}


OFTEN = [pytest.param(net, marks=pytest.mark.long) if i % 2 else net for i, net in enumerate(NETS.values())]


@pytest.mark.parametrize("fields", OFTEN, ids=NETS.keys())
def test_a_net_is_raced_alike_alone_and_in_company(fields, tmp_path):
    """A racer has the same bits beside another recipe as alone; in a lane of one it has the same numbers up to
    rounding; its score is that of the model that is saved and read back."""
    pair = compiled(heat_of("multiclass", **fields), ["adam", "sgd"], 2)
    single = compiled(heat_of("multiclass", **fields), ["adam"], 1)
    made = [racer(number=n, dropout=p, l1=1e-4, **fields) for n, p in ((4, 0.1), (7, 0.2), (4, 0.1), (4, 0.1))]
    for heat, crew in ((pair, made[:2]), (pair, made[2:3]), (single, made[3:])):
        Crew(heat, crew).advance(20, [10, 20], lambda: False)
    together, other, alone, narrow = made
    assert bits(together) == bits(alone)
    assert bits(together) != bits(other)
    for a, b in zip(jax.tree.leaves(together.state), jax.tree.leaves(narrow.state), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)
    model = model_of(single, narrow.recipe, 0, narrow.best)
    model.save(tmp_path)
    again, rows = load(tmp_path), table("multiclass")[0][CHOOSE]
    np.testing.assert_array_equal(again.answer(rows), model.answer(rows))
    cost = single.metric.cost(single.prepared.labels[CHOOSE], again.answer(rows))
    np.testing.assert_allclose(narrow.best.cost, cost, rtol=1e-5)
    assert again.net == single.structure.net
    first = single.structure.net.init(np.random.default_rng([single.seed, 3, 0, 0]))[0]
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(narrow.best.weights), strict=True):
        assert a.shape == b.shape


def test_racers_of_another_sigma_start_elsewhere():
    """Two racers of one program that differ in the sigma of their frequencies start with other frequencies, and all
    else the same; where nothing is periodic sigma is nothing."""
    fields = {"embedding": "periodic", "batch_size": 8}
    heat = compiled(heat_of("binary", **fields), ["adam"], 1)
    made = [racer(embedding_sigma=sigma, **fields) for sigma in (0.0, 0.1, 0.4)]
    for one in made:
        heat.enter(one)
    own, same, wide = (one.state.weights for one in made)
    for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(wide[0]["frequency"], 4 * own[0]["frequency"], rtol=1e-6)
    for a, b in zip(jax.tree.leaves(own[1:]), jax.tree.leaves(wide[1:]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("embedding", ["periodic", "piecewise_linear"])
def test_words_and_indicators_are_not_embedded(embedding, tmp_path):
    """On a table of words, truths, missing cells and numbers only the numbers are embedded; the model, saved and read
    back, predicts a table of other column order the same, and has learned from words and numbers both."""
    rng = np.random.default_rng(0)
    word, truth, a, b = rng.choice(["x", "y", "z"], 400), rng.random(400) < 0.5, *rng.normal(size=(2, 400))
    hole = rng.random(400) < 0.2
    frame = pl.DataFrame({"word": word, "a": np.where(hole, np.nan, a), "truth": truth, "b": b})
    y = np.sin(3 * b) + (word == "x") + np.where(hole, 2.0, 0.0) + truth
    recipe = Recipe(embedding=embedding, embedding_size=6, depth=1, width=32, batch_size=40, epochs=40, rule="adam",
                    learning_rate=0.01, learned_scale="learned")  # fmt: skip
    model = fit(frame, y, recipe=recipe)
    assert model.columns.names == ("a", "b", "word=x", "word=y", "word=z", "a is missing", "truth")
    assert (model.net.inputs, model.net.resolved, model.net.sizes[0]) == (7, 2, 2 * 6 + 5)
    answer = model.predict(frame)
    assert np.corrcoef(answer, y)[0, 1] > 0.95
    model.save(tmp_path)
    again = load(tmp_path)
    assert again.net == model.net
    np.testing.assert_array_equal(again.predict(frame.select(["b", "truth", "word", "a"])), answer)


def test_a_larger_embedding_of_more_columns_costs_more():
    """The modelled seconds of a step grow with the features of an embedding, with the columns it takes, and with
    residual blocks; a learned scale is nearly free."""
    of = lambda numeric=3, **f: step_seconds(  # noqa: E731
        type(heat_of("binary").structure)(Recipe(**f).net(3, 1, numeric), 128, "logistic"), 1
    )
    for embedding in ("periodic", "piecewise_linear"):
        times = [of(1, embedding=embedding), *(of(embedding=embedding, embedding_size=k) for k in (0, 24, 32))]
        assert sorted(times) == times
        assert len(set(times)) == 4
        assert times[1] - times[0] > 2 * 128 * EMBEDDED[embedding]  # two columns more
        assert times[3] - times[2] > 3 * 8 * 128 * FURTHER[embedding]  # eight numbers more of three columns
    assert of() < of(learned_scale="learned") < 1.01 * of() < of(block="residual")


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [("learned_scale", "learned", "learned"), ("block", "residual", "residual"), ("embedding_size", "8", 8),
     ("embedding_sigma", "0.3", 0.3)],
)  # fmt: skip
def test_new_fields_are_set_from_text(field, text, value):
    """`--set` takes the fields of a net as it takes others, and a recipe of them goes to TOML and back."""
    recipe = Recipe().with_fields({field: parse_value(field, text)})
    assert getattr(recipe, field) == value
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert recipe.flat()[field] == value
