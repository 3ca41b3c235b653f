"""One dialect over one transport: submit, status, result, cancel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from msgspec import Struct

from qawait._body import LARGE
from qawait.errors import (
    ConfigurationError,
    Conflict,
    Error,
    ProtocolError,
    RateLimited,
    ResponseError,
    SubmissionRejected,
    SubmissionUncertain,
    TransportError,
)
from qawait.model import (
    Answer,
    Call,
    Delivery,
    Dialect,
    End,
    Exchange,
    Manifest,
    State,
    Status,
    Step,
)
from qawait.wire import checked_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from qawait._journal import Journal
    from qawait._transport import Transport
    from qawait.model import Submission
    from qawait.results import Result

__all__ = ["Opened", "Service", "delivery_of"]

T = TypeVar("T")

_FRESH_JOBS = 3
"""How many jobs may be opened anew for one submission in two phases."""


def delivery_of(error: BaseException) -> Delivery:
    """What an error of one attempt says about its effect at the service.

    Only two things prove that nothing happened: no byte left, or the service said no.
    A 5xx may come from something in front of the service, after the service has acted;
    so may a 408 and a 303. Everything else is unknown, a cancelled attempt included.
    """
    match error:
        case TransportError(sent=False):
            return Delivery.NOT_DELIVERED
        case ResponseError(status=303 | 408):
            return Delivery.UNKNOWN
        case ResponseError(status=503):
            spoken = error.recognised or error.retry_after is not None
            return Delivery.REJECTED if spoken else Delivery.UNKNOWN
        case ResponseError() if error.status < 500 or error.status == 501:
            return Delivery.REJECTED
        case ConfigurationError():
            return Delivery.NOT_DELIVERED
        case _:
            return Delivery.UNKNOWN


class Opened(Struct, frozen=True):
    """An accepted submission."""

    job_id: str
    held: Call | None = None
    """The last upload, where it was held back; the job runs when it is sent."""


class Service:
    """One account endpoint, spoken to in one dialect."""

    def __init__(
        self, dialect: Dialect, transport: Transport, journal: Journal
    ) -> None:
        self.dialect = dialect
        self._transport = transport
        self._journal = journal

    # --- questions -------------------------------------------------------------------

    async def exchange(self, exchange: Exchange[T], *, apart: bool = False) -> T:
        """Carry an exchange through to its value, each list of calls side by side.

        Args:
            exchange: What asks and reads.
            apart: Whether it reads in threads in any case, and not only large answers.
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
            answers = await self._side_by_side(step.calls)

    async def _side_by_side(self, calls: list[Call]) -> list[Answer]:
        if len(calls) == 1:
            return [await self._transport.ask(calls[0])]
        answers: dict[int, Answer] = {}

        async def ask(place: int, call: Call) -> None:
            answers[place] = await self._transport.ask(call)

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
    ) -> Opened:
        """Submit a batch at most once.

        Args:
            submission: The batch.
            submission_id: Our own name for it.
            hold: Keep back the last upload; only where a job has two phases.
            apart: Whether the batch is so large that it is written in a thread.

        Raises:
            SubmissionRejected: The service said no; nothing runs.
            SubmissionUncertain: It may run; it is not sent again.
            TransportError: Nothing was delivered, in several attempts.
        """
        if hold and not self.dialect.two_phases:
            raise ConfigurationError(
                f"the dialect {self.dialect.name} submits in one request: "
                "there is nothing to hold back"
            )
        opening = await _written(lambda: self.dialect.open_job(submission), apart=apart)
        self._journal.intend(
            submission_id,
            target=submission.target.name,
            circuits=submission.rows or len(submission.circuits),
            shots=submission.shots,
        )
        fresh_jobs = 0
        while True:
            job_id = await self._open(opening, submission_id)
            try:
                held = await self._upload(
                    job_id, submission, submission_id, hold=hold, apart=apart
                )
            except _AbandonedJob as abandoned:
                fresh_jobs += 1
                if fresh_jobs >= _FRESH_JOBS:
                    # none of these jobs was finished, so none of them ever runs
                    self._journal.outcome(submission_id, Delivery.NOT_DELIVERED)
                    raise abandoned.error from None
                continue
            self._journal.outcome(submission_id, Delivery.ACCEPTED, job_id)
            return Opened(job_id, held)

    async def release(self, opened: Opened, submission_id: str) -> None:
        """Send the upload that was held back."""
        if opened.held is not None:
            await self._finish(opened.held, submission_id, opened.job_id)
            self._journal.outcome(submission_id, Delivery.ACCEPTED, opened.job_id)

    async def _open(self, call: Call, submission_id: str) -> str:
        if not call.repeatable:
            answer = await self._change(call, submission_id, None)
            return self._read_opened(answer, submission_id)
        # an empty job never runs, so opening one too many costs nothing, and what
        # went wrong is an ordinary error: there is nothing to be uncertain about
        try:
            return self.dialect.read_opened(await self._transport.ask(call))
        except (ResponseError, TransportError, ProtocolError) as error:
            if delivery_of(error) is Delivery.REJECTED:
                raise self._ended(error, submission_id, None) from _cause(error)
            self._journal.outcome(submission_id, Delivery.NOT_DELIVERED)
            raise

    def _read_opened(self, answer: Answer, submission_id: str) -> str:
        try:
            return self.dialect.read_opened(answer)
        except ProtocolError as error:
            self._journal.outcome(submission_id, Delivery.UNKNOWN)
            raise SubmissionUncertain(
                "the service accepted the submission but gave no usable id",
                evidence=f"{answer.status}: {error}",
                submission_id=submission_id,
            ) from None

    async def _upload(
        self,
        job_id: str,
        submission: Submission,
        submission_id: str,
        *,
        hold: bool,
        apart: bool,
    ) -> Call | None:
        """Send every upload; the last one, which starts the job, is returned if held."""
        uploads = self.dialect.uploads(job_id, submission)
        call = await _written(lambda: next(uploads, None), apart=apart)
        while call is not None:
            following = await _written(lambda: next(uploads, None), apart=apart)
            if following is None and hold:
                return call
            if following is None:
                await self._finish(call, submission_id, job_id)
                return None
            try:
                await self._deliver(call, submission_id)
            except (ResponseError, TransportError, ProtocolError) as error:
                if delivery_of(error) is Delivery.UNKNOWN:
                    # it is never finished, so even a late arrival runs nothing
                    raise _AbandonedJob(error) from None
                if delivery_of(error) is Delivery.REJECTED:
                    await self._cancel_quietly(job_id)
                raise self._ended(error, submission_id, job_id) from _cause(error)
            call = following
        return None

    async def _finish(self, call: Call, submission_id: str, job_id: str) -> None:
        """Send the upload with which a job starts; a lost answer may mean that it has."""
        try:
            await self._change(call, submission_id, job_id)
        except SubmissionUncertain:
            if not await self._started(job_id):
                raise
        except SubmissionRejected:
            await self._cancel_quietly(job_id)
            raise

    async def _started(self, job_id: str) -> bool:
        """Whether a job runs although the answer to its last upload was lost."""
        try:
            status = await self.status(job_id, repeat=True)
        except Error:
            return False
        return status.state is not State.PENDING_COMPILATION

    async def _cancel_quietly(self, job_id: str) -> None:
        with anyio.move_on_after(10, shield=True):
            try:
                await self.cancel(job_id)
            except Error:
                return

    async def _change(
        self, call: Call, submission_id: str, job_id: str | None
    ) -> Answer:
        """Send what must take effect at most once, and write down what is known."""
        try:
            return await self._deliver(call, submission_id)
        except (ResponseError, TransportError, ProtocolError) as error:
            raise self._ended(error, submission_id, job_id) from _cause(error)
        except BaseException as error:
            # cancelled, or stopped by the journal: the server may be at work
            self._journal.outcome(submission_id, delivery_of(error), job_id)
            raise

    async def _deliver(self, call: Call, submission_id: str) -> Answer:
        """Send a call, and again only if it certainly had no effect."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._transport.send(
                    call, before_body=lambda: self._journal.sending(submission_id)
                )
            except (ResponseError, TransportError, ProtocolError) as error:
                harmless = isinstance(error, RateLimited) or (
                    delivery_of(error) is Delivery.NOT_DELIVERED
                )
                if not harmless or not await self._transport.wait_to_repeat(
                    error, call, attempt
                ):
                    raise

    def _ended(self, error: Error, submission_id: str, job_id: str | None) -> Error:
        """Write down how a submission ended, and give the error that says so."""
        delivery = delivery_of(error)
        self._journal.outcome(submission_id, delivery, job_id)
        return _submission_error(error, delivery, submission_id, job_id)


class _AbandonedJob(Exception):
    """An upload is uncertain, and leaving its job unfinished makes it harmless."""

    def __init__(self, error: Error) -> None:
        super().__init__(error)
        self.error = error


async def _written(write: Callable[[], T], *, apart: bool) -> T:
    """What is to be sent; written in a thread where that may take long."""
    return await anyio.to_thread.run_sync(write) if apart else write()


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


def _cause(error: Error) -> Error | None:
    return error if isinstance(error, ResponseError) else None


def _submission_error(
    error: Error, delivery: Delivery, submission_id: str, job_id: str | None
) -> Error:
    if delivery is Delivery.NOT_DELIVERED:
        return error
    if delivery is Delivery.REJECTED:
        return SubmissionRejected(f"the submission was refused: {error}", job_id=job_id)
    return SubmissionUncertain(
        "the submission may be running and billed, or may never have arrived; "
        "it is not sent again",
        evidence=str(error),
        submission_id=submission_id,
        job_id=job_id,
        resume=f"qawait status {job_id}" if job_id else None,
    )
