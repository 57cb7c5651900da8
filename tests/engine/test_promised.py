"""What the search promises: its choices are replayed from the rows that each score left, and ties are called ties."""

import math
import time

import numpy as np
import pytest

from slalom import promised as promising
from slalom.entry import Entry
from slalom.executor import Threads
from slalom.intervals import means_of
from slalom.metrics import METRICS, Metric
from slalom.plan import Plan, Rung
from slalom.promised import promised, seconds_of, tied
from slalom.racing import race
from slalom.track import Track

from .heats import compiled, heat_of, racer
from .races import quickly

PLAN = Plan((Rung(9, 2), Rung(3, 6)))
RMSE = means_of(METRICS["rmse"])


@pytest.fixture(scope="module")
def heat():
    """A heat of two rules, in lanes of two."""
    return compiled(heat_of("regression", depth=1, activation="tanh"), ["adam", "sgd"], 2, None)


def raced(heat, count=9, last=None, **fields):
    """A track that has run recipes of rising learning rates, and its ranking."""
    entries = []
    for number in range(count):
        one = racer("adam", number, learning_rate=2e-3 * (1 + number), epochs=6, **fields)
        entries.append(Entry(number, one.recipe, heat, [one]))
    track = Track(PLAN, [heat], entries, Threads(1), math.inf if last is None else time.perf_counter() + 60)
    if last is not None:
        track.last = time.perf_counter() + last
    return track, track.run()


def test_rows_of_a_score_are_its_cost(heat):
    """What a score leaves of each choosing row makes its cost again."""
    _, ranked = raced(heat)
    for entry in ranked:
        for one in entry.racers:
            assert set(one.rows) == set(one.costs)
            for step, rows in one.rows.items():
                assert RMSE.of(rows.astype(float).mean(0)) == pytest.approx(one.costs[step], rel=1e-5)


def test_the_search_is_replayed(heat):
    """The found cost is that of the race's best recipe, and the track knows who passed its rungs."""
    track, ranked = raced(heat)
    ((entries, passed),) = track.starts
    assert len(entries) == 9
    assert passed == [3]
    found = promised(track)
    assert found.found == pytest.approx(ranked[0].best[0], rel=1e-5)
    assert found.corrected > found.found  # of fifteen rows that nine recipes were chosen by
    assert promised(track) == found  # a function of what the racers left


def test_nothing_is_promised_where_it_cannot_be(heat, monkeypatch):
    """A metric of the caller's own, too many rows, and a race that was over before it began have no correction."""
    track, _ = raced(heat)
    assert promised(track, seconds=1e-9) is None
    monkeypatch.setattr(promising, "BYTES_KEPT", 10)
    assert promised(track) is None
    monkeypatch.undo()
    monkeypatch.setattr(heat, "metric", Metric("own", METRICS["rmse"].of, False, "regression"))
    assert promised(track) is None
    assert promised(Track(PLAN, [heat], [], Threads(1), math.inf)) is None
    assert seconds_of(1.0) < 0.06


def test_a_recipe_that_diverged_is_never_chosen(heat):
    """The moments of a racer before it left for good count for nothing."""
    track, ranked = raced(heat)
    best = ranked[0]
    best.racers[0].diverged_at = max(best.racers[0].costs)
    others = min(entry.best[0] for entry in track.started if entry is not best)
    assert promised(track).found == pytest.approx(others, rel=1e-5)


def test_finalists_that_are_not_told_apart_tie(heat):
    """Finalists of one quality tie with the winner; one that is worse by far does not; without new seeds there is no
    tie."""
    _, ranked = raced(heat, last=30)
    finalists = [entry for entry in ranked if entry.again]
    assert len(finalists) >= 2
    second = finalists[1]
    for one in second.again:  # the same errors, a constant worse
        one.rows = {step: rows + np.float32(1e4) for step, rows in one.rows.items()}
    assert second not in tied(ranked)
    for i, one in enumerate(second.again):  # the same runs as the winner's
        one.rows = {one.best.step: finalists[0].again[i].rows[finalists[0].again[i].best.step]}
    assert second in tied(ranked)
    for entry in finalists:
        entry.again = []
    assert tied(ranked) == []


@pytest.mark.parametrize("metric", ["rmse", "r2", "log_loss", "accuracy", "auc"])
def test_a_race_tells_the_corrected_score(monkeypatch, metric):
    """In the metric's own direction, with its interval, worse than the score that chose on average; none of metrics
    that are no means over rows."""
    quickly(monkeypatch)
    rng, gaps = np.random.default_rng(0), []
    for seed in range(3):
        x = rng.normal(size=(300, 4))
        y = x[:, 0] + rng.normal(size=300)
        target = y if metric in ("rmse", "r2") else np.where(y > 0, "up", "down")
        fixed = {"depth": 1, "width": 8, "rule": "adam"}
        best = race(x, target, recipes=12, epochs=6, seed=seed, fixed=fixed, metric=metric).best
        if metric == "auc":
            assert best.corrected is None
            continue
        middle, low, high = best.corrected
        assert low <= middle <= high
        gaps.append((middle - best.score) * (-1 if METRICS[metric].greater else 1))
    assert metric == "auc" or np.mean(gaps) > 0
