"""EIO from the disk: here at some calls, every night at each of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace makes calls fail, and is not here"
)


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.crash.failing_disk", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=200,
    )


@pytest.mark.timeout(210)
@pytest.mark.parametrize(
    ("way", "call", "stride"),
    [("once", "fdatasync", 4), ("from then on", "pwrite64", 26), ("once", "write", 3)],
)
def test_what_a_journal_has_acknowledged_outlives_a_failing_disk(
    way: str, call: str, stride: int
):
    """The rest is refused with a `JournalError`, and an id is shown at least."""
    done = ran(way, str(stride), "sound", call)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found[call]["failed"] >= 2
    assert found[call]["refused"] >= 1


@pytest.mark.timeout(210)
@pytest.mark.parametrize(
    ("mutant", "way", "call"),
    [
        # what is written and not flushed may be there all the same
        ("send whatever happens", "from then on", "pwrite64"),
        ("keep ids back", "once", "fdatasync"),
    ],
)
def test_a_journal_that_hides_what_the_disk_said_is_found_out(
    mutant: str, way: str, call: str
):
    done = ran(way, "5", mutant, call)
    assert done.returncode != 0
    assert "is lost" in done.stderr or "and is nowhere" in done.stderr, done.stderr
