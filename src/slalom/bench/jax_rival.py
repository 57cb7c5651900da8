"""The matrix product that all contestants are measured against, and JAX as a contestant, written the usual way."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slalom.bench.cases import RATE, Case, first_weights, made_data, orders

LOOKED_AT = 4096
SIDES = {"cpu": (1024, 1536, 2048), "gpu": (2048, 4096, 8192)}  # of the matrices
PRODUCTS = 10
Answer = tuple[Callable[[], dict[str, Any]], dict[str, Any]]


def _loss(weights: Any, x: Any, y: Any) -> Any:
    h = x
    for i, (w, b) in enumerate(weights):
        h = h @ w + b
        h = jax.nn.relu(h) if i < len(weights) - 1 else h
    picked = jnp.take_along_axis(jax.nn.log_softmax(h), y[:, None], axis=1)
    return -picked.mean()


def _adam(w: Any, m: Any, v: Any, g: Any, t: Any) -> Any:
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    return w - RATE * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v


def usual_jax(case: Case) -> Answer:
    """JAX written the usual way: vmap over all racers inside one scan over the steps, rows first, default threads."""
    x, y = made_data(case)
    x, y = jnp.asarray((x - x.mean(0)) / x.std(0)), jnp.asarray(y.astype(np.int32))
    rows = jnp.asarray(orders(case, case.steps).astype(np.int32))
    weights = [tuple(map(jnp.asarray, pair)) for pair in first_weights(case, case.racers)]

    def one_step(carry: Any, given: Any) -> Any:
        (weights, m, v), (t, rows) = carry, given
        g = jax.vmap(jax.grad(_loss), (0, None, None))(weights, x[rows], y[rows])
        flat = [jax.tree.leaves(tree) for tree in (weights, m, v, g)]
        moved = [_adam(w, m, v, g, t) for w, m, v, g in zip(*flat, strict=True)]
        tree = jax.tree.structure(weights)
        return tuple(jax.tree.unflatten(tree, column) for column in zip(*moved, strict=True)), None

    @jax.jit
    def train(weights: Any, rows: Any) -> Any:
        zeros = jax.tree.map(jnp.zeros_like, weights)
        steps = (jnp.arange(1.0, len(rows) + 1), rows)
        return jax.lax.scan(one_step, (weights, zeros, zeros), steps)[0][0]

    began = time.perf_counter()
    compiled = train.lower(weights, rows).compile()
    seconds = time.perf_counter() - began

    def run() -> dict[str, Any]:
        start = time.perf_counter()
        after = jax.block_until_ready(compiled(weights, rows))
        seconds = time.perf_counter() - start
        losses = jax.vmap(_loss, (0, None, None))(after, x[:LOOKED_AT], y[:LOOKED_AT])
        return {"updates": case.racers * case.steps, "seconds": seconds, "loss": float(losses.mean())}

    return run, {"compile_seconds": seconds, "device": jax.default_backend()}


def matrix_product() -> Answer:
    """GFLOP/s of the best matrix product of float32, one caller: the practical limit of the machine."""
    products, sides = [], SIDES.get(jax.default_backend(), SIDES["gpu"])
    for n in sides:
        a = jnp.asarray(np.random.default_rng(n).standard_normal((n, n), np.float32) / n**0.5)
        product = jax.jit(jnp.matmul).lower(a, a).compile()
        product(a, a).block_until_ready()
        products.append((n, a, product))

    def run() -> dict[str, Any]:
        rates = []
        for n, a, product in products:
            start = time.perf_counter()
            for _ in range(PRODUCTS):
                answer = product(a, a)
            answer.block_until_ready()
            rates.append(2 * PRODUCTS * n**3 / (time.perf_counter() - start) / 1e9)
        return {"gflops": max(rates), "by_side": dict(zip(sides, rates, strict=True))}

    return run, {"device": jax.default_backend()}
