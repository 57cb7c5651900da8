"""Forked processes: what works in one, and what is refused in a sentence where it would hang."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slalom import descend, forked, seats
from slalom.data import frame_of, read
from slalom.errors import SlalomError

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

PROCESS = """
import faulthandler, os, sys
import numpy as np
from slalom import Model, SlalomError, descend, race
from slalom.model import FORMAT
from tests.golden.make import rows

X = np.random.default_rng(0).normal(size=(80, 2))
DEEDS = {
    "nothing": lambda: None,
    "loads": lambda: model,
    "predicts": lambda: len(model.predict(rows())),
    "races": lambda: race(X, X[:, 0], recipes=1, epochs=1, fixed={"depth": 0, "batch_size": 16}).best.won,
    "descends": lambda: len(descend(lambda x: x**2, 2.0, "sgd", learning_rate=0.1, steps=3).losses),
    "sorts": lambda: rows().sort("size"),
    "computes": lambda: __import__("jax").numpy.ones(3) + 1,
}
model = Model.load(f"tests/golden/format{FORMAT}/model")
before, behind = sys.argv[1:]
DEEDS[before]()
pid = os.fork()
if pid == 0:
    faulthandler.dump_traceback_later(60, exit=True)
    try:
        print(DEEDS[behind](), flush=True)
    except SlalomError as error:
        print(error, flush=True)
    os._exit(0)
sys.exit(os.waitpid(pid, 0)[1] != 0)
"""
LONG = pytest.mark.long


def forks(before, behind):
    """What a forked process prints that does one thing, after another was done in its parent."""
    asked = [sys.executable, "-W", "ignore", "-c", PROCESS, before, behind]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@LONG
@pytest.mark.parametrize(
    ("before", "behind", "printed"),
    [("loads", "predicts", "240"), ("nothing", "races", "True"), ("nothing", "descends", "4"),
     ("computes", "predicts", "240")],
)  # fmt: skip
def test_a_fork_works_while_no_library_does(before, behind, printed):
    """A server may load a model and fork, a process may import Slalom and fork: children predict, race and descend."""
    assert forks(before, behind) == printed


@pytest.mark.parametrize(
    ("before", "behind", "library"),
    [("predicts", "predicts", "Polars")]
    + [
        pytest.param(*one, marks=LONG)
        for one in [("races", "predicts", "Polars"), ("races", "races", "Polars"), ("races", "descends", "JAX"),
                    ("descends", "races", "JAX"), ("descends", "descends", "JAX"), ("sorts", "predicts", "Polars"),
                    ("computes", "races", "JAX"), ("computes", "descends", "JAX")]
    ],
)  # fmt: skip
def test_a_fork_of_one_at_work_is_refused(before, behind, library):
    """After Slalom, or the caller, set a library to work in its parent, a child that needs its threads says so at once,
    where it would wait for them for ever."""
    said = forks(before, behind)
    assert said.startswith(f"This process must not be a fork of one in which {library} was at work: ")


@pytest.mark.parametrize(
    ("library", "deed"),
    [("Polars", lambda: frame_of(np.zeros((2, 2)))), ("Polars", lambda: read(GOLDEN / "rows.csv")),
     ("JAX", lambda: seats.device()), ("JAX", lambda: descend(abs, 1.0, "sgd", learning_rate=1.0, steps=1))],
)  # fmt: skip
def test_every_door_is_closed(monkeypatch, library, deed):
    """Tables in memory and in files, seats and descents are refused in a copy that lacks their threads."""
    monkeypatch.setattr(forked, "_lost", {library})
    with pytest.raises(SlalomError, match=rf"fork of one in which {library} was at work: .*spawn"):
        deed()


def test_threads_are_seen_whoever_began_them(monkeypatch):
    """The libraries' own threads tell that they are at work (Linux), or Slalom remembers it."""
    seats.device()
    frame_of(np.zeros((5, 2))).frame.sort("0")
    monkeypatch.setattr(forked, "_started", set())
    if sys.platform == "linux":
        assert forked.running() >= {"Polars", "JAX"}
    forked.check("JAX")
    assert "JAX" in forked.running()
