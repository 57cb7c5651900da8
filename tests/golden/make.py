"""Writes the golden folders of this version: `python -m tests.golden.make`, once a format; what is there stays.

A race of words, dates, gaps, text and numbers, small enough to be kept: its model, its ensemble, and what both predict.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from slalom import Ensemble, Model, race
from slalom.model import FORMAT

HERE = Path(__file__).parent
LIKE = {"width": 8, "rule": "adam", "batch_size": 32, "embedding": "periodic", "block": "plain"}


def rows() -> pl.DataFrame:
    """240 rows with every kind of column."""
    draw, n = np.random.default_rng(0), 240
    size = draw.lognormal(1, 1, n).round(3)
    return pl.DataFrame(
        {
            "size": size,
            "rooms": [None if i % 9 == 0 else int(v) for i, v in enumerate(draw.integers(0, 9, n))],
            "kind": draw.choice(["a", "b", None], n),
            "town": [f"town {i % 35}" for i in range(n)],
            "sold": pl.Series((np.arange(n) * 86_400_000_000 * 3).astype("datetime64[us]")).dt.date(),
            "new": draw.random(n) < 0.5,
            "remark": [" ".join(draw.choice(["old", "house", "near", "lake", "town"], 5)) for _ in range(n)],
            "price": (size + 2 * draw.normal(size=n)).round(3),
        }
    )


def main() -> None:
    """Write the folder of this version's format; SystemExit where it is there."""
    out = HERE / f"format{FORMAT}"
    if out.exists():
        raise SystemExit(f"{out} is there: it is what later versions must read, and is never made anew.")
    table = rows()
    table.write_csv(out.parent / "rows.csv")
    with tempfile.TemporaryDirectory() as folder:
        race(out.parent / "rows.csv", target="price", recipes=6, epochs=8, fixed=LIKE, out=Path(folder) / "run")
        out.mkdir()
        for name in ("model", "ensemble"):
            shutil.copytree(Path(folder) / "run" / name, out / name)
    found = {
        name: kind.load(out / name).predict(table).tolist() for name, kind in (("model", Model), ("ensemble", Ensemble))
    }
    (out / "predictions.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
