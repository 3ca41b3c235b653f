"""Which job is asked about next, and when: pure, time is an argument."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Hashable
    from random import Random

__all__ = ["Pace", "Schedule", "backoff"]

K = TypeVar("K", bound="Hashable")


class Pace(Struct, frozen=True, kw_only=True):
    """How often jobs are asked about. All times in seconds."""

    first: float = 0.5
    """From the submission to the first question."""
    growth: float = 1.5
    """Each interval is this much longer than the one before."""
    longest: float = 20.0
    """The longest interval."""
    jitter: float = 0.1
    """Each interval varies by up to this share, so that jobs do not march in step."""

    def __post_init__(self) -> None:
        if not (0 <= self.first <= self.longest and self.growth >= 1):
            raise ConfigurationError(
                "a pace needs 0 <= first <= longest and growth >= 1"
            )
        if not 0 <= self.jitter < 1:
            raise ConfigurationError("jitter is a share from 0 to below 1")


def backoff(
    attempt: int, random: Random, *, start: float = 0.5, cap: float = 30.0
) -> float:
    """Seconds to wait before attempt number `attempt` (from 1) is repeated.

    Full jitter: anywhere between nothing and `start` doubled with each attempt, so that
    many clients that failed together do not come back together.
    """
    return random.random() * min(cap, start * 2.0 ** min(attempt - 1, 16))


class _Entry(Struct):
    interval: float
    turn: int
    failures: int = 0


class Schedule(Generic[K]):
    """A queue of questions: each job is asked about at growing intervals.

    A job that changed its state is asked again soon; one whose question failed waits
    with full jitter, or as long as the service said.
    """

    def __init__(self, pace: Pace, random: Random) -> None:
        self._pace = pace
        self._random = random
        self._entries: dict[K, _Entry] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._turns = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, job: K) -> bool:
        return job in self._entries

    def add(self, job: K, now: float, *, after: float | None = None) -> None:
        """Follow a job; `after` seconds from now is the first question."""
        delay = self._pace.first if after is None else after
        self._entries[job] = _Entry(interval=self._pace.first, turn=-1)
        self._put(job, now + self._varied(delay))

    def due(self, now: float) -> K | None:
        """The job to ask about now, taken out of the queue until `observed`."""
        while self._heap and self._heap[0][0] <= now:
            _, turn, job = heapq.heappop(self._heap)
            entry = self._entries.get(job)
            if entry is not None and entry.turn == turn:
                return job
        return None

    def observed(
        self,
        job: K,
        now: float,
        *,
        changed: bool = False,
        failed: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Put a job back after a question.

        Args:
            job: The job that was asked about.
            now: The time of the answer, in seconds.
            changed: Whether its state is another one than before.
            failed: Whether no usable answer came.
            retry_after: Seconds the service asked to wait, if it did.
        """
        entry = self._entries.get(job)
        if entry is None:
            return
        if retry_after is not None:
            delay = retry_after + self._random.random() * self._pace.jitter
        elif failed:
            entry.failures += 1
            delay = max(self._pace.first, backoff(entry.failures, self._random))
        else:
            entry.failures = 0
            if changed:
                entry.interval = self._pace.first
            else:
                entry.interval = min(
                    self._pace.longest,
                    max(entry.interval * self._pace.growth, self._pace.first),
                )
            delay = self._varied(entry.interval)
        self._put(job, now + delay)

    def discard(self, job: K) -> None:
        """Stop following a job; unknown jobs are ignored."""
        self._entries.pop(job, None)

    def next_wakeup(self) -> float | None:
        """When the next job is due; None if none waits in the queue."""
        while self._heap:
            when, turn, job = self._heap[0]
            entry = self._entries.get(job)
            if entry is not None and entry.turn == turn:
                return when
            heapq.heappop(self._heap)
        return None

    def _put(self, job: K, when: float) -> None:
        turn = next(self._turns)
        self._entries[job].turn = turn
        heapq.heappush(self._heap, (when, turn, job))

    def _varied(self, delay: float) -> float:
        return delay * (1 + self._pace.jitter * (2 * self._random.random() - 1))
