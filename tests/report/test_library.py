"""Plotly's script on a page knows the kinds of traces that pages have, and starts without the others."""

import base64
import importlib.util
import re
import zlib
from pathlib import Path

import pytest

from slalom.report.library import _kind, library, trimmed
from slalom.report.plots import KINDS, figure

OTHERS = [f"o{i}" for i in range(20)]


def script(calls, texts=""):
    """A small script in the manner of Plotly's."""
    return f"{texts}var Z=W((a,b)=>{{core.register([{','.join(f'{name}()' for name in calls)}]);b.exports=core}});end()"


def module(name, kind):
    """The two modules of a kind of traces: one with what it is, one that hands it on."""
    own = f'var in{name}=W((a,b)=>{{b.exports={{moduleType:"trace",name:"{kind}",x:1}}}});'
    return own + f'var {name}=W((a,b)=>{{"use strict";b.exports=in{name}()}});'


@pytest.fixture(scope="module")
def plotly():
    """The script that is installed."""
    place = importlib.util.find_spec("plotly").submodule_search_locations[0]
    return Path(place, "package_data", "plotly.min.js").read_text(encoding="utf-8")


NEEDED = {"B": "bar", "C": "contour", "H": "heatmap"}
TEXTS = "".join(module(name, kind) for name, kind in NEEDED.items())


def test_kinds_that_no_page_has_are_not_begun_with():
    """Of kinds whose names are found those that pages have stay, in their order; nothing else of the script changes."""
    texts = "".join(module(name, f"globe{name}") for name in OTHERS) + TEXTS + module("S", "scatter")
    assert trimmed(script(["B", *OTHERS, "S", "C", "H"], texts)) == script(["B", "S", "C", "H"], texts)


def test_what_is_not_recognised_stays():
    """A module without a name of its own stays, though the module behind it has one; so does a short list, a script
    that is written otherwise, and everything where a kind that pages have is not found."""
    nameless = "var inN=W((a,b)=>{b.exports=1});var N=W((a,b)=>{b.exports=inN()});" + module("M", "globe")
    texts = nameless + "".join(module(name, "globe") for name in OTHERS) + TEXTS
    assert trimmed(script(["N", *OTHERS, *NEEDED, "missing"], texts)) == script(["N", *NEEDED, "missing"], texts)
    for unchanged in (script(OTHERS[:5], texts), script(["N", *OTHERS, "B", "C"], texts), "other.register(x)"):
        assert trimmed(unchanged) == unchanged


def test_the_installed_script_is_trimmed(plotly):
    """In the installed script the kinds of pages are found by their names, and stay; of the others those without a
    name that is found stay, and nothing but the list is shorter."""
    kept = trimmed(plotly)
    listed = re.compile(r"\.register\(\[((?:[\w$]+\(\),?)+)\]\)")
    before, after = (max(listed.findall(text), key=len).split(",") for text in (plotly, kept))
    named = {call: _kind(plotly, call[:-2]) for call in before}
    assert {named[call] for call in after} == KINDS - {"scatter"} | {""}
    assert len(after) < len(before) / 3
    assert len(kept) == len(plotly) - sum(len(call) + 1 for call in before if call not in after)
    assert zlib.decompress(base64.b64decode(library()[0])).decode() == kept


def test_pages_have_no_other_kinds():
    """A figure of a kind that the script on the page does not know is not made."""
    assert figure("a", [{"type": "contour"}], "said")["key"] == "a"
    with pytest.raises(ValueError, match="globe"):
        figure("globe", [{"type": "scatter"}, {"type": "scattergeo"}], "said")
