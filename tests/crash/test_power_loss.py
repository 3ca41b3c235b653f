"""What a power failure leaves of a journal, ten thousand times."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from qawait.errors import JobFailed
from qawait.journal import schema
from qawait.journal.records import Intent
from qawait.journal.rows import now
from qawait.journal.store import Store
from qawait.journal.writer import Order, transact
from qawait.model import Delivery
from tests.crash.failing_power import Disk, DiskForSQLite, Results

VFS = DiskForSQLite("qawait-failing-power")
SEED = 20261121
TRIALS = 10_000
MUTANT_TRIALS = 400


def empty() -> Disk:
    disk = Disk()
    connection = VFS.connection(disk)
    schema.create(connection)
    connection.close()
    return Disk({name: bytes(f.content) for name, f in disk.files.items()})


EMPTY = {name: bytes(f.content) for name, f in empty().files.items()}


def ended(submission_id: str, size: int) -> Order:
    error = JobFailed("x" * size, job_id=submission_id)
    return Order(lambda s: s.ended(submission_id, error, ()))


def work(
    connection: Any, disk: Disk, random: Random, acknowledged: dict[str, str]
) -> None:
    """Submit until the power fails; what a caller was told is in `acknowledged`."""
    schema.configure(connection)
    results: Any = Results(disk)
    store_ = Store(connection, results, now)
    connection.execute(f"PRAGMA wal_autocheckpoint = {random.choice([2, 8, 1000])}")
    disk.power = random.randrange(1, 140)
    number = 0
    while True:
        orders, told = [], []
        for _ in range(random.randrange(1, 4)):
            name = f"s{number}"
            number += 1
            intent = Intent(submission_id=name, target="q", circuits=1, shots=9)
            orders.append(Order(lambda s, i=intent: s.intend(i)))
            orders.append(Order(lambda s, n=name: s.sending(n)))
            told.append((name, "sending"))
        acknowledge(transact(connection, store_, results, orders), told, acknowledged)
        orders = [
            Order(lambda s, n=name: s.outcome(n, Delivery.ACCEPTED, f"id-{n}", ""))
            for name, _ in told
        ]
        told = [(name, "accepted") for name, _ in told]
        acknowledge(transact(connection, store_, results, orders), told, acknowledged)
        if random.random() < 0.5:
            orders = [ended(name, random.randrange(2000)) for name, _ in told]
            told = [(name, "terminal") for name, _ in told]
            acknowledge(
                transact(connection, store_, results, orders), told, acknowledged
            )


def acknowledge(
    settled: Any, told: list[tuple[str, str]], acknowledged: dict[str, str]
) -> None:
    assert [done.error for done in settled if done.error] == []
    acknowledged.update(told)


def lost(disk: Disk, acknowledged: dict[str, str]) -> list[str]:
    """What was acknowledged and is not there."""
    connection = VFS.connection(disk)
    schema.configure(connection)
    schema.check(connection, "journal.sqlite")  # type: ignore[arg-type]
    there = {e.submission_id: e for e in Store(connection, None, now).submissions.all()}
    results = bytes(disk.files["000001.seg"].content) if acknowledged else b""
    connection.close()
    order = ["new", "sending", "accepted", "terminal"]
    missing: list[str] = []
    for name, standing in acknowledged.items():
        entry = there.get(name)
        if entry is None or order.index(entry.standing) < order.index(standing):
            missing.append(name)
            continue
        if standing != "sending":
            assert entry.job_id == f"id-{name}"
        if entry.slot is not None:
            record = results[entry.slot.at : entry.slot.end]
            whole = len(record) == entry.slot.size and name.encode() in record
            if not whole or b"\0" * 600 in record:
                missing.append(name)
    return missing


def trial(seed: int, acknowledged: dict[str, str] | None = None) -> list[str]:
    """One power failure, and what it cost."""
    random = Random(seed)
    acknowledged = {} if acknowledged is None else acknowledged
    disk = Disk(EMPTY)
    connection = VFS.connection(disk)
    try:
        work(connection, disk, random, acknowledged)
    except Exception:
        # SQLite tells of the failure in its own words
        if disk.power >= 0:
            raise
    left = disk.after_the_failure(random)
    disk.power = 1 << 60
    connection.close()
    return lost(left, acknowledged)


@pytest.mark.timeout(240)
def test_no_power_failure_costs_what_was_acknowledged():
    """Ids, ends and the sectors of their results, in 10,000 failures; 0 files damaged."""
    bad: list[int] = []
    told = 0
    for n in range(TRIALS):
        acknowledged: dict[str, str] = {}
        if trial(SEED + n, acknowledged):
            bad.append(n)
        told += len(acknowledged)
    assert bad == [], f"seed {SEED}: trials {bad[:10]}"
    assert told > 3 * TRIALS, "failures so early say nothing"


def test_normal_would_lose_some(monkeypatch: pytest.MonkeyPatch):
    """The reason for FULL; and the proof that these failures can tell."""
    monkeypatch.setattr(schema, "SYNCHRONOUS", "NORMAL")
    assert any(trial(SEED + n) for n in range(MUTANT_TRIALS))


def test_a_commit_before_its_results_would_lose_some(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Results, "sync", lambda self: None)
    assert any(trial(SEED + n) for n in range(MUTANT_TRIALS))
