"""Lesson: batch normalisation of an image, in training and in test mode, and its dependence on the batch."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from slalom.layers import BatchNorm
from slalom.layers.base import rows_first, rows_last
from slalom.lessons.base import Lesson, Page
from slalom.types import Array

EPSILON = 1e-5
IMAGE = np.array([[
    [[-0.2751, -1.2183, -0.5106, -0.154], [-0.4585, -0.5989, -0.6063, 0.5986], [-0.4745, 0.1496, -1.1266, -1.2377]],
    [[0.258, 1.2065, 1.4598, 0.8387], [-0.4586, 0.8938, -0.3328, 0.1192], [-0.3265, -0.6263, 0.0419, -1.2231]],
]])  # fmt: skip
PAIR = np.array([[4.15, 3.85], [-2.0, 7.0]])  # two rows of two features: [F, B]


def _normed(x: Array, memory: Any = None, *, training: bool = True, rho: float = 0.1) -> tuple[Array, Any]:
    """x [F, …] through a batch norm with gain 1 and shift 0."""
    layer = BatchNorm(rho=rho, epsilon=EPSILON)
    weights, empty = layer.init(np.random.default_rng(0), len(x), len(x))
    y, after = layer.apply(weights, empty if memory is None else memory, jnp.asarray(x, jnp.float32), training=training,
                           key=0)  # fmt: skip
    return np.asarray(y, np.float64), after


def tell(page: Page) -> None:
    """One image of two channels; test mode; a row among different others; two rows."""
    page.formula("layers", "batch_norm")
    page.say(
        "One image of two channels, 3 by 4: shape (N, C, H, W) = {shape}. Each channel has one mean and one variance,"
             " over its {places} places:", shape=IMAGE.shape, places=IMAGE[0, 0].size)  # fmt: skip
    y = rows_first(_normed(rows_last(IMAGE))[0])
    for channel in range(IMAGE.shape[1]):
        page.say("Channel {channel}, before and after:", channel=channel + 1)
        for table in (IMAGE, y):
            page.table({f"x{k + 1}": table[0, channel, :, k] for k in range(IMAGE.shape[3])}, digits=4)
    page.say("Their means are now {means}, their variances {variances}.",
             means=_row(y.mean((0, 2, 3))), variances=_row(y.var((0, 2, 3))))  # fmt: skip

    _beside(page)
    page.see(
        "In training every channel has mean 0 and variance 1 over the batch; gain and shift, which begin at 1 and 0,"
             " may undo that.")  # fmt: skip
    page.see("So what a row becomes depends on the rows beside it: noise that regularises, and harms where batches are"
             " small. Of two rows nothing is left but which is larger.")  # fmt: skip
    page.see("At test time moving averages stand in for the batch: a row then has one answer, whatever is beside it.")


def _beside(page: Page) -> None:
    """What a row becomes beside different others: in training, in test mode, in pairs, by the size of the batch."""
    first, others = np.array([1.0]), {"0, 2, 3": [0.0, 2.0, 3.0], "8, 9, 10": [8.0, 9.0, 10.0]}
    page.say(
        "One row with the value 1, among different others, in training and in test mode (averages of both batches):"
    )
    memory = None
    batches = [np.concatenate([first, rest])[None] for rest in others.values()]
    for _ in range(50):
        for batch in batches:
            memory = _normed(batch, memory)[1]
    page.table(
        {
            "with": list(others),
            "training": [_normed(batch)[0][0, 0] for batch in batches],
            "test mode": [_normed(batch, memory, training=False)[0][0, 0] for batch in batches],
        },
        digits=4,
    )
    two = _normed(PAIR)[0]
    page.say("A batch of two rows: whatever they are, they become almost ±1.")
    page.table({"feature": ["1", "2"], "row 1": PAIR[:, 0], "row 2": PAIR[:, 1], "y of row 1": two[:, 0],
                "y of row 2": two[:, 1]}, digits=4)  # fmt: skip
    noise = {size: _wandering(size) for size in (2, 4, 16, 64, 256)}
    page.say(
        "How much the answer to one row changes from batch to batch (its standard deviation), by the batch's size:"
    )
    page.table({"rows in a batch": list(noise), "deviation": list(noise.values())}, digits=4)


def _wandering(size: int) -> float:
    """The deviation of the answer to the value 1 over 200 batches of this size."""
    rng = np.random.default_rng(0)
    answers = [_plain(np.append(1.0, rng.normal(size=size - 1))) for _ in range(200)]
    return float(np.std(answers))


def _plain(row: Array) -> float:
    return float(_normed(row[None])[0][0, 0])


def _row(values: Array) -> str:
    return " and ".join(f"{abs(value):.4f}" for value in values)


def draw() -> Any:
    """Both channels before and after, and how the answer wanders with the size of the batch."""
    from slalom import pictures

    y = rows_first(_normed(rows_last(IMAGE))[0])
    made, axes = pictures.panels(1, 3, width=11.4, height=3.6, gridspec_kw={"width_ratios": [1, 1, 1.4]})
    for panel, table, name in ((axes[0, 0], IMAGE, "before"), (axes[0, 1], y, "after")):
        for channel in range(2):
            values = table[0, channel].ravel()
            panel.plot(values, np.full(values.size, 1 - channel), "o", color=f"C{channel}", alpha=0.6)
            panel.plot(values.mean(), 1 - channel, "|", color=f"C{channel}", markersize=26, markeredgewidth=2)
        panel.set(
            yticks=[1, 0], yticklabels=["channel 1", "channel 2"], ylim=(-0.6, 1.6), xlim=(-2.4, 2.4), xlabel="value"
        )
        panel.set_title(f"An image, {name} (bar: mean)")
    sizes = [2, 3, 4, 8, 16, 32, 64, 128, 256]
    axes[0, 2].plot(sizes, [_wandering(size) for size in sizes], "o-")
    axes[0, 2].set_xscale("log", base=2)
    axes[0, 2].set(xlabel="rows in a batch", ylabel="deviation of one row’s answer", ylim=(0, None))
    axes[0, 2].set_title("The answer to one row depends on its batch")
    return made


LESSON = Lesson("Batch normalisation: an image, training against test mode, and the batch", tell, draw)
