"""A job store without a file and without a thread, for a service inside a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qawait.local.jobs import Job

__all__ = ["MemoryStore"]


class _Kept(Struct):
    job: Job
    parts: list[bytes]
    results: dict[str, bytes]


class MemoryStore:
    """Keeps what `Store` keeps, as long as it lives."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    async def add(self, job: Job, bodies: Sequence[bytes]) -> None:
        """Keeps a new job."""
        self.add_later(job, bodies)

    def add_later(self, job: Job, bodies: Sequence[bytes]) -> None:
        """Keeps a new job, at once."""
        self._kept[job.id] = _Kept(job, list(bodies), {})

    async def update(
        self,
        job: Job,
        *,
        part: bytes | None = None,
        results: Mapping[str, bytes] | None = None,
    ) -> None:
        """Keeps how a job stands, with a further request body or its results."""
        kept = self._kept.get(job.id)
        if kept is None:
            return  # deleted meanwhile
        kept.job = job
        if part is not None:
            kept.parts.append(part)
        kept.results.update(results or {})

    async def delete(self, job_id: str) -> None:
        """Forgets a job with everything that belongs to it."""
        self._kept.pop(job_id, None)

    async def job(self, job_id: str) -> Job | None:
        """A job; None if there is none."""
        kept = self._kept.get(job_id)
        return None if kept is None else kept.job

    async def in_progress(self) -> list[Job]:
        """Jobs that have not ended, oldest first."""
        return [k.job for k in self._kept.values() if not k.job.stage.is_terminal]

    async def parts(self, job_id: str) -> tuple[bytes, ...]:
        """The bodies of the requests that made a job, in order."""
        kept = self._kept.get(job_id)
        return () if kept is None else tuple(kept.parts)

    async def result(self, job_id: str, name: str) -> bytes | None:
        """One result of a job; None if there is none of that name."""
        kept = self._kept.get(job_id)
        return None if kept is None else kept.results.get(name)
