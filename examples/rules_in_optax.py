"""Trains one small net with Slalom's rules in the loops of JAX, Flax and Equinox, through Optax.

python examples/rules_in_optax.py

Flax and Equinox are not needed: what is not installed is left out.
"""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import optax

from slalom import rules, schedules

STEPS = 200
RULE = rules.EMA(rules.AdamW(weight_decay=1e-3), beta=0.95)
random = np.random.default_rng(0)
X = jnp.asarray(random.normal(size=(256, 4)), "float32")
y = jnp.sin(X[:, 0]) + 0.5 * X[:, 1] * X[:, 2]


def optimiser():
    """A rule of Slalom behind a clipping of Optax, its rate on a schedule of Slalom."""
    warm = schedules.Warmup(schedules.Cosine(), 0.05)
    rule = rules.to_optax(RULE, learning_rate=0.02, schedule=warm, horizon=STEPS)
    return optax.chain(optax.clip_by_global_norm(1.0), rule)


def with_jax():
    """A loop of plain JAX; scored with the average that EMA keeps."""

    def loss(params):
        hidden = jnp.tanh(X @ params["w1"] + params["b1"])
        return jnp.mean((hidden @ params["w2"] - y) ** 2)

    params = {
        "w1": jnp.asarray(random.normal(size=(4, 32)) / 2, "float32"),
        "b1": jnp.zeros(32),
        "w2": jnp.asarray(random.normal(size=32) / 6, "float32"),
    }
    tx = optimiser()

    @jax.jit
    def step(params, state):
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    first, state = loss(params), tx.init(params)
    for _ in range(STEPS):
        params, state = step(params, state)
    return first, loss(rules.score_params(RULE, state, params))


def with_a_schedule_in_optax():
    """Optax's own Adam on a schedule of Slalom, which is a function of the step."""
    cosine = schedules.Cosine()
    tx = optax.adam(lambda t: 0.1 * cosine(t, STEPS))
    loss = lambda w: jnp.mean((X @ w - X @ jnp.arange(4.0)) ** 2)  # noqa: E731
    w = jnp.zeros(4)
    first, state = loss(w), tx.init(w)
    for _ in range(STEPS):
        updates, state = tx.update(jax.grad(loss)(w), state, w)
        w = optax.apply_updates(w, updates)
    return first, loss(w)


def with_flax():
    """A loop of Flax NNX, whose optimiser takes the transformation as it is."""
    from flax import nnx

    net = nnx.Sequential(nnx.Linear(4, 32, rngs=nnx.Rngs(0)), nnx.tanh, nnx.Linear(32, 1, rngs=nnx.Rngs(1)))
    loss = lambda net: jnp.mean((net(X)[:, 0] - y) ** 2)  # noqa: E731
    trainer = nnx.Optimizer(net, optimiser(), wrt=nnx.Param)

    @nnx.jit
    def step(net, trainer):
        trainer.update(net, nnx.grad(loss)(net))

    first = loss(net)
    for _ in range(STEPS):
        step(net, trainer)
    params, state = nnx.as_pure(nnx.state(net, nnx.Param)), nnx.as_pure(trainer.opt_state)
    nnx.update(net, rules.score_params(RULE, state, params))
    return first, loss(net)


def with_equinox():
    """A loop of Equinox; the parameters are the net's arrays."""
    import equinox as eqx

    net = eqx.nn.MLP(4, "scalar", width_size=32, depth=1, activation=jnp.tanh, key=jax.random.key(0))
    loss = lambda net: jnp.mean((jax.vmap(net)(X) - y) ** 2)  # noqa: E731
    tx = optimiser()

    @eqx.filter_jit
    def step(net, state):
        updates, state = tx.update(eqx.filter_grad(loss)(net), state, eqx.filter(net, eqx.is_array))
        return eqx.apply_updates(net, updates), state

    first, state = loss(net), tx.init(eqx.filter(net, eqx.is_array))
    for _ in range(STEPS):
        net, state = step(net, state)
    params, rest = eqx.partition(net, eqx.is_array)
    return first, loss(eqx.combine(rules.score_params(RULE, state, params), rest))


LOOPS = {
    "JAX": (with_jax, "jax"),
    "Optax with a schedule of Slalom": (with_a_schedule_in_optax, "optax"),
    "Flax": (with_flax, "flax"),
    "Equinox": (with_equinox, "equinox"),
}

if __name__ == "__main__":
    for name, (loop, package) in LOOPS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{name}: left out, because {package} is not installed.")
            continue
        first, last = loop()
        print(f"{name}: loss {first:.3g} -> {last:.3g}")
