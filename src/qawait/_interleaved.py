"""Short functions in the event loop, with pauses between them for everything else."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AT_A_TIME", "Interleaved"]

T = TypeVar("T")

AT_A_TIME = 0.002
"""Seconds of work in one turn of the event loop."""


class Interleaved:
    """Calls functions that are too short for a thread, in the order in which they come.

    However many come at once, the event loop stands still for about `AT_A_TIME`, or for
    one function that takes longer, before others get their turn.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[asyncio.Future[Any], Callable[[], Any]]] = deque()
        self._until: float | None = None
        """The end of the work in this turn of the loop; None before it has begun."""

    async def run(self, function: Callable[[], T]) -> T:
        """What the function gives or raises; called at once if there is time for it."""
        loop = asyncio.get_running_loop()
        if self._has_time(loop):
            return function()
        outcome: asyncio.Future[T] = loop.create_future()
        self._waiting.append((outcome, function))
        return await outcome

    def _has_time(self, loop: asyncio.AbstractEventLoop) -> bool:
        if self._until is None:
            self._begin(loop)
            return True
        return loop.time() < self._until

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._until = loop.time() + AT_A_TIME
        # comes after everything that is ready now
        loop.call_soon(self._go_on, loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        self._until = None
        if not self._waiting:
            return
        self._begin(loop)
        while self._waiting:
            outcome, function = self._waiting.popleft()
            if not outcome.done():
                _settle(outcome, function)
            if not self._has_time(loop):
                return


def _settle(outcome: asyncio.Future[T], function: Callable[[], T]) -> None:
    try:
        outcome.set_result(function())
    except Exception as error:
        outcome.set_exception(error)
