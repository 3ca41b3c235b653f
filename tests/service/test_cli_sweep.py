"""`qawait sweep`: a grid from the command line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.service.running import LocalService, submissions

TURN = """OPENQASM 3.0; include "stdgates.inc";
input float gamma; input float beta;
qubit[2] q; bit[2] c;
rx(gamma) q[0]; rx(beta) q[1];
c = measure q;
"""


def sweep(local: LocalService, tmp_path: Path, *arguments: str) -> tuple[int, Any, str]:
    program = tmp_path / "turn.qasm"
    program.write_text(TURN)
    ran = subprocess.run(
        [sys.executable, "-m", "qawait", "sweep", str(program), *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "QAWAIT_TOKEN": local.token,
            "QAWAIT_SERVICE": f"iqm:{local.url}",
        },
    )
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else None, ran.stderr


def test_every_point_of_the_grid_has_its_counts(
    local_service: LocalService, tmp_path: Path
):
    pi = "3.141592653589793"
    grid = ["--set", f"gamma=0:{pi}:2", "--set", f"beta=0,{pi}"]
    code, found, said = sweep(local_service, tmp_path, *grid, "--shots", "50")
    assert code == 0, said
    assert "4 circuits in about 1 jobs, 200 shots" in said
    counts = {point["key"]: point["counts"] for point in found["points"]}
    assert counts == {
        "gamma=0.0,beta=0.0": {"00": 50},
        f"gamma=0.0,beta={pi}": {"10": 50},
        f"gamma={pi},beta=0.0": {"01": 50},
        f"gamma={pi},beta={pi}": {"11": 50},
    }


def test_a_dry_run_sends_nothing(counted: LocalService, tmp_path: Path):
    grid = ["--set", "gamma=0:1:30", "--set", "beta=0"]
    code, found, said = sweep(counted, tmp_path, *grid, "--dry-run")
    assert (code, list(found)) == (0, ["estimate"])
    assert found["estimate"]["circuits"] == 30
    assert "30 circuits" in said
    assert asyncio.run(submissions(counted)) == []


def test_a_budget_leaves_points_out_and_a_second_run_sends_the_rest(
    null_service: LocalService, tmp_path: Path
):
    grid = ["--set", "gamma=0:1:6", "--set", "beta=0", "--shots", "10"]
    journal = ["--journal", str(tmp_path / "j")]
    code, found, said = sweep(
        null_service, tmp_path, *grid, *journal, "--max-shots", "40"
    )
    assert code == 1
    assert len(found["points"]) == 4
    assert "budget" in said
    code, found, said = sweep(null_service, tmp_path, *grid, *journal)
    assert code == 0
    assert "6 points (4 in the journal)" in said
    assert len(found["points"]) == 6


@pytest.mark.parametrize(
    "values", ["gamma", "gamma=", "gamma=1:2", "gamma=0:1:1", "gamma=x", "gamma=nan"]
)
def test_values_that_are_none_are_refused(
    null_service: LocalService, tmp_path: Path, values: str
):
    code, _, said = sweep(null_service, tmp_path, "--set", values)
    assert code == 2
    assert "NAME=FROM:TO:COUNT" in said
