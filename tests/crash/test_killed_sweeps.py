"""SIGKILL of sweeping programs at random moments: nothing twice, nothing lost.

The service's own ledger is the judge. `python -m benchmarks.nightly` does it 20,000 times.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
KILLS = {"iqm": 500, "qoro": 500}
SEED = 20261121


def verdict(
    protocol: str, kills: int, mutant: str = "sound", seed: int = SEED
) -> dict[str, Any]:
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.crash.tormenting"),
            *(protocol, str(kills), str(seed), mutant),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=580,
    )
    assert ran.returncode == 0, f"seed {seed}: {ran.stderr}"
    return json.loads(ran.stdout)


@pytest.mark.timeout(590)
@pytest.mark.parametrize("protocol", ["iqm", "qoro"])
def test_no_kill_duplicates_or_loses_anything(protocol: str):
    """With lost answers besides, and second processes that try to use the journal.

    Rule of three: with 95 % certainty less than 3/kills of all kills break a promise.
    """
    found = verdict(protocol, KILLS[protocol])
    bound = f"bound {3 / KILLS[protocol]:.1%}, seed {SEED}: {found}"
    print(bound)
    assert (found["duplicated"], found["lost"]) == (0, 0), bound
    assert found["damaged"] == [], bound
    assert found["crashed"] == [], bound
    assert found["not_refused"] == 0, bound
    assert found["most_unknown"] <= 4, bound
    assert found["sound"]
    assert found["kills"] == KILLS[protocol]
    # or nothing was put to the test
    assert found["most_unknown"] > 0, bound
    assert found["refused"] > 0, bound
    assert found["played"], bound
    assert found["submitted"] > found["kills"], bound


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("protocol", "mutant", "kills", "broken"),
    [
        ("iqm", "sending after the send", 10, "duplicated"),
        ("qoro", "sending after the send", 20, "duplicated"),
        ("iqm", "forget", 10, "duplicated"),
        ("qoro", "forget", 20, "duplicated"),
        ("iqm", "send the unknown again", 10, "duplicated"),
        ("qoro", "send the unknown again", 10, "duplicated"),
        ("iqm", "no keys", 5, "duplicated"),
        ("iqm", "acknowledge first", 20, "lost"),
        ("iqm", "no lock", 10, "not_refused"),
    ],
)
def test_a_client_without_one_of_its_promises_is_found_out(
    protocol: str, mutant: str, kills: int, broken: str
):
    """A kill has to come in the right millisecond, so there are four series of them."""
    for seed in range(SEED, SEED + 4):
        found = verdict(protocol, kills, mutant, seed)
        if found[broken] > 0:
            assert not found["sound"]
            return
    raise AssertionError(f"never found out, seeds {SEED} to {SEED + 3}")
