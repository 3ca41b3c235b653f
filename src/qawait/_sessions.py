"""The connections of one client: kept for questions, as good as new for submissions."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import aiohttp

from qawait.errors import ClientClosed

if TYPE_CHECKING:
    import ssl

    from qawait._transport import Limits
    from qawait.model import Call

__all__ = ["JUST_NOW", "Sessions"]

JUST_NOW = 0.25
"""Seconds after an answer to a submission in which its connection may carry another.

No service closes a connection so soon because it rests; most wait for minutes.
"""


class Sessions:
    """Where each call finds its connection.

    A question takes any connection, since it can be asked again. A submission must not
    take one that the service is about to close: its fate would be uncertain. So it has
    a new one, or one that has carried the answer to another submission just now; the
    latter only at a service that is known to keep its connections after an answer.
    """

    def __init__(self, limits: Limits, tls: ssl.SSLContext | bool, agent: str) -> None:
        """Opens nothing yet; in the event loop in which the calls are made.

        Args:
            limits: What the client takes of the network.
            tls: As aiohttp takes it.
            agent: What the service is told about the client.
        """
        connections = limits.connections
        self._questions = _session(
            aiohttp.TCPConnector(
                limit=connections, ssl=tls, socket_factory=self._opening
            ),
            limits.read_silence,
            limits,
            agent,
        )
        self._anew = _session(
            aiohttp.TCPConnector(limit=connections, ssl=tls, force_close=True),
            limits.submit_silence,
            limits,
            agent,
        )
        self._again = _session(
            aiohttp.TCPConnector(
                limit=connections, ssl=tls, keepalive_timeout=JUST_NOW
            ),
            limits.submit_silence,
            limits,
            agent,
        )
        self._closed = False
        self._opened = 0
        self._answered = 0
        self._broke = False
        self._not_before = 0.0

    def of(self, call: Call) -> aiohttp.ClientSession:
        """The session that a call is sent with.

        Raises:
            ClientClosed: There is none any more; nothing was sent.
        """
        if self._closed:
            # a sweep may outlive its client, and a request may have waited meanwhile
            raise ClientClosed("this client is closed; connect again")
        if call.kind != "submit":
            return self._questions
        if self._keeps_open and time.monotonic() > self._not_before:
            return self._again
        return self._anew

    @property
    def _keeps_open(self) -> bool:
        """Whether the service was seen to answer twice on one connection."""
        return self._answered > self._opened and not self._broke

    def answered(self, call: Call, status: int) -> None:
        """Say that a call was answered, so that its connection can be judged."""
        if call.kind != "submit":
            self._answered += 1
        elif status >= 300:
            # who refuses may close the connection, for it has not read the body
            self._not_before = time.monotonic() + JUST_NOW

    def broke(self, call: Call) -> None:
        """Say that a call met a broken connection."""
        if call.kind == "submit":
            self._broke = True

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        for session in (self._questions, self._anew, self._again):
            await session.close()

    def _opening(self, address: Any) -> socket.socket:
        """A socket for an address as `socket.getaddrinfo` tells it."""
        self._opened += 1
        return socket.socket(*address[:3])


def _session(
    connector: aiohttp.TCPConnector, silence: float, limits: Limits, agent: str
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=limits.connect, sock_read=silence
        ),
        headers={"User-Agent": agent, "Accept-Encoding": "gzip"},
    )
