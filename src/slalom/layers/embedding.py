"""Embedding: the codes of a column's levels become learned vectors, looked up in a table."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from slalom.layers.base import Layer, multiple, namespace
from slalom.record import record, setting
from slalom.types import Array, Setting, Tree

BY_PRODUCT = 512  # rows of a table up to which its gradient is a matrix product; that of a larger one is scattered


@jax.custom_vjp
def looked_up(table: Array, x: Array) -> Array:
    """Columns of a table [F, R] by their numbers in x [B]: [F, B]; what is no row's number gets the mean of all.

    The gradient is a product with the one-hot rows of x up to BY_PRODUCT, a sum that is scattered above.
    """
    return _looked_up(table, x)[0]


def codes_of(x: Array, rows: int) -> Array:
    """The numbers of rows [B], int32; `rows` for what is none: below 0, too large, NaN.

    >>> codes_of(np.array([0.0, 2.0, -1.0, 3.0, np.nan]), 3).tolist()
    [0, 2, 3, 3, 3]
    """
    xp = namespace(x)
    known = (x >= -0.5) & (x < rows - 0.5)
    return xp.round(xp.where(known, x, rows)).astype(np.int32)


def _looked_up(table, x):
    rows = table.shape[1]
    codes = codes_of(x, rows)
    mean = table @ jnp.full((rows, 1), 1 / rows, table.dtype)  # a product: XLA's sum of a row is ten times as slow
    found = table.at[:, jnp.minimum(codes, rows - 1)].get(mode="promise_in_bounds")
    return jnp.where(codes < rows, found, mean), (codes, table)


def _looked_up_backward(saved, g):
    codes, table = saved
    rows = table.shape[1]
    if rows <= BY_PRODUCT:
        one_hot = (codes[:, None] == jnp.arange(rows, dtype=codes.dtype)).astype(g.dtype)
        d = g @ one_hot
    else:
        d = jnp.zeros_like(table).at[:, codes].add(g, mode="drop")
    rest = g @ (codes == rows).astype(g.dtype)[:, None]
    return d + rest * (1 / rows), jnp.zeros(codes.shape, g.dtype)


looked_up.defvjp(_looked_up, _looked_up_backward)


@record
class Embedding(Layer):
    """Embedding of categories (Guo & Berkhahn 2016, https://arxiv.org/abs/1604.06737, section 3): every level has a
    vector of its own.

        y = V[:, x]            x = 0 … R − 1
        y = (1/R) Σ V[:, r]    any other x
        dV[:, r] = Σ g [x = r] + (1/R) Σ g [x is no row's number]

    x [D, B], whole numbers: the codes of the levels; y [D F, B]: the F numbers of column 0, then those of column 1, …;
    F = outputs / inputs; g is the gradient with respect to y. Each column has its own V [1, F, R], which starts with
    N(0, σ²). R counts all rows: of levels, of rare ones that share a row, of missing cells. A level that nobody has
    seen is one more of its kind, so that the mean of all stands for it. V has three axes lest a rule take it for the
    matrix of a dense layer: its directions are levels and cannot be mixed.

    sigma: [] σ of the first vectors.

    >>> weights, _ = Embedding().init(np.random.default_rng(0), 1, 2, rows=(3,))
    >>> weights["table0"][0] = [[1, 2, 6], [0, 5, 1]]
    >>> y, _ = Embedding().apply(weights, (), np.array([[1.0, 0.0, 3.0]]), training=False, key=0)
    >>> y.T.tolist()
    [[2.0, 5.0], [1.0, 0.0], [3.0, 2.0]]
    """

    axes: ClassVar[tuple[int, ...]] = (2,)
    keeps_shape: ClassVar[bool] = False

    sigma: Setting = setting(0.01, "(0, inf)", "spread of the first vectors")

    def init(
        self, rng: np.random.Generator, inputs: int, outputs: int, rows: tuple[int, ...] = ()
    ) -> tuple[Tree, Tree]:
        """table0, table1, …: [1, F, R] each, float32; no memory. rows: R of each column, 4 unless given."""
        features, made = multiple("Embedding", inputs, outputs), {}
        for i, r in enumerate(rows or (4,) * inputs):
            made[f"table{i}"] = (self.sigma * rng.standard_normal((1, features, r))).astype(np.float32)
        return made, ()

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """See the formula of the class."""
        del training, key
        tables: list[Any] = [weights[f"table{i}"][0] for i in range(x.shape[0])]
        if namespace(x) is not np:
            return jnp.concatenate(
                [looked_up(jnp.asarray(table), v) for table, v in zip(tables, x, strict=True)]
            ), memory
        wider = [np.concatenate([table, table.mean(1, keepdims=True)], 1) for table in tables]
        return np.concatenate([v[:, codes_of(c, v.shape[1] - 1)] for v, c in zip(wider, x, strict=True)]), memory
