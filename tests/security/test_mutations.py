"""Every value that a stranger's model or checkpoint holds, put in another one's place: read and used, or refused."""

import copy
import json
import math
import struct
from pathlib import Path

import pytest

from .targets import fed

CORPUS = Path(__file__).parent / "corpus"
OUT = type(None)  # leave it out
VALUES = [
    [None, [[]], 10**400],
    pytest.param(
        [True, -1, 0, 2**31, 1e308, float("nan"), "", "\0", "9" * 5000, [], {}, ["a", 1], OUT], marks=pytest.mark.long
    ),
]


def leaves(value, path=()):
    """The path of every value within plain data, also of lists and tables."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from leaves(one, (*path, key))


def changed(plain, path, value):
    """A copy of plain data that has another value at a path, or none (OUT)."""
    made = copy.deepcopy(plain)
    inside = made
    for key in path[:-1]:
        inside = inside[key]
    if value is OUT:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return made


def model_of(about, weights):
    told = json.dumps(about).encode()
    return struct.pack("<I", len(told)) + told + weights


def checkpoint_of(header, told, body):
    text = json.dumps(header | {"__metadata__": {"slalom": json.dumps(told)}}).encode()
    return struct.pack("<Q", len(text)) + text + body


def fault(name, data):
    """What a target raises but SlalomError, in a line; None where it is read or refused."""
    try:
        fed(name, data)
    except Exception as error:  # noqa: BLE001 - whatever it is
        return f"{type(error).__name__}: {error}"[:200]
    return None


def faults(target, plain, data_of, values, wanted=lambda path: True):
    """What comes of all changes of plain data, where that is a fault."""
    assert fault(target, data_of(plain)) is None
    found = []
    for path in filter(wanted, leaves(plain)):
        for value in values:
            if (said := fault(target, data_of(changed(plain, path, value)))) is not None:
                found.append(f"{path} = {value!r:.20}: {said}")
    return found[:20]


@pytest.mark.parametrize("values", VALUES)
def test_every_value_of_a_model(values):
    """Each value of model.json, replaced by hostile ones or left out: it predicts, or is refused in a sentence."""
    data = (CORPUS / "model" / "whole").read_bytes()
    size = int.from_bytes(data[:4], "little")
    about, weights = json.loads(data[4 : 4 + size]), data[4 + size :]
    assert not faults("model", about, lambda told: model_of(told, weights), values)


@pytest.mark.long
@pytest.mark.parametrize("values", VALUES)
def test_every_value_of_a_checkpoint(values):
    """The same of what a checkpoint says of the race and of a racer, one for all: it is put into a race, left out or
    refused."""
    data = (CORPUS / "checkpoint" / "raced").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    told = json.loads(header["__metadata__"]["slalom"])
    one = lambda path: path[0] != "racers" or path[1:2] in ((), (0,))  # noqa: E731
    assert not faults("checkpoint", told, lambda told: checkpoint_of(header, told, body), values, one)


def test_shapes_of_a_checkpoint():
    """Arrays of a racer that are not those of its net are refused, and numbers that no racer has."""
    data = (CORPUS / "checkpoint" / "raced").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    told = json.loads(header["__metadata__"]["slalom"])
    assert fed("checkpoint", data)
    best = header["0.best.0"]["shape"]
    flat = header | {"0.best.0": header["0.best.0"] | {"shape": [math.prod(best)]}}
    assert not fed("checkpoint", checkpoint_of(flat, told, body))
    for name, value in (("step", -1), ("step", True), ("remark", 1), ("falls", [["a", 1]]), ("plateau", [None] * 3)):
        other = copy.deepcopy(told)
        other["racers"][0][3][name] = value
        assert not fed("checkpoint", checkpoint_of(header, other, body))
