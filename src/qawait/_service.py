"""One dialect over one transport: submit, status, result, cancel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from msgspec import Struct
from msgspec.structs import replace

from qawait._body import LARGE
from qawait._observing import About, Observing
from qawait._submission import Opened, Patience, Submitter
from qawait.errors import (
    ConfigurationError,
    Conflict,
    Error,
    ResponseError,
)
from qawait.model import (
    Answer,
    Call,
    Dialect,
    End,
    Exchange,
    Manifest,
    Status,
    Step,
)
from qawait.wire import checked_id

if TYPE_CHECKING:
    from qawait._resuming import Resuming
    from qawait._transport import Transport
    from qawait.journal.port import Journal
    from qawait.journal.records import Intent
    from qawait.model import Submission
    from qawait.results import Result

__all__ = ["Opened", "Service"]

T = TypeVar("T")


class Service:
    """One account endpoint, spoken to in one dialect."""

    def __init__(
        self,
        dialect: Dialect,
        transport: Transport,
        journal: Journal,
        patience: Patience | None = None,
        resuming: Resuming | None = None,
        observing: Observing | None = None,
    ) -> None:
        self.dialect = dialect
        self._observing = observing or Observing()
        self._transport = transport
        self._submitter = Submitter(
            dialect,
            transport,
            journal,
            lambda job_id: self.status(job_id, repeat=True),
            patience or Patience(),
            resuming,
        )

    # --- questions -------------------------------------------------------------------

    async def exchange(
        self, exchange: Exchange[T], *, apart: bool = False, repeat: bool = True
    ) -> T:
        """Carry an exchange through to its value, each list of calls side by side.

        Args:
            exchange: What asks and reads.
            apart: Whether it reads in threads in any case, and not only large answers.
            repeat: Whether a question that failed is asked again.
        """
        answers: list[Answer] | None = None
        size = 0
        while True:
            # of all so far: the last step may read what the others have brought
            size += sum(answer.size for answer in answers or ())
            if apart or size > LARGE:
                step = await anyio.to_thread.run_sync(_advance, exchange, answers)
            else:
                step = _advance(exchange, answers)
            if step.calls is None:
                return step.value
            answers = await self._side_by_side(step.calls, repeat=repeat)

    async def _side_by_side(self, calls: list[Call], *, repeat: bool) -> list[Answer]:
        send = self._transport.ask if repeat else self._transport.send
        if len(calls) == 1:
            return [await send(calls[0])]
        answers: dict[int, Answer] = {}

        async def ask(place: int, call: Call) -> None:
            answers[place] = await send(call)

        try:
            async with anyio.create_task_group() as group:
                for place, call in enumerate(calls):
                    group.start_soon(ask, place, call)
        except* Error as errors:
            raise _first(errors) from None
        return [answers[place] for place in range(len(calls))]

    async def status(self, job_id: str, *, repeat: bool = False) -> Status:
        """Ask how a job stands; `repeat` asks again where the question failed.

        A job that ended without a result is asked about further where its service tells
        the reason and the steps apart.
        """
        call = self.dialect.status(checked_id(job_id))
        ask = self._transport.ask if repeat else self._transport.send
        status = self.dialect.read_status(await ask(call))
        if self.dialect.ending is None or status.end in (None, End.READY):
            return status
        return await self.exchange(self.dialect.ending(job_id, status))

    async def question(
        self, job_id: str, manifest: Manifest
    ) -> tuple[Status, Result | None]:
        """Ask once how a job stands; with its result, where one answer brings both.

        Args:
            job_id: The job.
            manifest: What is remembered of its submission.
        """
        if self.dialect.whole is None:
            return await self.status(job_id), None
        exchange = self.dialect.whole(checked_id(job_id), manifest)
        apart = "qawait.results" not in sys.modules
        return await self.exchange(exchange, apart=apart, repeat=False)

    def earliest_question(self) -> float:
        """When the rate limit next lets a question pass, on the event loop's clock."""
        return self._transport.gate.earliest("read")

    async def result(self, job_id: str, status: Status, manifest: Manifest) -> Result:
        """Fetch and decode the result of a job that is ready."""
        exchange = self.dialect.result(checked_id(job_id), status, manifest)
        # numpy loads with it, for longer than the event loop may stand still
        return await self.exchange(exchange, apart="qawait.results" not in sys.modules)

    def steps_of(self, result: Result) -> tuple[Step, ...]:
        """The steps that only the result tells."""
        return self.dialect.steps_of(result)

    async def ask(self, call: Call) -> Answer:
        """Send one described call, repeated where that is safe."""
        return await self._transport.ask(call)

    # --- changes ---------------------------------------------------------------------

    async def cancel(self, job_id: str) -> None:
        """Ask for a job to be cancelled; one that has ended is left alone.

        Raises:
            NotFound: The service does not know the job.
        """
        try:
            await self._transport.ask(self.dialect.cancel(checked_id(job_id)))
        except Conflict:
            return
        except ResponseError as error:
            # IQM Server answers 403 illegal_job_status for a job that has ended
            if error.status != 403 or not await self._has_ended(job_id):
                raise

    async def _has_ended(self, job_id: str) -> bool:
        return (await self.status(job_id, repeat=True)).end is not None

    async def delete(self, job_id: str) -> None:
        """Delete a job and its results at the service; one already gone is fine.

        Raises:
            ConfigurationError: This dialect has no way to delete a job.
        """
        if self.dialect.delete is None:
            raise ConfigurationError(
                f"jobs cannot be deleted in the dialect {self.dialect.name}"
            )
        try:
            await self._transport.ask(self.dialect.delete(checked_id(job_id)))
        except ResponseError as error:
            if error.status != 404:
                raise

    async def submit(
        self,
        submission: Submission,
        submission_id: str,
        *,
        hold: bool = False,
        apart: bool = False,
        intent: Intent | None = None,
        journal: Journal | None = None,
    ) -> Opened:
        """Submit a batch at most once.

        Args:
            submission: The batch.
            submission_id: Our own name for it.
            hold: Keep back the last upload; only where a job has two phases.
            apart: Whether the batch is so large that it is written in a thread.
            intent: What is written down of it first; None writes what the batch tells.
            journal: Where; None is the journal of the client.

        Raises:
            SubmissionRejected: The service said no; nothing runs.
            SubmissionUncertain: It may run; it is not sent again.
            TransportError: Nothing was delivered, in several attempts.
        """
        circuits = submission.rows or len(submission.circuits)
        shots = sum(submission.shots_each) or circuits * submission.shots
        about = About(submission_id, submission.target.name, circuits, shots)
        with self._observing.submission(about) as submitting:
            if intent is not None and submitting.trace is not None:
                intent = replace(intent, trace=submitting.trace)
            opened = await self._submitter.submit(
                submission,
                submission_id,
                hold=hold,
                apart=apart,
                intent=intent,
                journal=journal,
            )
            submitting.job_id = opened.job_id
        return replace(opened, trace=submitting.trace)

    async def release(self, opened: Opened, submission_id: str) -> None:
        """Send the upload that was held back."""
        await self._submitter.release(opened, submission_id)


class _Progress(Struct):
    calls: list[Call] | None
    value: Any = None


def _advance(exchange: Exchange[T], answers: list[Answer] | None) -> _Progress:
    """One step of an exchange: its next calls, or its value."""
    try:
        if answers is None:
            return _Progress(next(exchange))
        return _Progress(exchange.send(answers))
    except StopIteration as stop:
        return _Progress(None, stop.value)


def _first(errors: BaseExceptionGroup[Error]) -> Error:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    assert isinstance(first, Error)
    return first
