"""How a race ends on the command line: what is told of it, its exit code, and going on with one that was cut off."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from slalom import measuring, shell
from slalom.measuring import FAILED, FOLDER, INTERRUPTED

TERMINATED = 143


@click.command(short_help="Go on with a race that was cut off.")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("file", type=FOLDER, required=False)
@click.option("--force", is_flag=True, help="Also with other versions, another device or other rows than at its start.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
def resume(folder: Path, file: Path | None, **given: Any) -> int:
    """Go on with the race in DIR where its process died, was interrupted or found the disk full, to its end.

    A race of so many recipes and epochs ends as it would have without a stop, bit for bit; one with a limit in seconds
    has those that were left. The rows are read again from where the race had them; FILE says where they are now.

    \b
    Examples:
      slalom resume runs/houses
      slalom resume copied/houses moved/houses.csv
    """
    from slalom.display import display

    shell.enough_addresses("Then slalom resume goes on with a higher limit.")
    with display(quiet=given["quiet"]) as progress:
        from slalom.resuming import resume as go_on

        rows = {} if file is None else {"X": file}
        asked = {"folder": folder, "force": given["force"], "progress": progress, "began": shell.process_start()} | rows
        ended = raced(go_on, asked)
    return told_of(ended, given | {"explain": None, "file": file})


def told_of(ended: tuple[Any, int], given: dict[str, Any]) -> int:
    """Tell of a race that ended, (its result, 0 or the code that it was cut off with); the exit code."""
    from slalom import told

    result, cut_off = ended
    if not given["as_json"]:
        shell.show(told.result(result, shell.columns(), interrupted=bool(cut_off), program=shell.program()))
    whole = told.has_winner(result) and not cut_off
    evidence = _explained(result, given) if whole and given["explain"] else None
    if given["as_json"]:
        shell.show(shell.as_json(result.summary() | ({"evidence": evidence.plain()} if evidence else {})))
    if whole and given["explain"] and not evidence:
        return INTERRUPTED
    return cut_off or (0 if whole else FAILED)


def _explained(result: Any, given: dict[str, Any]) -> Any:
    """The evidence of `--explain`, told unless JSON is wanted; None where it was interrupted."""
    rows = {"X": given["file"]} if given["file"] else {}
    evidence = measuring.measured(result.out, seconds=given["explain"], quiet=given["quiet"], **rows)
    if evidence and not given["as_json"]:
        shell.show("\n" + measuring.said(evidence, result.out))
    return evidence


def raced(door: Callable[..., Any], asked: dict[str, Any]) -> tuple[Any, int]:
    """(the result, 0 or the code of what cut the race off: Ctrl-C, or being told to end)."""
    from slalom.result import Interrupted

    told = shell.end_on_term()
    try:
        return door(**asked), 0
    except Interrupted as stopped:
        return stopped.result, TERMINATED if told() else INTERRUPTED
