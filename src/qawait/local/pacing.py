"""How long jobs take on a machine, and the clock by which they do."""

from __future__ import annotations

import math
import time
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["JumpingClock", "MachineClock", "ServiceTimes", "SteadyClock"]


class ServiceTimes:
    """Draws the service times of jobs: log-normal, the same ones for the same seed."""

    def __init__(self, mean: float, cv: float, seed: int | None) -> None:
        """Draws nothing yet.

        Args:
            mean: In seconds.
            cv: The standard deviation over the mean; 0 gives each job the mean.
            seed: None differs from run to run.
        """
        self._mean = mean
        self._random = Random(seed)
        self._sigma = math.sqrt(math.log1p(cv * cv))

    def draw(self) -> float:
        """The seconds that the next job takes."""
        if not self._sigma or not self._mean:
            return self._mean
        mu = math.log(self._mean) - self._sigma**2 / 2
        return self._random.lognormvariate(mu, self._sigma)


class MachineClock(Protocol):
    """The clock of the machines: it says when a job's time is over."""

    @property
    def waiting(self) -> int:
        """Jobs whose time is not over yet."""
        ...

    def time(self) -> float:
        """Seconds on a clock that only rises."""
        ...

    def moment(self, at: float) -> AbstractAsyncContextManager[None]:
        """Waits until that time; what the block does belongs to that moment."""
        ...


class SteadyClock:
    """The event loop's clock."""

    def __init__(self) -> None:
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Jobs whose time is not over yet."""
        return self._waiting

    def time(self) -> float:
        """Seconds, by the event loop."""
        return anyio.current_time()

    @asynccontextmanager
    async def moment(self, at: float) -> AsyncGenerator[None]:
        """Waits until that time."""
        self._waiting += 1
        try:
            await anyio.sleep_until(at)
        finally:
            self._waiting -= 1
        yield


class _Alarm:
    __slots__ = ("at", "over")

    def __init__(self, at: float) -> None:
        self.at = at
        self.over = anyio.Event()
        """Set when all that belongs to the moment has happened."""


class JumpingClock:
    """A clock that can be moved on to the next moment somebody waits for.

    Between the jumps it goes on as the system's clocks do. `time` is the time of day.
    """

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()
        self._alarms: list[_Alarm] = []
        self._jumped = anyio.Event()

    @property
    def waiting(self) -> int:
        """Jobs whose time is not over yet."""
        return len(self._alarms)

    def time(self) -> float:
        """Seconds since 1970; they only rise."""
        return time.monotonic() + self._ahead

    @asynccontextmanager
    async def moment(self, at: float) -> AsyncGenerator[None]:
        """Waits until that time, which may come sooner than by the system's clock."""
        alarm = _Alarm(at)
        self._alarms.append(alarm)
        try:
            try:
                while (left := at - self.time()) > 0:
                    with anyio.move_on_after(left):
                        await self._jumped.wait()
            finally:
                self._alarms.remove(alarm)
            yield
        finally:
            alarm.over.set()

    async def jump(self, until: float = math.inf) -> bool:
        """Moves on to the next moment, and lets happen what belongs to it.

        Args:
            until: Goes no further than that; with no moment before it, just there.

        Returns:
            Whether there was a moment to move on to.
        """
        following = min((alarm.at for alarm in self._alarms), default=math.inf)
        if following > until or not self._alarms:
            if until < math.inf:
                self._ahead += max(until - self.time(), 0.0)
            return False
        self._ahead += max(following - self.time(), 0.0)
        now = self.time()
        due = [alarm for alarm in self._alarms if alarm.at <= now]
        self._jumped.set()
        self._jumped = anyio.Event()
        for alarm in due:
            await alarm.over.wait()
        return True
