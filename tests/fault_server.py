"""A server of raw sockets that answers as a test says: well, badly or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Reset(Exception):
    """Close the connection with a reset instead of an answer."""


class Cut(Exception):
    """Send these bytes and close the connection."""

    def __init__(self, sent: bytes) -> None:
        self.sent = sent


class Hang(Exception):
    """Never answer."""


Answerer = Callable[[Request, int], bytes]
"""Request and its number from 0 to the raw answer; may raise Reset, Cut or Hang."""


def reply(status: int = 200, body: str | bytes = "{}", **headers: str) -> bytes:
    payload = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(payload)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


class FaultServer:
    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        gone = False
        try:
            while (request := await _read(reader)) is not None:
                number = len(self.requests)
                self.requests.append(request)
                writer.write(self.answer(request, number))
                await writer.drain()
        except Reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        except Cut as cut:
            writer.write(cut.sent)
            await writer.drain()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            gone = True
        except Hang:
            await asyncio.Event().wait()
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            # one that is gone after its buffer ran empty cannot be aborted (3.11)
            if not gone:
                writer.transport.abort()

    async def __aenter__(self) -> FaultServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


@asynccontextmanager
async def answering(answer: Answerer) -> AsyncIterator[FaultServer]:
    async with FaultServer(answer) as server:
        yield server
