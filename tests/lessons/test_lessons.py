"""The lessons: every worked number is in their output and none in their source, and every sentence is translated."""

import ast
import importlib
import inspect
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from slalom import lessons, teaching
from slalom.errors import SlalomError
from slalom.lessons import base

from .telling import TRAINED, text_of, well_told

pytestmark = pytest.mark.long

WORKED = json.loads((Path(__file__).parents[1] / "worked_examples.json").read_text())
FOLDER = Path(lessons.__file__).parent
NUMBER = re.compile(r"(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")

# Of every key of the file: its lesson, and which of its values are results; the rest are inputs.
RESULTS = {
    "minmax": {"scaling": ["scaled"]},
    "zscore": {"scaling": ["mean", "std", "scaled_column"]},
    "sigmoid": {"scaling": ["scaled"]},
    "outlier": {"scaling": ["minmax", "zscore"]},
    "height_weight_zscore": {"scaling": ["scaled"]},
    "mismatched_units": {
        "units": [
            *("first_rows_before_units", "lstsq_raw_units", "minmax_first_rows", "lstsq_after_minmax_of_x_and_y"),
            *("prediction_scaled_first5", "prediction_in_units_first5", "truth_first5", "ratio_of_coefficients_raw"),
        ]
    },
    "contours": {
        "contours": [
            *("x_zscored", "start_seed_24", "condition_number_XtX_raw", "condition_number_XtX_zscored"),
            *("end_raw", "end_zscored"),
        ]
    },
    "rate_effect": {"rate": ["x_over_4_looks"]},
    "schedules": {"schedules": ["step.samples", "multistep.samples", "exponential.samples"]},
    "dropout": {"dropout": ["after_when_all_kept"]},
    "batch_norm_image": {"batch-norm": ["y"]},
    "batch_norm_two_rows": {"batch-norm": ["y"]},
    "batch_counts": {"batch-stochastic-minibatch": ["iterations_per_epoch", "ten_epochs"]},
    "ewma": {"ewma": ["beta_0.5", "beta_0.9"]},
    "back_propagation": {
        "back-propagation": [
            *("hidden", "outputs", "loss", "d_w5_to_w8", "d_w1_to_w4", "w5_to_w8_after", "w1_to_w4_after"),
        ]
    },
    "one_parameter": {
        "momentum": [
            "after_two_steps.momentum(rate 0.01, 0.9)",
            "variants_in_the_lessons.momentum, exponentially weighted, s1 = g1 (rate 0.01, 0.9)",
            "variants_in_the_lessons.momentum, rate inside the buffer (0.01, 0.9)",
        ],
        "adagrad": ["after_two_steps.adagrad(rate 0.01)"],
        "rmsprop": [
            "after_two_steps.rmsprop(rate 0.01, decay 0.9)",
            "variants_in_the_lessons.rmsprop, v1 = g1^2 (0.01, 0.9)",
        ],
        "adam": ["after_two_steps.adam(rate 0.01, 0.9, 0.99)"],
    },
}
# What is printed to fewer places than computers agree on, as tests/oracles/test_worked_examples.py has it.
TOLERANCES = {"lstsq_raw_units": 5.1e-8, "prediction_in_units_first5": 5.1e-8, "truth_first5": 5.1e-8,
              "ratio_of_coefficients_raw": 2e-3}  # fmt: skip
CASES = [(key, name, place) for key, where in RESULTS.items() for name, places in where.items() for place in places]
MOST = 8  # decimals that are compared


def numbers(text):
    """The numbers of a text with how many decimals each has."""
    for found in NUMBER.findall(text):
        plain = found.replace(",", "").replace("−", "-")
        try:
            yield float(plain), len(plain.partition("e")[0].partition(".")[2]) if "e" not in plain else 99
        except ValueError:  # indices, as in w[1][2,2]
            continue


def flat(value):
    """All numbers of a value; of a text those in it that have decimals."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, str):
        return [float(number) for number in re.findall(r"-?\d+\.\d+", value)]
    return [number for one in value for number in flat(one)] if isinstance(value, list) else [float(value)]


def at(key, place):
    """The value that stands at a place of a key; names may have dots in them."""
    here, rest = WORKED[key], place
    while rest:
        name = next(name for name in here if rest == name or rest.startswith(f"{name}."))
        here, rest = here[name], rest[len(name) + 1 :]
    return here


def decimals(number):
    """How many decimals a number of the file has."""
    return (
        max(0, -int(np.floor(np.log10(abs(number)))) + 2)
        if "e" in repr(number)
        else len(repr(number).partition(".")[2])
    )


@pytest.mark.parametrize(("key", "name", "place"), CASES, ids=[f"{key}.{place}" for key, _, place in CASES])
def test_worked_numbers_are_told(key, name, place):
    """Every result of the file stands in the output of its lesson, with as many decimals as the file has (eight)."""
    tolerance = max(TOLERANCES.get(place, 0.0), WORKED[key].get("tolerance", 0.0))
    there = list(numbers(text_of(name)))
    for number in flat(at(key, place)):
        places = min(decimals(number), MOST) if number != int(number) else 0
        allowed = max(tolerance, 0.51 * 10.0**-places)
        enough = 4 if tolerance else places
        assert any(abs(one - number) <= allowed and many >= enough for one, many in there), number


def test_every_key_has_its_lesson():
    """No key of the file is without a lesson, and none of its results is left out."""
    assert set(RESULTS) == set(WORKED)
    variants = WORKED["one_parameter"]["variants_in_the_lessons"] | WORKED["one_parameter"]["after_two_steps"]
    claimed = [place for places in RESULTS["one_parameter"].values() for place in places]
    assert len(claimed) == len(variants)


def inputs():
    """All numbers of the file that are no results."""
    results = {(key, place) for key, _, place in CASES}
    found = set()
    for key, about in WORKED.items():
        for name, value in about.items():
            inside = value if isinstance(value, dict) and (key, name) not in results else {"": value}
            for deeper, one in inside.items():
                if not {(key, name), (key, f"{name}.{deeper}")} & results:
                    left = {k: v for k, v in one.items() if k != "samples"} if isinstance(one, dict) else one
                    found.update(flat(left))
    return found


def digits(text):
    """How many significant digits a written number has."""
    return len(text.partition("e")[0].replace(".", "").replace("-", "").strip("0"))


@pytest.mark.parametrize("file", sorted([*FOLDER.glob("*.py"), *FOLDER.glob("*.json")]), ids=lambda file: file.name)
def test_no_source_has_a_result(file):
    """No number of a lesson's source, in code or in words, is a result of the file, whole or rounded."""
    results = [number for key, _, place in CASES for number in flat(at(key, place))]
    allowed = inputs()
    for found in NUMBER.findall(file.read_text(encoding="utf-8")):
        text = found.replace(",", "").replace("−", "-").replace("_", "")
        try:
            number, many = float(text), digits(text)
        except ValueError:
            continue
        if many < 3 or number in allowed or -number in allowed:
            continue
        same = (lambda r, n=many: float(f"{r:.{n}g}")) if many > 3 else float
        assert all(abs(number) != abs(same(result)) for result in results), found


# --- the house --------------------------------------------------------------------------------------------------------


def test_the_registry_is_the_folder():
    """Every file but the contract and the bowls is a lesson, and its name in the registry is its own."""
    files = {file.stem for file in FOLDER.glob("*.py")} - {"__init__", "base", "bowls"}
    homes = {name: next(f for f in files if importlib.import_module(f"slalom.lessons.{f}").LESSON is about)
             for name, about in lessons.REGISTRY.items()}  # fmt: skip
    assert set(homes.values()) == files
    assert all(name.startswith(home.replace("_", "-")) for name, home in homes.items())


@pytest.mark.parametrize("name", lessons.REGISTRY)
def test_a_lesson_has_a_title_and_says_what_to_see(name):
    """A title of one line, a formula, a table, some sentences at the end; nothing unfilled, no lines of a mile."""
    title = lessons.REGISTRY[name].title
    assert 10 < len(title) < 90
    assert not title.endswith(".")
    if name not in TRAINED:
        well_told(text_of(name))


def sentences():
    """Every sentence that a lesson says, as its source has it, and the titles."""
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("page.say", "page.see"):
                assert isinstance(node.args[0], ast.Constant), f"{file.name}: a sentence is a template"
                yield node.args[0].value
    yield from (about.title for about in lessons.REGISTRY.values())
    yield from COMMANDS


COMMANDS = ("Run one:", "Its picture:", "The picture is in {png} and {svg}")  # of `slalom lesson` itself


def test_every_sentence_is_translated():
    """Chinese has every sentence, with the same numbers in it, and none that nobody says any more."""
    words, said = lessons.words("zh"), set(sentences())
    command = inspect.getsource(teaching)
    assert all(f'"{sentence}"' in command or f"'{sentence}'" in command for sentence in COMMANDS)
    assert said <= set(words)
    assert not [sentence for sentence in words if " " in sentence and len(sentence) > 24 and sentence not in said]
    for sentence in said:
        assert sorted(re.findall(r"{[^}]*}", sentence)) == sorted(re.findall(r"{[^}]*}", words[sentence])), sentence
        assert re.search("[\u4e00-\u9fff]", words[sentence]) or sentence.startswith("β₁ = "), sentence


def test_a_lesson_in_chinese_has_the_same_numbers():
    """The tables are the same; lines fit in a terminal, in which a Chinese sign takes two places."""
    page = lessons.Page(60, lessons.words("zh"))
    lessons.lesson("rate").tell(page)
    assert not page.missing
    assert "学习率" in page.text
    assert max(base.broad(line) for line in page.text.splitlines() if not line.startswith("    ")) <= 62
    rows = lambda text: [line for line in text.splitlines() if re.match(r"    0\.\d", line)]  # noqa: E731
    assert [row.split()[:6] for row in rows(page.text)] == [row.split()[:6] for row in rows(text_of("rate"))]


def test_names_are_found_in_other_writings():
    """Underscores are hyphens; an unknown name is answered with the nearest."""
    assert lessons.lesson("Batch_Norm") is lessons.REGISTRY["batch-norm"]
    with pytest.raises(SlalomError, match=r"^NAME of a lesson must be one of .*Got 'adma'\. Did you mean 'adam'\?$"):
        lessons.lesson("adma")


def test_infinite_numbers_of_a_table_are_told():
    """What diverged is ∞ or –, and rounding leaves no minus in front of 0."""
    page = lessons.Page()
    page.table({"w": [math.inf, -math.inf, math.nan, -1e-12]}, digits=2)
    assert page.text.split() == ["w", "∞", "−∞", "–", "0.00"]


def test_the_page_of_the_lessons_names_them_all():
    """docs/lessons.md has a line for every lesson, and for no other."""
    page = (Path(__file__).parents[2] / "docs" / "lessons.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == list(lessons.REGISTRY)
