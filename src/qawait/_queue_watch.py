"""When a job behind the front is asked about, to notice another order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

__all__ = ["Watch"]

_PER_DOUBLING = 0.008
"""The share of the jobs it asks about while the time since the first one doubles; three
where they are few, or a tenth of them."""
_SETTLED = 0.3
"""What is enough of the watch once the order is known."""
_MOST_OPEN = 3.0


class Watch:
    """A thin watch over the jobs that are believed to wait. Times in seconds.

    Far behind the front it goes by time, for where nothing ends at the front, there are
    few questions. Near it, it goes by the number of questions.
    """

    def __init__(self, random: Random, share: float) -> None:
        """Let a share of all questions, 0 to 1, go to the jobs next to the front."""
        self._random = random
        self._share = share
        self._open = 0.0
        self._next_at = math.inf
        self._since = 0.0

    @property
    def due_at(self) -> float:
        """When a job is to be asked about; minus infinity: now."""
        return -math.inf if self._open >= 1 else self._next_at

    def begin(self, now: float) -> None:
        """Note that the first job has come into an empty queue."""
        self._since = now
        self._next_at = min(self._next_at, now + 1.0)

    def count(self, *, settled: bool) -> None:
        """Note that a question was asked."""
        share = self._share * (_SETTLED if settled else 1.0)
        self._open = min(self._open + share, _MOST_OPEN)

    def is_near(self) -> bool:
        """Whether a job next to the front is to be asked about now."""
        if self._open < 1:
            return False
        self._open -= 1
        return True

    def is_far(self, now: float, jobs: int, *, settled: bool) -> bool:
        """Whether any other job is to be asked about now.

        Args:
            now: The present.
            jobs: How many are in progress.
            settled: Whether the order is known.
        """
        if now < self._next_at:
            return False
        questions = max(_PER_DOUBLING * jobs, min(3.0, 0.1 * jobs))
        if settled:
            questions *= _SETTLED
        pause = (now - self._since + 1.0) * math.log(2) / questions
        self._next_at = now + pause * (0.5 + self._random.random())
        return True
