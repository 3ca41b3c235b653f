"""`qawait chaos`: a verdict from the ledger, and an exit code that follows from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qawait.chaos.plan import Plan

ROOT = Path(__file__).parents[2]
BROKEN = """
import sys
from qawait.cli import main
from tests.crash.tormenting import MUTANTS
MUTANTS["no keys"]()
sys.exit(main(sys.argv[1:]))
"""


def chaos(*arguments: str, program: tuple[str, ...] = ("-m", "qawait")) -> Any:
    return subprocess.run(
        [sys.executable, *program, "chaos", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=110,
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize("protocol", ["iqm", "qoro"])
def test_a_client_that_keeps_its_promises_passes(protocol: str):
    ran = chaos("--kills", "4", "--seed", "5", "--protocol", protocol, "--json")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["sound"]
    assert (found["protocol"], found["seed"], found["kills"]) == (protocol, 5, 4)
    assert found["bound"] == pytest.approx(3 / 4)
    assert found["points"] == Plan(seed=5).points * found["sweeps"]
    assert found["submitted"] >= found["points"] / 2
    assert found["duplicated"] == found["lost"] == 0
    assert "seed 5" in ran.stderr


@pytest.mark.timeout(120)
def test_a_client_that_does_not_fails_with_a_table_that_says_so():
    ran = chaos("--kills", "6", "--seed", "5", program=("-c", BROKEN))
    assert ran.returncode == 1, ran.stderr
    [duplicated] = [line for line in ran.stdout.splitlines() if "duplicated" in line]
    assert int(duplicated.split()[1]) > 0
    assert "a promise was broken; --seed 5" in ran.stderr


@pytest.mark.timeout(120)
def test_the_faults_are_those_of_the_script():
    faults = "503:0.3@poll"
    ran = chaos("--kills", "2", "--seed", "1", "--faults", faults, "--json")
    assert ran.returncode == 0, ran.stderr
    assert set(json.loads(ran.stdout)["played"]) == {"503"}


def test_a_script_that_cannot_be_read_is_refused_before_anything_is_started():
    ran = chaos("--faults", "drop_rpely:0.1")
    assert ran.returncode == 2
    assert "drop_rpely" in ran.stderr
    assert ran.stdout == ""
