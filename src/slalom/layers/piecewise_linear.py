"""Piecewise linear embedding: every numeric column as how far it has come through each of its bins."""

from typing import ClassVar, NamedTuple

import numpy as np
import scipy.special

from slalom.errors import wrong
from slalom.layers.base import Layer, multiple, namespace
from slalom.record import record
from slalom.types import Array, Tree


class PiecewiseLinearMemory(NamedTuple):
    edges: Array  # [D, T + 1] of the bins, in the units of x; not learned


def quantile_edges(x: Array, bins: int) -> Array:
    """Edges [D, bins + 1], float32, at the quantiles 0, 1/bins, …, 1 of every column of the training rows x [N, D].

    In the units that the layer will see: of scaled columns. An edge within a millionth of the range above the one
    before takes its place: a bin that narrow would blow up what lies beyond it. Missing cells are ignored; a column of
    nothing else, and no row at all, gives edges of 0, and therefore no information.

    >>> quantile_edges(np.array([[0.0, 7.0], [1.0, 7.0], [4.0, 7.0]]), 2).tolist()
    [[0.0, 1.0, 4.0], [7.0, 7.0, 7.0]]
    """
    shares = np.linspace(0, 1, bins + 1)
    present = [column[~np.isnan(column)] for column in np.asarray(x).T]
    edges = np.array([np.quantile(c, shares) if c.size else 0 * shares for c in present], np.float32)
    narrow = 1e-6 * (edges[:, -1] - edges[:, 0])
    for t in range(1, bins + 1):
        edges[:, t] = np.where(edges[:, t] - edges[:, t - 1] > narrow, edges[:, t], edges[:, t - 1])
    return edges


@record
class PiecewiseLinear(Layer):
    """Piecewise linear encoding (Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556, section 3.2, eq. 1).

        yₜ = 0                              x < bₜ₋₁ and t > 1
        yₜ = 1                              x ≥ bₜ and t < T
        yₜ = (x − bₜ₋₁) / (bₜ − bₜ₋₁)       otherwise

    x [D, B], y [D T, B]: the T numbers of column 0, then those of column 1, …; T = outputs / inputs. The first bin goes
    on below its edge and the last one above, so that no two values look the same. b₀ ≤ … ≤ b_T are the edges [D, T + 1]
    of each column, given to `init` (`quantile_edges` makes them of the training rows; without them the quantiles of a
    standard normal column) and kept in the memory; nothing is learned. Bins without width, of repeated quantiles, give
    0: the first and the last of the others are then those that go on. A constant column gives zeros throughout. The
    authors' package drops such bins; here every column has T numbers, so that racers with other edges fit one program.

    >>> _, memory = PiecewiseLinear().init(np.random.default_rng(0), 1, 3, edges=np.array([[0.0, 1.0, 3.0, 4.0]]))
    >>> y, _ = PiecewiseLinear().apply({}, memory, np.array([[-1.0, 2.0, 6.0]]), training=False, key=0)
    >>> y.T.tolist()
    [[-1.0, 0.0, 0.0], [1.0, 0.5, 0.0], [1.0, 1.0, 3.0]]
    """

    axes: ClassVar[tuple[int, ...]] = (2,)
    keeps_shape: ClassVar[bool] = False

    def init(
        self, rng: np.random.Generator, inputs: int, outputs: int, edges: Array | None = None
    ) -> tuple[Tree, Tree]:
        """Nothing is learned; the edges are kept. SlalomError where they do not fit or do not rise."""
        del rng
        bins = multiple("PiecewiseLinear", inputs, outputs)
        if edges is None:
            edges = np.tile(scipy.special.ndtri((np.arange(bins + 1) + 0.5) / (bins + 1)), (inputs, 1))
        edges = np.array(edges, np.float32)
        if edges.shape != (inputs, bins + 1):
            raise wrong("PiecewiseLinear.init(edges=…)", f"of shape {(inputs, bins + 1)}", edges.shape)
        if not np.isfinite(edges).all() or (np.diff(edges) < 0).any():
            raise wrong("PiecewiseLinear.init(edges=…)", "finite and rising in every row", edges.tolist())
        return {}, PiecewiseLinearMemory(edges)

    def apply(self, weights: Tree, memory: Tree, x: Array, *, training: bool, key: Array) -> tuple[Array, Tree]:
        """See the formula of the class."""
        del weights, training, key
        xp, edges = namespace(x), PiecewiseLinearMemory(*memory).edges
        left, right = edges[:, :-1, None], edges[:, 1:, None]  # [D, T, 1]
        some = right > left
        u = (x[:, None] - left) / xp.where(some, right - left, 1)  # [D, T, B]
        u = xp.where(left > edges[:, :1, None], xp.maximum(u, 0), u)  # the first bin goes on below
        u = xp.where(right < edges[:, -1:, None], xp.minimum(u, 1), u)  # the last bin goes on above
        return xp.where(some, u, 0).reshape(-1, x.shape[1]), memory
