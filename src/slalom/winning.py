"""Winning: which recipe a race names, its model saved, its search score corrected, who ties, and the baselines."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

from slalom.compared import Rivals
from slalom.corrected import Corrected
from slalom.entry import Entry
from slalom.finish import CONSTANT, best_of, crowned
from slalom.folder import RunFolder
from slalom.heat import Heat
from slalom.metrics import Metric
from slalom.model import Model
from slalom.prepare import Prepared
from slalom.promised import promised, seconds_of, tied
from slalom.repeated import best_again
from slalom.result import Best
from slalom.track import Track


class Named(NamedTuple):
    """The winner of a race and its network. stays: it is that of the race that is continued."""

    best: Best
    model: Model
    stays: bool


def named(
    folder: RunFolder, prepared: Prepared, metric: Metric, track: Track, ranked: list[Entry], notes: list[str],
    seconds: float | None, limit: Callable[[], float],
) -> Named:  # fmt: skip
    """The winner, saved: of this race, or of the one that is continued where that is better."""
    try:
        winner = crowned(ranked, prepared, metric, track, limit())
    except KeyboardInterrupt:  # while the winner is trained once more
        track.interrupted = True
        winner = crowned(ranked, prepared, metric, track, 0.0)
    if winner.note:
        notes.append(winner.note)
    kept = folder.settings()["best"] if folder.extends else None
    if kept and kept["name"] != CONSTANT and kept["cost"] <= winner.cost:
        assert folder.path
        model = Model.load(folder.path)
        return Named(best_again(kept, model.recipe), model, True)
    if folder.model:
        winner.model.save(folder.model)
    found, ties = _promised(track, ranked, seconds, limit())
    return Named(best_of(winner, prepared, metric, found, ties), winner.model, False)


def _promised(
    track: Track, ranked: list[Entry], seconds: float | None, limit: float
) -> tuple[Corrected | None, tuple[str, ...]]:
    """(the search score corrected, the finalists that tie with the winner), as far as there is time."""
    if track.interrupted or perf_counter() > limit:
        return None, ()
    try:
        ties = tuple(f"recipe {entry.number}" for entry in tied(ranked))
        return promised(track, seconds_of(seconds)), ties
    except KeyboardInterrupt:
        track.interrupted = True
        return None, ()


def beside(rivals: Rivals, metric: Metric, track: Track, limit: float) -> list[dict[str, Any]]:
    """The rows of the baselines; Ctrl-C while they are waited for takes those that are done."""
    try:
        return list(rivals.rows(metric, 0.0 if track.interrupted else limit))
    except KeyboardInterrupt:
        track.interrupted = True
        return list(rivals.rows(metric, 0.0))


def not_compiled(failed: tuple[Heat, BaseException]) -> str:
    """The note on a shape whose program could not be made."""
    heat, error = failed
    net = heat.structure.net
    return f"the shape {net.depth} x {net.width} could not be compiled, and its recipes were left out: {_why(error)}."


def _why(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def troubles(track: Track, folder: RunFolder) -> list[str]:
    """What went wrong on the way and did not end the race, a sentence each: shapes without a program, programs that
    some cores could not load, checkpoints that could not be written, a folder that was deleted."""
    said = [*map(not_compiled, track.failed)]
    if unable := [error for heat in track.heats if heat.programs for error in heat.programs.troubles.values()]:
        said.append(f"a program could not be loaded for every core, which made the race slower: {_why(unable[0])}.")
    if track.keeper.trouble:
        said.append(track.keeper.trouble)
    if folder.journal is not None and not folder.journal.exists():
        said.append(
            "the folder was deleted while the race ran: its journal is lost, so that nothing can be added to it."
        )
    return said
