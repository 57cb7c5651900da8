"""Contestants as the one who measures them sees them: processes that are made ready, started together, and read."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from slalom.bench.cases import Case

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
NO_CACHE = {"SLALOM_CACHE": "off"}  # so that compiling is measured, and the user's cache is left alone
SHARED = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # several wait on one device
DYING = 1.0  # seconds that a process takes to end, at most
TOLD = ("steps", "width", "threads", "device", "workers", "gflops")


@dataclass
class Contestant:
    """Somebody who trains racers: by name, in so many processes, and with what that needs."""

    title: str
    name: str
    case: Case
    processes: int = 1
    given: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    answers: list[list[dict[str, Any]]] = field(default_factory=list)  # a round, a process
    failure: str = ""

    @contextlib.contextmanager
    def ready(self) -> Iterator[Callable[[], None]]:
        """Make the processes ready; what is given runs them once. They are at an end when the block is."""
        command = [sys.executable, "-m", "slalom.bench.contestant"]
        with contextlib.ExitStack() as stack:
            said = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(self.processes)]
            started = [
                stack.enter_context(
                    subprocess.Popen(
                        [*command, self._asked(i)], env=os.environ | SHARED | self.environment, stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, stderr=said[i], text=True,
                    )
                )
                for i in range(self.processes)
            ]  # fmt: skip
            stack.callback(self._ended, started)
            if [process.stdout.readline() for process in started] != ["ready\n"] * len(started):  # type: ignore[union-attr]
                self._failed(started, said)

            def again() -> None:
                if self.failure:
                    return
                try:
                    for process in started:
                        process.stdin.write("go\n")  # type: ignore[union-attr]
                        process.stdin.flush()  # type: ignore[union-attr]
                    self.answers.append([json.loads(process.stdout.readline()) for process in started])  # type: ignore[union-attr]
                except (OSError, ValueError):  # it died, and wrote why
                    self._failed(started, said)

            yield again

    def measure(self, rounds: int = 1) -> "Contestant":
        """Run it so many times."""
        with self.ready() as again:
            for _ in range(rounds):
                again()
        return self

    def _failed(self, started: list[Any], said: list[Any]) -> None:
        """Keep the last words of those that died; what the others wrote was no more than a warning."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            started[0].wait(timeout=DYING)
        dead = [one for process, one in zip(started, said, strict=True) if process.poll() is not None] or said
        for one in dead:
            one.seek(0)
        lines = [line for one in dead for line in one.read().strip().splitlines()[-1:]]
        self.failure = lines[0] if lines else "it ended without a word"

    def _ended(self, started: list[Any]) -> None:
        for process in started:
            if self.failure:
                process.kill()
            with contextlib.suppress(OSError):  # it died between two rounds
                process.stdin.close()

    def _asked(self, i: int) -> str:
        """What a process is told; where there is one a core, each has a core of its own."""
        core = i if self.processes > 1 else None
        return json.dumps({"name": self.name, "case": self.case.plain(), "given": self.given, "core": core})

    @property
    def rates(self) -> list[float]:
        """Racer-steps a second in each round."""
        return [sum(a["updates"] for a in answers) / max(a["seconds"] for a in answers) for answers in self.answers]

    @property
    def rate(self) -> float:
        """The best of them; 0 where there is none."""
        return max(self.rates, default=0.0)

    @property
    def loss(self) -> float | None:
        """The mean loss at the end of the first round."""
        losses = [answer["loss"] for answer in self.answers[0]] if self.answers else []
        return sum(losses) / len(losses) if losses else None

    def plain(self) -> dict[str, Any]:
        """As plain data: what a program reads."""
        last = self.answers[-1] if self.answers else [{}]
        return {
            "contestant": self.title,
            **self.case.plain(),
            "processes": self.processes,
            **{key: last[0][key] for key in TOLD if key in last[0]},
            "racer_steps_per_second": round(self.rate),
            "rounds": [round(rate) for rate in self.rates],
            "gflops": self.rate * self.case.flops / 1e9,
            "compile_seconds": max((a.get("compile_seconds", 0.0) for a in last), default=0.0),
            "peak_mb": sum(a.get("peak_mb", 0.0) for a in last),
            "loss": self.loss,
            "failure": self.failure or None,
        }
