"""Curvature: condition numbers and the sharpness of a loss, beside what NumPy says of small nets."""

import jax
import numpy as np
import pytest

from slalom.curvature import condition, sharpness
from slalom.racer import Racer
from slalom.step import gradient_of

from .heats import TRAIN, compiled, heat_of, racer


def test_condition_is_that_of_the_normal_equations():
    """κ of columns with a bias is the squared condition number of the matrix, as NumPy has it."""
    x = np.random.default_rng(0).normal(size=(200, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 0.0]
    whole = np.hstack([x, np.ones((200, 1))])
    assert condition(x) == pytest.approx(np.linalg.cond(whole) ** 2, rel=1e-6)


def test_directions_without_rows_do_not_count():
    """A column that is the sum of two others leaves a direction without rows: κ is that of the others."""
    x = np.random.default_rng(1).normal(size=(100, 2))
    with_sum = np.hstack([x, x.sum(1, keepdims=True)])
    assert np.isfinite(condition(with_sum))
    assert condition(with_sum) < 100


@pytest.mark.parametrize(("depth", "activation"), [(0, "relu"), (1, "tanh"), (2, "silu")])
def test_sharpness_is_the_largest_eigenvalue_of_the_hessian(depth, activation):
    """λ_max beside that of the whole Hessian, row by row from differences of the gradient."""
    heat = compiled(heat_of("regression", depth=depth, activation=activation), ["adam"], 1, None)
    one = racer("adam", 0)
    found = sharpness(heat, one)
    fresh = Racer(0, one.recipe, 0)
    heat.enter(fresh)
    knobs, data, rows = fresh.knobs, heat.data.tree, np.asarray(TRAIN, np.int32)
    flat, unravel = jax.flatten_util.ravel_pytree(jax.tree.map(np.asarray, fresh.state.weights))

    def slope(w):
        given = unravel(w), fresh.state.memory, knobs, np.int32(1), rows, data.x, data.y
        return np.asarray(jax.flatten_util.ravel_pytree(gradient_of(heat.structure, *given)[0])[0], np.float64)

    step, base = 1e-2, np.asarray(flat, np.float64)
    each = [step * e for e in np.eye(len(flat))]
    hessian = np.array([slope(np.float32(base + e)) - slope(np.float32(base - e)) for e in each])
    hessian = (hessian + hessian.T) / (4 * step)
    assert found == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=0.02)


def test_penalties_and_dropout_are_no_part_of_it():
    """The curvature is that of the loss: a recipe with decay and dropout has the same."""
    heat = compiled(heat_of("regression", depth=1, activation="tanh"), ["adam"], 1, None)
    plain, with_both = racer("adam", 0), racer("adam", 0, dropout=0.5, weight_decay=1.0, l1=0.1)
    assert sharpness(heat, plain) == pytest.approx(sharpness(heat, with_both), rel=1e-6)
