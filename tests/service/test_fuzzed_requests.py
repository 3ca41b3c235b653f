"""Thousands of requests that are nearly right; the nightly run sends 100,000."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.service.fuzzed_requests import main

SEED = int(os.environ.get("FUZZ_SEED", "20261122"))


@pytest.mark.timeout(180)
def test_no_request_is_an_internal_error_or_an_end_and_memory_stays():
    """Failures name the seed and the number; `FUZZ_SEED` sets another seed."""
    found = main(2000, SEED)
    statuses = found["statuses"]
    assert isinstance(statuses, dict)
    assert sum(statuses.values()) == 2000
    # a test in which everything is refused at the door would prove nothing
    assert min(statuses["200"], statuses["201"], statuses["400"]) > 20, statuses
    assert isinstance(found["grown_bytes"], int)
    assert found["grown_bytes"] < 20 << 20


def test_a_request_that_cannot_be_read_puts_no_token_on_the_terminal():
    """The line that is wrong may be the one with the token."""
    program = (
        "import sys\n"
        "from tests.service.fuzzed_requests import answer_to, refused_line\n"
        "from tests.service.running import running\n"
        "with running('--null') as service:\n"
        "    said = answer_to(service, refused_line(service))\n"
        "    assert said.startswith(b'HTTP/1.0 400 '), said\n"
        "    print(service.token)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
    )
    assert len(ran.stdout.strip()) >= 32
    assert ran.stderr == ""
