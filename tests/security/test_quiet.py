"""A race, a model and a report do what they are there for and nothing else: seen by Python's audit hooks."""

import getpass
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from slalom import race, report_on
from slalom.folder import as_csv

WATCH = """
import sys
seen = []
def hook(event, args):
    if event in {events!r}:
        seen.append((event, str(args)[:200]))
sys.addaudithook(hook)
{code}
print("SEEN", seen)
"""
SMALL = {"depth": 1, "width": 8, "rule": "adam"}


def watched(code, events, cwd):
    """What a process that runs this code did of these events."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH.format(events=events, code=code)], cwd=cwd, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition("SEEN ")[2].strip()


@pytest.fixture(scope="module")
def raced(tmp_path_factory):
    """A run folder of a table whose cells can be recognised."""
    folder = tmp_path_factory.mktemp("quiet")
    draw = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "age": draw.normal(size=200),
            "name": [f"secret-cell-{i % 7}" for i in range(200)],
            "price": draw.normal(size=200),
        }
    )
    frame.write_csv(folder / "rows.csv")
    os.environ["SLALOM_TEST_SECRET"] = "an-environment-variable"
    try:
        race(folder / "rows.csv", target="price", recipes=3, epochs=2, fixed=SMALL, out=folder / "run")
    finally:
        del os.environ["SLALOM_TEST_SECRET"]
    return folder


def test_nothing_listens_or_calls(raced):
    """A race opens no network socket: it binds none and connects to none."""
    code = (
        "from slalom import race\n"
        f"race('rows.csv', target='price', recipes=2, epochs=2, fixed={SMALL!r}, out='watched')"
    )
    assert watched(code, ("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto"), raced) == "[]"


def test_no_pickle_is_loaded(raced):
    """To load a model, predict with it and read a leaderboard needs no pickle and starts no process."""
    code = (
        "import slalom\n"
        "from slalom.data import read\n"
        "slalom.load('run').predict(read('rows.csv').frame); slalom.leaderboard('run')\n"
        "slalom.Model.load('run'); slalom.Ensemble.load('run')"
    )
    assert watched(code, ("pickle.find_class", "os.system", "os.exec", "subprocess.Popen"), raced) == "[]"


def test_the_report_tells_nothing_of_the_machine(raced):
    """No home folder, host, user's name, environment variable or cell of the rows stands in what a race leaves for
    people to pass on."""
    report_on(raced / "run", seconds=1)
    told = "".join((raced / "run" / name).read_text() for name in ("report.html", "report.json", "leaderboard.csv"))
    secrets = ["an-environment-variable", str(Path.home()), "secret-cell-", str(raced)]
    secrets += [word for word in (socket.gethostname(), getpass.getuser()) if len(word) > 4]
    assert not [secret for secret in secrets if secret in told]
    assert json.loads((raced / "run" / "report.json").read_text())["target"] == "price"


def test_the_text_of_a_training_tells_the_tables_name_alone(raced, tmp_path):
    """Of a table of numbers the report has the text of its training in PyTorch, in which the table has no folder; of
    one with words it has none, since that lists them."""
    pl.read_csv(raced / "rows.csv").drop("name").write_csv(tmp_path / "numbers.csv")
    race(tmp_path / "numbers.csv", target="price", recipes=1, epochs=1, fixed=SMALL, out=tmp_path / "run")
    report_on(tmp_path / "run", seconds=1)
    told = "".join((tmp_path / "run" / name).read_text() for name in ("report.html", "report.json"))
    assert "import torch" in told
    assert "numbers.csv" in told
    assert str(tmp_path) not in told


def test_text_is_no_formula_to_a_spreadsheet():
    """Text and names that begin like a formula have an apostrophe in front; numbers below zero stay numbers."""
    frame = pl.DataFrame(
        {"=cmd": ["=1+1", "+2", "-3", "@sum", "\tx", "\rx", "plain", None], "score": [-1.5, *map(float, range(7))]}
    )
    lines = as_csv(frame).replace('"\'\tx"', "'\tx").split("\n")
    assert lines[0] == "'=cmd,score"
    assert lines[1:5] == ["'=1+1,-1.5", "'+2,0.0", "'-3,1.0", "'@sum,2.0"]
    read = pl.read_csv(as_csv(frame).encode())
    assert read["'=cmd"].to_list()[:7] == ["'=1+1", "'+2", "'-3", "'@sum", "'\tx", "'\rx", "plain"]
    assert read["score"].to_list() == frame["score"].to_list()
