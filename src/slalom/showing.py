"""The pages: the command `report` draws that of a race anew; `compare` of runs puts several on one page."""

import webbrowser
from pathlib import Path
from typing import Any

import click

from slalom import shell
from slalom.errors import SlalomError

FOLDER = click.Path(path_type=Path)


@click.command(short_help="Draw the report of a race anew, with the loss around its winner.")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("file", type=FOLDER, required=False)
@click.option(
    "--seconds", type=float, default=30.0, show_default=True, help="About how long it may take; 0 trains nothing."
)
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@click.option("--quiet", "-q", is_flag=True, help="Nothing on stdout but the path.")
def report(folder: Path, file: Path | None, seconds: float, opens: bool, quiet: bool) -> int:
    """Draw DIR/report.html anew: with everything that was measured since, and with the loss around the winner, on which
    the paths of its update rule and of others lie that begin at the same weights.

    The page is one file that loads nothing; report.json beside it holds its numbers. A race of a data frame is drawn
    from Python: slalom.report_on(DIR, X, y). FILE says where the rows are now.

    \b
    Examples:
      slalom report runs/houses --open
      slalom report runs/houses moved/houses.csv --seconds 120
    """
    from slalom.display import display

    with display(quiet=quiet):
        from slalom.reporting import report_on

        rows: Any = {} if file is None else {"X": file}
        page = report_on(folder, seconds=seconds, **rows)
    shell.show(f"{page}\n" if quiet else f"The report is {page}, and its numbers are in {page.with_suffix('.json')}.\n")
    _opened(page, opens=opens)
    return 0


def are_runs(paths: tuple[Path, ...]) -> bool:
    """Whether there are folders among these, which only races leave."""
    return any(path.is_dir() for path in paths)


def compared(paths: tuple[Path, ...], out: Path | None, *, opens: bool) -> int:
    """Put the races in these folders on one page."""
    from slalom.folder import RunFolder, public, write
    from slalom.opened import report as numbers
    from slalom.report.side import side_by_side
    from slalom.reporting import NO_NUMBERS

    told: list[dict[str, Any]] = []
    for path in paths:
        RunFolder.extend(path)
        found = numbers(path)
        if not found:
            raise SlalomError(f"{path} has no report.json to take its numbers from: {NO_NUMBERS}")
        told.append(found)
    names = [path.resolve().name for path in paths]
    if len(set(names)) < len(names):
        names = [f"{public(path)} ({i})" for i, path in enumerate(paths, start=1)]
    page = out or Path("compared.html")
    if page.is_dir():
        raise SlalomError(f"--out must be a file. {page} is a folder.")
    try:
        write(page, side_by_side(names, told).encode())
    except SlalomError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SlalomError(f"A report.json of these races is damaged: {error!r}.") from None
    shell.show(f"The races stand side by side in {page}.\n")
    _opened(page, opens=opens)
    return 0


def _opened(page: Path, *, opens: bool) -> None:
    if opens and not webbrowser.open(page.resolve().as_uri()):
        shell.complain(f"No browser was found: open {page} in one.")
