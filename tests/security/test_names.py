"""A table whose names and cells would like to be code, from the race to everything that is made of it."""

import ast
import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.engine.races import quickly

from slalom import cli, load, race
from slalom.errors import SlalomError

SCRIPT = "</script><script>pwned(1)</script>"
HOSTILE = {
    SCRIPT: "number",
    'a"""; import pwned #\n': "number",
    "=cmd|' /C pwned'!A0": "word",
    "{{7*7}}{% pwned %}": "number",
    "\x1b[2Jpwned": "number",
    "\u202epwned\u2066\\": "word",
    "<img src=x onerror=pwned()>": "date",
    "'); pwned(); ('": "text",
}
TARGET = '"""\nimport pwned\n"""</script><b>pwned\x1b[2J\u202e'
CLASSES = ("</script><script>pwned(2)</script>", '"""; import pwned #', "=cmd|' /C pwned'!A1", "{{pwned}}\x1b[2J")
SHAPE = {"depth": 1, "width": 8, "rule": "adam", "schedule": "cosine"}


def hostile(rows=160):
    """Rows of these names, whose words, texts and classes are hostile too."""
    draw = np.random.default_rng(0)
    columns = {}
    for name, kind in HOSTILE.items():
        if kind == "number":
            columns[name] = draw.normal(size=rows)
        elif kind == "word":
            columns[name] = draw.choice(list(CLASSES), rows)
        elif kind == "date":
            columns[name] = [f"2024-{m:02}-{d:02}" for m, d in draw.integers(1, 28, (rows, 2)) % 12 + 1]
        else:
            columns[name] = [" ".join(draw.choice([*CLASSES, "pwned", "of", "x"], 5)) + str(i) for i in range(rows)]
    columns[TARGET] = [CLASSES[k % 4] for k in np.argsort(columns[SCRIPT])]
    return pl.DataFrame(columns)


@pytest.fixture(scope="module")
def raced(tmp_path_factory):
    """The folder of a race of such a table, beside the table."""
    folder = tmp_path_factory.mktemp("names")
    hostile().write_csv(folder / "rows.csv")
    with pytest.MonkeyPatch.context() as patch:
        quickly(patch)
        race(folder / "rows.csv", target=TARGET, recipes=2, epochs=2, fixed=SHAPE, out=folder / "run")
    return folder


def said(capsys, *arguments):
    """What the command prints, which went well and has no sign that steers a terminal."""
    capsys.readouterr()
    code = cli.run([*map(str, arguments)])
    out, err = capsys.readouterr()
    assert code == 0, err
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", err)
    return out


def inert(source):
    """Python that parses, in which what the names hold stands in text alone: no name, no import, no comment."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            assert "pwned" not in str(value) or not isinstance(value, str) or isinstance(node, ast.Constant), field
    assert not [line for line in source.splitlines() if re.match(r"\s*#.*pwned", line)]


def test_the_report_is_inert(raced):
    """No mark-up and no script of a name stands in the page, and nothing was expanded."""
    page = (raced / "run" / "report.html").read_text()
    assert "<script>pwned" not in page
    assert "<img src=x" not in page
    assert "<b>pwned" not in page
    assert not re.search("[\x00-\x08\x0b-\x1f]", page)


@pytest.mark.parametrize("command", ["predict", "inspect", "leaderboard"])
def test_commands_say_names_without_obeying_them(raced, capsys, command):
    """What is printed steers no terminal; predictions are the classes, verbatim, row by row."""
    if command == "predict":
        said(capsys, "predict", raced / "run", raced / "rows.csv", "--out", raced / "predicted.csv")
        with (raced / "predicted.csv").open(newline="") as file:
            rows = list(csv.reader(file))
        assert len(rows) == 161
        assert {row[0] for row in rows[1:]} <= set(CLASSES)
    elif command == "inspect":
        assert "\x1b" not in said(capsys, "inspect", raced / "rows.csv", "--target", TARGET)
    else:
        told = said(capsys, "leaderboard", raced / "run", "--csv")
        assert not [cell for row in csv.reader(told.splitlines()) for cell in row if cell[:1] in "=+@" and cell]


@pytest.mark.parametrize("library", ["numpy", "torch-training", "keras-training"])
def test_generated_python_is_inert(raced, capsys, library):
    """Every Python file that is made of such a race parses, and holds the names as text alone; to make it runs none."""
    out = raced / library
    said(capsys, "export", raced / "run", "--to", library, "--out", out)
    files = list(out.rglob("*.py")) if out.is_dir() else [Path(out)]
    assert files
    for file in files:
        inert(file.read_text(encoding="utf-8"))


@pytest.mark.long
def test_onnx_takes_the_names(raced, capsys, monkeypatch, tmp_path):
    """The file for ONNX, which has no free text, is made, and checked against the model."""
    pytest.importorskip("onnx")
    quickly(monkeypatch)
    columns = {name: "drop" for name, kind in HOSTILE.items() if kind in ("text", "date")}
    race(raced / "rows.csv", target=TARGET, recipes=2, epochs=2, fixed=SHAPE, out=tmp_path / "run", columns=columns)
    said(capsys, "export", tmp_path / "run", "--to", "onnx", "--out", tmp_path / "onnx")


def changed(raced, out, change):
    """A copy of the race whose model.json says something else."""
    shutil.copytree(raced / "run", out)
    file = out / "model" / "model.json"
    told = json.loads(file.read_text())
    change(told, {one["kind"]: one for one in told["columns"]["treatments"]})
    file.write_text(json.dumps(told))
    return out


CODE = "1); pwned(); ("
REFUSED = {
    "places of words": lambda told, kinds: kinds["text"].update(places=CODE),
    "a fill": lambda told, kinds: kinds["number"].update(fill=CODE),
    "a period": lambda told, kinds: kinds["cycle"].update(period=CODE),
    "the word of a cycle": lambda told, kinds: kinds["cycle"].update(word=[CODE]),
    "levels": lambda told, kinds: kinds["category"].update(levels=[1, CODE]),
    "a kind of column": lambda told, kinds: kinds["number"].update(kind="Path"),
    "a field that there is not": lambda told, kinds: kinds["number"].update(pwned=CODE),
    "a number of a scaler": lambda told, kinds: told["scaler"].update(low=CODE),
    "a scaler": lambda told, kinds: told["scaler"].update(name="__import__"),
    "a rule": lambda told, kinds: told["recipe"].update(rule={"name": "pwned"}),
    "a setting of a rule": lambda told, kinds: told["recipe"]["rule"].update(beta1=CODE),
    "a learning rate": lambda told, kinds: told["recipe"].update(learning_rate=CODE),
    "an activation": lambda told, kinds: told["net"].update(activation=CODE),
    "a loss": lambda told, kinds: told.update(loss=CODE),
    "a threshold": lambda told, kinds: told.update(threshold=CODE),
    "no checksum": lambda told, kinds: told.pop("digest"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_model_that_would_be_code_is_refused(raced, capsys, tmp_path, what):
    """What stands where a number or a known name must is refused when a model is read: nothing is made of it."""
    folder = changed(raced, tmp_path / "run", REFUSED[what])
    with pytest.raises(SlalomError, match=r"holds a damaged model"):
        load(folder)
    assert cli.run(["export", str(folder), "--to", "torch-training", "--out", str(tmp_path / "train.py")]) == 2
    assert not (tmp_path / "train.py").exists()


def test_a_word_of_a_cycle_is_no_code(raced, capsys, tmp_path):
    """Where any text may stand, it comes into no script: neither that which is made, nor what is run to check it."""
    code = "\nraise SystemExit('pwned')\n"
    folder = changed(raced, tmp_path / "run", lambda told, kinds: kinds["cycle"].update(word=code))
    said(capsys, "export", folder, "--to", "torch-training", "--out", tmp_path / "made")
    for file in (tmp_path / "made").rglob("*.py"):
        inert(file.read_text(encoding="utf-8"))
