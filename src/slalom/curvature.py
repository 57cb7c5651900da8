"""Curvature: how ill-conditioned a net's columns are, and how sharply its loss curves where the training begins."""

from typing import Any

import jax
import jax.flatten_util
import numpy as np
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

from slalom.heat import Heat
from slalom.racer import Racer
from slalom.step import gradient_of
from slalom.types import Array

ROWS = 1024  # of the training rows, at most, that a loss is taken on
NEGLIGIBLE = 1e-7  # of the largest eigenvalue: below it a direction counts as having no columns
TOLERANCE = 1e-3
VECTORS, RESTARTS = 20, 20  # of the Krylov space


def condition(x: Array) -> float:
    """How ill-conditioned columns [N, D] are for gradient descent: of a linear model with a bias

        κ = λ_max / λ_min of [x 1]ᵀ[x 1] / N,   without directions that no row has

    which is by how much the steepest direction of the squared error curves more than the flattest. 1 where all
    directions are alike; ∞ is never told: columns that are sums of others leave a direction without rows.

    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 10.0], [0.0, -10.0]])
    >>> round(condition(x), 6)
    100.0
    """
    with_bias = np.hstack([np.asarray(x, np.float64), np.ones((len(x), 1))])
    values = np.linalg.eigvalsh(with_bias.T @ with_bias / len(x))
    kept = values[values > NEGLIGIBLE * values[-1]]
    return float(kept[-1] / kept[0])


def sharpness(heat: Heat, racer: Racer) -> float:
    """The largest eigenvalue of the Hessian of a racer's training loss at its first weights, without penalties and
    dropout, on at most 1,024 rows: gradient descent with a constant rate above 2 / λ leaves there.

        λ_max of ∇²L(w₀), by Lanczos from products ∇²L v = ∇(∇L(w) · v) at w₀

    heat: compiled. NaN where the Hessian is not finite. Source: Pearlmutter 1994, Neural Computation 6 (1); Cohen et
    al. 2021, https://arxiv.org/abs/2103.00065.
    """
    heat.enter(racer)
    assert racer.state is not None
    assert racer.knobs is not None
    train = heat.prepared.all_folds[racer.fold].train
    train = train[:: max(1, -(-len(train) // ROWS))]
    data, weights, memory = heat.data.tree, racer.state.weights, racer.state.memory
    x, y = np.asarray(data.x[racer.knobs.table + train]), np.asarray(data.y[racer.knobs.target + train])
    nothing, first = np.float32(0), np.int32(0)
    knobs = racer.knobs._replace(dropout=nothing, penalty=nothing, l1=nothing, table=first, target=first)
    rows = np.arange(len(train), dtype=np.int32)
    flat, unravel = jax.flatten_util.ravel_pytree(jax.tree.map(np.asarray, weights))

    @jax.jit
    def product(v: Any) -> Any:  # reverse over reverse: the layers have backward passes of their own
        def along(w: Any) -> Any:
            slope = gradient_of(heat.structure, unravel(w), memory, knobs, np.int32(1), rows, x, y)[0]
            return jax.flatten_util.ravel_pytree(slope)[0] @ v

        return jax.grad(along)(flat)

    matrix = LinearOperator(
        (len(flat), len(flat)), matvec=lambda v: np.asarray(product(v.astype(np.float32).ravel()), np.float64)
    )
    start = np.random.default_rng(0).normal(size=len(flat))
    few = min(VECTORS, len(flat) - 1)
    try:
        return float(
            eigsh(matrix, 1, which="LA", v0=start, ncv=few, tol=TOLERANCE, maxiter=RESTARTS, return_eigenvectors=False)[
                0
            ]
        )
    except ArpackNoConvergence as stopped:
        return float(stopped.eigenvalues[0]) if len(stopped.eigenvalues) else float("nan")
    except ArpackError:  # of a Hessian that is not finite
        return float("nan")
