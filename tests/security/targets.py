"""What reads a stranger's bytes, as functions of these bytes: each refuses with SlalomError or goes through.

Anything else that is raised, memory without bounds and hours without end are faults. `benchmarks/fuzz.py` looks for
them; what it found lies in tests/security/corpus and is read again by every test run.
"""

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from slalom import opened
from slalom.checkpoints import Checkpoints
from slalom.data.text import Dialect, from_text
from slalom.errors import SlalomError
from slalom.fields import drawn_by
from slalom.finish import structure_of
from slalom.folder import RunFolder, toml
from slalom.model import Model
from slalom.racing import _entered
from slalom.recipe import Recipe
from slalom.repeated import order_of
from slalom.resumed import put_back

NAME = Path("stranger.csv")
ROWS = np.arange(60.0)[:, None] * [1.0, -0.5], np.arange(60.0) % 7  # of the race that a checkpoint is put into
ASKED = {"recipes": 2, "epochs": 2, "fixed": {"depth": 1, "width": 2, "rule": "adam"}, "baselines": False}


def recipe(data: bytes) -> None:
    """A recipe in TOML."""
    Recipe.from_toml(data.decode("utf-8", errors="replace"))


def space(data: bytes) -> None:
    """A space in TOML."""
    drawn_by(toml(NAME, data.decode("utf-8", errors="replace")), {})


def table(data: bytes) -> None:
    """A text table, its separator, header and encoding found out."""
    from_text(data, NAME, (), Dialect())


def model(data: bytes) -> None:
    """A model folder: four bytes say how many of the others are model.json, the rest are the weights. The checksum of
    the weights is put right, so that it is not all that is ever found wrong."""
    size = int.from_bytes(data[:4], "little") % (len(data) + 1)
    about, weights = data[4 : 4 + size], data[4 + size :]
    try:
        told = json.loads(about)
        if isinstance(told, dict) and "digest" in told:
            told["digest"] = hashlib.blake2b(weights, digest_size=16).hexdigest()
            about = json.dumps(told).encode()
    except (ValueError, RecursionError):
        pass
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        (Path(folder) / "model.json").write_bytes(about)
        (Path(folder) / "weights.safetensors").write_bytes(weights)
        loaded = Model.load(folder)
    kinds = {t.name: t.kind for t in loaded.columns.treatments}
    cells = {"number": [1.0, None], "cycle": ["2024-02-29", None], "presence": [1.0, None]}
    rows = {name: cells.get(kinds.get(name, ""), ["a b", None]) for name in loaded.columns.input_names}
    loaded.predict(pl.DataFrame(rows))


def journal(data: bytes) -> None:
    """The journal of a run folder."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        (Path(folder) / "race.toml").write_text('[order]\nmetric = "rmse"\ngreater_is_better = false\n')
        (Path(folder) / "journal.sqlite").write_bytes(data)
        opened.leaderboard(folder)


def order(data: bytes) -> None:
    """What a race that has not ended was asked to do."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        (Path(folder) / "unfinished").mkdir()
        (Path(folder) / "unfinished" / "order.toml").write_bytes(data)
        _, begun = RunFolder.unfinished(folder)
        order_of(begun)


def checkpoint(data: bytes) -> None:
    """A checkpoint whose name says that it is whole."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        name = f"000001-{hashlib.blake2b(data, digest_size=16).hexdigest()}.safetensors"
        (Path(folder) / name).write_bytes(data)
        kept = Checkpoints(Path(folder)).load()
    if kept.racers:
        prepared, _, track = _entered(*ROWS, **ASKED)._start()
        put_back(track, kept, lambda recipe: structure_of(recipe, prepared), len(prepared.folds))


def _memory() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


TARGETS = {one.__name__: one for one in (recipe, space, table, model, journal, order, checkpoint)}


def fed(name: str, data: bytes) -> bool:
    """Whether a target takes these bytes; any error but SlalomError is raised."""
    try:
        TARGETS[name](data)
    except SlalomError:
        return False
    return True
