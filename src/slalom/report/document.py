"""Documents: pages of one file in one dress, with Plotly inside, that may load nothing and run nothing else."""

import base64
import hashlib
import json
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from slalom.board import clean
from slalom.report.library import library

UNPACKED = 'id="library"></script>'  # of the foot: no name can hold it, since `<` is escaped in names


def dressed(template: str, title: str, drawn: list[dict[str, Any]], **given: Any) -> str:
    """A page with style, script, and Plotly for its figures, under a policy that lets nothing else run or load."""
    style, script = _file("page.css"), _file("page.js")
    packed, hash_of_library = library() if drawn else ("", "")
    plain = htmlsafe_json_dumps([{k: v for k, v in one.items() if k != "caption"} for one in drawn], dumps=_dumps)
    text = _rendered(
        template,
        title=title,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script, hash_of_library),
        captions={one["key"]: one["caption"] for one in drawn},
        heights={one["key"]: one["layout"]["height"] for one in drawn},
        figures=plain,
        **given,
    )
    return clean(text).replace(UNPACKED, UNPACKED.replace("><", f">{packed}<"), 1)  # large, and signs of base64 alone


def _dumps(value: Any, **options: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False, **options)


def _policy(script: str, library: str) -> str:
    """What the page may do: run its own script and Plotly, which are named by their hashes; style itself, since Plotly
    writes styles into its drawings; save a picture. It may load nothing from anywhere."""
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = " ".join(f"'sha256-{digest}'" for digest in (own, library) if digest)
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:;"
        " base-uri 'none'; form-action 'none'"
    )


def _rendered(template: str, **given: Any) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["coded"] = coded
    environment.globals["include_file"] = lambda name: environment.from_string(_file(name))
    try:
        return environment.from_string(_file(template)).render(**given)
    except TemplateError as error:  # of numbers that are not there
        raise ValueError(str(error)) from error


def coded(text: str) -> Markup:
    """A sentence whose words between backticks are code.

    >>> coded("run `a < b` now")
    Markup('run <code>a &lt; b</code> now')
    """
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(pieces))


def _file(name: str) -> str:
    return resources.files("slalom.report").joinpath(name).read_text(encoding="utf-8")
