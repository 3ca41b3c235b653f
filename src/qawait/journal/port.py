"""What a client needs of a journal, on the disk or in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qawait.errors import Error
    from qawait.journal.figures import Figures
    from qawait.journal.records import (
        Anomaly,
        Found,
        Intent,
        Point,
        Recorded,
        Standing,
        Tally,
    )
    from qawait.model import Change, Delivery, Following
    from qawait.results import Result

__all__ = ["Journal"]


class Journal(Protocol):
    """The methods of `FileJournal`, where they are described."""

    @property
    def path(self) -> Path | None: ...  # noqa: D102
    async def intend(self, intent: Intent) -> None: ...  # noqa: D102
    async def sending(self, submission_id: str) -> None: ...  # noqa: D102
    async def opened(self, submission_id: str, job_id: str) -> None: ...  # noqa: D102
    async def outcome(  # noqa: D102
        self,
        submission_id: str,
        delivery: Delivery,
        job_id: str | None = None,
        *,
        evidence: str = "",
    ) -> None: ...
    def changed(  # noqa: D102
        self, submission_id: str, changes: tuple[Change, ...], raw: str
    ) -> None: ...
    async def ended(  # noqa: D102
        self,
        submission_id: str,
        outcome: Result | Error,
        changes: tuple[Change, ...] = (),
        following: Following | None = None,
    ) -> None: ...
    async def anomaly(  # noqa: D102
        self, submission_id: str, kind: str, detail: str
    ) -> None: ...
    async def resolve(  # noqa: D102
        self, submission_id: str, choice: str, job_id: str | None = None
    ) -> None: ...
    async def retry(self, keys: Sequence[str]) -> None: ...  # noqa: D102
    async def note(self, name: str, value: object) -> None: ...  # noqa: D102
    async def keep_figures(self, found: Figures) -> None: ...  # noqa: D102
    async def find(self, points: Sequence[Point]) -> list[Found | None]: ...  # noqa: D102
    async def recorded(self, *standings: Standing) -> list[Recorded]: ...  # noqa: D102
    async def result(self, submission_id: str) -> Result: ...  # noqa: D102
    async def tally(self) -> Tally: ...  # noqa: D102
    async def noted(self, name: str) -> Any: ...  # noqa: D102
    async def anomalies(self) -> list[Anomaly]: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102
