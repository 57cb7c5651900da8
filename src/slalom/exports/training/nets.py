"""Parts of a net as text, for PyTorch and for Keras: initialisers, activations, normalisations, losses."""

from typing import Any

from slalom.layers import ACTIVATIONS, INITIALISERS
from slalom.layers.activations import LEAK
from slalom.net import NORMALISATIONS, Net
from slalom.recipe import Recipe

# Each initialiser: of PyTorch on `layer.weight`, and of Keras.
SCALED = "keras.initializers.VarianceScaling({}, {!r}, {!r})"
INITS: dict[str, tuple[str, str]] = {
    "auto": (
        "nn.init.normal_(layer.weight, std=gain / inputs**0.5)",
        SCALED.format("gain**2", "fan_in", "untruncated_normal"),
    ),
    "lecun_normal": (
        "nn.init.normal_(layer.weight, std=inputs**-0.5)",
        SCALED.format(1, "fan_in", "untruncated_normal"),
    ),
    "he_normal": (
        "nn.init.normal_(layer.weight, std=(2 / inputs) ** 0.5)",
        SCALED.format(2, "fan_in", "untruncated_normal"),
    ),
    "glorot_normal": (
        "nn.init.xavier_normal_(layer.weight)",
        SCALED.format(1, "fan_avg", "untruncated_normal"),
    ),
    "lecun_uniform": (
        "nn.init.uniform_(layer.weight, -((3 / inputs) ** 0.5), (3 / inputs) ** 0.5)",
        SCALED.format(1, "fan_in", "uniform"),
    ),
    "he_uniform": (
        "nn.init.uniform_(layer.weight, -((6 / inputs) ** 0.5), (6 / inputs) ** 0.5)",
        SCALED.format(2, "fan_in", "uniform"),
    ),
    "glorot_uniform": ("nn.init.xavier_uniform_(layer.weight)", SCALED.format(1, "fan_avg", "uniform")),
    "orthogonal": ("nn.init.orthogonal_(layer.weight, gain)", "keras.initializers.Orthogonal(gain)"),
}
TORCH_ACTIVATIONS = {
    "relu": "nn.ReLU()", "leaky_relu": f"nn.LeakyReLU({LEAK})", "silu": "nn.SiLU()", "gelu": "nn.GELU()",
    "mish": "nn.Mish()", "elu": "nn.ELU()", "selu": "nn.SELU()", "softplus": "nn.Softplus()", "tanh": "nn.Tanh()",
    "sigmoid": "nn.Sigmoid()", "identity": "nn.Identity()",
}  # fmt: skip
KERAS_ACTIVATIONS = {name: f'layers.Activation("{name}")' for name in TORCH_ACTIVATIONS} | {
    "leaky_relu": f"layers.LeakyReLU(negative_slope={LEAK})",
    "identity": 'layers.Activation("linear")',
}


def normalisation(net: Net, library: str, penalty: bool) -> str:
    """The layer that normalises hidden features; "" for none."""
    layer = NORMALISATIONS[net.normalisation](net.width)
    if layer is None:
        return ""
    groups = getattr(layer, "groups", 1)
    if library == "torch":
        return {
            "batch_norm": "nn.BatchNorm1d(WIDTH)",
            "layer_norm": "nn.LayerNorm(WIDTH)",
            "group_norm": f"nn.GroupNorm({groups}, WIDTH)",
        }[net.normalisation]
    more = ", gamma_regularizer=PENALTY, beta_regularizer=PENALTY" if penalty else ""
    return {
        "batch_norm": f"layers.BatchNormalization(momentum=0.9, epsilon=1e-5{more})",
        "layer_norm": f"layers.LayerNormalization(epsilon=1e-5{more})",
        "group_norm": f"layers.GroupNormalization({groups}, axis=-1, epsilon=1e-5{more})",
    }[net.normalisation]


def gain(net: Net, recipe: Recipe) -> float:
    """The gain of the weights in front of an activation, as text of the script."""
    return round(ACTIVATIONS[net.activation].gain, 6) if INITIALISERS[recipe.initialiser].scaled else 1.0


LOSS_WORDS = {
    "squared_error": "The mean squared error",
    "huber": "Huber's loss: a square near 0, a straight line further out",
    "absolute_error": "The mean absolute error",
    "quantile": "The pinball loss",
    "poisson": "The negative log-likelihood of counts with the mean exp z",
    "logistic": "The cross-entropy of two classes, from one logit",
    "softmax": "The cross-entropy of the classes",
}


def torch_loss(loss: str, recipe: Recipe) -> list[str]:
    """The lines of `loss(z, y)`, or of `loss(z, y, weights)` where classes are weighed: z [B, C], y [B]."""
    smooth, weighed = recipe.label_smoothing, bool(recipe.class_weight)
    if loss == "softmax":
        if not weighed:
            return [f"return nn.functional.cross_entropy(z, y{f', label_smoothing={smooth}' if smooth else ''})"]
        each = f'nn.functional.cross_entropy(z, y, reduction="none"{f", label_smoothing={smooth}" if smooth else ""})'
        return [f"each, own = {each}, weights[y]", "return (own * each).sum() / own.sum()"]
    if loss == "logistic":
        soft = f"q = y + {smooth} * (0.5 - y)" if smooth else "q = y.float()"
        if not weighed:
            return [soft, "return nn.functional.binary_cross_entropy_with_logits(z[:, 0], q)"]
        each = 'nn.functional.binary_cross_entropy_with_logits(z[:, 0], q, reduction="none")'
        return [soft, f"each, own = {each}, weights[y]", "return (own * each).sum() / own.sum()"]
    if loss == "quantile":
        q = recipe.quantile
        return ["d = y - z[:, 0]", f"return torch.maximum({q} * d, ({q} - 1) * d).mean()"]
    return {
        "squared_error": ["return nn.functional.mse_loss(z[:, 0], y)"],
        "huber": [f"return nn.functional.huber_loss(z[:, 0], y, delta={recipe.huber_delta})"],
        "absolute_error": ["return nn.functional.l1_loss(z[:, 0], y)"],
        "poisson": ["return nn.functional.poisson_nll_loss(z[:, 0], y)"],
    }[loss]


def keras_loss(loss: str, recipe: Recipe) -> list[str]:
    """The lines of `loss(y, z)`."""
    smooth = recipe.label_smoothing
    lines = ["y = ops.reshape(y, (-1,))"]
    if loss == "softmax":
        lines += ["z = ops.reshape(z, (-1, OUTPUTS))", "hit = ops.one_hot(ops.cast(y, 'int32'), OUTPUTS)"]
        lines += [f"hit = (1 - {smooth}) * hit + {smooth} / OUTPUTS"] * bool(smooth)
        lines += ["each = ops.logsumexp(z, 1) - ops.sum(hit * z, 1)"]
    elif loss == "logistic":
        q = f"y + {smooth} * (0.5 - y)" if smooth else "y"
        lines += ["z = ops.reshape(z, (-1,))", f"each = ops.softplus(z) - ({q}) * z"]
    else:
        delta, tau = recipe.huber_delta, recipe.quantile
        lines += ["z = ops.reshape(z, (-1,))"]
        lines += {
            "squared_error": ["return ops.mean((z - y) ** 2)"],
            "huber": [f"near = ops.clip(z - y, -{delta}, {delta})", "return ops.mean(near * (z - y - 0.5 * near))"],
            "absolute_error": ["return ops.mean(ops.abs(z - y))"],
            "quantile": [f"return ops.mean(ops.maximum({tau} * (y - z), ({tau} - 1) * (y - z)))"],
            "poisson": ["return ops.mean(ops.exp(z) - y * z)"],
        }[loss]
        return lines
    if not recipe.class_weight:
        return [*lines, "return ops.mean(each)"]
    return [*lines, "own = ops.take(loss.weights, ops.cast(y, 'int32'))", "return ops.sum(own * each) / ops.sum(own)"]


def net_words(net: Net, recipe: Recipe) -> str:
    """The net in a line."""
    if not net.depth:
        return "A linear model"
    what = f"{net.depth} blocks" if net.block == "residual" else f"{net.depth} hidden layers"
    norm = "" if net.normalisation == "none" else f", {net.normalisation.replace('_', ' ')}"
    embedding = "" if net.embedding == "none" else f" behind a {net.embedding.replace('_', ' ')} embedding"
    return f"{what} of {net.width} features, {net.activation}{norm}{embedding}"


def parts(net: Net, library: str) -> str:
    """What the first dense layer takes, as the entries of a list."""
    codes, torch = len(net.categories), library == "torch"
    x = "x" if torch else "inputs"
    found = []
    if codes and torch:
        found.append("*(own(code) for own, code in zip(self.vectors, x[:, PLAIN:].T))")
    elif codes:
        found.append("*(Vectors(levels)(inputs[:, PLAIN + i]) for i, levels in enumerate(LEVELS))")
    end = "PLAIN" if codes else ""
    if net.embedding != "none":
        embed = {"periodic": "Periodic()", "piecewise_linear": "PiecewiseLinear(x[:, :EMBEDDED])"}[net.embedding]
        found.append(f"{'self.embed' if torch else embed}({x}[:, :EMBEDDED])")
    first = "EMBEDDED" if net.embedding != "none" else ""
    if net.plain > net.resolved:
        found.append(f"{x}[:, {first}:{end}]" if first or end else x)
    return ", ".join(found)


def first_size(net: Net) -> str:
    """How many features the first dense layer takes, as an expression of the script's constants."""
    if not net.categories and net.embedding == "none":
        return "x.shape[1]"
    return str(net.sizes[0])


def words_of(init: str) -> str:
    """An initialiser in words."""
    return INITIALISERS[init].formula


def torch_layers(norm: str, activation: str) -> dict[str, Any]:
    """What stands between dense layers, as entries of a list."""
    return {"norm": f"{norm}, " if norm else "", "act": TORCH_ACTIVATIONS[activation]}


def keras_layers(norm: str, activation: str) -> dict[str, Any]:
    """The same as functions of the text of what they take."""
    act = KERAS_ACTIVATIONS[activation]
    return {"norm": lambda h: f"{norm}({h})" if norm else h, "act": lambda h: f"{act}({h})"}
