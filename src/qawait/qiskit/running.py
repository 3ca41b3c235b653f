# pyright: basic
"""Work in the event loop of a client, seen from any thread."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from concurrent.futures import Future, InvalidStateError, wait
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from qiskit.primitives import PrimitiveJob

from qawait.errors import (
    ClientClosed,
    ConfigurationError,
    Error,
    JobCancelled,
    fresh,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType

__all__ = ["ClientLoop", "Running"]

T = TypeVar("T")

_LOOK = 5.0
"""Seconds between looks at whether a loop that is waited for still turns."""
_CLOSED = "this client is closed; connect again"
_ENDED = "the client was closed before the job had ended; connect again"


class ClientLoop:
    """The event loop of a client and the thread it runs in. Made inside of it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_here(self) -> bool:
        """Whether the caller is in its thread, so that to wait for it would be for ever."""
        return threading.get_ident() == self._thread

    @property
    def has_ended(self) -> bool:
        """Whether nothing runs there any more."""
        return self.loop.is_closed()

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have a coroutine made and run there, soon.

        Raises:
            ClientClosed: The loop has ended.
        """

        def start() -> None:
            # the loop itself holds tasks weakly
            task = self.loop.create_task(work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self.call_soon(start)

    def call_soon(self, function: Callable[..., Any], *args: Any) -> None:
        """Have a function called there.

        Raises:
            ClientClosed: The loop has ended.
        """
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            raise ClientClosed(_CLOSED) from None

    def stands_still(self, within: float) -> bool:
        """Whether a Qiskit job that is waited for in its own thread holds it up.

        Qiskit's primitives run in threads, so one that is waited for in the loop waits
        for a loop that waits for it.

        Args:
            within: Seconds that the loop has for a sign of life.
        """
        alive = threading.Event()
        try:
            self.call_soon(alive.set)
        except ClientClosed:
            return False
        if alive.wait(within):
            return False
        frame: FrameType | None = sys._current_frames().get(self._thread)
        while frame is not None:
            if frame.f_code is PrimitiveJob.result.__code__:
                return True
            frame = frame.f_back
        return False


class Running(Generic[T]):
    """A coroutine at work in a client's loop: waited for in threads, awaited in loops."""

    def __init__(
        self, home: ClientLoop, work: Callable[[], Coroutine[Any, Any, T]]
    ) -> None:
        self._home = home
        self._work = work
        self._future: Future[T] = Future()
        # so that who gives up waiting cannot cancel it for all
        self._future.set_running_or_notify_cancel()
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False
        home.begin(self._carry)

    async def _carry(self) -> None:
        self._task = asyncio.current_task()
        if self._cancelled:
            self._future.set_exception(_cancelled())
            return
        try:
            value = await self._work()
        except asyncio.CancelledError:
            ended = ClientClosed(_ENDED)
            self._future.set_exception(_cancelled() if self._cancelled else ended)
            raise
        except Exception as error:
            self._future.set_exception(error)
        else:
            self._future.set_result(value)

    # --- asked from any thread -------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether it has ended, whichever way."""
        return self._future.done()

    @property
    def error(self) -> BaseException | None:
        """Why it has no value; None if it has one, and while it runs."""
        return self._future.exception() if self._future.done() else None

    def cancel(self) -> None:
        """End it; it raises `JobCancelled` then."""
        if self.done:
            return
        self._cancelled = True
        self._home.call_soon(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end in a thread that is not the loop's.

        Args:
            timeout: Seconds; None waits as long as it takes.

        Returns:
            Whether it has ended.

        Raises:
            ConfigurationError: It would wait for itself.
        """
        if self.done:
            return True
        if self._home.is_here:
            raise ConfigurationError(
                "to wait here would stop the event loop that the job runs in; write "
                "`await job`"
            )
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if until is None else max(until - time.monotonic(), 0.0)
            look = _LOOK if left is None else min(left, _LOOK)
            if wait([self._future], look).done or left == 0.0:
                return self.done
            self._check_loop(look)

    def _check_loop(self, within: float) -> None:
        """Raise if nothing will ever come of it."""
        if self._home.stands_still(within) and not self.done:
            raise ConfigurationError(
                "the event loop that this job runs in is held up by a Qiskit job that is "
                "waited for in it; write `await asyncio.to_thread(job.result)`"
            )
        self._end_with_loop()

    def value(self) -> T:
        """What it came to, when it has ended."""
        error = self._future.exception()
        if error is None:
            return self._future.result()
        raise fresh(error) if isinstance(error, Error) else error

    async def awaited(self) -> T:
        """Wait for its end in any event loop; who gives up waiting leaves it alone."""
        while not self.done:
            waiting = asyncio.wrap_future(self._future)
            try:
                await asyncio.wait([waiting], timeout=_LOOK)
            finally:
                waiting.cancel()
            self._end_with_loop()
        return self.value()

    def _end_with_loop(self) -> None:
        if self._home.has_ended and not self.done:
            # of several who wait, another one may have said it
            with contextlib.suppress(InvalidStateError):
                self._future.set_exception(ClientClosed(_ENDED))


def _cancelled() -> JobCancelled:
    return JobCancelled("it was cancelled")
