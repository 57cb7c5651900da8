"""The command that teaches: `lesson` lists the lessons, and runs one with its formula, its numbers and its picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from slalom import shell
from slalom.errors import SlalomError

FOLDER = click.Path(path_type=Path)


@click.command(short_help="Teach a technique: formula, worked numbers, picture.")
@click.argument("name", required=False)
@click.option("--save", type=FOLDER, metavar="DIR", help="Draw the lesson's picture: DIR/NAME.png and DIR/NAME.svg.")
def lesson(name: str | None, save: Path | None) -> int:
    """Run the lesson NAME: it prints a formula, computes worked numbers, and says what to see in them. Without a NAME
    the lessons are listed, in the order in which they build on each other.

    \b
    Examples:
      slalom lesson
      slalom lesson adam
      slalom lesson adam --save pictures
    """
    from slalom import lessons

    if name is None:
        if save is not None:
            raise SlalomError("--save goes with the NAME of a lesson.")
        wide = max(map(len, lessons.REGISTRY))
        shell.show("\n".join(f"{one:<{wide}}  {about.title}" for one, about in lessons.REGISTRY.items()))
        shell.show(f"\nRun one:       {shell.program()} lesson adam")
        shell.show(f"Its picture:   {shell.program()} lesson adam --save DIR")
        return 0
    told = lessons.lesson(name)
    page = lessons.Page(shell.columns())
    told.tell(page)
    shell.show(f"{told.title}\n\n{page.text}")
    known = next(one for one, about in lessons.REGISTRY.items() if about is told)
    shell.show("\n" + (_saved(told.picture, known, save) if save else
                       f"Its picture:   {shell.program()} lesson {known} --save DIR"))  # fmt: skip
    return 0


def _saved(draw: Callable[[], Any], name: str, folder: Path) -> str:
    """Write the picture as PNG and SVG; what is said of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        picture, files = draw(), [folder / f"{name}.png", folder / f"{name}.svg"]
        for file in files:
            picture.savefig(file)
    except OSError as error:
        raise SlalomError(f"--save must be a folder that can be written to. {folder}: {error.strerror}.") from None
    return f"The picture is in {files[0]} and {files[1]}"
