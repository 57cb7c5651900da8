"""The command where a machine is poor, odd or full: few file handles, one core, no home, a full disk, a broken pipe."""

import ctypes
import errno
import os
import re
import resource
import shutil
import subprocess
import time

import pytest
from benchmarks import kills

from slalom import shell

from .command import COUNTED, SLALOM, TINY, slalom, start, table


def surrounded(*arguments, cwd, before="", **environment):
    """The command that has ended, in another environment. before: Python that its process runs first."""
    known = {k: v for k, v in os.environ.items() if k not in ("SLALOM_DEBUG", "COLUMNS", "FORCE_COLOR")}
    known = {k: v for k, v in (known | environment).items() if v is not None}
    code = [SLALOM[0], "-c", f"{before}\n{SLALOM[2]}"]
    return subprocess.run(
        [*code, *map(str, arguments)], cwd=cwd, env=known, capture_output=True, text=True, timeout=120
    )


def ends_well(done, folder):
    """The race ended with a model."""
    assert done.returncode == 0, done.stderr
    assert (folder / "model" / "model.json").exists()
    assert "Traceback" not in done.stderr


FEW = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"
ONE = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
SMALL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))"
OFTEN = ("64 file handles", "no home")
PLACES = {
    "64 file handles": {"before": FEW},
    "one core": {"before": ONE},
    "a Turkish locale": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    "a locale with decimal commas": {"LC_ALL": "de_DE.UTF-8"},
    "ASCII alone": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    "no home": {"HOME": None, "XDG_CACHE_HOME": None},
    "no folder for what is temporary": {"TMPDIR": "/nowhere/at/all"},
    "another time zone": {"TZ": "Pacific/Chatham"},
}


@pytest.mark.parametrize(
    "place", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.long) for name in PLACES]
)
def test_places(place, tmp_path):
    """A race ends well there, in a folder with blanks and other signs in its name."""
    folder = tmp_path / "größe mit leer 'zeichen'"
    folder.mkdir()
    table(folder / "rows.csv")
    done = surrounded("race", "rows.csv", "--target", "price", *COUNTED, cwd=folder, **PLACES[place])
    ends_well(done, folder / "runs" / "rows")


def test_a_second_is_enough_for_a_model(tmp_path):
    """A limit of one second leaves a model and a leaderboard, within a few seconds of the whole process."""
    table(tmp_path / "rows.csv")
    began = time.monotonic()
    done = slalom("race", "rows.csv", "--target", "price", "--seconds", "1", "--out", "run", cwd=tmp_path)
    assert time.monotonic() - began < 30  # of a busy machine
    assert done.returncode in (0, 1), done.stderr
    assert (tmp_path / "run" / "model" / "model.json").exists()
    assert (tmp_path / "run" / "leaderboard.csv").exists()
    assert slalom("predict", "run", "rows.csv", cwd=tmp_path).returncode == 0


HUMBLE = "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); os.execvp(sys.argv[1], sys.argv[1:])"
READS = """
import slalom
from slalom import SlalomError
from slalom.data import read

print(len(slalom.load("run").predict(read("rows.csv").frame)), len(slalom.leaderboard("run")))
for what in (
    lambda: slalom.explain("run", seconds=60),
    lambda: slalom.report_on("run", seconds=60),
    lambda: slalom.race("rows.csv", target="price", recipes=1, epochs=1, extend="run"),
):
    try:
        print("no error", what())
    except SlalomError as error:
        print(error)
"""


def humbly(*command, cwd):
    """A command that heeds permissions, root's too (Linux: without CAP_DAC_OVERRIDE)."""
    return subprocess.run([SLALOM[0], "-c", HUMBLE, *command], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.long
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "prctl"), reason="root may write everywhere")
def test_a_folder_that_can_only_be_read(tmp_path):
    """A run in a folder without the right to write is read as any other, and nothing in it changes; whatever would
    write to it says so in a sentence before it trains anything."""
    table(tmp_path / "rows.csv")
    assert slalom("race", "rows.csv", "--target", "price", *COUNTED, "--out", "run", cwd=tmp_path).returncode == 0
    places = [tmp_path / "run", *(tmp_path / "run").rglob("*")]
    before = {path: path.read_bytes() for path in places if path.is_file()}
    try:
        for path in places:
            path.chmod(0o555 if path.is_dir() else 0o444)
        assert humbly("touch", "run/more", cwd=tmp_path).returncode != 0
        done = humbly(SLALOM[0], "-c", READS, cwd=tmp_path)
    finally:
        for path in places:
            path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    sentence = "run must be a folder that can be written to. Copy it elsewhere."
    assert done.stdout.splitlines() == ["60 7", *[sentence] * 3]
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


@pytest.mark.long
def test_a_folder_that_is_deleted(tmp_path):
    """A race whose folder is deleted while it runs ends, leaves its model, and says what is lost."""
    table(tmp_path / "rows.csv", rows=160)
    asked = [
        "race",
        "rows.csv",
        "--target",
        "price",
        "--recipes",
        "4",
        "--epochs",
        "1000",
        *TINY,
        "--checkpoint",
        "0.2",
    ]
    with start(*asked, "--checkpoint", "0.2", "--out", "gone", cwd=tmp_path) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and not list((tmp_path / "gone").glob("unfinished/*.safetensors")):
            time.sleep(0.05)
        shutil.rmtree(tmp_path / "gone")
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "the folder was deleted while the race ran: its journal is lost" in " ".join(out.split())
    assert slalom("predict", "gone", "rows.csv", "-q", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("at", [pytest.param(1, marks=pytest.mark.long), pytest.param(9, marks=pytest.mark.long), 13])
def test_a_full_disk(at, tmp_path):
    """Where the disk is full from the n-th write on, at the beginning or later, the race says so in a
    sentence; when there is room again it is resumed, and ends as one that always had room."""
    table(tmp_path / "rows.csv", rows=160)
    asked = ["race", "rows.csv", *kills.RACE]
    with kills.started(tmp_path, *asked, "--out", "alone") as process:
        process.communicate(timeout=120)
    with kills.started(tmp_path, *asked, "--out", "run", at=at, how="full") as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert err.endswith(f"cannot be read or written: {os.strerror(errno.ENOSPC)}.\n")
    assert len(err.strip().splitlines()) == 1
    begun = (tmp_path / "run" / "unfinished" / "order.toml").exists()
    assert begun == (at > 7)
    done = slalom(*(["resume", "run", "--quiet"] if begun else [*asked, "--out", "run"]), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert kills.left(tmp_path / "run") == kills.left(tmp_path / "alone")


def test_a_limit_on_the_size_of_files(tmp_path):
    """Where no file may grow beyond 12 kB, journal and weights among them, there is one sentence and no traceback."""
    table(tmp_path / "rows.csv")
    done = surrounded(
        "race", "rows.csv", "--target", "price", *COUNTED, "--quiet", "--out", "run", cwd=tmp_path, before=SMALL,
        SLALOM_CACHE="off",
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


ADDRESSES = "import resource; resource.setrlimit(resource.RLIMIT_AS, ({0}, {0}))"


@pytest.mark.parametrize("limit", [10**9, 2 * 10**9])
def test_a_limit_on_addresses(limit, tmp_path):
    """Where the system lets a process have fewer addresses than any race needs, the need is said before libraries end
    the process without a word; nothing is written."""
    table(tmp_path / "rows.csv")
    done = surrounded(
        "race", "rows.csv", "--target", "price", *COUNTED, "--quiet", "--out", "run", cwd=tmp_path,
        before=ADDRESSES.format(limit),
    )  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(
        r"The limit on addresses \(ulimit -v\) must be at least [\d,]+ MB for a race on \d+ cores\. It is"
        rf" {limit / 1e6:,.0f} MB\. Raise it, and limit memory by --memory instead\.\n",
        done.stderr,
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("times", "warned"), [(1.01, True), (1.49, True), (1.51, False), (None, False)])
def test_a_limit_that_may_be_too_little(times, warned, monkeypatch, capsys):
    """Between what any race needs and what is ample the race runs, and is warned of its end."""
    need = shell.ADDRESSES[0] + shell.ADDRESSES[1] * len(os.sched_getaffinity(0))
    limit = resource.RLIM_INFINITY if times is None else int(times * need)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limit, limit))
    shell.enough_addresses()
    said = capsys.readouterr().err
    assert said.startswith(f"The limit on addresses (ulimit -v) of {limit / 1e6:,.0f} MB may be too") == warned
    assert (f"{1.5 * need / 1e6:,.0f} MB were enough" in said) == warned == bool(said)


@pytest.mark.long
def test_addresses_that_suffice(tmp_path):
    """With twice what a race needs at least, a small race ends well: the limit that is said is one."""
    table(tmp_path / "rows.csv")
    cores = len(os.sched_getaffinity(0))
    done = surrounded(
        "race", "rows.csv", "--target", "price", *COUNTED, "--out", "run", cwd=tmp_path,
        before=ADDRESSES.format(int(2 * (1.8e9 + 0.3e9 * cores))),
    )  # fmt: skip
    ends_well(done, tmp_path / "run")


def test_a_table_that_memory_has_no_room_for(tmp_path):
    """Where --memory is too little for the table the need is said, and nothing is written."""
    table(tmp_path / "rows.csv")
    asked = ["race", "rows.csv", "--target", "price", *COUNTED, "--quiet"]
    done = slalom(*asked, "--memory", "500MB", "--out", "run", cwd=tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(r"memory must be at least \d+ MB for this table\. Got 500 MB\. Give .+\.\n", done.stderr)
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_a_reader_that_leaves(tmp_path):
    """`| head -1` is no failure, and no traceback."""
    table(tmp_path / "rows.csv")
    assert slalom("race", "rows.csv", "--target", "price", *COUNTED, "--out", "run", cwd=tmp_path).returncode == 0
    line = " ".join(f"'{part}'" if " " in part or ";" in part else part for part in SLALOM)
    done = subprocess.run(
        ["bash", "-c", f"{line} leaderboard run --csv | head -1; echo ${{PIPESTATUS[0]}}"], cwd=tmp_path,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


@pytest.mark.long
def test_the_clock_may_jump(tmp_path):
    """Nothing in a race asks the wall clock how long something takes: one that jumps changes no limit. (Only the day of
    the race is read from it, for its folder.)"""
    table(tmp_path / "rows.csv")
    code = (
        "import os, time, traceback\n"
        "from slalom import cli, racing, shell\n"
        "def asked(*given):\n"
        "    where = traceback.extract_stack()[-2].filename\n"
        "    if 'slalom' in where.split(os.sep): print('asked in', where, flush=True); os._exit(9)\n"
        "    return 0.0\n"
        "time.time = asked\n"
        "cli.main()"
    )
    done = subprocess.run(
        [SLALOM[0], "-c", code, "race", "rows.csv", "--target", "price", *COUNTED, "--out", "run"], cwd=tmp_path,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    ends_well(done, tmp_path / "run")


@pytest.mark.parametrize(
    "closed", [*(pytest.param(one, marks=pytest.mark.long) for one in (">&-", "2>&-")), ">&- 2>&-"]
)
def test_closed_before_it_began(closed, tmp_path):
    """Without stdout, without stderr, without both: the race ends and leaves its folder."""
    table(tmp_path / "rows.csv")
    line = " ".join(f"'{part}'" if " " in part or ";" in part else part for part in SLALOM)
    done = subprocess.run(
        ["bash", "-c", f"{line} race rows.csv --target price {' '.join(COUNTED)} --out run {closed}"], cwd=tmp_path,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    ends_well(done, tmp_path / "run")
