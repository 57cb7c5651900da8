"""By epoch: a stub until the branch is merged, nothing more."""

from typing import Any


def ByEpoch(schedule: Any, epochs: int) -> Any:  # noqa: N802
    """Stub."""
    return schedule
