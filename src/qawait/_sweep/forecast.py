"""When a sweep will end: pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from qawait._clock import utc_now
from qawait.model import Eta

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["end_of_sweep"]

_SPREAD = 0.3
"""How far the rate of the past may be off for what was not sent yet."""


def end_of_sweep(
    last: Eta | None,
    left: int,
    seconds_per_circuit: float | None,
    now: datetime | None = None,
) -> Eta | None:
    """When the last point is expected; None while nothing tells.

    Args:
        last: When the last job under way is expected to end; None if none is.
        left: Circuits that were not sent yet.
        seconds_per_circuit: What each took so far, at the rate of the whole sweep; None
            before any has ended.
        now: The time (aware); None asks the clock.
    """
    if left and seconds_per_circuit is None:
        return None
    now = utc_now() if now is None else now
    begin = Eta(now, now, now) if last is None else last
    rest = left * (seconds_per_circuit or 0.0)
    return Eta(
        max(begin.earliest, now) + timedelta(seconds=rest * (1 - _SPREAD)),
        max(begin.likely, now) + timedelta(seconds=rest),
        max(begin.latest, now) + timedelta(seconds=rest * (1 + _SPREAD)),
    )
