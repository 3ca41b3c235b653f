"""Connections in virtual time behave as TCP does, as far as asyncio shows it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import aiohttp
import anyio
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from qawait.errors import ConfigurationError
from qawait.testing import run_virtual

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def connected_to(served: Served, **options: int) -> Streams:
    server = await asyncio.start_server(served, "127.0.0.1", 0, **options)
    port = server.sockets[0].getsockname()[1]
    return await asyncio.open_connection("localhost", port)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close, and let the other end find out before the loop ends."""
    writer.close()
    await anyio.sleep(10)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


@given(
    st.lists(st.binary(min_size=1, max_size=200_000), max_size=6),
    st.sampled_from([0.0, 0.005, 2.0]),
)
def test_bytes_arrive_whole_and_in_order(pieces: list[bytes], latency: float):
    async def main() -> bytes:
        reader, writer = await connected_to(echo)
        for piece in pieces:
            writer.write(piece)
        writer.write_eof()
        try:
            return await reader.read()
        finally:
            await hang_up(writer)

    assert run_virtual(main, latency=latency) == b"".join(pieces)


def test_a_question_and_its_answer_take_the_latency_of_both_ways():
    async def main() -> tuple[float, float]:
        reader, writer = await connected_to(echo)
        connected = anyio.current_time()
        writer.write(b"x")
        await reader.readexactly(1)
        answered = anyio.current_time()
        await hang_up(writer)
        return connected, answered - connected

    assert run_virtual(main, latency=0.25) == (0.5, 0.5)


def test_what_is_sent_later_arrives_later():
    async def main() -> list[float]:
        heard: list[float] = []
        done = asyncio.Event()

        async def listen(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            while await reader.read(1):
                heard.append(anyio.current_time())
            writer.close()
            done.set()

        _, writer = await connected_to(listen)
        began = anyio.current_time()
        for _ in range(3):
            writer.write(b"x")
            await anyio.sleep(1.0)
        writer.write_eof()
        await done.wait()
        await hang_up(writer)
        return [at - began for at in heard]

    assert run_virtual(main, latency=2.5) == [2.5, 3.5, 4.5]


def test_a_sender_waits_for_a_reader_that_does_not_read():
    async def main() -> None:
        release = asyncio.Event()
        got = 0

        async def reluctant(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            nonlocal got
            await release.wait()
            while data := await reader.read(1 << 16):
                got += len(data)
            writer.close()

        reader, writer = await connected_to(reluctant, limit=1024)
        sent = 0
        with anyio.move_on_after(10):
            while True:
                writer.write(bytes(16_384))
                sent += 16_384
                await writer.drain()
        assert 65_536 <= sent <= 131_072, "as much as is let onto its way"
        assert writer.transport.get_write_buffer_size() > 0
        release.set()
        await writer.drain()
        writer.write_eof()
        assert await reader.read() == b""
        assert got == sent
        await hang_up(writer)

    run_virtual(main)


def test_who_aborts_resets_the_other_end_after_what_was_written():
    async def main() -> None:
        async def rude(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(b"half a sen")
            writer.transport.abort()

        reader, writer = await connected_to(rude)
        assert await reader.readexactly(10) == b"half a sen"
        with pytest.raises(ConnectionResetError):
            await reader.read(100)
        assert writer.transport.is_closing()
        writer.write(b"nobody hears this")
        await hang_up(writer)

    run_virtual(main)


def test_who_closes_lets_everything_arrive():
    async def main() -> None:
        async def brief(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(bytes(300_000))
            writer.close()

        reader, writer = await connected_to(brief)
        assert len(await reader.read()) == 300_000
        await hang_up(writer)

    run_virtual(main)


def test_nobody_answers_where_nobody_listens():
    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 4711)
        with pytest.raises(OSError, match="in use"):
            await asyncio.start_server(echo, "127.0.0.1", 4711)
        _, writer = await asyncio.open_connection("127.0.0.1", 4711)
        assert writer.get_extra_info("peername") == ("127.0.0.1", 4711)
        await hang_up(writer)
        server.close()
        await server.wait_closed()
        assert server.sockets == ()
        for host, port in (("127.0.0.1", 4711), ("192.0.2.7", 80)):
            with pytest.raises(ConnectionRefusedError, match="virtual time"):
                await asyncio.open_connection(host, port)
        with pytest.raises(socket.gaierror, match="virtual time"):
            await asyncio.get_running_loop().getaddrinfo("example.com", 80)

    run_virtual(main)


def test_a_server_everywhere_takes_connections_to_every_address():
    async def main() -> None:
        server = await asyncio.start_server(echo, None, 4711)
        for host in ("127.0.0.1", "::1", "localhost"):
            reader, writer = await asyncio.open_connection(host, 4711)
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            await hang_up(writer)
        server.close()

    run_virtual(main)


def test_what_virtual_time_cannot_do_is_said():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(ConfigurationError, match="TLS"):
            await asyncio.open_connection("127.0.0.1", 443, ssl=True)
        with (
            socket.socket() as real,
            pytest.raises(ConfigurationError, match="real socket"),
        ):
            await loop.create_connection(asyncio.Protocol, sock=real)

    run_virtual(main)


def test_aiohttp_speaks_to_itself_and_hours_pass():
    async def main() -> tuple[str, float]:
        async def late(request: web.Request) -> web.Response:
            body = await request.read()
            await anyio.sleep(3600)
            return web.Response(text=f"{len(body)} bytes")

        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/late", late)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 8080).start()
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                "http://localhost:8080/late", data=in_pieces(3_000_000)
            ) as response,
        ):
            text = await response.text()
        await runner.cleanup()
        return text, anyio.current_time()

    text, at = run_virtual(main)
    assert text == "3000000 bytes"
    assert 3600 < at < 3601


async def in_pieces(size: int):
    for _ in range(0, size, 100_000):
        yield bytes(100_000)
