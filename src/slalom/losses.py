"""The losses a net is trained with, functions of outputs [C, B] and targets [B], and the predictions of each."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from slalom.types import Array, Setting


def squared_error(outputs: Array, y: Array, smoothing: Setting = 0.0) -> Array:
    """Mean squared error: mean((ŷ − y)²), ŷ = outputs[0]; y in the (standardised) unit of the target.

    smoothing: of no meaning here; taken so that all losses are called alike.

    >>> float(squared_error(jnp.array([[1.0, 3.0]]), jnp.array([1.0, 1.0])))
    2.0
    """
    del smoothing
    return ((outputs[0] - y) ** 2).mean()


def logistic(outputs: Array, y: Array, smoothing: Setting = 0.0) -> Array:
    """Binary cross-entropy from one logit: mean(log(1 + eᶻ) − q z), z = outputs[0], y 0 or 1.

        q = (1 − s) y + s / 2

    smoothing: [] s in [0, 1], of the labels, as in `softmax` with two classes.

    >>> round(float(logistic(jnp.array([[0.0]]), jnp.array([1.0]))), 4)
    0.6931
    """
    z = outputs[0]
    q = y if _none(smoothing) else y + smoothing * (0.5 - y)
    return (jax.nn.softplus(z) - q * z).mean()


def softmax(outputs: Array, y: Array, smoothing: Setting = 0.0) -> Array:
    """Cross-entropy of C classes: mean(log Σ eᶻ − Σ q z); y holds the codes 0 … C − 1 as floats.

        q = (1 − s) [c = y] + s / C

    smoothing: [] s in [0, 1], of the labels (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7): the
    share of the truth that is spread over all C classes, the right one too. At s = 0 it is −log p[y], bit for bit.

    >>> round(float(softmax(jnp.zeros((3, 1)), jnp.array([2.0]))), 4)
    1.0986
    """
    hit = jnp.arange(outputs.shape[0])[:, None] == y[None].astype(jnp.int32)  # a gather would be slower
    total, right = jax.nn.logsumexp(outputs, 0), jnp.where(hit, outputs, 0).sum(0)
    surprise = total - right
    if not _none(smoothing):
        surprise = surprise + smoothing * (right - outputs.mean(0))
    return surprise.mean()


def _none(smoothing: Setting) -> bool:
    """Whether smoothing is left out of the program; a number of the program stays in it."""
    return isinstance(smoothing, (int, float)) and smoothing == 0


LOSSES: dict[str, Callable[..., Array]] = {  # (outputs, y, smoothing=0.0) -> []
    "squared_error": squared_error,
    "logistic": logistic,
    "softmax": softmax,
}


def predictions(loss: str, outputs: Array, unit: Callable[[Array], Array] | None) -> Array:
    """Outputs [C, M] as predictions: [M] in the target's unit, or probabilities [M, classes], float64.

    unit: for squared_error, the way back from the unit that the net learnt in (None where it is the target's own).
    """
    outputs = np.asarray(outputs, np.float64)
    if loss == "squared_error":
        return unit(outputs[0]) if unit else outputs[0]
    if loss == "logistic":
        p = 1 / (1 + np.exp(-np.clip(outputs[0], -700, 700)))
        return np.stack([1 - p, p], axis=1)
    shifted = np.exp(outputs - outputs.max(axis=0))
    return (shifted / shifted.sum(axis=0)).T


def measured(loss: str, outputs: Array, y: Array) -> float:
    """The training loss on scored rows, in units of that of a constant prediction, roughly."""
    with np.errstate(over="ignore"):
        if loss == "squared_error":
            return float(np.mean((outputs[0] - y) ** 2))
        if loss == "logistic":
            return float(np.mean(np.logaddexp(0, outputs[0]) - y * outputs[0]))
        top = outputs.max(axis=0)
        chosen = outputs[y.astype(int), np.arange(len(y))]
        return float(np.mean(np.log(np.exp(outputs - top).sum(axis=0)) + top - chosen)) / np.log(len(outputs))
