"""The report of a race: one HTML file that needs no network; its numbers come from report.json and nowhere else."""

import shlex
from collections.abc import Callable
from typing import Any

import polars as pl

from slalom.board import columns_of, numbers, shared, short
from slalom.evidence import Evidence
from slalom.explained import sentences
from slalom.folder import RunFolder
from slalom.report import grounds, measured, raced
from slalom.report.document import dressed
from slalom.report.gathered import commands
from slalom.report.scaled import said
from slalom.result import ENSEMBLE

LATER = ("landscape", "torch", "grids", "scaling", "predictions")  # what need not be there
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
    board = pl.DataFrame(told["leaderboard"], infer_schema_length=None)
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
        scalings=[one | {"condition": numbers([one["condition"]])[0]} for one in scalings],
        scaling_said=list(said(told.get("scaling") or {})),
        commands=commands(told),
        rows=_rows(told),
        environment=_environment(told),
        shared=shared(board),
        **_board(board, told["winner"]),
    )


def left(folder: RunFolder, told: dict[str, Any]) -> None:
    """Leave the page of a race in its folder, with its numbers beside it: report.html, report.json, evidence.json."""
    folder.write("report.html", page(told))
    folder.write_json("report.json", told)
    if told.get("evidence"):
        folder.write_json("evidence.json", told["evidence"])


def kept(folder: RunFolder, gather: Callable[[], dict[str, Any]]) -> list[str]:
    """Gather the numbers of a race and leave its page; what went wrong with that, in a sentence: a page is worth less
    than the race, which keeps everything else. A disk that is full is the caller's matter (OSError)."""
    try:
        left(folder, gather())
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the race has been run
        return [f"the report could not be drawn ({type(error).__name__}: {error}); everything else is kept."]
    return []


def figures(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of a race for which there are numbers."""
    made = [
        raced.race(told), measured.worths(told), measured.fields(told), measured.rates(told),
        measured.schedules(told),
        grounds.scaling(told), grounds.random_plane(told), grounds.path_plane(told), *grounds.predictions(told),
        grounds.columns(told),
    ]  # fmt: skip
    return [one for one in made if one]


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
    seeds += ["1 to 5 (finalists)"] if told.get("new_seeds") else []
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
