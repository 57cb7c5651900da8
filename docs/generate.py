"""Write the pages of docs/techniques from the registries and docstrings; --check says which are out of date.

python docs/generate.py            write the pages
python docs/generate.py --check    exit code 1 where a page is not what the code says
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from slalom.described import KINDS, Description, everything
from slalom.listed import default_text, remarks

FOLDER = Path(__file__).with_name("techniques")
NOTE = "<!-- Written by docs/generate.py from the docstrings: change those and run it again. -->"
HEADS = {
    "rules": "Update rules\n\nHow a step follows from the gradient: Δ is added to the weights, η is the rate, "
    "g the gradient, t the number of the step, from 1.",
    "schedules": "Schedules\n\nThe factor on the learning rate at step t, from 0, of a training of T steps.",
    "scalers": "Scalers\n\nFitted on the training rows, column by column; x is a value of the column.",
    "layers": "Layers\n\nFeatures stand first: x is [F, B], features by rows of a batch.",
    "activations": "Activations\n\nThe functions between the layers.",
    "initialisers": "Initialisers\n\nWhere the weights of a dense layer start. In a net auto and orthogonal have the "
    "gain of the activation behind the layer; the others are drawn exactly as they are named, with the gain 1.",
}


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|").replace("*", "\\*")


def paper(about: Description) -> str:
    """The source, its links such that they can be followed."""
    if about.link and about.link not in about.source:
        return f"{about.source} (see <{about.link}>)"
    return re.sub(r"https?://[^\s,;]+", r"<\g<0>>", about.source)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(map(cell, row))} |"


def entry(about: Description) -> Iterator[str]:
    """One part: title, formula, settings, text, example."""
    yield from ("", f"## {about.name}", "", f"{about.title}. Source: {paper(about)}.")
    if about.formula:
        yield from ("", "```text", *about.formula, "```")
    if about.settings:
        rows = [(f"`{s.name}`", default_text(s), s.interval, remarks(s)) for s in about.settings]
        yield from ("", *table(("setting", "default", "range", "meaning"), rows))
    for paragraph in about.text:
        yield from ("", paragraph.replace("|", "\\|").replace("*", "\\*"))
    if about.example:
        yield from ("", "```pycon", *about.example, "```")


def page(kind: str) -> str:
    """The page of one kind."""
    found = everything(kind)
    rows = [
        (f"[{about.name}](#{about.name})", about.title, ", ".join(f"`{s.name}`" for s in about.settings), paper(about))
        for about in found
    ]
    lines = [NOTE, "", f"# {HEADS[kind]}", "", *table(("name", "title", "settings", "source"), rows)]
    for about in found:
        lines += entry(about)
    return "\n".join(lines) + "\n"


def stale() -> list[Path]:
    """The pages that are not what the code says."""
    there = {FOLDER / f"{kind}.md": page(kind) for kind in KINDS}
    gone = [path for path in FOLDER.glob("*.md") if path not in there]
    return [p for p, text in there.items() if not p.is_file() or p.read_text(encoding="utf-8") != text] + gone


def main(arguments: list[str]) -> int:
    """The exit code."""
    if arguments not in ([], ["--check"]):
        print(f"generate.py takes --check or nothing. Got {' '.join(arguments)}.", file=sys.stderr)
        return 2
    if arguments:
        for path in (found := stale()):
            print(f"docs/techniques/{path.name} is not what the code says. Run python docs/generate.py.")
        return 1 if found else 0
    FOLDER.mkdir(exist_ok=True)
    for kind in KINDS:
        (FOLDER / f"{kind}.md").write_text(page(kind), encoding="utf-8")
    print(f"{len(KINDS)} pages written to {FOLDER}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
