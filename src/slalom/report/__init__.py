"""The report of a race: one HTML file that needs no network; its numbers come from report.json and nowhere else."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from slalom.board import columns_of, numbers, shared, short
from slalom.errors import SlalomError
from slalom.evidence import Evidence
from slalom.explained import sentences
from slalom.folder import RunFolder
from slalom.opened import report
from slalom.report import grounds, measured, raced
from slalom.report.document import dressed
from slalom.report.repeat import commands
from slalom.report.scaled import said
from slalom.result import EMPTY, ENSEMBLE, finite

LATER = ("landscape", "torch", "grids", "scaling", "predictions", "evidence", "won")  # what need not be there
_SERVES = {
    "training": "the weights are fitted to them",
    "choosing": "scores during the race, the choice of the winner",
    "evidence": "they chose nothing: they say what the winner, its parts and the ensemble are worth",
    "test": "used once, at the very end",
}


def page(told: dict[str, Any]) -> str:
    """The page of a race as the text of one HTML file. told: what `gathered` makes and report.json holds.

    What has not been measured is named with the command that measures it; what has no numbers is left out.
    """
    told = dict.fromkeys(LATER) | told
    rows = told["leaderboard"]
    board = pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame(schema=EMPTY)
    evidence = Evidence.of(told["evidence"]) if told.get("evidence") else None
    folder = shlex.quote(told.get("out") or "DIR")
    scalings = (told.get("scaling") or {}).get("scalings", [])
    return dressed(
        "page.html.jinja",
        f"Slalom: {told['title']}",
        figures(told),
        told=told,
        folder=folder,
        tests=_tests(told),
        sentences=sentences(evidence, "slalom", folder) if evidence else [],
        scalings=[one | {"condition": rounded(one["condition"])} for one in scalings],
        scaling_said=list(said(told.get("scaling") or {})),
        commands=commands(told),
        rows=_rows(told),
        environment=_environment(told),
        shared=shared(board),
        **_board(board, told["winner"]),
    )


def left(folder: RunFolder, told: dict[str, Any]) -> None:
    """Leave the numbers of a race in its folder, report.json and evidence.json, and then the page that is made of
    them, report.html."""
    if told.get("evidence"):
        folder.write_json("evidence.json", told["evidence"])
    folder.write("report.json", json.dumps(told, separators=(",", ":"), default=str))
    folder.write("report.html", page(told))


def kept(folder: RunFolder, evidence: Evidence | None, gather: Callable[[], dict[str, Any]]) -> list[str]:
    """Gather the numbers of a race that has just ended and leave its page, on which the loss around the winner of the
    page before stays, where the winner does; what went wrong with that, in a sentence. A page is worth less than the
    race, which keeps everything else, its evidence too; a page of an earlier race does not stay in its place. A disk
    that is full is the caller's matter (OSError)."""
    assert folder.path
    try:
        told, before = gather(), _before(folder.path)
        same = all(told[name] == before.get(name) for name in ("winner", "recipe"))
        left(folder, told | ({"landscape": before.get("landscape")} if same else {}))
    except OSError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, the race has been run
        if evidence:
            folder.write_json("evidence.json", finite(evidence.plain()))
        for name in ("report.html", "report.json"):
            (folder.path / name).unlink(missing_ok=True)
        return [f"the report could not be drawn ({type(error).__name__}: {error}); everything else is kept."]
    return []


def _before(path: Path) -> dict[str, Any]:
    """The numbers of the page that was there; {} for none that can be read."""
    try:
        return report(path)
    except SlalomError:
        return {}


def figures(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of a race for which there are numbers."""
    made = [
        raced.race(told), measured.worths(told), measured.fields(told), measured.rates(told),
        measured.schedules(told),
        grounds.scaling(told), grounds.random_plane(told), grounds.path_plane(told), *grounds.predictions(told),
        measured.columns(told),
    ]  # fmt: skip
    return [one for one in made if one]


def rounded(value: float | None) -> str:
    """A large number with three digits.

    >>> rounded(3_554_932.4), rounded(1.0444), rounded(None)
    ('3,550,000', '1.04', '–')
    """
    return "–" if value is None else f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def _tests(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The test scores, the best first, the winner and the ensemble marked."""
    known = {name: score for name, score in told["tests"].items() if score is not None}
    texts = dict(zip(known, numbers(known.values()), strict=True))
    names = sorted(known, key=lambda name: -known[name] if told["greater_is_better"] else known[name])
    return [{"name": name, "score": texts[name], "winner": name in (told["winner"], ENSEMBLE)} for name in names]


def _rows(told: dict[str, Any]) -> list[dict[str, str]]:
    """How many rows served what."""
    found = []
    for kind, serves in _SERVES.items():
        count = (told.get("rows") or {}).get(kind, 0)
        folds = count if isinstance(count, list) else [count]
        crossed = f" (in each of {len(folds)} cross-fitted folds)" if len(folds) > 1 else ""
        found.append({"kind": kind, "count": f"{folds[0]:,}", "serves": serves + crossed})
    return found


def _environment(told: dict[str, Any]) -> dict[str, str]:
    """What it ran in and with: versions, seeds, times."""
    made = {name: str(value) for name, value in (told.get("environment") or {}).items()}
    made["workers"] = str(told.get("workers", ""))
    seeds = [f"{told.get('seed', 0)} (division of the rows, recipes, first weights)"]
    again = told.get("new_seeds")
    seeds += [f"{', '.join(map(str, range(1, again + 1)))} (finalists)"] if again else []
    standing = (told.get("evidence") or {}).get("standing")
    seeds += ["11 to 15 (the named winner, for evidence)"] if standing else []
    made["seeds"] = "; ".join(seeds)
    made["time"] = f"{told['seconds']:.1f} s, {told['compile_seconds']:.1f} s of it compiling"
    return made


def _board(board: pl.DataFrame, winner: str) -> dict[str, Any]:
    """The leaderboard as headings and rows of cells: (text, whether it stands right)."""
    always, fields = columns_of(board)
    columns = [*always, *fields]
    lines = [
        {
            "cells": [(column.cell(row), column.right) for column in columns],
            "kind": "winner" if row["name"] == winner else row["kind"],
            "full": row["name"] if row["name"] != short(row["name"]) else "",
        }
        for row in board.to_dicts()
    ]
    return {"headings": [(column.heading, column.right) for column in columns], "lines": lines}
