"""The folder a race leaves behind: race.toml, the journal, the model, the leaderboard and the report."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import tomli_w

from slalom.errors import SlalomError


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
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
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
            raise SlalomError(f"{path} must be the folder of a race. It has no race.toml and journal.sqlite in it.")
        return cls(path, extends=True)

    def make(self) -> None:
        """Make the folder; from here on something is written."""
        if self.path:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
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
            return tomllib.loads((self.path / "race.toml").read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SlalomError(f"{self.path / 'race.toml'} cannot be read: {error}.") from None

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Write race.toml; None stands for what is not there and is left out."""
        if self.path:
            self.write("race.toml", tomli_w.dumps(_present(settings)))

    def write_leaderboard(self, leaderboard: pl.DataFrame) -> None:
        """Write leaderboard.csv."""
        if self.path:
            self.write("leaderboard.csv", leaderboard.write_csv())

    def write_report(self, html: str, numbers: dict[str, Any]) -> None:
        """Write report.html and report.json."""
        if self.path:
            self.write("report.html", html)
            self.write_json("report.json", numbers)

    def write_json(self, name: str, numbers: dict[str, Any]) -> None:
        """Write a file of plain data."""
        if self.path:
            self.write(name, json.dumps(numbers, indent=1, default=str))

    def write(self, name: str, text: str) -> None:
        """Write a text file, whole or not at all."""
        assert self.path
        temporary = self.path / (name + ".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.path / name)


def toml(file: Path, text: str) -> dict[str, Any]:
    """What TOML text from a file holds (SlalomError where it is none)."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SlalomError(f"{file} must be TOML. {error}.") from None


def _present(settings: Any) -> Any:
    if isinstance(settings, dict):
        return {key: _present(value) for key, value in settings.items() if value is not None}
    if isinstance(settings, (list, tuple)):
        return [_present(value) for value in settings]
    return settings
