"""Ctrl-C at random moments of a sweep: on a healthy service nothing is left uncertain.

`python -m benchmarks.nightly` does it 2,000 times, and 500 times twice.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SEED = 20261121


def found(protocol: str, times: int, way: str, mutant: str = "sound") -> dict[str, Any]:
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.crash.interrupting"),
            *(protocol, str(times), str(SEED), way, mutant),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=170,
    )
    assert ran.returncode == 0, f"seed {SEED}: {ran.stderr}"
    return json.loads(ran.stdout)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("protocol", ["iqm", "qoro"])
def test_one_interrupt_leaves_nothing_unknown(protocol: str):
    """200 times in all, at whatever moment of connecting, sending and asking."""
    account = found(protocol, 100, "once")
    assert account["wrong"] == [], f"seed {SEED}: {account}"
    assert account["unknown"] == account["lost"] == 0
    # or nothing was put to the test
    assert account["at_work"] > 50
    assert account["sent"] > 100


@pytest.mark.timeout(180)
@pytest.mark.parametrize("protocol", ["iqm", "qoro"])
def test_a_second_interrupt_ends_it_within_two_seconds(protocol: str):
    """And leaves no more unknown than was under way."""
    account = found(protocol, 25, "twice")
    assert account["wrong"] == [], f"seed {SEED}: {account}"


@pytest.mark.timeout(180)
def test_a_sweep_that_does_not_wait_for_answers_is_found_out():
    assert found("iqm", 16, "once", "no waiting")["wrong"]
