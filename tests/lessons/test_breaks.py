"""Lessons that are broken: what a lesson says follows from the part that it is about."""

import importlib
import re

import jax
import numpy as np
import pytest

import slalom
from slalom import layers, lessons, rules, scaling, schedules

from .telling import TRAINED, text_of, told, well_told

pytestmark = pytest.mark.long


def larger(cls, method, by=1.02):
    """Break a class: what its method answers with is two per cent larger; of a pair the first."""

    def breaks(monkeypatch):
        whole = getattr(cls, method)

        def broken(self, *given, **named):
            answer = whole(self, *given, **named)
            if type(answer) is tuple:
                return (jax.tree.map(lambda a: a * by, answer[0]), *answer[1:])
            if isinstance(answer, tuple):  # a NamedTuple of numbers and tuples
                return jax.tree.map(lambda a: a * by, answer)
            return answer * by

        monkeypatch.setattr(cls, method, broken)

    return breaks


def averages(monkeypatch):
    """Break the average: another beta."""
    module = importlib.import_module("slalom.lessons.ewma")
    whole = module.ewma
    monkeypatch.setattr(module, "ewma", lambda y, beta, **named: whole(y, np.asarray(beta) * 0.99, **named))


BREAKS = {
    "scaling": [larger(getattr(scaling, n), "__call__") for n in ("MinMax", "ZScore", "Sigmoid")],
    "units": [larger(scaling.MinMax, "inverse"), larger(scaling.MinMax, "__call__")],
    "contours": [larger(rules.SGD, "step"), larger(scaling.ZScore, "__call__")],
    "batch-stochastic-minibatch": [larger(rules.SGD, "step")],
    "rate": [larger(rules.SGD, "step")],
    "loss-can-rise": [larger(rules.SGD, "step")],
    "ewma": [averages],
    "momentum": [larger(getattr(rules, n), "step") for n in ("Momentum", "AveragedMomentum", "VelocityMomentum")],
    "saddle-and-ravine": [larger(rules.Momentum, "step", 1.3)],
    "adagrad": [larger(rules.Adagrad, "step")],
    "rmsprop": [larger(rules.RMSProp, "step")],
    "adam": [larger(rules.Adam, "step")],
    "amsgrad": [larger(rules.AMSGrad, "step")],
    "swats": [larger(rules.SWATS, "step")],
    "radam": [larger(rules.RAdam, "step")],
    "schedules": [larger(getattr(schedules, n), "__call__")
                  for n in ("Step", "MultiStep", "Exponential", "Cosine", "Polynomial", "InverseTime")],
    "back-propagation": [larger(slalom.SigmoidNet, "forward")],
    "batch-norm": [larger(layers.BatchNorm, "apply")],
    "dropout": [larger(layers.Dropout, "apply")],
}  # fmt: skip


def test_every_lesson_is_broken():
    """No lesson is left out."""
    assert set(BREAKS) | TRAINED == set(lessons.REGISTRY)


@pytest.mark.parametrize(("name", "which"), [(name, i) for name, all_of in BREAKS.items() for i in range(len(all_of))])
def test_a_broken_part_changes_its_lesson(name, which, monkeypatch):
    """What a lesson says follows from the part it is about: broken, it says something else."""
    before = text_of(name)
    BREAKS[name][which](monkeypatch)
    assert told(name) != before


def test_what_is_computed_is_computed_again():
    """A lesson says the same when it is told again: what a broken part changes is no chance."""
    for name in ("batch-stochastic-minibatch", "batch-norm", "dropout", "swats"):
        assert told(name) == text_of(name)


SMALLER = {
    "deep_sigmoid": {"DEPTH": 2, "WIDTH": 8, "EPOCHS": 8, "ROWS": 200},
    "all_together": {"ROWS": 200, "EPOCHS": 2, "SEEDS": 2, "RATES": np.array([0.01])},
}


@pytest.fixture
def smaller(monkeypatch):
    """The lessons that race, with little to do."""
    for name, values in SMALLER.items():
        for constant, value in values.items():
            monkeypatch.setattr(importlib.import_module(f"slalom.lessons.{name}"), constant, value)


def test_a_race_of_a_broken_layer_is_another(smaller, monkeypatch):
    """Batch norm that is broken changes the curves of the deep net; nothing is taken from kept programs."""
    module = importlib.import_module("slalom.lessons.deep_sigmoid")
    monkeypatch.setenv("SLALOM_CACHE", "off")
    before = module.curves()
    larger(layers.BatchNorm, "apply", 1.5)(monkeypatch)
    after = module.curves()
    assert [np.array_equal(before[name], after[name]) for name in before] == [True, False, False]


def test_the_deep_net_is_told_with_its_scores(smaller):
    """A line for each of the three nets, each with five scores."""
    page = told("deep-sigmoid")
    well_told(page)
    assert len(re.findall(r"^    (?:without|batch norm .*?)(?: +-?\d\.\d{3}){5}$", page, re.MULTILINE)) == 3


def test_the_last_race_says_what_it_measured(smaller):
    """Every rule has a score on every task, and every claim its verdict."""
    module = importlib.import_module("slalom.lessons.all_together")
    text = told("all-together")
    well_told(text)
    assert text.count(" ± ") == len(module.RULES) * len(module.CLAIMS)
    verdicts = re.findall(r"^    (?:simple|complex|sparse) .* (yes|no|tie)$", text, re.MULTILINE)
    assert len(verdicts) == len(module.CLAIMS)


@pytest.mark.parametrize(
    ("scores", "said"), [([1.0, 1.1, 1.2], "yes"), ([2.0, 2.1, 2.2], "no"), ([1.1, 3.0, 1.4], "tie")]
)
def test_a_claim_holds_where_its_rule_is_best_or_tied(scores, said):
    """A gap of less than twice its error over the paired races is a tie."""
    module = importlib.import_module("slalom.lessons.all_together")
    others = [1.05, 1.15, 1.25]
    assert module._verdict({"adam": scores, "sgd": others}, ("adam",))[1] == said
