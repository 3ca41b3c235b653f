"""How a sweep reaches its service: batches out, jobs in."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import anyio.to_thread

from qawait._batch import batch as batch_of
from qawait._service import Opened
from qawait._sweep.record import resume_command
from qawait.errors import (
    ConfigurationError,
    Error,
    RateLimited,
    ResponseError,
    ServiceUnavailable,
    SubmissionUncertain,
    TlsFailed,
    TransportError,
)
from qawait.journal.records import Intent
from qawait.services import QoroService

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait._connection import Connection
    from qawait._job import Job
    from qawait._sweep.preparing import Making, Ready
    from qawait._sweep.record import Record
    from qawait.circuits import Compiled
    from qawait.iqm.architecture import DynamicQuantumArchitecture
    from qawait.journal.records import Recorded
    from qawait.model import Manifest, Submission

__all__ = ["Left", "Line", "Started"]

log = logging.getLogger("qawait")

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


class Left(Exception):
    """The sweep is left: what was not sent is not sent any more."""


class Started(Protocol):
    """Makes the job of a submission that was accepted, and follows it."""

    def __call__(
        self,
        opened: Opened,
        submission_id: str,
        manifest: Manifest,
        *,
        tag: str | None,
        adopted: bool = False,
    ) -> Job: ...


class Line:
    """The way of one sweep to its service.

    Args:
        connection: The client's.
        started: Makes jobs.
        making: How circuits are made.
        shots: Of each circuit.
        observables: What is computed instead; None for shots.
        tag: Of each job.
    """

    def __init__(
        self,
        connection: Connection,
        started: Started,
        making: Making,
        *,
        shots: int,
        observables: Any,
        tag: str | None,
    ) -> None:
        self.making = making
        self.shots = shots
        self.sendings: set[anyio.CancelScope] = set()
        """Around each submission that is on its way: none may be cut off."""
        self._connection = connection
        self._started = started
        self._observables = observables
        self._tag = tag
        self._adopted: dict[str, Job] = {}
        self._away = 0
        self._back_at = 0.0
        self._left = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def architecture(self) -> DynamicQuantumArchitecture | None:
        """What the circuits are compiled for; None for a service that takes any.

        While the service is away, it is waited for.

        Raises:
            Left: The sweep was left meanwhile.
        """
        wanted = getattr(self.making.options, "calibration_set_id", None)
        while True:
            await self.back()
            try:
                found = await self._connection.published.architecture(wanted)
            except (TransportError, ServiceUnavailable, RateLimited) as error:
                if isinstance(error, TlsFailed):
                    raise
                self.was_away(error)
                continue
            self.answered()
            return found

    @property
    def shots_of_one(self) -> int:
        """The shots that each circuit takes; an expectation value none."""
        return 0 if self._observables is not None else self.shots

    def shots_of(self, batch: Sequence[Ready]) -> list[int]:
        """The shots of each circuit of a batch."""
        return [self.shots_of_one] * len(batch)

    async def send(
        self,
        batch: Sequence[Ready],
        submission_id: str,
        record: Record,
        template: Compiled | None,
    ) -> Job:
        """Send a batch as one job, at most once; both before and after in the journal.

        Raises:
            Left: The sweep was left meanwhile; nothing was sent.
            JournalError: It cannot be written down; nothing is sent.
            Error: As `Service.submit` raises.
        """
        self._connection.check()
        submission, manifest = await anyio.to_thread.run_sync(
            self._written, batch, template
        )
        intent = Intent(
            submission_id=submission_id,
            target=self.making.target.name,
            circuits=len(batch),
            shots=sum(self.shots_of(batch)),
            tag=self._tag,
            manifest=manifest,
            points=tuple(one.given.point for one in batch),
            settings=self.making.settings,
        )
        async with self._connection.submissions:
            if self._left.is_set():
                raise Left
            # from here to the id nothing cuts it off, but for a deadline that who
            # leaves the sweep sets
            keeper = self._connection.figures
            keeper.submitted(manifest.calibration_set_id, record.journal)
            with anyio.CancelScope(shield=True) as scope:
                self.sendings.add(scope)
                self._quiet.clear()
                try:
                    opened = await self._send(submission, intent, record)
                finally:
                    self.sendings.discard(scope)
                    if not self.sendings:
                        self._quiet.set()
                return self._started(opened, submission_id, manifest, tag=self._tag)
        raise SubmissionUncertain(
            "the sweep was left while it was sent; it may be running and billed, or "
            "may never have arrived; it is not sent again",
            evidence="no answer had come",
            submission_id=submission_id,
            resume=resume_command(record.journal),
        )

    async def _send(
        self, submission: Submission, intent: Intent, record: Record
    ) -> Opened:
        elsewhere = self._connection.record.elsewhere
        elsewhere.add(intent.submission_id)
        try:
            return await self._connection.wire.submit(
                submission,
                intent.submission_id,
                apart=True,
                intent=intent,
                journal=record.journal,
            )
        except BaseException:
            elsewhere.discard(intent.submission_id)
            raise

    def _written(
        self, batch: Sequence[Ready], template: Compiled | None
    ) -> tuple[Submission, Manifest]:
        prepared = [one.circuit for one in batch]
        travelling = None
        if prepared[0].body is None:
            assert template is not None
            from qawait.circuits.qasm_template import qasm_template

            rows = [(one.label, one.values) for one in prepared]
            travelling = qasm_template(template, rows)
            if travelling is None:
                prepared = [
                    template.bind(one.given.parameters, one.given.item.key)
                    for one in batch
                ]
        return batch_of(
            prepared,
            shots=self.shots,
            target=self.making.target,
            tag=self._tag,
            options=self.making.options,
            observables=self._observables,
            template=travelling,
            calibration_set_id=batch[0].calibration,
        )

    def adopt(self, recorded: Recorded) -> Job:
        """Follow a job that an earlier run has sent; the same object each time."""
        submission_id = recorded.intent.submission_id
        job = self._adopted.get(submission_id)
        if job is None:
            assert recorded.job_id is not None
            job = self._adopted[submission_id] = self._started(
                Opened(recorded.job_id, trace=recorded.intent.trace),
                submission_id,
                recorded.intent.manifest,
                tag=recorded.intent.tag,
                adopted=True,
            )
        return job

    def leave(self) -> None:
        """Send nothing more; what is on its way gets its answer."""
        self._left.set()

    async def quiet(self) -> None:
        """Wait until nothing is on its way."""
        await self._quiet.wait()

    def hurry(self, patience: float) -> None:
        """Wait no longer than these seconds for what is on its way."""
        for scope in self.sendings:
            scope.deadline = min(scope.deadline, anyio.current_time() + patience)

    # --- a service that is away ------------------------------------------------------

    async def back(self) -> None:
        """Wait while the service is believed to be away.

        Raises:
            Left: The sweep was left meanwhile.
        """
        while (wait := self._back_at - anyio.current_time()) > 0:
            with anyio.move_on_after(wait):
                await self._left.wait()
                break
        if self._left.is_set():
            raise Left

    def was_away(self, error: Error) -> None:
        """The service took nothing, for a reason that passes; said once."""
        cause = error.__cause__ if isinstance(error.__cause__, Error) else error
        told = cause.retry_after if isinstance(cause, ResponseError) else None
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._away)
        wait = random.uniform(longest / 2, longest) if told is None else told
        if self._away == 0:
            log.warning("%s; the sweep waits until the service is back", error)
        self._away += 1
        self._back_at = max(self._back_at, anyio.current_time() + wait)

    def answered(self) -> None:
        """The service took something."""
        if self._away:
            log.warning("the service is back; the sweep goes on")
        self._away = 0

    # --- credits ---------------------------------------------------------------------

    async def credits_used(self) -> float:
        """What the account has paid so far, in all.

        Raises:
            ConfigurationError: The service prices no jobs.
        """
        service = self._connection.service
        if not isinstance(service, QoroService):
            raise ConfigurationError(
                "Budget(credits=...) is for a service that prices jobs, as Qoro's; this "
                "one tells no credits"
            )
        account = await service.credits()
        used = account.total_used
        return float(-account.balance if used is None else used)
