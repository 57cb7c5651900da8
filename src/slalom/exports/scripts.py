"""Scripts that train a race's winner again with PyTorch or Keras alone, from the raw file; their rows are checked."""

import math
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import sklearn.preprocessing
from jinja2 import Environment, PackageLoader, StrictUndefined

from slalom.data import read
from slalom.errors import SlalomError
from slalom.exports.training.reading import reading
from slalom.exports.training.values import About, values
from slalom.model import Model
from slalom.reopened import Reopened, reopened
from slalom.result import finite
from slalom.types import Array

LIBRARIES = ("torch", "keras")
FAR = 1e-6  # of columns before they are scaled, in units of the largest cell of each
FAR_SCALED = 1e-2  # of scaled ones: scikit-learn fits powers and quantiles a little differently


class Rows(NamedTuple):
    """Numbers of the rows of a file that serve what, and how many rows it has."""

    train: Array
    choose: Array
    test: Array
    total: int


def export(folder: Path, library: str, out: Path) -> tuple[Path, int]:
    """Write train.py and rows.npz into a new or empty folder: (the script, how many rows its numbers were checked on).

    library: torch or keras. Raises SlalomError where the race or its file is not there any longer, or a part of the
    recipe has no text.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise SlalomError(f"--out must be a new or empty folder. {out} already holds something.")
    race = reopened(folder, None, None, None, None, ())
    fold = len(race.prepared.folds) if race.prepared.whole else 0
    model = replace(Model.load(folder), scaler=race.prepared.fitted(race.winner.scaling, fold))
    data = race.settings["data"]
    source = Path(data["source"])
    as_text = [name for name, kind in data["columns"].items() if kind in ("category", "text")]
    as_text += [data["roles"]["group"]] if "group" in data["roles"] else []
    frame = read(source, as_text=as_text, **data["reading"]).frame
    rows = _rows(race, frame)
    text = script(_about(race, source), model, library, frame, rows, data["reading"])
    out.mkdir(parents=True, exist_ok=True)
    (out / "train.py").write_text(text, encoding="utf-8")
    np.savez(out / "rows.npz", **rows._asdict())
    return out / "train.py", rows.total


def _about(race: Reopened, source: Path) -> About:
    """The race as the script tells of it."""
    best, name, data = race.settings["best"], race.metric.name, race.settings["data"]
    test = finite(best.get("test"))
    scores = f"Slalom's {name} on the rows that choose: {best['score']:.6g}."
    if test is not None:
        scores = f"Slalom's {name} on the test rows: {test:.6g}."
    weights = data["roles"].get("sample_weight") if race.prepared.weights is not None else None
    epochs = round(best["epoch"], 4) if race.prepared.whole else None
    return About(best["name"], source, data["target"], race.metric, epochs, scores, weights)


def _rows(race: Reopened, frame: pl.DataFrame) -> Rows:
    """Which rows of the file train the winner, choose its epoch, and test it."""
    prepared, weights = race.prepared, race.settings["data"]["roles"].get("sample_weight")
    there = np.arange(frame.height)
    if weights and prepared.rows < frame.height:  # rows of weight 0 are in no race
        there = np.flatnonzero(frame[weights].to_numpy() > 0)
    fold = prepared.whole or prepared.folds[0]
    return Rows(there[fold.train], there[fold.choose], there[prepared.split.test], frame.height)


def script(
    about: About, model: Model, library: str, frame: pl.DataFrame, rows: Rows, given: dict[str, str]
) -> str:  # fmt: skip
    """The text of a script, once its part that makes numbers of the file has made the race's own numbers."""
    header = frame.columns != [str(k) for k in range(frame.width)]
    how = reading(about.source, given, header=header)
    told = values(about, model, library, how, None, len(rows.train))
    found = _ran(told)["read"](about.source)
    if found.shape != frame.shape:
        raise SlalomError(
            f"A training script reads {about.source} as {found.height} rows and {found.width} columns. Slalom found"
            f" {frame.height} and {frame.width}: it leaves blank lines out. Save the file without them."
        )
    if found.columns != frame.columns:
        told = values(about, model, library, how, frame.columns, len(rows.train))
    labels = np.asarray(model.target.encode(frame[about.target]), np.float64)
    _check(_ran(told), model, frame, labels, rows, about.source)
    text = _rendered(f"{library}.py.jinja", told)
    compile(text, "train.py", "exec")
    return text


def _ran(told: dict[str, Any]) -> dict[str, Any]:
    """What is defined once the script's part of columns has run."""
    own: dict[str, Any] = {"np": np, "pl": pl, "math": math, "re": re, "zlib": zlib, "Path": Path}
    own |= {name: getattr(sklearn.preprocessing, name) for name in sklearn.preprocessing.__all__}
    own |= {"PLAIN": told["plain"], "TARGET": told["target_name"], "CLASSES": told["labels"]}
    exec(_rendered("rows.py.jinja", told), own)
    return own


def _check(
    own: dict[str, Any], model: Model, frame: pl.DataFrame, labels: Array, rows: Rows, source: Path
) -> None:  # fmt: skip
    """Compare the numbers that the script makes of the file, and its targets, with the model's own (SlalomError)."""
    seen = np.concatenate([rows.train, rows.choose, rows.test])
    try:
        made = own["columns"](own["read"](source), rows.train)
        scaled = own["scaled"](made, rows.train)[seen]
    except (pl.exceptions.PolarsError, ValueError, TypeError, KeyError) as error:
        raise SlalomError(f"A training script cannot read {source} as Slalom did: {error}.") from None
    ours = model.encoded(frame[seen])
    wanted, plain = model.scaled(ours), model.net.plain
    size = np.maximum(np.abs(ours).max(axis=0), 1e-300)
    far = float((np.abs(made[seen] - ours) / size).max())
    spread = np.maximum(np.abs(wanted[:, :plain]).max(axis=0, initial=0), 1e-300)
    apart = float((np.abs(scaled - wanted)[:, :plain] / spread).max(initial=0))
    y = own["target"](own["read"](source))[seen]
    missed = int((~np.isclose(np.asarray(y, float), labels[seen], rtol=1e-9)).sum())
    if missed:
        raise SlalomError(
            f"A training script reads {missed} of {len(seen)} targets of {source} otherwise than Slalom did."
        )
    if not (far <= FAR and apart <= FAR_SCALED):
        raise SlalomError(
            f"A training script must make the numbers of {source} that Slalom made. They differ by up to {far:.2g},"
            f" scaled by {apart:.2g}, in units of the largest: it reads dates, truths or words of this file otherwise."
        )


def _rendered(name: str, told: dict[str, Any]) -> str:
    """A template with its values."""
    made = Environment(
        loader=PackageLoader("slalom.exports", "training"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return made.get_template(name).render(told)
