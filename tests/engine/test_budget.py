"""A limit on memory: what it leaves out, that it is respected by the plan, and that it changes no bit of what runs."""

import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import budget, heat, race
from slalom.budget import BASE, BYTES_A_PARAMETER, lanes_of, left_out, racers_of, size_of
from slalom.errors import SlalomError
from slalom.executor import cores
from slalom.heat import bytes_of_lane
from slalom.order import Order
from slalom.racing import preview
from slalom.repeated import KEPT, order_of
from slalom.seats import workers

from .heats import heat_of
from .races import quickly

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 3))
Y = X @ [1.0, -2.0, 0.5]
SMALL = {"depth": 1, "width": 8, "rule": "adam"}
BYTES = st.integers(1, 10**9)


@settings(max_examples=200, deadline=None)
@given(limit=st.integers(int(BASE), 10**10), read=BYTES, variant=BYTES, kept=st.integers(0, 5), spare=st.integers(0, 9))
def test_a_table_fits_or_is_refused(limit, read, variant, kept, spare):
    """What stays of a table is within the limit, no variant is left out that would have fitted, and a table is refused
    just where it does not fit without any."""
    try:
        out, room = left_out(limit, read, variant, kept, spare)
    except SlalomError:
        assert BASE + read + kept * variant > limit
        return
    held = BASE + read + (kept + spare - out) * variant
    assert held <= limit
    assert out == 0 or held + variant > limit
    assert room == limit - held + read


@settings(max_examples=200, deadline=None)
@given(room=st.floats(0, 1e10), parameters=BYTES, lane=BYTES, workers=st.integers(1, 64))
def test_racers_and_calls_are_within_the_room(room, parameters, lane, workers):
    """Racers beside one lane a worker take no more than there is, and calls of several lanes no more than theirs."""
    racers, lanes = racers_of(room, parameters, lane, workers), lanes_of(room, 16, lane, workers)
    assert racers == 0 or racers * BYTES_A_PARAMETER * parameters + workers * lane <= room
    assert lanes == 1 or workers * lanes * lane <= budget.CALLS * room
    assert lanes_of(room, 2 * lanes, lane, workers) == lanes or lanes == 16


@pytest.mark.parametrize("wrong", ["", "4", "x", "-1GB", "4 XB", "0", 0, -5, 1.5, True, "9999999TB", b"4GB"])
def test_what_is_no_size_is_one_sentence(wrong):
    """Anything but a size is refused, but for a plain number of bytes as text."""
    if wrong == "4":
        assert size_of(wrong) == 4
        return
    with pytest.raises(
        SlalomError, match=r"^memory must be a size such as \"4GB\" or \"500MB\", or a number of bytes\."
    ):
        size_of(wrong)


def test_less_memory_is_a_smaller_plan():
    """The less memory, the fewer recipes and scalings a race with a limit in seconds plans for; what it plans for fits.
    Where a few do not fit, and where so many do not that were counted, the need is said, and it suffices."""
    plans = [preview(X, Y, seconds=300, memory=memory) for memory in (None, "1GB", "740MB", "720MB")]
    recipes = [plan["recipes"] for plan in plans]
    assert recipes == sorted(recipes, reverse=True)
    assert len(set(recipes)) > 2
    for plan, limit in zip(plans[1:], (1000e6, 740e6, 720e6), strict=True):
        assert plan["memory_bytes"] + BASE <= limit
    assert any("memory suffices for" in note for note in plans[-1]["notes"])
    assert any("memory does not suffice for the scalings" in note for note in preview(
        np.tile(X, (400, 1)), np.tile(Y, 400), seconds=300, memory="716MB", fixed=SMALL)["notes"])  # fmt: skip
    for asked in ({"seconds": 300}, {"recipes": 64, "epochs": 3}, {"recipes": 6000, "epochs": 3, "fixed": SMALL}):
        with pytest.raises(SlalomError, match=r"^memory must be at least [\d,]+ MB for \d+ recipes of") as refused:
            preview(X, Y, memory="701MB", **asked)
        need = str(refused.value).removeprefix("memory must be at least ").partition(" MB")[0].replace(",", "")
        assert preview(X, Y, memory=f"{int(need) + 1}MB", **asked)["recipes"] >= 1
    with pytest.raises(SlalomError, match=r"^memory must be at least \d+ MB for this table\. Got 650 MB\."):
        preview(X, Y, memory="650MB")


def test_calls_are_narrower():
    """A call has fewer lanes where memory is short: as many, in powers of two, as fit into the share of calls."""
    heat = heat_of("regression", depth=1, width=8)
    assert heat.places // heat.width == 16
    one = workers(cores()) * bytes_of_lane(heat.structure, heat.width) / budget.CALLS
    for fitting, lanes in ((16.0, 16), (15.9, 8), (3.0, 2), (0.5, 1)):
        heat.prepared.room = fitting * one
        assert heat.places // heat.width == lanes


def test_the_limit_is_kept():
    """What is written down of a race has the limit, so that one that is resumed plans with the same."""
    order = Order(seconds=60.0, memory="2GB")
    kept = {name: getattr(order, name) for name in KEPT} | {"metric": "rmse"}
    assert order_of({"order": {name: value for name, value in kept.items() if value is not None}}).memory == 2 * 10**9


@pytest.mark.long
def test_a_limit_changes_no_bit(monkeypatch, tmp_path):
    """Narrower calls end with the leaderboard of wide ones; the limit stands in race.toml."""
    quickly(monkeypatch)
    monkeypatch.setattr("slalom.racing.cores", lambda: 1)  # crews are large then
    lanes = []
    compiled = heat.Programs
    monkeypatch.setattr(heat, "Programs", lambda blueprint: lanes.append(blueprint.lanes) or compiled(blueprint))
    wide = race(X, Y, recipes=30, epochs=1, fixed=SMALL)
    narrow = race(X, Y, recipes=30, epochs=1, fixed=SMALL, memory=int(BASE + 2_800_000), out=tmp_path / "run")
    assert lanes[0] > lanes[-1]
    assert narrow.leaderboard.drop("seconds").equals(wide.leaderboard.drop("seconds"))
    kept = tomllib.loads((tmp_path / "run" / "race.toml").read_text())
    assert kept["order"]["memory"] == int(BASE + 2_800_000)
