"""Workers that ask about due jobs and settle them."""

from __future__ import annotations

import asyncio
import logging
import math
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct
from msgspec.structs import replace

from qawait._clock import utc_now
from qawait._job import error_of_end
from qawait._observing import Observing, Watch
from qawait.errors import (
    AuthenticationError,
    ClientClosed,
    ConfigurationError,
    Error,
    JobMissing,
    JournalError,
    NotFound,
    PermissionDenied,
    ProtocolError,
    ResponseError,
    ResultGone,
    TransportError,
    fresh,
)
from qawait.model import End, Eta, State, Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from qawait._job import Job
    from qawait._poller_ports import Record, Source
    from qawait._queue_schedule import QueueSchedule
    from qawait.results import Result

__all__ = ["Poller"]

log = logging.getLogger("qawait")

_GRACE = 60.0
"""For how many seconds a service may not yet know a job it has just accepted."""
_MISSES = 5
"""How often it must have said so before the job counts as missing."""
_NONSENSE = 3
"""How many unreadable answers in a row end the waiting for one job."""
_RESULT_ATTEMPTS = 10
"""How often the result of a ready job is asked for while it is not there."""


class _Followed(Struct):
    job: Job
    since: float
    known: bool
    """Whether the service has ever answered for this job."""
    watch: Watch
    """Tells the log, and telemetry, what is seen of it."""
    misses: int = 0
    nonsense: int = 0
    ended: Status | None = None
    """The last status of a ready job whose result is still to be fetched."""
    result_attempts: int = 0


class Poller:
    """Follows every job of one service with a few workers that share one schedule.

    The number of workers is the number of questions under way. An error of a question
    never ends a wait: the job is asked about again, later and later. What ends a wait:
    the job's own end, a token that is refused, a service that does not know the job,
    and answers that stay unreadable. While the service is away, one question at a time
    finds out when it is back.
    """

    def __init__(
        self,
        source: Source,
        schedule: QueueSchedule[str],
        *,
        workers: int = 8,
        clock: Callable[[], float] = anyio.current_time,
        record: Record | None = None,
        observing: Observing | None = None,
    ) -> None:
        """Follows nothing yet.

        Args:
            source: The service.
            schedule: Decides what is asked next, and when.
            workers: Questions under way at once.
            clock: The event loop's; `eta` may be asked for outside of its tasks.
            record: Where states and ends are written down, before anyone is told of an
                end; None for nowhere.
            observing: What is told of all that; None tells the log only.
        """
        self._source = source
        self._schedule = schedule
        self._workers = workers
        self._clock = clock
        self._record = record
        self._observing = observing or Observing()
        self._followed: dict[str, _Followed] = {}
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._wakes_at: float | None = None
        """When the worker that waits goes on by itself; None if none waits."""
        self._unknown_words: set[str] = set()
        self._troubled = False
        self._explain: Callable[[str], str] | None = None
        """Why nothing is followed any more; None while it is."""

    def follow(self, job: Job, *, adopted: bool = False) -> None:
        """Ask about a job from now on; an adopted one may be unknown to the service."""
        now = self._clock()
        watch = self._observing.job(job, resumed=adopted)
        # what a journal says was accepted is known there, for all that one answer says
        known = not adopted or bool(job.submission_id)
        self._followed[job.id] = _Followed(job, now, known, watch)
        self._schedule.add(job.id, now, at_once=adopted)
        if self._explain is not None:
            # accepted while its client was closing
            self.abandon(self._explain)
        self._wake()

    def eta(self, *job_ids: str) -> Eta | None:
        """When a job will end, or the last of several, as far as those before them tell.

        None if they do not.
        """
        now = self._clock()
        forecast = self._schedule.eta_of_all(job_ids, now)
        if forecast is None:
            return None
        wall = utc_now()
        return Eta(*(wall + timedelta(seconds=max(at - now, 0.0)) for at in forecast))

    def __len__(self) -> int:
        return len(self._followed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with anyio.create_task_group() as group:
            for number in range(self._workers):
                group.start_soon(self._work, name=f"qawait poller {number}")

    def abandon(self, explain: Callable[[str], str]) -> None:
        """Settle every job still followed, and any that comes later: its client closes.

        Args:
            explain: Says of a job's id why its wait ends and how to come back.
        """
        self._explain = explain
        for followed in list(self._followed.values()):
            job_id = followed.job.id
            closed = ClientClosed(
                explain(job_id), job_id=job_id, resume=self._resume(followed)
            )
            self._settle(followed, closed)

    async def _work(self) -> None:
        while True:
            # one worker at a time waits for the next due job, so that a wake-up
            # rouses one worker and not all of them
            async with self._turn:
                followed = await self._next()
            followed.job.asked()
            with followed.watch.asking():
                await self._ask(followed)

    async def _next(self) -> _Followed:
        while True:
            # in this order: what could be sent at once must not seem to be in the future
            earliest = self._source.earliest_question()
            now = self._clock()
            job_id = self._schedule.due(now, earliest=earliest)
            if job_id is not None:
                return self._followed[job_id]
            wakeup = self._schedule.next_wakeup(earliest=earliest)
            await self._wait(math.inf if wakeup is None else wakeup, now)

    async def _wait(self, until: float, now: float) -> None:
        """Wait until then, or until a question is due before."""
        self._wakes_at = until
        self._news.clear()
        timer = None
        if until < math.inf:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(max(0.0, until - now), self._news.set)
        try:
            await self._news.wait()
        finally:
            self._wakes_at = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        """Let the worker that waits go on, if a question is now due before it would."""
        # most news puts off what is due: for that, nobody has to get up
        if self._wakes_at is not None:
            wakeup = self._schedule.next_wakeup()
            if wakeup is not None and wakeup < self._wakes_at:
                self._news.set()

    async def _ask(self, followed: _Followed) -> None:
        """One question, from due to put back or settled."""
        try:
            if followed.ended is not None:
                await self._fetch(followed, followed.ended)
                return
            job = followed.job
            status, result = await self._source.question(job.id, job.manifest)
            self._recovered(followed)
            await self._observe(followed, status)
            if result is not None:
                await self._complete(followed, status, result)
            elif followed.ended is not None:
                await self._fetch(followed, followed.ended)
        except Error as error:
            await self._met(followed, error)
        except Exception as error:
            # a fault of ours must end one wait and not all of them
            ids = {"job_id": followed.job.id}
            log.exception(
                "job %(job_id)s: the answer could not be read", ids, extra=ids
            )
            self._settle(
                followed,
                ProtocolError(
                    f"job {followed.job.id}: the answer could not be read "
                    f"({type(error).__name__})"
                ),
            )

    async def _observe(self, followed: _Followed, status: Status) -> None:
        """Take in how a job stands, and put it back unless it has ended badly."""
        job, now = followed.job, self._clock()
        finished = self._own_time(followed, status, status.finished_at)
        if status.end is not None and finished is not None:
            job.learned(late=max(now - finished, 0.0))
        self._schedule.observed(
            job.id,
            now,
            ended=status.end is not None,
            running=status.running,
            queue_position=status.queue_position,
            started=self._own_time(followed, status, status.started_at),
            finished=finished,
        )
        self._wake()
        if status.state is None and status.end is None:
            self._warn_of_word(status.raw)
        if status.end is End.READY:
            # `ready` is shown together with the result, so that neither is early
            followed.ended = status
            return
        if job.observe(status):
            followed.watch.changed()
            if self._record is not None:
                self._record.changed(job)
        if status.end is not None:
            await self._end(followed, error_of_end(status, job.id))

    def _own_time(
        self, followed: _Followed, status: Status, at: datetime | None
    ) -> float | None:
        """A time of the service on our clock.

        The two may differ by much, but both knew when the job was submitted.
        """
        if at is None or not followed.known or not status.steps:
            return None
        taken = status.steps[0]
        if taken.at is None or taken.state is not State.PENDING_COMPILATION:
            return None
        return followed.since + max((at - taken.at).total_seconds(), 0.0)

    async def _fetch(self, followed: _Followed, status: Status) -> None:
        job = followed.job
        followed.result_attempts += 1
        result = await self._source.result(job.id, status, job.manifest)
        await self._complete(followed, status, result)

    async def _complete(
        self, followed: _Followed, status: Status, result: Result
    ) -> None:
        if not status.steps:
            status = replace(status, steps=self._source.steps_of(result))
        followed.job.observe(status, utc_now())
        await self._end(followed, result)

    async def _end(self, followed: _Followed, outcome: Result | Error) -> None:
        """Write down how a job ended, and then tell whoever waits for it."""
        if self._record is not None:
            try:
                await self._record.ended(followed.job, outcome)
            except JournalError as error:
                # it can be fetched again; whoever waits has no use for less than it
                ids = {"job_id": followed.job.id}
                told = (followed.job.id, error)
                log.error("job %s: its end was not written: %s", *told, extra=ids)
        self._settle(followed, outcome)

    async def _met(self, followed: _Followed, error: Error) -> None:
        """Decide what an error of a question means for its job."""
        match error:
            case AuthenticationError() | PermissionDenied() | ConfigurationError():
                self._give_up(followed, error)
            case NotFound():
                await self._missed(followed, error)
            case ProtocolError():
                followed.nonsense += 1
                if followed.nonsense >= _NONSENSE:
                    self._give_up(followed, error)
                else:
                    self._put_back(followed)
            case ResponseError() | TransportError():
                stuck = (
                    isinstance(error, ResponseError)
                    and 400 <= error.status < 500
                    and error.status not in (408, 425, 429)
                    and followed.result_attempts >= _RESULT_ATTEMPTS
                )
                if stuck:
                    self._give_up(followed, error)
                    return
                self._warn_of_trouble(error)
                after = error.retry_after if isinstance(error, ResponseError) else None
                self._put_back(followed, retry_after=after)
            case _:
                self._settle(followed, error)

    def _give_up(self, followed: _Followed, error: Error) -> None:
        """End the wait with what a question met; the job itself may go on."""
        about = _about(error, followed.job.id, self._resume(followed))
        self._settle(followed, about)

    async def _missed(self, followed: _Followed, error: NotFound) -> None:
        followed.misses += 1
        job_id = followed.job.id
        if followed.job.changes or followed.ended is not None:
            if followed.misses < _MISSES:
                self._put_back(followed, answered=True)
                return
            await self._end(
                followed,
                ResultGone(
                    "the service no longer knows it; it may have run",
                    job_id=job_id,
                    raw=str(error.status),
                ),
            )
            return
        waited = self._clock() - followed.since
        if followed.known and (waited < _GRACE or followed.misses < _MISSES):
            self._put_back(followed, answered=True)
            return
        await self._end(
            followed,
            JobMissing(
                f"the service does not know this job ({error.message})",
                job_id=job_id,
                resume=self._resume(followed, known=False),
            ),
        )

    def _resume(self, followed: _Followed, *, known: bool = True) -> str | None:
        if self._record is None:
            return None
        return self._record.resume(followed.job, known=known)

    def _put_back(
        self,
        followed: _Followed,
        *,
        answered: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Ask about a job again later, for a question about it has failed."""
        self._schedule.observed(
            followed.job.id,
            self._clock(),
            failed=True,
            answered=answered,
            retry_after=retry_after,
        )
        self._wake()

    def _settle(self, followed: _Followed, outcome: Result | Error) -> None:
        self._schedule.discard(followed.job.id)
        self._followed.pop(followed.job.id, None)
        if not followed.job.done():
            followed.watch.ended(outcome if isinstance(outcome, Error) else None)
        followed.job.settle(outcome)
        self._wake()

    def _recovered(self, followed: _Followed) -> None:
        followed.nonsense = followed.misses = 0
        if self._troubled:
            self._troubled = False
            log.warning("the service answers again")

    def _warn_of_trouble(self, error: Error) -> None:
        if not self._troubled:
            self._troubled = True
            log.warning("%s; jobs are asked about again later", error)

    def _warn_of_word(self, word: str) -> None:
        if word not in self._unknown_words:
            self._unknown_words.add(word)
            log.warning("unknown status %r is taken as still in progress", word)


def _about(error: Error, job_id: str, resume: str | None) -> Error:
    """The same error, saying which job it is about and that the job may go on."""
    twin = fresh(error)
    command = f", or `{resume}`" if resume else ""
    twin.add_note(
        f"while following job {job_id}; it may go on at the service: "
        f"come back with client.job({job_id!r}){command}"
    )
    return twin
