"""What the tests of whole races share: programs that are compiled once, no baselines, and a look at the entries."""

import importlib

from slalom.baselines import NAMES, Baseline
from slalom.program import Programs

racing = importlib.import_module("slalom.racing")
winning = importlib.import_module("slalom.winning")
heats = importlib.import_module("slalom.heat")
compared = importlib.import_module("slalom.compared")
COMPILED = {}


class NoBaselines:
    """Stands for the process of the baselines where a test is not about them: it takes seconds to start."""

    def __init__(self, *_):
        pass

    def collect(self, deadline):
        return [Baseline(name, [], 0.0, "out of time") for name in NAMES]

    def close(self):
        pass


def compiled_once(blueprint):
    """A program is a pure function of its blueprint: the races of a test process share it."""
    return COMPILED.setdefault(blueprint, Programs(blueprint))


def quickly(monkeypatch):
    """Programs are shared, baselines are left out."""
    monkeypatch.setattr(heats, "Programs", compiled_once)
    monkeypatch.setattr(compared, "Baselines", NoBaselines)


def by_number(entry):
    """The order of the recipes' numbers."""
    return entry.number


def seen_by(monkeypatch, key=None):
    """A list that holds the entries of the last race, which no result shows: the best first, or in another order."""
    seen, crowned = [], winning.crowned

    def spy(ranked, *args):
        seen[:] = sorted(ranked, key=key) if key else ranked
        return crowned(ranked, *args)

    monkeypatch.setattr(winning, "crowned", spy)
    return seen
