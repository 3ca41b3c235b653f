"""How long a task of an event loop is kept from running. Standard library only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PERIOD = 0.001
"""Seconds that the task sleeps between two beats."""


class Heartbeat:
    """A task that does nothing but sleep, and how late it was at worst.

    Two numbers, both in seconds from beat to beat: `longest`, and `longest_own`, from
    which the time is taken off in which the thread could have run but the system had no
    processor for it. Others that use the machine are in the first and not the second.
    """

    def __init__(self) -> None:
        self.beats = 0
        self.longest = 0.0
        self.longest_own = 0.0
        self._statistics = Path(
            f"/proc/self/task/{threading.get_native_id()}/schedstat"
        )

    async def beat(self) -> None:
        descriptor = None
        if self._statistics.exists():
            descriptor = os.open(self._statistics, os.O_RDONLY)
        try:
            last, waited = time.perf_counter(), _waited(descriptor)
            while True:
                await asyncio.sleep(PERIOD)
                now, waiting = time.perf_counter(), _waited(descriptor)
                gap = now - last
                self.beats += 1
                self.longest = max(self.longest, gap)
                self.longest_own = max(self.longest_own, gap - (waiting - waited))
                last, waited = now, waiting
        finally:
            if descriptor is not None:
                os.close(descriptor)


def _waited(descriptor: int | None) -> float:
    """Seconds that the thread has waited for a processor so far."""
    if descriptor is None:
        return 0.0
    return int(os.pread(descriptor, 128, 0).split()[1]) / 1e9


@contextlib.asynccontextmanager
async def heartbeat() -> AsyncIterator[Heartbeat]:
    """A heart that beats while the block runs, in this thread's event loop."""
    heart = Heartbeat()
    task = asyncio.create_task(heart.beat())
    try:
        yield heart
        # The last gap counts as well: let it beat once more.
        await asyncio.sleep(2 * PERIOD)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def at_rest(report: dict[str, Any], seconds: float = 0.5) -> None:
    """Report the gaps of the loop while nothing happens in it."""
    async with heartbeat() as heart:
        await asyncio.sleep(seconds)
    report["rest_gap"], report["rest_own_gap"] = heart.longest, heart.longest_own


def told(report: dict[str, Any], heart: Heartbeat) -> None:
    """Report the gaps of the loop at work."""
    report["beats"] = heart.beats
    report["gap"], report["own_gap"] = heart.longest, heart.longest_own
