"""The simulated races: their truth is the truth, and a few of them already come near what is wanted of hundreds."""

import json
import math

import numpy as np
import pytest
from benchmarks import confirmed, simulated

from slalom.evidence import HELPS, LEVEL_WITH, UNSTABLE

SMALL = simulated.World("small", 300, 200, simulated._normal)


@pytest.mark.long
def test_the_truth_is_what_many_runs_come_to():
    """The mean RMSE that is called true is that of many runs on very many rows."""
    rng = np.random.default_rng(0)
    world = simulated.World("w", 10, 50_000, simulated._normal, seeds=0.05)
    runs = simulated.Runs(world, rng, 50_000)
    found = [math.sqrt(np.mean(run**2)) for run in runs(1.1, 200, runs.recipe())]
    assert simulated.truth(world, 1.1, float(np.mean(runs.z**2))) == pytest.approx(np.mean(found), rel=3e-3)


def test_a_few_races_are_near_what_is_wanted():
    """Coverage, false verdicts, power and optimism of forty races of few rows: in wide bounds, which a wrong formula
    leaves."""
    told = simulated.simulated(SMALL, 40)
    assert 0.9 < told["coverage"] < 0.995
    assert told["family"] <= 0.15
    assert told["power"]["0.08"] > 0.6 > told["power"]["0.01"]
    assert told["optimism"] < -0.01
    assert abs(told["left"]) < 0.5 * abs(told["optimism"])
    assert "small: 300, 200" in simulated.table([told])
    assert json.loads(json.dumps(told)) == told


def side(**verdicts):
    """Verdicts of one half: part = (verdict, worth)."""
    return {
        part: {"verdict": verdict, "worth": worth, "low": None, "high": None}
        for part, (verdict, worth) in verdicts.items()
    }


def test_halves_that_agree_and_disagree_are_counted():
    """What the first half says is counted by what the second says of it; parts of which it says nothing are not."""
    first = side(a=(HELPS, 0.5), b=(HELPS, 0.4), c=(HELPS, 0.3), d=(LEVEL_WITH, 0.1), e=(HELPS, 0.2))
    second = side(a=(HELPS, 0.4), b=(LEVEL_WITH, 0.1), c=("hurts", -0.2), d=(HELPS, 0.3), e=(UNSTABLE, None))
    runs = {"set": {"metric": "rmse", "first": first, "second": second}}
    assert list(confirmed.counted(runs).values()) == [2, 1, 0, 1]
    assert "2 the same, 1 the same sign, not shown" in confirmed.table(runs)
