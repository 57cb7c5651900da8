"""Lesson: back-propagation, every number of a small sigmoid net."""

from typing import Any

import numpy as np

from slalom.back_propagation import SigmoidNet
from slalom.lessons.base import Lesson, Page

INPUTS, TARGETS = (0.05, 0.1), (0.01, 0.99)
FIRST, B1 = ((0.15, 0.2), (0.25, 0.3)), 0.35
SECOND, B2 = ((0.4, 0.45), (0.5, 0.55)), 0.6
RATE = 0.5


def _net() -> SigmoidNet:
    return SigmoidNet([FIRST, SECOND], [B1, B2])


def tell(page: Page) -> None:
    """The way forward, the way back, one step, and a check by differences."""
    net = _net()
    page.say("Two inputs, two hidden units, two outputs, a sigmoid everywhere, one bias a layer that its units share.")
    page.lines(*net.explain(INPUTS, TARGETS).split("\n"))
    after, back = net.step(INPUTS, TARGETS, RATE, biases=False), net.backward(INPUTS, TARGETS)
    page.say("One step at the rate {rate}; the biases stay as they are:", rate=RATE)
    names = [f"w[{layer}][{i},{k}]" for layer in (1, 2) for i in (1, 2) for k in (1, 2)]
    columns: dict[str, Any] = {"before": net.weights, "slope": back.de_dw, "after": after.weights}
    page.table({"weight": names} | {name: np.ravel(rows) for name, rows in columns.items()}, digits=9)
    page.say("The error falls from {before:.9f} to {after:.9f}; after 10,000 such steps it is {end:.3g}.",
             before=back.loss, after=after.backward(INPUTS, TARGETS).loss, end=_after(10_000))  # fmt: skip
    page.say("A check without any chain rule, (E(w + h) − E(w − h)) / 2h with h = 1e-6, differs by at most {off:.1e}.",
             off=_check(net))  # fmt: skip
    page.see(
        "Every slope is a product of three: how the error hangs on the output, the output on its net input, and the"
             " net input on the weight.")  # fmt: skip
    page.see("∂E/∂net is computed once a unit and used by all its weights, and by the layer below: that is why one way"
             " back costs about as much as one way forward.")  # fmt: skip
    page.see(
        "The slopes of the first layer are some hundred times smaller: each sigmoid multiplies by at most 1/4. In "
        "deep"
             " nets of sigmoids little arrives (see the lesson deep-sigmoid).")  # fmt: skip


def _after(steps: int) -> float:
    net = _net()
    for _ in range(steps):
        net = net.step(INPUTS, TARGETS, RATE, biases=False)
    return net.backward(INPUTS, TARGETS).loss


def _check(net: SigmoidNet, h: float = 1e-6) -> float:
    """The largest difference between a slope and its difference quotient."""
    worst, back = 0.0, net.backward(INPUTS, TARGETS)
    for layer, slopes in enumerate(back.de_dw):
        for at in np.ndindex(*slopes.shape):
            ends = []
            for side in (h, -h):
                weights = [w.copy() for w in net.weights]
                weights[layer][at] += side
                ends.append(SigmoidNet(weights, net.biases).backward(INPUTS, TARGETS).loss)
            worst = max(worst, abs((ends[0] - ends[1]) / (2 * h) - slopes[at]))
    return worst


def draw() -> Any:
    """The net with its numbers on the way forward and the slopes on its weights."""
    from slalom import pictures

    net = _net()
    out, back = net.forward(INPUTS).out, net.backward(INPUTS, TARGETS)
    layers = [np.array(INPUTS), *out]
    made, axes = pictures.panels(width=9.4, height=5.2)
    panel = axes[0, 0]
    panel.set_axis_off()
    panel.set(xlim=(-0.35, 2.75), ylim=(-0.45, 1.5))
    for layer, slopes in enumerate(back.de_dw):
        for i, k in np.ndindex(*slopes.shape):
            ends = np.array([[layer, 1 - k], [layer + 1, 1 - i]], float)
            size = abs(slopes[i, k]) / abs(back.de_dw[1]).max()
            panel.plot(*ends.T, color="C0" if slopes[i, k] > 0 else "C1", linewidth=0.8 + 4 * size**0.5, zorder=1)
            at = ends[0] + (ends[1] - ends[0]) * (0.42 if i == k else 0.27)
            panel.annotate(
                f"w = {net.weights[layer][i, k]:g}\n∂E/∂w = {slopes[i, k]:.6f}",
                xy=at,
                ha="center",
                va="center",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.9},
            )
    for layer, values in enumerate(layers):
        for unit, value in enumerate(values):
            panel.plot(
                layer, 1 - unit, "o", markersize=48, markerfacecolor="white", markeredgecolor="#595959", zorder=2
            )
            panel.annotate(f"{value:.4g}", xy=(layer, 1 - unit), ha="center", va="center", fontsize=9, zorder=3)
    for layer, name in enumerate(("inputs", f"hidden, b = {B1:g}", f"outputs, b = {B2:g}")):
        panel.annotate(name, xy=(layer, 1.38), ha="center", va="center", color="#595959")
    for unit, target in enumerate(TARGETS):
        panel.annotate(f"target {target:g}", xy=(2.22, 1 - unit), va="center", color="#595959")
    panel.set_title(f"E = {back.loss:.6f}; wide lines have steep slopes: blue raises the error, orange lowers it")
    return made


LESSON = Lesson("Back-propagation: a small sigmoid net, every number", tell, draw)
