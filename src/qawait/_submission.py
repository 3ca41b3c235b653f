"""A submission on its way: sent at most once, in one request or in two phases."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
from msgspec import Struct

from qawait._delivery import (
    MOST_JOBS,
    Next,
    Phase,
    after_asking,
    after_cancelling,
    delivery_of,
    next_step,
)
from qawait._resuming import Resuming
from qawait.errors import (
    ClientClosed,
    ConfigurationError,
    Error,
    NotFound,
    ProtocolError,
    ResponseError,
    SubmissionRejected,
    SubmissionUncertain,
    TransportError,
)
from qawait.journal.records import Intent
from qawait.model import Answer, Call, Delivery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qawait._transport import Transport
    from qawait.journal.port import Journal
    from qawait.model import Dialect, Status, Submission

__all__ = ["Opened", "Patience", "Submitter"]

T = TypeVar("T")

_FAILURES = (ResponseError, TransportError, ProtocolError)
"""What one attempt may end with."""
_NEW_JOB = (0.02, 0.08, 0.2, 0.3, 0.4)
"""Waits before an upload to a job that the service does not know yet, of the patience
for a new job."""
_FIRST_LOOK = 0.03
"""How soon an unanswered last upload is asked about again, of the patience for it."""


class Opened(Struct, frozen=True):
    """An accepted submission."""

    job_id: str
    held: Call | None = None
    """The last upload, where it was held back; the job runs when it is sent."""
    trace: str | None = None
    """In which trace it was sent, as W3C's `traceparent`; None without telemetry."""


class Patience(Struct, frozen=True, kw_only=True):
    """How long to wait for a service to make up its mind, in seconds."""

    new_job: float = 60.0
    """For a job that was just opened to be known everywhere."""
    lost_finish: float = 30.0
    """For a job to start whose last upload was not answered."""


class _AbandonedJob(Exception):
    """A job will never run, or certainly has not; another one may be opened."""

    def __init__(self, error: Error) -> None:
        super().__init__(error)
        self.error = error


class Submitter:
    """Submits batches to one service; each step is in the journal before it is taken.

    Args:
        dialect: How the service is spoken to.
        transport: What sends.
        journal: What is written to.
        status: Asks how a job stands, and again where the question failed.
        patience: How long to wait where waiting may settle it.
        resuming: From where to come back to what is uncertain; None for nowhere.
    """

    def __init__(
        self,
        dialect: Dialect,
        transport: Transport,
        journal: Journal,
        status: Callable[[str], Awaitable[Status]],
        patience: Patience,
        resuming: Resuming | None = None,
    ) -> None:
        self.patience = patience
        self._dialect = dialect
        self._transport = transport
        self._journal = journal
        self._status = status
        self._resuming = resuming or Resuming()

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
        """Submit a batch at most once; see `Service.submit`."""
        journal = self._journal if journal is None else journal
        if hold and not self._dialect.two_phases:
            raise ConfigurationError(
                f"the dialect {self._dialect.name} submits in one request: "
                "there is nothing to hold back"
            )
        opening = await _written(
            lambda: self._dialect.open_job(submission), apart=apart
        )
        circuits = submission.rows or len(submission.circuits)
        await journal.intend(
            intent
            or Intent(
                submission_id=submission_id,
                target=submission.target.name,
                circuits=circuits,
                shots=sum(submission.shots_each) or circuits * submission.shots,
            )
        )
        jobs = 0
        while True:
            job_id = await self._open(opening, submission_id, journal)
            jobs += 1
            sending = _Sending(submission_id, journal, job_id, circuits, jobs)
            try:
                held = await self._upload(sending, submission, hold=hold, apart=apart)
            except _AbandonedJob as abandoned:
                if jobs < MOST_JOBS:
                    continue
                # none of these jobs was finished, so none of them ever runs
                await journal.outcome(
                    submission_id,
                    Delivery.NOT_DELIVERED,
                    evidence=str(abandoned.error),
                )
                raise abandoned.error from None
            if not hold:
                await journal.outcome(submission_id, Delivery.ACCEPTED, job_id)
            return Opened(job_id, held)

    async def release(self, opened: Opened, submission_id: str) -> None:
        """Send the upload that was held back."""
        if opened.held is not None:
            sending = _Sending(submission_id, self._journal, opened.job_id)
            await self._finish(opened.held, sending)
            await self._journal.outcome(submission_id, Delivery.ACCEPTED, opened.job_id)

    # --- the first request --------------------------------------------------------

    async def _open(self, call: Call, submission_id: str, journal: Journal) -> str:
        if call.repeatable:
            return await self._open_empty(call, submission_id, journal)
        answer = await self._change(call, _Sending(submission_id, journal))
        try:
            return self._dialect.read_opened(answer)
        except ProtocolError as error:
            evidence = f"{answer.status}: {error}"
            await journal.outcome(submission_id, Delivery.UNKNOWN, evidence=evidence)
            raise SubmissionUncertain(
                "the service accepted the submission but gave no usable id",
                evidence=evidence,
                submission_id=submission_id,
                resume=self._resuming.command(journal.path, None),
            ) from None

    async def _open_empty(
        self, call: Call, submission_id: str, journal: Journal
    ) -> str:
        """Open a job that runs nothing yet, so that one too many costs nothing."""
        attempt = orphans = 0
        while True:
            attempt += 1
            try:
                return self._dialect.read_opened(await self._transport.send(call))
            except _FAILURES as error:
                delivery = delivery_of(error)
                orphans += delivery is Delivery.UNKNOWN
                step = next_step(Phase.OPENING, error, orphans=orphans)
                if step is Next.AGAIN and await self._transport.pause(error, attempt):
                    continue
                if delivery is Delivery.REJECTED:
                    sending = _Sending(submission_id, journal)
                    raise await self._ended(error, sending) from error
                # what went wrong is an ordinary error: nothing can be running
                await journal.outcome(
                    submission_id, Delivery.NOT_DELIVERED, evidence=str(error)
                )
                raise

    # --- the uploads --------------------------------------------------------------

    async def _upload(
        self, sending: _Sending, submission: Submission, *, hold: bool, apart: bool
    ) -> Call | None:
        """Send every upload; the last one, which starts the job, is returned if held."""
        assert sending.job_id is not None
        if not self._dialect.two_phases:
            # it runs: a pause before its id is written would be one to be cancelled in
            return None
        await sending.journal.opened(sending.submission_id, sending.job_id)
        uploads = self._dialect.uploads(sending.job_id, submission)
        call = await _written(lambda: next(uploads, None), apart=apart)
        while call is not None:
            following = await _written(lambda: next(uploads, None), apart=apart)
            if following is None and hold:
                return call
            if following is None:
                await self._finish(call, sending)
                return None
            await self._add(call, sending)
            call = following
        return None

    async def _add(self, call: Call, sending: _Sending) -> None:
        """Send an upload before the last."""
        try:
            await self._deliver(call, sending, Phase.PART)
        except _FAILURES as error:
            step = next_step(Phase.PART, error, jobs=sending.jobs)
            if step is Next.ANOTHER_JOB or delivery_of(error) is Delivery.UNKNOWN:
                raise _AbandonedJob(error) from None
            if delivery_of(error) is Delivery.REJECTED:
                await self._cancel_quietly(sending)
            raise await self._ended(error, sending) from _cause(error)

    async def _finish(self, call: Call, sending: _Sending) -> None:
        """Send the upload with which a job may run."""
        assert sending.job_id is not None
        try:
            await self._deliver(call, sending, Phase.FINISH)
        except _FAILURES as error:
            if next_step(Phase.FINISH, error) is not Next.ASK:
                if delivery_of(error) is Delivery.REJECTED:
                    await self._cancel_quietly(sending)
                raise await self._ended(error, sending) from _cause(error)
            lost = error
        except BaseException as error:
            await self._stopped(error, sending)
            raise
        else:
            return
        try:
            step, found = await self._settle(sending)
        except BaseException as error:
            await self._stopped(error, sending)
            raise
        if step is Next.ANOTHER_JOB:
            raise _AbandonedJob(lost)
        if step is not Next.ADOPT:
            raise await self._ended(lost, sending, found) from _cause(lost)

    # --- a last upload without an answer ------------------------------------------

    async def _settle(self, sending: _Sending) -> tuple[Next, str]:
        """Find out whether a job runs, or see to it that it never does; what was found."""

        def looked(status: Status | None, patient: bool) -> Next:
            return after_asking(
                status, patient=patient, may_cancel=sending.circuits is not None
            )

        step, status = await self._look(sending, looked)
        if step is not Next.CANCEL or sending.circuits is None:
            return step, f"; afterwards the job is {_word(status)}"
        circuits = sending.circuits
        cancelled = await self._cancel(sending)

        def looked_again(status: Status | None, patient: bool) -> Next:
            return after_cancelling(
                status, cancelled, circuits, patient=patient, jobs=sending.jobs
            )

        step, status = await self._look(sending, looked_again)
        count = "it is not known how many" if cancelled is None else str(cancelled)
        return step, (
            f"; the job did not start, so it was cancelled and is {_word(status)}: "
            f"{count} of {circuits} circuits were stopped"
        )

    async def _look(
        self, sending: _Sending, judge: Callable[[Status | None, bool], Next]
    ) -> tuple[Next, Status | None]:
        """Ask how a job stands until it is settled, or patience is at its end."""
        assert sending.job_id is not None
        patience = self.patience.lost_finish
        until = anyio.current_time() + patience
        wait = patience * _FIRST_LOOK
        while True:
            try:
                status = await self._status(sending.job_id)
            except ClientClosed:
                return judge(None, False), None
            except Error:
                status = None
            left = until - anyio.current_time()
            step = judge(status, left > 0)
            if step is not Next.ASK:
                return step, status
            await anyio.sleep(min(wait, left))
            wait *= 1.5

    async def _cancel(self, sending: _Sending) -> int | None:
        """Cancel a job; how many circuits of it were, None if that is not known."""
        assert sending.job_id is not None
        if self._dialect.read_cancelled is None:
            return None
        try:
            answer = await self._transport.ask(self._dialect.cancel(sending.job_id))
            return self._dialect.read_cancelled(answer)
        except Error:
            return None

    async def _cancel_quietly(self, sending: _Sending) -> None:
        assert sending.job_id is not None
        with anyio.move_on_after(10, shield=True), suppress(Error):
            await self._transport.ask(self._dialect.cancel(sending.job_id))

    # --- one request --------------------------------------------------------------

    async def _change(self, call: Call, sending: _Sending) -> Answer:
        """Send what must take effect at most once, and write down what is known."""
        try:
            return await self._deliver(call, sending, Phase.WHOLE)
        except _FAILURES as error:
            raise await self._ended(error, sending) from _cause(error)
        except BaseException as error:
            await self._stopped(error, sending)
            raise

    async def _deliver(self, call: Call, sending: _Sending, phase: Phase) -> Answer:
        """Send a call, and again only if it certainly had no effect."""

        async def about_to_leave() -> None:
            # an upload before the last starts nothing, and is not sent again by resume
            if phase is not Phase.PART:
                await sending.journal.sending(sending.submission_id)
                sending.gone = True

        attempt = misses = 0
        while True:
            attempt += 1
            # what went before certainly had no effect, or this would not be reached
            sending.gone = False
            try:
                answer = await self._transport.send(call, before_body=about_to_leave)
                if phase is not Phase.WHOLE:
                    self._dialect.check_uploaded(answer)
                return answer
            except NotFound:
                # the job may be so new that not all of the service knows it
                if phase is Phase.WHOLE or misses == len(_NEW_JOB):
                    raise
                await anyio.sleep(self.patience.new_job * _NEW_JOB[misses])
                misses += 1
            except _FAILURES as error:
                step = next_step(phase, error)
                if step is not Next.AGAIN or not await self._transport.pause(
                    error, attempt
                ):
                    raise

    # --- what is known afterwards -------------------------------------------------

    async def _stopped(self, error: BaseException, sending: _Sending) -> None:
        """Write down a request that was cancelled, or that the journal stopped."""
        # cancelled or refused before the journal had it: no byte can have left
        delivery = delivery_of(error) if sending.gone else Delivery.NOT_DELIVERED
        evidence = f"it was stopped while it was sent ({type(error).__name__})"
        await sending.journal.outcome(
            sending.submission_id, delivery, sending.job_id, evidence=evidence
        )

    async def _ended(self, error: Error, sending: _Sending, found: str = "") -> Error:
        """Write down how a submission ended, and give the error that says so."""
        delivery, evidence = delivery_of(error), f"{error}{found}"
        await sending.journal.outcome(
            sending.submission_id, delivery, sending.job_id, evidence=evidence
        )
        resume = self._resuming.command(sending.journal.path, sending.job_id)
        return _submission_error(error, delivery, sending, evidence, resume)


class _Sending(Struct):
    """What a request belongs to."""

    submission_id: str
    journal: Journal
    job_id: str | None = None
    circuits: int | None = None
    """All circuits of the submission; None if another job cannot be opened for it."""
    jobs: int = 1
    """The jobs that were opened for the submission, this one included."""
    gone: bool = False
    """Whether bytes of the request under way may have left."""


async def _written(write: Callable[[], T], *, apart: bool) -> T:
    """What is to be sent; written in a thread where that may take long."""
    return await anyio.to_thread.run_sync(write) if apart else write()


def _word(status: Status | None) -> str:
    return "without an answer" if status is None else repr(status.raw)


def _cause(error: Error) -> Error | None:
    return error if isinstance(error, ResponseError) else None


def _submission_error(
    error: Error,
    delivery: Delivery,
    sending: _Sending,
    evidence: str,
    resume: str | None,
) -> Error:
    job_id = sending.job_id
    if delivery is Delivery.NOT_DELIVERED:
        return error
    if delivery is Delivery.REJECTED:
        return SubmissionRejected(f"the submission was refused: {error}", job_id=job_id)
    return SubmissionUncertain(
        "the submission may be running and billed, or may never have arrived; "
        "it is not sent again",
        evidence=evidence,
        submission_id=sending.submission_id,
        job_id=job_id,
        resume=resume,
    )
