"""The contract of a lesson, written once, and the page that it is told on.

A lesson is a file with a record `LESSON`: its title, `tell`, which writes on a page, and `draw`, which draws. Both
compute what they say with the parts that everybody uses (`slalom.descend`, `slalom.rules`, …): none knows a result.
Sentences are templates, `page.say("{steps} steps.", steps=n)`: the words are looked up, the numbers computed.
Matplotlib is loaded by `draw` alone.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from slalom.board import clean, wrapped
from slalom.described import described

INDENT = "    "
WIDEST = 120  # places of a line: what is longer is harder to read


class Lesson(NamedTuple):
    """One lesson: what it is about, in one line; what it tells; what it draws."""

    title: str
    tell: Callable[["Page"], None]
    draw: Callable[[], Any]

    def picture(self) -> Any:
        """The lesson's picture, a figure of Matplotlib in the style of `slalom.pictures`."""
        from slalom.pictures.style import drawn

        return drawn(self.draw)()


class Page:
    """The page that a lesson is told on. width: signs in a line. words: sentences in another language, by the English
    ones.

    >>> page = Page()
    >>> page.say("It took {steps:,} steps.", steps=1200)
    >>> page.table({"t": [0, 1], "w": [1.0, 0.25]}, digits=2)
    >>> print(page.text)
    It took 1,200 steps.
    <BLANKLINE>
        t     w
        0  1.00
        1  0.25
    """

    def __init__(self, width: int = 100, words: Mapping[str, str] | None = None) -> None:
        self.width = width
        self.words = words or {}
        self.missing: set[str] = set()  # sentences that the other language lacks
        self._parts: list[str] = []
        self._seen: list[str] = []

    @property
    def text(self) -> str:
        """All that was told, and what to see in it at the end."""
        seen = [self.word("What to see"), *(self._wrapped(f"- {one}") for one in self._seen)]
        return "\n\n".join([*self._parts, *(["\n".join(seen)] if self._seen else [])])

    def word(self, text: str) -> str:
        """A sentence or a word in the page's language."""
        if self.words and text not in self.words:
            self.missing.add(text)
        return self.words.get(text, text)

    def say(self, sentence: str, **values: Any) -> None:
        """A paragraph; values take their places in it."""
        self._parts.append(self._wrapped(self.word(sentence).format(**values)))

    def see(self, sentence: str, **values: Any) -> None:
        """A sentence on what to see; they stand together at the end."""
        self._seen.append(self.word(sentence).format(**values))

    def formula(self, kind: str, name: str) -> None:
        """The formula of a part, as its own file has it."""
        self.lines(*described(kind, name).formula)

    def lines(self, *lines: str) -> None:
        """Lines as they are, indented."""
        self._parts.append("\n".join(f"{INDENT}{clean(line)}".rstrip() for line in lines))

    def table(self, columns: Mapping[str, Any], *, digits: int = 6) -> None:
        """Columns by their headings; floats with so many decimals, other things as they are."""
        cells: list[list[str]] = []
        for heading, values in columns.items():
            texts = [number(value, digits) for value in values]
            head = self.words.get(heading, heading)
            wide = max(map(broad, [head, *texts]))
            words = all(isinstance(value, str) for value in values)
            left = words and (not cells or not any(re.match(r"[>−-]? ?[\d∞]", value) for value in values))
            cells.append([_padded(text, wide, left=left) for text in [head, *texts]])
        self.lines(*("  ".join(row) for row in zip(*cells, strict=True)))

    def _wrapped(self, text: str) -> str:
        return wrapped(text, self.width) if text.isascii() or not self.words else _folded(text, self.width)


def number(value: Any, digits: int) -> str:
    """A value as a table has it: a float with so many decimals, and none that is only rounding.

    >>> number(-1e-17, 3), number(2.5, 3), number(7, 3), number(float("inf"), 3), number(1.5e9, 3)
    ('0.000', '2.500', '7', '∞', '1.500e+09')
    """
    if isinstance(value, (bool, str)):
        return str(value)
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    value = float(value)
    if not np.isfinite(value):
        return "–" if np.isnan(value) else "∞" if value > 0 else "−∞"
    if abs(value) >= 1e7:
        return f"{value:.{digits}e}"
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def broad(text: str) -> int:
    """How many places of a terminal a text takes: Chinese signs take two.

    >>> broad("rate"), broad("学习率")
    (4, 6)
    """
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else not unicodedata.combining(sign) for sign in text)


def _padded(text: str, wide: int, *, left: bool) -> str:
    room = " " * (wide - broad(text))
    return text + room if left else room + text


def _folded(text: str, width: int) -> str:
    """A paragraph of a language without spaces between its words, in lines that fit; words of Latin letters stay whole,
    and no line begins with a sign that ends a clause."""
    lines, line, indent = [], "", "  " if text.startswith("- ") else ""
    for part in re.findall(r"[!-~]+ ?|.", text):
        if broad(line + part.rstrip()) > min(width, WIDEST) and part[0] not in "，。；：、）！？”":
            lines.append(line.rstrip())
            line, part = indent, part.lstrip()
        line += part
    return "\n".join([*lines, line.rstrip()])


def first_below(losses: Any, target: float) -> int | None:
    """The first place of a row that is at most the target; None where there is none.

    >>> first_below([3.0, 1.0, 0.5], 1.0), first_below([3.0], 1.0)
    (1, None)
    """
    found = np.flatnonzero(np.asarray(losses) <= target)
    return int(found[0]) if len(found) else None


def steps_said(steps: int | None, most: int) -> str:
    """How many steps it took, or that it took more than there were."""
    return f"{steps:,}" if steps is not None else f"> {most:,}"
