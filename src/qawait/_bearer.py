"""The token of one service's requests: renewed before it expires, once for all."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio.to_thread

from qawait._single_flight import SingleFlight
from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qawait._auth import Secret, TokenSource

__all__ = ["LOOK_AGAIN", "RENEW_AHEAD", "Bearer"]

log = logging.getLogger("qawait")

RENEW_AHEAD = 60.0
"""A token with so many seconds left, or fewer, is looked for anew before it is sent."""

LOOK_AGAIN = 5.0
"""Seconds until the next look, where the last one brought nothing newer."""


class Bearer:
    """Gives each request its token, and looks for a newer one on behalf of all."""

    def __init__(self, source: TokenSource, clock: Callable[[], float]) -> None:
        """Reads nothing yet.

        Args:
            source: Where the token comes from.
            clock: The wall clock, as seconds since 1970.
        """
        self._source = source
        self._clock = clock
        self._looked_at = float("-inf")
        self._flight: SingleFlight[bool] = SingleFlight()

    async def token(self) -> Secret | None:
        """The token to send now; None sends none.

        Raises:
            ConfigurationError: It has expired, or there is none where one is needed;
                nothing was sent.
        """
        source = self._source
        if source.expires_at is None and not source.unread:
            return source.current()
        if self._due(self._clock()):
            self._looked_at = self._clock()
            try:
                await self._flight.join(self._look)
            except ConfigurationError:
                if self._source.unread or self._expired():
                    raise
        if self._expired():
            raise ConfigurationError(
                f"the token in the {self._source.name} expired at "
                f"{_moment(self._source.expires_at)}; log in again"
            )
        return self._source.current()

    async def renewed(self, refused: Secret | None) -> bool:
        """Whether there is another token than the one that was refused.

        However many requests were refused, the source is read once.
        """
        if self._source.current() == refused:
            try:
                await self._flight.join(self._look)
            except ConfigurationError as error:
                log.warning("no newer token: %s", error)
        return self._source.current() != refused

    def _due(self, now: float) -> bool:
        expires_at = self._source.expires_at
        if self._source.unread or self._expired():
            return True
        if expires_at is None or expires_at - now > RENEW_AHEAD:
            return False
        # a wall clock that was set back must not put off the next look
        return not 0 <= now - self._looked_at < LOOK_AGAIN

    def _expired(self) -> bool:
        expires_at = self._source.expires_at
        return expires_at is not None and expires_at <= self._clock()

    async def _look(self) -> bool:
        return await anyio.to_thread.run_sync(self._source.renew)


def _moment(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds or 0.0, UTC).isoformat(timespec="seconds")
