"""The folder a race leaves behind: race.toml, the journal, the model, the leaderboard and the report."""

import fcntl
import json
import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import tomli_w

from slalom.errors import SlalomError

UNFINISHED, ORDER = "unfinished", "order.toml"  # what a race is resumed from, until it has ended
BEFORE = "before"  # inside it, of a race that is continued: what the race before left
LONG_KEY = re.compile(r"""\s*\[{0,2}\s*(?:[\w"'-]+\s*\.\s*){100}""")
EVERY = 20.0  # seconds between two checkpoints


@dataclass(frozen=True)
class RunFolder:
    """A run folder; with path None nothing is written. extends: it holds a finished race that more is added to."""

    path: Path | None
    extends: bool = False

    @classmethod
    def new(cls, path: str | Path | None) -> "RunFolder":
        """A folder that must not hold anything yet (SlalomError); it is made when the race begins."""
        if path is None:
            return cls(None)
        path = Path(path)
        if path.is_file() or (path.is_dir() and not _is_bare(path)):
            raise SlalomError(
                f"out must be a new or empty folder. {path} already holds something: choose another, or continue the"
                " race in it with --continue."
            )
        return cls(path)

    @classmethod
    def extend(cls, path: str | Path) -> "RunFolder":
        """A folder that holds a finished race (SlalomError where it does not)."""
        path = Path(path)
        if not (path / "race.toml").exists() or not (path / "journal.sqlite").exists():
            if (path / UNFINISHED / ORDER).exists():
                raise SlalomError(f"{path} holds a race that has not ended: slalom resume {shlex.quote(str(path))}.")
            has = "It has no race.toml and journal.sqlite in it" if path.is_dir() else "There is no folder at this path"
            raise SlalomError(f"{path} must be the folder of a race. {has}.")
        return cls(path, extends=True)

    @classmethod
    def unfinished(cls, path: str | Path) -> tuple["RunFolder", dict[str, Any]]:
        """A folder that holds a race that has not ended, and what was written down when it began (SlalomError)."""
        path = Path(path)
        file = path / UNFINISHED / ORDER
        if not file.exists():
            ended = "Its race has ended: slalom race --continue adds to it." if (path / "race.toml").exists() else ""
            none = "It holds none." if path.is_dir() else "There is no folder at this path."
            raise SlalomError(f"{path} must hold a race that was cut off. {ended or none}")
        try:
            begun = toml(file, file.read_text(encoding="utf-8"))
            return cls(path, extends=bool(begun["extends"])), begun
        except (OSError, UnicodeDecodeError, KeyError) as error:
            raise SlalomError(f"{file} cannot be read: {error}.") from None

    def begin(self, begun: dict[str, Any], wave: int) -> None:
        """Write down what a race was asked to do, before it does it. wave: 0 for a new one, more where it continues:
        then what the race before left is kept, so that a continuation that is resumed begins with the same."""
        if self.path:
            kept = self.path / UNFINISHED
            shutil.rmtree(kept, ignore_errors=True)  # what was kept of another race
            kept.mkdir()
            if self.extends:
                _copied(self.path, kept / BEFORE)
            self.claim()
            told = _present(begun) | {"wave": wave, "extends": self.extends}
            self.write(f"{UNFINISHED}/{ORDER}", tomli_w.dumps(told))

    def begin_again(self) -> None:
        """Make a folder what it was when its race began (SlalomError where that has ended meanwhile)."""
        assert self.path
        kept = self.path / UNFINISHED
        if not (kept / ORDER).exists():
            raise SlalomError(f"{self.path} must hold a race that was cut off. It has ended meanwhile.")
        if (kept / BEFORE).exists():
            _copied(kept / BEFORE, self.path)
        self.claim()

    def claim(self) -> None:
        """Say which process works here."""
        process = {"id": os.getpid(), "began": datetime.now(UTC).isoformat(timespec="seconds")}
        self.write(f"{UNFINISHED}/process.toml", tomli_w.dumps(process))

    @property
    def abandoned(self) -> bool:
        """Whether a race that has not ended was kept here."""
        return self.path is not None and (self.path / UNFINISHED / ORDER).exists()

    def end(self) -> None:
        """Forget what was kept to resume the race."""
        if self.path:
            (self.path / UNFINISHED / ORDER).unlink(missing_ok=True)  # first: what is half deleted is no race
            shutil.rmtree(self.path / UNFINISHED, ignore_errors=True)

    @property
    def checkpoints(self) -> Path | None:
        """Where a race that has not ended keeps its racers."""
        return self.path / UNFINISHED if self.path else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; refused where another one does (SlalomError). The lock of a process that
        died is none: the system lets go of it."""
        if self.path is None:
            yield
            return
        handle = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SlalomError(f"{self.path} is in use{self._user()}. Wait for it, or choose another.") from None
            except OSError:  # a file system without locks
                pass
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise SlalomError(f"{self.path} must be a folder that can be written to. Copy it elsewhere.")
            yield
        finally:
            os.close(handle)

    def _user(self) -> str:
        """Which process works in the folder, as far as it said so."""
        assert self.path
        try:
            said = tomllib.loads((self.path / UNFINISHED / "process.toml").read_text(encoding="utf-8"))
            os.kill(int(said["id"]), 0)  # nothing is sent: is it alive?
            return f" by process {int(said['id'])}, since {str(said['began'])[:40]}"
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return " by another process"

    def make(self) -> None:
        """Make the folder; from here on something is written (SlalomError where it cannot be)."""
        if self.path:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                if not any(self.path.iterdir()):  # should it be killed before it begins
                    (self.path / UNFINISHED).mkdir()
            except OSError as error:
                raise SlalomError(f"out must be a folder that can be made. {self.path}: {error.strerror}.") from None

    @property
    def journal(self) -> Path | None:
        """Where the journal is."""
        return self.path / "journal.sqlite" if self.path else None

    @property
    def model(self) -> Path | None:
        """Where the model is."""
        return self.path / "model" if self.path else None

    @property
    def ensemble(self) -> Path | None:
        """Where the ensemble is."""
        return self.path / "ensemble" if self.path else None

    def settings(self) -> dict[str, Any]:
        """What race.toml holds."""
        assert self.path
        try:
            return parsed((self.path / "race.toml").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise SlalomError(f"{self.path / 'race.toml'} cannot be read: {error}.") from None

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Write race.toml; None stands for what is not there and is left out."""
        if self.path:
            self.write("race.toml", tomli_w.dumps(_present(settings)))

    def write_leaderboard(self, leaderboard: pl.DataFrame) -> None:
        """Write leaderboard.csv."""
        if self.path:
            self.write("leaderboard.csv", as_csv(leaderboard))

    def write_json(self, name: str, numbers: dict[str, Any]) -> None:
        """Write a file of plain data."""
        if self.path:
            self.write(name, json.dumps(numbers, indent=1, default=str))

    def write(self, name: str, text: str) -> None:
        """Write a text file, whole or not at all."""
        assert self.path
        write(self.path / name, text.encode())


def write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all, also where the machine loses its power."""
    temporary = file.with_name(file.name + ".tmp")
    try:
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(file)
        _sync(file.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror or str(error), str(file)) from None


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_bare(path: Path) -> bool:
    """Whether a folder holds nothing, or no more than a race leaves that was killed before it began."""
    names = {one.name for one in path.iterdir()}
    known = {UNFINISHED, *(f"journal.sqlite{end}" for end in ("", "-wal", "-shm"))}
    begun = not names or UNFINISHED in names
    return begun and names <= known and not (path / UNFINISHED / ORDER).exists()


def _copied(source: Path, target: Path) -> None:
    """Put what a race leaves, and a continuation changes, from one folder into another."""
    target.mkdir(exist_ok=True)
    for name in ("race.toml", "evidence.json"):
        (target / name).unlink(missing_ok=True)
        if (source / name).exists():
            shutil.copy2(source / name, target / name)
    for name in ("model", "ensemble"):
        shutil.rmtree(target / name, ignore_errors=True)
        if (source / name).exists():
            shutil.copytree(source / name, target / name)


def public(path: str | Path) -> str:
    """A path as it may stand in what is passed on: relative ones as they are, of others the name alone.

    >>> public("runs/houses"), public("/home/jo/houses.csv"), public("")
    ('runs/houses', 'houses.csv', '')
    """
    return Path(path).name if Path(path).is_absolute() else str(path)


def as_csv(frame: pl.DataFrame) -> str:
    """A frame as CSV in which no text is a formula to a spreadsheet: what begins like one has an apostrophe in front.

    >>> print(as_csv(pl.DataFrame({"remark": ["=1+1", "fine"], "score": [-1.0, 2.0]})))
    remark,score
    '=1+1,-1.0
    fine,2.0
    <BLANKLINE>
    """
    begins = r"^[=+\-@\t\r]"
    named = frame.rename({name: f"'{name}" for name in frame.columns if re.match(begins, name)})
    text = pl.col(pl.String)
    return named.with_columns(
        pl.when(text.str.contains(begins)).then(pl.lit("'") + text).otherwise(text).name.keep()
    ).write_csv()


def parsed(text: str) -> dict[str, Any]:
    """TOML text as plain data; raises tomllib.TOMLDecodeError and RecursionError. A key of a hundred parts and more is
    refused: to read one takes a time that grows with the square of their number."""
    if any(LONG_KEY.match(line) for line in text.splitlines()):
        raise tomllib.TOMLDecodeError("A key has a hundred parts or more")
    return tomllib.loads(text)


def toml(file: Path, text: str) -> dict[str, Any]:
    """What TOML text from a file holds (SlalomError where it is none)."""
    try:
        return parsed(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SlalomError(f"{file} must be TOML. {error}.") from None


def _present(settings: Any) -> Any:
    if isinstance(settings, dict):
        return {key: _present(value) for key, value in settings.items() if value is not None}
    if isinstance(settings, (list, tuple)):
        return [_present(value) for value in settings]
    return settings
