"""What a journal promises, on the disk and in memory."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import anyio
import msgspec
import pytest
from msgspec.structs import replace
from tests.journals import OWNER, intent, opened, point, result

from qawait import errors
from qawait.journal import store as store_module
from qawait.journal import writer
from qawait.journal.file import FileJournal
from qawait.journal.memory import MemoryJournal
from qawait.journal.opening import open_files
from qawait.journal.places import Places, read_commits
from qawait.journal.port import Journal
from qawait.journal.records import Standing, after
from qawait.journal.segments import Segment
from qawait.journal.writer import Order
from qawait.model import Change, Delivery, State

N, R, A, U = (
    Delivery.NOT_DELIVERED,
    Delivery.REJECTED,
    Delivery.ACCEPTED,
    Delivery.UNKNOWN,
)
SEED = 20261121
SEEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
CHANGES = (
    Change(State.PENDING_COMPILATION, "received", None, SEEN, inferred=True),
    Change(State.READY, "completed", SEEN, SEEN),
)


@pytest.fixture(params=["file", "memory"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    async with opened(tmp_path / "j.qawait") as journal:
        yield journal


async def standing(journal: Journal, submission_id: str = "s-1") -> str:
    [found] = [
        recorded
        for recorded in await journal.recorded()
        if recorded.intent.submission_id == submission_id
    ]
    return found.standing.value


async def accepted(journal: Journal, submission_id: str, *keys: str) -> None:
    await journal.intend(intent(submission_id, *keys))
    await journal.sending(submission_id)
    await journal.outcome(submission_id, A, f"job-{submission_id}")


# --- both -----------------------------------------------------------------------------


async def test_a_submission_goes_from_intent_to_its_end(journal: Journal):
    await journal.intend(intent("s-1", "x"))
    await journal.sending("s-1")
    assert await standing(journal) == "sending"
    await journal.outcome("s-1", A, "job-1")
    [recorded] = await journal.recorded(Standing.ACCEPTED)
    assert recorded.job_id == "job-1"
    assert recorded.intent.manifest == intent("s-1", "x").manifest
    await journal.ended("s-1", result("job-1", "x"), CHANGES)
    assert await journal.recorded(Standing.ACCEPTED) == []
    assert (await journal.tally()).jobs == {Standing.TERMINAL: 1}


async def test_a_job_without_shots_ends_after_one_with_shots(journal: Journal):
    """Expectation values take none, so that the last shot is gone before the job is."""
    without = msgspec.structs.replace(intent("values"), shots=0)
    for each in (without, intent("shots")):
        await journal.intend(each)
        await journal.sending(each.submission_id)
        await journal.outcome(each.submission_id, A, f"job-{each.submission_id}")
    for submission_id in ("shots", "values"):
        await journal.ended(submission_id, result(f"job-{submission_id}"), CHANGES)
    assert (await journal.tally()).jobs == {Standing.TERMINAL: 2}
    assert (await journal.tally()).spent_shots == 7


async def test_what_was_unknown_stays_so_with_its_first_evidence(journal: Journal):
    await journal.intend(intent())
    await journal.sending("s-1")
    await journal.outcome("s-1", U, evidence="the connection was reset")
    await journal.sending("s-1")
    await journal.outcome("s-1", R, evidence="400")
    [recorded] = await journal.recorded(Standing.UNKNOWN)
    assert recorded.evidence == "the connection was reset"
    await journal.outcome("s-1", A, "job-1")
    assert await standing(journal) == "accepted"


async def test_what_certainly_did_not_arrive_is_new_again(journal: Journal):
    await journal.intend(intent())
    await journal.sending("s-1")
    await journal.outcome("s-1", N, evidence="refused")
    assert await standing(journal) == "new"


async def test_ids_of_jobs_that_were_only_opened_are_kept(journal: Journal):
    await journal.intend(intent())
    await journal.opened("s-1", "first")
    await journal.opened("s-1", "second")
    await journal.sending("s-1")
    [recorded] = await journal.recorded()
    assert recorded.opened == ("first", "second")
    assert recorded.job_id == "second"


async def test_a_point_is_found_where_it_was_sent(journal: Journal):
    await accepted(journal, "s-1", "x", "y")
    sent = intent("s-1", "x", "y").points
    found = await journal.find([sent[1], point("z")])
    assert found[0] is not None
    assert (found[0].submission_id, found[0].place) == ("s-1", 1)
    assert (found[0].standing, found[0].job_id) == (Standing.ACCEPTED, "job-s-1")
    assert found[1] is None


async def test_the_same_key_with_another_circuit_is_named(journal: Journal):
    await accepted(journal, "s-1", "x", "y")
    other = point("y", source="another circuit")
    with pytest.raises(errors.PointMismatch, match="'y'") as caught:
        await journal.find([point("z"), other])
    assert caught.value.key == "y"


async def test_a_point_is_not_sent_while_it_is_under_way(journal: Journal):
    await accepted(journal, "s-1", "x", "y")

    async def send() -> None:
        await journal.intend(intent("s-2", points=(point("y"),)))
        await journal.sending("s-2")

    with pytest.raises(errors.JournalError, match="'y' is accepted already"):
        await send()


async def test_points_of_a_refused_batch_are_sent_again_apart(journal: Journal):
    await journal.intend(intent("s-1", "x", "y"))
    await journal.sending("s-1")
    await journal.outcome("s-1", R)
    await accepted(journal, "s-2", "x")
    [found] = await journal.find([point("x")])
    assert found is not None
    assert found.submission_id == "s-2"


@pytest.mark.parametrize("choice", ["keep", "adopt", "resubmit"])
async def test_an_unknown_submission_is_resolved_by_its_user_alone(
    journal: Journal, choice: str
):
    await journal.intend(intent("s-1", "x"))
    await journal.sending("s-1")
    await journal.outcome("s-1", U, evidence="504")
    await journal.resolve("s-1", choice, "job-9" if choice == "adopt" else None)
    [found] = await journal.find([point("x")])
    tally = await journal.tally()
    assert tally.spent_jobs == 1, "whatever is decided, it may have cost something"
    assert tally.spent_shots == 7
    if choice == "keep":
        assert found is not None
        assert found.standing is Standing.UNKNOWN
    elif choice == "adopt":
        assert found is not None
        assert (found.standing, found.job_id) == (Standing.ACCEPTED, "job-9")
    else:
        assert found is None
        await accepted(journal, "s-2", "x")
        assert (await journal.tally()).spent_jobs == 2


@pytest.mark.parametrize("choice", ["adopt", "guess", ""])
async def test_there_is_no_other_resolution(journal: Journal, choice: str):
    await journal.intend(intent("s-1", "x"))
    await journal.sending("s-1")
    await journal.outcome("s-1", U)
    with pytest.raises(errors.JournalError, match="keep, adopt"):
        await journal.resolve("s-1", choice)
    assert await standing(journal) == "unknown"


async def test_only_what_is_unknown_or_missing_can_be_resolved(journal: Journal):
    await accepted(journal, "s-1")
    with pytest.raises(errors.JournalError, match="is accepted, not unknown"):
        await journal.resolve("s-1", "resubmit")


async def test_a_job_its_service_forgot_is_missing_and_keeps_its_id(journal: Journal):
    await accepted(journal, "s-1", "x")
    await journal.ended("s-1", errors.JobMissing("never heard of it", job_id="job-s-1"))
    [recorded] = await journal.recorded(Standing.MISSING)
    assert recorded.job_id == "job-s-1"
    await journal.retry(["x"])
    assert await journal.find([point("x")]) == [None]


async def test_what_is_not_a_jobs_own_end_leaves_it_to_be_followed(journal: Journal):
    await accepted(journal, "s-1", "x")
    await journal.ended("s-1", errors.ClientClosed("closed"))
    assert await standing(journal) == "accepted"
    with pytest.raises(errors.JournalError, match="accepted"):
        await journal.retry(["x"])


async def test_values_are_noted_by_name(journal: Journal):
    await journal.note("axes", {"gamma": [0.5, 1.5]})
    await journal.note("axes", {"gamma": [2.5]})
    assert await journal.noted("axes") == {"gamma": [2.5]}
    assert await journal.noted("budget") is None


async def test_an_unknown_name_is_an_error(journal: Journal):
    with pytest.raises(errors.JournalError, match="no submission s-9"):
        await journal.sending("s-9")
    with pytest.raises(errors.JournalError, match="no submission s-9"):
        await journal.outcome("s-9", U)


async def test_memory_forgets_what_has_ended():
    journal = MemoryJournal()
    for n in range(50):
        await accepted(journal, f"s-{n}", f"k{n}")
        await journal.ended(f"s-{n}", result(f"job-{n}", f"k{n}"))
    assert journal.submissions == {}
    assert (await journal.tally()).circuits == {Standing.TERMINAL: 50}


@pytest.mark.parametrize("refusal", [R, N])
async def test_memory_does_not_grow_with_what_was_refused(refusal: Delivery):
    """A sweep whose every batch is refused, and refused again, may go on for ever."""
    journal = MemoryJournal()
    await accepted(journal, "running", "first")
    for n in range(1000):
        await journal.intend(intent(f"s-{n}", f"k{n}", "again"))
        await journal.sending(f"s-{n}")
        await journal.outcome(f"s-{n}", refusal)
    assert len(journal.submissions) == 101
    # the oldest are forgotten, what runs is not
    kept = {"running", *(f"s-{n}" for n in range(900, 1000))}
    assert journal.submissions.keys() == kept
    assert await journal.find([point("k0"), point("k899")]) == [None, None]
    [running, newest, again] = await journal.find(
        [point("first"), point("k999"), point("again")]
    )
    assert running is not None
    assert running.standing is Standing.ACCEPTED
    assert newest is not None
    assert again is not None
    assert (newest.submission_id, again.submission_id) == ("s-999", "s-999")
    assert sum((await journal.tally()).jobs.values()) == 1001
    assert (await journal.tally()).spent_jobs == 1


async def test_memory_keeps_what_never_left_and_was_sent_after_all():
    journal = MemoryJournal()
    await journal.intend(intent("early", "e"))
    await journal.sending("early")
    await journal.outcome("early", N)
    await journal.sending("early")
    for n in range(200):
        await journal.intend(intent(f"s-{n}", f"k{n}"))
        await journal.outcome(f"s-{n}", R)
    await journal.outcome("early", A, "job-early")
    assert await standing(journal, "early") == "accepted"


@pytest.mark.parametrize("points", [1, 239, 240, 241, 1000])
async def test_points_of_any_number_are_found_where_they_were_sent(
    points: int, journal: Journal
):
    keys = [f"p{n}" for n in range(points)]
    await accepted(journal, "s-1", *keys)
    found = await journal.find([point(key) for key in [*keys[::-1], "other"]])
    assert found[-1] is None
    assert [f and (f.submission_id, f.place) for f in found[:-1]] == [
        ("s-1", place) for place in reversed(range(points))
    ]


async def test_a_large_journal_is_whole_when_it_is_opened_again(tmp_path: Path):
    """The sum over all points is right after many, refused ones and freed ones."""
    keys = [f"p{n}" for n in range(700)]
    async with opened(tmp_path / "j") as journal:
        await journal.intend(intent("s-1", *keys))
        await journal.sending("s-1")
        await journal.outcome("s-1", R)
        await accepted(journal, "s-2", *keys[300:], "new", "new")
    async with opened(tmp_path / "j") as journal:
        found = await journal.find([point(key) for key in keys])
        assert [f and f.submission_id for f in found] == ["s-1"] * 300 + ["s-2"] * 400


async def test_one_refused_batch_leaves_the_sum_and_the_others_right(tmp_path: Path):
    """What the journal holds in memory of its own sums is taken back with the rest."""
    refused: list[Exception] = []
    async with opened(tmp_path / "j") as journal:
        await accepted(journal, "s-0", "k")

        async def again() -> None:
            # its first points are written, and then it meets one that is under way
            await journal.intend(intent("s-1", "a", "b", "k"))
            try:
                await journal.sending("s-1")
            except errors.JournalError as error:
                refused.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(accepted, journal, "s-2", "x", "y")
            group.start_soon(again)
            group.start_soon(accepted, journal, "s-3", "z")
        assert len(refused) == 1
        await accepted(journal, "s-4", "a")
    async with opened(tmp_path / "j") as journal:
        sent = await journal.find([point(key) for key in "abkxyz"])
    assert [f and f.submission_id for f in sent] == [
        "s-4", None, "s-0", "s-2", "s-2", "s-3"
    ]  # fmt: skip


def test_a_batch_of_many_points_takes_no_more_statements_than_one_of_two(
    tmp_path: Path,
):
    """Each statement lets go of the interpreter, and may wait long to get it back."""
    counts: dict[int, list[str]] = {}
    for number in (2, 200):
        statements = counts[number] = []
        keys = [f"p{n}" for n in range(number)]
        points = [point(key) for key in keys]
        opened_files = open_files(tmp_path / str(number), OWNER)
        try:
            opened_files.connection.set_trace_callback(statements.append)
            orders = [
                Order(lambda store, p=points: store.find(p), is_question=True),
                Order(lambda store, k=keys: store.intend(intent("s-1", *k))),
            ]
            for order in orders:
                [done] = writer.transact(
                    opened_files.connection,
                    opened_files.store,
                    opened_files.segments,
                    [order],
                )
                assert done.error is None
            [found] = writer.transact(
                opened_files.connection,
                opened_files.store,
                opened_files.segments,
                orders[:1],
            )
            assert [f.place for f in found.value] == list(range(number))
        finally:
            opened_files.close()
    assert len(counts[2]) == len(counts[200])
    # a question is no transaction of its own
    assert not any(statement.startswith("BEGIN") for statement in counts[2][:1])
    assert sum(statement.startswith("BEGIN") for statement in counts[2]) == 1


async def test_one_key_with_two_circuits_in_a_batch_is_named(journal: Journal):
    two = (point("k"), point("other"), point("k", source="changed"))

    async def sent() -> None:
        await journal.intend(intent("s-1", points=two))
        await journal.sending("s-1")

    with pytest.raises(errors.PointMismatch, match="'k'"):
        await sent()


def test_nothing_stays_of_a_result_whose_order_was_refused(tmp_path: Path):
    files = open_files(tmp_path / "j", OWNER)

    def refused(store: Any) -> None:
        store.ended("s-1", result("job-1", "k"), ())
        raise errors.JournalError("no")

    def sent(store: Any) -> None:
        store.intend(intent("s-1", "k"))
        store.intend(intent("s-2", "l"))

    def other(store: Any) -> None:
        store.ended("s-2", result("job-2", "l"), ())

    try:
        parts = files.connection, files.store, files.segments
        writer.transact(*parts, [Order(sent)])
        settled = writer.transact(*parts, [Order(refused), Order(other)])
        assert [done.error is None for done in settled] == [False, True]
        assert files.store.end("s-1")[1] is None
        slot = files.store.end("s-2")[1]
        assert slot is not None
        assert slot.end == files.segments.length
        [(only, _)] = Segment(files.places.results, slot.segment).slots()
        assert only == slot
    finally:
        files.close()


async def test_questions_are_no_commits(tmp_path: Path):
    places = Places(tmp_path / "j")
    async with opened(tmp_path / "j") as journal:
        await accepted(journal, "s-1", "k")
        before = await anyio.to_thread.run_sync(read_commits, places)
        await journal.find([point("k"), point("other")])
        await journal.tally()
        await journal.recorded()
        await journal.noted("x")
        assert await anyio.to_thread.run_sync(read_commits, places) == before
        await journal.note("x", 1)
        assert await anyio.to_thread.run_sync(read_commits, places) == before + 1


# --- on the disk ----------------------------------------------------------------------


async def test_everything_is_there_when_it_is_opened_again(tmp_path: Path):
    path = tmp_path / "j.qawait"
    sent = intent(
        "s-1",
        "x",
        "y",
        tag="night",
        body_hash=b"\1" * 32,
        settings={"seed": 0, "options": {"heralding": "none"}},
    )
    async with opened(path) as journal:
        await journal.intend(sent)
        await journal.sending("s-1")
        await journal.outcome("s-1", A, "job-1")
        journal.changed("s-1", CHANGES[:1], "received")
        await accepted(journal, "s-2", "z")
        await journal.ended("s-2", result("job-2", "z"), CHANGES)
        await journal.note("axes", [1, 2])
    async with opened(path) as journal:
        first, second = await journal.recorded()
        assert first.intent == sent
        assert first.changes == CHANGES[:1]
        assert first.raw == "received"
        assert second.changes == CHANGES
        assert await journal.result("s-2") == result("job-2", "z")
        assert await journal.noted("axes") == [1, 2]
        with pytest.raises(errors.JournalError, match="s-1 has no result: it is accep"):
            await journal.result("s-1")


async def test_a_job_that_failed_raises_its_error_again(tmp_path: Path):
    error = errors.JobTimedOut("after an hour", job_id="job-s-1", raw="TIMED_OUT")
    async with opened(tmp_path / "j") as journal:
        await accepted(journal, "s-1")
        await journal.ended("s-1", error)
    async with opened(tmp_path / "j") as journal:
        with pytest.raises(errors.JobTimedOut, match="after an hour") as caught:
            await journal.result("s-1")
        assert caught.value.raw == "TIMED_OUT"


async def abandoned(path: Path) -> None:
    """A journal whose process ends while three submissions are at different points."""
    journal = await FileJournal.open(path, OWNER)
    await journal.intend(intent("new", "a"))
    await journal.outcome("new", N)
    await journal.intend(intent("sending", "b"))
    await journal.opened("sending", "job-half")
    await journal.sending("sending")
    await accepted(journal, "accepted", "c")
    await journal.close()


async def test_what_was_being_sent_in_a_crash_is_unknown(tmp_path: Path):
    """Not new: it may be running."""
    await abandoned(tmp_path / "j")
    async with opened(tmp_path / "j") as journal:
        assert [await standing(journal, s) for s in ("new", "sending", "accepted")] == [
            "new",
            "unknown",
            "accepted",
        ]
        [unknown] = await journal.recorded(Standing.UNKNOWN)
        assert "while it was being sent" in unknown.evidence
        assert unknown.job_id == "job-half"


async def test_sending_it_again_after_a_crash_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The mutant: after a crash, what was being sent counts as new."""
    monkeypatch.setattr(store_module, "AFTER_A_CRASH", Standing.NEW)
    with pytest.raises(AssertionError):
        await test_what_was_being_sent_in_a_crash_is_unknown(tmp_path)


async def test_the_first_end_counts_and_another_one_is_an_anomaly(tmp_path: Path):
    async with opened(tmp_path / "j") as journal:
        await accepted(journal, "s-1", "x")
        await journal.ended("s-1", result("job-s-1", "x"))
        await journal.ended("s-1", result("job-s-1", "x"))
        assert await journal.anomalies() == [], "the same once more"
        await journal.ended("s-1", result("job-s-1", "x", flip=200))
        await journal.ended("s-1", errors.JobFailed("no", job_id="job-s-1"))
        first, second = await journal.anomalies()
        assert (first.kind, first.submission_id) == ("second end", "s-1")
        assert "JobFailed" in second.detail
        assert await journal.result("s-1") == result("job-s-1", "x")


async def test_a_failed_point_can_be_sent_again_and_a_finished_one_cannot(
    tmp_path: Path,
):
    async with opened(tmp_path / "j") as journal:
        await accepted(journal, "s-1", "x")
        await journal.ended("s-1", errors.JobFailed("no"))
        await accepted(journal, "s-2", "y")
        await journal.ended("s-2", result("job-s-2", "y"))
        with pytest.raises(errors.JournalError, match="'y' cannot be sent again"):
            await journal.retry(["x", "y"])
        found = await journal.find([point("x")])
        assert found != [None], "all or none"
        await journal.retry(["x", "never sent"])
        assert await journal.find([point("x")]) == [None]
        with pytest.raises(errors.PointMismatch):
            await journal.find([point("x", source="other")])


@pytest.mark.parametrize("field", ["endpoint", "target", "dialect", "account"])
async def test_a_journal_is_of_one_account_at_one_target(tmp_path: Path, field: str):
    async with opened(tmp_path / "j") as journal:
        await accepted(journal, "s-1")
    other = replace(OWNER, **{field: "other"})
    with pytest.raises(errors.JournalIdentityMismatch, match=field) as caught:
        await FileJournal.open(tmp_path / "j", other)
    assert OWNER.account not in str(caught.value)
    async with opened(tmp_path / "j") as journal:
        assert await standing(journal) == "accepted"


async def test_a_new_token_of_the_same_account_may_take_its_place(tmp_path: Path):
    async with opened(tmp_path / "j"):
        pass
    renewed = replace(OWNER, account="c3d4")
    async with opened(tmp_path / "j", renewed, rebind=True):
        pass
    with pytest.raises(errors.JournalIdentityMismatch):
        await FileJournal.open(tmp_path / "j", OWNER)
    elsewhere = replace(renewed, target="emerald")
    with pytest.raises(errors.JournalIdentityMismatch):
        await FileJournal.open(tmp_path / "j", elsewhere, rebind=True)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
async def test_nobody_else_can_read_any_of_it(tmp_path: Path, mask: int):
    path = tmp_path / "deep" / "j.qawait"
    before = os.umask(mask)
    try:
        async with opened(path) as journal:
            await accepted(journal, "s-1", "x")
            await journal.ended("s-1", result("job-s-1", "x"))
            modes = {
                str(f.relative_to(path)): stat.S_IMODE(f.stat().st_mode)
                for f in [path, *path.rglob("*")]
            }
    finally:
        os.umask(before)
    assert {"journal.sqlite", "journal.sqlite-wal", "ballast", "lock"} <= modes.keys()
    assert "results/000001.seg" in modes
    directories = {".", "results"}
    assert {name: oct(m) for name, m in modes.items() if name in directories} == {
        ".": "0o700",
        "results": "0o700",
    }
    assert {m for name, m in modes.items() if name not in directories} == {0o600}


async def test_no_shared_memory_file_is_made(tmp_path: Path):
    """Which is the sign that SQLite admits this one connection alone."""
    async with opened(tmp_path / "j") as journal:
        await accepted(journal, "s-1")
        assert not (tmp_path / "j" / "journal.sqlite-shm").exists()


async def test_submissions_that_wait_together_share_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sizes: list[int] = []
    real = writer.transact
    go_on = threading.Event()

    def counted(connection: Any, store: Any, segments: Any, orders: Any) -> Any:
        sizes.append(len(orders))
        assert go_on.wait(30)
        return real(connection, store, segments, orders)

    async def sent(journal: FileJournal, submission_id: str) -> None:
        await journal.intend(intent(submission_id))
        await journal.sending(submission_id)

    monkeypatch.setattr(writer, "transact", counted)
    async with opened(tmp_path / "j") as journal, anyio.create_task_group() as group:
        for n in range(200):
            group.start_soon(sent, journal, f"s-{n}")
        await anyio.wait_all_tasks_blocked()
        go_on.set()
    assert sum(sizes) == 200
    assert len(sizes) <= 3


async def test_what_nobody_waits_for_does_not_flush_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    commits = 0
    real = writer.transact

    def counted(*args: Any) -> Any:
        nonlocal commits
        commits += 1
        return real(*args)

    async with opened(tmp_path / "j") as journal:
        await accepted(journal, "s-1")
        # others can take any time, but not this long
        monkeypatch.setattr(writer, "_LAZY", 30.0)
        monkeypatch.setattr(writer, "transact", counted)
        for _ in range(20):
            journal.changed("s-1", CHANGES[:1], "received")
            await anyio.to_thread.run_sync(lambda: None)
        assert commits == 0
        await journal.outcome("s-1", A, "job-s-1")
        assert commits == 1


async def test_a_refused_order_leaves_its_neighbours_alone(tmp_path: Path):
    async with opened(tmp_path / "j") as journal:
        caught: list[Exception] = []

        async def refused() -> None:
            try:
                await journal.sending("nobody")
            except errors.JournalError as error:
                caught.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(accepted, journal, "s-1")
            group.start_soon(refused)
            group.start_soon(accepted, journal, "s-2")
        assert len(caught) == 1
        assert len(await journal.recorded(Standing.ACCEPTED)) == 2


async def test_a_cancelled_caller_does_not_keep_an_id_from_the_disk(tmp_path: Path):
    async with opened(tmp_path / "j") as journal:
        await journal.intend(intent())
        await journal.sending("s-1")
        told = False
        with anyio.CancelScope() as scope:
            scope.cancel()
            await journal.outcome("s-1", A, "job-1")
            told = True
        assert told, "it returns when the id is on the disk, and not before"
        assert await standing(journal) == "accepted"


async def test_a_closed_journal_takes_nothing_more_but_shows_an_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async with opened(tmp_path / "j") as journal:
        pass
    await journal.close()
    with pytest.raises(errors.JournalError, match="is closed"):
        await journal.intend(intent())
    with pytest.raises(errors.JournalError, match="is closed"):
        await journal.outcome("s-1", U)
    await journal.outcome("s-1", A, "job-1")
    assert "job job-1 runs" in capsys.readouterr().err


async def test_ends_that_were_written_but_not_counted_are_taken_up(tmp_path: Path):
    """A crash between the flush of a result and its commit costs nothing."""
    path = tmp_path / "j"
    async with opened(path) as journal:
        await accepted(journal, "s-1", "x")
    files = [path / "journal.sqlite", path / "commits"]
    before = [file.read_bytes() for file in files]
    async with opened(path) as journal:
        await journal.ended("s-1", result("job-s-1", "x"), CHANGES)
    for file, content in zip(files, before, strict=True):
        file.write_bytes(content)
    with (path / "results" / "000001.seg").open("ab") as file:
        file.write(b"qrec" + bytes(60))
    async with opened(path) as journal:
        assert await standing(journal) == "terminal"
        assert await journal.result("s-1") == result("job-s-1", "x")
        await accepted(journal, "s-2", "y")
        await journal.ended("s-2", result("job-s-2", "y"))
        assert await journal.result("s-2") == result("job-s-2", "y")


async def test_a_reply_that_clears_doubt_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The mutant: a later refusal makes what was unknown refused."""

    def forgetful(standing: Standing, delivery: Delivery) -> Standing:
        return after(Standing.SENDING, delivery)

    monkeypatch.setattr(store_module, "after", forgetful)
    async with opened(tmp_path / "j") as journal:
        with pytest.raises((AssertionError, ValueError)):
            await test_what_was_unknown_stays_so_with_its_first_evidence(journal)


async def test_cancelling_at_any_moment_leaves_a_standing_with_a_name(tmp_path: Path):
    """After each of many, the journal says what its caller may believe."""
    random = Random(SEED)
    async with opened(tmp_path / "j") as journal:
        for n in range(120):
            name, steps = f"s-{n}", 0
            with anyio.move_on_after(random.random() * 0.004):
                await journal.intend(intent(name))
                await journal.sending(name)
                steps = 1
                await journal.outcome(name, A, f"job-{n}")
                steps = 2
                await journal.ended(name, result(f"job-{n}"))
                steps = 3
            known = {r.intent.submission_id: r for r in await journal.recorded()}
            least = ["new", "sending", "accepted", "terminal"]
            reached = known[name].standing.value if name in known else "new"
            assert least.index(reached) >= steps, f"seed {SEED}, {n}"
            if steps >= 2:
                assert known[name].job_id == f"job-{n}"
    assert not [t for t in threading.enumerate() if t.name == "qawait journal"]


async def test_an_opening_that_is_cancelled_gives_the_lock_back(tmp_path: Path):
    for _ in range(5):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await FileJournal.open(tmp_path / "j", OWNER)
    async with opened(tmp_path / "j"):
        pass


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors")
async def test_nothing_is_left_open(tmp_path: Path):
    async with opened(tmp_path / "j") as journal:
        await accepted(journal, "s-1", "x")
    before = descriptors()
    for _ in range(5):
        async with opened(tmp_path / "j") as journal:
            await journal.recorded()
        with pytest.raises(errors.JournalIdentityMismatch):
            await FileJournal.open(tmp_path / "j", replace(OWNER, target="other"))
    assert descriptors() == before
