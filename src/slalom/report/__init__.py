"""The report of a race: one HTML file that needs no network and runs no script."""

import base64
import hashlib
import shlex
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from slalom.board import clean, columns_of, numbers, shared, short
from slalom.evidence import Evidence
from slalom.explained import sentences
from slalom.folder import public
from slalom.result import ENSEMBLE, Result
from slalom.verdict import counts, verdict

BEGIN, END = "<!-- evidence -->", "<!-- end of evidence -->"
_SERVES = {
    "training": "the weights are fitted to them",
    "choosing": "scores during the race, the choice of the winner",
    "evidence": "they chose nothing: they say what the winner, its parts and the ensemble are worth",
    "test": "used once, at the very end",
}


def page(result: Result) -> str:
    """The report as the text of one HTML file: verdict, leaderboard, test scores, the recipe, the rows, the notes."""
    style = _file("page.css")
    text = _rendered(
        "page.html.jinja",
        style=Markup(style),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        title=_title(result.about),
        verdict=verdict(result),
        counts=counts(result),
        metric=result.metric,
        tests=_tests(result),
        recipe=result.best.recipe.to_toml(),
        command=_command(result.about),
        rows=_rows(result.about),
        evidence=Markup(section(result.evidence, result.out)),
        notes=result.notes,
        shared=shared(result.leaderboard),
        **_board(result.leaderboard),
    )
    return clean(text)


def section(evidence: Evidence | None, out: Path | None) -> str:
    """What is known of the winner as a part of the page, between two comments."""
    folder = "DIR" if out is None else shlex.quote(public(out))
    return _rendered("evidence.html.jinja", sentences=sentences(evidence, "slalom", folder) if evidence else [])


def with_evidence(page: str, evidence: Evidence, out: Path) -> str:
    """A page that was written before, with what is known of the winner now; one without a place for it stays."""
    first, begin, rest = page.partition(BEGIN)
    _, end, last = rest.partition(END)
    return first + clean(section(evidence, out)).rstrip("\n") + last if begin and end else page


def _rendered(template: str, **given: Any) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_file(template)).render(**given)


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _title(about: dict[str, Any]) -> str:
    source = str(about.get("source") or "").replace("\\", "/").rpartition("/")[2]
    target = about.get("target")
    return f"{target} in {source}" if source and target else source or "a race"


def _tests(result: Result) -> list[dict[str, Any]]:
    """The test scores, the best first, the winner and the ensemble marked."""
    known = {name: score for name, score in result.tests.items() if score is not None}
    texts = dict(zip(known, numbers(known.values()), strict=True))
    names = sorted(known, key=lambda name: result.metric.cost_of(known[name]))
    return [{"name": name, "score": texts[name], "winner": name in (result.best.name, ENSEMBLE)} for name in names]


def _command(about: dict[str, Any]) -> str:
    source, target = about.get("source") or "TABLE.csv", about.get("target") or "COLUMN"
    seed = about.get("seed", 0)
    given = f"{shlex.quote(str(source))} --target {shlex.quote(str(target))} --seed {seed}"
    return f"slalom race {given} --recipe recipe.toml"


def _rows(about: dict[str, Any]) -> list[dict[str, str]]:
    """How many rows served what."""
    found = []
    for kind, serves in _SERVES.items():
        count = about.get("rows", {}).get(kind, 0)
        folds = count if isinstance(count, list) else [count]
        crossed = f" (in each of {len(folds)} cross-fitted folds)" if len(folds) > 1 else ""
        found.append({"kind": kind, "count": f"{folds[0]:,}", "serves": serves + crossed})
    return found


def _board(board: pl.DataFrame) -> dict[str, Any]:
    """The leaderboard as headings and rows of cells."""
    always, fields = columns_of(board)
    columns = [*always, *fields]
    lines = [
        {
            "cells": [(column.cell(row), column.right) for column in columns],
            "baseline": row["kind"] == "baseline",
            "full": row["name"] if row["name"] != short(row["name"]) else "",
        }
        for row in board.to_dicts()
    ]
    return {"headings": [(column.heading, column.right) for column in columns], "lines": lines}
