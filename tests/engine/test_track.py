"""The course of a race: what the pace says of the time, which crews run, what counts, and further starts."""

import json
import math
import os
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import crew, seats, track
from slalom.cost import CHECK, RACER
from slalom.entry import SPARE, Entry, forget
from slalom.executor import Queue, Threads
from slalom.finish import about_wave
from slalom.pace import FINALISTS, MEASURED, SAFETY, Pace
from slalom.plan import Plan, Rung, flat
from slalom.racer import Moment
from slalom.track import Track

from .heats import BATCH, TRAIN, compiled, heat_of, racer

PLAN = Plan((Rung(60, 2), Rung(20, 6), Rung(9, 18)))
PER_EPOCH = len(TRAIN) // BATCH


@pytest.fixture(scope="module")
def shapes():
    """Two heats without programs: a small net and one of fifty times its cost."""
    return heat_of("regression", width=8), heat_of("regression", width=512)


@pytest.fixture(scope="module")
def heat():
    """A heat of two rules, in lanes of two."""
    return compiled(heat_of("regression", depth=1, activation="tanh"), ["adam", "sgd"], 2, None)


def entries(heat, count, first=0, rule="adam", **fields):
    """Recipes of a heat that have not started."""
    racers = [racer(rule, number, dropout=0.1, **fields) for number in range(first, first + count)]
    return [Entry(one.number, one.recipe, heat, [one]) for one in racers]


# --- the pace ---------------------------------------------------------------------------------------------------------


def test_a_stop_costs_what_taking_racers_up_costs(shapes):
    """A crew in two pieces is modelled as one in a single piece and the racers taken up once more; scores are counted,
    and lanes in part filled cost as much as full ones."""
    pace = Pace(PLAN, 2)
    for heat in shapes:
        whole, pieces = (pace.crew(heat, 5, 0, 90), pace.crew(heat, 5, 0, 30) + pace.crew(heat, 5, 30, 90))
        assert pieces == pytest.approx(whole + 5 * RACER)
        full = -(-5 // heat.width) * heat.width
        work = pace.crew(heat, full, 0, 90) - full * (RACER + len(pace.checks(heat)) * CHECK)
        assert whole == pytest.approx(work + 5 * (RACER + len(pace.checks(heat)) * CHECK))
        assert {rung.epochs * PER_EPOCH for rung in PLAN.rungs} <= set(pace.checks(heat))


def test_slowness_is_what_was_measured(shapes):
    """The pace believes the clock after a few tenths of a second, and times what is left by it."""
    pace, few = Pace(PLAN, 2), entries(shapes[1], 9)
    expected = pace.rest(few, 0, 60)
    pace.modelled, pace.measured = MEASURED / 4, MEASURED / 2
    assert (pace.slowness, pace.rest(few, 0, 60)) == (1.0, expected)
    pace.modelled, pace.measured = 2.0, 5.0
    assert pace.slowness == 2.5
    assert pace.rest(few, 0, 60) == pytest.approx(2.5 * expected)


def test_the_rest_of_a_race_is_its_crews(shapes):
    """Seconds to the end are the crews still to run, over the workers, but never less than the longest recipe's own."""
    few = entries(shapes[0], 5) + entries(shapes[1], 4, first=5)
    one, many = Pace(PLAN, 1), Pace(PLAN, 1000)
    _, second, third = PLAN.counts(9)  # of those that stay at rung 0, a share goes on behind rung 1
    total = sum(one.stretch(entry, 1) for entry in few)
    total += sum(one.stretch(entry, 2) for entry in few[: round(9 * third / second)])
    assert one.rest(few, 0, 9) == pytest.approx(total * SAFETY)
    assert Pace(PLAN, 2).rest(few, 0, 9) == pytest.approx(total / 2 * SAFETY)
    assert many.rest(few, 0, 9) == pytest.approx(sum(many.stretch(few[-1], j) for j in (1, 2)) * SAFETY)
    assert one.rest(few, 1, 9) == pytest.approx(sum(one.stretch(entry, 2) for entry in few) * SAFETY)


def test_upto_counts_the_whole_plan(shapes):
    """Of recipes of one shape, each costs its first rung and its share of the later ones; the order in which they are
    given means nothing; a dearer shape that may stay makes the others dearer."""
    pace, small = Pace(PLAN, 2), entries(shapes[0], 60)
    found = pace.upto(small[::-1])
    each = sum(rung.recipes / 60 * pace.stretch(small[0], j) for j, rung in enumerate(PLAN.rungs))
    assert [found[entry] for entry in small] == pytest.approx([each * n for n in range(1, 61)])
    mixed = pace.upto(small[:30] + entries(shapes[1], 30, first=30))
    assert all(mixed[entry] > found[entry] for entry in small[:30])
    assert sorted(mixed.values()) == [mixed[entry] for entry in sorted(mixed, key=lambda entry: entry.number)]


@given(left=st.floats(1e-6, 60), started=st.integers(1, 60), slow=st.floats(0.2, 20))
@settings(max_examples=60, deadline=None)
def test_as_many_stay_as_fit(shapes, left, started, slow):
    """As many stay as the time left allows, one at least and never more than the plan has; with one more it would not
    do."""
    pace = Pace(PLAN, 2, modelled=1.0, measured=slow)
    ranked = entries(shapes[1], started)
    stay, most = pace.stay(ranked, 0, started, left), min(started, PLAN.rungs[1].recipes)
    assert 1 <= stay <= most
    assert stay == 1 or pace.rest(ranked[:stay], 0, started) <= left
    assert stay == most or pace.rest(ranked[: stay + 1], 0, started) > left
    assert stay <= pace.stay(ranked, 0, started, 2 * left)


# --- the track --------------------------------------------------------------------------------------------------------


class OneByOne:
    """An executor that does one task after the other."""

    compile_seconds = 0.0

    def __init__(self, workers):
        self.workers = workers

    def run(self, tasks, *, deadline, tick):
        queue = Queue(tasks)
        while queue:
            for task in queue.pop(0, self.workers).work() or ():
                queue.push(task)
            tick()
        return True


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_crews_are_of_one_rule_and_enough_for_all(heat, monkeypatch, workers):
    """Every racer runs once, among racers of its rule, in crews of at most a call and few enough for each worker to get
    several."""
    crews, made = [], crew.Crew.__init__
    monkeypatch.setattr(crew.Crew, "__init__", lambda self, h, racers: crews.append(racers) or made(self, h, racers))
    raced = entries(heat, 100) + entries(heat, 28, first=100, rule="sgd")
    Track(flat(128, 1), [heat], raced, OneByOne(workers), math.inf).run()
    assert all(len({one.kind for one in racers}) == 1 for racers in crews)
    assert sorted(one.number for racers in crews for one in racers) == list(range(128))
    assert max(map(len, crews)) == 128 // (track.TASKS * workers) <= heat.places
    assert len(crews) >= track.TASKS * workers
    assert [entry.outcome for entry in raced] == ["finished"] * 128


def test_useful_share_is_that_of_living_racers(heat):
    """Steps of copies, and of a racer behind the score that showed it diverged, are computed and not counted."""
    raced = entries(heat, 4) + entries(heat, 1, first=4, learning_rate=1e30)
    one = Track(flat(5, 4), [heat], raced, OneByOne(2), math.inf)
    assert about_wave(one, heat.prepared, 0.0)["useful_share"] is None
    one.run()
    ill, last = raced[4].racers[0].diverged_at, 4 * PER_EPOCH
    assert 0 < ill < last
    assert (one.racer_steps, raced[4].outcome) == (4 * last + ill, "diverged")
    assert 4 * last + 2 * ill <= one.place_steps < 6 * last  # the last lane held it and a copy, and was given up
    assert about_wave(one, heat.prepared, 0.0)["useful_share"] == round(one.racer_steps / one.place_steps, 4) < 1


@pytest.mark.parametrize(("more", "goes_on"), [(track.LEAST + 3, True), (track.LEAST - 1, False)])
def test_time_that_is_left_is_used_by_further_starts(heat, more, goes_on):
    """Where recipes and time are left a race starts again, until its time is used; each recipe starts once and ends. A
    start of fewer recipes than are worth it is not made."""
    phases, drawn = set(), iter(range(3, 10**6, more))
    raced, began = entries(heat, 3), time.perf_counter()
    executor = Threads(2, seats.take)
    one = Track(flat(3, 2), [heat], raced, executor, began + 1.5, report=lambda phase, *_: phases.add(phase))
    one.more = lambda ranked: entries(heat, more, first=next(drawn))
    ended = one.run()
    seconds = time.perf_counter() - began
    assert {entry.outcome for entry in ended} <= {"finished", "out of time"}
    assert [entry.outcome for entry in raced] == ["finished"] * 3
    assert len({entry.number for entry in ended}) == len(ended)
    if goes_on:
        assert len(ended) >= 3 + track.LEAST
        assert {"rung 1 of 1", "start 2, rung 1 of 1"} <= phases
        assert 1.2 < seconds < 2.5
    else:
        assert (len(ended), phases) == (3, {"rung 1 of 1"})


def test_nothing_starts_that_does_not_fit(heat):
    """Recipes start while they and those before them fit by the pace; one starts in any case, where there is time."""
    raced = entries(heat, 12)
    costs = list(Pace(flat(12, 2), 1).upto(raced).values())
    for seconds, count in [(costs[6] * 1.0001, 7), (0.0, 1)]:
        one = Track(flat(12, 2), [heat], entries(heat, 12), OneByOne(1), math.inf)
        one._left = lambda seconds=seconds: seconds
        assert sorted(entry.number for entry in one.run()) == list(range(count))
    late = Track(flat(12, 2), [heat], raced, OneByOne(1), time.perf_counter() - 1)
    assert late.run() == []
    undivided = Track(flat(12, 2), [heat], entries(heat, 12), OneByOne(1), time.perf_counter() + 20)
    undivided.pace.modelled, undivided.pace.measured = 1.0, 1e6  # a machine so slow that nothing fits
    assert len(undivided.run()) == 1


def test_a_race_bounded_by_seconds_fills_them(tmp_path):
    """A race of twelve seconds (of a busy machine more) whose first start holds 24 recipes goes on with others, uses
    its time, and tells when the first step was made and how much of the work was of use."""
    x = np.random.default_rng(0).normal(size=(60, 2))
    rows = [f"{a:.6f},{b:.6f},{3 * a - b:.6f}" for a, b in x]
    (tmp_path / "prices.csv").write_text("\n".join(["a,b,price", *rows, ""]), encoding="utf-8")
    script = "import slalom.plan; slalom.plan.WIDEST = 24; from slalom.cli import main; main()"
    asked = ["race", "prices.csv", "--target", "price", "--json", "-q"]
    asked += ["--set", "depth=1", "--set", "width=8", "--set", "rule=adam", "--set", "embedding=none"]
    for seconds in (12, 30):
        command = [sys.executable, "-c", script, *asked, "--seconds", str(seconds), "--out", f"run{seconds}"]
        ended = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=90)
        assert ended.returncode == 0, ended.stderr
        found = json.loads(ended.stdout)
        assert found["rungs"][0][0] <= 24
        assert found["recipes"] == sum(found["outcomes"].values())
        assert 0 < found["useful_share"] <= 1
        assert 0 < found["start_seconds"] < found["seconds"] < seconds + 1
        if found["recipes"] > 24:
            break
    assert found["recipes"] > 24
    assert found["seconds"] > 0.66 * seconds


@pytest.mark.parametrize(("room", "kept"), [(2**28, 43), (0, SPARE), (20 * 80, 20)])
def test_best_weights_are_kept_for_the_ensemble(shapes, monkeypatch, room, kept):
    """Of recipes that ended the 40 best and the three best of each structure keep their best weights, while those take
    no more memory than is set aside; a few keep them in any case, and nobody keeps the state of the training."""
    monkeypatch.setattr("slalom.entry.SPARE_BYTES", room)
    ended = entries(shapes[0], 50) + entries(shapes[1], 9, first=50)
    for entry in ended:
        entry.outcome, one = "dropped at rung 1", entry.racers[0]
        one.costs, one.state = {5: float(entry.number)}, object()
        memory = NamedTuple("Memory", [("mean", np.ndarray)])(np.zeros(10, np.float32))
        one.best = Moment(float(entry.number), 5, ({"w": np.zeros(10, np.float32)},), (memory,))
    assert ended[0].racers[0].best.nbytes == 80
    forget(ended, Track(PLAN, list(shapes), ended, OneByOne(1), math.inf, started=ended)._finished()[:FINALISTS])
    there = [entry.number for entry in ended if entry.racers[0].best]
    assert there == ([*range(40), 50, 51, 52] if kept == 43 else list(range(kept)))
    assert all(entry.racers[0].state is None for entry in ended)


def test_the_best_keep_their_last_weights(shapes):
    """Of the three best that came to their end the state stays, which the winner may be calibrated by; of all others it
    is freed."""
    ended = entries(shapes[0], 8)
    for entry in ended:
        entry.outcome = "dropped at rung 1" if entry.number in (0, 2) else "finished"
        entry.racers[0].costs, entry.racers[0].state = {5: float(entry.number)}, object()
    forget(ended, Track(PLAN, list(shapes), ended, OneByOne(1), math.inf, started=ended)._finished()[:FINALISTS])
    assert [entry.number for entry in ended if entry.racers[0].state] == [1, 3, 4]
