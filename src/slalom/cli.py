"""The command line: what a race and its folder have to say; the commands that measure, predict and teach apart.

Results go to stdout, progress to stderr. Exit codes: 0; 1 the race failed; 2 something given cannot be used; 130
interrupted; 143 terminated.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from slalom import measuring, outcome, shell, showing, teaching, using
from slalom.errors import RaceFailed, SlalomError
from slalom.measuring import FAILED, FOLDER, INTERRUPTED
from slalom.outcome import TERMINATED, raced, told_of

REFUSED = 2
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        shell.show(f"slalom {version('slalom')}")
        ctx.exit()


@click.group(context_settings=CONTEXT)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
def command() -> None:
    """Find out how a neural network should be trained on your data.

    \b
    Examples:
      slalom race houses.csv --target price --seconds 60 --out runs/houses
      slalom inspect houses.csv --target price
      slalom explain runs/houses --seconds 300
      slalom compare houses.csv --target price --over rule
      slalom predict runs/houses new_rows.csv --out predictions.csv
      slalom leaderboard runs/houses
      slalom race --continue runs/houses --seconds 120
      slalom resume runs/houses
      slalom list rules
      slalom lesson adam
      slalom bench
    """


@command.command(short_help="Race recipes on a table; keep the best model.")
@click.argument("file", type=FOLDER, required=False)
@click.option("--target", metavar="COLUMN", help="The column to predict.")
@click.option("--seconds", type=float, help="A hard limit on the race.  [60, unless recipes are counted]")
@click.option("--seed", type=int, help="Of the division of rows, the recipes drawn and first weights.  [0]")
@click.option("--out", type=FOLDER, help="A new folder for everything.  [runs/NAME-OF-FILE]")
@click.option("--task", type=click.Choice(["auto", "regression", "classification"]), help="What is predicted.  [auto]")
@click.option("--metric", metavar="NAME", help="What chooses the winner.  [rmse, or log_loss for classes]")
@shell.reading
@click.option(
    "--weights", "sample_weight", metavar="COLUMN", help="What each row weighs in training and choosing; no input."
)
@click.option("--group", metavar="COLUMN", help="Rows of one group are never both trained on and held out; no input.")
@click.option("--time", metavar="COLUMN", help="Train on the earliest rows, hold out the latest; stays an input.")
@click.option("--no-test", is_flag=True, help="Hold no test rows back.")
@click.option(
    "--recipes",
    type=int,
    metavar="N",
    help="Exactly N recipes, none dropped (with --seconds: at most); goes with --epochs.",
)
@click.option("--epochs", type=int, metavar="E", help="Exactly E epochs for each.")
@click.option("--recipe", type=FOLDER, metavar="FILE.toml", help="Just this one recipe.")
@click.option(
    "--set",
    "fixed",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Fix a field of all recipes (repeatable); a name that is not known is answered with those that are.",
)
@click.option("--space", type=FOLDER, metavar="FILE.toml", help="Draw fields from this space instead of Slalom's own.")
@click.option("--also", type=FOLDER, multiple=True, metavar="FILE.toml", help="Race this recipe along (repeatable).")
@click.option(
    "--refit",
    is_flag=False,
    flag_value="train",
    type=click.Choice(["train", "all"]),
    metavar="[all]",
    help="Train the winner once more, on all rows that are not test rows (all: on those, too).",
)
@click.option(
    "--explain", "explain", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="Behind the race, measure for so long what each part of the winner is worth.",
)  # fmt: skip
@click.option("--continue", "extend", type=FOLDER, metavar="DIR", help="Add recipes to the race in this folder.")
@click.option(
    "--checkpoint", "every", type=click.FloatRange(min=0), metavar="SECONDS",
    help="How often racers are kept, for `slalom resume`.  [20]",
)  # fmt: skip
@click.option(
    "--memory", metavar="SIZE", help="Plan with so much memory, such as 4GB: fewer recipes at a time, narrower calls."
)
@click.option("--dry-run", is_flag=True, help="Say what would run, its memory and time; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
def race(**given: Any) -> int:
    """Race recipes on the rows of FILE (.csv, .tsv, .txt, .parquet, .feather, .jsonl, .xlsx; .gz, .zip) and keep the
    best model.

    \b
    Examples:
      slalom race houses.csv --target price
      slalom race houses.csv --target price --seconds 60 --seed 0 --out runs/houses
      slalom race houses.csv --target price --set rule=adamw --set depth=3
      slalom race houses.csv --target price --recipes 64 --epochs 20 --json
      slalom race houses.csv --target price --refit
      slalom race houses.csv --target price --dry-run
      slalom race houses.csv --target price --seconds 60 --explain 300
      slalom race --continue runs/houses --seconds 120
    """
    from slalom.display import display

    shell.enough_addresses("Then slalom resume goes on with a higher limit.")
    with display(quiet=given["quiet"]) as progress:
        from slalom.asked import wanted  # what is heavy is loaded with the display on

        asked = wanted(given)
        asked |= {"began": shell.process_start(), "progress": progress}
        if given["dry_run"]:
            from slalom.racing import preview

            plan, ended = preview(**asked), None
        else:
            from slalom.racing import race as run_race

            plan, ended = {}, raced(run_race, asked)
    if ended is None:
        from slalom import told

        shell.show(shell.as_json(plan) if given["as_json"] else told.plan(plan))
        return 0
    return told_of(ended, given)


@command.command(short_help="Show the leaderboard of a race.")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--json", "form", flag_value="json", help="As a JSON list of objects.")
@click.option("--csv", "form", flag_value="csv", help="As CSV.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="The best N rows.  [20; all in JSON and CSV]")
def leaderboard(folder: Path, form: str | None, top: int | None) -> int:
    """Show the leaderboard of the race in DIR.

    \b
    Examples:
      slalom leaderboard runs/houses
      slalom leaderboard runs/houses --top 5
      slalom leaderboard runs/houses --csv > leaderboard.csv
    """
    from slalom import board, opened

    found = opened.leaderboard(folder)
    cut = found.head(top) if top else found
    if form == "json":
        shell.show(shell.as_json(cut.to_dicts()))
    elif form == "csv":
        from slalom.folder import as_csv

        shell.show(as_csv(cut), raw=True)
    else:
        shell.show(board.table(found, shell.columns(), top or 20))
    return 0


command.add_command(outcome.resume)
command.add_command(using.inspect)
command.add_command(using.predict)
command.add_command(using.export)
command.add_command(measuring.explain)
command.add_command(measuring.compare)
command.add_command(showing.report)
command.add_command(measuring.bench)
command.add_command(teaching.list_parts)
command.add_command(teaching.lesson)


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code."""
    try:
        return int(command.main(arguments, prog_name="slalom", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return REFUSED
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "slalom"
        shell.complain(f"{error.format_message()} See {path} --help.")
        return REFUSED
    except SlalomError as error:
        shell.complain(str(error))
        return REFUSED
    except RaceFailed as error:
        shell.complain(str(error))
        return FAILED
    except (KeyboardInterrupt, click.Abort) as stopped:
        cause = stopped.__cause__ or stopped  # click makes an Abort of it
        kept = getattr(cause, "kept", None)
        goes_on = (
            f": {shell.program()} resume {shlex.quote(str(kept))} goes on"
            if kept
            else " before there was anything to keep"
        )
        shell.complain(f"Interrupted{goes_on}.")
        return TERMINATED if isinstance(cause, shell.Terminated) else INTERRUPTED
    except MemoryError as error:
        shell.complain(f"Memory does not suffice: {error or 'nothing is left'}. Take fewer rows, or --memory SIZE.")
        return FAILED
    except OSError as error:
        shell.complain(f"{error.filename or 'A file'} cannot be read or written: {error.strerror or error}.")
        return FAILED
    except Exception as error:  # noqa: BLE001 - the last floor: a person gets a sentence, SLALOM_DEBUG the traceback
        shell.complain(f"slalom failed: {type(error).__name__}: {error} (SLALOM_DEBUG=1 shows where).")
        return FAILED


def main() -> NoReturn:
    """The entry point. A thread that still compiles does not keep the process alive."""
    code = run(sys.argv[1:])
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or FAILED
    os._exit(code)
