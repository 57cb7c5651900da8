"""Evidence: what is said about a winner and its parts, as data; it comes from runs and rows that chose nothing."""

from dataclasses import asdict, dataclass, field
from typing import Any

HELPS, HURTS, LEVEL_WITH, UNSTABLE, NOT_COMPARED, NOT_MEASURED = (
    "helps", "hurts", "no difference seen", "unstable without it", "cannot be compared", "not measured",
)  # fmt: skip


LATER = ("dropped recipes", "shuffled columns", "curvature")  # what a race itself never measures


@dataclass(frozen=True)
class Worth:
    """What a part of the winner is worth: the mean score with it less that without it, both re-tuned, on evidence rows;
    in the unit of the metric, above 0 where the part helps, whichever direction the metric has.

    low, high: its 95 % interval. p: corrected for all parts that the winner has. unseen: the smallest worth that would
    have been seen in eight of ten such comparisons. rate, rate_without: the best learning rates of both. kept: the same
    difference on choosing rows with the winner's rate kept, which describes and proves nothing. None: not known.
    """

    part: str
    value: Any
    plain: Any
    verdict: str
    worth: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    unseen: float | None = None
    rate: float | None = None
    rate_without: float | None = None
    kept: float | None = None
    diverged: int = 0  # of the runs without it


@dataclass(frozen=True)
class Standing:
    """The named winner with seeds that chose nothing on rows that chose nothing: mean score, 95 % interval; beside it
    the score that it was chosen by, and that corrected for the choice. None: not known."""

    seeds: int
    rows: int
    score: float | None
    low: float | None
    high: float | None
    diverged: int = 0  # of the seeds; there is no score then
    found: float | None = None
    corrected: tuple[float, float, float] | None = None  # with the ends of its 95 % interval


@dataclass(frozen=True)
class Dropping:
    """Recipes that were dropped, drawn at random, trained to their end: how many of them would have been better than
    the winner's mean over new seeds, and the share of all dropped recipes that may be (95 %, Clopper-Pearson)."""

    rung: int
    dropped: int
    drawn: int
    better: int
    most: float
    best: float | None  # score


@dataclass(frozen=True)
class Evidence:
    """All that was measured behind a race: see the classes of its fields. None and empty: not measured."""

    metric: str
    greater: bool
    standing: Standing | None = None
    worths: tuple[Worth, ...] = ()
    droppings: tuple[Dropping, ...] = ()
    fields: tuple[dict[str, Any], ...] = ()  # what mattered over all recipes
    ended: dict[str, int] = field(default_factory=dict)  # how many recipes began, and how many diverged
    scalings: tuple[dict[str, Any], ...] = ()  # curvature under each
    columns: tuple[dict[str, Any], ...] = ()  # permutation importance
    intervals: dict[str, Any] = field(default_factory=dict)  # of predictions
    left: tuple[str, ...] = LATER  # what else was not measured
    needed: float = 0.0  # seconds that the next thing to be measured takes, where that is known

    @property
    def missing(self) -> list[str]:
        """What was not measured: parts, and what else there is."""
        return [*[worth.part for worth in self.worths if worth.verdict == NOT_MEASURED], *self.left]

    def plain(self) -> dict[str, Any]:
        """As JSON-able data."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Evidence":
        """From plain data, as `plain` makes it."""
        given = dict(plain)
        given["standing"] = Standing(**given["standing"]) if given.get("standing") else None
        given["worths"] = tuple(Worth(**one) for one in given["worths"])
        given["droppings"] = tuple(Dropping(**one) for one in given["droppings"])
        return cls(**given | {name: tuple(given[name]) for name in ("fields", "scalings", "columns", "left")})
