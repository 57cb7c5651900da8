"""Resumed: how far a race had come when its process ended, as plain data, and a track that goes on from there."""

from collections.abc import Callable, Sequence
from typing import Any

from slalom.checkpoints import Checkpoints, Kept, key_of, put
from slalom.entry import Entry
from slalom.errors import SlalomError
from slalom.folder import RunFolder
from slalom.heat import Heat
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.step import Kind, Structure, kind_of
from slalom.track import Track


def opened(folder: RunFolder, every: float, notes: list[str], *, resumes: bool) -> tuple[Checkpoints, Kept]:
    """(who keeps the racers of a race in this folder, what is kept of them where it is resumed)."""
    keeper = Checkpoints(folder.checkpoints, every)
    kept = keeper.load() if resumes else Kept({}, {}, ())
    if kept.damaged:
        notes.append(f"checkpoints that are damaged were left out: {', '.join(kept.damaged)}.")
    return keeper, kept


def plain(track: Track, drawn: int, began: float, now: Callable[[], float]) -> dict[str, Any]:
    """How far a race is. drawn: recipes that its order gives; all others are written down. began: the time at which it
    started, by the clock `now`."""
    later = [entry for entry in dict.fromkeys((*track.started, *track.entries)) if entry.number >= drawn]
    return {
        "seconds": now() - began,
        "start": track.start,
        "rung": track.rung,
        "size": track.size,
        "steps": [track.racer_steps, track.place_steps],
        "pace": [track.pace.modelled, track.pace.measured, track.before],
        "begun": [entry.number for entry in track.started],
        "outcomes": [[entry.number, entry.outcome] for entry in track.started if entry.outcome],
        "starts": [[[entry.number for entry in begun], passed] for begun, passed in track.starts],
        "entries": [entry.number for entry in track.entries],
        "later": [[entry.number, entry.recipe.to_plain()] for entry in later],
    }


def put_back(track: Track, kept: Kept, structure: Callable[[Recipe], Structure], folds: int) -> None:
    """Put a track, which stands at its start, where the checkpoints left it.

    structure: of a recipe on this data. Raises SlalomError where they are of another race.
    """
    about = kept.track
    if not about:
        return
    heats = {(heat.structure, rule): heat for heat in track.heats for rule in heat.rules}
    try:
        entries = {entry.number: entry for entry in track.entries} | _later(about["later"], heats, structure, folds)
        for entry in entries.values():
            for racer in entry.racers:
                if (found := kept.racers.get(key_of(racer))) is not None:
                    put(racer, found, entry.heat)
        for number, outcome in about["outcomes"]:
            entries[number].outcome = str(outcome)
        track.started = [entries[number] for number in about["begun"]]
        track.begun = set(track.started)
        track.starts = [([entries[n] for n in begun], [int(p) for p in passed]) for begun, passed in about["starts"]]
        track.entries = [entries[number] for number in about["entries"]]
        track.start, track.rung, track.size = max(int(about["start"]) - 1, 0), int(about["rung"]), int(about["size"])
        track.racer_steps, track.place_steps = map(int, about["steps"])
        track.pace.modelled, track.pace.measured, track.before = map(float, about["pace"])
        if track.rung == 0:  # what was settled between the last rung and its record is settled again
            del track.starts[track.start :]
        elif len(track.starts) > track.start:
            del track.starts[track.start][1][track.rung :]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise SlalomError(f"The checkpoints must be those of this race. They are not: {error}.") from None


def _later(
    found: Sequence[Any], heats: dict[tuple[Structure, Kind], Heat], structure: Callable[[Recipe], Structure],
    folds: int,
) -> dict[int, Entry]:  # fmt: skip
    """The entries of further starts, whose recipes no order gives."""
    made = {}
    for number, told in found:
        recipe = Recipe.from_plain(told)
        heat = heats[structure(recipe), kind_of(recipe.rule)]
        made[int(number)] = Entry(
            int(number), recipe, heat, [Racer(int(number), recipe, fold) for fold in range(folds)]
        )
    return made
