"""IQM's words for where a job stands, over all dialects and releases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from qawait.iqm import messages
from qawait.model import Answer, End, State, Status, Step
from qawait.wire import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qawait.iqm.run_result import RunResult
    from qawait.results import Result

__all__ = [
    "WORDS",
    "read_job",
    "read_timeline",
    "read_word_status",
    "status_of",
    "steps",
    "steps_of",
]

_COMPILING = State.PENDING_COMPILATION
_EXECUTING = State.PENDING_EXECUTION

WORDS: Mapping[str, State | End] = {
    **dict.fromkeys(
        (
            "received",
            "accepted",
            "processing",
            "pending",
            "pending compilation",
            "pending_compilation",
            "validating",
            "validation_started",
            "validation_ended",
            "preparing_calibration",
            "fetch_calibration_started",
            "fetch_calibration_ended",
            "compiling",
            "compilation_started",
            "pending deletion",
            "pending_deletion",
        ),
        _COMPILING,
    ),
    **dict.fromkeys(
        (
            "compiled",
            "compilation_ended",
            "save_sweep_metadata_started",
            "save_sweep_metadata_ended",
            "storing_sweep_metadata",
            "metadata_stored",
            "pending execution",
            "pending_execution",
            "execution_pending",
            "execution_start",
            "execution_started",
            "execution_end",
            "execution_ended",
            "execution_completed",
            "pending_post_processing",
            "post_processing",
            "post_processing_pending",
            "post_processing_started",
            "post_processing_ended",
        ),
        _EXECUTING,
    ),
    "ready": End.READY,
    "failed": End.FAILED,
    "aborted": End.ABORTED,
    "deleted": End.GONE,
    "deletion failed": End.GONE,
    "deletion_failed": End.GONE,
}
"""The status words of V1, V2 and station over all releases. Wire reference §4.2."""

_TIMELINE: Mapping[str, State | End] = {
    **WORDS,
    "created": _COMPILING,
    "job_start": _COMPILING,
    "compile_start": _COMPILING,
    "compile_end": _EXECUTING,
    "submit_start": _EXECUTING,
    "execution_start": _EXECUTING,
    "job_end": End.READY,
    "completed": End.READY,
    "cancelled": End.ABORTED,
}
"""The names of timeline entries and timestamps over all dialects."""

_STATES = {
    word: meaning.state if isinstance(meaning, End) else meaning
    for word, meaning in _TIMELINE.items()
}
_IN_ORDER = tuple(State)

_STARTED = ("execution_start", "execution_started")
_FINISHED = ("execution_end", "execution_ended", "execution_completed")
"""The names of timeline entries for coming onto the machine, and for leaving it."""

_SERVER_ENDS = {
    "completed": End.READY,
    "failed": End.FAILED,
    "cancelled": End.ABORTED,
    "deleted": End.GONE,
}


def _instant(timestamp: str) -> datetime | None:
    """A service's timestamp as aware UTC; naive ones are taken as UTC."""
    try:
        at = datetime.fromisoformat(timestamp)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def steps(entries: Iterable[tuple[str, str]]) -> tuple[Step, ...]:
    """The first entry of each state, in the order in which states follow each other."""
    first: dict[State, Step] = {}
    for raw, timestamp in entries:
        state = _STATES.get(raw)
        if state is not None and state not in first:
            first[state] = Step(state, raw, _instant(timestamp))
    return tuple([first[state] for state in _IN_ORDER if state in first])


def _first(names: tuple[str, ...], times: Mapping[str, str]) -> datetime | None:
    return next((_instant(times[name]) for name in names if name in times), None)


def _status_from_word(raw: str, message: str | None) -> Status:
    meaning = WORDS.get(raw)
    if isinstance(meaning, End):
        return Status(raw=raw, state=meaning.state, end=meaning, message=message)
    # other words cover waiting and running alike, in one release or another
    running = True if raw in _STARTED else None
    return Status(raw=raw, state=meaning, message=message, running=running)


def read_word_status(answer: Answer) -> Status:
    """The light status of V1, V2 and station."""
    body = decode(messages.JOB_STATUS, answer.body, "status")
    return _status_from_word(body.status, body.message)


def read_job(answer: Answer) -> Status:
    """A job of api/v1; what it is doing shows in the timeline only."""
    job = decode(messages.JOB, answer.body, "job")
    passed = steps((e.status, e.timestamp) for e in job.timeline)
    end = _SERVER_ENDS.get(job.status)
    if end is not None:
        state = end.state
    elif job.status in ("waiting", "processing"):
        # both words cover compiling and waiting; only the timeline tells them apart
        compiled = any(step.state is _EXECUTING for step in passed)
        state = _EXECUTING if compiled else _COMPILING
    else:
        state = None
    times = {e.status: e.timestamp for e in reversed(job.timeline)}
    started, finished = _first(_STARTED, times), _first(_FINISHED, times)
    waits = job.queue_position is not None
    said = [m.message for m in job.errors] or [m.message for m in job.messages]
    return Status(
        raw=job.status,
        state=state,
        end=end,
        message="; ".join(said) or None,
        steps=passed,
        queue_position=job.queue_position,
        running=started is not None and finished is None if started or waits else None,
        started_at=started,
        finished_at=finished,
        calibration_set_id=job.compilation and job.compilation.calibration_set_id,
    )


def read_timeline(answer: Answer) -> dict[str, str]:
    """When each word of a timeline came first, in V2 and station, by the word.

    The word stands under `stage` up to iqm-client 24 and under `status` from 25 on; an
    entry with neither is passed over.
    """
    times: dict[str, str] = {}
    for entry in decode(messages.TIMELINE, answer.body, "timeline"):
        word = entry.stage if entry.status is None else entry.status
        if word is not None:
            times.setdefault(word, entry.timestamp)
    return times


def status_of(run: RunResult) -> Status:
    """How a job stands, from everything about it (V1)."""
    status = _status_from_word(run.status, run.message)
    times = run.metadata.timestamps or {}
    return replace(
        status,
        # the end of a job has one name there, however the job ended
        steps=steps(
            (run.status if n == "job_end" else n, at) for n, at in times.items()
        ),
        started_at=_first(_STARTED, times),
        finished_at=_first(_FINISHED, times),
    )


def steps_of(result: Result) -> tuple[Step, ...]:
    """The steps that the metadata of a result time (V1, V2 and station)."""
    timestamps: dict[str, str] = getattr(result.metadata, "timestamps", None) or {}
    return steps(timestamps.items())
