"""The rows that a caller gives, in whatever form, as one table with its target."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from slalom.data import find_target, frame_of, read
from slalom.errors import SlalomError, wrong


@dataclass
class Table:
    """The rows of a race: the columns, the target, and how many of the last rows are the caller's validation rows."""

    frame: pl.DataFrame  # without rows once they are taken
    labels: Any
    validation: int = 0
    notes: tuple[str, ...] = ()
    source: str = ""  # the path it was read from
    target: str = ""  # the name of the target's column, where it was one of the table

    def taken(self) -> pl.DataFrame:
        """The frame, which the table does not hold any longer: who takes it may give its memory back."""
        frame, self.frame = self.frame, self.frame.clear()
        return frame


def table_of(X: Any, y: Any, target: str | None, validation: tuple[Any, Any] | None = None) -> Table:
    """The rows that a caller gave, in whatever form."""
    source = str(X) if isinstance(X, (str, Path)) else ""
    given = read(X) if source else frame_of(X)
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
    if validation is None:
        return Table(frame, _listed(y), 0, tuple(notes), source, target or "")
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise wrong("validation", "a pair (X, y)", type(validation).__name__)
    held, held_y = validation
    held = (read(held) if isinstance(held, (str, Path)) else frame_of(held)).frame
    if len(held) != len(_listed(held_y)):
        raise wrong("validation", "X and y of the same length", (len(held), len(_listed(held_y))))
    missing = [name for name in frame.columns if name not in held.columns]
    if missing:
        raise SlalomError(f"validation must have the columns of X. It lacks {', '.join(map(repr, missing[:5]))}.")
    both = pl.concat([frame, held.select(frame.columns)], how="vertical_relaxed")
    labels = np.concatenate([_listed(y), _listed(held_y)])
    return Table(both, labels, len(held), tuple(notes), source, target or "")


def _listed(y: Any) -> Any:
    return y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
