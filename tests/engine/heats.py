"""A small heat for the tests of the engine: a table, its programs, and racers of which every number is known."""

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl

from slalom import rules, scaling
from slalom.crew import Crew
from slalom.data import Split, Target
from slalom.heat import Heat
from slalom.lane import Data
from slalom.metrics import find_metric
from slalom.objective import loss_of
from slalom.prepare import prepare
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.seats import Placed
from slalom.shuffles import Shuffles
from slalom.step import Structure, kind_of

N, D, BATCH, EPOCHS = 60, 3, 8, 20
TRAIN, CHOOSE = np.arange(0, 45), np.arange(45, 60)  # 5 full batches an epoch, and 5 rows left over in each
STEPS = EPOCHS * (len(TRAIN) // BATCH)  # 100
SEED = 3
COMMON = {"batch_size": BATCH, "epochs": EPOCHS, "depth": 2, "width": 6}

# One recipe for each rule, with scalings, schedules and penalties dealt among them; the rates keep training smooth, so
# that the rounding of float32 is not blown up. ε is large: the gradient of a bias in front of batch norm is 0 but for
# rounding, and a rule that divides by the gradient's size makes whole steps of that.
RECIPES = {
    "sgd": {"learning_rate": 0.03, "scaling": "z_score", "schedule": "constant", "weight_decay": 1e-2},
    "momentum": {"learning_rate": 5e-3, "scaling": "min_max", "schedule": "cosine", "rule.mu": 0.8, "warmup": 0.1},
    "nesterov": {"learning_rate": 5e-3, "scaling": "robust_clip", "schedule": "step", "weight_decay": 3e-2},
    "adagrad": {"learning_rate": 0.03, "scaling": "quantile_normal", "schedule": "exponential", "rule.epsilon": 0.01},
    "rmsprop": {"learning_rate": 2e-3, "scaling": "z_score", "schedule": "cosine", "rule.epsilon": 1e-3},
    "adam": {"learning_rate": 5e-3, "scaling": "robust_clip", "schedule": "cosine", "warmup": 12, "rule.epsilon": 1e-3},
    "amsgrad": {
        "learning_rate": 5e-3,
        "scaling": "min_max",
        "schedule": "step",
        "rule.beta2": 0.9,
        "rule.epsilon": 1e-3,
    },
    "adamw": {
        "learning_rate": 5e-3,
        "scaling": "quantile_normal",
        "schedule": "constant",
        "weight_decay": 0.3,
        "rule.epsilon": 1e-3,
    },
    "radam": {
        "learning_rate": 5e-3,
        "scaling": "none",
        "schedule": "exponential",
        "rule.beta2": 0.95,
        "rule.epsilon": 1e-3,
    },
}


def recipe_of(rule, **fields):
    """The recipe that this file has for a rule, with fields replaced."""
    return Recipe(**COMMON).with_fields({"rule": rule} | RECIPES[rule] | fields)


def table(task):
    """Columns of different units, one of them skewed; a target that depends on all of them."""
    rng = np.random.default_rng(1)
    x = np.stack([rng.normal(50, 10, N), rng.lognormal(0, 1, N), rng.uniform(-1, 1, N)], axis=1)
    z = (x - x.mean(0)) / x.std(0)
    signal = z @ [1.0, -0.7, 0.5] + 0.5 * z[:, 0] * z[:, 2]
    if task == "regression":
        return x, 100 + 7 * signal
    edges = np.quantile(signal, [1 / 3, 2 / 3] if task == "multiclass" else [0.5])
    return x, np.searchsorted(edges, signal)


ONE_FOLD = Split((TRAIN,), (CHOOSE,), (np.array([], int),), np.array([], int))


def kinds(names):
    """The rules of these names as a program knows them."""
    return tuple(kind_of(rules.REGISTRY[name]()) for name in names)


def heat_of(task, split=ONE_FOLD, units=("z_score",), **shape):
    """A heat on the small table, without a program; one fold, so that everything is plain to see."""
    x, y = table(task)
    target = Target.fit(y, "regression" if task == "regression" else "classification")
    prepared = prepare(
        pl.DataFrame(x, schema=["a", "b", "c"]), y, target, split, set(scaling.REGISTRY), units, whole=False
    )
    recipe = Recipe(**COMMON).with_fields(shape)
    net, loss = recipe.net(prepared.width, target.outputs, prepared.columns.numeric), loss_of(recipe, prepared)
    data = Placed(Data(prepared.x, prepared.y))
    return Heat(
        Structure(net, BATCH, loss), prepared, data, find_metric(None, target.task), Shuffles(SEED), SEED,
        kinds(RECIPES),
    )  # fmt: skip


def compiled(heat, names, width, lanes=1):
    """The heat with a program of some rules, so many racers a lane, and so many lanes a call."""
    heat.rules = kinds(names)
    heat.compile(width, lanes)
    return heat


def advanced(heat, racers, *stops):
    """The racers as one lane, taken to each stop in turn."""
    for stop in stops or (STEPS,):
        assert Crew(heat, racers).advance(stop, [], lambda: False) > 0
    return racers


def racer(rule="adam", number=0, **fields):
    return Racer(number, recipe_of(rule, **fields), 0)


def weights_of(heat, one):
    """A racer's weights as its net has them: without the columns of zeros of the program."""
    return heat.structure.net.narrowed(one.state.weights)


def bits(one):
    """Everything that a racer carries, as bytes: weights, memories of the layers and of the rule."""
    assert one.state is not None
    return b"".join(np.ascontiguousarray(leaf).tobytes() for leaf in jax.tree.leaves(one.state))


def plain_loss(net, loss):
    """The loss of a net on scaled rows [B, D], rows first, in whatever floats it is given."""
    of = {"silu": jax.nn.silu, "gelu": lambda x: jax.nn.gelu(x, approximate=False), "tanh": jnp.tanh}[net.activation]

    def normalise(h, layer):
        axis = {"batch_norm": 0, "layer_norm": 1}[net.normalisation]
        h = (h - h.mean(axis, keepdims=True)) / jnp.sqrt(h.var(axis, keepdims=True) + 1e-5)
        return h * layer["gain"][:, 0] + layer["shift"][:, 0]

    def value(weights, x, y):
        moments = []
        for layer in weights[:-1]:
            x = x @ layer["w"].T + layer["b"][:, 0]
            if net.normalisation == "batch_norm":
                moments.append((x.mean(0), x.var(0)))
                x = normalise(x, layer)
            x = of(x)
            if net.normalisation == "layer_norm":
                x = normalise(x, layer)
        out = x @ weights[-1]["w"].T + weights[-1]["b"][:, 0]
        if loss == "squared_error":
            return ((out[:, 0] - y) ** 2).mean(), moments
        logits = out if loss == "softmax" else jnp.concatenate([0 * out, out], axis=1)
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), y.astype(int)[:, None], axis=1)
        return -picked.mean(), moments

    return jax.jit(jax.grad(value, has_aux=True))


def first_weights(heat, fold=0):
    """What every racer of the seed and the fold starts from."""
    return heat.structure.net.init(np.random.default_rng([SEED, 3, 0, fold]))[0]
