"""The verdict of `qawait chaos`: what it reads from a ledger, and what breaks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.journals import OWNER, intent, result

from qawait.chaos.address import Ledger, Submission
from qawait.chaos.plan import Plan
from qawait.chaos.verdict import Account, Swept, Verdict, judge
from qawait.errors import ConfigurationError
from qawait.journal.opening import open_files
from qawait.journal.reading import read
from qawait.journal.writer import Order, transact
from qawait.model import Delivery


def iqm(job_id: str, *names: str) -> Submission:
    body = json.dumps({"circuits": [{"name": name} for name in names]})
    return Submission(job_id, "iqm-server", body)


def swept(path: Path, *, said: set[str]) -> Swept:
    """Four submissions of one circuit each: ended, unknown, refused, and never sent."""
    opened = open_files(path, OWNER)

    def act(store: Any) -> None:
        for name in ("done", "unsure", "refused", "fresh"):
            store.intend(intent(f"s-{name}", f"s0-{name}"))
        store.sending("s-done")
        store.outcome("s-done", Delivery.ACCEPTED, "job-done", "")
        store.ended("s-done", result("job-done", "s0-done"), ())
        store.sending("s-unsure")
        store.outcome("s-unsure", Delivery.UNKNOWN, None, "no answer")
        store.sending("s-refused")
        store.outcome("s-refused", Delivery.REJECTED, None, "no")

    settled = transact(opened.connection, opened.store, opened.segments, [Order(act)])
    assert [done.error for done in settled if done.error] == []
    opened.close()
    keys = ["s0-done", "s0-unsure", "s0-refused"]
    return Swept("s0", keys, read(path), said)


def judged(one: Swept, *submissions: Submission) -> Verdict:
    verdict = Verdict(protocol="iqm", seed=1, faults="", kills=300)
    judge(verdict, Ledger(list(submissions)), [one])
    return verdict


DONE = iqm("job-done", "s0-done")
UNSURE = iqm("job-of-nobody", "s0-unsure")


def test_what_is_said_to_be_unknown_is_neither_lost_nor_twice(tmp_path: Path):
    one = swept(tmp_path / "j", said={"job-done"})
    verdict = judged(one, DONE, UNSURE)
    assert verdict.sound
    assert (verdict.submitted, verdict.points) == (2, 3)
    assert (verdict.duplicated, verdict.lost) == (0, 0)
    assert (verdict.unknown, verdict.failed) == (1, 1)
    assert verdict.bound == 0.01


@pytest.mark.parametrize(
    ("submissions", "said", "duplicated", "lost"),
    [
        pytest.param(
            [DONE, iqm("job-2", "s0-unsure", "s0-done")], (), 1, 1, id="twice"
        ),
        pytest.param([DONE], ["job-9"], 0, 1, id="an id that was shown"),
        pytest.param([], [], 0, 1, id="a result of a job that never was"),
        pytest.param(
            [DONE, iqm("job-3", "s0-refused")], [], 0, 1, id="refused, and ran"
        ),
        pytest.param([DONE, iqm("job-4", "s0-fresh")], [], 0, 1, id="new, and ran"),
        pytest.param(
            [DONE, iqm("job-5", "s0-other")], [], 0, 1, id="not there, and ran"
        ),
    ],
)
def test_what_must_not_happen_is_counted(
    tmp_path: Path,
    submissions: list[Submission],
    said: list[str],
    duplicated: int,
    lost: int,
):
    verdict = judged(swept(tmp_path / "j", said=set(said)), *submissions)
    assert (verdict.duplicated, verdict.lost) == (duplicated, lost)
    assert not verdict.sound


def test_a_point_that_no_journal_has_is_lost(tmp_path: Path):
    one = swept(tmp_path / "j", said=set())
    missing = Swept("s0", [*one.keys, "s0-gone", "s0-fresh"], one.reading, one.said)
    assert judged(missing, DONE).lost == 2


@pytest.mark.parametrize(
    "found",
    [
        {"duplicated": 1},
        {"lost": 1},
        {"not_refused": 1},
        {"damaged": ["a sentence"]},
        {"crashed": ["exit code 70"]},
        {"most_unknown": 5},
    ],
)
def test_each_broken_promise_alone_makes_the_verdict_bad(found: dict[str, Any]):
    plain = {"protocol": "iqm", "seed": 1, "faults": "", "most_unknown": 4}
    assert Verdict(**plain).sound
    assert not Verdict(**(plain | found)).sound


def test_what_several_processes_found_is_counted_together():
    verdict = Verdict(protocol="iqm", seed=1, faults="")
    verdict.add(Account(3, 2, 1, 0, ["damaged"], []))
    verdict.add(Account(4, 1, 2, 5, [], ["crashed"]))
    assert (verdict.kills, verdict.most_unknown) == (7, 2)
    assert (verdict.refused, verdict.not_refused) == (3, 5)
    assert (verdict.damaged, verdict.crashed) == (["damaged"], ["crashed"])


def test_qoros_circuits_are_named_in_its_uploads():
    opening, upload = {"tag": "t"}, {"circuits": {"a": "...", "b": "..."}}
    body = "\n".join(map(json.dumps, (opening, upload, {"circuits": {"c": "..."}})))
    assert Submission("job", "qoro", body).labels() == ["a", "b", "c"]


def test_there_is_no_other_protocol():
    with pytest.raises(ConfigurationError, match="'carrier pigeon'"):
        Plan(seed=1, protocol="carrier pigeon")
