"""A laboratory's proxy behind which the local service looks like one far away."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trustme

import qawait
from qawait import IQMService
from tests.service.running import LocalService


class Faraway:
    """Where the proxy is, and the certificate with which its hosts are trusted."""

    def __init__(self, proxy: str, ca_file: Path) -> None:
        self.proxy = proxy
        self.ca_file = ca_file

    def connect(
        self, *, host: str = "q.example", token: str = "t", **options: Any
    ) -> qawait.Client:
        """A client of the service; any host and any token leads to it."""
        return qawait.connect(
            IQMService(f"https://{host}", token=token, dialect="server"),
            proxy=self.proxy,
            ca_file=self.ca_file,
            **options,
        )


@asynccontextmanager
async def far_away(
    local: LocalService,
    directory: Path,
    submitted: Callable[[], None] = lambda: None,
) -> AsyncIterator[Faraway]:
    """Make the local service one that is not on this machine.

    Args:
        local: The service.
        directory: Where the certificate is put.
        submitted: Called when the first bytes of a submission have left the client.
    """
    authority = trustme.CA()
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    address = local.url.removeprefix("http://")
    at, port = address.split(":")
    tasks: set[asyncio.Task[Any]] = set()

    def translated(data: bytes) -> bytes:
        data = re.sub(rb"\r\nHost: [^\r]*", f"\r\nHost: {address}".encode(), data)
        bearer = f"\r\nAuthorization: Bearer {local.token}".encode()
        return re.sub(rb"\r\nAuthorization: Bearer [^\r]*", bearer, data)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 20):
                if data.startswith(b"POST "):
                    submitted()
                sink.write(translated(data))
                await sink.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        there: asyncio.StreamWriter | None = None
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            host = head.split()[1].decode().split(":")[0]
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await writer.drain()
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            authority.issue_cert(host).configure_cert(context)
            await writer.start_tls(context)
            answers, there = await asyncio.open_connection(at, int(port))
            ways = [
                asyncio.ensure_future(pump(reader, there)),
                asyncio.ensure_future(pump(answers, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.wait(ways)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            for stream in (there, writer):
                if stream is not None:
                    stream.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        here = server.sockets[0].getsockname()[1]
        yield Faraway(f"http://127.0.0.1:{here}", ca_file)
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
