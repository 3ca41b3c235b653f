"""When a job will end, with how sure one can be of it: pure, time is an argument."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait._queue_model import RECENT

if TYPE_CHECKING:
    from qawait._queue_line import Place
    from qawait._queue_model import Explanation, QueueModel

__all__ = ["Pace", "forecast", "pace_of"]

_TENTH = 1.2816
"""Standard deviations from the median of a normal distribution to its 90th percent."""


class Pace(Struct, frozen=True):
    """How fast a queue moves."""

    gap: float
    """Mean time from one end to the next, in seconds."""
    variance: float
    """What each further end adds to the variance of when it comes."""
    ends: int
    """How many ends this is learned from."""


def pace_of(model: QueueModel) -> Pace:
    """How fast the queue moved lately.

    The variance is taken from sums over several gaps, for servers that take turns
    are more regular together than one gap shows, and strangers' jobs less.
    """
    believed = model.believed
    servers = believed.servers or 1
    ends = model.recent[-RECENT:]
    if len(ends) < 12:
        gap = believed.mean() / servers
        return Pace(gap, gap * gap, max(len(ends), 1))
    gap = (ends[-1] - ends[0]) / (len(ends) - 1)
    size = max(1, min(4 * servers, len(ends) // 8))
    times = ends[(len(ends) - 1) % size :: size]
    sums = [b - a for a, b in itertools.pairwise(times)]
    mean = sum(sums) / len(sums)
    variance = sum((s - mean) ** 2 for s in sums) / max(len(sums) - 1, 1)
    return Pace(gap, variance / size, len(ends))


def forecast(
    model: QueueModel,
    place: Place,
    now: float,
    *,
    head_alive: float,
    jobs: int,
    pace: Pace,
) -> tuple[float, float, float]:
    """When a job ends: the 10th, 50th and 90th percent of what is thought possible.

    Args:
        model: What was learned; at least one end is known.
        place: The job.
        now: The present.
        head_alive: When the oldest job was last known not to have ended.
        jobs: How many jobs are in progress.
        pace: From `pace_of`.
    """
    if model.disorder > 0.5 and place.started is None:
        # any of those left may be the next, so that each end is as likely
        left = now + jobs * pace.gap - place.alive
        return (
            place.alive + 0.1 * left,
            place.alive + 0.5 * left,
            place.alive + 0.9 * left,
        )
    believed = model.believed
    needed = model.ends_before_start(place, believed.servers or 1)
    start = model.start_of(place, believed, head_alive)
    if needed <= 0 or place.started is not None:
        return _on_server(believed, place, start, model.correction)
    latest = max(model.ends[-1], head_alive) if model.ends else now
    start = max(start if place.ahead else latest + needed * pace.gap, place.submitted)
    low, median, high = (place.size * believed.age_at(h) for h in _HAZARDS)
    # the ends to come vary, and so does what is known of their mean
    variance = pace.variance * needed * (1 + needed / pace.ends)
    spread = _TENTH * math.sqrt(variance) * (1 + 2 / pace.ends)
    return (
        max(start + median - math.hypot(spread, median - low), place.alive),
        start + median,
        start + median + math.hypot(spread, high - median),
    )


def _on_server(
    law: Explanation, place: Place, start: float, correction: float
) -> tuple[float, float, float]:
    past = law.hazard((place.alive - start) / place.size)
    low, median, high = (
        start + place.size * law.age_at(past + h / correction) for h in _HAZARDS
    )
    return low, median, high


_HAZARDS = tuple(-math.log1p(-share) for share in (0.1, 0.5, 0.9))
