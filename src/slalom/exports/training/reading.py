"""The call that reads a race's file in a training script, every cell as text, as Slalom read it."""

from pathlib import Path
from typing import NamedTuple

from slalom.data.packed import PACKED, unpacked
from slalom.data.read import TEXT
from slalom.data.text import separator_of
from slalom.errors import SlalomError

_FRAMES = {
    ".parquet": "pl.read_parquet(file)", ".feather": "pl.read_ipc(file)", ".arrow": "pl.read_ipc(file)",
    ".ipc": "pl.read_ipc(file)", ".jsonl": "pl.read_ndjson(file)", ".ndjson": "pl.read_ndjson(file)",
}  # fmt: skip
_AS_TEXT = ".cast(pl.String)"


class Reading(NamedTuple):
    """The text of the call on `file`, and what turns the decimal sign of its numbers into a point ("" for nothing)."""

    call: str
    decimal: str = ""


def reading(source: Path, given: dict[str, str], *, header: bool) -> Reading:
    """How a script reads the file at `source`. given: what the caller said of it (separator, decimal, encoding).
    header: whether its first line holds names. Raises SlalomError for a kind of file that it cannot read.
    """
    packed = source.suffix.lower() in PACKED
    name = source.name.lower().removesuffix(".gz")
    kind = Path(name).suffix
    if kind in _FRAMES and not packed:
        return Reading(_FRAMES[kind] + _AS_TEXT)
    if kind not in TEXT:
        raise SlalomError(f"A training script reads text, Parquet, Arrow and JSON lines. {source} is none of these.")
    data = unpacked(source)[0] if packed else source.read_bytes()
    encoding = given.get("encoding") or _encoding(data)
    text = data if encoding is None else data.decode(encoding).encode()
    separator = given.get("separator") or separator_of(text, source)
    comma = given.get("decimal", "." if separator == "," else ",") == ","
    call = f"pl.read_csv(file, separator={separator!r}, infer_schema=False"
    call += "" if header else ", has_header=False"
    call += f", encoding={encoding!r})" if encoding else ")"
    return Reading(call, '.str.replace(",", ".", literal=True)' if comma else "")


def _encoding(data: bytes) -> str | None:
    """The encoding of a text, None for UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "cp1252"
    return None
