"""Ten thousand jobs in flight are ten thousand entries of a heap, and no tasks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("jobs", "mebibytes"), [(10_000, 38.0), (100_000, 286.0)])
def test_jobs_in_flight_take_little_memory(jobs: int, mebibytes: float):
    """At most 40 MB for 10,000 and 300 MB for 100,000, each asked about at least once."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.followed_jobs", str(jobs)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert 0 < float(told.stdout) < mebibytes
