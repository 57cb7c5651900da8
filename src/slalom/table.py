"""The rows that a caller gives, in whatever form, as one table with its target and what is known of each row."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from slalom.data import find_target, frame_of, read
from slalom.data.base import as_floats, counted
from slalom.errors import SlalomError, unknown, wrong
from slalom.types import Array

ROLES = ("sample_weight", "group", "time")
READING = ("separator", "decimal", "encoding")


@dataclass(frozen=True)
class About:
    """What a caller says of the rows besides them. roles: of ROLES, each the name of a column or an array [N]. kinds:
    of columns, where he decides what they are (`Columns.fit`). reading: of READING, how a text file is to be read."""

    roles: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    reading: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, given in (("columns", self.kinds), ("reading", self.reading)):
            if not isinstance(given, Mapping):
                raise wrong(what, "a dict", type(given).__name__)
        for name in self.reading:
            if name not in READING:
                raise unknown("reading", str(name), READING)

    @classmethod
    def of(cls, data: Mapping[str, Any], roles: Mapping[str, Any] | None = None) -> "About":
        """What race.toml says under `data`, with roles that are given again."""
        given = {name: value for name, value in (roles or {}).items() if value is not None}
        return cls(dict(data.get("roles", {})) | given, data.get("columns", {}), data.get("reading", {}))


@dataclass
class Table:
    """The rows of a race: the columns, the target, and how many of the last rows are the caller's validation rows.

    roles: what a row weighs in training, the group it belongs to, when it was; [N] each, where they were given. named:
    the columns that these came from, where they came from columns.
    """

    frame: pl.DataFrame  # without rows once they are taken
    labels: Any
    validation: int = 0
    notes: tuple[str, ...] = ()
    source: str = ""  # the path it was read from
    target: str = ""  # the name of the target's column, where it was one of the table
    roles: dict[str, Array] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    about: About = field(default_factory=About)

    def taken(self) -> pl.DataFrame:
        """The frame, which the table does not hold any longer: who takes it may give its memory back."""
        frame, self.frame = self.frame, self.frame.clear()
        return frame


def table_of(
    X: Any,
    y: Any,
    target: str | None,
    validation: tuple[Any, Any] | None = None,
    about: About | None = None,
) -> Table:
    """The rows that a caller gave, in whatever form."""
    source, about = str(X) if isinstance(X, (str, Path)) else "", about or About()
    given = _read(X, about)
    frame, notes = given.frame, list(given.notes)
    if target is not None:
        if y is not None:
            raise SlalomError("y and target must not be given together: y is the target.")
        y, frame = find_target(frame, target), frame.drop(target)
    elif y is None:
        raise SlalomError("y or target must be given: the values to predict, or the name of their column.")
    elif isinstance(y, str):
        raise wrong("y", "the values to predict; target= takes the name of their column", y)
    if len(frame) != len(_listed(y)):
        raise wrong("y", f"as long as X, {len(frame)} rows", len(_listed(y)))
    table = Table(frame, _listed(y), 0, tuple(notes), source, target or "", about=about)
    asked = {name: value for name, value in about.roles.items() if value is not None}
    if validation is None:
        return _with_roles(table, asked)
    if dealt := [name for name in asked if name != ROLES[0]]:
        raise SlalomError(f"{dealt[0]} must not be given beside validation: no rows are divided then.")
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise wrong("validation", "a pair (X, y)", type(validation).__name__)
    held, held_y = validation
    held = _read(held, about).frame
    if len(held) != len(_listed(held_y)):
        raise wrong("validation", "X and y of the same length", (len(held), len(_listed(held_y))))
    table = _with_roles(table, asked)
    return _with_validation(table, held, held_y)


def _read(X: Any, about: About) -> Any:
    """Rows as a frame, with notes; a file is read as it is said to be."""
    as_text = [str(name) for name, kind in about.kinds.items() if kind in ("category", "text")]
    as_text += [about.roles["group"]] if isinstance(about.roles.get("group"), str) else []
    if isinstance(X, (str, Path)):
        return read(X, as_text=as_text, **about.reading)
    return frame_of(X, as_text=as_text)


def _with_validation(table: Table, held: pl.DataFrame, labels: Any) -> Table:
    """The table with the caller's validation rows behind its own."""
    frame = table.frame
    missing = [name for name in frame.columns if name not in held.columns]
    if missing:
        raise SlalomError(f"validation must have the columns of X. It lacks {', '.join(map(repr, missing[:5]))}.")
    both = pl.concat([frame, held.select(frame.columns)], how="vertical_relaxed")
    roles = {name: np.concatenate([values, np.ones(len(held))]) for name, values in table.roles.items()}
    everything = np.concatenate([table.labels, _listed(labels)])
    return replace(table, frame=both, labels=everything, validation=len(held), roles=roles)


def _with_roles(table: Table, asked: dict[str, Any]) -> Table:
    """The table with its roles. Columns of weights and groups are no inputs; one of time stays one. Rows of weight 0
    are left out."""
    found, named = {}, {}
    for role, value in asked.items():
        column, frame = _role(table, role, value)
        if isinstance(value, str):
            named[role] = value
        found[role] = _weights(role, column) if role == ROLES[0] else _sortable(role, column)
        table = replace(table, frame=frame)
    weights = found.get(ROLES[0])
    if weights is not None and (weights == weights.max()).all():  # as if there were none
        del found[ROLES[0]]
    table = replace(table, roles=found, named=named)
    if weights is None or weights.all():
        return table
    there = weights > 0
    left = counted(int((~there).sum()), "row") + " of weight 0: left out."
    return replace(
        table,
        frame=table.frame.filter(pl.Series(there)),
        labels=table.labels[there],
        notes=(*table.notes, left),
        roles={name: v[there] for name, v in found.items() if name != ROLES[0] or np.ptp(v[there])},
    )


def _role(table: Table, role: str, value: Any) -> tuple[pl.Series, pl.DataFrame]:
    """(the cells of a role, the frame without them where they are no input)."""
    frame = table.frame
    if not isinstance(value, str):
        cells = frame_of(_listed(value), as_text=["0"] if role == "group" else ()).frame
        if cells.width != 1 or len(cells) != len(frame):
            raise wrong(role, f"one value for each of the {len(frame)} rows", cells.shape)
        return cells.to_series().alias(role), frame
    if value not in frame.columns:
        raise unknown(role, value, frame.columns)
    return frame[value], frame if role == "time" else frame.drop(value)


def _weights(role: str, column: pl.Series) -> Array:
    """[N] weights of rows, 0 or more."""
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise wrong(role, "of numbers", column.drop_nulls().head(1).to_list())
    weights = as_floats(column).astype(np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any():
        bad = weights[~np.isfinite(weights) | (weights < 0)]
        raise wrong("sample_weight", "finite and 0 or more", float(bad[0]))
    if not weights.any():
        raise SlalomError("sample_weight must be above 0 for some rows. Got weights that are all zero.")
    return weights


def _sortable(role: str, column: pl.Series) -> Array:
    """[N] cells as numbers in their order."""
    column = column.fill_nan(None) if column.dtype.is_float() else column
    if role == "time" and column.dtype in (pl.String, pl.Categorical, pl.Enum):
        raise wrong(role, "of numbers or of dates with the year first", column.drop_nulls().head(1).to_list())
    if gaps := column.null_count():
        raise SlalomError(f"{role} must have a value in every row. Missing: {counted(gaps, 'cell')}.")
    return column.rank("dense").to_numpy()


def _listed(y: Any) -> Any:
    return y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
