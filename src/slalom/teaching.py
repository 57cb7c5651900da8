"""The commands that teach: `list` shows the parts of recipes, `lesson` runs a lesson, with its numbers and picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from slalom import shell
from slalom.errors import SlalomError

FOLDER = click.Path(path_type=Path)


@click.command("list", short_help="Show the parts of a recipe: their formulas, settings and papers.")
@click.argument("kind", metavar="KIND")
@click.argument("name", required=False)
@click.option("--full", is_flag=True, help="Of every part the formula, the settings with their ranges, and the paper.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: a list of objects, or with a NAME one object.")
def list_parts(kind: str, name: str | None, full: bool, as_json: bool) -> int:
    """Show every part of a KIND (rules, schedules, scalers, layers, activations, initialisers), or all of one.

    \b
    Examples:
      slalom list rules
      slalom list rules --full
      slalom list rules adam
      slalom list schedules --json
    """
    from slalom import described, listed

    if name is not None:
        about = described.described(kind, name)
        shell.show(shell.as_json(about.plain()) if as_json else listed.entry(about, shell.columns()))
        return 0
    found = described.everything(kind)
    if as_json:
        shell.show(shell.as_json([about.plain() for about in found]))
    elif full:
        shell.show("\n\n".join(listed.entry(about, shell.columns(), brief=True) for about in found))
    else:
        shell.show(listed.table(found, shell.columns()))
        shell.show(f"\nFormulas, ranges and papers:  {shell.program()} list {kind} --full")
        shell.show(f"All about one of them:        {shell.program()} list {kind} NAME")
    return 0


@click.command(short_help="Teach a technique: formula, worked numbers, picture.")
@click.argument("name", required=False)
@click.option("--save", type=FOLDER, metavar="DIR", help="Draw the lesson's picture: DIR/NAME.png and DIR/NAME.svg.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", help="The language of the text.  [en]")
def lesson(name: str | None, save: Path | None, lang: str) -> int:
    """Run the lesson NAME: it prints a formula, computes worked numbers, and says what to see in them. Without a NAME
    the lessons are listed, in the order in which they build on each other.

    \b
    Examples:
      slalom lesson
      slalom lesson adam
      slalom lesson adam --save pictures
      slalom lesson adam --lang zh
    """
    from slalom import lessons
    from slalom.lessons.base import broad

    words, tongue = lessons.words(lang), "" if lang == "en" else f" --lang {lang}"

    def said(text: str) -> str:
        known = words.get(text, text)
        return known + " " * (15 - broad(known))

    if name is None:
        if save is not None:
            raise SlalomError("--save goes with the NAME of a lesson.")
        wide = max(map(len, lessons.REGISTRY))
        titles = {one: words.get(about.title, about.title) for one, about in lessons.REGISTRY.items()}
        shell.show("\n".join(f"{one:<{wide}}  {title}" for one, title in titles.items()))
        shell.show(f"\n{said('Run one:')}{shell.program()} lesson adam{tongue}")
        shell.show(f"{said('Its picture:')}{shell.program()} lesson adam --save DIR{tongue}")
        return 0
    told = lessons.lesson(name)
    page = lessons.Page(shell.columns(), words)
    told.tell(page)
    shell.show(f"{page.word(told.title)}\n\n{page.text}")
    known = next(one for one, about in lessons.REGISTRY.items() if about is told)
    if save:
        sentence = "The picture is in {png} and {svg}"
        last = words.get(sentence, sentence).format_map(_saved(told.picture, known, save))
    else:
        last = f"{said('Its picture:')}{shell.program()} lesson {known} --save DIR{tongue}"
    shell.show(f"\n{last}")
    return 0


def _saved(draw: Callable[[], Any], name: str, folder: Path) -> dict[str, Path]:
    """Write the picture as PNG and SVG; where."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        picture, files = draw(), [folder / f"{name}.png", folder / f"{name}.svg"]
        for file in files:
            picture.savefig(file)
    except OSError as error:
        raise SlalomError(f"--save must be a folder that can be written to. {folder}: {error.strerror}.") from None
    return {"png": files[0], "svg": files[1]}
