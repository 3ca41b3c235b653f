"""Every promise on the page about security is held by a test that there is."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "explanation" / "security.md").read_text()


def test_every_test_that_is_named_is_there():
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 30
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (TESTS / file).is_file()
        or f"def {name}(" not in (TESTS / file).read_text() + "def ("
    ]
    assert missing == []


def test_every_promise_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith("| what is promised")]
    assert promises
    assert [row for row in promises if ".py" not in row] == []


def test_the_local_service_logs_no_requests():
    """A log of requests would hold whatever somebody puts into an address."""
    server = TESTS.parent / "src" / "qawait" / "local" / "server.py"
    assert "access_log=None" in server.read_text()
