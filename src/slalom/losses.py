"""The losses a net is trained with, functions of outputs [C, B] and targets [B], and the predictions of each.

All are called alike, (outputs, y, smoothing, number): what means nothing to a loss it does not read. y of a regression
is in the net's unit of the target.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from slalom.types import Array, Setting

CHOICES = {  # of a recipe, for each task; auto is the first
    "regression": ("squared_error", "huber", "absolute_error", "quantile", "poisson"),
    "classification": ("cross_entropy",),  # in the program logistic or softmax
}


def squared_error(outputs: Array, y: Array, smoothing: Setting = 0.0, number: Setting = None) -> Array:
    """Mean squared error: mean((ŷ − y)²), ŷ = outputs[0]; y in the (standardised) unit of the target.

    >>> float(squared_error(jnp.array([[1.0, 3.0]]), jnp.array([1.0, 1.0])))
    2.0
    """
    del smoothing, number
    return ((outputs[0] - y) ** 2).mean()


def huber(outputs: Array, y: Array, smoothing: Setting = 0.0, number: Setting = 1.0) -> Array:
    """Huber's loss: a square near 0 and a straight line further out, so that an outlier pulls no harder than δ.

        mean(½ r² where |r| ≤ δ, δ (|r| − ½ δ) elsewhere)     r = ŷ − y

    number: [] δ > 0, in the net's unit of the target. Source: Huber 1964, https://doi.org/10.1214/aoms/1177703732; the
    same as PyTorch's HuberLoss.

    >>> float(huber(jnp.array([[1.0, 4.0]]), jnp.array([1.0, 1.0])))
    1.25
    """
    del smoothing
    r = outputs[0] - y
    near = jnp.clip(r, -number, number)
    return (near * (r - 0.5 * near)).mean()  # ½ r² inside; its slope is `near` everywhere, at the corners too


def absolute_error(outputs: Array, y: Array, smoothing: Setting = 0.0, number: Setting = None) -> Array:
    """Mean absolute error: mean(|ŷ − y|), which the median minimises; the slope at 0 is 0, as in PyTorch.

    >>> float(absolute_error(jnp.array([[1.0, 4.0]]), jnp.array([1.0, 1.0])))
    1.5
    """
    del smoothing, number
    r = outputs[0] - y
    return jnp.maximum(r, -r).mean()  # JAX gives |r| the slope 1 at 0


def quantile(outputs: Array, y: Array, smoothing: Setting = 0.0, number: Setting = 0.5) -> Array:
    """The pinball loss, which the quantile τ minimises: mean(max(τ d, (τ − 1) d)), d = y − ŷ.

    number: [] τ in (0, 1). At d = 0 the slope is the mean of those on both sides, as that of PyTorch's maximum. Source:
    Koenker & Bassett 1978, https://doi.org/10.2307/1913643.

    >>> round(float(quantile(jnp.array([[1.0, 1.0]]), jnp.array([2.0, 0.0]), number=0.9)), 4)  # (0.9 + 0.1) / 2
    0.5
    """
    del smoothing
    d = y - outputs[0]
    return jnp.maximum(number * d, (number - 1) * d).mean()


def poisson(outputs: Array, y: Array, smoothing: Setting = 0.0, number: Setting = None) -> Array:
    """The negative log-likelihood of counts whose mean is eᶻ, z = outputs[0], but for what z does not change.

        mean(eᶻ − y z)     y ≥ 0 in units of its mean over the training rows, so that z = 0 is a prediction of the mean

    The same as PyTorch's PoissonNLLLoss(log_input=True, full=False).

    >>> float(poisson(jnp.array([[0.0, 0.0]]), jnp.array([0.0, 2.0])))
    1.0
    """
    del smoothing, number
    return (jnp.exp(outputs[0]) - y * outputs[0]).mean()


def logistic(outputs: Array, y: Array, smoothing: Setting = 0.0, number: Setting = None) -> Array:
    """Binary cross-entropy from one logit: mean(log(1 + eᶻ) − q z), z = outputs[0], y 0 or 1.

        q = (1 − s) y + s / 2

    smoothing: [] s in [0, 1], of the labels, as in `softmax` with two classes. number: [2] weights of the classes.

    >>> round(float(logistic(jnp.array([[0.0]]), jnp.array([1.0]))), 4)
    0.6931
    """
    z = outputs[0]
    q = y if _none(smoothing) else y + smoothing * (0.5 - y)
    surprise = jax.nn.softplus(z) - q * z
    return surprise.mean() if number is None else _weighted(surprise, jnp.where(y == 0, number[0], number[1]))


def softmax(outputs: Array, y: Array, smoothing: Setting = 0.0, number: Setting = None) -> Array:
    """Cross-entropy of C classes: mean(log Σ eᶻ − Σ q z); y holds the codes 0 … C − 1 as floats.

        q = (1 − s) [c = y] + s / C

    smoothing: [] s in [0, 1], of the labels (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7): the
    share of the truth that is spread over all C classes, the right one too. At s = 0 it is −log p[y], bit for bit.
    number: [C] weights w of the classes; the mean is then Σ w ℓ / Σ w over the rows, w that of a row's own class, as in
    PyTorch's CrossEntropyLoss(weight=w) where s = 0 (PyTorch spreads the share s in proportion to w, here it is even).

    >>> round(float(softmax(jnp.zeros((3, 1)), jnp.array([2.0]))), 4)
    1.0986
    """
    hit = jnp.arange(outputs.shape[0])[:, None] == y[None].astype(jnp.int32)  # a gather would be slower
    total, right = jax.nn.logsumexp(outputs, 0), jnp.where(hit, outputs, 0).sum(0)
    surprise = total - right
    if not _none(smoothing):
        surprise = surprise + smoothing * (right - outputs.mean(0))
    return surprise.mean() if number is None else _weighted(surprise, jnp.where(hit, number[:, None], 0).sum(0))


def _weighted(surprise: Array, weights: Array) -> Array:
    """The mean of the rows' losses [B] with their weights [B]: Σ w ℓ / Σ w."""
    return (weights * surprise).sum() / weights.sum()


def _none(smoothing: Setting) -> bool:
    """Whether smoothing is left out of the program; a number of the program stays in it."""
    return isinstance(smoothing, (int, float)) and smoothing == 0


LOSSES: dict[str, Callable[..., Array]] = {  # (outputs, y, smoothing=0.0, number=…) -> []
    "squared_error": squared_error,
    "huber": huber,
    "absolute_error": absolute_error,
    "quantile": quantile,
    "poisson": poisson,
    "logistic": logistic,
    "softmax": softmax,
}


def class_weights(counts: Array, exponent: float) -> Array:
    """The weights [C] of classes that have counts [C] training rows: (n / (C n_c))^exponent, n = Σ n_c.

    exponent: 0 leaves all rows alike (the weights are 1, exactly), 1 makes all classes alike (scikit-learn's
    class_weight="balanced"). A class without a row counts as one with a row; nothing is weighed by it.

    >>> class_weights(np.array([90, 10]), 1.0).round(4).tolist(), class_weights(np.array([90, 10]), 0.0).tolist()
    ([0.5556, 5.0], [1.0, 1.0])
    """
    counts = np.asarray(counts, np.float64)
    return (counts.sum() / (len(counts) * np.maximum(counts, 1))) ** exponent


def number_shape(loss: str, outputs: int) -> tuple[int, ...]:
    """The shape of the number that a loss of the program takes: one a class, or a single one."""
    return {"logistic": (2,), "softmax": (outputs,)}.get(loss, ())


def predictions(loss: str, outputs: Array, unit: Callable[[Array], Array] | None, temperature: float = 1.0) -> Array:
    """Outputs [C, M] as predictions: [M] in the target's unit, or probabilities [M, classes], float64.

        p = softmax(z / T), or 1 / (1 + e^(−z / T));   of poisson unit(eᶻ)

    unit: for a regression, the way back from the unit that the net learnt in (None where it is the target's own).
    temperature: T > 0, of classes alone.
    """
    outputs = np.asarray(outputs, np.float64)
    if loss in CHOICES["regression"]:
        with np.errstate(over="ignore"):
            answer = np.exp(outputs[0]) if loss == "poisson" else outputs[0]
        return unit(answer) if unit else answer
    outputs = outputs / temperature
    if loss == "logistic":
        p = 1 / (1 + np.exp(-np.clip(outputs[0], -700, 700)))
        return np.stack([1 - p, p], axis=1)
    shifted = np.exp(outputs - outputs.max(axis=0))
    return (shifted / shifted.sum(axis=0)).T


def measured(loss: str, outputs: Array, y: Array, number: float = 1.0) -> float:
    """The training loss on scored rows, in units of that of a constant prediction, roughly; classes weigh alike.

    Of poisson half the deviance, which is 0 at best: mean(eᶻ − y − y (z − log y)).
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if loss in CHOICES["regression"]:
            return float(np.mean(_each(loss, outputs[0], y, number)))
        if loss == "logistic":
            return float(np.mean(np.logaddexp(0, outputs[0]) - y * outputs[0]))
        top = outputs.max(axis=0)
        chosen = outputs[y.astype(int), np.arange(len(y))]
        return float(np.mean(np.log(np.exp(outputs - top).sum(axis=0)) + top - chosen)) / np.log(len(outputs))


def _each(loss: str, z: Array, y: Array, number: float) -> Array:
    """The losses [M] of the rows of a regression."""
    r = z - y
    if loss == "huber":
        near = np.clip(r, -number, number)
        return near * (r - 0.5 * near)
    if loss == "absolute_error":
        return np.abs(r)
    if loss == "quantile":
        return np.maximum(-number * r, (1 - number) * r)
    if loss == "poisson":
        return np.exp(z) - y - np.where(y > 0, y * (z - np.log(y)), 0)
    return r**2


def constant(loss: str, mean: float, variance: float, number: float = 1.0) -> tuple[float, float]:
    """(the output of a net that knows nothing, about what its loss is) for a target with this mean and variance in the
    net's unit; classes have none.

    >>> constant("huber", 3.0, 4.0, 0.5), constant("poisson", 1.0, 9.0), constant("softmax", 0.0, 1.0)
    ((3.0, 1.0), (0.0, 1.0), (0.0, 1.0))
    """
    spread = variance**0.5
    if loss == "squared_error":
        return mean, variance
    if loss == "huber":
        return mean, min(variance / 2, number * spread)
    return (mean, spread) if loss in ("absolute_error", "quantile") else (0.0, 1.0)
