"""The folder of compiled programs: whose it is, what it keeps, and that a race does without it."""

import errno
import functools
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

from slalom import cache, program

from .races import NoBaselines, compared
from .test_race import small

COMPILE = functools.cache(program._compiled)
KEYS = [f"{i:040x}" for i in range(30)]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The folder of a store that only this test has; it is not there yet."""
    monkeypatch.setenv(cache.SWITCH, str(tmp_path / "programs"))
    return tmp_path / "programs"


# --- whose folder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o770, 0o720, 0o702, 0o777, 0o1777])
def test_a_folder_that_others_can_write_to_is_not_used(store, mode):
    """What is kept is code: from a folder that others can write to nothing is read, and nothing is put there."""
    cache.write("a", [b"one"])
    assert store.stat().st_mode & 0o777 == 0o700
    store.chmod(mode)
    assert cache.read("a") is None
    cache.write("b", [b"two"])
    assert [file.name for file in store.iterdir()] == ["a"]
    store.chmod(0o755)  # to look is no harm
    assert cache.read("a") == [b"one"]


def test_a_folder_of_somebody_else_is_not_used(store, monkeypatch):
    """From a folder that belongs to another user nothing is read, and nothing is put there."""
    cache.write("a", [b"one"])
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    assert cache.read("a") is None
    cache.write("b", [b"two"])
    assert [file.name for file in store.iterdir()] == ["a"]


@pytest.mark.parametrize("word", ["off", "OFF", "0", "no", "False"])
def test_a_store_that_is_switched_off_neither_reads_nor_writes(tmp_path, monkeypatch, word):
    """With SLALOM_CACHE=off nothing is read and nothing is written, not in the usual place either."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(cache.SWITCH, "")
    monkeypatch.setattr(sys, "platform", "linux")
    cache.write("a", [b"one"])
    assert (tmp_path / "slalom" / "programs" / "a").exists()
    assert cache.read("a") == [b"one"]
    monkeypatch.setenv(cache.SWITCH, word)
    assert cache.folder() is None
    assert cache.read("a") is None
    cache.write("b", [b"two"])
    cache.forget("a")
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["a"]


def test_macos_keeps_programs_only_where_it_is_told_to(tmp_path, monkeypatch):
    """On macOS a program that is loaded may crash: the store is off there unless a folder is named."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv(cache.SWITCH, raising=False)
    assert cache.folder() is None
    monkeypatch.setenv(cache.SWITCH, str(tmp_path))
    assert cache.folder() == tmp_path


# --- pruning ----------------------------------------------------------------------------------------------------------


def test_pruning_keeps_what_was_used_last(store, monkeypatch):
    """Beyond its limit the store loses the files that were not used for longest; to be read counts as use."""
    blob = lambda i: [random.Random(i).randbytes(1000)]  # noqa: E731 - does not get smaller
    for i in range(4):
        cache.write(KEYS[i], blob(i))
        os.utime(store / KEYS[i], (time.time() - 1000 + i,) * 2)
    monkeypatch.setattr(cache, "LARGEST", 4200)
    assert cache.read(KEYS[0]) == blob(0)
    cache.write(KEYS[4], blob(4))
    assert {file.name for file in store.iterdir()} == {KEYS[i] for i in (0, 2, 3, 4)}
    for i in range(5, 30):
        cache.write(KEYS[i], blob(i))
        assert sum(file.stat().st_size for file in store.iterdir()) <= 4200
        assert cache.read(KEYS[i]) == blob(i)


# --- a store that fails does not stop a race --------------------------------------------------------------------------


@pytest.fixture
def raced(monkeypatch):
    """What a small race comes to that asks for its programs anew (they are compiled but once in truth)."""
    monkeypatch.setattr(compared, "Baselines", NoBaselines)
    monkeypatch.setattr(program, "_compiled", COMPILE)
    return lambda: small(recipes=2, epochs=1).leaderboard.drop("seconds")


def read_only(monkeypatch, store):
    """Let the store be as on a disk that is mounted to be read alone."""

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    for room, verb in [(tempfile, "NamedTemporaryFile"), (os, "utime"), (os, "replace"), (Path, "unlink")]:
        monkeypatch.setattr(room, verb, refused)


def vanishing(monkeypatch, store):
    """Let the folder vanish whenever a file is about to get its name."""
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *given: (shutil.rmtree(store), replace(*given)))


def blocked(monkeypatch, store):
    """Let a file stand where the folder should be."""
    store.write_text("mine")


@pytest.mark.parametrize("befall", [read_only, vanishing, blocked])
def test_a_store_that_fails_stops_no_race(store, raced, monkeypatch, befall):
    """Where the store cannot be written, made or found, the race is the same, and nothing is said."""
    with monkeypatch.context() as patch:
        patch.setenv(cache.SWITCH, "off")
        expected = raced()
    if befall is read_only:
        store.mkdir(mode=0o700)
    befall(monkeypatch, store)
    assert raced().equals(expected, null_equal=True)
    assert not store.is_dir() or not list(store.iterdir())
    assert not store.is_file() or store.read_text() == "mine"


def test_a_store_that_cannot_be_written_is_read(store, monkeypatch):
    """On a disk that is mounted to be read alone, what is there is found."""
    cache.write("a", [b"one"])
    read_only(monkeypatch, store)
    assert cache.read("a") == [b"one"]
    cache.write("b", [b"two"])
    cache.forget("a")
    assert [file.name for file in store.iterdir()] == ["a"]
