"""How the submissions of a journal are told, by every command that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qawait._clock import utc_now
from qawait.errors import JobCancelled, ResultGone
from qawait.journal.records import Standing
from qawait.model import State

if TYPE_CHECKING:
    from datetime import datetime

    from qawait.journal.reading import ReadJob

__all__ = ["OVER", "age", "as_written", "state_of", "to_json"]

OVER = frozenset(
    {Standing.NEW, Standing.TERMINAL, Standing.REJECTED, Standing.SUPERSEDED}
)
"""Submissions that are not under way, uncertain or missing."""

_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))


def state_of(job: ReadJob) -> str:
    """The state of a job; where there is none, how far its submission came."""
    if job.standing is Standing.ACCEPTED:
        changes = job.changes
        return (changes[-1].state if changes else State.PENDING_COMPILATION).value
    if job.standing is not Standing.TERMINAL:
        return job.standing.value
    match job.error:
        case None:
            return State.READY.value
        case JobCancelled():
            return State.ABORTED.value
        case ResultGone():
            return "gone"
        case _:
            return State.FAILED.value


def age(moment: datetime) -> str:
    """How long ago that was, in one unit."""
    seconds = max((utc_now() - moment).total_seconds(), 0.0)
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def to_json(job: ReadJob) -> dict[str, Any]:
    """A submission as `--json` prints it."""
    return {
        "submission_id": job.submission_id,
        "job_id": job.job_id,
        "state": state_of(job),
    } | as_written(job)


def as_written(job: ReadJob) -> dict[str, Any]:
    """What its journal says of a submission, and nothing that was made of it."""
    error = job.error
    return {
        "submission_id": job.submission_id,
        "job_id": job.job_id,
        "standing": job.standing.value,
        "raw": job.raw,
        "target": job.target,
        "tag": job.tag,
        "circuits": job.circuits,
        "shots": job.shots,
        "calibration_set_id": job.calibration_set_id,
        "points": [point.key for point in job.points],
        "evidence": job.evidence,
        "error": None if error is None else str(error),
        "written_at": job.written_at.isoformat(),
        "updated_at": job.updated_at.isoformat(),
    }
