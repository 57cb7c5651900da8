"""Lesson: gradient descent in its three sizes, batch, stochastic and mini-batch."""

from typing import Any

import numpy as np

from slalom.descent import descend, iterations
from slalom.lessons.base import Lesson, Page
from slalom.walk import Path

ROWS, BATCH, EPOCHS = 50_000, 256, 10
SIZES = {"batch": None, "mini-batch": 16, "stochastic": 1}
RATE = 0.02


def _data() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 2)) * [1.0, 0.6]
    return x, x @ [1.0, -2.0] + 0.5 * rng.normal(size=128)


def _loss(w: Any, x: Any, y: Any) -> Any:
    return ((x @ w - y) ** 2).mean()


def _paths() -> dict[str, Path]:
    """One walk a size, the same number of rows seen by each."""
    data, start = _data(), np.array([-2.0, 1.5])
    return {
        name: descend(_loss, start, "sgd", learning_rate=RATE, data=data, batch_size=size, epochs=6, seed=1)
        for name, size in SIZES.items()
    }


def tell(page: Page) -> None:
    """Epoch, batch and iteration counted; three walks over the same rows."""
    page.lines("w ← w − η · (mean gradient of B rows)      iterations an epoch = ⌈rows / B⌉",
               "batch: B = all rows      stochastic: B = 1      mini-batch: in between")  # fmt: skip
    each = iterations(ROWS, BATCH)
    page.say(
        "{rows:,} rows in batches of {batch} are {each} iterations an epoch, the last of only {rest} rows; {epochs}"
             " epochs are {all:,} iterations.", rows=ROWS, batch=BATCH, each=each, epochs=EPOCHS, all=EPOCHS * each,
             rest=ROWS - (each - 1) * BATCH)  # fmt: skip
    page.say("128 rows, two weights, 6 epochs at the rate {rate} in each size:", rate=RATE)
    paths = _paths()
    x, y = _data()
    best = _loss(np.linalg.lstsq(x, y)[0], x, y)
    page.table(
        {
            "size": list(paths),
            "iterations": [len(path.rates) for path in paths.values()],
            "loss of all rows, first": [np.asarray(path.epoch_losses)[0] for path in paths.values()],
            "after 1 epoch": [np.asarray(path.epoch_losses)[1] for path in paths.values()],
            "after 6": [np.asarray(path.epoch_losses)[-1] for path in paths.values()],
            "spread of the gradient": [_noise(path) for path in paths.values()],
        },
        digits=4,
    )
    page.say(
        "The least that these rows allow is {best:.4f}. The spread is the standard deviation of the gradients of the"
             " last epoch.", best=best)  # fmt: skip
    page.see("For the same work, an epoch, small batches take more steps and are near the bottom sooner.")
    page.see("Each of their steps is less certain: near the bottom the stochastic path wanders, and only a smaller rate"
             " or a larger batch calms it.")  # fmt: skip
    page.see(
        "On-line learning is the stochastic form with rows as they come (shuffle=False); off-line goes over all rows"
             " again and again.")  # fmt: skip


def _noise(path: Path) -> float:
    """How far the gradients of the last sixth of the iterations are from their mean."""
    last = path.gradients[-max(len(path.gradients) // 6, 1) :]
    return float(np.sqrt(((last - last.mean(0)) ** 2).sum(1).mean()))


def draw() -> Any:
    """The three paths over the contours of the loss of all rows."""
    from slalom import pictures

    picture = pictures.contours(_loss, _paths(), data=_data(), title="Six epochs in three sizes of batch")
    return picture


LESSON = Lesson("Batch, stochastic and mini-batch gradient descent", tell, draw)
