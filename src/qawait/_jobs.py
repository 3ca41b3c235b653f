"""The jobs of one client: made when they are accepted, followed, found by their id."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from qawait._job import Job

if TYPE_CHECKING:
    from qawait._connection import Connection
    from qawait._service import Opened
    from qawait.model import Manifest

__all__ = ["Jobs"]


class Jobs:
    """Makes jobs, and gives the same object for the same id while it is in use.

    Args:
        connection: The client's, with the poller that follows them.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: WeakValueDictionary[str, Job] = WeakValueDictionary()

    def find(self, job_id: str) -> Job | None:
        """A job of this client that is still in use."""
        return self._known.get(job_id)

    def in_use(self) -> list[Job]:
        """Every job of this client that somebody still holds, or that is followed."""
        return list(self._known.values())

    def started(
        self,
        opened: Opened,
        submission_id: str,
        manifest: Manifest,
        *,
        tag: str | None = None,
        adopted: bool = False,
    ) -> Job:
        """Make a job and follow it from now on.

        Args:
            opened: What the service accepted.
            submission_id: Our own name for it; empty if another client submitted it.
            manifest: What it carries.
            tag: Its name.
            adopted: Whether it was submitted earlier, and may be unknown by now.
        """
        held = opened.held is not None
        job = Job(
            opened.job_id,
            submission_id=submission_id,
            manifest=manifest,
            cancel=self._cancel,
            release=partial(self._release, opened, submission_id) if held else None,
            forecast=self._connection.poller.eta,
            tag=tag,
            trace=opened.trace,
        )
        self._known[job.id] = job
        self._connection.poller.follow(job, adopted=adopted)
        return job

    async def _cancel(self, job_id: str) -> None:
        self._connection.check()
        await self._connection.wire.cancel(job_id)

    async def _release(self, opened: Opened, submission_id: str) -> None:
        self._connection.check()
        await self._connection.wire.release(opened, submission_id)
