"""Ending: what comes behind the winner, in the time that is set aside: the ensemble of the race, and a refit."""

import shutil
import time
from dataclasses import dataclass, replace
from typing import NamedTuple

from slalom import weighed
from slalom.combined import Combined, better, budget, combine, gain_of, keep, kept
from slalom.ensemble import Ensemble
from slalom.entry import Entry
from slalom.evidence import Evidence
from slalom.finish import CONSTANT
from slalom.folder import RunFolder
from slalom.journal import Journal
from slalom.metrics import Metric
from slalom.model import Model
from slalom.opened import known
from slalom.order import Order
from slalom.prepare import Prepared
from slalom.refitting import EARLIER, NO_TIME, NOTHING, Refit, refitted
from slalom.result import ENSEMBLE, Best, Gain
from slalom.track import Track

AFTER_CTRL_C = 2.0  # seconds that the ensemble may take


class Ended(NamedTuple):
    """The models of a race: which predicts, the winner's network, and the ensemble with its gain."""

    model: Model | Ensemble
    single: Model
    ensemble: Ensemble | None
    gain: Gain | None
    refit: Refit | None
    evidence: Evidence | None


@dataclass
class Ending:
    """What a race does when its winner is known. limit: the time.perf_counter() at which all of it must be done."""

    order: Order
    folder: RunFolder
    prepared: Prepared
    metric: Metric
    track: Track
    ranked: list[Entry]
    limit: float

    def run(self, best: Best, single: Model, notes: list[str], journal: Journal, *, stays: bool) -> Ended:
        """The ensemble, then the refit where that was asked for; both are saved. Ctrl-C gives up what is under way.

        stays: whether the winner is that of the race that is continued.
        """
        combined = self._ensemble(stays=stays)
        again = self._refit(best, single, notes, stays=stays)
        before, single, gain = single, again.model if again else single, None
        if combined:
            gain = gain_of(
                combined, before, self.prepared, self.metric, refitted=bool(again), seed=self.order.seed,
                late=lambda: time.perf_counter() > self.limit,
            )  # fmt: skip
            if self.folder.ensemble:
                keep(combined, self.folder.ensemble, used=gain.used)
        elif self.folder.ensemble:  # of a race that was cut off, and has none now
            shutil.rmtree(self.folder.ensemble, ignore_errors=True)
        ensemble, evidence = combined.ensemble if combined else None, self._evidence(best, journal, stays=stays)
        if evidence and combined and combined.single is not None:
            evidence = replace(evidence, intervals=weighed.covered(before, combined.single, self.prepared))
        return Ended(ensemble if ensemble and gain and gain.used else single, single, ensemble, gain, again, evidence)

    def _evidence(self, best: Best, journal: Journal, *, stays: bool) -> Evidence | None:
        """What is known of the winner so far; of one that stays what was known before. Its runs stay in the journal."""
        journal.forget_studies("dropped " if stays else "")  # of fewer recipes, or of another winner
        before = known(self.folder.path) if stays else None
        if not stays and self.folder.path:
            (self.folder.path / "evidence.json").unlink(missing_ok=True)
        if before:
            left = tuple(dict.fromkeys((*before.left, "dropped recipes")))
            return replace(before, droppings=(), left=left)
        if not best.won or time.perf_counter() > self.limit:
            return None
        try:
            return self._begun(best, journal, stays=stays)
        except KeyboardInterrupt:
            self.track.interrupted = True
            return None

    def _begun(self, best: Best, journal: Journal, *, stays: bool) -> Evidence:
        """What this race itself measured."""
        winner, further = self.ranked[0], None
        if winner.further and not stays:
            further = weighed.replicates(winner, winner.further, self.track.executor, self.limit)
        if further:
            journal.write_study("winner", *weighed.kept(further, best.recipe.learning_rate))
        count = self.track.plan.recipes
        return weighed.begun(best, further, self.prepared, self.metric, journal, count, self.order.space)

    def _ensemble(self, *, stays: bool) -> Combined | None:
        """The ensemble of this race, or of the one that is continued where that is better; None where there is none."""
        limit = min(self.limit, time.perf_counter() + AFTER_CTRL_C) if self.track.interrupted else self.limit
        late = lambda: time.perf_counter() > limit  # noqa: E731
        most = budget(self.order.seconds)
        try:
            made = combine(self.ranked, self.prepared, self.metric, self.track.executor, most, limit, late)
        except KeyboardInterrupt:
            self.track.interrupted, made = True, None
        earlier = None
        if self.folder.extends and self.folder.ensemble:
            earlier = kept(self.folder.ensemble, self.folder.settings().get(ENSEMBLE), self.metric)
        return better(made, earlier, winner_stays=stays)

    def _refit(self, best: Best, single: Model, notes: list[str], *, stays: bool) -> Refit | None:
        """The winner trained once more, saved in the place of the model before; None where that was not done."""
        if not self.order.refit or best.name == CONSTANT:
            return None
        if stays or not self.prepared.refit:
            notes.append(EARLIER if stays else NOTHING)
            return None
        try:
            again = refitted(self.ranked[0], single, self.track, self._halted)
        except KeyboardInterrupt:
            self.track.interrupted, again = True, None
        notes.append(again.note if again else NO_TIME)
        if again and self.folder.model:
            again.model.save(self.folder.model)
        return again

    def _halted(self) -> bool:
        return self.track.interrupted or time.perf_counter() > self.limit
