"""Where each job spent its time, from the service's clock and from ours."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from qawait.errors import ConfigurationError
from qawait.model import State
from qawait.plot.canvas import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.model import Change, Following

__all__ = ["Course", "Ending", "Phase", "Span", "courses_of", "shift_of"]


class Phase(StrEnum):
    """What a job was waiting for."""

    SENDING = "sending"
    COMPILING = "compiling"
    QUEUE = "in the queue"
    RUNNING = "running"
    WAITING = "in the queue or running"
    """Where the service does not say when it came onto the machine."""
    FETCHING = "ended, not yet known here"


class Ending(StrEnum):
    """What became of it."""

    READY = "ready"
    FAILED = "failed"
    ABORTED = "aborted"
    OPEN = "under way"
    UNKNOWN = "unknown"
    NOT_SENT = "not sent"


class Span(Struct, frozen=True):
    """A phase of a job, by our clock (aware, UTC)."""

    phase: Phase
    begins: datetime
    ends: datetime
    seen: bool
    """Whether it is only known when we saw it, and not when it was."""


class Course(Struct, frozen=True):
    """One job."""

    name: str
    spans: tuple[Span, ...]
    ending: Ending
    following: Following | None


class _Known(Struct, frozen=True):
    """What is known of a job, wherever that comes from."""

    name: str
    sent: datetime | None
    changes: Sequence[Change]
    following: Following | None
    ending: Ending
    now: datetime
    """Until when it is known, if it is still under way."""


def courses_of(source: Any, what: str) -> tuple[list[Course], timedelta]:
    """The courses of all jobs, and by how much the service's clock was shifted.

    Args:
        source: A job, a reading, a client, or jobs in a sequence.
        what: Who asks, for the error.

    Raises:
        ConfigurationError: It is something else, or there are no jobs.
    """
    known = [_known(job, now) for job, now in _jobs(source, what)]
    if not known:
        raise ConfigurationError(f"{what}: there are no jobs yet")
    shift = shift_of(known)
    return [
        Course(one.name, tuple(_spans(one, shift)), one.ending, one.following)
        for one in known
    ], shift


def shift_of(known: Sequence[_Known]) -> timedelta:
    """What is added to the service's times so that they make sense on our clock.

    Nothing was taken before it was sent, and nothing was seen before it was. Clocks that
    agree with that are left alone; else it is the least that will do.
    """
    low, high = timedelta.min, timedelta.max
    for one in known:
        timed = [change for change in one.changes if change.at is not None]
        if one.sent is not None and timed and timed[0].at is not None:
            low = max(low, one.sent - timed[0].at)
        for change in timed:
            assert change.at is not None
            high = min(high, change.seen_at - change.at)
    nothing = timedelta()
    if low > nothing:
        return min(low, max(high, nothing))
    return high if high < nothing else nothing


# --- what is given --------------------------------------------------------------------


def _jobs(source: Any, what: str) -> list[tuple[Any, datetime]]:
    from qawait._clock import utc_now
    from qawait._job import Job
    from qawait.client import Client
    from qawait.journal.read_jobs import ReadJob
    from qawait.journal.reading import Reading

    if isinstance(source, Reading):
        return [(job, source.at) for job in source.jobs]
    now = utc_now()
    if isinstance(source, Job | ReadJob):
        return [(source, now)]
    if isinstance(source, Client):
        return [(job, now) for job in source._jobs.in_use()]  # pyright: ignore[reportPrivateUsage]
    given = listed(source)
    if given is not None and all(isinstance(job, Job | ReadJob) for job in given):
        return [(job, now) for job in given]
    hints = {
        "str": "; read a journal with qawait.read(path)",
        "PosixPath": "; read a journal with qawait.read(path)",
        "Sweep": "; the jobs of a sweep are in its journal: client.sweep(...,"
        " journal=path), then qawait.read(path)",
    }
    name = type(source).__name__
    raise ConfigurationError(
        f"{what} draws a job, several, a client's, or what qawait.read(path) gives, not"
        f" {name}{hints.get(name, '')}"
    )


def _known(job: Any, now: datetime) -> _Known:
    from qawait._job import Job

    if isinstance(job, Job):
        error = job.exception() if job.done() else None
        if job.state.is_terminal:
            ending = Ending(job.state.value)
        else:
            ending = Ending.OPEN if error is None else Ending.UNKNOWN
        return _Known(job.id, None, job.changes, job.following, ending, now)
    ended = job.has_ended or bool(job.changes and job.changes[-1].state.is_terminal)
    name = job.job_id or f"submission {job.submission_id}"
    # an end without a state of its own, as a result that is gone
    until = job.updated_at if ended else now
    ending = _ending(job)
    return _Known(name, job.written_at, job.changes, job.following, ending, until)


def _ending(job: Any) -> Ending:
    from qawait.journal.records import Standing

    match job.standing:
        case Standing.NEW | Standing.REJECTED:
            return Ending.NOT_SENT
        case Standing.UNKNOWN | Standing.MISSING:
            return Ending.UNKNOWN
        case Standing.TERMINAL:
            if job.has_result:
                return Ending.READY
            aborted = job.changes and job.changes[-1].state is State.ABORTED
            return Ending.ABORTED if aborted else Ending.FAILED
        case _:
            return Ending.OPEN


# --- what is made of it ---------------------------------------------------------------

_MEANING = {
    State.PENDING_COMPILATION: Phase.COMPILING,
    State.PENDING_EXECUTION: Phase.WAITING,
}


class _Mark(Struct, frozen=True):
    """Where a phase begins."""

    phase: Phase
    at: datetime
    seen: bool


def _marks(known: _Known, shift: timedelta) -> list[_Mark]:
    marks: list[_Mark] = []
    if known.sent is not None:
        marks.append(_Mark(Phase.SENDING, known.sent, seen=False))
    following = known.following
    started = following and following.started_at
    finished = following and following.finished_at
    for change in known.changes:
        at = change.seen_at if change.at is None else change.at + shift
        phase = _MEANING.get(change.state, Phase.FETCHING)
        if phase is Phase.WAITING and started:
            phase = Phase.QUEUE
        if phase is Phase.FETCHING and finished:
            at = finished + shift
        if phase is Phase.FETCHING and started:
            marks.append(_Mark(Phase.RUNNING, started + shift, seen=False))
        marks.append(_Mark(phase, at, seen=change.at is None))
    return marks


def _spans(known: _Known, shift: timedelta) -> list[Span]:
    marks = _marks(known, shift)
    last = known.now
    if known.changes and known.changes[-1].state.is_terminal:
        last = known.changes[-1].seen_at
    spans: list[Span] = []
    for place, mark in enumerate(marks):
        following = marks[place + 1] if place + 1 < len(marks) else None
        begins = max([mark.at, *(span.ends for span in spans[-1:])])
        ends = max(begins, last if following is None else following.at)
        seen = mark.seen or (following is not None and following.seen)
        if ends > begins:
            spans.append(Span(mark.phase, begins, ends, seen))
    return spans
