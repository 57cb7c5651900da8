"""The pages of the documentation: every block of code is run, and prints what stands under it."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [page for page in sorted(DOCS.glob("*.md")) if ">>> " in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_is_true(page):
    """The examples of a page run from top to bottom and print what the page says."""
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=options, encoding="utf-8")
    assert tried > 0
    assert failed == 0
    for block in page.read_text(encoding="utf-8").split("```python\n")[1:]:
        assert block.startswith(">>> "), f"nothing runs this block: {block[:60]}"


def test_the_pages_are_found():
    """At least the page on descents is among them."""
    assert "descent.md" in [page.name for page in PAGES]
