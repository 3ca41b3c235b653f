from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import anyio
import pytest
from msgspec.structs import replace

import qawait
from qawait._job import Job, error_of_end, new_changes
from qawait.errors import (
    ClientClosed,
    Error,
    InsufficientCredits,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    ResultGone,
)
from qawait.model import Change, End, Manifest, State, Status, Step

SEEN = datetime(2026, 1, 1, tzinfo=UTC)
PC, PE = State.PENDING_COMPILATION, State.PENDING_EXECUTION
RESULT = cast("Any", "the result")


def status(state: State | None, *, end: End | None = None, **more: Any) -> Status:
    return Status(raw=f"raw {state}", state=state, end=end, **more)


def job(job_id: str = "j-1") -> Job:
    async def cancel(job_id: str) -> None: ...

    return Job(
        job_id, submission_id="s-1", manifest=Manifest(target="t"), cancel=cancel
    )


def states(changes: list[Change]) -> list[tuple[State, bool]]:
    return [(c.state, c.inferred) for c in changes]


def test_states_passed_unseen_are_inferred():
    added = new_changes([], status(State.READY, end=End.READY), SEEN)
    assert states(added) == [(PC, True), (PE, True), (State.READY, False)]
    assert [c.at for c in added] == [None, None, None]
    assert {c.seen_at for c in added} == {SEEN}


def test_the_services_timeline_gives_the_passed_states_their_times():
    compiled, done = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    told = (
        Step(PE, "compilation_ended", compiled),
        Step(State.READY, "completed", done),
    )
    first = new_changes([], status(PC), SEEN)
    added = new_changes(first, status(State.READY, end=End.READY, steps=told), SEEN)
    assert [(c.raw, c.at) for c in added] == [
        ("compilation_ended", compiled),
        ("raw ready", done),
    ]


def test_states_never_go_back_and_the_end_absorbs():
    running = new_changes([], status(PE), SEEN)
    assert new_changes(running, status(PC), SEEN) == []
    failed = running + new_changes(running, status(State.FAILED, end=End.FAILED), SEEN)
    assert new_changes(failed, status(State.READY, end=End.READY), SEEN) == []


def test_a_job_that_failed_early_never_was_pending_execution():
    added = new_changes([], status(State.FAILED, end=End.FAILED), SEEN)
    assert states(added) == [(PC, True), (State.FAILED, False)]


def test_an_unknown_word_changes_nothing():
    assert new_changes([], status(None), SEEN) == []


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (End.FAILED, JobFailed),
        (End.ABORTED, JobCancelled),
        (End.TIMED_OUT, JobTimedOut),
        (End.NO_CREDITS, InsufficientCredits),
        (End.GONE, ResultGone),
    ],
)
def test_every_bad_end_has_its_error(end: End, kind: type[Error]):
    error = error_of_end(Status(raw="w", state=end.state, end=end, message="m"), "j-9")
    assert type(error) is kind
    assert (error.job_id, error.raw, error.message) == ("j-9", "w", "m")


async def test_many_waiters_get_the_same_result_and_late_ones_too():
    j = job()
    waiters = [asyncio.create_task(j.result()) for _ in range(3)]
    await anyio.lowlevel.checkpoint()
    j.settle(RESULT)
    assert await asyncio.gather(*waiters) == [RESULT] * 3
    assert await j == RESULT
    assert await j == RESULT


async def test_a_cancelled_waiter_leaves_the_job_to_the_others():
    j = job()
    first, second = (asyncio.create_task(j.result()) for _ in range(2))
    await anyio.lowlevel.checkpoint()
    first.cancel()
    await asyncio.wait([first])
    assert not j.done()
    j.settle(RESULT)
    assert await second == RESULT


async def test_each_waiter_raises_an_error_of_its_own():
    j = job()
    j.settle(JobFailed("boom", job_id=j.id))
    raised = []
    for _ in range(2):
        with pytest.raises(JobFailed, match="job j-1: boom") as caught:
            await j
        raised.append(caught.value)
    assert raised[0] is not raised[1]


async def test_a_users_deadline_is_a_plain_timeout_and_the_job_goes_on():
    j = job()
    with pytest.raises(TimeoutError, match="j-1 is still pending") as caught:
        await j.result(timeout=0.0)
    assert not isinstance(caught.value, Error)
    assert not j.done()


async def test_asyncio_wait_takes_jobs_and_returns_them():
    a, b = job("a"), job("b")
    waiting = asyncio.create_task(
        asyncio.wait(
            cast("Any", [a, b]),
            return_when=asyncio.FIRST_COMPLETED,
        )
    )
    await anyio.lowlevel.checkpoint()
    b.settle(RESULT)
    done, pending = await waiting
    assert done == {b}
    assert pending == {a}
    assert a._callbacks == [], "wait removes what it has added"


async def test_asyncio_wait_returns_at_the_first_failed_job():
    a, b = job("a"), job("b")
    waiting = asyncio.create_task(
        asyncio.wait(cast("Any", [a, b]), return_when=asyncio.FIRST_EXCEPTION)
    )
    await anyio.lowlevel.checkpoint()
    a.settle(JobFailed("boom"))
    done, _ = await waiting
    assert done == {a}


async def test_gather_takes_jobs():
    a, b = job("a"), job("b")
    gathering = asyncio.gather(a, b)
    a.settle(RESULT)
    b.settle(RESULT)
    assert await gathering == [RESULT, RESULT]


async def test_a_removed_callback_is_never_called():
    j = job()
    called: list[Job] = []
    j.add_done_callback(called.append)
    kept: list[Job] = []
    j.add_done_callback(kept.append)
    assert j.remove_done_callback(called.append) == 1
    j.settle(RESULT)
    await anyio.lowlevel.checkpoint()
    assert (called, kept) == ([], [j])


async def test_as_completed_yields_the_jobs_in_the_order_of_their_ends():
    jobs = [job(n) for n in "abc"]
    jobs[1].settle(RESULT)
    seen = []
    async for ended in qawait.as_completed(jobs):
        seen.append(ended)
        if len(seen) == 1:
            jobs[2].settle(JobFailed("boom"))
            jobs[0].settle(RESULT)
    assert seen == [jobs[1], jobs[2], jobs[0]]


async def test_as_completed_takes_any_iterable_and_none_at_all():
    jobs = [job(n) for n in "ab"]
    for j in jobs:
        j.settle(RESULT)
    assert [j async for j in qawait.as_completed(j for j in jobs)] == jobs
    assert [j async for j in qawait.as_completed([])] == []


async def test_leaving_as_completed_early_leaves_no_callback_behind():
    jobs = [job(n) for n in "ab"]
    jobs[0].settle(RESULT)
    source = qawait.as_completed(jobs)
    async for _ in source:
        break
    await source.aclose()  # type: ignore[attr-defined]
    assert jobs[1]._callbacks == []


async def test_every_iterator_replays_the_states_from_the_first():
    j = job()
    j.observe(status(PC))

    async def seen() -> list[State]:
        return [change.state async for change in j.transitions()]

    early = asyncio.create_task(seen())
    await anyio.lowlevel.checkpoint()
    j.observe(status(PE))
    await anyio.lowlevel.checkpoint()
    j.observe(status(State.READY, end=End.READY))
    j.settle(RESULT)
    assert await early == [PC, PE, State.READY]
    assert await seen() == [PC, PE, State.READY]


async def test_reached_returns_for_a_state_that_was_passed():
    j = job()
    j.observe(status(State.READY, end=End.READY))
    j.settle(RESULT)
    change = await j.reached("pending execution")
    assert change.state is PE
    assert change.inferred


async def test_reached_raises_the_jobs_error_when_the_state_cannot_come():
    j = job()
    waiting = asyncio.create_task(j.reached("ready"))
    await anyio.lowlevel.checkpoint()
    j.observe(status(State.ABORTED, end=End.ABORTED))
    j.settle(JobCancelled("it was cancelled", job_id=j.id))
    with pytest.raises(JobCancelled):
        await waiting
    assert j.cancelled()


async def test_the_first_outcome_counts():
    j = job()
    j.settle(RESULT)
    j.settle(JobFailed("too late"))
    assert await j == RESULT
    assert not j.observe(status(State.FAILED, end=End.FAILED))


async def test_a_job_shows_where_it_stands():
    j = job()
    assert repr(j) == "<Job j-1 on t: pending compilation; `await job` for the result>"
    j.manifest = replace(j.manifest, simulated=True)
    j.observe(status(PE))
    j.settle(ClientClosed("closed", job_id=j.id))
    assert repr(j) == "<Job j-1 on t (simulated): pending execution, client closed>"
    with pytest.raises(ClientClosed):
        await j


async def test_asking_for_the_error_too_early_is_an_invalid_state():
    with pytest.raises(asyncio.InvalidStateError):
        job().exception()
