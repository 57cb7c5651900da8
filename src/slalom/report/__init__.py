"""The report of a race: one HTML file that needs no network; its numbers come from report.json and nowhere else."""

import base64
import hashlib
import json
import shlex
from importlib import resources
from typing import Any

import polars as pl
from jinja2 import Environment, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from slalom.board import clean, columns_of, numbers, shared, short
from slalom.evidence import Evidence
from slalom.explained import sentences
from slalom.folder import RunFolder
from slalom.report import grounds, measured, raced
from slalom.report.gathered import commands
from slalom.report.plots import library
from slalom.report.scaled import said
from slalom.result import ENSEMBLE

UNPACKED = 'id="library"></script>'  # of the foot: no name can hold it, since `<` is escaped in names
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


def figures(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of a race for which there are numbers."""
    made = [
        raced.race(told), measured.worths(told), measured.fields(told), measured.rates(told),
        measured.schedules(told),
        grounds.scaling(told), grounds.random_plane(told), grounds.path_plane(told), *grounds.predictions(told),
        grounds.columns(told),
    ]  # fmt: skip
    return [one for one in made if one]


def dressed(template: str, title: str, drawn: list[dict[str, Any]], **given: Any) -> str:
    """A page with style, script, and Plotly for its figures, under a policy that lets nothing else run or load."""
    style, script = _file("page.css"), _file("page.js")
    packed, hash_of_library = library() if drawn else ("", "")
    plain = htmlsafe_json_dumps([{k: v for k, v in one.items() if k != "caption"} for one in drawn], dumps=_dumps)
    text = _rendered(
        template,
        title=title,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script, hash_of_library),
        captions={one["key"]: one["caption"] for one in drawn},
        heights={one["key"]: one["layout"]["height"] for one in drawn},
        figures=plain,
        **given,
    )
    return clean(text).replace(UNPACKED, UNPACKED.replace("><", f">{packed}<"), 1)  # large, and signs of base64 alone


def _dumps(value: Any, **options: Any) -> str:
    return json.dumps(value, separators=(",", ":"), **options)


def _policy(script: str, library: str) -> str:
    """What the page may do: run its own script and Plotly, which are named by their hashes; style itself, since Plotly
    writes styles into its drawings; save a picture. It may load nothing from anywhere."""
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = " ".join(f"'sha256-{digest}'" for digest in (own, library) if digest)
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:;"
        " base-uri 'none'; form-action 'none'"
    )


def _rendered(template: str, **given: Any) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["coded"] = coded
    environment.globals["include_file"] = lambda name: environment.from_string(_file(name))
    return environment.from_string(_file(template)).render(**given)


def coded(text: str) -> Markup:
    """A sentence whose words between backticks are code.

    >>> coded("run `a < b` now")
    Markup('run <code>a &lt; b</code> now')
    """
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(pieces))


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


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
