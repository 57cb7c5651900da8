"""A race from the command line: results on stdout, progress on stderr, a folder that predicts and can be continued."""

import csv
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slalom import Ensemble, Model, load
from slalom.data import read

from .command import COUNTED, SLALOM, TINY, slalom, start, table, there

FILES = {"evidence.json", "race.toml", "journal.sqlite", "model", "model/model.json", "model/weights.safetensors",
         "leaderboard.csv", "report.html", "report.json"}  # fmt: skip


def rows_of(text: str) -> list[dict[str, str]]:
    """CSV text as rows."""
    return list(csv.DictReader(io.StringIO(text)))


def only_number(token: str) -> None:
    """Refuse what JSON does not have."""
    raise AssertionError(f"{token} is no JSON")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables and one race, `runs/prices`."""
    made = tmp_path_factory.mktemp("race")
    table(made / "prices.csv")
    return made


@pytest.fixture(scope="module")
def raced(place: Path) -> subprocess.CompletedProcess[str]:
    """The command that raced it."""
    return slalom("race", "prices.csv", "--target", "price", *COUNTED, "--out", "runs/prices", cwd=place)


def test_a_race_tells_its_result_on_stdout_and_its_progress_on_stderr(
    raced: subprocess.CompletedProcess[str], place: Path
) -> None:
    assert raced.returncode == 0, raced.stderr
    out = raced.stdout
    assert out.count("baseline") >= 3
    assert re.search(r"^Recipe \d+ won with rmse [\d.]+ on the choosing rows", out, re.MULTILINE)
    assert "optimistic" in out
    assert re.search(r"On the 12 test rows, which chose nothing: rmse .*boosted trees .*linear model", out, re.DOTALL)
    assert "4 recipes raced in" in out
    assert "4 finished" in out
    assert "slalom predict runs/prices NEW_ROWS.csv" in out
    assert "slalom race --continue runs/prices" in out
    assert max(map(len, out.splitlines())) <= 100
    lines = raced.stderr.splitlines()
    assert all(re.match(r" *\d+\.\d s  (reading|rung 1 of 1|finishing)", line) for line in lines), lines
    assert any("compiling" in line for line in lines)
    assert "\x1b" not in raced.stdout + raced.stderr
    written = there(place / "runs/prices")
    assert {path for path in written if not path.startswith("ensemble")} == FILES
    assert {"ensemble/ensemble.json", "ensemble/evidence.npz"} <= written
    assert "nsemble" in out


def test_predictions_are_those_of_the_loaded_model(raced: object, place: Path) -> None:
    ended = slalom("predict", "runs/prices", "prices.csv", "--out", "predictions.csv", cwd=place)
    assert (ended.returncode, ended.stdout) == (0, "")
    expected = load(place / "runs/prices").predict(read(place / "prices.csv").frame)
    found = [float(row["prediction"]) for row in rows_of((place / "predictions.csv").read_text(encoding="utf-8"))]
    assert found == expected.tolist()
    printed = slalom("predict", "runs/prices", "prices.csv", cwd=place)
    assert printed.stdout == (place / "predictions.csv").read_text(encoding="utf-8")
    assert printed.stderr == ""


@pytest.mark.long
def test_predictions_are_of_the_network_or_the_ensemble(raced: object, place: Path) -> None:
    """--single predicts by the winner's network, --ensemble by the mean of several, whichever the race decided on."""
    rows = read(place / "prices.csv").frame
    for option, model in (("--single", Model), ("--ensemble", Ensemble)):
        ended = slalom("predict", "runs/prices", "prices.csv", option, cwd=place)
        found = [float(row["prediction"]) for row in rows_of(ended.stdout)]
        assert found == model.load(place / "runs/prices").predict(rows).tolist()
    shutil.copytree(place / "runs/prices/model", place / "alone")
    ended = slalom("predict", "alone", "prices.csv", "--ensemble", cwd=place)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "alone must be a run folder or an ensemble's. It has no ensemble in it.\n"
    assert slalom("predict", "alone", "prices.csv", cwd=place).returncode == 0


@pytest.mark.long
def test_a_refit_is_asked_for(place: Path) -> None:
    """--refit trains the winner on what was held out, --refit all on the test rows, too; a continued race keeps it."""
    asked = ["race", "prices.csv", "--target", "price", *COUNTED, "-q", "--json"]
    first = json.loads(slalom(*asked, "--out", "runs/refit", "--refit", "all", cwd=place).stdout)
    assert first["refit"]["rows"] == 60
    assert any(
        note.startswith("the winner was trained once more on all 60 rows, the test rows too,")
        for note in first["notes"]
    )
    assert 'refit = "all"' in (place / "runs/refit/race.toml").read_text(encoding="utf-8")
    ended = slalom("race", "--continue", "runs/refit", "--recipes", "1", "--epochs", "1", "-q", "--json", cwd=place)
    again = json.loads(ended.stdout)
    assert again["refit"] or any("race before, which this one does not refit" in note for note in again["notes"])
    ended = slalom(*asked, "--refit", "none", "--out", "runs/none", cwd=place)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "'none' is not one of 'train', 'all'" in ended.stderr


def test_predicting_loads_no_scikit_learn(raced: object, place: Path) -> None:
    script = (
        "import sys; from slalom.cli import run;"
        " code = run(['predict', 'runs/prices', 'prices.csv', '--out', 'p.csv']);"
        " sys.exit(code or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=place, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.csv"], r"gone\.csv must be a file\. .*"),
        (["prices.csv", "--proba"], r"--proba is for classification\. .*"),
        (["prices.csv", "--out", "prices.csv"], r"--out must not be the file with the rows, prices\.csv\."),
        (["prices.csv", "--out", "runs"], r"--out must be a file\. runs is a folder\."),
        (["prices.csv", "--out", "no/p.csv"], r"--out must be a file that can be written\. no/p\.csv: .*"),
        (["half.csv"], r".*\"?b\"?.*"),
    ],
)
def test_bad_input_of_predict_is_one_sentence(raced: object, place: Path, arguments: list[str], sentence: str) -> None:
    (place / "half.csv").write_text("a\n1\n2\n", encoding="utf-8")
    before = there(place)
    ended = slalom("predict", "runs/prices", *arguments, cwd=place)
    assert re.fullmatch(sentence + r"\n", ended.stderr), ended.stderr
    assert (ended.returncode, ended.stdout) == (2, "")
    assert there(place) == before


def test_the_leaderboard_is_text_json_or_csv(raced: object, place: Path) -> None:
    text = slalom("leaderboard", "runs/prices", cwd=place)
    assert sum(line.split()[:1] == [str(i)] for i in range(1, 8) for line in text.stdout.splitlines()) == 7
    found = json.loads(slalom("leaderboard", "runs/prices", "--json", cwd=place).stdout, parse_constant=only_number)
    rows = rows_of(slalom("leaderboard", "runs/prices", "--csv", "--top", "3", cwd=place).stdout)
    assert [row["name"] for row in found][:3] == [row["name"] for row in rows]
    assert [row["rank"] for row in found] == list(range(1, 8))


def test_a_reader_that_has_had_enough_is_no_failure(raced: object, place: Path) -> None:
    command = " ".join(f"'{part}'" for part in [*SLALOM, "predict", "runs/prices", "prices.csv"])
    piped = ["bash", "-c", f"set -o pipefail; {command} | head -1"]
    ended = subprocess.run(piped, cwd=place, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "prediction\n", "")


def test_the_same_seed_gives_the_same_leaderboard(raced: object, place: Path) -> None:
    again = slalom("race", "prices.csv", "--target", "price", *COUNTED, "--out", "runs/again", "-q", cwd=place)
    assert (again.returncode, again.stderr) == (0, "")
    boards = [
        rows_of((place / run / "leaderboard.csv").read_text(encoding="utf-8")) for run in ("runs/prices", "runs/again")
    ]
    for row in [*boards[0], *boards[1]]:
        row.pop("seconds")
    assert boards[0] == boards[1]


def test_a_race_is_continued_where_it_was_moved_to(raced: object, place: Path) -> None:
    shutil.copytree(place / "runs/prices", place / "moved")
    ended = slalom("race", "--continue", "moved", "--recipes", "3", "--epochs", "2", cwd=place)
    assert ended.returncode == 0, ended.stderr
    board = rows_of((place / "moved/leaderboard.csv").read_text(encoding="utf-8"))
    assert {row["name"] for row in board if row["kind"] == "recipe"} == {f"recipe {i}" for i in range(7)}
    assert {row["width"] for row in board if row["kind"] == "recipe"} == {"8"}  # what was fixed stays fixed
    assert slalom("predict", "moved", "prices.csv", "--out", "again.csv", cwd=place).returncode == 0
    table(place / "others.csv", rows=80)
    other = slalom("race", "others.csv", "--continue", "moved", "--recipes", "1", "--epochs", "1", "-q", cwd=place)
    assert (other.returncode, other.stdout) == (2, "")
    assert re.fullmatch(r"The data must be the same as in moved\. .*\n", other.stderr)


def test_json_is_one_object_with_what_a_program_needs(place: Path) -> None:
    ended = slalom("race", "prices.csv", "--target", "kind", *COUNTED, "--json", "--seed", "3", cwd=place)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout, parse_constant=only_number)
    wanted = {
        "score",
        "metric",
        "seconds",
        "compile_seconds",
        "recipes",
        "racer_steps",
        "out",
        "test",
        "tests",
        "recipe",
    }
    assert wanted <= set(found)
    assert (found["metric"], found["recipes"], found["out"]) == ("log_loss", 4, "runs/prices-2")
    assert 0 < found["compile_seconds"] < found["seconds"]
    proba = rows_of(slalom("predict", "runs/prices-2", "prices.csv", "--proba", cwd=place).stdout)
    for row in proba:
        assert float(row["p_no"]) + float(row["p_yes"]) == pytest.approx(1)
        assert row["prediction"] == ("yes" if float(row["p_yes"]) > float(row["p_no"]) else "no")


def test_a_dry_run_says_what_would_run_and_writes_nothing(place: Path) -> None:
    before = there(place)
    asked = ["race", "prices.csv", "--target", "price", *COUNTED, "--dry-run", "-q"]
    text = slalom(*asked, cwd=place)
    assert (text.returncode, text.stderr) == (0, "")
    for said in ("rung 1: 4 recipes to epoch 2", "batches of", "Memory: about", "Nothing was trained or written."):
        assert said in text.stdout
    found = json.loads(slalom(*asked, "--json", cwd=place).stdout, parse_constant=only_number)
    assert {"rungs", "structures", "memory_bytes", "training_seconds"} <= set(found)
    assert there(place) == before


@pytest.mark.long
def test_one_recipe_from_a_file(place: Path) -> None:
    (place / "mine.toml").write_text("depth = 1\nwidth = 4\nbatch_size = 8\nepochs = 3\n", encoding="utf-8")
    asked = ["race", "prices.csv", "--target", "price", "--recipe", "mine.toml", "--out", "runs/mine"]
    found = json.loads(slalom(*asked, "--json", "-q", cwd=place).stdout)
    assert (found["recipes"], found["recipe"]["width"], found["recipe"]["epochs"]) == (1, 4, 3)
    ended = slalom("race", "--continue", "runs/mine", "-q", cwd=place)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("--seconds must be given: runs/mine holds one recipe alone")


@pytest.mark.long
def test_ctrl_c_keeps_the_best_so_far(place: Path) -> None:
    asked = [
        "race",
        "prices.csv",
        "--target",
        "price",
        "--recipes",
        "5000",
        "--epochs",
        "40",
        *TINY,
        "--out",
        "stopped",
    ]
    with start(*asked, cwd=place) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "rung 1" in line and "compiling" not in line:
                break
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        sent = time.perf_counter()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert time.perf_counter() - sent < 20
    assert "Interrupted: this is the best so far." in out
    assert re.search(r"^Recipe \d+ won", out, re.MULTILINE), out
    assert "slalom race --continue stopped" in out
    assert "Traceback" not in out + err
    assert slalom("predict", "stopped", "prices.csv", "-q", cwd=place).returncode == 0


def test_a_race_without_a_winner_fails(place: Path) -> None:
    asked = ["race", "prices.csv", "--target", "price", "--set", "learning_rate=1e9", "--set", "rule=sgd"]
    ended = slalom(*asked, *COUNTED[:4], *TINY[:4], "--set", "scaling=none", "--set", "dropout=0", "-q", cwd=place)
    assert ended.returncode == 1, ended.stdout
    assert "No recipe could be scored: every one diverged." in ended.stdout


@pytest.mark.long
def test_a_loss_is_fixed_like_any_field(place: Path) -> None:
    """`--set loss=huber --set huber_delta=0.5` reaches every recipe and the saved model; a loss for classes is refused
    in one sentence before anything runs."""
    asked = ["race", "prices.csv", "--target", "price", *COUNTED, "--set", "loss=huber", "--set", "huber_delta=0.5"]
    ended = slalom(*asked, "--metric", "pinball:0.9", "--out", "runs/huber", "--json", "-q", cwd=place)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout, parse_constant=only_number)
    assert (found["recipe"]["loss"], found["recipe"]["huber_delta"], found["metric"]) == ("huber", 0.5, "pinball:0.9")
    model = json.loads((place / "runs/huber/model/model.json").read_text(encoding="utf-8"))
    assert (model["loss"], model["temperature"], model["threshold"]) == ("huber", 1.0, 0.5)
    board = rows_of((place / "runs/huber/leaderboard.csv").read_text(encoding="utf-8"))
    assert {row["loss"] for row in board if row["kind"] == "recipe"} == {"huber"}
    again = slalom("race", "--continue", "runs/huber", "--recipes", "2", "--epochs", "1", "-q", cwd=place)
    assert again.returncode == 0, again.stderr
    asked[-3] = "loss=cross_entropy"
    refused = slalom(*asked[:-2], "--out", "runs/none", "-q", cwd=place)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("loss must be one of auto, squared_error, huber, ")
