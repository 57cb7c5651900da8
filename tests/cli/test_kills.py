"""A hundred races that are killed at random moments and resumed end as the one that was left alone, bit for bit."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.parametrize("rows", [[], ["--folds"]], ids=["a table", "a small table, cross-fitted"])
def test_killed_at_random_moments(rows):
    """Fifty races of each kind, each killed at least once unless it ended before: at random times, and at random calls
    of writes, between a write and its new name and in the final save as well."""
    asked = [sys.executable, "-m", "benchmarks.kills", "--count", "50", "--seed", "7", *rows]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "50 ended the same, 0 otherwise." in done.stdout
    kills = int(done.stdout.rpartition(" races, ")[2].split()[0])
    assert kills >= 40
