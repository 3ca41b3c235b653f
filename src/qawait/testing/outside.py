"""What a virtual loop's tasks ask of threads and processes, which live in real time."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import selectors
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import anyio.lowlevel
import anyio.to_process
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

__all__ = ["Beside", "outside_calls_counted"]


class Beside:
    """A thread beside an event loop, which waits until the thread has answered.

    So the loop's tasks take their turns in the same order whenever the program runs,
    however long the thread takes.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, "qawait beside virtual time")
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._here, selectors.EVENT_READ)

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function in the thread; what it returns or raises."""
        context = contextvars.copy_context()
        called = self._threads.submit(context.run, self._answer, function)
        self._selector.select()
        self._here.recv(1)
        worked, value = called.result()
        if not worked:
            raise value
        return value

    def _answer(self, function: Callable[[], Any]) -> tuple[bool, Any]:
        try:
            return True, function()
        except BaseException as error:
            return False, error
        finally:
            self._there.send(b".")

    def close(self) -> None:
        """End the thread."""
        self._threads.shutdown()
        self._selector.close()
        self._here.close()
        self._there.close()


_LOCK = threading.Lock()
_running = 0
"""Virtual loops that run in this process."""
_ORIGINALS: dict[Any, Any] = {}


@contextlib.contextmanager
def outside_calls_counted() -> Generator[None]:
    """Let virtual loops know of the calls of `anyio.to_thread` and `anyio.to_process`.

    anyio has no hook for this, so both functions are replaced while any such loop runs.
    Calls from other loops pass through.
    """
    global _running
    with _LOCK:
        if not _running:
            _ORIGINALS[anyio.to_thread] = anyio.to_thread.run_sync
            _ORIGINALS[anyio.to_process] = anyio.to_process.run_sync
            anyio.to_thread.run_sync = _beside(anyio.to_thread.run_sync)
            anyio.to_process.run_sync = _counted(anyio.to_process.run_sync)
        _running += 1
    try:
        yield
    finally:
        with _LOCK:
            _running -= 1
            if not _running:
                for module, original in _ORIGINALS.items():
                    module.run_sync = original


def _beside(run_sync: Callable[..., Awaitable[Any]]) -> Any:
    @wraps(run_sync)
    async def beside(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        call = getattr(asyncio.get_running_loop(), "call_beside", None)
        if call is None:
            return await run_sync(func, *args, **options)
        await anyio.lowlevel.checkpoint()
        return call(partial(func, *args))

    return beside


def _counted(run_sync: Callable[..., Awaitable[Any]]) -> Any:
    @wraps(run_sync)
    async def counted(*args: Any, **options: Any) -> Any:
        loop = asyncio.get_running_loop()
        standing_still = getattr(loop, "standing_still", contextlib.nullcontext)
        with standing_still():
            return await run_sync(*args, **options)

    return counted
