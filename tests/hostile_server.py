"""A server of raw sockets that answers well, but for the one request it was told of."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.good_answers import good
from tests.hostile_answers import CLOSED, HALF, KEPT, RESET, Hostile, whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Strand:
    """One line of requests, of which one is answered badly.

    Attributes:
        answered: What the bad answer was, once it was given.
        posts: How many requests came that change something.
    """

    def __init__(self) -> None:
        self.begin(None, 0)

    def begin(self, draw: Callable[[bytes], Hostile] | None, at: int) -> None:
        """From now on, the request of this number gets what is drawn for its body."""
        self._draw = draw
        self._at = at
        self._asked = 0
        self.answered: Hostile | None = None
        self.posts = 0

    def answer(self, method: str, path: str) -> Hostile:
        """What comes back for the next request."""
        self._asked += 1
        self.posts += method == "POST"
        word, _, nonce = path.partition("/")
        if word == "nonce":
            return _good(b'{"nonce":"%b"}' % nonce.encode())
        try:
            body = b'{"id":"7","job_id":"7"}' if method == "POST" else good(path)
        except LookupError:
            # a hostile answer has led there
            return Hostile("good", (b"HTTP/1.1 404 X\r\n\r\n",), 0.0, CLOSED)
        if self._draw is not None and self._asked == self._at + 1:
            self.answered = self._draw(body)
            return self.answered
        return _good(body)


def _good(body: bytes) -> Hostile:
    return Hostile("good", (whole(body),), 0.0, KEPT, True)


class _Connection(asyncio.Protocol):
    def __init__(self, server: HostileServer) -> None:
        self._server = server
        self._came = b""
        self._ended = False
        """Whether it can say no more."""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(transport)
        self._server.empty.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self._transport)
        if not self._server.connections:
            self._server.empty.set()
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._came += data
        while True:
            top, mark, rest = self._came.partition(b"\r\n\r\n")
            if not mark:
                return
            first, *lines = top.decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            size = int(headers.get("content-length", 0))
            if len(rest) < size:
                return
            self._came = rest[size:]
            method, path, _ = first.split(" ")
            strand, _, path = path[1:].partition("/")
            self._play(self._server.strands[int(strand)].answer(method, path))

    def _play(self, answer: Hostile, at: int = 0) -> None:
        if self._ended:
            self._transport.abort()
        if self._transport.is_closing():
            return
        while at < len(answer.pieces):
            self._transport.write(answer.pieces[at])
            at += 1
            if answer.pause and at < len(answer.pieces):
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(answer.pause, self._play, answer, at)
                return
        if answer.end == CLOSED:
            self._transport.close()
        elif answer.end == HALF:
            self._ended = True
            with contextlib.suppress(OSError):
                # the client may be gone already
                self._transport.write_eof()
        elif answer.end == RESET:
            sock = self._transport.get_extra_info("socket")
            linger = struct.pack("ii", 1, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()


class HostileServer:
    """Where the strands are: the requests of each have its number before their path."""

    def __init__(self, strands: int) -> None:
        self.strands = [Strand() for _ in range(strands)]
        self.connections: set[asyncio.Transport] = set()
        self.empty = asyncio.Event()
        self.empty.set()
        self.port = 0

    def url(self, strand: int) -> str:
        """The address of one strand."""
        return f"http://127.0.0.1:{self.port}/{strand}/"


@asynccontextmanager
async def hostile_server(strands: int) -> AsyncIterator[HostileServer]:
    server = HostileServer(strands)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: _Connection(server), "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for connection in list(server.connections):
            connection.abort()
        await server.empty.wait()
        await listening.wait_closed()
