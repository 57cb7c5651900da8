"""Reporting: the door that draws the page of a race anew, with what takes trainings of its own."""

import math
from pathlib import Path
from time import perf_counter
from typing import Any

from slalom.around import landscape
from slalom.errors import SlalomError, wrong
from slalom.model import Model
from slalom.opened import leaderboard, report
from slalom.reopened import Reopened, reopened
from slalom.report import left
from slalom.report.gathered import predictions
from slalom.report.scaled import scaled
from slalom.result import finite

SECONDS = 30.0


def report_on(
    folder: str | Path,
    X: Any = None,
    y: Any = None,
    *,
    validation: tuple[Any, Any] | None = None,
    metric: Any = None,
    sample_weight: Any = None,
    group: Any = None,
    time: Any = None,
    seconds: float = SECONDS,
) -> Path:
    """Draw the page of the race in a folder anew, with the loss around its winner; the path of report.html.

    The paths of the winner's rule and of others from the same first weights are trained and drawn over the loss, along
    the principal components of the paths and along two random directions (`slalom.around`). What `explain` measured
    since is on the page as well. report.json holds every number of it.

    folder: of a race that has ended. X, y, validation, metric, sample_weight, group, time: as they were given to
    `race`, where it was not a file or no name; the rows must be the same. seconds: about how long it may take: as many
    steps as fit are drawn.
    Raises SlalomError where there is no winner, no page, or the rows are not there.

    >>> import tempfile, numpy as np; from slalom import race
    >>> rng = np.random.default_rng(0); X = rng.normal(size=(100, 2)); y = X @ [2.0, -1.0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = race(X, y, recipes=1, epochs=1, fixed={"depth": 0, "batch_size": 16}, out=f"{folder}/run")
    ...     page = report_on(f"{folder}/run", X, y, seconds=1).read_text()
    >>> "component 1" in page
    True
    """
    if not (isinstance(seconds, (int, float)) and 0 < seconds < math.inf):
        raise wrong("seconds", "a positive number", seconds)
    began = perf_counter()
    race = reopened(
        folder, X, y, validation, metric, (), {"sample_weight": sample_weight, "group": group, "time": time}
    )
    path = race.folder.path
    assert path
    with race.folder.locked():
        told = report(path)
        if not told:
            raise SlalomError(f"{folder} has no report.json to draw from: it was raced by an older Slalom.")
        rates = _rates(race)
        time_left = max(seconds - (perf_counter() - began), 0.2 * seconds)
        told["landscape"] = landscape(race.prepared, race.metric, race.winner, rates, time_left)
        told["scaling"] = told.get("scaling") or scaled(race.prepared, race.winner.scaling)
        if not told.get("predictions"):
            told["predictions"] = predictions(Model.load(path), race.prepared)
        left(race.folder, finite(told))
    return path / "report.html"


def _rates(race: Reopened) -> dict[str, float]:
    """The learning rate of the best recipe of each rule in the race."""
    rows = leaderboard(race.folder.path).to_dicts()  # type: ignore[arg-type]
    found: dict[str, float] = {}
    for row in rows:
        if row["kind"] == "recipe" and row["score"] is not None:
            found.setdefault(row["rule"], row["learning_rate"])
    return found
