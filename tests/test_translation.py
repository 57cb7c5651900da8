"""The Chinese README says what the English one says: the same code, the same numbers in its tables, the same links."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))


def blocks(text):
    """The blocks of code without comments and spaces; what a race prints is left out."""
    found = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return ["".join(re.sub(r"#.*", "", block).split()) for block in found if "rank  name" not in block]


def test_the_code_is_the_same():
    """Every block of code, in its order."""
    assert blocks(CHINESE) == blocks(ENGLISH)


def test_the_tables_have_the_same_numbers():
    """Row by row."""
    number = r"\d+(?:,\d{3})*(?:\.\d+)?"
    rows = lambda text: [re.findall(number, row) for row in re.findall(r"^\|.*\d.*$", text, re.MULTILINE)]  # noqa: E731
    assert rows(CHINESE) == rows(ENGLISH)


def test_the_links_are_the_same():
    """To the same pages, each of which is there."""
    links = [set(re.findall(r"\]\(([^)#]+)", text)) for text in (ENGLISH, CHINESE)]
    assert links[0] - {"README.zh.md"} == links[1] - {"README.md"}
    assert all((ROOT / link).exists() for link in links[0] | links[1])
