"""Every promise on the page about security is held by a test that there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
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


def test_the_rules_about_dangerous_calls_are_errors():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rules = project["tool"]["ruff"]["lint"]
    dangerous = {"S108", "S301", "S306", "S307", "S506"}
    assert dangerous <= set(rules["select"])
    assert not dangerous & set(rules["ignore"])
    # in `src` no line is let off, either
    let_off = re.compile(r"noqa: *[A-Z0-9, ]*\b(?:S\d{3})\b")
    sources = (ROOT / "src").rglob("*.py")
    assert [str(one) for one in sources if let_off.search(one.read_text())] == []


def test_the_core_needs_four_packages_with_floors():
    """Below 3.14.3 aiohttp sends a token on to another host when it is redirected."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    floors = dict(one.split(">=") for one in project["dependencies"])
    assert floors.keys() == {"aiohttp", "anyio", "msgspec", "numpy"}
    assert tuple(map(int, floors["aiohttp"].split("."))) >= (3, 14, 3)


def test_a_token_is_compared_in_constant_time():
    border = ROOT / "src" / "qawait" / "local" / "border.py"
    assert "hmac.compare_digest(" in border.read_text()


def test_the_local_service_logs_no_requests():
    """A log of requests would hold whatever somebody puts into an address."""
    server = ROOT / "src" / "qawait" / "local" / "server.py"
    assert "access_log=None" in server.read_text()
