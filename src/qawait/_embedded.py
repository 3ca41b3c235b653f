"""The local service as a child process of the client that uses it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
from contextlib import asynccontextmanager
from subprocess import PIPE
from typing import TYPE_CHECKING

import anyio
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from qawait.errors import Error, MissingExtra
from qawait.services import embedded_service

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from anyio.abc import Process

    from qawait.services import IQMService

__all__ = ["embedded"]

_START = 60.0
"""Seconds for the service to start; loading the simulator takes one or two."""
_END = 5.0
"""Seconds for the service to end by itself."""


class _Ready(msgspec.Struct):
    url: str
    token: str


_READY = msgspec.json.Decoder(_Ready)


@asynccontextmanager
async def embedded(store: str | Path | None) -> AsyncGenerator[IQMService, None]:
    """Run a local service for as long as the block lasts.

    It sees the end of its standard input when this process ends, however that happens,
    and ends too.

    Args:
        store: Where it keeps its jobs; None for a private place removed at the end.

    Raises:
        MissingExtra: The simulator is not installed.
    """
    if importlib.util.find_spec("qiskit_aer") is None:
        raise MissingExtra("the local service", "local")
    where = ["--private-store"] if store is None else ["--store", str(store)]
    # -P: a module that lies about in the working directory is not for the service
    command = [sys.executable, "-P", "-m", "qawait.local", "--port", "0", "--json"]
    process = await anyio.open_process(
        [*command, "--follow-stdin", *where], stdin=PIPE, stdout=PIPE, stderr=None
    )
    try:
        ready = await _read_line(process)
        yield embedded_service(ready.url, ready.token)
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _read_line(process: Process) -> _Ready:
    assert process.stdout is not None
    lines = BufferedByteReceiveStream(process.stdout)
    try:
        with anyio.fail_after(_START):
            return _READY.decode(await lines.receive_until(b"\n", 65536))
    except (
        anyio.IncompleteRead,
        anyio.EndOfStream,
        TimeoutError,
        msgspec.MsgspecError,
    ):
        raise Error(
            "the local service did not start; `qawait serve` shows why"
        ) from None


async def _end(process: Process) -> None:
    assert process.stdin is not None
    await process.stdin.aclose()
    with anyio.move_on_after(_END):
        await process.wait()
    if process.returncode is None:
        # Not `process.kill`, which may take the end of the process for itself, and
        # asyncio then complains that it was told of none.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        await process.wait()
    await process.aclose()
