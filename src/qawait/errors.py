"""Every exception qawait raises on purpose, as one tree.

```text
Error
├─ ConfigurationError (ValueError)      a setting or an input is wrong; nothing was sent
│  ├─ CircuitError                      one circuit is unusable; says which
│  └─ MissingExtra (ImportError)        an optional dependency is not installed
├─ ClientClosed                         the client was closed while this was waiting
├─ TransportError                       no usable answer arrived
│  ├─ ConnectFailed                     no connection: nothing was delivered
│  │  └─ TlsFailed                      the certificate or the handshake was refused
│  └─ RequestTimeout (TimeoutError)     the answer did not come in time
├─ ResponseError                        the service said no
│  ├─ AuthenticationError               401
│  ├─ PermissionDenied                  402, 403
│  ├─ NotFound                          404
│  ├─ Conflict                          409
│  ├─ RateLimited                       429, 425
│  ├─ RedirectRefused                   3xx
│  └─ ServiceUnavailable                5xx
├─ ProtocolError                        the answer does not follow the wire model
│  ├─ UnexpectedContent                 not JSON at all, for example an HTML page
│  ├─ ResponseTruncated                 the answer ends in the middle
│  ├─ ResponseTooLarge                  the answer is larger than the limit
│  └─ ResultMismatch                    the results are not those of the circuits sent
├─ JobError                             one job; carries job_id and how to go on
│  ├─ JobFailed                         the service could not run it
│  │  └─ InsufficientCredits            the account cannot pay for it
│  ├─ JobCancelled                      it was aborted or cancelled
│  ├─ JobTimedOut (TimeoutError)        the service's own time limit ended it
│  ├─ JobMissing                        the service does not know the job
│  ├─ ResultGone                        it may have run, but its results were deleted
│  ├─ SubmissionRejected                the service refused the submission
│  └─ SubmissionUncertain               it may be running and billed, or never arrived
├─ JournalError                         the record of what was sent cannot be used
│  ├─ JournalFull                       no room on the disk; nothing more is sent
│  ├─ JournalCorrupt                    its files are damaged, or no journal
│  ├─ JournalLocked                     another process has it open
│  ├─ JournalIdentityMismatch           it belongs to another service or account
│  ├─ JournalTooNew                     a newer version of qawait wrote it
│  └─ PointMismatch                     the same key stands for another circuit
└─ ResultError                          a result cannot answer this question
   ├─ NoShotData                        there are no single shots
   ├─ NoCounts                          there are no counts
   ├─ NoShots                           there are zero rows
   ├─ NoLayout                          the registers of this circuit are not known
   ├─ AmbiguousLabel (KeyError)         several circuits have this label
   ├─ LevelError                        a level above 9 has no digit
   └─ NotMeasured                       this operator cannot be had from these data
```
"""

from __future__ import annotations

__all__ = [
    "AmbiguousLabel",
    "AuthenticationError",
    "CircuitError",
    "ClientClosed",
    "ConfigurationError",
    "Conflict",
    "ConnectFailed",
    "Error",
    "InsufficientCredits",
    "JobCancelled",
    "JobError",
    "JobFailed",
    "JobMissing",
    "JobTimedOut",
    "JournalCorrupt",
    "JournalError",
    "JournalFull",
    "JournalIdentityMismatch",
    "JournalLocked",
    "JournalTooNew",
    "LevelError",
    "MissingExtra",
    "NoCounts",
    "NoLayout",
    "NoShotData",
    "NoShots",
    "NotFound",
    "NotMeasured",
    "PermissionDenied",
    "PointMismatch",
    "ProtocolError",
    "RateLimited",
    "RedirectRefused",
    "RequestTimeout",
    "ResponseError",
    "ResponseTooLarge",
    "ResponseTruncated",
    "ResultError",
    "ResultGone",
    "ResultMismatch",
    "ServiceUnavailable",
    "SubmissionRejected",
    "SubmissionUncertain",
    "TlsFailed",
    "TransportError",
    "UnexpectedContent",
]


class Error(Exception):
    """The root of all errors raised by qawait."""

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), self.args, dict(self.__dict__))


def _rebuilt(
    kind: type[Error], args: tuple[object, ...], state: dict[str, object]
) -> Error:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def fresh(error: Error) -> Error:
    """The same error without a traceback, so that every waiter raises its own."""
    twin = _rebuilt(type(error), error.args, dict(error.__dict__))
    twin.__cause__ = error.__cause__
    return twin


class ConfigurationError(Error, ValueError):
    """A setting or an input cannot be right; nothing was sent."""


class CircuitError(ConfigurationError):
    """One circuit cannot be used; `circuit` names it (a label or a file)."""

    def __init__(self, circuit: str, reason: str) -> None:
        super().__init__(circuit, reason)
        self.circuit = circuit
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.circuit}: {self.reason}"


class MissingExtra(ConfigurationError, ImportError):
    """This needs an optional dependency that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, extra)
        self.extra = extra
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} needs an extra: pip install 'qawait[{self.extra}]'"


class ClientClosed(Error):
    """The client was closed; a remote job goes on and can be reattached by its id.

    `job_id` is the service's id, `resume` the command with which to come back to it;
    both are None where nothing was sent.
    """

    def __init__(
        self, message: str, *, job_id: str | None = None, resume: str | None = None
    ) -> None:
        super().__init__(message)
        self.job_id = job_id
        self.resume = resume

    @property
    def outcome(self) -> str:
        """What became of the submission, in the words of `JobError.outcome`."""
        return "not delivered" if self.job_id is None else "accepted"


class TransportError(Error):
    """No usable answer arrived.

    `sent` is False only if it is certain that no byte of the request was handed to
    the network; a request with `sent=True` may or may not have taken effect.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class ConnectFailed(TransportError):
    """No connection could be made, so nothing was delivered."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class TlsFailed(ConnectFailed):
    """The certificate or the TLS handshake was refused; repeating does not help."""


class RequestTimeout(TransportError, TimeoutError):
    """The answer did not come in time."""


class ResponseError(Error):
    """The service answered with an error.

    `status` is the HTTP status, `message` the service's own words, `retry_after` the
    wait in seconds it asked for (None if it did not), `recognised` whether the body
    has the service's own error shape (a proxy's page has not).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry_after: float | None = None,
        recognised: bool = True,
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.recognised = recognised

    def __str__(self) -> str:
        return f"the service answered {self.status}: {self.message}"


class AuthenticationError(ResponseError):
    """The token is missing, wrong or expired (401)."""


class PermissionDenied(ResponseError):
    """The account may not do this, or cannot pay for it (402, 403)."""


class NotFound(ResponseError):
    """The service does not know this path or id (404)."""


class Conflict(ResponseError):
    """The job is in a state in which this cannot be done (409)."""


class RateLimited(ResponseError):
    """Too many requests (429); `retry_after` says how long to wait."""


class RedirectRefused(ResponseError):
    """The service redirected a request that must not be sent elsewhere (3xx)."""


class ServiceUnavailable(ResponseError):
    """The service, or something in front of it, is out of order (5xx)."""


class ProtocolError(Error):
    """An answer does not follow the wire model; `excerpt` holds its beginning."""

    def __init__(self, message: str, *, excerpt: str = "") -> None:
        super().__init__(message)
        self.excerpt = excerpt


class UnexpectedContent(ProtocolError):
    """The answer is not JSON at all, for example the HTML page of a proxy."""


class ResponseTruncated(ProtocolError):
    """The answer ends in the middle."""


class ResponseTooLarge(ProtocolError):
    """The answer is larger than the limit for its kind of call."""


class ResultMismatch(ProtocolError):
    """The results are not those of the circuits that were sent."""


class JobError(Error):
    """One job did not give a result.

    `job_id` is the service's id (None if none became known), `raw` the service's own
    word for how it ended, `message` its explanation, `resume` the command with which
    to go on (None where nothing is left to do, or nothing is written down from which
    to go on).
    """

    outcome = "accepted"
    """What became of the submission: `accepted`, `rejected`, or `unknown`, for which it
    may be running and billed."""

    def __init__(
        self,
        message: str,
        *,
        job_id: str | None = None,
        raw: str | None = None,
        resume: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.job_id = job_id
        self.raw = raw
        self.resume = resume

    def __str__(self) -> str:
        return self._told(self.message)

    def _told(self, message: str) -> str:
        said = f"job {self.job_id}: {message}" if self.job_id else message
        return f"{said}; go on with: {self.resume}" if self.resume else said


class JobFailed(JobError):
    """The service could not run the job; `message` is its explanation."""


class InsufficientCredits(JobFailed):
    """The account has not enough credits for the job."""


class JobCancelled(JobError):
    """The job was aborted or cancelled before it was ready."""


class JobTimedOut(JobError, TimeoutError):
    """The service's own time limit ended the job."""


class JobMissing(JobError):
    """The service does not know this job; if it ever took it, it may have run."""

    outcome = "unknown"


class ResultGone(JobError):
    """The job may have run, but it or its results were deleted."""


class SubmissionRejected(JobError):
    """The service refused the submission, so nothing runs; `__cause__` has its answer."""

    outcome = "rejected"


class SubmissionUncertain(JobError):
    """The submission may be running and billed, or may never have arrived.

    It is never sent again by itself. `evidence` says what is known, `submission_id`
    is our own name for it, known before anything was sent.
    """

    outcome = "unknown"

    def __init__(
        self,
        message: str,
        *,
        evidence: str,
        submission_id: str,
        job_id: str | None = None,
        resume: str | None = None,
    ) -> None:
        super().__init__(message, job_id=job_id, resume=resume)
        self.evidence = evidence
        self.submission_id = submission_id

    def __str__(self) -> str:
        said = f"{self.message} ({self.evidence})" if self.evidence else self.message
        return self._told(said)


class JournalError(Error):
    """The record of what was sent cannot be used, so nothing more is sent."""


class JournalFull(JournalError):
    """There is no room on the disk; make some, and run the same again."""


class JournalCorrupt(JournalError):
    """The files of a journal are damaged, or are no journal; they are left as they are."""


class JournalLocked(JournalError):
    """Another process has the journal open: `pid` on `host`, None if it does not say."""

    def __init__(
        self, message: str, *, pid: int | None = None, host: str | None = None
    ) -> None:
        super().__init__(message)
        self.pid = pid
        self.host = host


class JournalIdentityMismatch(JournalError):
    """The journal belongs to another service, target or account."""


class JournalTooNew(JournalError):
    """A newer version of qawait wrote the journal; this one leaves it as it is."""


class PointMismatch(JournalError):
    """A key that the journal knows now stands for another circuit; `key` is it."""

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class ResultError(Error):
    """A result cannot answer the question that was asked of it."""


class NoShotData(ResultError):
    """Only counts or expectation values exist, so there are no single shots."""


class NoCounts(ResultError):
    """Only expectation values exist, so there are no counts."""


class NoShots(ResultError):
    """No shot survived, so nothing can be divided by their number."""


class NoLayout(ResultError):
    """The registers of this circuit are not known; `keys` still works."""


class AmbiguousLabel(ResultError, KeyError):
    """Several circuits of the batch have this label; use the index."""

    def __str__(self) -> str:
        return str(self.args[0])


class LevelError(ResultError):
    """A level above 9 has no digit, so it cannot be written as a bit string."""


class NotMeasured(ResultError):
    """The expectation value of this operator cannot be had from these data."""
