"""The values a journal is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping  # noqa: TC003 (fields of Structs resolve at run time)
from datetime import datetime  # noqa: TC003 (fields of Structs resolve at run time)
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct, field

from qawait import errors
from qawait.errors import (
    Error,
    JobError,
    JobMissing,
    ProtocolError,
    SubmissionUncertain,
)
from qawait.model import Change, Delivery, Following, Manifest

__all__ = [
    "EMBEDDED",
    "Anomaly",
    "EndedBy",
    "Found",
    "Identity",
    "Intent",
    "Point",
    "Recorded",
    "Standing",
    "Tally",
    "after",
    "point_identity",
]


class Standing(StrEnum):
    """How far a submission came, as far as this side knows."""

    NEW = "new"
    """Certainly nothing of it took effect; it may be sent."""
    SENDING = "sending"
    """Bytes of it may have left."""
    ACCEPTED = "accepted"
    """The service has it, and its id is known."""
    TERMINAL = "terminal"
    """Its job has ended, with a result or an error of its own."""
    UNKNOWN = "unknown"
    """It may be running and billed; it is not sent again by itself."""
    REJECTED = "rejected"
    """The service said no; nothing runs."""
    MISSING = "missing"
    """The service accepted it, and later did not know it any more."""
    SUPERSEDED = "superseded"
    """It was unknown or without a result, and its user had its points sent again."""


def after(standing: Standing, delivery: Delivery) -> Standing:
    """Where a submission stands once an attempt to deliver it has gone this way.

    What was unknown once stays so: that a repeated attempt was refused, or never left,
    says nothing about the first one. Only an id clears it. An end absorbs everything.
    """
    match standing, delivery:
        case ((Standing.TERMINAL | Standing.SUPERSEDED | Standing.MISSING), _):
            return standing
        case _, Delivery.ACCEPTED:
            return Standing.ACCEPTED
        case Standing.UNKNOWN, _:
            return Standing.UNKNOWN
        case _, Delivery.UNKNOWN:
            return Standing.UNKNOWN
        case _, Delivery.REJECTED:
            return Standing.REJECTED
        case _:
            return Standing.NEW


EMBEDDED = "the local simulator"
"""The endpoint of a service that is started for one client, and ends with it."""


class Identity(Struct, frozen=True, kw_only=True):
    """Whose journal it is; all four must be the same when it is opened again."""

    endpoint: str
    target: str
    dialect: str
    account: str
    """A fingerprint of the account, from which its token cannot be found."""


class Point(Struct, frozen=True, kw_only=True):
    """One circuit of a submission, by the name its user gave it."""

    key: str
    identity: bytes
    """What `point_identity` made of its source; never of what it was compiled to."""
    label: str
    """Its label in the manifest of the submission."""
    parameters: Mapping[str, float] = {}


class Intent(Struct, frozen=True, kw_only=True):
    """A submission as it is written down before anything of it is sent."""

    submission_id: str
    """Our own name for it."""
    target: str
    circuits: int
    shots: int
    """Of all circuits together."""
    tag: str | None = None
    manifest: Manifest = Manifest()
    """What is needed to read its result."""
    points: tuple[Point, ...] = ()
    body_hash: bytes | None = None
    """SHA-256 of what is sent."""
    settings: Mapping[str, Any] = {}
    """Every setting it is sent with, resolved; plain values."""
    replaces: str | None = None
    """The submission whose points are sent again with this one."""
    trace: str | None = None
    """The trace context in which it is sent, as W3C's `traceparent`; None for none."""


class EndedBy(Struct, frozen=True, kw_only=True):
    """An error with which a job ended, as it is kept."""

    kind: str
    message: str
    raw: str | None = None
    resume: str | None = None

    @classmethod
    def of(cls, error: Error) -> EndedBy:
        """What is kept of an error."""
        if isinstance(error, JobError):
            return cls(
                kind=type(error).__name__,
                message=error.message,
                raw=error.raw,
                resume=error.resume,
            )
        return cls(kind=type(error).__name__, message=str(error))

    def error(self, job_id: str | None) -> Error:
        """The error again; one that this version does not know is a `JobError`."""
        kind = getattr(errors, self.kind, JobError)
        if not isinstance(kind, type):
            kind = JobError
        if issubclass(kind, ProtocolError):
            return kind(self.message)
        if not issubclass(kind, JobError) or issubclass(kind, SubmissionUncertain):
            kind = JobError
        return kind(self.message, job_id=job_id, raw=self.raw, resume=self.resume)


def standing_of(outcome: object) -> Standing | None:
    """Where a job's submission stands after this outcome of following it.

    None if the job itself has not ended: its client was closed, its token refused, or
    its answers could not be read. It is followed again when the journal is opened.
    """
    if isinstance(outcome, JobMissing):
        return Standing.MISSING
    if isinstance(outcome, JobError) or not isinstance(outcome, Error):
        return Standing.TERMINAL
    return None


class Recorded(Struct, frozen=True, kw_only=True):
    """A submission and all that is known of it."""

    intent: Intent
    standing: Standing
    job_id: str | None = None
    opened: tuple[str, ...] = ()
    """Ids of jobs that were opened for it; those without a last upload never run."""
    evidence: str = ""
    """What is known of its delivery, in words."""
    changes: tuple[Change, ...] = ()
    raw: str = ""
    """The service's own word for where its job stands; empty before the first."""
    ended_by: EndedBy | None = None
    """The error it ended with; None while it is under way, or with a result."""
    following: Following | None = None
    """How it was followed; None while it is under way."""
    written_at: datetime
    """When it was first written down (aware, UTC)."""
    updated_at: datetime
    """When something was last written of it (aware, UTC)."""


class Found(Struct, frozen=True):
    """Where a point was last sent."""

    submission_id: str
    place: int
    """Which point of that submission."""
    standing: Standing
    job_id: str | None


class Anomaly(Struct, frozen=True):
    """Something that must not happen, and did."""

    submission_id: str
    kind: str
    detail: str
    at: datetime


class Tally(Struct, frozen=True):
    """How many there are, by standing."""

    jobs: dict[Standing, int] = field(default_factory=dict[Standing, int])
    circuits: dict[Standing, int] = field(default_factory=dict[Standing, int])
    shots: dict[Standing, int] = field(default_factory=dict[Standing, int])

    @property
    def spent_jobs(self) -> int:
        """Submissions that may have cost something; what is not known counts."""
        return _spent(self.jobs)

    @property
    def spent_shots(self) -> int:
        """Shots of these submissions."""
        return _spent(self.shots)


_FREE = frozenset({Standing.NEW, Standing.REJECTED})


def _spent(by_standing: Mapping[Standing, int]) -> int:
    return sum(n for standing, n in by_standing.items() if standing not in _FREE)


def point_identity(
    source: bytes, parameters: Mapping[str, float], shots: int | None, options: Any
) -> bytes:
    """A fingerprint of what a user asked for, equal in every process and version.

    Args:
        source: The circuit as it was given, for example the text of an OpenQASM file.
        parameters: Its parameters by name; their order does not matter.
        shots: Shots asked for; None for expectation values.
        options: The service's options: plain values, or a Struct whose fields all have
            defaults, of which those at their default do not count.
    """
    numbers = {name: float(value) for name, value in parameters.items()}
    asked = msgspec.msgpack.encode(
        [source, numbers, shots, _asked(options)], order="deterministic"
    )
    return hashlib.sha256(asked).digest()


def _asked(options: Any) -> Any:
    """Options as plain values; what a later version adds must not change the rest."""
    if not isinstance(options, Struct):
        return msgspec.to_builtins(options)
    plain = msgspec.to_builtins(options)
    nothing = msgspec.to_builtins(type(options)())
    return {name: value for name, value in plain.items() if value != nothing[name]}
