from __future__ import annotations

import hashlib
import json
import tracemalloc
from datetime import datetime

from qawait.local.ledger import MOST_ENTRIES, Ledger


def test_the_oldest_entries_go_first_and_the_ledger_says_how_many() -> None:
    ledger = Ledger(most_entries=3)
    for n in range(5):
        ledger.request("GET", f"/{n}", 200 + n, "agent", n)
    written = json.loads(ledger.write())
    assert [entry["path"] for entry in written["requests"]] == ["/2", "/3", "/4"]
    assert written["dropped"] == {"requests": 2}


def test_bodies_that_take_too_much_leave_their_hash() -> None:
    ledger = Ledger(most_body_bytes=10)
    for body in (b"first6", b"other"):
        ledger.submission("id", "qoro", body, circuits=2, shots=9)
    first, other = json.loads(ledger.write(bodies=True))["submissions"]
    assert (first["body"], other["body"]) == (None, "other")
    assert first["body_sha256"] == hashlib.sha256(b"first6").hexdigest()
    assert "body" not in json.loads(ledger.write())["submissions"][0]


def test_times_are_utc_and_everything_has_its_own_name() -> None:
    ledger = Ledger()
    ledger.execution("job", 3, 1_800_000_000.25, 1_800_000_001.5, 4711)
    written = json.loads(ledger.write())
    assert set(written) == {"submissions", "executions", "requests"}
    [execution] = written["executions"]
    assert datetime.fromisoformat(execution["started"]).timestamp() == 1_800_000_000.25
    assert datetime.fromisoformat(execution["ended"]).timestamp() == 1_800_000_001.5
    assert execution["started"].endswith("Z")
    assert (execution["circuit"], execution["worker"]) == (3, 4711)


def test_requests_of_any_length_take_little_memory_each() -> None:
    """Whoever floods the service without a token fills its ledger all the same."""
    ledger = Ledger(most_entries=10_000)
    tracemalloc.start()
    try:
        for n in range(20_000):
            ledger.request("G" * 8000, f"/{n}" + "p" * 8000, 401, f"{n}" * 2000, 0)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / 10_000 * MOST_ENTRIES < 1 << 30
    [*_, last] = json.loads(ledger.write())["requests"]
    assert last["path"].startswith("/19999ppp")
