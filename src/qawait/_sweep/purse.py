"""The budget of a sweep at work: asked before each job, told after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait._sweep.budget import Budget, Room, Spending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait._job import Job
    from qawait._sweep.line import Line
    from qawait._sweep.record import Record

__all__ = ["Purse"]


class Purse:
    """What a sweep may still spend; with what earlier runs of its journal spent.

    Args:
        budget: None sets no limit, and nothing is asked or written down.
        line: Knows what the account has paid.
        record: Keeps what was spent.
    """

    def __init__(self, budget: Budget | None, line: Line, record: Record) -> None:
        self._budget = budget
        self._line = line
        self._record = record
        self._spending: Spending | None = None
        self._credits_before: float | None = None

    async def open(self) -> None:
        """Find out what was spent before.

        Raises:
            ConfigurationError: Credits are limited, and the service prices no jobs.
        """
        if self._budget is None:
            return
        self._spending = Spending(self._budget, await self._record.spent())
        if self._budget.credits is not None:
            self._credits_before = await self._line.credits_used()

    def room(self, shots: Sequence[int]) -> Room:
        """How many of these circuits, from the first one on, may go as one job."""
        return (
            Room(len(shots)) if self._spending is None else self._spending.room(shots)
        )

    def reserve(self, name: str, shots: int) -> None:
        """Count a job that is about to be sent, under any name."""
        if self._spending is not None:
            self._spending.reserve(name, shots)

    def accepted(self, name: str) -> None:
        """The service has taken it, so it is spent."""
        if self._spending is not None:
            self._spending.accepted(name)

    def release(self, name: str) -> None:
        """Take it back: it certainly does not run."""
        if self._spending is not None:
            self._spending.release(name)

    def lose(self, name: str) -> None:
        """It may run, and nothing more will be known of it."""
        if self._spending is not None:
            self._spending.settle(name, None)

    async def pay(self, name: str, job: Job) -> None:
        """It has ended."""
        if self._spending is None:
            return
        self._spending.settle(name, _seconds(job))
        if self._credits_before is not None:
            used = await self._line.credits_used()
            self._spending.charged(used - self._credits_before)
        await self._record.note_spent(self._spending.spent)


def _seconds(job: Job) -> float | None:
    """On the machine, as the service says; else from its acceptance to its end."""
    if job.run_time is not None:
        return job.run_time
    if not job.changes:
        return None
    first, last = job.changes[0], job.changes[-1]
    if first.at is not None and last.at is not None:
        return (last.at - first.at).total_seconds()
    return (last.seen_at - first.seen_at).total_seconds()
