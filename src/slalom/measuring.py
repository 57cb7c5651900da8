"""The commands that measure: `explain` what a winner is worth, `compare` the values of a field, `bench` the machine."""

from pathlib import Path
from typing import Any

import click

from slalom import shell, showing
from slalom.errors import SlalomError

FAILED, INTERRUPTED = 1, 130
FOLDER = click.Path(path_type=Path)


@click.command(short_help="Measure what the winner of a race, and each part of it, is worth.")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("file", type=FOLDER, required=False)
@click.option("--seconds", type=float, help="A limit; a step not finished by then is lost.  [until all is measured]")
@click.option("--told", "only_told", is_flag=True, help="Say what was measured so far; measure nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
def explain(folder: Path, file: Path | None, seconds: float | None, only_told: bool, as_json: bool, quiet: bool) -> int:
    """Train the winner of the race in DIR again, with and without each of its parts, and say what they are worth.

    It goes on where an earlier call stopped. The rows are read again from where the race had them; FILE says where they
    are now.

    \b
    Examples:
      slalom explain runs/houses --seconds 300
      slalom explain runs/houses --told
      slalom explain runs/houses moved/houses.csv --json
    """
    if only_told:
        from slalom import opened

        evidence = opened.evidence(folder)
        if evidence is None:
            raise SlalomError(f"{folder} has no evidence yet. slalom explain {folder} --seconds 300 measures some.")
    else:
        rows = {} if file is None else {"X": file}
        evidence = measured(folder, seconds=seconds, quiet=quiet, began=shell.process_start(), **rows)
        if evidence is None:
            return INTERRUPTED
    shell.show(shell.as_json(evidence.plain()) if as_json else said(evidence, folder))
    return 0


def measured(folder: Path, *, quiet: bool, **given: Any) -> Any:
    """What `slalom.explain` finds; None where Ctrl-C ended it, which is told."""
    from slalom.display import display

    shell.enough_addresses()
    with display(quiet=quiet) as progress:
        from slalom.explaining import explain as measure

        try:
            return measure(folder, progress=progress, **given)
        except KeyboardInterrupt:
            shell.complain(f"Interrupted. What was finished is kept: slalom explain {folder} goes on.")
            return None


def said(evidence: Any, folder: Path) -> str:
    """Evidence for a person, as wide as the terminal."""
    from slalom import board, explained

    sentences = explained.sentences(evidence, shell.program(), str(folder))
    return "\n".join(board.wrapped(sentence, shell.columns()) for sentence in sentences)


@click.command(short_help="Compare update rules, or the values of any other field, fairly; or races that were run.")
@click.argument("files", type=FOLDER, nargs=-1, required=True, metavar="FILE…|DIR…")
@click.option(
    "--target", multiple=True, metavar="COLUMN", help="The column to predict; one for all files, or one each."
)
@click.option("--over", default="rule", show_default=True, metavar="FIELD", help="The field that is compared.")
@click.option("--values", metavar="A,B,…", help="The values.  [all names it may have; of rules the likeliest six]")
@click.option("--recipes", type=int, default=16, show_default=True, help="In each search; every value gets three.")
@click.option("--epochs", type=int, default=10, show_default=True, help="Of each recipe.")
@click.option("--set", "fixed", multiple=True, metavar="FIELD=VALUE", help="Fix a field of all recipes (repeatable).")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the division of rows, recipes and weights.")
@click.option("--metric", metavar="NAME", help="What is compared by; not auc.  [rmse, or log_loss for classes]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
@click.option("--out", type=FOLDER, metavar="PAGE", help="Of runs: the page to write.  [compared.html]")
@click.option("--open", "opens", is_flag=True, help="Of runs: open the page in a browser.")
def compare(
    files: tuple[Path, ...], target: tuple[str, ...], values: str | None, fixed: tuple[str, ...], as_json: bool,
    quiet: bool, out: Path | None, opens: bool, **given: Any,
) -> int:  # fmt: skip
    """Search three times with each value of a field, with equally many recipes and steps, and compare what came out.

    Every update rule has a range of learning rates of its own, and of epsilon. Scores are of new seeds on rows that
    chose nothing. With several files there is a performance profile over them. Nothing is written; there is no time
    limit. Folders of races, two or more, are not raced again: one page puts them side by side.

    \b
    Examples:
      slalom compare houses.csv --target price --over rule
      slalom compare houses.csv --target price --over rule --values adam,adamw,sgd --recipes 32
      slalom compare a.csv b.csv --target y --over scaling --values none,z_score,quantile_normal
      slalom compare runs/houses runs/houses-2 --open
    """
    if showing.are_runs(files):
        return showing.compared(files, out, opens=opens)
    from slalom import board, standings
    from slalom.asked import fields
    from slalom.display import display
    from slalom.recipe import parse_value

    if len(target) not in (1, len(files)):
        raise SlalomError(
            f"--target must be given once, or once for each of the {len(files)} files. Got {len(target)}."
        )
    over = given["over"]
    named = None if values is None else [parse_value(over, value.strip()) for value in values.split(",")]
    told = []
    with display(quiet=quiet) as progress:
        from slalom.comparing import compare as contest

        for i, file in enumerate(files):
            column = target[i if len(target) > 1 else 0]
            told.append(contest(file, target=column, values=named, fixed=fields(fixed), progress=progress, **given))
    if as_json:
        shell.show(shell.as_json([one.plain() for one in told] if len(told) > 1 else told[0].plain()))
        return 0
    said = [line for one in told for line in (*standings.text(one), "")]
    said += standings.profiled(told) if len(told) > 1 else []
    shell.show("\n".join(line if "\n" in line else board.wrapped(line, shell.columns()) for line in said))
    return 0


@click.command(short_help="Measure how fast this machine trains, beside other libraries.")
@click.option("--shapes", metavar="LETTERS", default="A", show_default=True, help="Shapes of nets: A to G.")
@click.option("--racers", type=click.IntRange(1, 65_536), default=64, show_default=True, help="Nets that train.")
@click.option("--rows", type=click.IntRange(256), default=20_000, show_default=True, help="Rows of the made table.")
@click.option("--seconds", type=click.FloatRange(0.1, 600), default=3.0, show_default=True, help="For Slalom, a round.")
@click.option("--mixed", is_flag=True, help="Slalom's racers have every rule, schedule and scaling, not Adam alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
def bench(shapes: str, racers: int, rows: int, seconds: float, mixed: bool, as_json: bool, quiet: bool) -> int:
    """Train the same nets on the same rows with Slalom, PyTorch, scikit-learn and plain JAX, one after the other.

    \b
    A  16 columns, 2 x 64, batch 64       E  A with dropout and batch norm
    B  8 columns, 3 x 128, batch 256      F  B with periodic features
    C  100 columns, 2 x 256, batch 256    G  logistic regression, batch 256
    D  30 columns, 2 x 32, batch 32

    Racer-steps a second are updates of one net; compiling is told apart. PyTorch takes part where it is installed.

    \b
    Examples:
      slalom bench
      slalom bench --shapes ABC --seconds 5
      slalom bench --racers 256 --mixed --json
    """
    from slalom.bench import measure, shown
    from slalom.bench.cases import SHAPES

    unknown = sorted(set(shapes.upper()) - set(SHAPES))
    if unknown or not shapes:
        raise SlalomError(
            f"slalom bench: --shapes takes letters of {''.join(SHAPES)}, for example ABC; got {shapes!r}."
        )
    say = (lambda text: None) if quiet else (lambda text: click.echo(f"  {text} …", err=True))
    cases = [measure.case_of(letter, racers, rows, seconds, mixed=mixed) for letter in dict.fromkeys(shapes.upper())]
    told = []
    for case in cases:
        told.append(measure.compared(case, say))
        if not as_json:
            shell.show(shown.text(told[-1]) + "\n")
    if as_json:
        shell.show(shell.as_json({"machine": measure.machine(), "cases": told}))
    elif not measure.has_torch():
        shell.show("PyTorch is not installed here, so that it took no part: pip install 'slalom[bench]' brings it.")
    failed = any(one["failure"] for case in told for one in case["contestants"][:1])
    return FAILED if failed else 0
