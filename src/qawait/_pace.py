"""How often a user wants to ask, and how long to wait after a failure: pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from random import Random

__all__ = ["Pace", "backoff"]


class Pace(Struct, frozen=True, kw_only=True):
    """How often jobs are asked about.

    Raises:
        ConfigurationError: A number cannot be right; it is named.
    """

    first: float = 0.5
    """Seconds from a submission to the first question, while nothing is known of the
    queue; afterwards what was learned of it decides."""
    questions_per_job: float = 2.45
    """What a job may cost in questions, on average, where jobs end in order; above 1.
    More questions bring earlier news."""
    max_staleness: float | None = None
    """How late the news of a job's end may be, in seconds, for the jobs that may be
    running; None leaves it to `questions_per_job`."""
    polls_per_second: float | None = None
    """The most questions per second; None sets no limit but the service's own."""

    def __post_init__(self) -> None:
        if not 0 <= self.first < math.inf:
            raise ConfigurationError("pace: first is a number of seconds from 0 on")
        if not 1 < self.questions_per_job < math.inf:
            raise ConfigurationError("pace: questions_per_job is a number above 1")
        for name in ("max_staleness", "polls_per_second"):
            wish = getattr(self, name)
            if wish is not None and not 0 < wish < math.inf:
                raise ConfigurationError(f"pace: {name} is a number above 0, or None")


def backoff(
    attempt: int, random: Random, *, start: float = 0.5, cap: float = 30.0
) -> float:
    """Seconds to wait before attempt number `attempt` (from 1) is repeated.

    Full jitter: anywhere between nothing and `start` doubled with each attempt, so that
    many clients that failed together do not come back together.
    """
    return random.random() * min(cap, start * 2.0 ** min(attempt - 1, 16))
