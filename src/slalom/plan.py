"""The plan of a race: its rungs, as plain numbers, computed before anything is compiled."""

from collections.abc import Sequence
from dataclasses import dataclass

STEPS = 2500  # of the horizon that is usual
MOST_EPOCHS = 200  # of any horizon
TRAININGS = (6, 200)  # to the end, that a start costs: with fewer the horizon is cut, with more it grows
GROWTH = 3  # times the usual horizon, at most
SURPLUS = 1.5  # recipes planned, as a multiple of those that the cost model says will fit
WIDEST = 600  # recipes of one start, however small they are: drawing one takes a millisecond
FINISHERS = 3  # recipes that a start takes to the end of their horizon, at least
SHARE = 0.45  # of the racers' time that the plan is made for: another start and the finalists come behind it
KEEP = 3  # one in so many stays at a rung
TOP = 9  # recipes to each that a `top_k` plan keeps after one epoch
PLANS = ("halving", "top_k")
RESERVE = 0.05  # of the seconds, at most
MOST_RESERVED = 1.2, 0.005  # seconds, and of the seconds: a longer race has more recipes to save
STRUCTURE_SECONDS = 15  # a race opens √(seconds / 15) structures: compiling one costs two core-seconds
RULE_SECONDS = 6  # and takes √(seconds / 6) update rules, each of which costs most of a core-second in every structure


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
        33
        """
        total, before = 0, 0
        for rung in self.rungs:
            total += rung.recipes * (rung.epochs - before)
            before = rung.epochs
        return total

    def counts(self, started: int) -> tuple[int, ...]:
        """Recipes at each rung when only so many could start: an even descent to the plan's share of finishers, 3 at
        least.

            count at rung j = started (last / started)^(j / drops),  at most the plan's own

        >>> halving(160, 64).counts(160), halving(160, 64).counts(40)
        ((160, 52, 17), (40, 13, 4))
        """
        drops = len(self.rungs) - 1
        share = self.rungs[-1].recipes / self.rungs[0].recipes
        last = min(started, self.rungs[-1].recipes, max(FINISHERS, started * share)) if drops else started
        even = [round(started * (last / started) ** (j / drops)) if drops else started for j in range(drops + 1)]
        return tuple(min(count, rung.recipes) for count, rung in zip(even, self.rungs, strict=True))


def flat(recipes: int, epochs: int) -> Plan:
    """Every recipe to its end, none dropped.

    >>> flat(4, 10).rungs
    (Rung(recipes=4, epochs=10),)
    """
    return Plan((Rung(recipes, epochs),))


def halving(recipes: int, epochs: int, drops: int = 2) -> Plan:
    """Successive halving: one in three stays at each rung, at a twenty-seventh and a ninth of the horizon.

    Fewer drops where the horizon has not the epochs for them, or where less than one recipe would be left.

    >>> halving(48, 32).rungs
    (Rung(recipes=48, epochs=1), Rung(recipes=16, epochs=4), Rung(recipes=5, epochs=32))
    >>> halving(40, 5).rungs, halving(2, 5).rungs
    ((Rung(recipes=40, epochs=1), Rung(recipes=13, epochs=5)), (Rung(recipes=2, epochs=5),))
    """
    at = [*(max(1, round(epochs / KEEP ** (drops + 1 - i))) for i in range(drops)), epochs]
    if drops and (recipes < KEEP**drops or len(set(at)) < len(at)):
        return halving(recipes, epochs, drops - 1)
    return Plan(tuple(Rung(recipes // KEEP**i, epochs) for i, epochs in enumerate(at)))


def top_k(recipes: int, epochs: int) -> Plan:
    """All recipes for one epoch, then the best ninth to the end: the baseline of Egele et al. 2023
    (https://arxiv.org/abs/2307.15422), which a plan with more rungs has to beat.

    >>> top_k(90, 40).rungs
    (Rung(recipes=90, epochs=1), Rung(recipes=10, epochs=40))
    """
    return Plan((Rung(recipes, 1), Rung(max(1, recipes // TOP), epochs)))


def reserved(seconds: float) -> float:
    """Seconds that are kept free at the end of a race of so many, for saving and the last scores.

    >>> reserved(10), reserved(60), reserved(300)
    (0.5, 1.5, 2.7)
    """
    fixed, share = MOST_RESERVED
    return min(RESERVE * seconds, fixed + share * seconds)


def rules_for(seconds: float | None, recipes: int | None) -> int:
    """How many update rules a race may use: √(seconds / 6), two at least, since each is compiled for every structure.

    >>> [rules_for(seconds, None) for seconds in (8, 60, 300, 3600)], rules_for(8, 64), rules_for(None, 64)
    ([2, 3, 7, 24], 99, 99)
    """
    if seconds is None or recipes is not None:
        return 99
    return max(2, int((seconds / RULE_SECONDS) ** 0.5))


def structures_for(seconds: float) -> int:
    """How many structures recipes are drawn in: √(seconds / 15), one at least. Programs then take an eighth of the time
    of a minute, and less of a longer race.

    >>> [structures_for(seconds) for seconds in (8, 60, 300, 3600)]
    [1, 2, 4, 15]
    """
    return max(1, int((seconds / STRUCTURE_SECONDS) ** 0.5))


def for_seconds(
    seconds: float,
    cores: int,
    epoch_costs: Sequence[float],
    start: float = 4.0,
    most: int = 2000,
    steps: int = 100,
    kind: str = "halving",
) -> Plan:
    """The plan of one start of a race of so many seconds, by a cost model alone: nothing is measured.

    epoch_costs: core-seconds of one epoch of one recipe, a number for each structure. start: seconds that reading and
    compiling take before racers run. most: recipes that memory has room for. steps: of an epoch. kind: one of PLANS.

    The plan fills SHARE of the racers' time, with recipes of which one in nine comes to its end: of the horizon that
    2,500 steps make. Where that would be fewer than 6 trainings' worth the horizon is shorter; where it would be more
    than 200, which is twice what the recipes of the widest start cost, the horizon grows, threefold and to 200 epochs
    at most. Half as many recipes again are planned as the model says will fit; the measured speed changes no horizon,
    only how many recipes start and how many pass a rung.

    >>> for_seconds(60, 2, [0.2], steps=50).rungs
    (Rung(recipes=61, epochs=1), Rung(recipes=20, epochs=4), Rung(recipes=6, epochs=40))
    """
    core_seconds = SHARE * max(seconds - reserved(seconds) - start, seconds * 0.3) * cores
    affordable = max(core_seconds / (sum(epoch_costs) / len(epoch_costs)), 1.0)  # epochs of one recipe, in all
    usual = min(max(1, round(STEPS / steps)), MOST_EPOCHS)
    least, most_trainings = TRAININGS
    longest = min(GROWTH * usual, MOST_EPOCHS)
    epochs = max(1, int(min(max(usual, affordable / most_trainings), longest, affordable / least)))
    field = lambda plan: min(most, WIDEST, max(1, round(plan.recipes * SURPLUS * affordable / plan.recipe_epochs())))  # noqa: E731
    if kind == "top_k" and epochs > 1:
        return top_k(field(top_k(TOP * 100, epochs)), epochs)
    return halving(field(halving(KEEP**4, epochs)), epochs)
