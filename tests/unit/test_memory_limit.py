"""Simulator processes take so much memory and no more."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux bounds the memory of a process"
)


def _said(program: str) -> str:
    """What a process of its own prints: the bound stays for good."""
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout


def test_more_than_the_limit_is_a_memory_error_and_the_process_goes_on():
    program = """
from qawait.local.memory_limit import limit_memory
limit_memory(64 << 20)
small = bytearray(32 << 20)
try:
    bytearray(64 << 20)
except MemoryError:
    print("refused", len(bytearray(1 << 20)))
"""
    assert _said(program) == f"refused {1 << 20}\n"


def test_the_limit_is_three_quarters_of_the_machine_and_what_is_reserved():
    program = """
import os, resource
from qawait.local.memory_limit import limit_memory
limit_memory()
print(resource.getrlimit(resource.RLIMIT_AS)[0])
"""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < int(_said(program)) - int(0.75 * memory) < 4 << 30


def test_a_tighter_limit_stays():
    program = """
import resource
from qawait.local.memory_limit import limit_memory
for soft, hard in ((3 << 30, resource.RLIM_INFINITY), (2 << 30, 2 << 30)):
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    limit_memory(8 << 30)
    print(*resource.getrlimit(resource.RLIMIT_AS))
"""
    assert _said(program).split() == [str(3 << 30), "-1", *[str(2 << 30)] * 2]
