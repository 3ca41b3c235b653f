"""The real poller on a clock that jumps, against services of a few lines."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any, cast

import anyio
import pytest
from msgspec.structs import replace

from qawait._clock import utc_now
from qawait._job import Job
from qawait._pace import Pace
from qawait._poller import Poller
from qawait._queue_schedule import QueueSchedule
from qawait.errors import (
    AuthenticationError,
    ClientClosed,
    ConfigurationError,
    Error,
    JobFailed,
    JobMissing,
    NotFound,
    ProtocolError,
    RateLimited,
    ResponseError,
    ResultGone,
    ServiceUnavailable,
    TransportError,
    UnexpectedContent,
)
from qawait.model import End, Manifest, State, Status, Step
from qawait.testing import VirtualTimeLoop

RESULT = cast("Any", "the result")
PENDING = Status(raw="received", state=State.PENDING_COMPILATION)
RUNNING = Status(raw="running", state=State.PENDING_EXECUTION)
READY = Status(raw="ready", state=State.READY, end=End.READY)
FAILED = Status(raw="failed", state=State.FAILED, end=End.FAILED, message="too hot")
Said = Status | Error


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class FakeService:
    """Answers by the clock: `say(job_id, now)` is a status, or an error to raise."""

    def __init__(
        self,
        say: Callable[[str, float], Said],
        result: Callable[[], Any] = lambda: RESULT,
        *,
        whole: bool = False,
        earliest: Callable[[], float] = anyio.current_time,
    ) -> None:
        self.say = say
        self.give = result
        self.whole = whole
        self.earliest_question = earliest
        self.fetched = 0
        self.asked: list[tuple[str, float]] = []
        self.under_way = self.most_under_way = 0

    async def question(
        self, job_id: str, manifest: Manifest
    ) -> tuple[Status, Any | None]:
        self.asked.append((job_id, anyio.current_time()))
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        await anyio.sleep(0.01)
        self.under_way -= 1
        said = self.say(job_id, anyio.current_time())
        if isinstance(said, Error):
            raise said
        return said, self.give() if self.whole and said.end is End.READY else None

    async def result(self, job_id: str, status: Status, manifest: Manifest) -> Any:
        self.fetched += 1
        given = self.give()
        if isinstance(given, Error):
            raise given
        return given

    def steps_of(self, result: Any) -> tuple[Step, ...]:
        return ()


def job(job_id: str = "j-1", submission_id: str = "s") -> Job:
    async def cancel(job_id: str) -> None: ...

    return Job(job_id, submission_id=submission_id, manifest=Manifest(), cancel=cancel)


@asynccontextmanager
async def following(
    service: FakeService,
    *jobs: Job,
    workers: int = 3,
    adopted: bool = False,
    clock: Callable[[], float] = anyio.current_time,
    **wishes: float,
) -> AsyncIterator[Poller]:
    schedule = QueueSchedule[str](Random(7), Pace(**wishes))
    poller = Poller(service, schedule, workers=workers, clock=clock)
    async with anyio.create_task_group() as group:
        group.start_soon(poller.run)
        for j in jobs:
            poller.follow(j, adopted=adopted)
        yield poller
        group.cancel_scope.cancel()


@pytest.mark.parametrize("told_by_status", [True, False])
async def test_the_times_of_a_result_count_where_the_status_has_none(
    told_by_status: bool,
):
    early, late = (datetime(2030, 1, day, tzinfo=UTC) for day in (1, 2))
    said = (Step(State.READY, "ready", early),) if told_by_status else ()
    service = FakeService(lambda job_id, now: replace(READY, steps=said))
    service.steps_of = lambda result: (Step(State.READY, "job_end", late),)
    j = job()
    async with following(service, j):
        await j
    assert j.changes[-1].at == (early if told_by_status else late)


async def test_a_job_is_followed_from_pending_to_ready():
    def say(job_id: str, now: float) -> Said:
        return PENDING if now < 10 else RUNNING if now < 300 else READY

    j = job()
    async with following(FakeService(say), j) as poller:
        assert await j == RESULT
        assert [c.state for c in j.changes] == [
            State.PENDING_COMPILATION,
            State.PENDING_EXECUTION,
            State.READY,
        ]
        assert anyio.current_time() < 325
        assert len(poller) == 0


async def test_a_failed_job_leaves_its_siblings():
    def say(job_id: str, now: float) -> Said:
        return FAILED if job_id == "bad" else READY if now > 5 else PENDING

    bad, good = job("bad"), job("good")
    async with following(FakeService(say), bad, good):
        with pytest.raises(JobFailed, match="job bad: too hot"):
            await bad
        assert await good == RESULT


@pytest.mark.parametrize(
    "trouble",
    [
        TransportError("the connection broke"),
        ServiceUnavailable(502, "bad gateway", recognised=False),
        ServiceUnavailable(503, "maintenance"),
        RateLimited(429, "slow down", retry_after=7.0),
        ResponseError(400, "odd"),
    ],
    ids=repr,
)
async def test_an_hour_of_trouble_ends_no_wait(trouble: Error):
    j = job()
    service = FakeService(lambda job_id, now: trouble if now < 3600 else READY)
    async with following(service, j):
        assert await j == RESULT
        assert 3600 < anyio.current_time() < 3640
        assert len(service.asked) < 1000, "questions back off while there is trouble"


async def test_trouble_and_its_end_are_each_said_once(
    caplog: pytest.LogCaptureFixture,
):
    gone = TransportError("the connection broke")
    jobs = [job(str(n)) for n in range(5)]
    service = FakeService(
        lambda job_id, now: gone if 10 < now < 300 else PENDING if now < 400 else READY
    )
    with caplog.at_level(logging.WARNING):
        async with following(service, *jobs):
            for j in jobs:
                await j
    assert [r.getMessage() for r in caplog.records] == [
        "the connection broke; jobs are asked about again later",
        "the service answers again",
    ]


async def test_a_wait_the_service_asked_for_is_kept():
    def say(job_id: str, now: float) -> Said:
        return RateLimited(429, "slow", retry_after=120.0) if now < 60 else READY

    j = job()
    service = FakeService(say)
    async with following(service, j):
        await j
        assert service.asked[1][1] - service.asked[0][1] >= 120.0


@pytest.mark.parametrize(
    "error",
    [AuthenticationError(401, "no"), ConfigurationError("the token has expired")],
    ids=["refused", "expired"],
)
async def test_a_refused_token_ends_the_wait_and_says_how_to_come_back(error: Error):
    j = job()
    service = FakeService(lambda job_id, now: error)
    async with following(service, j):
        with pytest.raises(type(error)) as caught:
            await j
        assert "client.job('j-1')" in caught.value.__notes__[0]


async def test_a_fresh_job_may_be_unknown_for_a_while():
    def say(job_id: str, now: float) -> Said:
        return NotFound(404, "no such job") if now < 30 else READY

    j = job()
    async with following(FakeService(say), j):
        assert await j == RESULT


async def test_a_job_that_stays_unknown_is_missing():
    j = job()
    service = FakeService(lambda job_id, now: NotFound(404, "no such job"))
    async with following(service, j):
        with pytest.raises(JobMissing, match="j-1"):
            await j
        assert anyio.current_time() >= 60
        assert len(service.asked) >= 5


async def test_a_job_of_a_journal_may_be_unknown_for_a_while():
    """It was accepted, and one part of a service may have it later than another."""

    def say(job_id: str, now: float) -> Said:
        return NotFound(404, "no such job") if now < 30 else READY

    j = job()
    async with following(FakeService(say), j, adopted=True):
        assert await j == RESULT


async def test_an_adopted_job_that_is_unknown_is_missing_at_once():
    """Whoever typed a wrong id wants to know it now."""
    j = job(submission_id="")
    service = FakeService(lambda job_id, now: NotFound(404, "no such job"))
    async with following(service, j, adopted=True):
        with pytest.raises(JobMissing):
            await j
        assert len(service.asked) == 1


async def test_a_job_that_vanishes_may_have_run():
    def say(job_id: str, now: float) -> Said:
        return RUNNING if now < 5 else NotFound(404, "no such job")

    j = job()
    async with following(FakeService(say), j):
        with pytest.raises(ResultGone):
            await j


async def test_answers_that_stay_unreadable_end_the_wait():
    j = job()
    service = FakeService(lambda job_id, now: UnexpectedContent("an HTML page"))
    async with following(service, j):
        with pytest.raises(UnexpectedContent):
            await j
        assert len(service.asked) == 3


async def test_unreadable_answers_in_between_are_forgiven():
    turns = iter([UnexpectedContent("x"), UnexpectedContent("x"), PENDING] * 20)
    j = job()
    service = FakeService(lambda job_id, now: next(turns, READY))
    async with following(service, j):
        assert await j == RESULT


async def test_a_fault_of_ours_ends_one_wait_and_not_all(
    caplog: pytest.LogCaptureFixture,
):
    def say(job_id: str, now: float) -> Said:
        if job_id == "odd":
            raise ZeroDivisionError
        return READY if now > 5 else PENDING

    odd, good = job("odd"), job("good")
    async with following(FakeService(say), odd, good):
        with pytest.raises(ProtocolError, match="ZeroDivisionError"):
            await odd
        assert await good == RESULT


async def test_an_unknown_word_is_in_progress_and_warned_of_once(
    caplog: pytest.LogCaptureFixture,
):
    odd = Status(raw="warming_up", state=None)
    j = job()
    service = FakeService(lambda job_id, now: odd if now < 100 else READY)
    with caplog.at_level(logging.WARNING):
        async with following(service, j):
            assert await j == RESULT
    assert [r.getMessage() for r in caplog.records] == [
        "unknown status 'warming_up' is taken as still in progress"
    ]


async def test_a_result_that_is_not_there_yet_is_asked_for_again():
    turns = iter([NotFound(404, "no artifact"), ServiceUnavailable(502, "gateway")])
    j = job()
    service = FakeService(lambda job_id, now: READY, lambda: next(turns, RESULT))
    async with following(service, j):
        assert await j == RESULT
        assert len(service.asked) == 1, "the status of a ready job is not asked again"


async def test_ready_is_shown_together_with_the_result():
    j = job()
    service = FakeService(lambda job_id, now: READY)
    async with following(service, j):
        await j.reached("ready")
        assert j.done()


async def test_questions_under_way_never_exceed_the_workers():
    jobs = [job(str(n)) for n in range(50)]
    service = FakeService(lambda job_id, now: READY if now > 30 else PENDING)
    async with following(service, *jobs, workers=4):
        for j in jobs:
            await j
    assert service.most_under_way == 4


async def test_a_job_is_never_asked_about_twice_at_once():
    jobs = [job(str(n)) for n in range(10)]
    service = FakeService(lambda job_id, now: READY if now > 100 else PENDING)
    async with following(service, *jobs, workers=8):
        for j in jobs:
            await j
    by_job: dict[str, list[float]] = {}
    for job_id, at in service.asked:
        by_job.setdefault(job_id, []).append(at)
    for times in by_job.values():
        assert all(b - a > 0.01 for a, b in pairwise(times))


async def test_abandoned_jobs_say_that_they_go_on():
    j = job()
    async with following(FakeService(lambda job_id, now: PENDING), j) as poller:
        await j.reached("pending compilation")
        poller.abandon(lambda job_id: f"{job_id} goes on")
        with pytest.raises(ClientClosed, match="j-1 goes on") as caught:
            await j
        assert caught.value.job_id == "j-1"
        assert len(poller) == 0


async def test_a_job_that_comes_when_all_were_abandoned_is_abandoned_too():
    """It was accepted while its client was closing; nobody would ask about it."""
    early, late = job(), job("j-2")
    async with following(FakeService(lambda job_id, now: PENDING), early) as poller:
        poller.abandon(lambda job_id: f"{job_id} goes on")
        poller.follow(late)
        with anyio.fail_after(5), pytest.raises(ClientClosed, match="j-2 goes on"):
            await late
        assert len(poller) == 0


# --- one poller for a whole service ---------------------------------------------------


def in_turn(seconds: float, *, away: tuple[float, float] = (0.0, 0.0)) -> Any:
    """A service with one server: job number n is ready after n + 1 times so long."""
    gone = TransportError("the connection broke")

    def say(job_id: str, now: float) -> Said:
        if away[0] <= now < away[1]:
            return gone
        return READY if now > (int(job_id) + 1) * seconds else PENDING

    return say


async def test_a_queue_of_500_costs_three_questions_a_job():
    jobs = [job(str(n)) for n in range(500)]
    service = FakeService(in_turn(2.0))
    async with following(service, *jobs):
        for j in jobs:
            await j
    assert anyio.current_time() < 1004
    assert len(service.asked) < 3 * len(jobs)


async def test_a_service_that_is_away_is_asked_by_one_at_a_time():
    """And about nothing else: its outage is not one of each job."""
    jobs = [job(str(n)) for n in range(500)]
    service = FakeService(in_turn(2.0, away=(100.0, 700.0)))
    async with following(service, *jobs, workers=8):
        for j in jobs:
            await j
    asked = [at for _, at in service.asked if 130 < at < 700]
    assert 15 < len(asked) < 100
    assert all(b - a >= 0.1 for a, b in pairwise(asked))
    back = [at for _, at in service.asked if 700 <= at < 700.5]
    assert len(back) < 200, "what has ended meanwhile is not asked about all at once"


async def test_a_wait_asked_for_holds_for_every_job():
    jobs = [job(str(n)) for n in range(20)]
    turns = iter([RateLimited(429, "slow", retry_after=300.0)])
    service = FakeService(lambda job_id, now: next(turns, READY))
    async with following(service, *jobs, workers=1):
        for j in jobs:
            await j
    assert service.asked[1][1] - service.asked[0][1] >= 300.0


async def test_a_job_that_is_unknown_holds_up_no_other():
    jobs = [job(str(n)) for n in range(30)]

    def say(job_id: str, now: float) -> Said:
        if int(job_id) % 2:
            return NotFound(404, "no such job")
        return READY if now > 5 else PENDING

    async with following(FakeService(say), *jobs):
        for j in jobs[::2]:
            assert await j == RESULT
        assert anyio.current_time() < 60


async def test_nothing_is_asked_before_the_rate_limit_allows_it():
    jobs = [job(str(n)) for n in range(9)]
    service = FakeService(
        lambda job_id, now: READY, earliest=lambda: max(77.0, anyio.current_time())
    )
    async with following(service, *jobs):
        for j in jobs:
            await j
    assert min(at for _, at in service.asked) >= 77.0


async def test_a_clock_that_moves_between_two_looks_does_not_stop_the_asking():
    ticks = iter(range(10**9))

    def clock() -> float:
        return anyio.current_time() + 1e-7 * next(ticks)

    service = FakeService(lambda job_id, now: READY, earliest=clock)
    j = job()
    async with following(service, j, clock=clock):
        await j
        assert next(ticks) < 1000


async def test_polls_per_second_are_kept():
    jobs = [job(str(n)) for n in range(40)]
    service = FakeService(lambda job_id, now: READY if now > 3 else PENDING)
    async with following(service, *jobs, polls_per_second=0.5):
        for j in jobs:
            await j
    assert all(b[1] - a[1] > 1.99 for a, b in pairwise(service.asked))


async def test_no_news_is_staler_than_was_asked_for():
    j = job()
    service = FakeService(lambda job_id, now: READY if now > 7200 else PENDING)
    async with following(service, j, max_staleness=5.0):
        await j
        assert anyio.current_time() < 7205.1


async def test_an_answer_that_brings_the_result_too_is_the_only_question():
    j = job()
    service = FakeService(
        lambda job_id, now: READY if now > 30 else PENDING, whole=True
    )
    async with following(service, j):
        assert await j == RESULT
        assert service.fetched == 0
        assert j.state is State.READY


# --- the forecast ---------------------------------------------------------------------


async def test_the_end_of_a_job_is_foretold_from_those_before_it():
    jobs = [job(str(n)) for n in range(100)]
    async with following(FakeService(in_turn(10.0)), *jobs) as poller:
        assert poller.eta("99") is None, "nothing has ended yet"
        await jobs[49]
        now, before = anyio.current_time(), utc_now()
        eta = poller.eta("99")
        assert eta is not None
        left = [(at - before).total_seconds() for at in (eta.earliest, eta.latest)]
        assert left[0] - 15 < 1000 - now < left[1] + 15
        assert eta.earliest <= eta.likely <= eta.latest
        assert left[1] - left[0] < 200
        assert poller.eta("0") is None, "it has ended"
        assert poller.eta("no such job") is None


async def test_the_services_times_are_put_on_our_clock():
    """However wrong the clock of the service is: both knew when the job was submitted."""
    wrong = datetime(1999, 1, 1, tzinfo=UTC)
    received = Step(State.PENDING_COMPILATION, "received", wrong)
    told = Status(
        raw="completed",
        state=State.READY,
        end=End.READY,
        steps=(received,),
        started_at=wrong + timedelta(seconds=30),
        finished_at=wrong + timedelta(seconds=40),
    )
    seen: list[tuple[float | None, float | None]] = []

    class Watched(QueueSchedule[str]):
        def observed(self, job: str, now: float, **told: Any) -> None:
            seen.append((told.get("started"), told.get("finished")))
            super().observed(job, now, **told)

    service = FakeService(lambda job_id, now: told if now > 50 else PENDING)
    poller = Poller(service, Watched(Random(7)))
    async with anyio.create_task_group() as group:
        group.start_soon(poller.run)
        await anyio.sleep(1000)
        j = job()
        poller.follow(j)
        await j
        group.cancel_scope.cancel()
    assert seen[-1] == (1030.0, 1040.0)
