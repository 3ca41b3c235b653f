"""The time of day as this program takes it: the system's, or that of a virtual world.

What only measures how long something takes asks the event loop instead.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "clock_in_use", "epoch", "use_clock", "utc_now"]


class Clock(Protocol):
    """Tells the time of day."""

    def time(self) -> float:
        """Seconds since 1970, UTC."""
        ...


# A context variable, because every task and every thread of a virtual world inherits it
# while others in the same process go on by the system's clock.
_CLOCK: ContextVar[Clock | None] = ContextVar("the clock of qawait", default=None)


def use_clock(clock: Clock) -> None:
    """Tell the time by a clock, in this task and in all that it starts from now on."""
    _CLOCK.set(clock)


def clock_in_use() -> Clock | None:
    """The clock that was set here; None stands for the system's."""
    return _CLOCK.get()


def epoch() -> float:
    """Seconds since 1970."""
    clock = _CLOCK.get()
    return time.time() if clock is None else clock.time()


def utc_now() -> datetime:
    """This moment, aware, UTC."""
    return datetime.fromtimestamp(epoch(), UTC)
