"""Jobs and journals to draw, made in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from qawait import errors
from qawait._job import Job
from qawait.iqm import Circuit, Instruction
from qawait.model import (
    Change,
    Delivery,
    Following,
    Manifest,
    State,
    Status,
)
from tests.journals import intent, opened, result

FLIP = Circuit("flip", (Instruction("measure", ("QB1",), {"key": "m"}),))
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def a_job(job_id: str, *statuses: tuple[float, Status]) -> Job:
    """A job of which this was learned, at these seconds."""

    async def cancel(job_id: str) -> None:
        raise AssertionError

    job = Job(job_id, submission_id="s", manifest=Manifest(), cancel=cancel)
    for seen, status in statuses:
        job.following = job.following.asked(at(seen - 0.5))
        job.observe(status, at(seen))
    return job


async def a_journal(path: Path) -> None:
    """Two jobs with points, one failed and one nobody knows of."""
    changes = (
        Change(State.PENDING_COMPILATION, "taken", None, at(0)),
        Change(State.READY, "ready", None, at(5)),
    )
    following = Following(questions=3, asked_at=(at(1), at(5)))
    async with opened(path) as journal:
        for name, keys in (("s-1", ["a", "b"]), ("s-2", ["c"]), ("s-3", ["d"])):
            await journal.intend(intent(name, *keys))
            await journal.sending(name)
            await journal.outcome(name, Delivery.ACCEPTED, f"job-{name}")
        await journal.ended("s-1", result("job-s-1", "a", "b"), changes, following)
        await journal.ended("s-2", errors.JobFailed("hot", job_id="job-s-2"))
        await journal.outcome("s-3", Delivery.UNKNOWN, evidence="504")
