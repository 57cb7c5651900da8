"""What the tests of training scripts share: a table in a file, and scripts of any recipe without a race."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from slalom import Recipe, fit
from slalom.exports.scripts import Rows, script
from slalom.exports.training.values import About
from slalom.metrics import find_metric

N = 240
rng = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "size": rng.lognormal(1, 1, N).round(3),
        "rooms": [None if i % 9 == 0 else int(v) for i, v in enumerate(rng.integers(0, 9, N))],
        "kind": rng.choice(["a", "b", "größer", None], N),
        "new": rng.random(N) < 0.5,
        "odd": [7.0 if i % 3 else None for i in range(N)],
    }
)
Y = (FRAME["size"].to_numpy() + 2 * (FRAME["kind"].to_numpy() == "a") + 5).round(4)
SMALL = {"depth": 2, "width": 16, "epochs": 3, "batch_size": 32, "learning_rate": 0.01}
ROWS = Rows(np.arange(160), np.arange(160, 200), np.arange(200, N), N)


@cache
def fitted(labels=None, **shape):
    """A model of the table: of numbers, or of as many classes as there are labels."""
    y = (
        Y
        if labels is None
        else np.array(labels)[np.digitize(Y, np.quantile(Y, np.arange(1, len(labels)) / len(labels)))]
    )
    task = "regression" if labels is None else "classification"
    return fit(FRAME[ROWS.train], y[ROWS.train], recipe=Recipe().with_fields(SMALL | shape), task=task), y


def scripted(folder: Path, library, labels=None, metric=None, shape=(), about=None, **fields):
    """(the text of a script, the model): its file is written into the folder. fields: of the recipe, in addition to
    those that the net is made of, shape; about: what else of the race is other than usual."""
    model, y = fitted(labels, **dict(shape))
    model = replace(model, recipe=model.recipe.with_fields(fields))
    file = folder / "rows.csv"
    table = FRAME.with_columns(price=pl.Series(y))
    table.write_csv(file)
    measure = find_metric(metric, model.target.task)
    said = About("recipe 0", file, "price", measure, None, "Slalom's score: 1.", None)
    text = script(said._replace(**(about or {})), model, library, table, ROWS, {})
    (folder / "train.py").write_text(text, encoding="utf-8")
    np.savez(folder / "rows.npz", **ROWS._asdict())
    return text, model
