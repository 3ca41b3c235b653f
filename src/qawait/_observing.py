"""What a client does, told to Python's logging, and to telemetry where it is in use.

Everything that is told is plain data: names, numbers, states. No token, no circuit and
no text of a service is among it.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from qawait.errors import (
    ClientClosed,
    Error,
    SubmissionRejected,
    SubmissionUncertain,
)
from qawait.model import Delivery

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager

    from qawait.model import Call, Change, Following, State

__all__ = [
    "About",
    "Attempt",
    "Followed",
    "Observing",
    "Tale",
    "Telemetry",
    "TelemetrySource",
    "observing",
    "outcome_of",
    "reason_of",
]

http = logging.getLogger("qawait.http")
"""One line for each request, at DEBUG."""
jobs = logging.getLogger("qawait.jobs")
"""Submissions and ends at INFO, each state at DEBUG."""


class About(Struct, frozen=True):
    """A submission, by what may be told of it."""

    submission_id: str
    target: str | None
    circuits: int
    shots: int


class Attempt(Struct):
    """One request on its way; filled in when it is answered."""

    kind: str
    method: str
    url: str
    """Without the query."""
    path: str
    """The same below the address of the service."""
    host: str
    port: int | None
    bytes_sent: int = 0
    status: int | None = None
    """None while there is no answer."""
    bytes_received: int = 0

    def answered(self, status: int, size: int) -> None:
        """There is an answer with a body of so many bytes."""
        self.status, self.bytes_received = status, size


class Followed(Protocol):
    """What is told of a job that is followed."""

    id: str
    submission_id: str
    changes: tuple[Change, ...]
    following: Following
    trace: str | None

    @property
    def target(self) -> str | None:
        """Where it runs."""
        ...

    @property
    def state(self) -> State:
        """Where it stands."""
        ...


class Tale(Protocol):
    """One job, as telemetry has it while it is followed."""

    def asking(self) -> AbstractContextManager[object]:
        """Around one question about it."""
        ...

    def changed(self, change: Change) -> None:
        """It has come to another state."""
        ...

    def ended(self, reason: str | None, *, late: float | None, goes_on: bool) -> None:
        """It is not followed any more.

        Args:
            reason: The class of the error in place of a result; None with a result.
            late: Seconds from its end at the service until it was known here.
            goes_on: Whether only the following has ended, and not the job.
        """
        ...


class Telemetry(Protocol):
    """Where all of it goes beside the log; `qawait.telemetry` has OpenTelemetry's."""

    def attempt(self, attempt: Attempt) -> AbstractContextManager[object]:
        """Around one request."""
        ...

    def submission(self, about: About) -> AbstractContextManager[SubmissionTale]:
        """Around one submission, with all its requests."""
        ...

    def job(self, job: Followed, *, resumed: bool) -> Tale:
        """A job is followed from now on."""
        ...

    def repeated(self, reason: str) -> None:
        """A request is sent again, because of this."""
        ...


class SubmissionTale(Protocol):
    """One submission, as telemetry has it while it is sent."""

    @property
    def trace(self) -> str | None:
        """Its context as W3C's `traceparent`; None if it is not recorded."""
        ...

    def ended(self, outcome: Delivery, job_id: str | None, reason: str | None) -> None:
        """It is over, in this way."""
        ...


class TelemetrySource(Protocol):
    """What gives a client its telemetry when it is opened."""

    def begin(self) -> Telemetry | None:
        """The telemetry; None if nobody has set it up."""
        ...


class _Nothing:
    """Around what nobody wants to hear of."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


_NOTHING = _Nothing()


class Observing:
    """Tells of one client's doings; without telemetry only to the log.

    Args:
        telemetry: None if there is none.
    """

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        self._telemetry = telemetry

    # --- requests ---------------------------------------------------------------------

    def attempt(
        self, call: Call, root: str, host: str | None, port: int | None
    ) -> tuple[Attempt | None, AbstractContextManager[object]]:
        """One request: what is filled in, and what stands around it."""
        if self._telemetry is None and not http.isEnabledFor(logging.DEBUG):
            return None, _NOTHING
        attempt = Attempt(
            call.kind,
            call.method,
            f"{root}{call.path}",
            call.path,
            host or "",
            port,
            len(call.body or b""),
        )
        return attempt, self._around(attempt)

    @contextmanager
    def _around(self, attempt: Attempt) -> Generator[None]:
        began, met = time.perf_counter(), ""
        try:
            if self._telemetry is None:
                yield
            else:
                with self._telemetry.attempt(attempt):
                    yield
        except BaseException as error:
            met = type(error).__name__
            raise
        finally:
            seconds = time.perf_counter() - began
            http.debug(
                "%s %s: %s, %d bytes, %.3f s",
                attempt.method,
                attempt.path,
                met or attempt.status,
                attempt.bytes_received,
                seconds,
                extra={
                    "method": attempt.method,
                    "path": attempt.path,
                    "status": attempt.status,
                    "seconds": seconds,
                },
            )

    def repeated(self, error: Error) -> None:
        """A request is sent again, because of this."""
        if self._telemetry is not None:
            self._telemetry.repeated(reason_of(error))

    # --- submissions ------------------------------------------------------------------

    @contextmanager
    def submission(self, about: About) -> Generator[_Submitting]:
        """Around one submission, with all its requests."""
        if self._telemetry is None:
            with self._told(about, _Submitting()) as submitting:
                yield submitting
            return
        with self._telemetry.submission(about) as tale:
            with self._told(about, _Submitting(tale.trace)) as submitting:
                try:
                    yield submitting
                except BaseException as error:
                    outcome = outcome_of(error)
                    tale.ended(outcome, submitting.job_id, reason_of(error))
                    raise
            tale.ended(Delivery.ACCEPTED, submitting.job_id, None)

    @contextmanager
    def _told(self, about: About, submitting: _Submitting) -> Generator[_Submitting]:
        ids: dict[str, Any] = {
            "submission_id": about.submission_id,
            "target": about.target,
        }
        try:
            yield submitting
        except BaseException as error:
            outcome = outcome_of(error)
            ids |= {"job_id": getattr(error, "job_id", None)}
            told = (about.submission_id, outcome.value, type(error).__name__)
            jobs.info("submission %s: %s (%s)", *told, extra=ids)
            raise
        ids |= {"job_id": submitting.job_id}
        told = (submitting.job_id, about.target, about.circuits, about.shots)
        jobs.info("job %s: accepted by %s, %d circuits, %d shots", *told, extra=ids)

    # --- jobs -------------------------------------------------------------------------

    def job(self, job: Followed, *, resumed: bool) -> Watch:
        """A job is followed from now on."""
        if self._telemetry is None:
            return Watch(job, None)
        return Watch(job, self._telemetry.job(job, resumed=resumed))


class _Submitting(Struct):
    """A submission on its way."""

    trace: str | None = None
    job_id: str | None = None
    """The service's id, once there is one."""


class Watch:
    """Tells of one job while it is followed."""

    __slots__ = ("_job", "_tale", "_told")

    def __init__(self, job: Followed, tale: Tale | None) -> None:
        self._job = job
        self._tale = tale
        self._told = len(job.changes)

    def asking(self) -> AbstractContextManager[object]:
        """Around one question about it."""
        return _NOTHING if self._tale is None else self._tale.asking()

    def changed(self) -> None:
        """It may have come to other states; each is told once."""
        job = self._job
        while self._told < len(job.changes):
            change = job.changes[self._told]
            self._told += 1
            if self._tale is not None:
                self._tale.changed(change)
            told = (job.id, change.state.value, change.raw)
            jobs.debug("job %s: %s (%s)", *told, extra=_ids(job))

    def ended(self, error: Error | None) -> None:
        """It is not followed any more: with a result, or with an error in its place."""
        job = self._job
        self.changed()
        goes_on = isinstance(error, ClientClosed)
        if self._tale is not None:
            late = job.following.late
            reason = None if error is None else reason_of(error)
            self._tale.ended(reason, late=late, goes_on=goes_on)
        level = logging.DEBUG if goes_on else logging.INFO
        if jobs.isEnabledFor(level):
            how = job.state.value if error is None else type(error).__name__
            told = (job.id, how, job.following.questions)
            jobs.log(level, "job %s: %s, %d questions", *told, extra=_ids(job))


def _ids(job: Followed) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "submission_id": job.submission_id or None,
        "target": job.target,
    }


def outcome_of(error: BaseException) -> Delivery:
    """How a submission ended that raised this."""
    match error:
        case SubmissionRejected():
            return Delivery.REJECTED
        case SubmissionUncertain():
            return Delivery.UNKNOWN
        case Error():
            return Delivery.NOT_DELIVERED
        case _:
            # cut off in the middle: the journal knows whether bytes had left
            return Delivery.UNKNOWN


def reason_of(error: BaseException) -> str:
    """The class of an error, or the status of an answer; never its text."""
    status = getattr(error, "status", None)
    return str(status) if isinstance(status, int) else type(error).__name__


def observing(wanted: TelemetrySource | bool) -> Observing:
    """What tells of a client's doings.

    Args:
        wanted: True is what the program has set up for itself, if it has; False is none.
    """
    if wanted is False:
        return Observing()
    if wanted is not True:
        return Observing(wanted.begin())
    # whoever has set it up has loaded it; nobody else pays for it
    if "opentelemetry" not in sys.modules:
        return Observing()
    from qawait.telemetry import Telemetry

    return Observing(Telemetry().begin())
