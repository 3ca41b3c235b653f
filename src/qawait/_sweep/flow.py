"""A sweep at work: circuits in from their source, jobs out, outcomes in."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from msgspec import Struct

from qawait._sweep.bisection import Verdict, halves, verdict
from qawait._sweep.chunks import fitting
from qawait._sweep.line import Left
from qawait._sweep.preparing import (
    Given,
    Ready,
    compiled_source,
    named,
    prepared,
    read_all,
)
from qawait.errors import (
    CircuitError,
    Error,
    JobCancelled,
    JournalError,
    SubmissionUncertain,
)
from qawait.journal.records import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from qawait._job import Job
    from qawait._sweep.chunks import Chunks, JobLimits
    from qawait._sweep.items import Item, Items
    from qawait._sweep.line import Line
    from qawait._sweep.outcomes import Outcomes
    from qawait._sweep.purse import Purse
    from qawait._sweep.record import Record
    from qawait._sweep.settling import Settling
    from qawait.circuits import Compiled
    from qawait.iqm.architecture import DynamicQuantumArchitecture
    from qawait.journal.records import Found
    from qawait.results import Result

__all__ = ["Flow"]

T = TypeVar("T")

log = logging.getLogger("qawait")

_PATIENCE = 0.05
"""Seconds in which an asynchronous source may add to a job that has a circuit."""


class _Template(Struct, frozen=True):
    source_bytes: bytes
    source: Any


class Flow:
    """Takes points from the source while there is room, and carries each to its end.

    One task takes, compiles and sizes jobs; each job then has a task of its own. What is
    under way is bounded by the points that the user's loop has not taken yet.
    """

    def __init__(
        self,
        *,
        line: Line,
        record: Record,
        purse: Purse,
        items: Items,
        template: Any,
        outcomes: Outcomes,
        chunks: Chunks,
        limits: JobLimits,
        settling: Settling,
        resumed: Sequence[list[tuple[Given, Found]]] = (),
    ) -> None:
        self.running: dict[str, Job] = {}
        """Jobs under way, by submission."""
        self.stopped: str | None = None
        """Why no more points are taken; None while they are, and at the source's end."""
        self.failure: BaseException | None = None
        """What ends the sweep as a whole."""
        self.settling = settling
        settling.stop = self.stop
        self._line = line
        self._record = record
        self._purse = purse
        self._items = items
        self._given_template = template
        self._template: _Template | None = None
        self._compiled: Compiled | None = None
        self._outcomes = outcomes
        self._chunks = chunks
        self._limits = limits
        self._resumed = resumed
        self._feeding = anyio.CancelScope()
        self._last_end = 0.0
        self._cancelling = False

    async def run(self) -> None:
        """Work until the source is at its end and every point has its outcome."""
        try:
            await self._purse.open()
            async with anyio.create_task_group() as group:
                self._group = group
                with self._feeding:
                    await self._safely(self._feed)
                self.settling.open = False
        except Exception as error:
            self.fail(error)
        finally:
            self.settling.open = False
            self._outcomes.close()

    def stop(self, reason: str, *, send_rest: bool = False) -> None:
        """Take no more points; jobs under way go on.

        Args:
            reason: Why.
            send_rest: Whether jobs are still sent that were about to be.
        """
        if self.stopped is None:
            self.stopped = reason
        if not send_rest:
            self._line.leave()
        self.settling.open = False
        self._feeding.cancel()
        self._outcomes.tell()

    def fail(self, error: BaseException, *, send_rest: bool = False) -> None:
        """Take no more points, and raise this when those under way have ended."""
        self.failure = self.failure or error
        self.stop(str(error) or type(error).__name__, send_rest=send_rest)

    async def cancel_jobs(self) -> None:
        """Cancel what is under way; its points are free to be sent by another run."""
        self._cancelling = True

        async def cancel(job: Job) -> None:
            try:
                await job.cancel()
            except Error as error:
                told, ids = (job.id, error), {"job_id": job.id}
                log.warning("job %s could not be cancelled: %s", *told, extra=ids)

        async with anyio.create_task_group() as group:
            for job in list(self.running.values()):
                group.start_soon(cancel, job)

    def _start(
        self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any
    ) -> None:
        self._group.start_soon(self._safely, work, *args)

    async def _safely(
        self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any
    ) -> None:
        """What goes wrong ends the sweep, when what is under way has its outcome."""
        try:
            await work(*args)
        except Left:
            return
        except Exception as error:
            self.fail(error)

    # --- in from the source ----------------------------------------------------------

    async def _feed(self) -> None:
        for points in self._resumed:
            self._outcomes.enter(len(points))
            self.settling.progress.taken += len(points)
            self._start(self._take_up, points)
        retries = self.settling.retries
        while True:
            wanted = max(1, min(self._chunks.wanted, self._outcomes.most // 4))
            if self._items.total is not None:
                # nothing is decided on the way, so several jobs are made at once
                wanted *= max(1, self._outcomes.most // 4 // wanted)
            # room for a whole job: else jobs would be as small as the loop's steps
            while self._outcomes.room < wanted and not retries:
                await self._outcomes.changed()
            items = [retries.popleft() for _ in range(min(len(retries), wanted))]
            if not items:
                try:
                    items = await self._items.take(wanted, _PATIENCE)
                except Exception as error:
                    self.fail(error, send_rest=True)
                    return
                self._outcomes.enter(len(items))
                self.settling.progress.taken += len(items)
            if items:
                await self._admit(items)
            elif not await self._again():
                return

    async def _again(self) -> bool:
        """At the source's end: wait until a point is to be sent again, or none can be."""
        while not self.settling.retries:
            if not self._outcomes.under_way:
                return False
            await self._outcomes.changed()
        return True

    async def _admit(self, items: Sequence[Item]) -> None:
        """Read points, take up those that the journal knows, and send the rest."""
        making, settling = self._line.making, self.settling
        known = await self.template()
        items = settling.admitted(items)
        given = settling.usable(
            await _in_thread(read_all, items, making, known, self._record.point)
        )
        found = await self._record.find(given)
        fresh: list[Given] = []
        earlier: dict[str, list[tuple[Given, Found]]] = {}
        for one, before in zip(given, found, strict=True):
            if before is None:
                fresh.append(one)
            else:
                earlier.setdefault(before.submission_id, []).append((one, before))
        for points in earlier.values():
            self._start(self._take_up, points)
        if fresh:
            architecture = await self._line.architecture()
            compiled = await self.compile_template(architecture)
            made = await _in_thread(prepared, fresh, making, architecture, compiled)
            await self._send_all(settling.usable(made))

    async def template(self) -> bytes | None:
        """What the template is; None where each item is a circuit of its own."""
        if self._given_template is None:
            return None
        if self._template is None:
            self._template = await _in_thread(
                _template_of, self._given_template, self._line.making
            )
        return self._template.source_bytes

    async def compile_template(
        self, architecture: DynamicQuantumArchitecture | None
    ) -> Compiled | None:
        """Once for all points, so that they share placement, seed and calibration."""
        if self._template is not None and self._compiled is None:
            self._compiled = await _in_thread(
                compiled_source, self._template.source, self._line.making, architecture
            )
            if not self._compiled.parameters:
                raise CircuitError(
                    self._compiled.label, "has points, but no free parameters"
                )
        return self._compiled

    async def _send_all(self, ready: list[Ready]) -> None:
        """Cut into jobs, each within all limits and within the budget."""
        while ready:
            shots = self._line.shots_of(ready)
            first = ready[0].calibration
            alike = next(
                (n for n, one in enumerate(ready) if one.calibration != first),
                len(ready),
            )
            number = fitting(
                [one.size for one in ready],
                shots,
                self._limits,
                min(alike, self._chunks.wanted),
            )
            name = str(uuid.uuid4())
            number = await self._afford(name, shots[:number])
            if number == 0:
                return
            batch, ready = ready[:number], ready[number:]
            self._chunks.sent(number)
            self._start(self._carry, batch, name)

    async def _afford(self, name: str, shots: list[int]) -> int:
        """Reserve a job of as many of these circuits as the budget has room for.

        0 if it has room for none, ever; the sweep is stopped then.
        """
        while True:
            room = self._purse.room(shots)
            if room.circuits:
                self._purse.reserve(name, sum(shots[: room.circuits]))
                return room.circuits
            if room.used_up is not None:
                log.warning("the sweep takes no more points: %s", room.used_up)
                self.stop(room.used_up, send_rest=True)
                return 0
            await self._outcomes.changed()

    # --- out to the service, and back ------------------------------------------------

    async def _carry(self, batch: Sequence[Ready], name: str) -> None:
        """One batch to its end, or its halves; `name` is its part of the budget."""
        began = anyio.current_time()
        try:
            job = await self._sent(batch)
        except (Left, JournalError) as reason:
            self._purse.release(name)
            if isinstance(reason, JournalError):
                raise
            return
        except Error as error:
            await self._not_sent(batch, name, error)
            return
        accepted = anyio.current_time()
        self._purse.accepted(name)
        self._outcomes.tell()
        self.settling.progress.jobs += 1
        points = [(one.given, place) for place, one in enumerate(batch)]
        await self._follow(job, points, name)
        # what a job adds to the time of all: not what it waited for others
        ended = anyio.current_time()
        service = ended - max(accepted, self._last_end)
        self._last_end = ended
        self._chunks.observed(len(batch), accepted - began + service)

    async def _sent(self, batch: Sequence[Ready]) -> Job:
        """The job of a batch; while the service is away, that is waited for."""
        while True:
            await self._line.back()
            # a new name each time: the journal keeps what became of the last attempt
            submission_id = str(uuid.uuid4())
            try:
                job = await self._line.send(
                    batch, submission_id, self._record, self._compiled
                )
            except Error as error:
                if verdict(error) is not Verdict.LATER or self.stopped is not None:
                    raise
                self._line.was_away(error)
                continue
            self._line.answered()
            return job

    async def _not_sent(self, batch: Sequence[Ready], name: str, error: Error) -> None:
        uncertain = isinstance(error, SubmissionUncertain)
        if uncertain:
            # it may run, so it is spent, and is not sent again
            self._purse.lose(name)
        else:
            self._purse.release(name)
        self._outcomes.tell()
        if len(batch) > 1 and verdict(error) is Verdict.APART:
            for half in halves(batch):
                await self._send_all(list(half))
            return
        self.settling.settle_with(
            error,
            [(one.given, 0) for one in batch],
            job_id=getattr(error, "job_id", None),
            submission_id=error.submission_id if uncertain else None,
        )

    async def _follow(
        self, job: Job, points: Sequence[tuple[Given, int]], name: str | None
    ) -> None:
        """Wait for a job, write down its end, and settle the points it carries."""
        submission_id = job.submission_id
        self.running[submission_id] = job
        outcome: Result | Error
        try:
            outcome = await job
        except Error as error:
            outcome = error
        outcome = await self._record.ended(
            submission_id, outcome, job.changes, job.following
        )
        if self._cancelling and isinstance(outcome, JobCancelled):
            await self._record.free([given.item.key for given, _ in points])
        self.running.pop(submission_id, None)
        self.settling.settle_with(
            outcome, points, job_id=job.id, submission_id=submission_id
        )
        if name is not None:
            await self._purse.pay(name, job)
            self._outcomes.tell()

    async def _take_up(self, points: list[tuple[Given, Found]]) -> None:
        """Points of one submission of before: their results, or what is known."""
        found = points[0][1]
        placed = [(given, before.place) for given, before in points]
        self.settling.progress.recorded += len(points)
        job = self.running.get(found.submission_id)
        recorded = None
        if job is None and found.standing is not Standing.TERMINAL:
            recorded = await self._record.submission(found.submission_id)
            if found.standing is Standing.ACCEPTED and recorded is not None:
                job = self._line.adopt(recorded)
        if job is not None:
            await self._follow(job, placed, None)
            return
        if found.standing is Standing.TERMINAL:
            outcome = await self._record.outcome(found.submission_id)
        else:
            outcome = self._record.still_open(found, recorded)
        self.settling.settle_with(
            outcome,
            placed,
            job_id=found.job_id,
            submission_id=found.submission_id,
            recorded=True,
        )


async def _in_thread(function: Callable[..., T], *args: Any) -> T:
    return await anyio.to_thread.run_sync(function, *args)


def _template_of(given: Any, making: Any) -> _Template:
    from qawait.circuits.identity import source_bytes

    source = named(given, making, None)
    return _Template(source_bytes(source), source)
