"""The gallery: a page for every lesson in both languages, with its picture; Sphinx builds it without a warning."""

import importlib.util
from pathlib import Path

import pytest

from slalom import lessons

pytestmark = pytest.mark.long

FILE = Path(__file__).parents[2] / "docs" / "gallery.py"
spec = importlib.util.spec_from_file_location("gallery", FILE)
gallery = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gallery)


def test_pages_have_text_and_picture(tmp_path):
    """What Sphinx reads: two pages a lesson, one picture, two first pages."""
    source = gallery.write(tmp_path, ["rate", "ewma"])
    there = {str(file.relative_to(source)) for file in source.rglob("*") if file.is_file()}
    pages = {f"{place}{name}.rst" for place in ("", "zh/") for name in ("rate", "ewma", "index")}
    assert there == pages | {"conf.py", "static/gallery.css", "pictures/rate.svg", "pictures/ewma.svg"}
    text = (source / "rate.rst").read_text(encoding="utf-8")
    assert text.startswith(lessons.REGISTRY["rate"].title + "\n====")
    assert "\n.. image:: pictures/rate.svg\n" in text
    assert "1.6928" in text
    chinese = (source / "zh" / "rate.rst").read_text(encoding="utf-8")
    assert chinese.startswith("学习率")
    assert "../pictures/rate.svg" in chinese


def test_sphinx_builds_it(tmp_path):
    """The site stands, offline: no page asks another machine for anything."""
    pytest.importorskip("sphinx", reason="the extra gallery is not installed")
    assert gallery.main([str(tmp_path), "rate"]) == 0
    for page in ("index.html", "rate.html", "zh/rate.html"):
        text = (tmp_path / "html" / page).read_text(encoding="utf-8")
        assert 'src="http' not in text
        assert "Slalom lessons" in text


def test_without_a_folder_it_says_what_it_takes(capsys):
    """One sentence, exit code 2."""
    assert gallery.main([]) == 2
    assert capsys.readouterr().err.startswith("gallery.py takes a folder")
