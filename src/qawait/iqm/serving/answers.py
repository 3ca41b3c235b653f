"""What each dialect answers about jobs and machines, as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec.json import encode

from qawait.iqm.messages import (
    Compilation,
    CountsOfCircuit,
    ErrorLog,
    JobData,
    JobMessage,
    JobStatus,
    StationStep,
    Submitted,
    TimelineEntry,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

__all__ = [
    "write_channels",
    "write_counts",
    "write_error_log",
    "write_job",
    "write_run",
    "write_status",
    "write_submitted",
    "write_timeline",
]


def write_submitted(job_id: str) -> bytes:
    """The answer to a submission in V1, V2 and station."""
    return encode(Submitted(job_id))


def write_status(status: str, message: str | None = None) -> bytes:
    """The light status of V1, V2 and station."""
    return encode(JobStatus(status, message))


def write_run(
    status: str,
    *,
    measurements: bytes | None,
    message: str | None,
    metadata: dict[str, Any],
) -> bytes:
    """Everything about a job in V1; `measurements` is JSON already."""
    body: dict[str, Any] = {"status": status}
    if measurements is not None:
        body["measurements"] = msgspec.Raw(measurements)
    if message is not None:
        body["message"] = message
    body["metadata"] = metadata
    return encode(body)


def write_counts(
    status: str,
    counts: Sequence[CountsOfCircuit] | bytes | None,
    *,
    message: str | None = None,
    request: bytes | None = None,
) -> bytes:
    """Counts of all circuits in V1, V2 and station.

    Args:
        status: Where the job stands.
        counts: None while there are none.
        message: Why it failed, for who asks nothing else; None leaves it out.
        request: The run request as it was submitted, for the same; None leaves it out.
    """
    batch = msgspec.Raw(counts) if isinstance(counts, bytes) else counts
    body: dict[str, Any] = {"status": status, "counts_batch": batch}
    if message is not None:
        body["message"] = message
    if request is not None:
        body["metadata"] = {"request": msgspec.Raw(request)}
    return encode(body)


def write_job(
    job_id: str,
    status: str,
    *,
    timeline: Sequence[TimelineEntry] = (),
    calibration_set_id: str | None = None,
    queue_position: int | None = None,
    error: str | None = None,
) -> bytes:
    """A job of api/v1."""
    return encode(
        JobData(
            id=job_id,
            status=status,
            compilation=Compilation(calibration_set_id),
            errors=[] if error is None else [JobMessage(error)],
            queue_position=queue_position,
            timeline=list(timeline),
        )
    )


# --- V2 and station: each part of a job by itself -------------------------------------


def write_timeline(
    steps: Iterable[tuple[str, datetime]], key: Literal["stage", "status"]
) -> bytes:
    """The steps of a job's life.

    Args:
        steps: Each word with when it began to hold.
        key: Under which the word stands: `stage` up to iqm-client 24, then `status`.
    """
    return encode([StationStep(at.isoformat(), **{key: word}) for word, at in steps])


def write_error_log(message: str, *, as_text: bool) -> bytes:
    """Why a job failed.

    Args:
        message: The reason.
        as_text: Whether the body is the message itself, for clients before 25.3.
    """
    return message.encode() if as_text else encode(ErrorLog(message, message))


# --- channels -------------------------------------------------------------------------


def write_channels(sources: Mapping[str, Sequence[str]], *, as_protobuf: bool) -> bytes:
    """Which measurements can steer which channel, of all channel properties.

    Args:
        sources: The sources of fast feedback of each channel, by its name.
        as_protobuf: Whether for iqm-client 29 and later, which takes no JSON here. The
            numbers of the fields are those of its `ChannelPropertyDictionary`.
    """
    if not as_protobuf:
        return encode(
            {name: {"fast_feedback_sources": s} for name, s in sources.items()}
        )
    entries: list[bytes] = []
    for name, feedback in sources.items():
        # common properties first, which must be there though all are left at zero
        steered = _field(1, b"") + b"".join(_field(3, s.encode()) for s in feedback)
        entries.append(
            _field(1, _field(1, name.encode()) + _field(2, _field(1, steered)))
        )
    return b"".join(entries)


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of protobuf, its number below 16."""
    length, rest = bytearray(), len(payload)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes([number << 3 | 2]) + bytes(length) + payload
