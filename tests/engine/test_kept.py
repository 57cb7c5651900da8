"""What stays as it is: other people's files beside the programs, and the hash of the code that runs."""

import os

import numpy as np
import polars as pl
import pytest

from slalom import cache, program
from slalom.data import Columns, Encoded

KEYS = [f"{i:040x}" for i in range(4)]


def test_only_programs_are_pruned(tmp_path, monkeypatch):
    """SLALOM_CACHE may name a folder with anything in it: what is no program stays, however old and large."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("SLALOM_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "LARGEST", 1000)
    for name in ("thesis.parquet", ".hidden", "A" * 40, KEYS[0][:-1]):
        (tmp_path / name).write_bytes(bytes(5000))
        os.utime(tmp_path / name, (1, 1))
    for key in KEYS:
        cache.write(key, [np.random.default_rng(0).bytes(600)])
    kept = {file.name for file in tmp_path.iterdir()}
    assert kept == {"thesis.parquet", ".hidden", "A" * 40, KEYS[0][:-1], KEYS[-1]}


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    """Where the file cannot be moved into its place, the temporary one goes as well."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("SLALOM_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    cache.write(KEYS[0], [b"program"])
    assert list(tmp_path.iterdir()) == []


def test_the_hash_is_that_of_the_code_that_runs(monkeypatch):
    """Files that are replaced while a process runs do not change under which name its programs are kept."""
    before = program.SOURCE
    monkeypatch.setattr(program.Path, "read_bytes", lambda self: b"newer")
    assert program._source() != before
    assert before == program.SOURCE


@pytest.mark.parametrize("words", ["abcdefghij", "ab"])
def test_words_are_placed_once_for_all_pieces(words, monkeypatch):
    """A wide column of words is read once, however many pieces it is cut into, and forgotten with the last."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"w": rng.choice(list(words), 200), "x": rng.normal(size=200)})
    columns = Columns.fit(frame)
    whole = Encoded(columns, frame).some(range(len(columns.names)))
    kind = next(type(one) for one in columns.treatments if one.kind == "category")
    asked, places = [], kind.places
    monkeypatch.setattr(kind, "places", lambda self, column: asked.append(1) or places(self, column))
    table = Encoded(columns, frame)
    pieces = [range(i, i + 1) for i in range(len(columns.names))]
    assert np.array_equal(np.concatenate([table.some(piece) for piece in pieces], axis=1), whole)
    assert len(asked) == 1
    for piece in pieces:
        table.done(piece)
    assert not table._found
    assert not table._cells
