"""Every kind of net in a race: a racer is the same alone and in company, and its saved model is what was scored."""

import jax
import numpy as np
import pytest

from slalom import load
from slalom.crew import Crew
from slalom.finish import model_of

from .heats import CHOOSE, bits, compiled, heat_of, racer, table

NETS = {
    "learned scale": {"learned_scale": "learned"},
    "residual": {"block": "residual"},
    "residual, batch norm": {"block": "residual", "normalisation": "batch_norm", "activation": "silu"},
    "eight of periodic": {"embedding": "periodic", "embedding_size": 8, "embedding_sigma": 0.5},
    "five bins": {"embedding": "piecewise_linear", "embedding_size": 5},
    "residual, periodic, scale": {"block": "residual", "embedding": "periodic", "learned_scale": "learned"},
}


@pytest.mark.parametrize("fields", NETS.values(), ids=NETS.keys())
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
