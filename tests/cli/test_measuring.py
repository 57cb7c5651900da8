"""Explaining and comparing from the command line."""

import json
import subprocess
from pathlib import Path

import pytest

from .command import COUNTED, slalom, table

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and a race of it."""
    made = tmp_path_factory.mktemp("measuring")
    table(made / "prices.csv", rows=120)
    raced = slalom("race", "prices.csv", "--target", "price", *COUNTED, "--out", "run", "-q", cwd=made)
    assert raced.returncode == 0, raced.stderr
    return made


@pytest.fixture(scope="module")
def explained(place: Path) -> subprocess.CompletedProcess[str]:
    """The command that explains it, with time enough for all."""
    return slalom("explain", "run", "--seconds", "100", cwd=place)


def test_a_winner_is_explained(explained: subprocess.CompletedProcess[str], place: Path) -> None:
    """The winner on evidence rows and its parts go to stdout, progress to stderr, numbers to files."""
    assert explained.returncode == 0, explained.stderr
    said = " ".join(explained.stdout.split())
    assert "The winning recipe, trained with 5 further seeds, has rmse" in said
    assert "What each part is worth" in said
    assert "Not measured" not in said
    held = json.loads((place / "run" / "evidence.json").read_text())
    assert held["standing"]["seeds"] == 5
    assert {worth["verdict"] for worth in held["worths"]} != {"not measured"}
    assert json.loads((place / "run" / "report.json").read_text())["evidence"] == held


def test_what_is_known_is_told_without_measuring(explained: subprocess.CompletedProcess[str], place: Path) -> None:
    """--told says the same again, also after the rows are gone; --json is one object."""
    told = slalom("explain", "run", "--told", cwd=place)
    assert told.returncode == 0
    assert told.stdout == explained.stdout
    plain = json.loads(slalom("explain", "run", "--told", "--json", cwd=place).stdout)
    assert plain["metric"] == "rmse"


def test_rows_that_moved_are_named(explained: subprocess.CompletedProcess[str], place: Path) -> None:
    """FILE says where the rows are now; other rows are refused; a folder without a race as well."""
    (place / "moved.csv").write_bytes((place / "prices.csv").read_bytes())
    assert slalom("explain", "run", "moved.csv", "--seconds", "20", "-q", cwd=place).returncode == 0
    table(place / "other.csv", rows=120, a_3=9.0)
    refused = slalom("explain", "run", "other.csv", cwd=place)
    assert refused.returncode == 2
    assert "must be the same" in refused.stderr
    assert slalom("explain", "nowhere", cwd=place).returncode == 2


@pytest.mark.long
def test_rules_are_compared(place: Path) -> None:
    """A table of the values, and which is better or a tie; several files have a profile."""
    given = ["--target", "price", "--values", "adam,sgd", "--recipes", "2", "--epochs", "2", "--set", "depth=1"]
    found = slalom("compare", "prices.csv", *given, "-q", cwd=place)
    assert found.returncode == 0, found.stderr
    assert "rule compared on prices.csv: 2 values" in " ".join(found.stdout.split())
    assert "best of 2" in found.stdout
    table(place / "second.csv", rows=100)
    both = slalom("compare", "prices.csv", "second.csv", *given, "--json", cwd=place)
    assert [one["table"] for one in json.loads(both.stdout)] == ["prices.csv", "second.csv"]
    refused = slalom("compare", "prices.csv", "--target", "price", "--values", "adam", cwd=place)
    assert refused.returncode == 2
    assert "at least two different ones" in refused.stderr


@pytest.mark.long
def test_predictions_have_intervals(place: Path) -> None:
    """--interval adds the ends of an interval, or the set of classes; a level that is not kept is refused."""
    found = slalom("predict", "run", "prices.csv", "--interval", "0.9", cwd=place)
    lines = found.stdout.splitlines()
    assert lines[0] == "prediction,low,high"
    middle, low, high = map(float, lines[1].split(","))
    assert low < middle < high
    refused = slalom("predict", "run", "prices.csv", "--interval", "1.5", cwd=place)
    assert refused.returncode == 2
    assert "level must be one of 0.50" in refused.stderr
    made = slalom("race", "prices.csv", "--target", "kind", *COUNTED, "--out", "kinds", "-q", cwd=place)
    assert made.returncode == 0, made.stderr
    sets = slalom("predict", "kinds", "prices.csv", "--interval", "0.9", cwd=place).stdout.splitlines()
    assert sets[0] == "prediction,set"
    assert {name for line in sets[1:] for name in line.partition(",")[2].split(" | ")} <= {"yes", "no"}
