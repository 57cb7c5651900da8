"""Every registered part as data: its name, title, paper, formula, settings and text, read from where it is written.

The registries say what there is, the docstrings what it computes and from where, the fields what can be set. The
command line and the tables of the documentation show what stands here, and keep no second account of it.
"""

import dataclasses
import inspect
import re
from typing import Any, NamedTuple

from slalom import layers, rules, scaling, schedules
from slalom.errors import unknown

YEAR = r"\b(?:1[6-9]|20)\d\d\b"
STANDARD = "standard"  # the source of what everybody writes the same way and nobody is cited for


class SettingSaid(NamedTuple):
    """One field that a person can set."""

    name: str
    default: Any  # a number or several; the name of a record for a part; None where it must be given
    interval: str  # the values allowed; empty for a part
    meaning: str
    search: tuple[float, ...]  # what a race draws from; () where it keeps to the default
    kind: str  # setting, length (a fraction of the horizon below 1, steps otherwise) or part (another record)


class Description(NamedTuple):
    """One part, as its own file tells it."""

    name: str
    kind: str
    title: str
    source: str  # authors, year and place, as in the head of the docstring; "standard" where there is none
    link: str  # empty where there is none
    formula: tuple[str, ...]
    text: tuple[str, ...]  # paragraphs
    example: tuple[str, ...]
    settings: tuple[SettingSaid, ...]

    def plain(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return self._asdict() | {"settings": [s._asdict() for s in self.settings]}


def members(kind: str) -> dict[str, Any]:
    """The parts of one kind by name, in the order of their registry.

    >>> list(members("rules"))[:2]
    ['sgd', 'momentum']
    """
    if kind not in KINDS:
        raise unknown("KIND", kind, KINDS)
    return KINDS[kind]


def described(kind: str, name: str) -> Description:
    """The description of one part.

    >>> about = described("rules", "adam")
    >>> about.title, about.link, about.formula[0]
    ('Adam', 'https://arxiv.org/abs/1412.6980', 'm ← β₁ m + (1 − β₁) g')
    """
    known = members(kind)
    if name not in known:
        raise unknown(f"NAME of {kind}", name, known)
    one = known[name]
    if not (isinstance(one, type) or inspect.isfunction(one)):
        return _of_a_table(kind, name, one)
    head, formula, text, example = sections(inspect.cleandoc(one.__doc__ or ""))
    title, source = title_and_source(head)
    link = link_in(head) or link_in(" ".join(text))
    return Description(name, kind, title, source or STANDARD, link, formula, text, example, _settings(one))


def everything(kind: str) -> list[Description]:
    """The descriptions of all parts of one kind."""
    return [described(kind, name) for name in members(kind)]


def sections(doc: str) -> tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(head, lines of the formula, paragraphs of the text, lines of the example) of a docstring.

    >>> sections("Double (Doe 2020).\\n\\n    y = 2 x\\n\\nx: [] a\\nnumber.\\n\\n>>> 1\\n1")
    ('Double (Doe 2020).', ('y = 2 x',), ('x: a number.',), ('>>> 1', '1'))
    """
    before, arrow, after = doc.partition("\n>>> ")
    head, _, body = before.partition("\n\n")
    formula: list[str] = []
    text: list[str] = []
    for block in re.split(r"\n\s*\n", body.strip("\n")):
        if block.startswith("    "):
            formula += [*([""] if formula else []), *inspect.cleandoc(f"\n{block}").split("\n")]
        elif block.strip():
            text.append(" ".join(block.split()).replace(": [] ", ": "))  # that a setting is one number is no news
    return " ".join(head.split()), tuple(formula), tuple(text), tuple((arrow + after).strip().splitlines())


def title_and_source(head: str) -> tuple[str, str]:
    """The title, and what stands in brackets within it and names a year or a link.

    >>> title_and_source("Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980), bias-corrected.")
    ('Adam, bias-corrected', 'Kingma & Ba 2015, https://arxiv.org/abs/1412.6980')
    >>> title_and_source("Falls, as in He et al. 2016 (https://arxiv.org/abs/1512.03385).")
    ('Falls', 'He et al. 2016, https://arxiv.org/abs/1512.03385')
    >>> title_and_source("No scaling at all.")
    ('No scaling at all', '')
    """
    title, sources, at = "", [], 0
    for opened in re.finditer(r" \(", head):
        depth, end = 1, opened.end()
        while depth and end < len(head):
            depth += {"(": 1, ")": -1}.get(head[end], 0)
            end += 1
        source = head[opened.end() : end - 1]
        if opened.start() >= at and re.search(rf"https?://|{YEAR}", source):
            title += head[at : opened.start()]
            named = re.search(rf",? (?:as in|as|after|of) ([^,]*{YEAR})$", title)
            if named and not re.search(YEAR, source.partition("http")[0]):
                title, source = title[: named.start()], f"{named[1]}, {source}"
            sources.append(source)
            at = end
    return (title + head[at:]).rstrip("."), "; ".join(sources)


def link_in(text: str) -> str:
    """The first link in a text, without the sentence's own signs behind it.

    >>> link_in("(Polyak 1964, https://doi.org/10.1016/0041-5553(64)90137-5).")
    'https://doi.org/10.1016/0041-5553(64)90137-5'
    """
    found = re.search(r"https?://\S+", text)
    link = found[0].rstrip(".,;:") if found else ""
    while link.endswith(")") and link.count(")") > link.count("("):
        link = link[:-1].rstrip(".,;:")
    return link


def _settings(one: Any) -> tuple[SettingSaid, ...]:
    """The fields that a person sets: those declared by `setting` and `part`, or with a meaning of their own."""
    fields = dataclasses.fields(one) if dataclasses.is_dataclass(one) else ()
    return tuple(_said(field) for field in fields if field.metadata.get("meaning"))


def _said(field: Any) -> SettingSaid:
    about = field.metadata
    default = None if field.default is dataclasses.MISSING else field.default
    if field.default_factory is not dataclasses.MISSING:
        default = type(field.default_factory()).__name__
    kind = "part" if about.get("kind") == "part" else "length" if about.get("length") else "setting"
    interval, search = about.get("interval", ""), tuple(about.get("search", ()))
    return SettingSaid(field.name, default, interval, about["meaning"], search, kind)


def _of_a_table(kind: str, name: str, one: Any) -> Description:
    """A line of a table: an activation, or an initialiser with its paper."""
    source = getattr(one, "source", STANDARD)
    if kind == "activations":
        text = (f"Weights in front of it are drawn with the gain {one.gain:g}.",)
        return Description(name, kind, name.replace("_", " "), source, "", (f"y = {one.formula}",), text, (), ())
    title = name.capitalize().replace("_", " ")
    _, _, said, _ = sections(f"\n\n{inspect.cleandoc(one.of.__doc__ or '')}")
    return Description(name, kind, title, source, link_in(source), (one.formula,), said, (), ())


def _all_in(room: Any) -> dict[str, Any]:
    """The registry of a room, then the records of its door that stand beside it: what wraps a schedule, say."""
    beside = {
        one.__module__.rpartition(".")[2]: one
        for one in (getattr(room, name) for name in room.__all__)
        if dataclasses.is_dataclass(one) and one not in room.REGISTRY.values()
    }
    return room.REGISTRY | beside


KINDS: dict[str, dict[str, Any]] = {
    "rules": _all_in(rules),
    "schedules": _all_in(schedules),
    "scalers": _all_in(scaling),
    "layers": _all_in(layers),
    "activations": layers.ACTIVATIONS,
    "initialisers": layers.INITIALISERS,
}
