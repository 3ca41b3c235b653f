"""What a virtual loop's tasks ask of threads and processes, which live in real time."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import selectors
import socket
import threading
from functools import cache, partial, wraps
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.lowlevel
import anyio.to_process
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

_T = TypeVar("_T")

__all__ = ["Beside", "outside_calls_counted"]


class Beside:
    """A thread beside an event loop, which waits until the thread has answered.

    So the loop's tasks take their turns in the same order whenever the program runs,
    however long the thread takes.
    """

    def __init__(self) -> None:
        self._worker = _worker()
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._here, selectors.EVENT_READ)

    def call(self, function: Callable[[], _T]) -> _T:
        """Call a function in the thread; what it returns or raises."""
        answers: list[_T] = []
        failures: list[BaseException] = []

        def answer() -> None:
            try:
                answers.append(function())
            except BaseException as error:
                failures.append(error)

        called = partial(contextvars.copy_context().run, answer)
        if self._worker.is_here():
            called()
        else:
            self._worker.calls.put((called, self._there))
            self._selector.select()
            self._here.recv(1)
        if failures:
            # popped, since its own traceback would else keep it alive
            raise failures.pop()
        return answers[0]

    def close(self) -> None:
        """Call no more functions."""
        self._selector.close()
        self._here.close()
        self._there.close()


class _Worker:
    """The thread of all virtual loops in this process; it never ends.

    Qiskit 2.6 crashes the interpreter when it was imported in a thread that has ended,
    so it is not left to a thread of one loop, of which there may be many in turn.
    """

    def __init__(self) -> None:
        self.calls: SimpleQueue[tuple[Callable[[], None], socket.socket]] = (
            SimpleQueue()
        )
        self._thread = threading.Thread(
            target=self._work, name="qawait beside virtual time", daemon=True
        )
        self._thread.start()

    def is_here(self) -> bool:
        """Whether it is the thread that asks: a loop within a call of another loop."""
        return threading.current_thread() is self._thread

    def _work(self) -> None:
        while True:
            call, done = self.calls.get()
            call()
            # neither what was called nor its arguments outlive the call
            del call
            done.send(b".")


_worker = cache(_Worker)


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
