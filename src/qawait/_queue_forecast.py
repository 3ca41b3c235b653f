"""When jobs will end, with how sure one can be of it: pure, time is an argument.

What is believed of the queue gives an interval. How wide it has to be is learned:
forecasts are made now and then for nobody, compared with what comes, and both ends are
moved until as many jobs end before and after as should.
"""

from __future__ import annotations

import itertools
import math
from random import Random
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait._queue_model import RECENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qawait._queue_line import Line, Place
    from qawait._queue_model import Explanation, QueueModel

__all__ = ["Forecaster"]

_SHARES = (0.1, 0.5, 0.9)
_TENTH = 1.2816
"""Standard deviations from the median of a normal distribution to its 90th percent."""
_PRACTISE_EVERY = 8
_IN_PRACTICE = 64
"""So many forecasts wait for their jobs at most."""
_STEP = 0.08
_SOONER, _LATER = 0.8, 1.6
"""Without order, the last job may end after so much of the time that is expected: what
is known of the others says little of the longest."""
_STAND_FOR_ALL = 64
_SHARE_NEAR = 0.5
_NEAR = 64
"""So much of the practice is with jobs at most so far from the oldest: they soon end."""
_NARROWEST, _WIDEST = 0.3, 8.0


class Flow(Struct, frozen=True):
    """How fast a queue moves."""

    gap: float
    """Mean time from one end to the next, in seconds."""
    variance: float
    """What each further end adds to the variance of when it comes."""
    ends: int
    """How many ends this is learned from."""


class _Reach(Struct):
    """How far an interval reaches to both sides, as a factor on what is believed."""

    down: float = 1.0
    up: float = 1.0

    def score(self, *, early: bool, late: bool) -> None:
        """Note whether a job ended before or after the interval; a tenth should."""
        down = self.down * math.exp(_STEP * (early - 0.1))
        up = self.up * math.exp(_STEP * (late - 0.1))
        self.down = min(max(down, _NARROWEST), _WIDEST)
        self.up = min(max(up, _NARROWEST), _WIDEST)


class Forecaster:
    """Forecasts for the jobs of a line, and what was learned of how good they are."""

    def __init__(self, random: Random, model: QueueModel, line: Line) -> None:
        # of its own, so that forecasts change nothing about the questions
        self._random = Random(random.getrandbits(64))
        self._model = model
        self._line = line
        self._flow: tuple[int, Flow] | None = None
        self._answers = 0
        self._reaches = [_Reach() for _ in range(3)]
        self._practice: dict[int, tuple[_Reach, float, float]] = {}

    def forecast(
        self, places: Sequence[Place], now: float
    ) -> tuple[float, float, float] | None:
        """When the last of them ends: the 10th, 50th and 90th percent.

        None without any, and before any job has ended.
        """
        if not places or not self._model.learned:
            return None
        low, median, high = self._believed(places, now)
        reach = self._reach_of(places)
        alive = max(place.alive for place in places)
        low = max(median - reach.down * (median - low), min(alive, median))
        return low, median, median + reach.up * (high - median)

    def practise(self, now: float) -> None:
        """Make a forecast now and then, to learn from what becomes of it."""
        self._answers += 1
        if self._answers % _PRACTISE_EVERY or not (self._line and self._model.learned):
            return
        place = self._line.draw(self._random)
        if self._random.random() < _SHARE_NEAR:
            place = self._line.head or place
            for _ in range(int(_NEAR ** self._random.random())):
                place = place.next or place
        tried = self._practice.get(place.index)
        if tried is not None:
            if now > tried[2]:
                # it has not ended, and is late already
                self._score(place.index, now)
            return
        if len(self._practice) >= _IN_PRACTICE:
            # whoever left without an end would stay for ever
            del self._practice[next(iter(self._practice))]
        found = self.forecast((place,), now)
        if found is not None:
            reach = self._reach_of((place,))
            self._practice[place.index] = (reach, found[0], found[2])

    def ended(self, place: Place, at: float) -> None:
        """Compare with what was forecast."""
        if place.index in self._practice:
            self._score(place.index, at)

    def _score(self, index: int, at: float) -> None:
        reach, low, high = self._practice.pop(index)
        reach.score(early=at < low, late=at > high)

    def _reach_of(self, places: Sequence[Place]) -> _Reach:
        """Intervals go wrong in different ways on a server, in the queue, without."""
        if self._model.disorder > 0.5:
            return self._reaches[2]
        return self._reaches[not all(place.in_front for place in places)]

    def _believed(
        self, places: Sequence[Place], now: float
    ) -> tuple[float, float, float]:
        model, line = self._model, self._line
        if model.disorder > 0.5 and any(place.started is None for place in places):
            return self._without_order(places, now)
        law = model.believed
        servers = law.servers or 1
        # those behind all others end last; the rest is over by then
        last = sorted(places, key=_index)[-servers:]
        needed = model.ends_before_start(last[-1], servers)
        starts = [self._start_of(place, law) for place in last]
        laws = [
            (start, place.size, law.hazard((place.alive - start) / place.size))
            for place, start in zip(last, starts, strict=True)
        ]
        low, median, high = (_last_end(law, laws, model.correction, p) for p in _SHARES)
        if needed <= 0 or last[-1].started is not None:
            return low, median, high
        # the ends to come vary, and so does what is known of their mean
        flow = self._flow_now()
        variance = flow.variance * needed * (1 + needed / flow.ends)
        spread = _TENTH * math.sqrt(variance) * (1 + 2 / flow.ends)
        return (
            max(median - math.hypot(spread, median - low), line.head_alive),
            median,
            median + math.hypot(spread, high - median),
        )

    def _start_of(self, place: Place, law: Explanation) -> float:
        model, head_alive = self._model, self._line.head_alive
        start = model.start_of(place, law, head_alive)
        needed = model.ends_before_start(place, law.servers or 1)
        if needed <= 0 or place.started is not None or place.ahead:
            return start
        latest = max(model.ends[-1], head_alive) if model.ends else head_alive
        return max(latest + needed * self._flow_now().gap, place.submitted)

    def _without_order(
        self, places: Sequence[Place], now: float
    ) -> tuple[float, float, float]:
        model, jobs = self._model, len(places)
        alive = max(place.alive for place in places)
        empty = now + len(self._line) * self._flow_now().gap
        if model.ages_only and jobs == 1:
            # any of those left may be the next, so that each end is as likely
            low, median, high = (alive + share * (empty - alive) for share in _SHARES)
            return low, median, high
        law = model.believed_unordered
        # a few stand for all where they are many
        some = places[:: 1 + jobs // _STAND_FOR_ALL]
        laws = [
            (p.submitted, p.size, law.hazard((p.alive - p.submitted) / p.size))
            for p in some
        ]
        shares = [share ** (len(some) / jobs) for share in _SHARES]
        low, median, high = (_last_end(law, laws, 1.0, share) for share in shares)
        if jobs == 1:
            return low, median, high
        # a queue in random order is empty at some time, and jobs that all run at once
        # have a tail; while they last, the two look alike
        last = now + jobs / (jobs + 1) * (empty - now)
        low = min(low, now + _SOONER * (last - now))
        high = max(now + _LATER * (high - now), last)
        between = math.sqrt(max(last - now, 0.0) * max(median - now, 0.0))
        return low, min(max(now + between, low), high), high

    def _flow_now(self) -> Flow:
        if self._flow is None or self._flow[0] != self._line.left:
            self._flow = (self._line.left, _flow_of(self._model))
        return self._flow[1]


def _flow_of(model: QueueModel) -> Flow:
    """How fast the queue moved lately.

    The variance is taken from sums over several gaps, for servers that take turns
    are more regular together than one gap shows, and strangers' jobs less.
    """
    believed = model.believed
    servers = believed.servers or 1
    ends = model.recent[-RECENT:]
    if len(ends) < 12:
        gap = believed.mean() / servers
        return Flow(gap, gap * gap, max(len(ends), 1))
    gap = (ends[-1] - ends[0]) / (len(ends) - 1)
    size = max(1, min(4 * servers, len(ends) // 8))
    times = ends[(len(ends) - 1) % size :: size]
    sums = [b - a for a, b in itertools.pairwise(times)]
    mean = sum(sums) / len(sums)
    variance = sum((s - mean) ** 2 for s in sums) / max(len(sums) - 1, 1)
    return Flow(gap, variance / size, len(ends))


def _last_end(
    law: Explanation,
    jobs: Sequence[tuple[float, float, float]],
    correction: float,
    share: float,
) -> float:
    """When all have ended with this probability, each by itself.

    Args:
        law: How long jobs take.
        jobs: When each starts, its size, and the hazard it has survived.
        correction: Factor on the hazard.
        share: The probability.
    """

    def end_of(job: tuple[float, float, float], share: float) -> float:
        start, size, past = job
        return start + size * law.age_at(past - math.log1p(-share) / correction)

    if len(jobs) == 1:
        return end_of(jobs[0], share)

    def chance(now: float) -> float:
        found = 1.0
        for start, size, past in jobs:
            grown = law.hazard((now - start) / size) - past
            found *= -math.expm1(-correction * max(grown, 0.0))
        return found

    # it is later than each alone, and earlier than if each had to be as sure as all
    low = max(end_of(job, share) for job in jobs)
    high = max(end_of(job, share ** (1 / len(jobs))) for job in jobs)
    return _where(chance, share, low, high)


def _where(
    rises: Callable[[float], float], value: float, low: float, high: float
) -> float:
    for _ in range(30):
        middle = (low + high) / 2
        if rises(middle) < value:
            low = middle
        else:
            high = middle
    return high


def _index(place: Place) -> int:
    return place.index
