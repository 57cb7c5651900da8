"""Resuming: the door that goes on with a race whose process died, or was told to stop."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from slalom.errors import SlalomError
from slalom.folder import RunFolder
from slalom.racing import Race
from slalom.reopened import rows_of
from slalom.repeated import environment, order_of
from slalom.result import Result
from slalom.status import Status


def resume(
    folder: str | Path,
    X: Any = None,
    y: Any = None,
    *,
    validation: tuple[Any, Any] | None = None,
    metric: Callable[[Any, Any], float] | None = None,
    sample_weight: Any = None,
    group: Any = None,
    time: Any = None,
    force: bool = False,
    progress: Callable[[Status], None] | None = None,
    began: float | None = None,
) -> Result:
    """Go on with the race in a folder where its process died, was interrupted or ran out of disk, to its end.

    A race of so many recipes and epochs ends with the same leaderboard and the same weights, bit for bit, as if it had
    never stopped, on the same kind of machine. One that has a limit in seconds has those left that its last checkpoint
    says; what it does in them hangs on the machine's speed, as always.

    folder: as it was given to `race(out=…)`, or a copy of it. X, y, validation, metric, sample_weight, group, time: as
    they were given to `race`, where it was not a file or no name. force: also where Slalom, JAX, NumPy, the device or
    the rows are others than those that the race began with.

    Raises SlalomError where there is no race to go on with, where another process is at it, and where something that
    decides on bits is not what it was; RaceFailed as `race`.
    """
    opened, begun = RunFolder.unfinished(folder)
    now = {"slalom": version("slalom"), "environment": environment()}
    if not force:
        _refuse_others(folder, begun, now)
    try:
        roles = {"sample_weight": sample_weight, "group": group, "time": time}
        order = order_of(begun, metric)
        table = rows_of(opened, begun["data"], X, y, validation, roles, door="resume")
        held = {"wave": int(begun["wave"]), "fingerprint": None if force else str(begun["data"]["fingerprint"])}
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, SlalomError):
            raise
        raise SlalomError(
            f"{folder} must hold what Slalom wrote down when the race began. It does not: {error}."
        ) from None
    started = perf_counter() if began is None else began
    return Race(order, table, opened, started, progress, resumes=held).run()


def _refuse_others(folder: str | Path, begun: dict[str, Any], now: dict[str, Any]) -> None:
    """SlalomError where versions or the device are not those that the race began with."""
    then = {"slalom": begun.get("slalom"), **begun.get("environment", {})}
    here = {"slalom": now["slalom"], **now["environment"]}
    other = [f"{name} {then.get(name)} (now {here[name]})" for name in here if then.get(name) != here[name]]
    if other:
        raise SlalomError(
            f"{folder} must be resumed with what it began with: {', '.join(other)}. Bits would differ: give force=True"
            " (--force) to go on all the same."
        )
