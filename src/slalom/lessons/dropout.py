"""Lesson: dropout, which leaves elements out and scales the rest so that the mean stays."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from slalom.layers import Dropout
from slalom.lessons.base import Lesson, Page
from slalom.types import Array

P = 0.4
BEFORE = np.array([0.0, 1.8033, 1.4608, 4.5189, 6.9116])
SHOWN, MANY = 4, 4000


def _dropped(x: Array, key: int, p: float = P, *, training: bool = True) -> Array:
    y, _ = Dropout(p=p).apply((), (), jnp.asarray(x, jnp.float32), training=training, key=jnp.uint32(key))
    return np.asarray(y, np.float64)


def tell(page: Page) -> None:
    """Some draws, what is kept, and the mean over many draws."""
    page.formula("layers", "dropout")
    page.say("Five numbers, p = {p}, in {shown} draws; in the last column what each becomes where it is kept:",
             p=P, shown=SHOWN)  # fmt: skip
    draws = [_dropped(BEFORE, key) for key in range(SHOWN)]
    page.table(
        {"x": BEFORE} | {f"draw {key + 1}": draw for key, draw in enumerate(draws)} | {"kept": _kept()}, digits=4
    )
    table = _dropped(np.tile(BEFORE, (MANY, 1)), 7)
    page.say("Over {many:,} draws:", many=MANY)
    page.table({"x": BEFORE, "mean of y": table.mean(0), "share left out": (table == 0).mean(0)}, digits=4)
    page.say("At test time x stays as it is: {same}.", same=np.allclose(_dropped(BEFORE, 0, training=False), BEFORE))
    page.see("What is kept is multiplied by 1 / (1 − p): the mean stays what it was, and nothing changes at test time.")
    page.see("A unit cannot rely on another one being there; the net becomes like a mean of many smaller ones.")
    page.see("The variance rises with p: p = 0.2 to 0.5 is usual, and a race finds out whether any is of use.")


def _kept() -> Array:
    """What each element becomes in a draw that keeps it."""
    found = np.zeros(len(BEFORE))
    for key in range(40):
        found = np.maximum(found, _dropped(BEFORE, key))
    return found


def draw() -> Any:
    """Means and single draws for several p."""
    from slalom import pictures
    from slalom.pictures.labels import lines

    made, axes = pictures.panels(1, 2, width=9.8, height=3.7)
    left, right = axes[0]
    at = np.arange(len(BEFORE))
    for key in range(12):
        left.plot(at + (key - 5.5) * 0.045, _dropped(BEFORE, key), "o", color="C0", markersize=3.5, alpha=0.7)
    left.plot(at, BEFORE, "_", color="C1", markersize=34, markeredgewidth=2)
    left.annotate("before", xy=(4.42, BEFORE[4]), color="C1", va="center")
    left.set(xlabel="element", ylabel="value", xticks=at, xlim=(-0.5, 5.2), title=f"Twelve draws, p = {P}")
    shares = np.linspace(0, 0.9, 10)
    tables = [_dropped(np.ones((MANY, 5)), 3, p) for p in shares]
    right.set_ylim(0, 3.2)
    lines(
        right,
        {
            "mean": (shares, [float(table.mean()) for table in tables]),
            "deviation": (shares, [float(table.std()) for table in tables]),
        },
        marker="o",
        markersize=4,
    )
    right.set(xlabel="p, the probability of leaving out", title="y of an element that is 1")
    return made


LESSON = Lesson("Dropout: leave out, and keep the expectation", tell, draw)
