"""SIGKILL at the calls to the system themselves: here some, every night each of them.

The mutants are tried there too: a few calls would not find them out each time.
"""

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
    shutil.which("strace") is None, reason="strace finds the calls, and is not here"
)


def verdict(*arguments: str) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.crash.syscalls", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.timeout(210)
@pytest.mark.parametrize(
    ("protocol", "call", "stride"), [("iqm", "pwrite64", 40), ("qoro", "sendto", 11)]
)
def test_a_kill_at_a_call_duplicates_and_loses_nothing(
    protocol: str, call: str, stride: int
):
    found = verdict(protocol, str(stride), "sound", call)
    assert found["sound"], found
    assert found["kills"][call] >= 2
