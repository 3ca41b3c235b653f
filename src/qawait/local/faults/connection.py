"""What a fault does to a connection, below HTTP."""

from __future__ import annotations

import socket
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

import anyio

from qawait.local.border import Unanswered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

__all__ = [
    "bomb",
    "close",
    "dribble",
    "head_of",
    "is_open",
    "read_some",
    "reset",
    "say",
    "until_gone",
]

_LINGER = struct.pack("ii", 1, 0)
_LOOK = 0.05
"""Seconds between two looks at whether a client is still there."""
_SOME = 64 * 1024
_MiB = 2**20


def reset(request: web.Request) -> Unanswered:
    """Resets the connection; what was written before arrives."""
    transport = request.transport
    if transport is not None:
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        transport.abort()
    return Unanswered()


def close(request: web.Request) -> Unanswered:
    """Closes the connection once everything written has left."""
    if request.transport is not None:
        request.transport.close()
    return Unanswered()


def say(request: web.Request, raw: bytes) -> None:
    """Writes bytes below HTTP."""
    if request.transport is not None:
        request.transport.write(raw)


async def read_some(request: web.Request) -> None:
    """Takes the beginning of a body and leaves the rest where it is."""
    half = max(1, (request.content_length or 0) // 2)
    await request.content.read(min(half, _SOME))


def is_open(request: web.Request) -> bool:
    """Whether anything can still be written to the client."""
    return request.transport is not None and not request.transport.is_closing()


async def until_gone(request: web.Request, seconds: float | None) -> None:
    """Waits until the client is gone, or for so many seconds."""
    with anyio.move_on_after(seconds):
        # aiohttp tells nobody when a connection is lost while a handler runs
        while is_open(request):  # noqa: ASYNC110
            await anyio.sleep(_LOOK)


def head_of(response: web.Response, *instead: tuple[str, str]) -> bytes:
    """The head of a response as bytes, with other headers for how the body comes."""
    kept = [
        (name, value)
        for name, value in response.headers.items()
        if name.lower() not in ("content-length", "transfer-encoding")
    ]
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in (*kept, *instead)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def dribble(request: web.Request, body: bytes, seconds: float) -> None:
    """Writes a body byte by byte, for as long as there is somebody to read it."""
    for place in range(len(body)):
        await until_gone(request, seconds)
        if not is_open(request):
            return
        say(request, body[place : place + 1])


@lru_cache(maxsize=1)
def _block() -> tuple[bytes, bytes]:
    """The beginning of a gzip body, and what repeats in it for each MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = packer.compress(bytes(_MiB)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(_MiB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start, again


def bomb(mebibytes: int = 1024) -> Iterable[bytes]:
    """A gzip body of about a thousandth of what it unpacks to, by pieces."""
    start, again = _block()
    yield start
    for _ in range(mebibytes - 1):
        yield again
