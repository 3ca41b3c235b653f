"""What holds questions back: an outage, a wait asked for, a cap on their rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qawait._pace import backoff

if TYPE_CHECKING:
    from random import Random

__all__ = ["Gate"]

_AWAY = 3
"""So many failures in a row mean that the service is away."""
_BACK = 64
"""From so many answers on, a service that was away counts as back."""
_LONGEST_WAIT = 3600.0
"""No wait that a service asks for is longer; a slip of theirs would end all news."""


class Gate:
    """When the next question may be asked. Times in seconds.

    While the service is away, one question at a time finds out when it is back; then
    each answer allows one more at once, so that there is no stampede.
    """

    def __init__(self, random: Random, polls_per_second: float | None) -> None:
        self._random = random
        self._spacing = 0.0 if polls_per_second is None else 1 / polls_per_second
        self._under_way = 0
        self._most_under_way = math.inf
        self._failures = 0
        self._opens_at = -math.inf

    @property
    def opens_at(self) -> float:
        """When a question may be asked; infinity if an answer must come first."""
        full = self._under_way >= self._most_under_way
        return math.inf if full else self._opens_at

    def asked(self, now: float) -> None:
        """Note that a question is under way."""
        self._under_way += 1
        self._opens_at = max(self._opens_at, now + self._spacing)

    def settled(self) -> None:
        """Note that a question is no longer under way."""
        self._under_way -= 1

    def slept(self) -> None:
        """Note that nobody asked for long: much is overdue, and comes bit by bit."""
        self._most_under_way = min(self._most_under_way, self._under_way + 1)

    def answered(self) -> None:
        """Note that the service has given an answer."""
        self._failures = 0
        self._most_under_way += 1
        if self._most_under_way > _BACK:
            self._most_under_way = math.inf

    def failed(
        self,
        now: float,
        failures: int,
        retry_after: float | None,
        *,
        answered: bool = False,
    ) -> float:
        """Note that no usable answer came.

        Args:
            now: The present.
            failures: How often in a row it did not for this job.
            retry_after: Seconds the service asked to wait, if it did.
            answered: Whether the service has answered nonetheless.

        Returns:
            Seconds until the job may be asked about again.
        """
        if answered:
            self.answered()
        else:
            self._failures += 1
        if retry_after is None:
            wait = max(backoff(failures + 1, self._random), 0.1)
        else:
            asked = retry_after if retry_after > 0 else 0.0
            wait = min(asked, _LONGEST_WAIT) * (1 + 0.1 * self._random.random())
        if retry_after is not None or self._failures >= _AWAY:
            self._most_under_way = 1
            self._opens_at = max(self._opens_at, now + wait)
        return wait
