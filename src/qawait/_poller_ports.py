"""What the poller needs of a service and of a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from qawait._job import Job
    from qawait.errors import Error
    from qawait.model import Manifest, Status, Step
    from qawait.results import Result

__all__ = ["Record", "Source"]


class Source(Protocol):
    """What the poller needs of a service."""

    async def question(
        self, job_id: str, manifest: Manifest
    ) -> tuple[Status, Result | None]:
        """Ask once how a job stands; with its result, where one answer brings both."""
        ...

    async def result(self, job_id: str, status: Status, manifest: Manifest) -> Result:
        """Fetch the result of a job that is ready."""
        ...

    def steps_of(self, result: Result) -> tuple[Step, ...]:
        """The steps that only the result tells."""
        ...

    def earliest_question(self) -> float:
        """When the rate limit next lets a question pass, on the poller's clock."""
        ...


class Record(Protocol):
    """What the poller needs of a journal."""

    def changed(self, job: Job) -> None:
        """Write down that a job has come to another state; nobody waits for it."""
        ...

    async def ended(self, job: Job, outcome: Result | Error) -> None:
        """Write down how a job ended; on the disk when this returns.

        Raises:
            JournalError: It cannot be written.
        """
        ...

    def resume(self, job: Job, *, known: bool = True) -> str | None:
        """The command with which another program comes back to a job, if there is one.

        Args:
            job: The job.
            known: Whether the service knows it.
        """
        ...
