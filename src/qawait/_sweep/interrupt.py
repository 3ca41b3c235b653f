"""Ctrl-C while a sweep runs: the first one drains it, the second one leaves it."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Interrupts"]


class Interrupts:
    """Takes Ctrl-C for as long as a sweep is open, and gives it back.

    Only in the main thread, and only where Ctrl-C is not ignored; elsewhere, as in a
    notebook's kernel, it stays what it was.

    Args:
        drain: Called, in the event loop, at the first one.
        leave: Called likewise at the second; the program's own handler follows.
    """

    def __init__(self, drain: Callable[[], None], leave: Callable[[], None]) -> None:
        self.count = 0
        self._drain = drain
        self._leave = leave
        self._before: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def install(self) -> None:
        """Take it."""
        before = signal.getsignal(signal.SIGINT)
        if (
            threading.current_thread() is not threading.main_thread()
            or not callable(before)
            or isinstance(getattr(before, "__self__", None), Interrupts)
        ):
            return
        self._before = before
        self._loop = asyncio.get_running_loop()
        signal.signal(signal.SIGINT, self._interrupted)

    def remove(self) -> None:
        """Give it back."""
        if self._before is None:
            return
        # who took it after us keeps it
        if signal.getsignal(signal.SIGINT) == self._interrupted:
            signal.signal(signal.SIGINT, self._before)
        self._before = None

    def _interrupted(self, number: int, frame: Any) -> None:
        self.count += 1
        assert self._loop is not None
        if self.count == 1:
            # the signal may come in the middle of anything: no more than this here
            self._loop.call_soon_threadsafe(self._drain)
            return
        if self.count == 2:
            self._loop.call_soon_threadsafe(self._leave)
        self._before(number, frame)
