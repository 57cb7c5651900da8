"""Races that are cut off: killed at any moment, interrupted, told to end; and what may be resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from benchmarks import kills

from .command import TINY, slalom, start, table

ASKED = ["rows.csv", "--target", "price", "--recipes", "6", "--epochs", "6", *TINY, "--checkpoint", "0"]
LONG = ["rows.csv", "--target", "price", "--recipes", "8", "--epochs", "4000", *TINY, "--checkpoint", "0.2"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A table, and the race of it that was left alone."""
    folder = tmp_path_factory.mktemp("races")
    table(folder / "rows.csv", rows=160)
    done = slalom("race", *ASKED, "--out", "alone", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert not (folder / "alone" / "unfinished").exists()
    return folder


def cut(folder, name, at):
    """A race that killed itself at its n-th write; the folder."""
    with kills.started(folder, "race", *ASKED, "--out", name, "--quiet", at=at) as process:
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    return folder / name


LONG_ONES = pytest.mark.long


@pytest.mark.parametrize("at", [pytest.param(9, marks=LONG_ONES), 14, pytest.param(26, marks=LONG_ONES)])
def test_killed_while_it_writes(home, at):
    """A race that dies at a write, of its order, of a checkpoint, is resumed to the same end, bit for bit."""
    folder = cut(home, f"write{at}", at)
    done = slalom("resume", folder.name, "--quiet", cwd=home)
    assert done.returncode == 0, done.stderr
    assert kills.left(folder) == kills.left(home / "alone")
    assert not (folder / "unfinished").exists()
    again = slalom("resume", folder.name, cwd=home)
    assert (
        again.stderr
        == f"{folder.name} must hold a race that was cut off. Its race has ended: slalom race --continue adds to it.\n"
    )


def test_damaged_checkpoints(home):
    """A flipped bit and a torn file are found by their checksums: what came before them counts, and the end is the
    same; the race says which were left out."""
    for at in (30, 40, 50, 60):  # how many files there are by then hangs on the disk
        folder = cut(home, f"damaged{at}", at)
        files = sorted((folder / "unfinished").glob("*.safetensors"))
        if len(files) >= 2:
            break
    torn, flipped = files[-1], files[-2]
    torn.write_bytes(torn.read_bytes()[:-7])
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 4
    flipped.write_bytes(data)
    done = slalom("resume", folder.name, "--json", "--quiet", cwd=home)
    assert done.returncode == 0, done.stderr
    said = [note for note in json.loads(done.stdout)["notes"] if "damaged" in note]
    assert said == [f"checkpoints that are damaged were left out: {flipped.name}, {torn.name}."]
    assert kills.left(folder) == kills.left(home / "alone")


@pytest.mark.long
def test_other_rows_and_versions_are_refused(home, tmp_path):
    """Rows that changed, and versions that are others, are named; --force goes on."""
    for name in ("rows.csv",):
        shutil.copy(home / name, tmp_path / name)
    folder = cut(tmp_path, "run", 22)
    order = folder / "unfinished" / "order.toml"
    kept = order.read_text()
    order.write_text(kept.replace('jax = "', 'jax = "0.0.'))
    done = slalom("resume", "run", "--quiet", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("run must be resumed with what it began with: jax 0.0.")
    assert slalom("resume", "run", "--force", "--quiet", cwd=tmp_path).returncode == 0
    folder = cut(tmp_path, "other", 22)
    rows = (tmp_path / "rows.csv").read_text()
    (tmp_path / "rows.csv").write_text(rows.replace("yes", "maybe", 1))
    done = slalom("resume", "other", "--quiet", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("The data must be the same as in other.")
    assert "unfinished" in {path.name for path in folder.iterdir()}


@pytest.mark.long
def test_a_folder_that_was_moved(home, tmp_path):
    """A copy of the folder is resumed elsewhere, with the place of its rows."""
    cut(home, "moves", 22)
    shutil.move(home / "moves", tmp_path / "here")
    done = slalom("resume", "here", home / "rows.csv", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert kills.left(tmp_path / "here") == kills.left(home / "alone")


def running(process, folder, seconds=60.0):
    """Wait until a race has written a checkpoint."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if list(folder.glob("unfinished/*.safetensors")):
            return
        time.sleep(0.05)
    raise AssertionError(process.communicate())


@pytest.mark.parametrize(("number", "code"), [pytest.param(signal.SIGINT, 130, marks=LONG_ONES), (signal.SIGTERM, 143)])
def test_told_to_end(home, number, code):
    """Ctrl-C and SIGTERM end a race within seconds: the best so far and how to go on are said; it goes on."""
    folder = home / f"told{code}"
    with start("race", *LONG, "--out", folder.name, cwd=home) as process:
        running(process, folder)
        began = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 10, err
    assert process.returncode == code, err
    assert "Interrupted: this is the best so far." in out
    assert f"resume {folder.name}" in out
    assert (folder / "model" / "model.json").exists()
    assert (folder / "unfinished" / "order.toml").exists()
    with start("resume", folder.name, cwd=home) as process:
        time.sleep(3.0)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert (folder / "unfinished" / "order.toml").exists()


@pytest.mark.long
def test_two_processes_in_one_folder(home):
    """The second is refused, with the number of the first; a lock whose process died is none."""
    folder = home / "shared"
    with start("race", *LONG, "--out", "shared", cwd=home) as process:
        running(process, folder)
        done = slalom("resume", "shared", "--quiet", cwd=home)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(f"shared is in use by process {process.pid}, since 20")
    with start("resume", "shared", cwd=home) as process:
        time.sleep(2.0)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    told = slalom("race", "--continue", "shared", cwd=home)
    assert told.stderr == "shared holds a race that has not ended: slalom resume shared.\n"


@pytest.mark.long
def test_an_interrupted_race_ends_as_if_it_were_not(home):
    """Ctrl-C between two scores, then resumed: the same bits."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import os, threading, time\n"
        "from slalom import crew\n"
        "call, count = crew.Crew._call, [0]\n"
        "def counted(self, step, n):\n"
        "    count[0] += 1\n"
        "    if count[0] == 12: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return call(self, step, n)\n"
        "crew.Crew._call = counted\n"
        "from slalom.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "race", *ASKED, "--out", "stopped", "--quiet"],
        cwd=home, capture_output=True, text=True, timeout=120, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    done = slalom("resume", "stopped", "--quiet", cwd=home)
    assert done.returncode == 0, done.stderr
    assert kills.left(home / "stopped") == kills.left(home / "alone")


@pytest.mark.long
def test_a_race_with_a_limit_has_the_seconds_that_were_left(home):
    """Killed halfway through its rungs it ends in about the other half, with finalists and an ensemble like any."""
    folder = home / "timed"
    asked = ["rows.csv", "--target", "price", "--seconds", "16", *TINY, "--checkpoint", "0.5", "--out", "timed"]
    with start("race", *asked, cwd=home) as process:
        running(process, folder)
        time.sleep(3.0)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    began = time.monotonic()
    done = slalom("resume", "timed", "--json", cwd=home)
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert took < 25  # of a busy machine
    assert 10 < found["seconds"] < 25
    assert found["outcomes"]["finished"] > 0
    assert sum(found["outcomes"].values()) == found["recipes"]


@pytest.mark.long
def test_interrupted_twice(home):
    """The second Ctrl-C ends it at once: a sentence says how to go on, and what was kept is whole."""
    with start("race", *LONG, "--out", "twice", cwd=home) as process:
        running(process, home / "twice")
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "resume twice" in out + err
    assert "Traceback" not in err
    with start("resume", "twice", cwd=home) as process:
        time.sleep(3.0)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)


MOMENTS = [("compile", 1), ("compile", 2), ("stop", 3), ("stop", 9), ("stop", 16), ("stop", 30)]


@pytest.mark.parametrize(("how", "at"), [pytest.param(*m, marks=() if m[1] == 1 else LONG_ONES) for m in MOMENTS])
def test_interrupted_while_it_compiles_and_saves(home, how, at):
    """Ctrl-C while a program is being compiled (once it met threads that had not been started) and at writes, of the
    order, a checkpoint, the model: exit code 130, a sentence says how to go on where something is kept, and the end is
    that of the race that was left alone."""
    folder, asked = home / f"{how}{at}", ["race", *ASKED, "--out", f"{how}{at}", "--quiet"]
    with kills.started(home, *asked, at=at, how=how) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "failed" not in err
    begun = (folder / "unfinished" / "order.toml").exists()
    assert begun == (f"resume {folder.name}" in out + err)
    done = slalom(*(["resume", folder.name, "--quiet"] if begun else asked), cwd=home)
    assert done.returncode == 0, done.stderr
    assert kills.left(folder) == kills.left(home / "alone")


@pytest.mark.long
def test_continued_behind_an_interruption_and_killed(home):
    """Ctrl-C, then --continue instead of resume, killed in its turn: resumed, it is the continued race that ends."""
    with start("race", *LONG, "--out", "both", cwd=home) as process:
        running(process, home / "both")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    before = {row["name"] for row in json.loads(slalom("leaderboard", "both", "--json", cwd=home).stdout)}
    more = ["race", "--continue", "both", "--recipes", "2", "--epochs", "6", "--checkpoint", "0", "--quiet"]
    with kills.started(home, *more, at=12) as process:
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    done = slalom("resume", "both", "--json", "--quiet", cwd=home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recipes"] == 2
    board = slalom("leaderboard", "both", "--json", cwd=home)
    assert len({row["name"] for row in json.loads(board.stdout)} - before) == 2
