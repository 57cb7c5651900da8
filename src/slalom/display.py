"""What is shown while a race runs: a live display on a terminal, plain lines in a pipe, or nothing at all."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from slalom.board import clean, number

if TYPE_CHECKING:
    from slalom.status import Status

EVERY = 5.0  # seconds between two plain lines of one phase
REFRESH = 4  # times a second that the live display is drawn


class Speed:
    """Racer-steps a second since the first racer moved, so that compiling does not count."""

    def __init__(self) -> None:
        self._still = 0.0  # the last moment at which nothing but compiling went on

    def __call__(self, status: "Status") -> float | None:
        """The speed so far; None before there is one."""
        if not status.racer_steps:
            racing = status.phase.startswith("rung") and "compiling" not in status.phase
            self._still = self._still if racing else status.seconds
            return None
        return status.racer_steps / max(status.seconds - self._still, 1e-9)


def facts(status: "Status", speed: float | None) -> list[str]:
    """What is known, in the order of a line."""
    said = []
    if status.alive:
        said.append(f"{status.alive:,} racing")
    if status.best is not None:
        said.append(f"best {number(status.best)}")
    if speed is not None:
        said.append(f"{speed:,.0f} racer-steps/s")
    return said


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Callable[["Status"], None]:
        return lambda status: None

    def __exit__(self, *_: object) -> None:
        pass


class Lines:
    """A line at every new phase, and one every five seconds within it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream  # None where nobody reads any more
        self._speed = Speed()
        self._phase, self._printed = "", float("-inf")

    def __enter__(self) -> Callable[["Status"], None]:
        return self.show

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, status: "Status") -> None:
        """Print a line where one is due."""
        speed = self._speed(status)
        rung, _, compiling = status.phase.partition(",")
        phase = rung + ("," if compiling else "")  # that one program of many is ready is no new phase
        if phase == self._phase and status.seconds < self._printed + EVERY:
            return
        self._phase, self._printed = phase, status.seconds
        left = [] if status.left is None else [f"{status.left:.0f} s left"]
        line = " · ".join([f"{status.seconds:5.1f} s  {status.phase}", *facts(status, speed), *left])
        try:
            if self._stream:
                print(clean(line), file=self._stream, flush=True)
        except OSError:  # the race goes on
            self._stream = None


class Live:
    """Two lines that are drawn again and again, and wiped at the end."""

    def __init__(self, console: Any) -> None:
        self._console, self._speed, self._rate = console, Speed(), None
        self._status: Status | None = None
        self._came = self._began = time.perf_counter()
        self._live: Any = None

    def __enter__(self) -> Callable[["Status"], None]:
        from rich.live import Live as Screen

        self._live = Screen(
            console=self._console, get_renderable=self._drawn, refresh_per_second=REFRESH, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._live.__enter__()
        return self.show

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, status: "Status") -> None:
        """Keep the status for the next drawing."""
        self._rate = self._speed(status)  # type: ignore[assignment]
        self._status, self._came = status, time.perf_counter()

    def _drawn(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        now, status = time.perf_counter(), self._status
        since = now - self._came
        seconds = status.seconds + since if status else now - self._began
        phase = clean(status.phase) if status else "starting"
        grid = Table.grid(padding=(0, 2))
        cells: list[Any] = [Text(phase, style="bold yellow" if "compiling" in phase else "bold cyan", no_wrap=True)]
        if status and status.left is not None:
            left = max(status.left - since, 0.0)
            total = status.seconds + status.left
            cells += [ProgressBar(total=total, completed=seconds, width=24), Text(f"{left:.0f} s left", no_wrap=True)]
        else:
            cells.append(Text(f"{seconds:.0f} s", no_wrap=True))
        grid.add_row(*cells)
        known = facts(status, self._rate) if status else []
        line = Text(" · ".join([*known, "Ctrl-C ends it"]), no_wrap=True, overflow="ellipsis")
        return Group(grid, line)


def display(*, quiet: bool) -> Silent | Lines | Live:
    """The display that fits: none, a live one where stderr is a terminal that can do it, else plain lines.

    Use it as a context: it hands out what `slalom.race(progress=…)` takes.
    """
    if quiet or sys.stderr is None:  # None: it was closed before Python began
        return Silent()
    if not sys.stderr.isatty():
        return Lines(sys.stderr)
    from rich.console import Console

    console = Console(stderr=True)
    return Lines(sys.stderr) if console.is_dumb_terminal else Live(console)
