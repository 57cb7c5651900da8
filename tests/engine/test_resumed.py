"""A race with a limit in seconds that is interrupted between its rungs, and goes on: it ends as any other does."""

import numpy as np
import pytest

from slalom import Recipe, ending, race, resume
from slalom.errors import SlalomError
from slalom.result import Interrupted

from .races import quickly

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=400)
SHAPES = {
    "fixed": {"activation": "tanh", "batch_size": 64, "rule": "adam"},
    "space": {"depth": [1], "width": [8]},
    "also": [Recipe().with_fields({"depth": 2, "width": 8})],  # a heat of its own, as the default recipe is
    "baselines": False,
}
SECONDS = (6.0, 18.0, 54.0)  # of a busy machine more, until the phase is seen


def interrupted(phase, after, out):
    """A race that gets Ctrl-C as soon as it is in a phase and has run so many steps more; its folder, its seconds, and
    what was there by then."""
    seen = []

    def stop(status):
        if status.phase.startswith(phase) and not status.phase.endswith("compiling"):
            seen.append(status.racer_steps)
            if status.racer_steps >= seen[0] + after:
                raise KeyboardInterrupt

    for seconds in SECONDS:
        seen.clear()
        folder = out / f"{seconds:.0f}"
        try:
            race(X, Y, seconds=seconds, every=0.0, out=folder, progress=stop, **SHAPES)
        except Interrupted as stopped:
            return folder, seconds, stopped.result
    raise AssertionError(f"no race was so long in {phase}")


@pytest.mark.long  # on a busy machine no recipe may begin within its seconds
@pytest.mark.parametrize(("phase", "after"), [("rung 2", 0), ("rung 2", 2000), ("rung 3", 500), ("rung 1", 500)])
def test_between_rungs(monkeypatch, tmp_path, phase, after):
    """Resumed in the phase that it was cut off in, it ends: every recipe has one row and an outcome, those that had
    been dropped stay so, the winner has a score, and nothing is left to be resumed."""
    quickly(monkeypatch)
    race(X, Y, recipes=2, epochs=1, **SHAPES)  # what is compiled here takes no second of those below
    folder, seconds, stopped = interrupted(phase, after, tmp_path)
    found = resume(folder, X, Y)
    board, before = found.leaderboard, stopped.leaderboard
    assert found.best.won
    assert np.isfinite(found.best.score)
    assert board["name"].is_unique().all()
    assert board["outcome"].null_count() == 0
    went_on = board["epochs_run"].sum() - before["epochs_run"].sum()
    assert went_on > 0 or (went_on == 0 and stopped.about["seconds"] > 0.5 * seconds)  # of a busy machine
    dropped = {row["name"]: row["outcome"] for row in before.to_dicts() if row["outcome"].startswith("dropped")}
    after_all = dict(zip(board["name"], board["outcome"], strict=True))
    assert {name: after_all.get(name) for name in dropped} == dropped
    assert set(before["name"]) <= set(board["name"])
    assert found.about["seconds"] < seconds + 6  # of a busy machine
    assert not (folder / "unfinished").exists()


def cut_off(folder):
    """A race of three recipes that gets Ctrl-C once it is on its way."""
    done = []

    def stop(status):
        if not done and status.racer_steps > 200:
            done.append(status.racer_steps)
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        race(X, Y, recipes=3, epochs=200, every=0.0, out=folder, progress=stop, **SHAPES)


OTHER = {400: "", 300: r"They are not: it scored other rows than the \d+ of now\.$", 90: "^batch_size must be at most"}


@pytest.mark.parametrize(
    ("rows", "refused"), [pytest.param(*one, marks=() if one[0] == 300 else pytest.mark.long) for one in OTHER.items()]
)
def test_other_rows_by_force(monkeypatch, tmp_path, rows, refused):
    """With force a race goes on with rows that changed, if there are as many: more or fewer are refused in a sentence,
    and the race stays as it was."""
    quickly(monkeypatch)
    cut_off(tmp_path / "run")
    x, y = 1.01 * X[:rows], Y[:rows]
    with pytest.raises(SlalomError, match=r"^The data must be the same"):
        resume(tmp_path / "run", x, y)
    if refused:
        with pytest.raises(SlalomError, match=refused):
            resume(tmp_path / "run", x, y, force=True)
    else:
        assert np.isfinite(resume(tmp_path / "run", x, y, force=True).model.predict(x)).all()
    assert (tmp_path / "run" / "unfinished").exists() == bool(refused)


def test_no_ensemble_is_left_of_a_race_that_was_cut_off(monkeypatch, tmp_path):
    """An ensemble that an interrupted race left is not that of the race which ends: where that has none, it goes."""
    quickly(monkeypatch)
    cut_off(tmp_path / "run")
    (tmp_path / "run" / "ensemble").mkdir(exist_ok=True)
    (tmp_path / "run" / "ensemble" / "ensemble.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(ending, "combine", lambda *_: None)
    found = resume(tmp_path / "run", X, Y)
    assert found.ensemble is None
    assert not (tmp_path / "run" / "ensemble").exists()
    assert (tmp_path / "run" / "model" / "model.json").exists()
