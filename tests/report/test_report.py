"""The sentences and the table of a result say what it holds."""

import dataclasses
import math
from typing import Any, cast

import pytest

from slalom.board import chosen, columns_of, numbers, shared, table
from slalom.metrics import METRICS, Metric
from slalom.model import Model
from slalom.recipe import Recipe
from slalom.result import Best, Gain, Result, leaderboard
from slalom.verdict import counts, has_winner, verdict

TREES, LINEAR, MEAN = "boosted trees (HistGradientBoosting)", "linear model", "mean or majority"


def result(
    tests: dict[str, float | None] | None = None, *, metric: Metric = METRICS["rmse"], winner: str = "recipe 1",
    recipes: int = 30, **about: Any,
) -> Result:  # fmt: skip
    """A result as a race makes it, without its model."""
    made = [
        {"number": i, "wave": 0, "recipe": Recipe(learning_rate=0.001 * (i + 1)).to_plain(), "outcome": "finished",
         "cost": 10.0 + i, "best_epoch": 3.0, "epochs": 4.0, "seconds": 1.0, "parameters": 9}
        for i in range(recipes)
    ]  # fmt: skip
    made[-1] |= {"outcome": "diverged", "cost": None}
    baselines = [
        {"name": name, "cost": cost, "test": cost, "seconds": 1.0, "outcome": "finished"}
        for name, cost in ((MEAN, 90.0), (LINEAR, 40.0), (TREES, 9.0))
    ]
    found = {winner: 12.0, MEAN: 91.0, LINEAR: 41.0, TREES: 9.5} if tests is None else tests
    told = {
        "seconds": 9.5, "compile_seconds": 1.25, "recipes": 30, "racer_steps": 12_345, "task": "regression",
        "outcomes": {"dropped at rung 1": 20, "dropped at rung 2": 5, "finished": 4, "diverged": 1},
        "rows": {"training": [80, 80], "choosing": [10, 10], "evidence": [10, 10], "test": 1000},
        "source": "data/houses.csv", "target": "price", "seed": 7,
    } | about  # fmt: skip
    best = Best(winner, Recipe(), 10.0, 3.0, found.get(winner))
    board = leaderboard(made, baselines, metric)
    return Result(board, best, cast(Model, None), metric, told, found, ("A note.",), None)


def with_gain(gain: float, low: float | None, tests: dict[str, float | None] | None = None, **given: Any) -> Result:
    """A result with an ensemble of two recipes that gains so much."""
    recipes = {"recipe 1": 0.75, "recipe 4": 0.25}
    scores = {"nets": 2, "score": 9.0, "rows": 270, "single": 11.0, "ensemble": 11.0 - gain, "test": 11.5}
    made = Gain(
        **scores | {"recipes": recipes, "gain": gain, "low": low, "high": 3.0, "used": bool(low and low > 0)} | given
    )
    found = {"recipe 1": 12.0, "ensemble": 11.5, TREES: 9.5, LINEAR: 41.0} if tests is None else tests
    return dataclasses.replace(result(found), gain=made)


def test_an_ensemble_that_gains_predicts() -> None:
    """The gain on evidence rows is said with its interval, and which model predicts; test scores are of both."""
    said = " ".join(verdict(with_gain(1.5, 0.5)))
    assert "An ensemble, the mean of 2 nets, has rmse 9.000 on the choosing rows, an optimistic score too" in said
    assert "On the 270 evidence rows, which chose nothing, it has 9.50 and the winner alone 11.00" in said
    assert ": 1.500 better (95 % interval of the gain 0.500 to 3.000). Predictions are the ensemble's" in said
    assert "--single" in said
    assert "rmse 12.00; the ensemble 11.50, boosted trees 9.50, linear model 41.00." in said
    assert "Boosted trees win on this data" in said
    assert "The ensemble is better than every baseline" in " ".join(
        verdict(with_gain(1.5, 0.5, {"recipe 1": 12.0, "ensemble": 9.0, TREES: 9.5}))
    )


def test_an_ensemble_whose_gain_may_be_chance_does_not() -> None:
    """Where the interval holds zero the winner predicts and is what the baselines are compared with."""
    said = " ".join(verdict(with_gain(0.5, -1.0, {"recipe 1": 9.0, "ensemble": 9.9, TREES: 9.5})))
    assert "0.5000 better (95 % interval of the gain −1.0000 to 3.0000), which may be chance." in said
    assert "Predictions are the winner's; `slalom predict … --ensemble` takes the ensemble's." in said
    assert "The net is better than every baseline" in said
    assert "0.5000 worse" in " ".join(verdict(with_gain(-0.5, -1.0)))
    few = " ".join(verdict(with_gain(0.5, None)))
    assert "too few rows for an interval. Predictions are the winner's" in few


def test_an_ensemble_of_the_winner_alone_is_said_to_be_that() -> None:
    """Where no mean is better on choosing rows one sentence says so, and the test scores are the winner's alone."""
    said = " ".join(verdict(with_gain(0.0, 0.0, recipes={"recipe 1": 1.0}, nets=1)))
    assert "The ensemble is the winner alone (1 net): no mean with another was better on the choosing rows." in said
    assert "the ensemble 11.50" not in said
    folds = " ".join(verdict(with_gain(0.0, 0.0, recipes={"recipe 1": 1.0}, nets=5)))
    assert "(5 nets of the folds" in folds
    assert "rmse 12.00; the ensemble 11.50, boosted trees" in folds  # which is another model than the winner's one net
    assert "the ensemble 11.50" not in said


def test_boosted_trees_that_win_are_said_to_win() -> None:
    said = " ".join(verdict(result()))
    assert "Recipe 1 won with rmse 10.00 on the choosing rows (less is better)." in said
    assert "optimistic" in said
    assert "On the 1,000 test rows, which chose nothing: rmse 12.00; boosted trees 9.50, linear model 41.00," in said
    assert "Boosted trees win on this data" in said


def test_a_net_that_wins_is_better_than_every_baseline() -> None:
    said = " ".join(verdict(result({"recipe 1": 9.0, MEAN: 91.0, LINEAR: 41.0, TREES: 9.5})))
    assert "The net is better than every baseline" in said


def test_more_can_be_better() -> None:
    said = verdict(result({"recipe 1": 0.9, LINEAR: 0.95, TREES: 0.92, MEAN: 0.5}, metric=METRICS["accuracy"]))
    assert "(more is better)" in said[0]
    assert said[2].startswith("The baseline “linear model” wins on this data")
    assert said[2].endswith("Better than the net, too: boosted trees.")


def test_one_recipe_is_no_comparison() -> None:
    """Where one recipe ran, the sentences say that nothing was compared; where several did, they do not."""
    alone = "It is the only recipe that ran: nothing was compared."
    assert alone in " ".join(verdict(dataclasses.replace(result(), about=result().about | {"recipes": 1})))
    assert alone not in " ".join(verdict(result()))


def test_a_level_score_is_no_win() -> None:
    said = verdict(result({"recipe 1": 9.5, TREES: 9.5, LINEAR: 41.0}))
    assert said[2].startswith("The net is level with boosted trees")


def test_without_test_rows_the_choosing_rows_speak() -> None:
    said = " ".join(verdict(result({"recipe 1": None, TREES: None})))
    assert "There is no test score" in said
    assert (
        "The baselines on the same choosing rows: boosted trees 9.000, linear model 40.000, mean or majority 90.000."
        in said
    )


def test_a_baseline_without_a_score_is_named() -> None:
    assert (
        verdict(result({"recipe 1": 9.0, TREES: None, LINEAR: 41.0}))[3]
        == "No test score within the time: boosted trees."
    )


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ({"diverged": 3}, "No recipe could be scored: every one diverged. Try smaller learning rates."),
        ({}, "No recipe could be scored: the race ended before. Give it more time."),
    ],
)
def test_a_race_without_a_winner_says_why(outcomes: dict[str, int], sentence: str) -> None:
    ended = result(winner=MEAN, outcomes=outcomes)
    assert not has_winner(ended)
    assert verdict(ended)[0].startswith(sentence)
    assert "optimistic" not in " ".join(verdict(ended))


def test_the_drops_of_all_rungs_are_counted_together() -> None:
    assert counts(result()) == (
        "30 recipes raced in 9.5 s (1.2 s of it compiling): 4 finished, 25 dropped, 1 diverged. 12,345 racer-steps."
    )


def test_numbers_of_a_column_have_the_same_decimals() -> None:
    assert numbers([0.5, math.nan, math.inf, -0.25]) == ["0.5000", "–", "–", "-0.2500"]
    assert numbers([0.0, 0.0]) == ["0.000", "0.000"]
    assert numbers([1e12, 12.0, 11.0]) == ["1.000e+12", "12.00", "11.00"]
    assert numbers([]) == []


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_the_table_is_no_wider_than_the_terminal(width: int) -> None:
    text = table(result().leaderboard, width)
    assert max(map(len, text.splitlines())) <= width
    assert sum("baseline" in line for line in text.splitlines()) == 3


def test_baselines_below_the_best_rows_stay_in_sight() -> None:
    rows = chosen(result().leaderboard, 10)
    assert [row["rank"] if row else None for row in rows] == [*range(1, 11), None, 31, 32]


def test_columns_are_the_fields_in_which_recipes_differ() -> None:
    board = result().leaderboard
    assert [column.heading for column in columns_of(board)[1]] == ["learning\nrate"]
    assert shared(board)["batch size"] == "128"
    assert len(columns_of(result(recipes=1).leaderboard)[1]) > 5
