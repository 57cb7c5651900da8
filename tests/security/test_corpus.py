"""All that a fuzzer found worth keeping is read again, and nothing but SlalomError comes of it."""

import json
import struct
from pathlib import Path

import pytest

from slalom import Ensemble, Recipe
from slalom.errors import SlalomError
from slalom.folder import parsed
from slalom.opened import evidence

from .targets import TARGETS, fed

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name):
    """Every kept input goes through or is refused, and of every target some do both."""
    files = sorted((CORPUS / name).iterdir())
    assert files
    taken = [fed(name, file.read_bytes()) for file in files]
    assert True in taken
    assert name == "checkpoint" or False in taken  # damaged ones are left out, not refused


def header(told: dict, body: bytes = b"") -> bytes:
    """A file of safetensors with this header, right or wrong."""
    text = json.dumps(told).encode()
    return struct.pack("<Q", len(text)) + text + body


WEIGHTS = {
    "a header of a terabyte": struct.pack("<Q", 2**40) + b"{}",
    "a header that is no JSON": struct.pack("<Q", 4) + b"{{{{",
    "offsets that overlap": header(
        {f"layer.{i}.w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for i in range(2)}, b"\0" * 8
    ),
    "a shape of 2^60 numbers": header(
        {"layer.0.w": {"dtype": "F32", "shape": [2**30, 2**30], "data_offsets": [0, 8]}}, b"\0" * 8
    ),
    "numbers below zero": header({"layer.0.w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 8]}}, b"\0" * 8),
    "nothing": b"",
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_of_a_stranger(kind):
    """Wrong lengths, overlaps and shapes are refused, whatever the model says of itself."""
    whole = min((CORPUS / "model").glob("whole*"))
    data = whole.read_bytes()
    size = int.from_bytes(data[:4], "little")
    assert fed("model", data)
    assert not fed("model", data[: 4 + size] + WEIGHTS[kind])


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_deep_and_large_texts(tmp_path):
    """JSON and TOML of a hundred thousand levels, and a net of a billion layers, are refused, not followed."""
    deep = b'{"format": ' + nested(100_000) + b"}"
    assert not fed("model", struct.pack("<I", len(deep)) + deep)
    for name in ("recipe", "space", "order"):
        assert not fed(name, b"a = " + nested(100_000))
        assert not fed(name, b".".join([b"a"] * 50_000) + b" = 1")
        assert not fed(name, b"[" + b" . ".join([b'"a"'] * 50_000) + b"]")
    assert parsed("a = [\n" + 500 * "0.5, " + "\n]\nb.c = 1")["b"] == {"c": 1}
    for read, name in ((Ensemble.load, "ensemble.json"), (evidence, "evidence.json")):
        (tmp_path / name).write_bytes(b'{"format": ' + nested(100_000) + b"}")
        for there in ("race.toml", "journal.sqlite"):
            (tmp_path / there).touch()
        with pytest.raises(SlalomError, match=r"cannot be read|is damaged"):
            read(tmp_path)
    with pytest.raises(SlalomError, match=r"^Recipe\(depth=…\) must be a whole number in \[0, 100\]\."):
        Recipe.from_toml("depth = 1000000000")
