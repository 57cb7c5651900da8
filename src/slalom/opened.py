"""What is read back from a run folder: its model and its leaderboard."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from slalom.ensemble import Ensemble, predicts
from slalom.errors import SlalomError
from slalom.evidence import Evidence
from slalom.folder import RunFolder
from slalom.journal import Journal
from slalom.metrics import Metric
from slalom.model import Model
from slalom.result import finite
from slalom.result import leaderboard as board_of

NUMBER = (int, float)
# What a page cannot do without, and of which kind it is.
PAGE: dict[str, Any] = {
    "title": str, "verdict": [str], "counts": str, "metric": str, "greater_is_better": bool, "winner": str,
    "recipe": {"rule": {"name": str}}, "recipe_toml": str, "tests": dict, "leaderboard": [dict], "notes": [str],
    "seconds": NUMBER, "compile_seconds": NUMBER, "recipes": int,
    "race": {"rungs": [NUMBER], "baselines": [{"name": str, "score": NUMBER}],
             "racers": [{"name": str, "outcome": str, "curve": [[NUMBER]]}]},
    "schedules": [{"name": str, "schedule": str, "epochs": [NUMBER], "rates": [NUMBER]}],
}  # fmt: skip


def load(folder: str | Path) -> Model | Ensemble:
    """The model of a run folder, or of a model folder: `load("runs/houses").predict(X)`. Nothing in it is executed.

    That of a race is its ensemble where that was shown to be better, as `Result.model`; `Model.load(folder)` is the
    single network in any case, `Ensemble.load(folder)` the ensemble.
    Raises SlalomError where there is none, or it is damaged or of a newer Slalom.
    """
    return Ensemble.load(folder) if predicts(folder) else Model.load(folder)


def leaderboard(folder: str | Path) -> pl.DataFrame:
    """The leaderboard of a run folder, as `Result.leaderboard`; SlalomError where the folder is not a race's."""
    opened = RunFolder.extend(folder)
    metric = metric_of(opened)
    try:
        with Journal(opened.journal, read_only=True) as journal:
            return board_of(journal.recipes(), journal.baselines(), metric)
    except Exception as error:  # a damaged file: sqlite3 has many ways of saying so
        raise SlalomError(f"{folder} has a journal that cannot be read: {error}.") from error


def metric_of(opened: RunFolder) -> Metric:
    """The metric of a race by its name alone, to turn costs into scores."""
    order = opened.settings()["order"]
    return Metric(str(order["metric"]), lambda y, prediction: 0.0, bool(order["greater_is_better"]), "")


def evidence(folder: str | Path) -> Evidence | None:
    """What was measured behind the race in a folder so far; None where nothing was.

    Raises SlalomError where the folder is not a race's, or what is in it is damaged.
    """
    path = RunFolder.extend(folder).path
    assert path
    file = path / "evidence.json"
    if not file.exists():
        return None
    try:
        return Evidence.of(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SlalomError(f"{file} is damaged: {error}. `slalom explain` writes it anew.") from None


def report(folder: Path) -> dict[str, Any]:
    """What report.json of a run folder holds, from which its page is drawn; {} where there is none, or that of a Slalom
    whose pages were not. SlalomError where it is damaged."""
    file = folder / "report.json"
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SlalomError(f"{file} is damaged: {error}. The race beside it is whole.") from None
    if not isinstance(told, dict) or "race" not in told:
        return {}
    if wrong := next((name for name, kind in PAGE.items() if not _is(told.get(name), kind)), None):
        raise SlalomError(f"{file} is damaged: {wrong} is not what a race writes there. The race beside it is whole.")
    return finite(told)


def _is(value: Any, kind: Any) -> bool:
    """Whether plain data is of a kind: a type, one of several, or, in a list, such things each of one kind; a number is
    no truth."""
    if isinstance(kind, list):
        return isinstance(value, list) and all(_is(one, kind[0]) for one in value)
    if isinstance(kind, dict):
        return isinstance(value, dict) and all(_is(value.get(name), one) for name, one in kind.items())
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def known(folder: Path | None) -> Evidence | None:
    """The same where it can be read, None otherwise."""
    try:
        return evidence(folder) if folder else None
    except SlalomError:
        return None
