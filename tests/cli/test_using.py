"""Inspecting tables, and what the command line says of rows: weights, groups, times, kinds of columns, dialects."""

import json
from pathlib import Path

import numpy as np
import pytest

from .command import COUNTED, TINY, slalom, table


def rows(place: Path) -> Path:
    """A CSV with a copy of the target, a shop, a day and a weight for each row; as people in Vienna write it."""
    table(place / "plain.csv", rows=120)
    head, *lines = (place / "plain.csv").read_text().splitlines()
    made = [f"{head.replace(',', ';')};copy;shop;day;weight".replace("kind", "größe")]
    for i, line in enumerate(lines):
        cells = line.replace(".", "§").replace(",", ";").replace("§", ",")
        day = np.datetime64("2024-01-01") + i
        made.append(f"{cells};{cells.rsplit(';', 1)[1]};shop {i % 12};{day};{i % 2 + 1}")
    (place / "rows.csv").write_bytes("\n".join(made).encode("cp1252"))
    return place


def test_a_table_is_inspected(tmp_path: Path) -> None:
    """Columns, what becomes of them and what is suspicious; --columns decides; --json is one object."""
    place = rows(tmp_path)
    done = slalom("inspect", "rows.csv", "--target", "price", cwd=place)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert 'Column "copy" gives the answer away' in said
    assert "separated by semicolons" in said
    assert "the encoding is taken to be Windows Latin" in said
    assert "120 rows, 7 columns that become" in said
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line[:1].isalpha()}
    assert lines["größe"].endswith("2 places")
    assert "days + the season + the weekday" in lines["day"]
    (place / "kinds.toml").write_text('[columns]\ncopy = "drop"\nshop = "category"\nweight = "category"\n')
    told = slalom("inspect", "rows.csv", "--target", "price", "--columns", "kinds.toml", "--json", cwd=place)
    plain = json.loads(told.stdout)
    becomes = {row["column"]: row["becomes"] for row in plain["columns"]}
    assert becomes["copy"] == "nothing"
    assert (becomes["shop"], becomes["weight"]) == ("12 places", "2 places")
    assert not any("away" in note for note in plain["notes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inspect", "rows.csv"), "--target must be given"),
        (("inspect", "rows.csv", "--target", "prize"), "Did you mean 'price'?"),
        (("inspect", "rows.csv", "--target", "price", "--columns", "nothing.toml"), "--columns must be a TOML file"),
        (("inspect", "rows.csv", "--target", "price", "--separator", ";;"), "separator must be one sign"),
        (("race", "rows.csv", "--target", "price", "--group", "shops"), "Did you mean 'shop'?"),
        (
            ("race", "rows.csv", "--target", "price", "--weights", "shop"),
            "sample_weight must be of numbers. Got ['shop 0']",
        ),
        (("race", "rows.csv", "--target", "price", "--explain", "0"), "--explain"),
        (("export", "nowhere", "--to", "numpy", "--out", "x"), "must be a run folder or a model folder"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """One sentence, exit code 2, and nothing is written."""
    done = slalom(*arguments, cwd=rows(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.long
def test_what_is_said_of_rows_is_kept(tmp_path: Path) -> None:
    """Weights, groups, kinds and the dialect stand in race.toml, and a race that goes on reads its rows by them."""
    place = rows(tmp_path)
    (place / "kinds.toml").write_text('copy = "drop"\nweight = "number"\n')
    done = slalom(
        "race", "rows.csv", "--target", "price", *COUNTED, "--out", "run", "--weights", "weight", "--group", "shop",
        "--columns", "kinds.toml", "--encoding", "cp1252", "--separator", ";", "--decimal", "comma", cwd=place,
    )  # fmt: skip
    assert done.returncode == 2  # a role is no column any longer
    assert "columns must be one of" in done.stderr
    (place / "kinds.toml").write_text('copy = "drop"\n')
    done = slalom(
        "race", "rows.csv", "--target", "price", *COUNTED, "--out", "run", "--weights", "weight", "--group", "shop",
        "--columns", "kinds.toml", "--encoding", "cp1252", "--separator", ";", "--decimal", "comma", "--no-test",
        cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kept = (place / "run" / "race.toml").read_text()
    assert 'sample_weight = "weight"' in kept
    assert "test = false" in kept
    model = json.loads((place / "run" / "model" / "model.json").read_text())
    assert not {"weight", "shop"} & set(model["columns"]["input_names"])
    more = slalom("race", "--continue", "run", "--recipes", "1", "--epochs", "2", *TINY, cwd=place)
    assert more.returncode == 0, more.stderr
    refused = slalom("race", "--continue", "run", "--weights", "weight", cwd=place)
    assert refused.returncode == 2
    assert "--weights must not be given beside --continue" in refused.stderr
    predicted = slalom("predict", "run", "rows.csv", "--encoding", "cp1252", "--out", "p.csv", cwd=place)
    assert predicted.returncode == 0, predicted.stderr
    explained = slalom("explain", "run", "--seconds", "0.1", "-q", cwd=place)
    assert explained.returncode == 0, explained.stderr


@pytest.mark.long
def test_a_race_is_explained_behind_it(tmp_path: Path) -> None:
    """--explain measures for so long behind the race; its evidence is told, and kept; in JSON it is part of the one
    object."""
    table(tmp_path / "prices.csv", rows=120)
    asked = ("race", "prices.csv", "--target", "price", *COUNTED, "-q")
    done = slalom(*asked, "--out", "run", "--explain", "60", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "What each part is worth" in done.stdout
    held = json.loads((tmp_path / "run" / "evidence.json").read_text())
    assert held["standing"]["seeds"] == 5
    told = slalom(*asked, "--out", "again", "--explain", "0.1", "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["evidence"]["left"] != []
