"""Devices other than a CPU: lanes, calls, workers and costs, as far as they can be held without one."""

import pytest

from slalom import seats
from slalom.cost import step_seconds
from slalom.lane import call_lanes, call_steps, width
from slalom.net import Net
from slalom.step import Structure

SMALL = Structure(Net(inputs=16, outputs=3, depth=2, width=64), 64, "softmax")
LARGE = Structure(Net(inputs=100, outputs=3, depth=2, width=256), 256, "softmax")


@pytest.mark.parametrize(("racers", "wanted"), [(1, 1), (2, 2), (3, 4), (64, 64), (65, 128), (5000, 1024)])
def test_lanes_of_a_gpu_are_as_wide_as_there_are_racers(racers, wanted):
    """The next power of two holds them; more than 1,024 go in several lanes. A CPU's lanes do not hang on it."""
    assert width(SMALL, "gpu", racers) == wanted
    assert width(SMALL, "cpu", racers) == width(SMALL, "cpu") == 4


def test_a_gpu_is_given_one_wide_lane_a_call_and_many_steps():
    """No lanes in turn, and no step count from the CPU's model: 256 steps, fewer where their rows fill 8 MB."""
    assert call_lanes(SMALL, 1024, epoch=10, device="gpu") == 1 < call_lanes(SMALL, 4, epoch=10, device="cpu")
    assert call_steps(SMALL, 1024, 1, device="gpu") == 256 > call_steps(SMALL, 1024, 1, device="cpu")
    assert call_steps(LARGE, 256, 1, orders=64, device="gpu") == 2**21 // (64 * 256)


def test_a_step_on_a_gpu_gets_cheaper_with_the_width_of_the_lane():
    """Starting the parts of a step is shared by the lane; what is left is the work of each racer."""
    costs = [step_seconds(SMALL, k, "gpu") for k in (1, 8, 64, 1024)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > 100 * costs[-1]
    assert step_seconds(LARGE, 1024, "gpu") > step_seconds(SMALL, 1024, "gpu")
    rate = seats.SUPPLIERS / step_seconds(SMALL, 1024, "gpu")
    assert rate == pytest.approx(3.77e6, rel=0.25)  # racer-steps a second of an H200, as measured


def test_a_gpu_has_a_few_workers_whatever_the_cores(monkeypatch):
    """They hand one device its calls; on a CPU there is one a core."""
    assert [seats.workers(n) for n in (1, 2, 16)] == [1, 2, 16]
    monkeypatch.setattr(seats, "kind_of_device", lambda: "gpu")
    assert [seats.workers(n) for n in (1, 2, 16)] == [1, 2, 4]
