"""Reporting: the door that draws the page of a race anew, with what takes trainings of its own."""

import math
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from slalom.around import landscape
from slalom.errors import SlalomError, wrong
from slalom.exports import scripts
from slalom.folder import RunFolder, public
from slalom.journal import Journal
from slalom.model import Model
from slalom.opened import leaderboard, metric_of, report
from slalom.reopened import Reopened, reopened
from slalom.report import left
from slalom.report.gathered import NO_TIME, predictions, with_studies
from slalom.report.scaled import scaled
from slalom.result import finite

SECONDS = 30.0
NO_NUMBERS = "it was deleted, or an older Slalom raced here. slalom race --continue makes it anew."


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
    steps as fit are drawn; with 0 nothing is trained and no row is read. Where no recipe won, the page is drawn as it
    is. Of a race of a file of numbers the page also gets the text of its training in PyTorch, where all its parts have
    one; of a table with words that text would list them.
    Raises SlalomError where there is no page, or the rows are not there.

    >>> import tempfile, numpy as np; from slalom import race
    >>> rng = np.random.default_rng(0); X = rng.normal(size=(100, 2)); y = X @ [2.0, -1.0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = race(X, y, recipes=1, epochs=1, fixed={"depth": 0, "batch_size": 16}, out=f"{folder}/run")
    ...     page = report_on(f"{folder}/run", X, y, seconds=1).read_text()
    >>> "component 1" in page
    True
    """
    if not (isinstance(seconds, (int, float)) and 0 <= seconds < math.inf):
        raise wrong("seconds", "a number, 0 or more", seconds)
    began, opened = perf_counter(), RunFolder.extend(folder)
    assert opened.path
    with opened.locked():
        told = report(opened.path)
        if not told:
            raise SlalomError(f"{folder} has no report.json to draw from: {NO_NUMBERS}")
        with Journal(opened.journal, read_only=True) as journal:
            told |= with_studies(journal.studies(), metric_of(opened))
        if seconds and told.get("won"):
            roles = {"sample_weight": sample_weight, "group": group, "time": time}
            race = reopened(folder, X, y, validation, metric, (), roles, door="report_on")
            told |= _measured(race, told, began + seconds, seconds) | _torch(race)
        try:
            left(opened, finite(told))
        except SlalomError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SlalomError(
                f"{opened.path / 'report.json'} is damaged: {error!r}. The race beside it is whole."
            ) from None
    return opened.path / "report.html"


def _measured(race: Reopened, told: dict[str, Any], end: float, seconds: float) -> dict[str, Any]:
    """The loss around the winner, and what there was no time for at the end of the race."""
    assert race.folder.path
    left = max(end - perf_counter(), 0.2 * seconds)
    found: dict[str, Any] = {
        "landscape": landscape(race.prepared, race.metric, race.winner, _rates(race), left),
        "scaling": told.get("scaling") or scaled(race.prepared, race.winner.scaling),
    }
    if (told.get("predictions") or {"why": ""}).get("why") in ("", NO_TIME):
        refit = race.settings["order"].get("refit")
        found["predictions"] = predictions(Model.load(race.folder.path), race.prepared, refit)
    return found


def _torch(race: Reopened) -> dict[str, Any]:
    """The winner's training as text of PyTorch, which names the table as the page does; none where the rows were no
    file's, a part has no text, or the text would list words of the table, which are cells."""
    assert race.folder.path
    if race.prepared.columns.text_names:
        return {}
    source = str(race.settings["data"]["source"])
    try:
        with tempfile.TemporaryDirectory(prefix="slalom-") as place:
            file, _ = scripts.export(race.folder.path, "torch", Path(place, "made"))
            return {"torch": file.read_text(encoding="utf-8").replace(repr(source), repr(public(source)))}
    except (SlalomError, OSError):
        return {}


def _rates(race: Reopened) -> dict[str, float]:
    """The learning rate of the best recipe of each rule in the race."""
    rows = leaderboard(race.folder.path).to_dicts()  # type: ignore[arg-type]
    found: dict[str, float] = {}
    for row in rows:
        if row["kind"] == "recipe" and row["score"] is not None:
            found.setdefault(row["rule"], row["learning_rate"])
    return found
