"""Forked processes: what works in one, and what is refused in a sentence where it would hang."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slalom import forked
from slalom.data import frame_of, read
from slalom.errors import SlalomError

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
SENTENCE = r"^This process must not be a fork of one in which Slalom has read a table: .*spawn.*\.$"
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

CHILD = """
import faulthandler, os, sys
import numpy as np
from slalom import Model, SlalomError, race
from tests.golden.make import rows
from slalom.model import FORMAT

folder = f"tests/golden/format{FORMAT}/model"
X = np.random.default_rng(0).normal(size=(80, 2))
small = {"recipes": 1, "epochs": 1, "fixed": {"depth": 0, "batch_size": 16}}
before, child = sys.argv[1:]
if before != "imports":
    model = Model.load(folder)
if before == "predicts":
    model.predict(rows())
if before == "races":
    race(X, X[:, 0], **small)
pid = os.fork()
if pid == 0:
    faulthandler.dump_traceback_later(60, exit=True)
    try:
        if child == "predicts":
            print(len(model.predict(rows())), flush=True)
        else:
            print(race(X, X[:, 0], **small).best.won, flush=True)
    except SlalomError as error:
        print(error, flush=True)
    os._exit(0)
sys.exit(os.waitpid(pid, 0)[1] != 0)
"""


def forks(before, child):
    """What a forked process prints that does one thing, after another was done in its parent."""
    asked = [sys.executable, "-W", "ignore", "-c", CHILD, before, child]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.long
@pytest.mark.parametrize(("before", "child", "printed"), [("loads", "predicts", "240"), ("imports", "races", "True")])
def test_a_fork_works_while_nothing_was_read(before, child, printed):
    """A server may load a model and fork; a process may import Slalom and fork: children predict and race."""
    done = forks(before, child)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == printed


@pytest.mark.parametrize("before", ["predicts", pytest.param("races", marks=pytest.mark.long)])
@pytest.mark.parametrize("child", ["predicts", pytest.param("races", marks=pytest.mark.long)])
def test_a_fork_of_one_that_read_is_refused(before, child):
    """After a prediction or a race in its parent a child says so at once, where it would wait for threads that it does
    not have."""
    done = forks(before, child)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("This process must not be a fork of one in which Slalom has read a table: ")


def test_both_ways_to_read_are_refused(monkeypatch):
    """Tables in memory and in files."""
    monkeypatch.setitem(forked._here, "copy", True)
    with pytest.raises(SlalomError, match=SENTENCE):
        frame_of(np.zeros((2, 2)))
    with pytest.raises(SlalomError, match=SENTENCE):
        read(GOLDEN / "rows.csv")


def test_a_fork_knows_that_it_is_one(monkeypatch):
    """A copy of a process that has read is one; a copy of another is not, nor is a process that was spawned."""
    known = [_in_child(monkeypatch, has_read) for has_read in (True, False)]
    assert known == [True, False]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_copied) is False


def _copied():
    return forked._here["copy"]


def _in_child(monkeypatch, has_read):
    """Whether a fork of this process takes itself for a copy."""
    monkeypatch.setitem(forked._here, "read", has_read)
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(into, b"1" if forked._here["copy"] else b"0")
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(into)
    with os.fdopen(out, "rb") as answer:
        return answer.read() == b"1"
