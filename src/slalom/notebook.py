"""Notebooks: small tables of HTML, in the dress of whatever page they stand on."""

import html
from collections.abc import Iterable, Sequence

from slalom.board import clean

CELL = "padding:.15em .8em .15em 0;text-align:"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = ()) -> str:
    """A table as HTML; every cell is text, whatever it holds. right: the columns that stand at the right.

    >>> table(["a"], [["<b>"]]).count("&lt;b&gt;")
    1
    """
    side = ["right" if i in right else "left" for i in range(len(headings))]
    head = "".join(f'<th style="{CELL}{s}">{text(name)}</th>' for name, s in zip(headings, side, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{CELL}{s}">{text(cell)}</td>' for cell, s in zip(row, side, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def text(value: object) -> str:
    """A value as words of HTML.

    >>> text('a "b" & c\\x1b')
    'a &quot;b&quot; &amp; c�'
    """
    return html.escape(clean("" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)))
