"""Plotly's script as a page holds it: packed, named by its hash, without the kinds of plots that no page has."""

import base64
import functools
import hashlib
import importlib.util
import re
import zlib
from pathlib import Path

from slalom.errors import SlalomError
from slalom.report.plots import KINDS

_CALL = r"[\w$]+\(\)"
_REGISTER = re.compile(rf"\.register\(\[((?:{_CALL},){{20,}}{_CALL})\]\)")  # where it makes its kinds known to itself
_NAMED = re.compile(r'moduleType:"trace",name:"(\w+)"')
_HANDED = re.compile(r"exports=([\w$]+)\(\)\}")  # what a module gets from another one, and gives on


@functools.cache
def library() -> tuple[str, str]:
    """(Plotly's script, packed by zlib, in base64; the SHA-256 of what it unpacks to, as a page's policy names it)."""
    found = importlib.util.find_spec("plotly")  # found, not imported: only its file is wanted
    places = list(found.submodule_search_locations or ()) if found else []
    file = Path(places[0], "package_data", "plotly.min.js") if places else Path("plotly.min.js")
    try:
        script = trimmed(file.read_text(encoding="utf-8")).encode()
    except (OSError, UnicodeDecodeError):
        raise SlalomError("plotly must be installed: pip install plotly. A report's plots are drawn by it.") from None
    packed, digest = zlib.compress(script, 3), hashlib.sha256(script).digest()
    return base64.b64encode(packed).decode(), base64.b64encode(digest).decode()


def trimmed(script: str) -> str:
    """The script that no longer begins with making kinds of traces known that are not in KINDS: maps, globes and solids
    take two thirds of the time in which it starts. A kind whose name is not found stays; where not all of KINDS are
    found by name (`scatter` is its core), nothing is left out, since the script is written in another way."""
    register = _REGISTER.search(script)
    if not register:
        return script
    kinds = {call: _kind(script, call[:-2]) for call in register[1].split(",")}
    if not {*kinds.values()} | {"scatter"} >= KINDS:
        return script
    calls = [call for call, kind in kinds.items() if not kind or kind in KINDS]
    return f"{script[: register.start(1)]}{','.join(calls)}{script[register.end(1) :]}"


def _kind(script: str, name: str) -> str:
    """The kind of traces that a module of the script is; "" where that is not to be seen."""
    handed = _HANDED.search(_module(script, name))
    named = _NAMED.search(_module(script, handed[1])) if handed else None
    return named[1] if named else ""


def _module(script: str, name: str) -> str:
    """The text of a module, up to where the next one begins; "" where it is not found."""
    place = script.find(f"var {name}=")
    return script[place : script.find("});var ", place) + 1] if place >= 0 else ""
