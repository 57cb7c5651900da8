"""The parts as text for a terminal: a table of all of one kind, and the whole entry of one."""

import re
import textwrap
from collections.abc import Sequence

from slalom.described import Description, SettingSaid

NARROW, WIDE = 60, 120  # signs in a line: what is narrower overflows, what is wider is harder to read


def table(found: Sequence[Description], columns: int) -> str:
    """Name, title and settings of every part, a line or a few each.

    >>> from slalom.described import everything
    >>> print(table(everything("rules")[:2], 80))
    name      title                        settings
    sgd       Stochastic gradient descent
    momentum  Heavy-ball momentum, with    mu=0.9
              the rate outside the sum
    """
    rows = [(about.name, about.title, ", ".join(_short(s) for s in about.settings)) for about in found]
    rows = [("name", "title", "settings"), *rows]
    width = min(max(columns, NARROW), WIDE)
    first = max(len(name) for name, _, _ in rows)
    second = min(max(len(title) for _, title, _ in rows), (width - first - 4) * 2 // 5)
    third = width - first - second - 4
    lines = []
    for name, title, settings in rows:
        titles, many = _wrapped(title, second), _wrapped(settings, third)
        for i in range(max(len(titles), len(many), 1)):
            cells = [part[i] if i < len(part) else "" for part in ([name], titles, many)]
            lines.append(f"{cells[0]:<{first}}  {cells[1]:<{second}}  {cells[2]}".rstrip())
    return "\n".join(lines)


def entry(about: Description, columns: int, *, brief: bool = False) -> str:
    """Everything about one part: title, paper, formula, settings, text and example; in brief without the last two.

    >>> from slalom.described import described
    >>> for line in entry(described("activations", "tanh"), 80).splitlines():
    ...     print(line)
    tanh: tanh
    Source: standard
    <BLANKLINE>
        y = tanh x
    <BLANKLINE>
    Weights in front of it are drawn with the gain 1.
    """
    width = min(max(columns, NARROW), WIDE)
    parts = [[*_wrapped(f"{about.name}: {about.title}", width), *_wrapped(f"Source: {about.source}", width)]]
    if about.link and about.link not in about.source:
        parts[0] += _wrapped(f"Link: {about.link}", width)
    parts.append([f"    {line}".rstrip() for line in about.formula])
    if about.settings:
        parts.append(["Settings:", *(line for said in about.settings for line in _long(said, about.settings, width))])
    if not brief:
        parts += [_wrapped(paragraph, width) for paragraph in about.text]
        parts.append([f"    {line}".rstrip() for line in about.example])
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def default_text(said: SettingSaid) -> str:
    """The default as one writes it: 0.9, or the record that stands there, or nothing where it must be given."""
    if said.default is None:
        return ""
    several = said.default if isinstance(said.default, tuple) else (said.default,)
    return ", ".join(number(v) if isinstance(v, (int, float)) else str(v) for v in several)


def number(value: float) -> str:
    """A number as one writes it.

    >>> number(1e-8), number(0.999), number(5.0)
    ('1e-8', '0.999', '5')
    """
    return re.sub(r"e([+-])0+(?=\d)", r"e\1", f"{value:g}")


def remarks(said: SettingSaid) -> str:
    """What a setting means, and what a race does with it."""
    length = "; a fraction of the horizon below 1, steps otherwise" if said.kind == "length" else ""
    drawn = f"; a race draws from {', '.join(map(number, said.search))}" if said.search else ""
    return said.meaning + length + drawn


def _short(said: SettingSaid) -> str:
    default = default_text(said)
    default = f"({default})" if isinstance(said.default, tuple) else default
    return f"{said.name}={default}" if default else said.name


def _long(said: SettingSaid, all_of_them: Sequence[SettingSaid], width: int) -> list[str]:
    """A setting's line or lines, in line with those of its neighbours."""
    names = max(len(s.name) for s in all_of_them)
    defaults = max(len(default_text(s)) for s in all_of_them)
    intervals = max(len(s.interval) for s in all_of_them)
    head = f"  {said.name:<{names}}  {default_text(said):<{defaults}}  {said.interval:<{intervals}}  "
    lines = _wrapped(remarks(said), max(width - len(head), 30))
    return [f"{head if i == 0 else ' ' * len(head)}{line}".rstrip() for i, line in enumerate(lines)]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
