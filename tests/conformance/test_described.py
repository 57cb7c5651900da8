"""Every registered part says what it is, where it comes from, and what each of its settings means."""

import importlib.util
import re
from pathlib import Path

import pytest

from slalom.described import KINDS, described, everything, members
from slalom.errors import SlalomError
from slalom.listed import entry, table
from slalom.record import parts_of, settings_of

ROOT = Path(__file__).parents[2]
EACH_PART = pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in members(kind)])


@EACH_PART
def test_a_part_has_title_formula_and_source(kind, name):
    """A title without the source's brackets, a formula, and a paper with its year or the word standard."""
    about = described(kind, name)
    assert about.name == name
    assert 2 < len(about.title) < 150
    assert "http" not in about.title
    assert about.title.count("(") == about.title.count(")")
    assert about.formula
    assert all(line == line.rstrip() for line in about.formula)
    assert about.source == "standard" or re.search(r"https://|\b(1[6-9]|20)\d\d\b", about.source)
    assert re.fullmatch(r"(https://\S+[^\s.,;])?", about.link)


@EACH_PART
def test_all_settings_are_explained(kind, name):
    """Every setting and part of a record is listed with its meaning, and the text speaks of it by name."""
    one, about = members(kind)[name], described(kind, name)
    declared = {*settings_of(one), *parts_of(one)} if hasattr(one, "__dataclass_fields__") else set()
    assert declared <= {said.name for said in about.settings}
    for said in about.settings:
        assert said.meaning
        assert said.kind == "part" or said.interval or said.default is None or isinstance(said.default, tuple)
        assert re.search(rf"\b{said.name}\b", " ".join(about.text)), f"{said.name} is not explained"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [80, 100, 120])
def test_lists_fit_the_terminal(kind, columns):
    """Tables are no wider than the terminal; in an entry only formulas and code may be."""
    assert max(map(len, table(everything(kind), columns).splitlines())) <= columns
    for about in everything(kind):
        shown = entry(about, columns)
        told = [line for line in shown.splitlines() if not line.startswith("    ") and "http" not in line]
        assert max(map(len, told)) <= columns
        assert all(line in shown for line in about.formula)
        assert all(said.name in shown for said in about.settings)


def test_unknown_kinds_and_names_are_answered_with_their_neighbours():
    """What is not known is refused in a sentence."""
    with pytest.raises(SlalomError, match=r"^KIND must be one of rules, .* Got 'rule'\. Did you mean 'rules'\?$"):
        members("rule")
    with pytest.raises(SlalomError, match=r"^NAME of rules must be one of .* Did you mean 'adam'\?$"):
        described("rules", "adma")


@pytest.fixture(scope="module")
def generate():
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_pages_are_current(generate):
    """docs/techniques is what docs/generate.py writes (if this fails: python docs/generate.py)."""
    assert [path.name for path in generate.stale()] == []


def test_a_stale_page_is_seen(generate, tmp_path, monkeypatch, capsys):
    """A page that is changed, missing or of no kind is named, with exit code 1."""
    monkeypatch.setattr(generate, "FOLDER", tmp_path / "techniques")
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "techniques" / "rules.md").write_text("by hand")
    (tmp_path / "techniques" / "layers.md").unlink()
    (tmp_path / "techniques" / "tricks.md").write_text("of nobody")
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    said = capsys.readouterr().out
    assert [name for name in ("rules", "schedules", "layers", "tricks") if f"/{name}.md " in said] == [
        "rules", "layers", "tricks",
    ]  # fmt: skip
