"""Programs that cannot be compiled: their recipes are left out, the others race on, and what failed is told."""

import copy

import numpy as np
import pytest

from slalom import race
from slalom.verdict import verdict

from . import races

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 3))
Y = X @ [1.0, -2.0, 0.5]
SMALL = {"depth": 1, "rule": "adam", "activation": "tanh", "batch_size": 16}
ERRORS = [
    RuntimeError("INTERNAL: no such\nthing"),
    ValueError("cannot be lowered"),
    NotImplementedError(),
    MemoryError(),
]


def broken(monkeypatch, error, fails):
    """Programs of nets for which `fails` holds cannot be made."""
    races.quickly(monkeypatch)

    def made(blueprint):
        if fails(blueprint.structure.net):
            raise error
        return races.compiled_once(blueprint)

    monkeypatch.setattr(races.heats, "Programs", made)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_other_shapes_race_on(monkeypatch, error):
    """One shape that cannot be compiled, at whatever stage, costs its own recipes: the others end as they do in a race
    in which it is compiled, and a note says which shape was left out, and why."""
    space = {"width": [8]}  # that the default recipe is not of
    races.quickly(monkeypatch)
    wanted = race(X, Y, recipes=6, epochs=2, fixed=SMALL, space=space)
    broken(monkeypatch, error, lambda net: net.width != 8)
    found = race(X, Y, recipes=6, epochs=2, fixed=SMALL, space=space)
    kept = wanted.leaderboard.filter(wanted.leaderboard["name"].is_in(found.leaderboard["name"].to_list()))
    assert len(wanted.leaderboard) - len(found.leaderboard) == 1
    assert found.leaderboard.drop("seconds", "rank").equals(kept.drop("seconds", "rank"))
    why = "INTERNAL: no such" if isinstance(error, RuntimeError) and str(error) else str(error) or type(error).__name__
    assert [note for note in found.notes if "compiled" in note] == [
        f"the shape 1 x 128 could not be compiled, and its recipes were left out: {why}."
    ]


def test_none_is_compiled(monkeypatch, tmp_path):
    """Where no program can be made the race ends without a winner: its model predicts the mean, and it says why."""
    broken(monkeypatch, ERRORS[0], lambda net: True)
    found = race(X, Y, recipes=3, epochs=2, fixed=SMALL, out=tmp_path / "run")
    assert not found.best.won
    np.testing.assert_allclose(found.model.predict(X), Y.mean(), atol=0.5)
    assert any("could not be compiled" in note for note in found.notes)
    assert "No recipe could be scored: no program could be compiled. The notes say why." in verdict(found)[0]
    assert (tmp_path / "run" / "leaderboard.csv").exists()
    assert not (tmp_path / "run" / "unfinished").exists()


def test_a_core_without_its_program_is_told(monkeypatch):
    """Where a worker could not load a program, and raced beside another, a note says why the race was slow."""
    races.quickly(monkeypatch)

    def made(blueprint):
        programs = copy.copy(races.compiled_once(blueprint))
        programs.troubles = {"cpu:1": RuntimeError("RESOURCE_EXHAUSTED: no\nroom")}
        return programs

    monkeypatch.setattr(races.heats, "Programs", made)
    found = race(X, Y, recipes=2, epochs=1, fixed=SMALL, space={"width": [8]})
    wanted = "a program could not be loaded for every core, which made the race slower: RESOURCE_EXHAUSTED: no."
    assert [note for note in found.notes if "loaded" in note] == [wanted]
