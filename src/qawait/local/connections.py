"""How many connections the service has, and how long one may be silent.

Every program on this machine can open connections, with or without the token, and a
connection that says nothing costs a file descriptor for as long as it stays.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
from aiohttp import web

from qawait.local.border import Refused

if TYPE_CHECKING:
    from aiohttp.web_protocol import RequestHandler

    from qawait.local.border import Handler

__all__ = ["HTTP_LOG", "IDLE_SECONDS", "Connections"]

HTTP_LOG = logging.getLogger("qawait.local.http")
"""Where aiohttp writes what it cannot read as a request: a traceback with the line, which
may be that of the token. Hence nothing is shown unless somebody lowers the level."""
HTTP_LOG.setLevel(logging.CRITICAL)

IDLE_SECONDS = 75.0
"""How long a connection stays after an answer; aiohttp's own default is an hour."""
_MOST = 256
"""Connections that are served; a client of ours has a few at once."""
_SECONDS_TO_ASK = 10.0
"""From the opening of a connection to the end of its first request's headers."""


class Connections:
    """Serves so many connections, and closes those on which nobody asks.

    Args:
        most: Connections that are served at once, the oldest ones; others are told
            to come again.
        seconds_to_ask: For the headers of the first request; those of a later one must
            have come when the connection has been idle for too long.
    """

    def __init__(
        self, *, most: int = _MOST, seconds_to_ask: float = _SECONDS_TO_ASK
    ) -> None:
        self._most = most
        self._seconds_to_ask = seconds_to_ask
        self._server: web.Server | None = None
        self._silent_since: dict[RequestHandler, float] = {}
        self._asked: set[RequestHandler] = set()

    def bound(self, app: web.Application) -> None:
        """Guard an application; its refusals have the shapes of the others."""

        @web.middleware
        async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._is_one_too_many(request.protocol):
                # Closed when this is answered, without reading on.
                request.protocol.close()
                raise Refused(
                    503,
                    f"there are more than {self._most} connections; come again",
                    headers={"Retry-After": "1"},
                )
            self._asked.add(request.protocol)
            return await handler(request)

        # after what records and shapes, before what asks for the token
        app.middlewares.insert(2, counted)

    async def watch(self, runner: web.AppRunner) -> None:
        """Look after the connections of what is served, until cancelled."""
        server = self._server = runner.server
        assert server is not None
        while True:
            await anyio.sleep(self._seconds_to_ask / 10)
            self._close_silent(server.connections, anyio.current_time())

    def _is_one_too_many(self, connection: RequestHandler) -> bool:
        if self._server is None:
            return False
        open_now = self._server.connections
        return len(open_now) > self._most and connection not in open_now[: self._most]

    def _close_silent(self, connections: list[RequestHandler], now: float) -> None:
        self._asked.intersection_update(connections)
        before, self._silent_since = self._silent_since, {}
        for connection in connections:
            if connection in self._asked:
                continue
            since = before.get(connection, now)
            if now - since >= self._seconds_to_ask:
                connection.force_close()
            else:
                self._silent_since[connection] = since
