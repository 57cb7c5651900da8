"""The displays, the door of the command line, and what it says, without a race."""

import io
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.console import Console

from slalom import asked, board, cli, display, shell, told

from .command import slalom


class Shown(NamedTuple):
    """A status, as `slalom.track.Status`."""

    phase: str
    alive: int
    best: float | None
    racer_steps: int
    seconds: float
    left: float | None


COMPILING = Shown("rung 1 of 2, compiling 2 of 2 shapes", 9, None, 0, 2.0, 8.0)


def test_a_pipe_gets_a_line_at_every_phase_and_every_five_seconds() -> None:
    stream = io.StringIO()
    with display.Lines(stream) as show:
        show(COMPILING)
        show(COMPILING._replace(phase="rung 1 of 2, compiling 1 of 2 shapes", seconds=3.0))  # no new phase
        for i in range(70):
            show(Shown("rung 1 of 2", 9, 0.5, 1000 * (i + 1), 4.0 + 0.1 * i, 6.0 - 0.1 * i))
        show(Shown("finishing", 0, 0.25, 80_000, 11.0, None))
    lines = stream.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["2.0", "4.0", "9.0", "11.0"]
    assert lines[0].endswith("rung 1 of 2, compiling 2 of 2 shapes · 9 racing · 8 s left")
    assert re.fullmatch(r" +9\.0 s  rung 1 of 2 · 9 racing · best 0\.5000 · [\d,]+ racer-steps/s · 1 s left", lines[2])


def test_compiling_does_not_count_in_the_speed() -> None:
    speed = display.Speed()
    assert speed(COMPILING._replace(seconds=50.0)) is None
    assert speed(Shown("rung 1 of 2", 9, None, 0, 51.0, None)) is None
    assert speed(Shown("rung 1 of 2", 9, None, 3000, 53.0, None)) == pytest.approx(1000)


def test_a_reader_of_progress_that_left_does_not_end_the_race() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with display.Lines(Gone()) as show:
        show(COMPILING)
        show(Shown("finishing", 0, None, 0, 9.0, None))


def test_a_terminal_gets_a_live_display_that_is_wiped_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=90, color_system="standard")
    with display.Live(console) as show:
        show(COMPILING)
        time.sleep(0.6)
        show(Shown("rung 2 of 2\x1b[2J", 3, 0.125, 9000, 5.0, 5.0))
        time.sleep(0.6)
    text = stream.getvalue()
    assert "compiling 2 of 2 shapes" in text
    assert "8 s left" in text
    assert "3 racing · best 0.1250 · 3,000 racer-steps/s" in text
    assert "\x1b[2J" not in text
    assert text.count("Ctrl-C ends it") <= 8  # drawn at most four times a second, and once at either end
    assert text.endswith("\x1b[2K")


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    with display.Live(Console(file=stream, force_terminal=True, width=90)) as show:
        show(COMPILING)
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m", stream.getvalue())


@pytest.mark.parametrize(("quiet", "kind"), [(True, display.Silent), (False, display.Lines)])
def test_the_display_fits_where_it_is_shown(quiet: bool, kind: type) -> None:
    assert isinstance(display.display(quiet=quiet), kind)


def test_help_is_quick_and_gives_examples_first(tmp_path: Path) -> None:
    began = time.perf_counter()
    ended = slalom("--help", cwd=tmp_path)
    assert time.perf_counter() - began < 2  # a tenth of it on a quiet machine
    assert ended.returncode == 0
    for name in ((), ("race",), ("predict",), ("leaderboard",), ("list",)):
        text = slalom(*name, "--help", cwd=tmp_path).stdout
        assert 0 < text.index("Examples:") < text.index("Options:")


def test_without_a_command_the_help_is_laid_out(capsys) -> None:
    """`slalom` alone says what there is on stderr, line by line, with the exit code of what cannot be used."""
    assert cli.run([]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Usage: slalom [OPTIONS] COMMAND [ARGS]..."
    assert len(lines) > 20
    assert max(map(len, lines)) <= 100


def test_help_and_version_load_nothing_heavy(tmp_path: Path) -> None:
    for arguments in (["--version"], ["--help"], ["race", "--help"]):
        assert cli.run(arguments) == 0
    heavy = "{'jax', 'polars', 'numpy', 'rich'} & set(sys.modules)"
    script = f"import sys; from slalom import cli; cli.run(['race', '--help']); sys.exit(bool({heavy}))"
    ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False, capture_output=True)
    assert ended.returncode == 0


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert re.fullmatch(r"slalom \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_an_unexpected_failure_is_one_line_and_a_traceback_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk\nis\x1b full")

    monkeypatch.setattr(told, "predictions", fails)
    monkeypatch.delenv("SLALOM_DEBUG", raising=False)
    assert cli.run(["predict", "runs/a", "b.csv"]) == 1
    sentence = "slalom failed: RuntimeError: the disk is� full (SLALOM_DEBUG=1 shows where).\n"
    assert capsys.readouterr().err == sentence
    monkeypatch.setenv("SLALOM_DEBUG", "1")
    assert cli.run(["predict", "runs/a", "b.csv"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_the_start_of_the_process_is_before_now() -> None:
    assert 0 < time.perf_counter() - shell.process_start() < 3600


def test_the_default_folder_is_the_first_that_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = []
    for _ in range(3):
        found.append(asked.free_folder(Path("data/houses.csv.gz")))
        found[-1].mkdir(parents=True)
    assert found == [Path("runs/houses"), Path("runs/houses-2"), Path("runs/houses-3")]


def test_what_could_steer_a_terminal_is_not_printed() -> None:
    assert board.clean("a\x1b[31m\u202eb\n\x07") == "a�[31m�b\n�"
