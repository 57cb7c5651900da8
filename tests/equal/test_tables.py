"""The tables of docs/results.md: medians, spreads, wins and losses from runs, and their places on the page."""

import doctest
import math
import re
from pathlib import Path

import pytest
from benchmarks import page
from benchmarks.equal import judge, tables, wanted

PAGE = Path(__file__).parents[2] / "docs" / "results.md"
MACHINE = {"processor": "abacus", "cores": 2, "avx512": False, "system": "s", "python": "3"} | dict.fromkeys(
    ("jax", "jaxlib", "numpy", "scikit-learn", "torch"), "1"
)


def runs(name, contestant, values, metric="rmse", **other):
    """Runs of a contestant on a set, a value a seed; None where it left nothing in time."""
    besides = {"log_loss": {"accuracy": 0.75}, "accuracy": {"log_loss": 0.3}, "rmse": {}}[metric]
    base = {
        "set": name, "metric": metric,
        "contestant": contestant, "limit": 60.0, "cores": 2, "kept_programs": False, "seconds": 59.0,
        "late": False, "failure": "", "about": {"tried": 7}, "day": "2026-01-02", "source": "x",
    }  # fmt: skip
    told = lambda v: {} if v is None else {contestant: {metric: v} | besides | {"validation": v}}  # noqa: E731
    return [base | other | {"seed": seed, "answers": told(v)} for seed, v in enumerate(values)]


TOLD = {
    "machine": MACHINE,
    "runs": [
        *runs("california", "slalom", [0.45, 0.47, 0.46]),
        *runs("california", "optuna", [0.48, 0.49, 0.485]),
        *runs("california", "trees", [0.44, 0.45, 0.44]),
        *runs("adult", "slalom", [0.87, 0.86, 0.88], "accuracy"),
        *runs("adult", "optuna", [0.86, 0.865, 0.87], "accuracy"),
        *runs("adult", "trees", [0.87, None, 0.86], "accuracy"),
        *runs("iris", "slalom", [None, 0.2, 0.2], "log_loss"),
        *runs("iris", "optuna", [0.3, None, None], "log_loss"),
    ],
}


def row(text, start):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_scores_are_medians_with_the_least_and_the_largest():
    """And the distance to the trees is in per cent of theirs, in points where accuracy decides."""
    text = tables.scores(TOLD)
    assert row(text, "set")[3:] == ["Slalom", "Optuna + PyTorch", "boosted trees", "Slalom beside trees"]
    assert row(text, "california") == [
        *("california", "rmse", "3", "0.4600 (0.4500–0.4700)", "0.4850 (0.4800–0.4900)"),
        *("0.4400 (0.4400–0.4500)", "-4.5 %"),
    ]
    assert row(text, "adult")[3:] == [
        *("87.00% (86.00%–88.00%)", "86.50% (86.00%–87.00%)"),
        *("86.50% (86.00%–87.00%) (nothing from 1 of 3)", "+0.50 points"),
    ]
    assert row(text, "iris")[3:] == [
        *("0.2000 (0.2000–0.2000) (nothing from 1 of 3)", "0.3000 (nothing from 2 of 3)", "–", "–")
    ]


def test_differences_of_a_thousandth_and_of_a_tenth_of_it_are_seen():
    """Medians of five seeds keep four digits, accuracy is in per cent with two decimals: .8612 is not .8613."""
    seeds = [0.8601, 0.8612, 0.862, 0.863, 0.8611]
    text = tables.scores({"runs": runs("adult", "slalom", seeds, "accuracy") + runs("california", "slalom", [0.463])})
    assert row(text, "adult")[3] == "86.12% (86.01%–86.30%)"
    assert row(text, "california")[3] == "0.4630"
    near = runs("adult", "slalom", [0.8613], "accuracy") + runs("adult", "trees", [0.8612], "accuracy")
    assert row(tables.scores({"runs": near}), "adult")[3:] == ["86.13%", "86.12%", "+0.01 points"]


def test_targets_are_set_beside_what_was_measured_and_beside_the_trees():
    """Medians of runs with those seconds that kept no programs; the ensemble is that of the same runs."""
    made = runs("california", "slalom", [0.463, 0.464, None, 0.465]) + runs("california", "trees", [0.45])
    for run in made[:2]:
        run["answers"]["slalom ensemble"] = {"rmse": 0.454, "validation": 0.4}
    made += runs("california", "slalom", [0.1], kept_programs=True) + runs("california", "slalom", [0.2], cores=4)
    made += runs("adult", "slalom", [0.8672], "accuracy", limit=300.0)
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in tables.targets({"runs": made}).split("\n")
    ]
    found = {tuple(line[:3]): line[3:] for line in lines[2:]}
    assert len(found) == 2 * len(wanted.WANTED)
    assert found["california", "60", "best network"] == [
        *("0.4720", "0.4640 (0.4630–0.4650) (nothing from 1 of 4)", "3 of 5", "+0.0080", "0.4500", "-3.1 %", "0.4948")
    ]
    assert found["california", "60", "ensemble"][:6] == [
        *("0.4520", "0.4540 (0.4540–0.4540)", "2 of 5", "-0.0020", "0.4500", "-0.9 %")
    ]
    assert found["adult", "300", "best network"] == [
        *("86.60%", "86.72%", "1 of 5", "+0.12 points", "–", "–", "85.40%")
    ]
    assert found["adult", "60", "ensemble"] == ["86.30%", "–", "0 of 5", "–", "–", "–", "85.40%"]


def test_wins_are_better_on_every_seed_and_ties_lie_within_their_spread():
    text = tables.wins(TOLD)
    assert row(text, "Optuna + PyTorch") == ["Optuna + PyTorch", "1", "2", "0", "3 of 3", "california", "–"]
    assert row(text, "boosted trees") == ["boosted trees", "0", "1", "1", "1 of 2", "–", "california"]


def test_differences_are_taken_seed_by_seed_and_nothing_in_time_is_the_worst():
    cost = lambda *values: {i: None if v is None else {"rmse": v} for i, v in enumerate(values)}  # noqa: E731
    assert tables.differences("rmse", cost(1.0, 2.0), cost(3.0, 1.5)) == [2.0, -0.5]
    assert tables.differences("rmse", cost(None, 1.0, None), cost(1.0, None, None)) == [-math.inf, math.inf]
    assert tables.differences("rmse", {0: {"rmse": 1.0}}, {1: {"rmse": 1.0}}) == []
    points = lambda value: {0: {"accuracy": value}}  # noqa: E731
    assert tables.differences("accuracy", points(0.75), points(0.5)) == [0.25]


def test_an_ensemble_is_shown_beside_the_network_of_the_same_runs():
    """A contestant's further answers have columns of their own; where only they came, the network has failed."""
    made = runs("wine", "slalom", [0.2, 0.3], "log_loss")
    for run in made:
        run["answers"]["slalom ensemble"] = {"log_loss": 0.1, "accuracy": 1.0, "validation": 0.1}
    del made[1]["answers"]["slalom"]
    text = tables.scores({"machine": MACHINE, "runs": made})
    assert row(text, "wine")[3:5] == ["0.2000 (nothing from 1 of 2)", "0.1000 (0.1000–0.1000)"]
    assert "ensemble" not in tables.wins({"runs": made})  # it is the same runs' and more than one network


def test_a_set_of_which_nobody_left_anything_is_told_with_its_metric():
    text = tables.scores({"runs": runs("adult", "trees", [None], "accuracy")})
    assert row(text, "adult")[1:4] == ["accuracy", "1", "(nothing from 1 of 1)"]


def test_only_runs_of_equal_seconds_and_cores_are_compared():
    told = {"runs": TOLD["runs"] + runs("california", "slalom", [0.3, 0.3, 0.3], limit=300.0)}
    text = tables.scores(told)
    assert [line for line in text.splitlines() if line.startswith("**")] == [
        "**60 s on 2 cores; Slalom compiles anew in every run.**",
        "**300 s on 2 cores; Slalom compiles anew in every run.**",
    ]
    assert text.count("0.4600 (0.4500–0.4700)") == 1


def test_effort_says_who_was_late_and_who_left_nothing():
    told = {
        "runs": runs("iris", "trees", [0.1, None], "log_loss", late=True) + runs("wine", "trees", [0.1], "log_loss")
    }
    told["runs"][0]["source"] = "y"
    told["runs"][1] |= {"attempt": 2, "code": 1}
    told["runs"][2] |= {"attempt": 2, "code": 0}
    assert row(tables.effort(told), "60") == ["60", "boosted trees", "3", "7 (7–7)", "59.0 (59.0–59.0)", *"2132"]


def test_the_page_has_a_place_for_every_table_and_nothing_else_changes(tmp_path):
    file = tmp_path / "results.md"
    file.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    page.write(file, TOLD, tables.TABLES)
    text = file.read_text(encoding="utf-8")
    for name, (_, make) in tables.TABLES.items():
        assert f"<!-- bench: {name} -->\n\n{make(TOLD)}\n\n<!-- end -->" in text
    bare = lambda page: re.sub(r"-->.*?<!-- end", "", page, flags=re.DOTALL)  # noqa: E731
    assert bare(text) == bare(PAGE.read_text(encoding="utf-8"))
    page.write(file, TOLD, tables.TABLES)
    assert file.read_text(encoding="utf-8") == text
    with pytest.raises(SystemExit, match="has no place for machine"):
        page.write(PAGE.parent / "descent.md", TOLD, tables.TABLES)


def test_every_machine_that_runs_were_made_on_is_told_with_its_days():
    """Runs tell their own; those of older records the file's. The kernel's name makes no machine another one."""
    own = MACHINE | {"system": "Linux-6.1.0-9-amd64-x86_64-with-glibc2.36"}
    made = [run | {"machine": own} for run in runs("iris", "trees", [0.1, 0.2], "log_loss")]
    made[1] |= {"machine": MACHINE | {"system": "Linux x86_64"}, "day": "2026-01-03"}
    made += runs("wine", "trees", [0.1], "log_loss", day="2025-12-31")
    machine = "abacus, 2 cores, without AVX-512; {}; Python 3, jax 1, jaxlib 1, numpy 1, scikit-learn 1, torch {}."
    assert tables.about({"machine": MACHINE | {"torch": "2"}, "runs": made}).split("\n\n") == [
        "2025-12-31: " + machine.format("s", "2"),
        "2026-01-02, 2026-01-03: " + machine.format("Linux x86_64", "1"),
    ]


def test_the_examples_are_true():
    """The examples in docstrings print what they say."""
    failed, tried = doctest.testmod(page)
    assert (failed, tried > 0) == (0, True)


def test_every_contestant_has_a_name_on_the_page():
    assert set(judge.DOORS) | {"slalom ensemble"} == set(tables.NAMES)
