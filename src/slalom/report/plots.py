"""Plots: what all figures of a page share: colours by name, axes, and words that Plotly shows as they are."""

import html
from collections.abc import Sequence
from typing import Any

from slalom.board import clean

# By name: the page puts the colours of its light or dark dress in their place. No name that is shown begins so, since
# control signs are replaced in them.
INK, QUIET, LINE, PAPER, GREY = "\x01ink", "\x01quiet", "\x01line", "\x01paper", "\x01grey"
BAND, GROUND = "\x01band", "\x01ground"  # an area behind a line; the scale of heights
COLOURS = ("\x01blue", "\x01orange", "\x01green", "\x01pink", "\x01sky", "\x01sand")
LONGEST = 40  # signs of a name
KINDS = frozenset({"bar", "contour", "heatmap", "scatter"})  # of traces: the script on a page knows no others


def figure(key: str, data: list[dict[str, Any]], caption: str, *, height: int = 380, **layout: Any) -> dict[str, Any]:
    """A figure: traces and layout as Plotly has them, and a sentence that says what is to be seen."""
    if not all(one["type"] in KINDS for one in data):
        raise ValueError(f"{key}: traces must be of {', '.join(sorted(KINDS))}, which the script on the page knows.")
    return {"key": key, "data": data, "layout": {"height": height} | layout, "caption": caption}


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with its name."""
    return {"title": {"text": title}} | more


def unit_of(told: dict[str, Any]) -> str:
    """The unit of a race's scores, where that is the target's.

    >>> unit_of({"metric": "rmse", "target": "price"}), unit_of({"metric": "auc", "target": "price"})
    (', in the unit of price', '')
    """
    same = str(told["metric"]).partition(":")[0] in ("rmse", "mae", "pinball") and told.get("target")
    return f", in the unit of {words(told['target'], 24)}" if same else ""


def scored(told: dict[str, Any], where: str = "") -> str:
    """The name of an axis of scores, on two lines: on a telephone one has no room.

    >>> scored({"metric": "rmse", "target": "price", "greater_is_better": False}, " on choosing rows")
    'rmse on choosing rows (less is better)<br>in the unit of price'
    """
    better = f"({'more' if told['greater_is_better'] else 'less'} is better)"
    return "<br>".join(filter(None, [f"{words(told['metric'])}{where} {better}", unit_of(told)[2:]]))


def words(text: object, most: int = LONGEST) -> str:
    """Words that Plotly shows as they are: it reads tags and entities, so that none may be in them.

    >>> words("<b>a</b> & b"), words("x" * 50, 7)
    ('&lt;b&gt;a&lt;/b&gt; &amp; b', 'xxx…xxx')
    """
    return html.escape(cut(text, most), quote=False)


def cut(text: object, most: int = LONGEST) -> str:
    """Words without control signs, on one line, the middle of long ones left out.

    >>> cut("a\\x01b\\nc"), cut("x" * 50, 7)
    ('a�b c', 'xxx…xxx')
    """
    said = " ".join(clean(str(text)).split()) or " "
    half = (most - 1) // 2
    return said if len(said) <= most else f"{said[:half]}…{said[-half:]}"


def labels(names: Sequence[object], most: int = LONGEST) -> list[str]:
    """`words` of the names at an axis, all different: Plotly makes one of equal ones.

    >>> labels(["a" * 20, "a" * 19, "a" * 20], 7)
    ['aaa…aaa', 'aaa…aaa (2)', 'aaa…aaa (3)']
    """
    made: list[str] = []
    seen: dict[str, int] = {}
    for name in names:
        said = words(name, most)
        seen[said] = seen.get(said, 0) + 1
        made.append(said if seen[said] == 1 else f"{said} ({seen[said]})")
    return made


def note(text: str, x: Any, y: Any, **more: Any) -> dict[str, Any]:
    """Words beside a place of a figure."""
    usual = {"showarrow": False, "font": {"size": 11, "color": QUIET}, "xanchor": "left", "yanchor": "top"}
    return usual | {"text": text, "x": x, "y": y} | more
