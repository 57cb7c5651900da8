"""The plan of a race: its rungs, as plain numbers, computed before anything is compiled."""

from collections.abc import Sequence
from dataclasses import dataclass

FINISHERS = 9  # recipes that a full plan takes to the end of their horizon
KEEP = 3  # one in so many stays at a rung
RESERVE = 0.05  # of the seconds, for saving and the last scores
STRUCTURE_SECONDS = 12  # a race opens one structure in so many seconds: each costs a compilation


@dataclass(frozen=True)
class Rung:
    """A point of the race where racers are compared: at most so many recipes race to so many epochs in all."""

    recipes: int
    epochs: int


@dataclass(frozen=True)
class Plan:
    """The rungs of a race; the last one's epochs are the horizon of every schedule.

    waves: how often the rungs may be run through with new recipes while time is left (1 for a race bounded by recipes).
    """

    rungs: tuple[Rung, ...]

    @property
    def recipes(self) -> int:
        """Recipes that start, at most."""
        return self.rungs[0].recipes

    @property
    def epochs(self) -> int:
        """The horizon."""
        return self.rungs[-1].epochs

    def recipe_epochs(self) -> int:
        """Epochs that all recipes together run.

        >>> halving(9, 9).recipe_epochs()
        21
        """
        total, before = 0, 0
        for rung in self.rungs:
            total += rung.recipes * (rung.epochs - before)
            before = rung.epochs
        return total

    def later_epochs(self) -> float:
        """Epochs still to run behind the first rung, for each recipe that started."""
        return self.recipe_epochs() / self.recipes - self.rungs[0].epochs


def flat(recipes: int, epochs: int) -> Plan:
    """Every recipe to its end, none dropped.

    >>> flat(4, 10).rungs
    (Rung(recipes=4, epochs=10),)
    """
    return Plan((Rung(recipes, epochs),))


def halving(recipes: int, epochs: int, finishers: int = 1) -> Plan:
    """Successive halving: one in three stays at each rung, until so few are left that all finish.

    >>> halving(27, 27, finishers=3).rungs
    (Rung(recipes=27, epochs=3), Rung(recipes=9, epochs=9), Rung(recipes=3, epochs=27))
    >>> halving(2, 5).rungs
    (Rung(recipes=2, epochs=5),)
    """
    drops = 0
    while recipes // KEEP ** (drops + 1) >= finishers and epochs // KEEP ** (drops + 1) >= 1:
        drops += 1
    return Plan(tuple(Rung(recipes // KEEP**i, epochs // KEEP ** (drops - i)) for i in range(drops + 1)))


def for_seconds(seconds: float, cores: int, epoch_costs: Sequence[float], start: float = 4.0) -> Plan:
    """The plan that fills so many seconds, by a cost model alone: nothing is measured.

    epoch_costs: core-seconds of one epoch of one recipe, a number for each structure. start: seconds that reading and
    compiling take before racers run. Among the plans with 9 finishers and 4, 3, 2, 1 or 0 drops the widest is taken
    that leaves each recipe a horizon of at least 27 epochs; if none does, the one with the longest horizon. The horizon
    is at most 243 epochs; what is then left widens the field. The model is optimistic on purpose: the measured speed
    may only take away recipes that have not started.

    >>> for_seconds(60, 2, [0.02]).rungs[0]
    Rung(recipes=729, epochs=1)
    """
    cores_seconds = max(seconds * (1 - RESERVE) - start, seconds * 0.3) * cores
    mean = sum(epoch_costs) / len(epoch_costs)
    affordable = max(cores_seconds / mean, 1.0)  # epochs of one recipe, in all
    best: Plan | None = None
    for drops in (4, 3, 2, 1, 0):
        recipes = FINISHERS * KEEP**drops
        per_epoch = halving(recipes, KEEP**6, FINISHERS).recipe_epochs() / KEEP**6
        epochs = min(int(affordable / per_epoch), 243)
        if epochs < 1:
            continue
        made = halving(recipes, epochs, FINISHERS)
        if best is None or made.epochs > best.epochs:
            best = made
        if epochs >= 27:
            break
    if best is None:
        return flat(max(1, min(FINISHERS, int(affordable))), 1)
    spare = int(affordable / max(best.recipe_epochs(), 1))
    return Plan(tuple(Rung(r.recipes * max(1, spare), r.epochs) for r in best.rungs))
