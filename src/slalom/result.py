"""What a race hands back: the leaderboard, the winner and its model; and the same from a folder on disk."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from slalom.board import chosen, columns_of, number
from slalom.ensemble import Ensemble
from slalom.evidence import Evidence
from slalom.metrics import Metric
from slalom.model import Model
from slalom.notebook import table, text
from slalom.recipe import Recipe

EMPTY = {  # the columns of a leaderboard without a row
    **dict.fromkeys(("rank", "seeds"), pl.Int64), **dict.fromkeys(("name", "kind", "outcome"), pl.String),
    **dict.fromkeys(("score", "new_seeds_score", "best_epoch", "epochs_run", "seconds"), pl.Float64),
}  # fmt: skip
SHOWN = 8  # rows, and fields, that a notebook shows
ENSEMBLE = "ensemble"  # its name among the test scores


@dataclass(frozen=True)
class Best:
    """The winner: its recipe, its score on choosing rows (optimistic: it was chosen by it) and on test rows.

    name: `recipe 17`, or the baseline's where no recipe was scored. score: of its racers in the search. epoch: to which
    the model was trained: that of its best moment, where folds are cross-fitted the one that was best on average.
    test: None where the caller gave the validation rows. seeds: new seeds that it was run again with as a finalist, the
    best of which the model may be; again: their mean score at its best moment, by which finalists are ranked.
    corrected: the best score of the search without the optimism of having been chosen by it, with the ends of its 95 %
    interval (`slalom.corrected`); None where that is not known. tied: the other finalists from which their new seeds
    do not tell it apart. test_ends: of the 95 % interval of the test score, were other rows drawn. All scores are those
    of the model before a refit.
    """

    name: str
    recipe: Recipe
    score: float
    epoch: float
    test: float | None
    seeds: int = 0
    again: float | None = None
    corrected: tuple[float, float, float] | None = None
    tied: tuple[str, ...] = ()
    test_ends: tuple[float, float] | None = None

    @property
    def won(self) -> bool:
        """Whether a recipe won; without a recipe that has a score, the model predicts the mean or the majority."""
        return self.name.startswith("recipe ")


@dataclass(frozen=True)
class Gain:
    """What the ensemble of a race is, and what it gains over the single winner on evidence rows, which chose neither.

    recipes: the weight of each in the mean, by name. nets: how many models that are. score: on choosing rows
    (optimistic: it was put together by it). rows: evidence rows. single, ensemble: the scores of the winner and of the
    ensemble on them; where folds are cross-fitted each row is predicted by the nets that did not train on it. gain,
    low, high: by how much the ensemble is better (the difference of the scores, above 0 where it is) and the 95 %
    interval, None below 30 rows. test: its score on test rows. used: whether it is the race's model: low is above 0.
    """

    recipes: dict[str, float]
    nets: int
    score: float
    rows: int
    single: float | None
    ensemble: float | None
    gain: float | None
    low: float | None
    high: float | None
    test: float | None
    used: bool

    def plain(self) -> dict[str, Any]:
        """As a dictionary of text and numbers."""
        return asdict(self)


@dataclass(frozen=True, repr=False)
class Result:
    """The end of a race.

    leaderboard: a polars data frame, the best first: rank, name, kind (recipe or baseline), outcome, score, mean score
    of a finalist's new seeds, best epoch, epochs run, seconds, parameters, and every field of the recipe. best: the
    winner. model: predicts; it is `ensemble` where that was shown to be better than `single`, the winner's network
    (`gain` says how), and `single` otherwise. evidence: what is known of the winner from runs and rows that chose
    nothing; `slalom.explain` adds to it. about: seconds, compile_seconds, recipes, racer_steps, the metric, versions.
    notes: what was decided on the way. out: the run folder, or None.
    """

    leaderboard: pl.DataFrame
    best: Best
    model: Model | Ensemble
    metric: Metric
    about: dict[str, Any]
    tests: dict[str, float | None]  # test scores of the winner, the ensemble and the baselines
    notes: tuple[str, ...]
    out: Path | None
    single: Model | None = None
    ensemble: Ensemble | None = None  # None where no recipe was scored, or time ran out
    gain: Gain | None = None
    evidence: Evidence | None = None  # None where no recipe was scored, or time ran out

    def __repr__(self) -> str:
        kept = f", in {self.out}" if self.out else ""
        return f"Result({self.best.name}: {self.metric.name} {self.best.score:.6g}, {len(self.leaderboard)} rows{kept})"

    def _repr_html_(self) -> str:  # what a notebook shows
        best, metric = self.best, self.metric
        direction = "more" if metric.greater else "less"
        test = "" if best.test is None else f", {number(best.test)} on the test rows"
        who = f"{best.name.capitalize()} won" if best.won else "No recipe could be scored"
        first = f"{who}: {metric.name} {number(best.score)} on the choosing rows{test}"
        said = f"<p><b>{text(first)}</b> ({direction} is better).</p>"
        always, fields = columns_of(self.leaderboard)
        shown = [*always, *fields[:SHOWN]]
        rows = [[column.cell(row) for column in shown] for row in chosen(self.leaderboard, SHOWN) if row]
        heads = [column.heading.replace("-\n", "").replace("\n", " ") for column in shown]
        board = table(heads, rows, right=[i for i, column in enumerate(shown) if column.right])
        kept = f"<p>The report: <code>{text(self.out / 'report.html')}</code></p>" if self.out else ""
        return said + board + kept

    def summary(self) -> dict[str, Any]:
        """One JSON-able object: what `slalom race --json` prints and `report.json` holds."""
        return finite(
            {
                "score": self.best.score,
                "metric": self.metric.name,
                "greater_is_better": self.metric.greater,
                "test": self.best.test,
                "test_interval": self.best.test_ends,
                "tests": self.tests,
                "winner": self.best.name,
                "epoch": self.best.epoch,
                "new_seeds": self.best.seeds,
                "new_seeds_score": self.best.again,
                "corrected_score": self.best.corrected,
                "tied_with": self.best.tied,
                "recipe": self.best.recipe.to_plain(),
                ENSEMBLE: self.gain.plain() if self.gain else None,
                "evidence": self.evidence.plain() if self.evidence else None,
                **self.about,
                "out": str(self.out) if self.out else None,
                "notes": list(self.notes),
            }
        )


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a race early; everything so far is saved and `result` holds it."""

    def __init__(self, result: Result) -> None:
        super().__init__("the race was interrupted")
        self.result = result


def finite(value: Any) -> Any:
    """The same plain data with None for NaN and infinity, which JSON does not have.

    >>> finite({"a": [1.0, float("nan")]})
    {'a': [1.0, None]}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    return value


def leaderboard(recipes: list[dict[str, Any]], baselines: list[dict[str, Any]], metric: Metric) -> pl.DataFrame:
    """The leaderboard out of the journal's rows: less cost first, what diverged or was never scored last."""
    rows = []
    for row in recipes:
        rows.append(
            {
                "name": f"recipe {row['number']}",
                "kind": "recipe",
                "outcome": row["outcome"],
                "cost": row["cost"],
                "best_epoch": row["best_epoch"],
                "epochs_run": row["epochs"],
                "seconds": row["seconds"],
                "parameters": row["parameters"],
                "wave": row["wave"],
                "remark": row.get("remark", ""),
                "seeds": row.get("seeds", 0),
                "again": row.get("again"),
                **Recipe.from_plain(row["recipe"]).flat(),
            }
        )
    for row in baselines:
        rows.append({"name": row["name"], "kind": "baseline", **{k: row[k] for k in ("outcome", "cost", "seconds")}})
    rows.sort(key=lambda row: (row["cost"] is None, row["cost"] if row["cost"] is not None else 0.0))
    rows = _finalists_in_order(rows)
    for rank, row in enumerate(rows, start=1):
        again = row.pop("again", None)
        row["rank"], row["score"] = rank, None if row["cost"] is None else metric.score_of(row["cost"])
        row["new_seeds_score"] = None if again is None else metric.score_of(again)
    first = ["rank", "name", "kind", "outcome", "score", "new_seeds_score"]
    if not rows:  # no recipe began, and there are no baselines
        return pl.DataFrame(schema=EMPTY)
    names = list(dict.fromkeys([*first, *[key for row in rows for key in row]]))
    names.remove("cost")
    return pl.DataFrame([{name: row.get(name) for name in names} for row in rows], infer_schema_length=None)


def _finalists_in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with the finalists, in the places that they have, in the order of their new seeds' scores."""
    places = [i for i, row in enumerate(rows) if row.get("seeds")]
    ordered = sorted((rows[i] for i in places), key=lambda row: (row["again"] is None, row["again"] or 0.0))
    made = list(rows)
    for place, row in zip(places, ordered, strict=True):
        made[place] = row
    return made
