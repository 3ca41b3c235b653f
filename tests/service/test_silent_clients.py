"""Clients that open connections and say little: they cost the service little."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import pytest
from aiohttp import web

from qawait.local import border
from qawait.local.connections import Connections

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.service.running import LocalService

HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
HALF_A_BODY = (
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n\r\n[1,"
)
ASK = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def _hello(request: web.Request) -> web.Response:
    await border.body_of(request)
    return web.Response(text="{}")


@contextlib.asynccontextmanager
async def _serving(connections: Connections, **kept: float) -> AsyncGenerator[int]:
    """The port of an application behind these connections."""
    # in the place of what records requests, so that the order is the service's
    app = web.Application(middlewares=[_passed, border.shaped])
    app.add_routes([web.get("/", _hello), web.post("/", _hello)])
    connections.bound(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0, **kept)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(connections.watch, runner)
            yield runner.addresses[0][1]
            group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


@web.middleware
async def _passed(request: web.Request, handler: border.Handler) -> web.StreamResponse:
    return await handler(request)


class _Client:
    def __init__(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]):
        self.reader, self.writer = streams

    async def status(self) -> int:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await self.reader.readexactly(length)
        return int(head.split(b" ", 2)[1])

    async def rest(self) -> bytes:
        """What still comes until the service has closed the connection."""
        with contextlib.suppress(ConnectionError):
            return await self.reader.read()
        return b""

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def _clients(port: int, count: int, sent: bytes) -> AsyncGenerator[list[_Client]]:
    """So many connections, on each of which this was sent."""
    made = [
        _Client(await asyncio.open_connection("127.0.0.1", port)) for _ in range(count)
    ]
    for client in made:
        client.writer.write(sent)
    try:
        yield made
    finally:
        for client in made:
            await client.close()


async def test_who_sends_half_a_head_or_nothing_is_closed_in_time():
    """Two hundred at once, and one that asks in time stays."""
    async with (
        _serving(Connections(most=1000, seconds_to_ask=0.5)) as port,
        _clients(port, 1, ASK) as [good],
        _clients(port, 100, HALF_A_HEAD) as slow,
        _clients(port, 100, b"") as silent,
    ):
        assert await good.status() == 200
        with anyio.fail_after(20):
            for client in (*slow, *silent):
                assert await client.rest() == b""
        good.writer.write(ASK)
        assert await good.status() == 200


async def test_who_sends_half_a_body_is_refused_in_time(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(border, "_BODY_SECONDS", 0.5)
    connections = Connections(most=1000, seconds_to_ask=60.0)
    async with (
        _serving(connections, lingering_time=0.1) as port,
        _clients(port, 200, HALF_A_BODY) as slow,
    ):
        with anyio.fail_after(20):
            for client in slow:
                assert (await client.rest()).startswith(b"HTTP/1.1 408 ")


async def test_who_is_one_too_many_is_told_so_and_the_others_go_on():
    async with (
        _serving(Connections(most=3, seconds_to_ask=60)) as port,
        _clients(port, 3, ASK) as first,
    ):
        assert [await client.status() for client in first] == [200, 200, 200]
        async with _clients(port, 2, ASK) as more:
            for client in more:
                said = await client.rest()
                assert said.startswith(b"HTTP/1.1 503 ")
                assert b"Retry-After: 1\r\n" in said
        first[0].writer.write(ASK)
        assert await first[0].status() == 200
        await first[1].close()
        with anyio.fail_after(20):
            while True:
                async with _clients(port, 1, ASK) as [next_one]:
                    if await next_one.status() == 200:
                        break


@pytest.mark.timeout(90)
async def test_the_running_service_does_both(counted: LocalService):
    """256 connections, and ten seconds: nothing is on the processor meanwhile."""
    address = urlsplit(counted.url)
    ask = f"GET /health HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:

        def connected() -> socket.socket:
            made = socket.create_connection((address.hostname, address.port), 60)
            return stack.enter_context(made)

        held = [connected() for _ in range(256)]
        held[0].sendall(ask)
        assert held[0].recv(65536).startswith(b"HTTP/1.1 200 ")
        late = connected()
        late.sendall(ask)
        assert late.recv(65536).startswith(b"HTTP/1.1 503 ")
        for silent in held[1:]:
            assert silent.recv(1) == b""
        held[0].sendall(ask)
        assert held[0].recv(65536).startswith(b"HTTP/1.1 200 ")
