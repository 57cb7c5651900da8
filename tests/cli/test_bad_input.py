"""What cannot be used is refused in one sentence, with exit code 2, no traceback, and nothing written."""

import re
from pathlib import Path

import pytest

from .command import slalom, table, there

GOOD = ["good.csv", "--target", "price"]
# what was given: (arguments of `slalom race`, the whole sentence as a pattern)
REFUSED = {
    "missing file": (["gone.csv", "--target", "price"], r"gone\.csv must be a file\. There is none at this path\."),
    "a folder": (["full", "--target", "price"], r"full must be a file\. Got a folder\."),
    "no file": (["--target", "price"], r"FILE must be given: slalom race houses\.csv --target price\. Or .*"),
    "no target": (["good.csv"], r"--target must be given: the column of good\.csv to predict\."),
    "unknown target": (
        ["good.csv", "--target", "prize"],
        r"target must be one of a, b, kind, price\. Got 'prize'\. Did you mean 'price'\?",
    ),
    "empty file": (["empty.csv", "--target", "price"], r"empty\.csv must hold a table\. Got an empty file\."),
    "header only": (
        ["header.csv", "--target", "price"],
        r"header\.csv must hold a header and rows\. Got a header only\.",
    ),
    "missing target values": (["unknown.csv", "--target", "price"], r'Target "price" .*Got 2 missing of 60\..*'),
    "infinite target values": (["endless.csv", "--target", "price"], r'Target "price" must hold .* such as inf\.'),
    "one class only": (
        ["one.csv", "--target", "kind"],
        r'Target "kind" must have at least two classes\. Got "yes" in every row\.',
    ),
    "fewer than 20 rows": (["few.csv", "--target", "price"], r"The table must be at least 20 rows long\. Got 19\..*"),
    "infinities in X": (["wild.csv", "--target", "price"], r'Column "a" must hold finite numbers .* such as -?inf\.'),
    "an out that holds something": (
        [*GOOD, "--out", "full"],
        r"out must be a new or empty folder\. full already holds something: .*",
    ),
    "an out below a file": (
        [*GOOD, "--recipes", "1", "--epochs", "1", "--out", "good.csv/x"],
        r"out must be a folder that can be made\. .*",
    ),
    "unknown field": (
        [*GOOD, "--set", "widths=8"],
        r"--set FIELD must be one of .*\. Got 'widths'\. Did you mean 'width'\?",
    ),
    "no value": ([*GOOD, "--set", "width"], r"--set must be FIELD=VALUE, .* Got 'width'\."),
    "a word for a number": ([*GOOD, "--set", "width=wide"], r"--set width must be a number\. Got 'wide'\."),
    "a field out of range": ([*GOOD, "--set", "dropout=1"], r"Recipe\(dropout=…\) must be a number .* Got 1.*"),
    "unknown rule": ([*GOOD, "--set", "rule=adma"], r"rule must be one of .* Got 'adma'\. Did you mean 'adam'\?"),
    "a setting without its rule": ([*GOOD, "--set", "rule.beta1=0.5"], r"rule\.beta1 must be given beside rule, .*"),
    "batches above the rows": ([*GOOD, "--set", "batch_size=999"], r"batch_size must be at most .* Got 999\."),
    "recipes without epochs": ([*GOOD, "--recipes", "3"], r"recipes and epochs go together: .*"),
    "unknown metric": ([*GOOD, "--metric", "rsme"], r"metric must be .* Got 'rsme'\. Did you mean 'rmse'\?"),
    "a metric of classes": ([*GOOD, "--metric", "auc"], r"metric must be one for regression: .* Got 'auc'\."),
    "a negative limit": ([*GOOD, "--seconds", "-1"], r"seconds must be a positive number\. Got -1\.0\."),
    "a word for seconds": ([*GOOD, "--seconds", "soon"], r"Invalid value for '--seconds': .* See slalom race --help\."),
    "unknown option": ([*GOOD, "--secnds", "5"], r"No such option.*--seconds.* See slalom race --help\."),
    "malformed recipe": ([*GOOD, "--recipe", "bad.toml"], r"bad\.toml: The recipe must be TOML\. .*"),
    "unknown field of a recipe": ([*GOOD, "--recipe", "odd.toml"], r"odd\.toml: .*'rul'\. Did you mean 'rule'\?"),
    "batches of a recipe above the rows": ([*GOOD, "--recipe", "big.toml"], r"batch_size must be at most .* Got 999\."),
    "missing recipe": ([*GOOD, "--recipe", "gone.toml"], r"--recipe must be a TOML file\. gone\.toml: No such file.*"),
    "no race to continue": (["--continue", "full"], r"full must be the folder of a race\. .*"),
    "another target for a race": (
        ["--continue", "python", "--target", "price"],
        r"--target must not be given beside --continue\. It stays as it was in python\.",
    ),
    "a race of arrays": (
        ["--continue", "python"],
        r"python must be a race from a file\. .* slalom\.race\(…, extend='python'\)\.",
    ),
    "a race whose rows are gone": (
        ["--continue", "moved"],
        r"The data of moved must still be there\. gone\.csv is not: give its place, slalom race FILE .*",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All the tables and recipes that the sentences are about."""
    made = tmp_path_factory.mktemp("bad")
    table(made / "good.csv")
    table(made / "unknown.csv", price_3="", price_9="")
    table(made / "endless.csv", price_3="inf")
    table(made / "wild.csv", a_3="-inf")
    table(made / "few.csv", rows=19)
    text = (made / "good.csv").read_text(encoding="utf-8")
    (made / "one.csv").write_text(text.replace("no,", "yes,"), encoding="utf-8")
    (made / "header.csv").write_text("a,b,kind,price\n", encoding="utf-8")
    (made / "empty.csv").touch()
    (made / "bad.toml").write_text("rule = = 3", encoding="utf-8")
    (made / "odd.toml").write_text('rul = "adam"', encoding="utf-8")
    (made / "big.toml").write_text("batch_size = 999", encoding="utf-8")
    order = '[order]\nseed = 0\ntask = "auto"\nmetric = "rmse"\n'
    for name, source in (("full", None), ("python", ""), ("moved", "gone.csv")):
        (made / name).mkdir()
        (made / name / "journal.sqlite").touch()
        if source is not None:
            data = f'[data]\nsource = "{source}"\ntarget = "price"\nvalidation_rows = 0\n'
            (made / name / "race.toml").write_text(data + order, encoding="utf-8")
    return made


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_of_a_race_is_one_sentence(folder: Path, case: str) -> None:
    arguments, sentence = REFUSED[case]
    before = there(folder)
    ended = slalom("race", *arguments, "--quiet", cwd=folder)
    assert re.fullmatch(sentence + r"\n", ended.stderr), ended.stderr
    assert (ended.returncode, ended.stdout) == (2, "")
    assert there(folder) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["predict", "full", "good.csv"], r"full must be a run folder or a model folder\. It has no model in it\."),
        (["leaderboard", "gone"], r"gone must be the folder of a race\. .*"),
        (["rac"], r"No such command 'rac'\. Did you mean 'race'\? See slalom --help\."),
    ],
)
def test_bad_input_of_the_other_commands_is_one_sentence(folder: Path, arguments: list[str], sentence: str) -> None:
    ended = slalom(*arguments, cwd=folder)
    assert re.fullmatch(sentence + r"\n", ended.stderr), ended.stderr
    assert (ended.returncode, ended.stdout) == (2, "")
