"""Checkpoints: what is written of racers on their way, what is dropped, and what damage costs."""

import errno
import os

import numpy as np
import pytest

from slalom import checkpoints, crews, race
from slalom.checkpoints import Checkpoints
from slalom.crew import Crew
from slalom.errors import RaceFailed

from .heats import compiled, heat_of, racer
from .races import quickly

SMALL = {"depth": 1, "width": 8, "rule": "adam"}
ONE = SMALL | {"batch_size": 32, "embedding": "none", "block": "plain", "normalisation": "none", "activation": "relu"}
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 3))
Y = X @ [1.0, -2.0, 0.5]


@pytest.fixture(scope="module")
def heat():
    """A heat of two rules, in lanes of two."""
    return compiled(heat_of("regression", depth=1, activation="tanh"), ["adam", "sgd"], 2, None)


def same(one, other):
    """Whether two racers are the same, bit for bit, but for their seconds."""
    plain, arrays = checkpoints.taken(one)
    others, other_arrays = checkpoints.taken(other)
    told = {k: v for k, v in plain.items() if k != "seconds"} == {k: v for k, v in others.items() if k != "seconds"}
    return (
        told
        and arrays.keys() == other_arrays.keys()
        and all(
            np.array_equal(arrays[n], other_arrays[n], equal_nan=True) and arrays[n].dtype == other_arrays[n].dtype
            for n in arrays
        )
    )


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("rule", ["adam", "sgd"])
def test_a_racer_comes_back(heat, rule, asked, tmp_path):
    """Written, read, put into a new racer and taken on: the same as one that was never written, bit for bit; whether
    its heat was asked to make it ready or its crew is the first to look at it (it once set out anew, then)."""
    one, alone = racer(rule, 3, dropout=0.2), racer(rule, 3, dropout=0.2)
    Crew(heat, [one]).advance(7, [3, 7], lambda: False)
    Crew(heat, [alone]).advance(15, [3, 7, 11, 15], lambda: False)
    keeper = Checkpoints(tmp_path)
    keeper.mark([one])
    keeper.save()
    kept = Checkpoints(tmp_path).load()
    again = racer(rule, 3, dropout=0.2)
    checkpoints.put(again, kept.racers[3, 0, 0], heat)
    if asked:
        heat.ready(again)
        assert same(again, one)
    Crew(heat, [again]).advance(15, [3, 7, 11, 15], lambda: False)
    assert same(again, alone)


def test_what_was_noted_does_not_move(heat, tmp_path):
    """A racer is written as it was when it was noted, also where it has gone on since."""
    one = racer("adam", 1)
    Crew(heat, [one]).advance(4, [2, 4], lambda: False)
    keeper = Checkpoints(tmp_path)
    keeper.mark([one])
    Crew(heat, [one]).advance(9, [6, 9], lambda: False)
    keeper.save()
    assert Checkpoints(tmp_path).load().racers[1, 0, 0].plain["step"] == 4


def test_old_files_go(heat, tmp_path):
    """The last two copies of every racer stay, and no more than these; a file that is damaged leaves the one before."""
    first, second, keeper = racer("adam", 1), racer("adam", 2), Checkpoints(tmp_path)
    for step in (2, 4, 6, 8):
        Crew(heat, [first]).advance(step, [step], lambda: False)
        keeper.mark([first])
        if step == 2:
            Crew(heat, [second]).advance(2, [2], lambda: False)
            keeper.mark([second])
        keeper.save()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:6] for name in files] == ["000001", "000003", "000004"]  # the first holds the other racer
    last = tmp_path / files[-1]
    last.write_bytes(last.read_bytes()[:-1])
    kept = Checkpoints(tmp_path).load()
    assert kept.damaged == (files[-1],)
    assert kept.racers[1, 0, 0].plain["step"] == 6
    assert kept.racers[2, 0, 0].plain["step"] == 2


def test_another_racer_is_refused(heat, tmp_path):
    """What was kept of another rule or net does not fit, and says so."""
    one = racer("adam", 1)
    Crew(heat, [one]).advance(4, [4], lambda: False)
    kept = checkpoints.taken(one)
    other = racer("sgd", 1)
    checkpoints.put(other, kept._replace(arrays={n: a for n, a in kept.arrays.items() if n != "state.0"}), heat)
    with pytest.raises(ValueError, match="not those of its net and rule"):
        heat.ready(other)


def test_a_full_disk_costs_no_race(monkeypatch, tmp_path):
    """Checkpoints that cannot be written are told, and the race ends as any other."""
    quickly(monkeypatch)

    def full(file, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

    monkeypatch.setattr(checkpoints, "write", full)
    result = race(X, Y, recipes=3, epochs=3, fixed=SMALL, every=0.0, out=tmp_path / "run")
    assert f"checkpoints could not be written: {os.strerror(errno.ENOSPC)}." in result.notes
    assert result.leaderboard["outcome"].to_list().count("finished") == 3
    assert not (tmp_path / "run" / "unfinished").exists()


def test_checkpoints_change_nothing(monkeypatch, tmp_path):
    """A race that writes them after every call has the same leaderboard and weights as one that writes none."""
    quickly(monkeypatch)
    often = race(X, Y, recipes=4, epochs=6, fixed=SMALL, every=0.0, out=tmp_path / "often")
    never = race(X, Y, recipes=4, epochs=6, fixed=SMALL)
    assert often.leaderboard.drop("seconds").equals(never.leaderboard.drop("seconds"))
    for one, other in zip(often.model.parts()[1].values(), never.model.parts()[1].values(), strict=True):
        np.testing.assert_array_equal(one, other)


# --- memory that does not suffice -------------------------------------------------------------------------------------


def test_crews_are_halved(monkeypatch):
    """Where memory does not suffice for more lanes than one, programs of half as many are made until it does: the same
    leaderboard. (The arrays of a call are those of all its lanes, whether they hold racers or not.)"""
    quickly(monkeypatch)
    monkeypatch.setattr("slalom.racing.cores", lambda: 1)  # crews are large then
    wanted = race(X, Y, recipes=24, epochs=1, fixed=ONE)
    advance, refused = Crew.advance, []

    def poor(self, *given, **more):
        if self.program.lanes > 1:
            refused.append(self.program.lanes)
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes.")
        return advance(self, *given, **more)

    monkeypatch.setattr(Crew, "advance", poor)
    found = race(X, Y, recipes=24, epochs=1, fixed=ONE)
    assert refused
    assert found.leaderboard.drop("seconds").equals(wanted.leaderboard.drop("seconds"))


def test_a_lane_without_memory(monkeypatch):
    """Where it does not suffice for one lane, the need is said; other errors stay what they are."""
    quickly(monkeypatch)

    def starved(self, *given, **more):
        raise MemoryError

    monkeypatch.setattr(Crew, "advance", starved)
    with pytest.raises(
        RaceFailed, match=r"^There must be memory for \d+ racers of 1 x 8 side by side, about [\d,]+ MB"
    ):
        race(X, Y, recipes=3, epochs=3, fixed=SMALL)
    with pytest.raises(RuntimeError, match="something else"):
        crews.parted([1, 2, 3], None, 4, RuntimeError("something else"))
