"""The page of promises: every test that it names is there, and every fault of the list stands in its table once."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/.-]+)?(?:::(\w+))?(?:\[[^]`]*\])?`")


def named():
    """(file, test or "") of each test that the page names; one without a file is of the file named before."""
    file = ""
    for found in NAMED.finditer(PAGE):
        if found[1] or found[2]:
            file = found[1] or file
            yield file, found[2] or ""


def test_every_test_that_is_named_is_there():
    """A promise that stands beside a test has that test: the file is there, and defines it."""
    pairs = set(named())
    assert len(pairs) > 60
    missing = [file for file, _ in pairs if not (ROOT / file).exists()]
    assert not missing
    assert not [(f, t) for f, t in pairs if t and f"def {t}(" not in (ROOT / f).read_text(encoding="utf-8")]


def test_every_fault_has_a_row():
    """Faults 49 to 94 of the list each have one row, with a test or the reason why there is none."""
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(49, 95))
    assert all(re.search(r"`tests/|`::|does not apply|no test", held) for _, _, held in rows)
