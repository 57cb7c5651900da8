"""The journal of a race: every recipe, score and outcome, in a SQLite file that any tool reads."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from slalom.errors import RaceFailed

SCHEMA = """
CREATE TABLE IF NOT EXISTS recipes (
    number INTEGER PRIMARY KEY,      -- of the recipe in the race
    wave INTEGER NOT NULL,           -- 0 for the first race, 1 for its first continuation, …
    recipe TEXT NOT NULL,            -- JSON
    outcome TEXT NOT NULL,
    cost REAL,                       -- of the best moment on choosing rows, less is better; NULL for none
    best_epoch REAL,
    epochs REAL NOT NULL,            -- run so far
    seconds REAL NOT NULL,
    parameters INTEGER NOT NULL,
    remark TEXT NOT NULL DEFAULT '', -- what its update rule says of the training
    seeds INTEGER NOT NULL DEFAULT 0, -- new seeds that a finalist was run again with
    again REAL                       -- cost of the best moment of their mean; NULL for none
);
CREATE TABLE IF NOT EXISTS scores (
    number INTEGER NOT NULL REFERENCES recipes (number),
    epoch REAL NOT NULL,
    cost REAL,                       -- NULL where it is not a number
    PRIMARY KEY (number, epoch)
);
CREATE TABLE IF NOT EXISTS baselines (name TEXT PRIMARY KEY, cost REAL, test REAL, seconds REAL, outcome TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS waves (wave INTEGER PRIMARY KEY, about TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS studies ( -- what was trained behind the race to say why its winner won
    name TEXT PRIMARY KEY,
    about TEXT NOT NULL,             -- JSON
    predictions BLOB                 -- float32, little-endian, of the shape that `about` says, for the evidence rows
);
"""


# Columns that the first journals did not have.
LATER = {"remark": "TEXT NOT NULL DEFAULT ''", "seeds": "INTEGER NOT NULL DEFAULT 0", "again": "REAL"}


class Journal:
    """An open journal; without a path it lives in memory. read_only: nothing is written, not even a lock beside it."""

    def __init__(self, path: Path | None = None, *, read_only: bool = False) -> None:
        self._read_only = read_only
        if path and read_only:
            self._database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            return
        try:
            self._database = sqlite3.connect(str(path) if path else ":memory:", isolation_level=None)
            self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + SCHEMA)
        except sqlite3.Error as error:
            raise RaceFailed(f"{path} cannot be written as a journal: {error}.") from None
        there = [column[1] for column in self._database.execute("PRAGMA table_info(recipes)")]
        for name, kind in LATER.items():
            if name not in there:  # an older journal
                self._database.execute(f"ALTER TABLE recipes ADD COLUMN {name} {kind}")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        try:
            if not self._read_only:
                with suppress(sqlite3.Error):  # of a full disk: what is in the log stays there
                    self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._database.close()

    def write(self, recipes: Iterable[dict[str, Any]], scores: Iterable[tuple[int, float, float | None]]) -> None:
        """Write recipes (rows named as the table's columns) and scores in one transaction; older rows are replaced."""
        rows = [row | {"recipe": json.dumps(row["recipe"])} for row in recipes]
        with self._transaction():
            self._database.executemany(
                "INSERT OR REPLACE INTO recipes VALUES (:number, :wave, :recipe, :outcome, :cost, :best_epoch, :epochs,"
                " :seconds, :parameters, :remark, :seeds, :again)",
                rows,
            )
            self._database.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?)", list(scores))

    def write_baselines(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write the baselines' scores."""
        with self._transaction():
            self._database.executemany(
                "INSERT OR REPLACE INTO baselines VALUES (:name, :cost, :test, :seconds, :outcome)", list(rows)
            )

    def write_wave(self, wave: int, about: dict[str, Any]) -> None:
        """Write what a wave did as a whole: seconds, racer-steps and the like."""
        with self._transaction():
            self._database.execute("INSERT OR REPLACE INTO waves VALUES (?, ?)", (wave, json.dumps(about)))

    def write_study(self, name: str, about: dict[str, Any], predictions: bytes | None = None) -> None:
        """Write what a study found; an older one of its name is replaced."""
        with self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO studies VALUES (?, ?, ?)", (name, json.dumps(about), predictions)
            )

    def forget_waves(self, first: int) -> None:
        """Forget the recipes and scores of a wave and of those behind it: of one that is begun again."""
        with self._transaction():
            numbers = "(SELECT number FROM recipes WHERE wave >= ?)"
            self._database.execute(f"DELETE FROM scores WHERE number IN {numbers}", (first,))
            self._database.execute("DELETE FROM recipes WHERE wave >= ?", (first,))

    def forget_studies(self, beginning: str) -> None:
        """Forget the studies whose names begin so."""
        with self._transaction():
            self._database.execute("DELETE FROM studies WHERE substr(name, 1, ?) = ?", (len(beginning), beginning))

    def studies(self) -> dict[str, tuple[dict[str, Any], bytes | None]]:
        """All studies by name: what they found, and predictions; none in a journal from before there were any."""
        if not self._read("SELECT name FROM sqlite_master WHERE name = 'studies'"):
            return {}
        rows = self._read("SELECT * FROM studies ORDER BY rowid")
        return {row["name"]: (json.loads(row["about"]), row["predictions"]) for row in rows}

    def scores(self) -> dict[int, dict[float, float | None]]:
        """The costs of all recipes: epoch -> cost, None where it is not a number."""
        found: dict[int, dict[float, float | None]] = {}
        for row in self._read("SELECT * FROM scores ORDER BY number, epoch"):
            found.setdefault(row["number"], {})[row["epoch"]] = row["cost"]
        return found

    def recipes(self) -> list[dict[str, Any]]:
        """All recipes, in the order of their numbers."""
        rows = self._read("SELECT * FROM recipes ORDER BY number")
        return [row | {"recipe": json.loads(row["recipe"])} for row in rows]

    def baselines(self) -> list[dict[str, Any]]:
        """All baselines."""
        return self._read("SELECT * FROM baselines ORDER BY rowid")

    def waves(self) -> list[dict[str, Any]]:
        """What every wave did, in order."""
        return [json.loads(row["about"]) for row in self._read("SELECT about FROM waves ORDER BY wave")]

    def _read(self, query: str) -> list[dict[str, Any]]:
        cursor = self._database.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._database)


class _Transaction:
    """BEGIN … COMMIT, or ROLLBACK where something fails in between."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        try:
            self._database.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise RaceFailed(f"The journal cannot be written: {error}. Make room: `slalom resume` goes on.") from None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            if self._database.in_transaction:  # an error may have ended it
                self._database.execute("COMMIT" if kind is None else "ROLLBACK")
        except sqlite3.OperationalError as failed:
            error = failed
        if isinstance(error, sqlite3.OperationalError):
            raise RaceFailed(f"The journal cannot be written: {error}. Make room: `slalom resume` goes on.") from None
