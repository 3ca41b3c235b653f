"""When a sweep will end: pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from qawait._clock import utc_now
from qawait.model import Eta

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["end_of_sweep"]

_SPREAD = 0.3
"""How far the rate of the past may be off for what was not sent yet."""


def end_of_sweep(
    under_way: Sequence[Eta | None],
    left: int,
    seconds_per_circuit: float | None,
    now: datetime | None = None,
) -> Eta | None:
    """When the last point is expected; None while nothing tells.

    Args:
        under_way: When each job is expected to end; None for one of which nothing tells.
        left: Circuits that were not sent yet.
        seconds_per_circuit: What each took so far, at the rate of the whole sweep.
        now: The time (aware); None asks the clock.
    """
    known = [eta for eta in under_way if eta is not None]
    if len(known) < len(under_way) or (left and seconds_per_circuit is None):
        return None
    now = utc_now() if now is None else now
    rest = left * (seconds_per_circuit or 0.0)
    return Eta(
        *(
            max([now, *ends]) + timedelta(seconds=rest * share)
            for ends, share in (
                ([eta.earliest for eta in known], 1 - _SPREAD),
                ([eta.likely for eta in known], 1.0),
                ([eta.latest for eta in known], 1 + _SPREAD),
            )
        )
    )
