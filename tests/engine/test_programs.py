"""Programs out of the store: they do what was compiled, and what is damaged or changed is compiled anew."""

import dataclasses
import hashlib
import importlib.metadata
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import optax
import pytest

from slalom import cache, program, rules
from slalom.crew import Crew
from slalom.net import Net
from slalom.program import Blueprint
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.step import Structure, kind_of

from .heats import COMMON, STEPS, bits, compiled, heat_of, kinds

NAMES = ["adam", "ema"]  # the second is scored with other weights: an executable more
COMPILE = program._compiled
ROOT = Path(__file__).parents[2]


def built(names=NAMES, activation="tanh"):
    """A heat with its program, from the store or compiled, with two racers a lane."""
    return compiled(heat_of("regression", depth=1, activation=activation), names, 2)


def trained(heat):
    """What racers of every rule are after a whole training, with their scores on the way, as text."""
    made = hashlib.blake2b(digest_size=16)
    for name in NAMES:
        recipe = Recipe(**COMMON).with_fields({"rule": name, "dropout": 0.2, "learning_rate": 0.02})
        racers = [Racer(number, recipe, 0) for number in range(2)]
        Crew(heat, racers).advance(STEPS, [10, 60], lambda: False)
        for one in racers:
            assert len(one.costs) == 3
            made.update(bits(one) + repr(one.costs).encode())
    return made.hexdigest()


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The folder of a store that only this test has; it is not there yet."""
    monkeypatch.setenv(cache.SWITCH, str(tmp_path / "programs"))
    return tmp_path / "programs"


@pytest.fixture(scope="module")
def first():
    """A program that was compiled: (its executables, its file in the store as (name, bytes), what it trains)."""
    made = []
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv(cache.SWITCH, folder)
        patch.setattr(program, "_compiled", lambda *given: made.append(COMPILE(*given)) or made[-1])
        text = trained(built())
        (file,) = Path(folder).iterdir()
        kept = file.name, file.read_bytes()
    (executables,) = made
    return executables, kept, text


@pytest.fixture
def compilations(first, monkeypatch):
    """The blueprints that were compiled, were it not that what comes out is known."""
    asked = []
    monkeypatch.setattr(program, "_compiled", lambda blueprint, device: asked.append(blueprint) or first[0])
    return asked


def packed(blobs):
    """Blobs as a file of the store that is whole."""
    body = cache.zlib.compress(cache._packed(blobs), 1)
    return hashlib.blake2b(body, digest_size=cache.SUM).digest() + body


def blobs_of(file):
    return cache._unpacked(cache.zlib.decompress(file[cache.SUM :]))


def flipped(file, place):
    place %= len(file)
    return file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]


# --- what is found is what was compiled -------------------------------------------------------------------------------


def test_a_program_of_the_store_trains_the_same_bits(first, store, compilations):
    """A program that is found is not compiled, and its racers have the bits and the scores of the compiled one's."""
    _, (name, file), text = first
    store.mkdir(mode=0o700)
    (store / name).write_bytes(file)
    assert trained(built()) == text
    assert compilations == []
    assert (store / name).read_bytes() == file


def test_another_process_finds_the_program(first, store):
    """A process with another hash seed looks under the same name, compiles nothing, and trains the same bits."""
    _, (name, file), text = first
    store.mkdir(mode=0o700)
    (store / name).write_bytes(file)
    script = (
        "from slalom import program\nprogram._compiled = None\n"
        "from tests.engine.test_programs import built, trained\nprint(trained(built()))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "5"}
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.stdout.strip() == text, ended.stderr
    assert [file.name for file in store.iterdir()] == [name]


DAMAGES = {
    "the checksum": lambda file: flipped(file, 3),
    "the middle": lambda file: flipped(file, len(file) // 2),
    "the last byte": lambda file: flipped(file, -1),
    "cut in half": lambda file: file[: len(file) // 2],
    "cut in the checksum": lambda file: file[:7],
    "a byte too many": lambda file: file + b"\0",
    "empty": lambda file: b"",
    "rubbish": lambda file: random.Random(0).randbytes(5000),
    "rubbish, whole": lambda file: packed([b"x" * 16, b"y" * 100, b"", b"z"]),
    "whole, not compressed": lambda file: hashlib.blake2b(b"a", digest_size=cache.SUM).digest() + b"a",
    "nothing, whole": lambda file: packed([]),
    "another digest": lambda file: packed([bytes(16), *blobs_of(file)[1:]]),
    "no digest": lambda file: packed([b"", *blobs_of(file)[1:]]),
    "an executable too few": lambda file: packed(blobs_of(file)[:-1]),
    "an executable too many": lambda file: packed([*blobs_of(file), b"more"]),
    "executables in another order": lambda file: packed([(b := blobs_of(file))[0], b[2], b[1], b[3]]),
    "an executable cut": lambda file: packed([(b := blobs_of(file))[0], b[1][: len(b[1]) // 2], *b[2:]]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_compiled_anew_and_replaced(first, store, compilations, damage):
    """Whatever befell a file, the program is compiled, trains the right numbers, and a whole file takes its place."""
    _, (name, file), text = first
    store.mkdir(mode=0o700)
    (store / name).write_bytes(DAMAGES[damage](file))
    assert trained(built()) == text
    assert len(compilations) == 1
    assert [kept.name for kept in store.iterdir()] == [name]
    assert blobs_of((store / name).read_bytes())[0] == blobs_of(file)[0]
    assert trained(built()) == text
    assert len(compilations) == 1  # the second time it was found


def test_a_program_that_does_something_else_is_noticed(first, store, compilations):
    """Executables of the same shapes that compute something else fail the trial and are compiled anew."""
    _, (name, file), text = first
    other = blobs_of(kept_by_relu())
    store.mkdir(mode=0o700)
    (store / name).write_bytes(packed([blobs_of(file)[0], *other[1:]]))
    assert trained(built()) == text
    assert len(compilations) == 1


def kept_by_relu():
    """The file of a program that differs in nothing but its activation."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv(cache.SWITCH, folder)
        patch.setattr(program, "_compiled", COMPILE)
        built(activation="relu")
        (file,) = Path(folder).iterdir()
        return file.read_bytes()


def test_a_program_that_could_not_be_tried_is_not_believed(first, store, compilations, monkeypatch):
    """Where no trial runs, neither when a program is kept nor when it is found, it is compiled each time."""
    monkeypatch.setattr(program, "trial", lambda *_: b"")
    for count in (1, 2):
        assert trained(built()) == first[2]
        assert len(compilations) == count


# --- names ------------------------------------------------------------------------------------------------------------

NET = Net(3, 1, 1, 6)
PLAN = Blueprint(Structure(NET, 8, "squared_error"), kinds(["adam", "sgd"]), (64, 8), (64,), 15, 2, 4)
OTHER_NETS = {
    "inputs": 4, "outputs": 2, "depth": 2, "width": 7, "activation": "tanh", "normalisation": "layer_norm",
    "placement": "after", "embedding": "periodic", "learned_scale": True, "block": "residual",
    "embedding_size": 8, "embedded": 2, "categories": (40,),
}  # fmt: skip
COUNTS = {field.name for field in dataclasses.fields(Blueprint) if field.type in (int, "int")}
OTHER_PLANS = {"x": (80, 8), "y": (80,)} | {name: getattr(PLAN, name) + 1 for name in COUNTS}


def test_no_two_programs_share_a_file():
    """Another net, batch, loss, list or order of rules, shape of data, width or number of lanes is another file."""
    assert set(OTHER_NETS) == {field.name for field in dataclasses.fields(Net)}
    assert {*OTHER_PLANS, "structure", "rules"} == {field.name for field in dataclasses.fields(Blueprint)}
    structures = [Structure(dataclasses.replace(NET, **{name: other}), 8, "squared_error")
                  for name, other in OTHER_NETS.items()]  # fmt: skip
    structures += [Structure(NET, 16, "squared_error"), Structure(NET, 8, "logistic")]
    plans = [PLAN, *(dataclasses.replace(PLAN, structure=one) for one in structures)]
    plans += [dataclasses.replace(PLAN, **{name: other}) for name, other in OTHER_PLANS.items()]
    lists = (["adam"], ["sgd"], ["sgd", "adam"], ["adam", "adamw"], ["adam", "sgd", "adamw"])
    plans += [dataclasses.replace(PLAN, rules=kinds(names)) for names in lists]
    plans += [dataclasses.replace(PLAN, rules=kinds([name])) for name in rules.REGISTRY if name not in ("adam", "sgd")]
    names = [plan.key("cpu") for plan in plans]
    assert all(names)
    assert len(set(names)) == len(names)
    assert PLAN.key("cpu") == dataclasses.replace(PLAN).key("cpu")


@pytest.mark.parametrize(
    "name",
    ["XLA_FLAGS", "jax_enable_x64", "jax_default_matmul_precision", "processor", "SOURCE", "compiler_options", "jax",
     "jaxlib"],
)  # fmt: skip
def test_no_two_ways_to_compile_share_a_file(monkeypatch, name):
    """Other flags, another precision, processor, version of JAX, or text of Slalom's own is another file."""
    before, now = PLAN.key("cpu"), None
    if name == "XLA_FLAGS":
        monkeypatch.setenv(name, "--xla_cpu_enable_fast_math=true")
    elif name.startswith("jax_"):
        with {"jax_enable_x64": jax.enable_x64, "jax_default_matmul_precision": jax.default_matmul_precision}[name](
            True if "x64" in name else "highest"
        ):
            now = PLAN.key("cpu")
    elif name.startswith("jax"):
        monkeypatch.setattr(getattr(program, name), "__version__", "99")
    else:
        monkeypatch.setattr(program, name, "another" if name == "SOURCE" else lambda: "another")
    assert (now or PLAN.key("cpu")) != before


@dataclasses.dataclass(frozen=True)
class Mine(rules.Rule):
    """A rule of a user's own, whose text Slalom does not know."""


jax.tree_util.register_dataclass(Mine, [], [])


def test_what_has_no_lasting_name_is_not_kept():
    """Programs of other devices are not kept, nor those of a rule that is a Python object or a user's own class, which
    may do something else the next time, on its own or inside another rule."""
    named = lambda *given: dataclasses.replace(PLAN, rules=tuple(map(kind_of, given))).key("cpu")  # noqa: E731
    assert named(rules.ClipNorm(rules.Adam()), rules.FromOptax("lion"))
    assert PLAN.key("gpu") == ""
    assert named(rules.FromOptax(optax.chain(optax.trace(0.9), optax.scale(-1.0)))) == ""
    assert named(Mine()) == ""
    assert named(rules.Adam(), rules.ClipNorm(Mine())) == ""


def test_another_version_of_optax_is_another_file(monkeypatch):
    """A program that holds an optimiser of Optax is as old as the Optax that it was compiled from."""
    plan = dataclasses.replace(PLAN, rules=(kind_of(rules.FromOptax("lion")),))
    before, others = plan.key("cpu"), PLAN.key("cpu")
    told = importlib.metadata.version
    new = lambda name: "99" if name == "optax" else told(name)  # noqa: E731
    monkeypatch.setattr(importlib.metadata, "version", new)
    monkeypatch.setattr(program, "version", new, raising=False)
    assert plan.key("cpu") != before
    assert PLAN.key("cpu") == others
