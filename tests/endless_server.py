"""A server whose measurements are written while they are sent, and never there at once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SHOTS = 10_000
QUBITS = 20

_ROWS = ",".join(
    "["
    + ",".join("01"[shot * 2654435761 >> qubit & 1] for qubit in range(QUBITS))
    + "]"
    for shot in range(SHOTS)
)
CIRCUIT = f'{{"m":[{_ROWS}]}}'.encode()
"""One circuit of a batch; all are alike. 0.42 MB."""


def body_bytes(circuits: int) -> int:
    """The length of the measurements of so many circuits."""
    return circuits * (len(CIRCUIT) + 1) + 1


@asynccontextmanager
async def endless_server() -> AsyncIterator[str]:
    """The address of a server that gives N circuits for whatever path ends in `/N`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            circuits = int(request.split(b" ", 2)[1].rpartition(b"/")[2])
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\nConnection: close\r\n\r\n"
                % body_bytes(circuits)
            )
            for number in range(circuits):
                writer.write((b"," if number else b"[") + CIRCUIT)
                await writer.drain()
            writer.write(b"]")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
