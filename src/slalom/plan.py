"""The plan of a race: its rungs, as plain numbers, computed before anything is compiled."""

from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST = {3: 27, 2: 12, 1: 6}  # drops: the horizon in epochs that a plan with so many has at least
LONGEST = 108  # epochs: where the time allows more, a plan drops once more, and then widens
SURPLUS = 1.5  # recipes planned, as a multiple of those that the cost model says will fit
WIDEST = 2000  # recipes of one race, however small they are
FINISHERS = 9  # recipes that a full plan takes to the end of their horizon
KEEP = 3  # one in so many stays at a rung
RESERVE = 0.05  # of the seconds, for saving and the last scores
STRUCTURE_SECONDS = 20  # a race opens one structure in so many seconds: compiling one costs 3 core-seconds


@dataclass(frozen=True)
class Rung:
    """A point of the race where racers are compared: at most so many recipes race to so many epochs in all."""

    recipes: int
    epochs: int


@dataclass(frozen=True)
class Plan:
    """The rungs of a race; the last one's epochs are the horizon of every schedule."""

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

    def counts(self, started: int) -> tuple[int, ...]:
        """Recipes at each rung when only so many could start: an even descent to the last rung's, 9 at least.

            count at rung j = started (last / started)^(j / drops),  at most the plan's own

        >>> halving(729, 81, 9).counts(729), halving(729, 81, 9).counts(100)
        ((729, 243, 81, 27, 9), (100, 55, 30, 16, 9))
        """
        drops = len(self.rungs) - 1
        last = min(started, FINISHERS, self.rungs[-1].recipes) if drops else started
        even = [round(started * (last / started) ** (j / drops)) if drops else started for j in range(drops + 1)]
        return tuple(min(count, rung.recipes) for count, rung in zip(even, self.rungs, strict=True))


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


def rules_for(seconds: float | None, recipes: int | None) -> int:
    """How many update rules a race may use: one for each 4 seconds up to 9 of them, one for each 5 from there on, since
    each has to be compiled for every structure.

    >>> rules_for(120, None), rules_for(60, None), rules_for(8, None), rules_for(8, 64), rules_for(None, 64)
    (24, 12, 2, 99, 99)
    """
    if seconds is None or recipes is not None:
        return 99
    return max(2, int(min(seconds / 4, max(9, seconds / 5))))


def for_seconds(seconds: float, cores: int, epoch_costs: Sequence[float], start: float = 4.0, most: int = 2000) -> Plan:
    """The plan that fills so many seconds, by a cost model alone: nothing is measured.

    epoch_costs: core-seconds of one epoch of one recipe, a number for each structure. start: seconds that reading and
    compiling take before racers run. most: recipes that memory has room for.

    Every plan takes 9 recipes or more to their end: 243 recipes, 3 drops, and the horizon that fills the time. Where
    that would be below 27 epochs there are fewer recipes and drops, above 108 there are 729 recipes and 4 drops, and
    what 108 epochs leave over widens the field. Half as many recipes again are planned as the model says will fit; the
    measured speed may only take away recipes that have not started, never a horizon.

    >>> [for_seconds(60, 2, [cost]).rungs[0] for cost in (0.002, 0.02, 0.2)]
    [Rung(recipes=2000, epochs=1), Rung(recipes=1620, epochs=1), Rung(recipes=122, epochs=2)]
    """
    core_seconds = max(seconds * (1 - RESERVE) - start, seconds * 0.3) * cores
    affordable = max(core_seconds / (sum(epoch_costs) / len(epoch_costs)), 1.0)  # epochs of one recipe, in all
    fitting = {drops: _longest(drops, affordable) for drops in (4, 3, 2, 1, 0)}
    drops = 4 if fitting[3] > LONGEST else next((d for d, shortest in SHORTEST.items() if fitting[d] >= shortest), 0)
    epochs = min(fitting[drops], LONGEST)
    if epochs < 1:
        return flat(max(1, min(FINISHERS, int(affordable))), 1)
    made = halving(FINISHERS * KEEP**drops, epochs, FINISHERS)
    wider = min(SURPLUS * max(fitting[drops] / epochs, 1.0), min(most, WIDEST) / made.recipes)
    return Plan(tuple(Rung(max(1, round(rung.recipes * wider)), rung.epochs) for rung in made.rungs))


def _longest(drops: int, affordable: float) -> int:
    """The longest horizon of a plan with so many drops that takes at most so many epochs of one recipe."""
    scale = KEEP**6
    return int(affordable * scale / halving(FINISHERS * KEEP**drops, scale, FINISHERS).recipe_epochs())
