"""The one style of all pictures: colours, axes, words that are shown as they are, and the files a picture becomes."""

import functools
import html
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import matplotlib
import numpy as np
from matplotlib import font_manager, rcsetup
from matplotlib.axes import Axes as Axes
from matplotlib.collections import LineCollection as LineCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator as MaxNLocator

from slalom.board import clean
from slalom.errors import wrong
from slalom.types import Array

# Okabe & Ito 2008, without the yellow: people with any kind of colour vision tell them apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
INK, SOFT, FAINT, GRID = "#222222", "#595959", "#a6a6a6", "#ebebeb"
GROUND = LinearSegmentedColormap.from_list("slalom", ["#ffffff", "#dfe9f1", "#b9cede", "#8faec6"])
SMALL, USUAL = 8, 9.5  # points
LONGEST = 120  # signs of a title
STYLE: dict[str, Any] = {
    "figure.facecolor": "white", "figure.dpi": 100, "savefig.dpi": 160, "font.size": USUAL,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": FAINT, "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "axes.grid": True,
    "axes.titlesize": USUAL + 1, "axes.titlepad": 8, "axes.labelsize": USUAL,
    "axes.prop_cycle": rcsetup.cycler(color=COLOURS), "axes.formatter.use_mathtext": False,
    "grid.color": GRID, "grid.linewidth": 0.8, "xtick.color": FAINT, "ytick.color": FAINT,
    "xtick.labelcolor": SOFT, "ytick.labelcolor": SOFT, "xtick.labelsize": SMALL, "ytick.labelsize": SMALL,
    "lines.linewidth": 1.8, "lines.solid_capstyle": "round", "svg.fonttype": "none", "svg.hashsalt": "slalom",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
}  # fmt: skip
# Signs that the usual font lacks are looked for in these, where one of them is installed.
OTHER_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
               "PingFang SC", "Microsoft YaHei", "SimHei", "Arial Unicode MS")  # fmt: skip
# Settings of a person's session, not of a picture.
SESSION = ("backend", "interactive", "toolbar", "webagg", "tk.", "keymap", "animation", "savefig.directory", "timezone",
           "date.epoch", "docstring", "figure.max_open", "figure.raise", "figure.hooks", "datapath")  # fmt: skip
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>body {{ margin: 1rem; background: white; text-align: center }} svg {{ max-width: 100%; height: auto }}</style>
</head><body>
{svg}
</body></html>
"""

T = TypeVar("T")


class Picture(Figure):
    """A figure of matplotlib that a person may restyle, and that is saved in one style whatever theirs is.

        picture.savefig("a.png")   picture.savefig("a.svg")   picture.savefig("a.html")   or any format of matplotlib

    In SVG and HTML words stay words. HTML is the SVG in one file that needs nothing else and runs nothing. The same
    picture gives the same SVG. `picture.axes` are its axes; Matplotlib's own settings are neither read nor changed.

    >>> picture, axes = panels()
    >>> _ = axes[0, 0].set_title("a <b> & c")
    >>> "a &lt;b&gt; &amp; c" in picture.as_html(), "<b>" in picture.as_html()
    (True, False)
    """

    def savefig(self, fname: Any, **options: Any) -> None:
        """Write the picture to a file, in the format that its name ends with; options are those of matplotlib."""
        ending = options.get("format") or (Path(fname).suffix[1:] if isinstance(fname, (str, Path)) else "")
        if ending.lower() in ("html", "htm"):
            page = self.as_html()
            fname.write(page) if hasattr(fname, "write") else Path(fname).write_text(page, encoding="utf-8")
            return
        if ending.lower() == "svg":
            options.setdefault("metadata", {"Date": None})
        with styled():
            super().savefig(fname, **options)

    def as_svg(self) -> str:
        """The picture as an SVG element, without the head of a file."""
        held = io.StringIO()
        self.savefig(held, format="svg")
        text = held.getvalue()
        return text[text.index("<svg") :].rstrip()

    def as_html(self, title: str = "") -> str:
        """The picture as one page of HTML."""
        titles = [self.get_suptitle(), *(axes.get_title() for axes in self.axes), "A picture by Slalom"]
        named = title or next(one for one in titles if one)
        return PAGE.format(title=html.escape(named.replace("\\$", "$")), svg=self.as_svg())

    def _repr_png_(self) -> bytes:  # what a notebook shows
        held = io.BytesIO()
        self.savefig(held, format="png")
        return held.getvalue()


@functools.cache
def _settings() -> dict[str, Any]:
    """Matplotlib's own defaults under the style, whatever a person has set."""
    usual = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith(SESSION)}
    there = {font.name for font in font_manager.fontManager.ttflist}
    fonts = ["DejaVu Sans", *(name for name in OTHER_FONTS if name in there), "sans-serif"]
    return usual | STYLE | {"font.family": fonts}


@contextmanager
def styled() -> Iterator[None]:
    """Within it matplotlib has the style; afterwards its settings are what they were. A sign that no font has becomes a
    box, and nothing is said of it."""
    settings: Any = _settings()
    with warnings.catch_warnings(), matplotlib.rc_context(settings):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def drawn(function: Callable[..., T]) -> Callable[..., T]:
    """Have a function draw in the style."""

    @functools.wraps(function)
    def inside(*given: Any, **named: Any) -> T:
        with styled():
            return function(*given, **named)

    return inside


@drawn
def panels(
    rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 4.4, fixed: bool = False, **options: Any
) -> Any:
    """(an empty picture, its axes [rows, columns]) in the style, for pictures of several panels: every function here
    draws into the axes that it is given. width, height: inches. fixed: whether the panels will have a fixed ratio of
    their sides, as contours have. options: of matplotlib's `Figure.subplots`.

    >>> picture, axes = panels(1, 2)
    >>> axes.shape, len(picture.axes)
    ((1, 2), 2)
    """
    picture = Picture(figsize=(width, height), layout="compressed" if fixed else "constrained")
    engine: Any = picture.get_layout_engine()
    engine.set(w_pad=0.06, h_pad=0.06, wspace=0.03, hspace=0.03)
    return picture, picture.subplots(rows, columns, squeeze=False, **options)


def taken(axes: Axes | None, width: float = 7.2, height: float = 4.4, *, fixed: bool = False) -> tuple[Any, Any]:
    """(the picture, the axes): those that were given, or new ones of this size."""
    if axes is not None:
        if not isinstance(axes, Axes):
            raise wrong("axes", "the axes of a picture, as panels() hands them out", type(axes).__name__)
        return axes.figure, axes
    picture, made = panels(width=width, height=height, fixed=fixed)
    return picture, made[0, 0]


def plain(text: object, most: int = 40) -> str:
    """Words that are shown as they are: `$` begins no formula, what could steer or turn the text is replaced, and the
    middle of long names is left out.

    >>> print(plain("price in $ or $\\u202e"), plain("a" * 50, 9))
    price in \\$ or \\$� aaaa…aaaa
    """
    said = " ".join(clean(str(text)).split()) or " "
    half = (most - 1) // 2
    short = said if len(said) <= most else f"{said[:half]}…{said[-half:]}"
    return short.replace("$", "\\$")


def thousands(axes: Any) -> None:
    """Write large numbers at a linear height axis as 12,000."""
    if axes.get_yscale() == "linear" and max(map(abs, axes.get_ylim())) >= 10_000:
        axes.yaxis.set_major_formatter("{x:,.0f}")


def entitle(axes: Any, title: str) -> None:
    """Give axes their title, in words."""
    if title:
        axes.set_title(plain(title, LONGEST))


def dark(colour: Any) -> Any:
    """A colour as words have it on white: dark enough to be read.

    >>> [round(part, 2) for part in dark("#56b4e9")]
    [0.24, 0.49, 0.64]
    """
    red, green, blue = to_rgb(colour)
    bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return tuple(part * (0.7 if bright > 0.35 else 0.9) for part in (red, green, blue))


def colour_of(i: int) -> str:
    """The colour of the curve of this number, from 0; behind the last the first comes again."""
    return COLOURS[i % len(COLOURS)]


def spread(places: Array, gap: float, low: float = 0.0, high: float = 1.0) -> Array:
    """The places nearest to the given ones (least squares) that are `gap` apart, in their order, from low to high;
    closer together where they do not fit.

    >>> spread(np.array([0.5, 0.5, 0.9]), 0.1).round(2).tolist()
    [0.45, 0.55, 0.9]
    """
    count = len(places)
    order = np.argsort(places, kind="stable")
    steps = min(gap, (high - low) / max(count - 1, 1)) * np.arange(count)
    groups: list[tuple[float, int]] = []  # (mean, how many): neighbours that would touch move together
    for level in np.asarray(places, float)[order] - steps:
        mean, size = float(level), 1
        while groups and groups[-1][0] > mean:
            other, others = groups.pop()
            mean, size = (mean * size + other * others) / (size + others), size + others
        groups.append((mean, size))
    levels = np.repeat([mean for mean, _ in groups], [size for _, size in groups])
    made = np.empty(count)
    made[order] = np.clip(levels, low, high - steps[-1]) + steps
    return made
