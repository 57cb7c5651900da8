"""What the command line says: the result of a race, the plan of one that has not run, predictions as a table."""

import shlex
from pathlib import Path
from typing import Any

import polars as pl

from slalom import board
from slalom.board import Column
from slalom.errors import SlalomError
from slalom.explained import intervals, mattered, standing
from slalom.inspected import Inspection
from slalom.result import Result
from slalom.verdict import counts, has_winner, verdict

__all__ = ["has_winner", "inspection", "plan", "predictions", "result"]
NAME, HELD = 32, 40  # signs of a name and of what a column holds, at most


def result(result: Result, width: int, *, interrupted: bool = False, program: str = "slalom") -> str:
    """The end of a race for a person: leaderboard, verdict, counts, notes, and what to do next with `program`."""
    said = [
        board.table(result.leaderboard, width),
        *(["Interrupted: this is the best so far."] if interrupted else []),
        "\n".join(board.wrapped(sentence, width) for sentence in verdict(result)),
        "\n".join(board.wrapped(sentence, width) for sentence in _evidence(result)),
        board.wrapped(counts(result), width),
        "\n".join(board.wrapped(f"- {note}", width) for note in result.notes),
        _next(result.out, program, interrupted=interrupted),
    ]
    return "\n\n".join(part for part in said if part)


def _evidence(result: Result) -> list[str]:
    """What is known of the winner from runs and rows that chose nothing; its parts have a command of their own."""
    if result.evidence is None:
        return []
    return [*standing(result.evidence, brief=True), *intervals(result.evidence), *mattered(result.evidence)]


def _next(out: Path | None, program: str, *, interrupted: bool = False) -> str:
    if out is None:
        return ""
    folder = shlex.quote(str(out))
    first = f"Go on:     {program} resume {folder}\n" if interrupted else ""
    return first + (
        f"The model, leaderboard.csv and report.html are in {folder}\n"
        f"Why:       {program} explain {folder} --seconds 300\n"
        f"Predict:   {program} predict {folder} NEW_ROWS.csv --out predictions.csv\n"
        f"Continue:  {program} race --continue {folder} --seconds 60"
    )


def inspection(found: Inspection, width: int) -> str:
    """What a table is understood to be, for a person."""
    columns = [
        Column("column", lambda row: board.clean(row["column"])[:NAME]),
        Column("type", lambda row: row["type"]),
        Column("missing", lambda row: f"{row['missing']:,}" if row["missing"] else "", right=True),
        Column("different", lambda row: f"{row['different']:,}", right=True),
        Column("holds", lambda row: board.clean(row["holds"])[:HELD]),
        Column("becomes", lambda row: row["becomes"]),
    ]
    first = f"{found.rows:,} rows, {len(found.columns)} columns that become {found.becomes} numbers; {found.task}."
    notes = "\n".join(board.wrapped(f"- {note}", width) for note in found.notes)
    how = 'Where you know better: --columns FILE.toml, with lines such as zip = "category" or remark = "drop".'
    return "\n\n".join(
        [board.laid_out(found.columns.to_dicts(), columns, width), first, notes, board.wrapped(how, width)]
    )


def plan(preview: dict[str, Any]) -> str:
    """What would run, for a person: the preview of a race."""
    rows = preview["rows"]
    folds = len(rows["training"])
    limit, training = preview["limit_seconds"], preview["training_seconds"]
    shapes = [f"  {_arrows(sizes)}, batches of {batch}" for *sizes, batch in preview["structures"]]
    rungs = [f"  rung {i}: {n:,} recipes to epoch {e}" for i, (n, e) in enumerate(preview["rungs"], start=1)]
    crossed = f" (the first of {folds} cross-fitted folds)" if folds > 1 else ""
    counted = ", ".join(f"{_first(rows[kind]):,} {kind}" for kind in ("training", "choosing", "evidence", "test"))
    again = " in the first start, neighbours of the best behind it" if limit else ""
    said = [
        f"A {preview['task']}, chosen by {preview['metric']}; {preview['columns']} encoded columns.",
        f"Rows: {counted}{crossed}.",
        f"Recipes: at most {preview['recipes']:,}{again}, horizon {preview['epochs']} epochs.",
        *rungs,
        f"Structures, a compiled program each: {len(shapes)}.",
        *shapes,
        f"Memory: about {preview['memory_bytes'] / 1e6:,.0f} MB for rows and weights.",
        f"Time: {f'at most {limit:g} s' if limit else 'no limit'}; by the cost model {training:,.0f} s of training on"
        f" {preview['workers']} cores, and reading and compiling before it.",
        *(f"- {note}" for note in preview["notes"]),
        "Nothing was trained or written.",
    ]
    return "\n".join(said)


def _first(count: int | list[int]) -> int:
    return count[0] if isinstance(count, list) else count


def _arrows(sizes: list[int]) -> str:
    return " → ".join(map(str, sizes))


def model_in(folder: Path, which: str | None) -> Any:
    """The model in a folder: single, ensemble, or None for the one that the race decided on."""
    from slalom.ensemble import Ensemble
    from slalom.model import Model
    from slalom.opened import load

    return {None: load, "single": Model.load, "ensemble": Ensemble.load}[which](folder)


def predictions(
    folder: Path,
    file: Path,
    *,
    proba: bool,
    interval: float | None = None,
    which: str | None = None,
    reading: dict[str, str] | None = None,
) -> pl.DataFrame:
    """Predictions for every row of a file, which may be larger than memory, by the model in a folder, with a
    probability for each class if wanted.

    interval: a level, whose intervals are two more columns, `low` and `high`; of classes one, `set`, with the names of
    those in it. which: single or ensemble; None for the one that the race decided on. reading: how a text file is to be
    read.
    """
    from slalom.data import pieces

    model = model_in(folder, which)
    classes = model.classes
    if proba and classes is None:
        raise SlalomError("--proba is for classification. This model was trained for regression: leave it away.")
    found = pieces(file, as_text=model.columns.text_names, **(reading or {}))
    return pl.concat([_predicted(model, rows, proba=proba, interval=interval) for rows in found])


def _predicted(model: Any, rows: pl.DataFrame, *, proba: bool, interval: float | None) -> pl.DataFrame:
    """Predictions for some rows, with what else is wanted of them."""
    classes = model.classes
    frame = pl.DataFrame({"prediction": model.predict(rows)})
    if classes is not None and proba:
        chances = model.predict_proba(rows)
        frame = frame.with_columns(pl.Series(f"p_{label}", chances[:, i]) for i, label in enumerate(classes.tolist()))
    if interval is not None and classes is None:
        low, high = model.predict_interval(rows, interval)
        frame = frame.with_columns(low=pl.Series(low), high=pl.Series(high))
    elif interval is not None and classes is not None:
        held = model.predict_set(rows, interval)
        frame = frame.with_columns(set=pl.Series([" | ".join(map(str, classes[one])) for one in held]))
    return frame


def write(frame: pl.DataFrame, out: Path, *, source: Path) -> None:
    """Write predictions as CSV, whole or not at all; never over the rows they are of (SlalomError)."""
    if out.is_dir():
        raise SlalomError(f"--out must be a file. {out} is a folder.")
    if out.exists() and out.samefile(source):
        raise SlalomError(f"--out must not be the file with the rows, {source}.")
    special = out.exists() and not out.is_file()  # /dev/stdout and the like are written to, not replaced
    temporary = out if special else out.with_name(out.name + ".tmp")
    try:
        temporary.write_text(frame.write_csv(), encoding="utf-8")
        if not special:
            temporary.replace(out)
    except OSError as error:
        raise SlalomError(f"--out must be a file that can be written. {out}: {error.strerror}.") from None
