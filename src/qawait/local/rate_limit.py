"""IQM's published rate limit, for tests of how a client takes it.

Every request costs units out of an allowance for a rolling time. Whoever asks for more
is refused for a while, whatever they ask for. Source: wire reference, IQM, §3.3.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RATE_LIMITS", "Exhausted", "RateLimit", "RateLimiter", "cost"]


class RateLimit(Struct, frozen=True, kw_only=True):
    """How many units an account has, and what requests cost; IQM's own numbers."""

    units: int = 2000
    """For each rolling window."""
    window: float = 10.0
    """Seconds."""
    block: float = 30.0
    """Seconds during which nothing is answered once the units are spent."""
    read: int = 10
    cancel: int = 100
    submit: int = 100
    submit_more: int = 100
    """On top, for every `body_bytes` that are full."""
    body_bytes: int = 10 * 2**20


RATE_LIMITS: Mapping[str, RateLimit] = {"iqm": RateLimit()}
"""By the names that `--rate-limit` takes."""


class Exhausted(Exception):
    """The units are spent; `seconds` are left until requests are answered again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class RateLimiter:
    """Counts what one account spends. Times are seconds on any clock that only rises."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._spent: deque[tuple[float, int]] = deque()
        self._in_window = 0
        self._blocked_until = -math.inf

    def spend(self, units: int, now: float) -> int:
        """Pays for one request.

        Args:
            units: What it costs.
            now: The time.

        Returns:
            The units that are left.

        Raises:
            Exhausted: There are not so many left, or there were not a while ago. The
                time until the block ends does not grow by asking.
        """
        if now < self._blocked_until:
            raise Exhausted(self._blocked_until - now)
        while self._spent and self._spent[0][0] <= now - self.limit.window:
            self._in_window -= self._spent.popleft()[1]
        if self._in_window + units > self.limit.units:
            self._blocked_until = now + self.limit.block
            raise Exhausted(self.limit.block)
        self._spent.append((now, units))
        self._in_window += units
        return self.limit.units - self._in_window


def cost(limit: RateLimit, method: str, path: str, body_bytes: int) -> int | None:
    """What a request costs; None if no limit is set on it.

    Args:
        limit: The prices.
        method: In capitals.
        path: Without query. Only IQM's dialects have this limit.
        body_bytes: The length of the request's body.
    """
    if not path.startswith(("/api/v1/", "/cocos/", "/station/")):
        return None
    # iqm-client takes a refusal here for a wrong version. Wire reference §2.
    if path.endswith("/info/client-libraries"):
        return None
    if method == "DELETE" or path.endswith(("/cancel", "/abort")):
        return limit.cancel
    if method == "POST":
        return limit.submit + body_bytes // limit.body_bytes * limit.submit_more
    return limit.read
