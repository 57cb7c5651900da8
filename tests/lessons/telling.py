"""What the tests of the lessons share: what a lesson tells, told once."""

import functools
import re

from slalom import lessons

TRAINED = {"deep-sigmoid", "all-together"}  # whole races: tests of their own, that make them smaller


def told(name, **given):
    """What a lesson tells."""
    page = lessons.Page(**given)
    lessons.REGISTRY[name].tell(page)
    return page.text


text_of = functools.cache(told)


def well_told(text):
    """Check the form of a text: a formula, a table, some sentences at the end, nothing unfilled, no lines of a mile."""
    head, _, seen = text.partition("\n\nWhat to see\n")
    assert 2 <= seen.count("- ") <= 5
    assert head.count("\n    ") >= 5
    assert not re.search(r"\{\w*[:}]|nan\b|None", text)
    assert max(len(line) for line in text.splitlines()) <= 160
    assert all(len(line) <= 100 for line in text.splitlines() if not line.startswith("    "))
