"""Back-propagation number by number: a small sigmoid network whose every partial derivative can be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from scipy.special import expit

from slalom.errors import wrong
from slalom.types import Array


class Forward(NamedTuple):
    """Every number of the way forward; one array a layer, the first layer first."""

    net: tuple[Array, ...]  # net input of each unit [out]
    out: tuple[Array, ...]  # its activation [out]


class Backward(NamedTuple):
    """Every factor of the chain rule, one array a layer, the first layer first. ∂E/∂w is their product."""

    loss: float  # E, half the sum of the squared errors
    de_dout: tuple[Array, ...]  # [out]
    dout_dnet: tuple[Array, ...]  # [out]
    de_dnet: tuple[Array, ...]  # [out], the product of these two
    dnet_dw: tuple[Array, ...]  # [in], what comes into the layer
    de_dw: tuple[Array, ...]  # [out, in]
    de_db: tuple[Array, ...]  # [out], or [] where the layer shares one bias


@dataclass(frozen=True, eq=False)
class SigmoidNet:
    """A network of sigmoid layers with half the squared error (Rumelhart, Hinton & Williams 1986).

        forward:    net = W x + b            out = 1 / (1 + e^−net)        E = ½ Σ (target − out)²
        backward:   ∂E/∂out = out − target   in the last layer, Wᵀ ∂E/∂net of the next layer in the others
                    ∂E/∂net = ∂E/∂out · out (1 − out)
                    ∂E/∂w = ∂E/∂net · x      ∂E/∂b = ∂E/∂net, summed over the units that share b
        step:       w ← w − η ∂E/∂w          b ← b − η ∂E/∂b

    https://doi.org/10.1038/323533a0. One row at a time: inputs [D], targets [out of the last layer]. In NumPy float64.
    To train nets, race them: this one is there to be read.

    weights: one [out, in] a layer. biases: one a layer, [out] or one number that all its units share.

    >>> net = SigmoidNet([[[0.15, 0.2], [0.25, 0.3]], [[0.4, 0.45], [0.5, 0.55]]], [0.35, 0.6])
    >>> net.forward([0.05, 0.1]).out[-1].round(6).tolist()
    [0.751365, 0.772928]
    >>> net.backward([0.05, 0.1], [0.01, 0.99]).de_dw[-1].round(6).tolist()
    [[0.082167, 0.082668], [-0.022603, -0.02274]]
    """

    weights: Sequence[Array]
    biases: Sequence[Array]

    def __post_init__(self) -> None:
        weights = tuple(np.array(w, np.float64) for w in self.weights)
        biases = tuple(np.array(b, np.float64) for b in self.biases)
        if not weights or len(weights) != len(biases):
            wanted = "one array of weights and one bias for each layer, at least one"
            raise wrong("SigmoidNet", wanted, f"{len(weights)} and {len(biases)}")
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            if w.ndim != 2 or 0 in w.shape:
                raise wrong(f"SigmoidNet(weights=…)[{i}]", "of shape (outputs, inputs)", w.shape)
            if i and w.shape[1] != len(weights[i - 1]):
                wanted = f"of {len(weights[i - 1])} columns, one for each unit of the layer before"
                raise wrong(f"SigmoidNet(weights=…)[{i}]", wanted, w.shape)
            if b.shape not in ((), (len(w),)):
                raise wrong(f"SigmoidNet(biases=…)[{i}]", f"one number, or {len(w)}: one a unit", b.shape)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "biases", biases)

    @classmethod
    def random(cls, sizes: Sequence[int], seed: int = 0, shared_bias: bool = False) -> Self:
        """A net of the given sizes (inputs, units of each layer), weights drawn from N(0, 1 / inputs), biases 0.

        >>> [w.shape for w in SigmoidNet.random([2, 5, 1]).weights]
        [(5, 2), (1, 5)]
        """
        if len(sizes) < 2 or not all(isinstance(size, (int, np.integer)) and size > 0 for size in sizes):
            raise wrong("SigmoidNet.random(sizes=…)", "the inputs and the units of at least one layer", sizes)
        rng = np.random.default_rng(seed)
        weights = [rng.normal(size=(n, d)) / np.sqrt(d) for d, n in pairwise(sizes)]
        return cls(weights, [np.zeros(() if shared_bias else n) for n in sizes[1:]])

    def forward(self, inputs: Array) -> Forward:
        """The net input and the activation of every unit."""
        x = _row("inputs", inputs, self.weights[0].shape[1])
        nets, outs = [], []
        for w, b in zip(self.weights, self.biases, strict=True):
            nets.append(w @ x + b)
            x = expit(nets[-1])
            outs.append(x)
        return Forward(tuple(nets), tuple(outs))

    def backward(self, inputs: Array, targets: Array) -> Backward:
        """The error, and its derivative with respect to everything, factor by factor."""
        out = self.forward(inputs).out
        target = _row("targets", targets, len(self.weights[-1]))
        layers = range(len(out))
        dnet_dw = (_row("inputs", inputs, self.weights[0].shape[1]), *out[:-1])
        dout_dnet = tuple(a * (1 - a) for a in out)
        de_dout, de_dnet = [out[-1] - target], [(out[-1] - target) * dout_dnet[-1]]
        for i in reversed(layers[:-1]):
            de_dout.insert(0, self.weights[i + 1].T @ de_dnet[0])
            de_dnet.insert(0, de_dout[0] * dout_dnet[i])
        return Backward(
            loss=float(0.5 * ((target - out[-1]) ** 2).sum()),
            de_dout=tuple(de_dout),
            dout_dnet=dout_dnet,
            de_dnet=tuple(de_dnet),
            dnet_dw=dnet_dw,
            de_dw=tuple(np.outer(de_dnet[i], dnet_dw[i]) for i in layers),
            de_db=tuple(de_dnet[i] if self.biases[i].ndim else np.array(de_dnet[i].sum()) for i in layers),
        )

    def step(self, inputs: Array, targets: Array, learning_rate: float, biases: bool = True) -> "SigmoidNet":
        """The net after one step of gradient descent on this row; with `biases=False` they stay as they are."""
        if not (np.isscalar(learning_rate) and np.isfinite(learning_rate)):
            raise wrong("SigmoidNet.step(learning_rate=…)", "a finite number", learning_rate)
        back = self.backward(inputs, targets)
        return SigmoidNet(
            [w - learning_rate * d for w, d in zip(self.weights, back.de_dw, strict=True)],
            [b - learning_rate * d * biases for b, d in zip(self.biases, back.de_db, strict=True)],
        )

    def explain(self, inputs: Array, targets: Array, learning_rate: float | None = None) -> str:
        """Every number with its formula, as text: forward, the error, backward, and the step where a rate is given.

        Units are numbered from 1: `out[2][1]` is the first unit of the second layer, `w[2][1,3]` its third weight;
        `out[0]` are the inputs.
        """
        lines = [*self._forward_lines(inputs), *self._error_lines(inputs, targets)]
        for layer in range(len(self.weights), 0, -1):
            lines += self._backward_lines(self.backward(inputs, targets), layer)
        if learning_rate is not None:
            lines += self._step_lines(
                self.backward(inputs, targets), self.step(inputs, targets, learning_rate), learning_rate
            )
        return "\n".join(lines)

    def _bias_name(self, layer: int, unit: int) -> str:
        return f"b[{layer}][{unit}]" if self.biases[layer - 1].ndim else f"b[{layer}]"

    def _forward_lines(self, inputs: Array) -> list[str]:
        forward, x, lines = self.forward(inputs), np.asarray(inputs, np.float64), ["Forward"]
        for layer, (w, b, nets, outs) in enumerate(
            zip(self.weights, self.biases, forward.net, forward.out, strict=True), start=1
        ):
            for unit, row in enumerate(w, start=1):
                names = [f"w[{layer}][{unit},{i}] out[{layer - 1}][{i}]" for i in range(1, len(x) + 1)]
                sums = [f"{_n(a)} · {_n(v)}" for a, v in zip(row, x, strict=True)]
                bias = np.broadcast_to(b, len(w))[unit - 1]
                net, out = nets[unit - 1], outs[unit - 1]
                lines += [
                    f"  net[{layer}][{unit}] = {' + '.join([*names, self._bias_name(layer, unit)])}"
                    f" = {' + '.join([*sums, _n(bias)])} = {_n(net)}",
                    f"  out[{layer}][{unit}] = 1 / (1 + e^−net[{layer}][{unit}]) = {_n(out)}",
                ]
            x = outs
        return lines

    def _error_lines(self, inputs: Array, targets: Array) -> list[str]:
        pairs = zip(np.asarray(targets, np.float64), self.forward(inputs).out[-1], strict=True)
        terms = " + ".join(f"½ ({_n(t)} − {_n(o)})²" for t, o in pairs)
        return ["Error", f"  E = ½ Σ (target − out)² = {terms} = {_n(self.backward(inputs, targets).loss)}"]

    def _backward_lines(self, back: Backward, layer: int) -> list[str]:
        i, last, lines = layer - 1, layer == len(self.weights), [f"Backward, layer {layer}"]
        for unit, (a, b, c) in enumerate(
            zip(back.de_dout[i], back.dout_dnet[i], back.de_dnet[i], strict=True), start=1
        ):
            here, n = f"[{layer}][{unit}]", len(self.weights[layer]) if not last else 0
            ahead = (f"∂E/∂net[{layer + 1}][{k}] w[{layer + 1}][{k},{unit}]" for k in range(1, n + 1))
            lines += [
                f"  ∂E/∂out{here} = {f'out{here} − target[{unit}]' if last else ' + '.join(ahead)} = {_n(a)}",
                f"  ∂out{here}/∂net{here} = out{here} (1 − out{here}) = {_n(b)}",
                f"  ∂E/∂net{here} = ∂E/∂out{here} · ∂out{here}/∂net{here} = {_n(a)} · {_n(b)} = {_n(c)}",
            ]
            for k, (x, d) in enumerate(zip(back.dnet_dw[i], back.de_dw[i][unit - 1], strict=True), start=1):
                w = f"w[{layer}][{unit},{k}]"
                lines.append(f"  ∂E/∂{w} = ∂E/∂net{here} · ∂net{here}/∂{w} = {_n(c)} · {_n(x)} = {_n(d)}")
        slopes = np.atleast_1d(back.de_db[i])
        for unit, d in enumerate(slopes, start=1):
            units = [unit] if self.biases[i].ndim else range(1, len(self.weights[i]) + 1)
            terms = " + ".join(f"∂E/∂net[{layer}][{k}]" for k in units)
            lines.append(f"  ∂E/∂{self._bias_name(layer, unit)} = {terms} = {_n(d)}")
        return lines

    def _step_lines(self, back: Backward, after: "SigmoidNet", rate: float) -> list[str]:
        lines = [f"Step at the rate {_n(rate)}"]
        for i, (w, d, new) in enumerate(zip(self.weights, back.de_dw, after.weights, strict=True)):
            for at in np.ndindex(*w.shape):
                name = f"w[{i + 1}][{at[0] + 1},{at[1] + 1}]"
                lines.append(f"  {name} ← {_n(w[at])} − {_n(rate)} · {_n(d[at])} = {_n(new[at])}")
            for at in np.ndindex(*self.biases[i].shape):
                name, b, slope = self._bias_name(i + 1, at[0] + 1 if at else 1), self.biases[i][at], back.de_db[i][at]
                lines.append(f"  {name} ← {_n(b)} − {_n(rate)} · {_n(slope)} = {_n(after.biases[i][at])}")
        return lines


def _n(number: float) -> str:
    """A number as the lessons print it: nine digits."""
    return f"{float(number):.9g}"


def _row(what: str, values: Array, length: int) -> Array:
    row = np.asarray(values, np.float64)
    if row.shape != (length,):
        raise wrong(f"SigmoidNet: {what}", f"one row of {length} numbers", row.shape)
    return row
