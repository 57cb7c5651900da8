"""Files of a model that need NumPy alone, or PyTorch beside it: Python, weights, and what they are; all checked."""

import importlib
import importlib.util
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from slalom.data import Columns
from slalom.data.treatments import Category, Code, Cycle, Number, Presence, Text
from slalom.ensemble import Ensemble
from slalom.errors import SlalomError
from slalom.model import Model
from slalom.types import Array

ROWS = 1_000  # that an export is checked on
FAR = 1e-4  # of the spread of predictions: the largest difference that rounding explains
SOURCES = {"numpy": ("rows.py", "predict.py"), "torch": ("rows.py", "torch_net.py", "predict.py")}
NET, REST = "# --- the net -", "# --- from a folder"  # between them stands what a net is in predict.py


def export(model: Model | Ensemble, folder: Path, form: str = "numpy") -> tuple[list[str], int, float]:
    """Write the files into a folder that must be new or empty, once they are checked: (their names, how many rows they
    were checked on, the largest difference), see `checked` (SlalomError).

    form: numpy, or torch, whose nets are modules of PyTorch.
    """
    if form == "torch" and importlib.util.find_spec("torch") is None:
        raise SlalomError("Files for PyTorch need it to be checked, and it is not installed: pip install torch.")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise SlalomError(f"--out must be a new or empty folder. {folder} already holds something.")
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=".slalom-"))
    fresh.chmod(0o755)
    try:
        names, found = write(model, fresh, form), checked(model, fresh)
        if folder.exists():
            folder.rmdir()
        fresh.replace(folder.absolute())
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return names, *found


def write(model: Model | Ensemble, folder: Path, form: str = "numpy") -> list[str]:
    """Write the files into a folder; their names."""
    about: dict[str, Any] = {"members": []}
    if isinstance(model, Model):  # whose temperature is its own
        members, about["weights"], about["temperature"], about["threshold"] = [model], [1.0], 1.0, model.threshold
    else:
        members, about["weights"] = list(model.members), list(model.weights)
        about["temperature"], about["threshold"] = model.calibration
    arrays: dict[str, Array] = {}
    for k, member in enumerate(members):
        plain, own = member.parts()
        plain.pop("conformal")
        about["members"].append(plain)
        arrays |= {f"{k}/{name}": array for name, array in own.items()}
    folder.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    (folder / "weights.npz").write_bytes(packed.getvalue())
    (folder / "model.json").write_text(json.dumps(about, indent=1, allow_nan=False), encoding="utf-8")
    for name in SOURCES[form]:
        (folder / name).write_text(_source(name, form), encoding="utf-8")
    return [*SOURCES[form], "model.json", "weights.npz"]


def _source(name: str, form: str) -> str:
    """The text of a file as it stands in an export."""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    text = text.replace("from slalom.exports.rows import", "from rows import")
    if form != "torch" or name != "predict.py":
        return text
    head, rest = text.split(NET)[0], text.split(REST)[1]
    head = head.replace("sigmoid, unscaled\n", "sigmoid, unscaled\nfrom torch_net import outputs\n")
    head = head.replace("ERF = np.vectorize(math.erf, otypes=[float])\n", "").replace(
        "and NumPy, and", "NumPy and PyTorch, and"
    )
    return head.replace("stand rows.py, model.json", "stand rows.py, torch_net.py, model.json") + REST + rest


def checked(model: Model | Ensemble, folder: Path) -> tuple[int, float]:
    """(how many rows, the largest difference of their predictions) between the files and the model, on made rows with
    missing cells and levels that training rows had not; in the unit of the target, or of probabilities.

    Raises SlalomError where they differ by more than rounding does.
    """
    rows = made_rows(model)
    loaded = _imported(folder).load(folder)
    columns = {column.name: column.to_list() for column in rows.iter_columns()}
    if model.classes is None:
        ours, theirs = model.predict(rows), np.asarray(loaded.predict(columns))
    else:
        ours, theirs = model.predict_proba(rows), loaded.predict_proba(columns)
    finite = np.isfinite(ours)
    far = float(np.abs(ours[finite] - theirs[finite]).max(initial=0.0))
    if (np.isfinite(theirs) != finite).any() or far > FAR * max(float(np.ptp(ours[finite])), 1e-12):
        raise SlalomError(
            f"The files must predict as the model does. They differ by up to {far:.3g}: please report this."
        )
    return len(rows), far


def made_rows(model: Model | Ensemble, rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    """Rows as the model may be given them: numbers over about the range of training rows, every level, one that there
    is not, and missing cells."""
    draw = np.random.default_rng(seed)
    first = model if isinstance(model, Model) else model.members[0]
    columns: Columns = first.columns
    inside = _inside(first, rows, draw)
    made: dict[str, pl.Series] = {}
    at = 0
    for treatment in columns.treatments:
        values = inside[:, at]
        at += len(treatment.outputs)
        if isinstance(treatment, Number):
            made[treatment.name] = _numbers(treatment, values)
        elif isinstance(treatment, (Category, Code)):
            words = [*treatment.levels, "a level that there is not"]
            made[treatment.name] = pl.Series([words[i] for i in draw.integers(len(words), size=rows)])
        elif isinstance(treatment, Text):
            some = ["Old", "house", "near", "the", "lake,", "new-built", "größer", "12", "km_2"]
            made[treatment.name] = pl.Series([" ".join(draw.choice(some, draw.integers(1, 9))) for _ in range(rows)])
        elif isinstance(treatment, (Presence, Cycle)) and treatment.name not in made:
            made[treatment.name] = pl.Series(np.ones(rows))
    gaps = {name: pl.Series(draw.random(rows) < 0.1) for name in made}
    return pl.DataFrame([cells.set(gaps[name], None).alias(name) for name, cells in made.items()])


def _inside(model: Model, rows: int, draw: np.random.Generator) -> Array:
    """Encoded rows [N, D] about where training rows lay."""
    width = len(model.columns.names)
    with np.errstate(all="ignore"):
        found = model.scaler.inverse(draw.normal(size=(rows, width)))
        ends = model.scaler.inverse(draw.uniform(0.05, 0.95, size=(rows, width)))
    return np.where(np.isfinite(found), found, np.where(np.isfinite(ends), ends, 0.0))


def _numbers(treatment: Number, values: Array) -> pl.Series:
    """Cells of a column of numbers, truths or dates around these values."""
    if treatment.of == "boolean":
        return pl.Series(values > 0.5)
    if treatment.of == "date":
        days = np.clip(np.nan_to_num(values), -700_000, 2_000_000)
        return pl.Series((days * 86_400_000_000).astype("datetime64[us]"))
    return pl.Series(np.clip(values, -1e30, 1e30))


def _imported(folder: Path) -> ModuleType:
    """The module predict.py of a folder."""
    names = {"rows": folder / "rows.py", "torch_net": folder / "torch_net.py", "slalom_exported": folder / "predict.py"}
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    try:
        for name, file in names.items():
            if not file.exists():
                continue
            spec = importlib.util.spec_from_file_location(name, file)
            assert spec
            assert spec.loader
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        return sys.modules.pop("slalom_exported")
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)
