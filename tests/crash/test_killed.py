"""SIGKILL at random moments: what was said to be on the disk is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KILLS = 60
SUBMISSIONS = 4
SEED = 20261121


def verdict(path: Path, kills: int, mutant: str) -> dict[str, int]:
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.crash.killing"),
            *(str(path), str(kills), str(SEED), mutant),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=150,
    )
    assert ran.returncode == 0, f"seed {SEED}: {ran.stderr}"
    return json.loads(ran.stdout)


@pytest.mark.timeout(160)
def test_no_kill_costs_what_was_said_to_be_on_the_disk(tmp_path: Path):
    """And at most as many are unknown after each as were under way."""
    found = verdict(tmp_path / "j", KILLS, "sound")
    assert found["lost"] == 0, f"seed {SEED}: {found}"
    assert found["most"] <= SUBMISSIONS
    assert found["said"] > 2 * KILLS
    assert found["unknown"] > 0, "or they were killed where nothing happens"


@pytest.mark.timeout(160)
@pytest.mark.parametrize("mutant", ["acknowledge first", "forget"])
def test_a_journal_that_says_so_too_early_or_forgets_is_found_out(
    tmp_path: Path, mutant: str
):
    assert verdict(tmp_path / "j", 25, mutant)["lost"] > 0
