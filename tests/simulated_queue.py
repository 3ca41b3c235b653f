"""Simulated queues of a service, and what a way of asking costs there.

What happens to the jobs does not depend on who asks: it is drawn first (`run_queue`);
`follow` then asks about them in virtual time. Nothing waits: hours of queue pass in
milliseconds, the same way each time for the same seed.
"""

from __future__ import annotations

import heapq
import itertools
import math
from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


class Scenario(Struct, frozen=True, kw_only=True):
    """A queue and how its service answers. All times in seconds."""

    name: str
    jobs: int = 2000
    servers: int = 1
    """How many jobs run at once."""
    service_time: float = 2.0
    """The mean time on a server."""
    cv: float = 0.5
    """Standard deviation of the service time over its mean; 1 is exponential."""
    heavy_tail: bool = False
    """Pareto-distributed service times with exponent 1.5 (infinite variance)."""
    random_order: bool = False
    """Whether a freed server takes any waiting job instead of the oldest."""
    together: int = 1
    """So many jobs run as one and end at the same time."""
    strangers: float = 0.0
    """Jobs of others for each of ours, in clumps of up to ten."""
    waves: int = 1
    """The jobs come in so many equal parts, each when half of the last has run."""
    outage: tuple[float, float] | None = None
    """From when to when no question is answered."""
    units_per_window: int | None = None
    """IQM's limit, wire reference: 2,000 units in 10 s, of which a read takes 10."""
    tells_running: bool = False
    tells_position: bool = False
    tells_times: bool = False

    def in_outage(self, now: float) -> bool:
        return self.outage is not None and self.outage[0] <= now < self.outage[1]

    def knowable_at(self, ended: float) -> float:
        """The first time at which a question about an end can be answered."""
        if self.outage is not None and self.in_outage(ended):
            return self.outage[1]
        return ended


class Fate(Struct, frozen=True):
    """What happens to one of our jobs."""

    submitted: float
    started: float
    ended: float


def draw_service_time(scenario: Scenario, random: Random) -> float:
    mean, cv = scenario.service_time, scenario.cv
    if scenario.heavy_tail:
        return mean / 3 * (1 - random.random()) ** (-1 / 1.5)
    if cv == 1:
        return random.expovariate(1 / mean)
    variance = math.log(1 + cv * cv)
    return random.lognormvariate(math.log(mean) - variance / 2, math.sqrt(variance))


class History(Struct, frozen=True):
    """What happened in a queue."""

    fates: list[Fate]
    """Of our jobs, in order of submission."""
    starts: list[float]
    """When a job started, ours or a stranger's; ascending."""


def run_queue(scenario: Scenario, random: Random) -> History:
    """Draw what happens in a queue."""
    s = scenario
    part = math.ceil(s.jobs / s.waves)
    pause = part / 2 * s.service_time / s.servers
    # None stands for a stranger's job
    waiting: deque[tuple[float, int | None]] = deque()
    clump = 0
    for number in range(s.jobs):
        if clump <= 0 and s.strangers:
            clump = random.randint(1, 10)
            others = round(clump * s.strangers * 2 * random.random())
            waiting.extend([(number // part * pause, None)] * others)
        clump -= 1
        waiting.append((number // part * pause, number))
    found: dict[int, Fate] = {}
    starts: list[float] = []
    free = [0.0] * s.servers
    while waiting:
        at = heapq.heappop(free)
        at = max(at, waiting[0][0])
        length = draw_service_time(s, random)
        for _ in range(min(s.together, len(waiting))):
            if s.random_order:
                waiting.rotate(-random.randrange(len(waiting)))
            submitted, number = waiting.popleft()
            starts.append(at)
            if number is not None:
                found[number] = Fate(submitted, at, at + length)
        heapq.heappush(free, at + length)
    return History([found[number] for number in range(s.jobs)], starts)


class Strategy(Protocol):
    """What `follow` needs of a schedule."""

    def add(self, job: int, now: float) -> None: ...
    def due(self, now: float, *, earliest: float = ...) -> int | None: ...
    def observed(self, job: int, now: float, **said: Any) -> None: ...
    def discard(self, job: int) -> None: ...
    def next_wakeup(self, *, earliest: float = ...) -> float | None: ...


class Outcome(Struct):
    """What following the jobs has cost and brought."""

    jobs: int
    questions: int
    delay: float
    """Mean time, in seconds, from a job's end to the answer that told it; from the end
    of an outage for what ended in it."""
    worst_delay: float = 0.0
    limit_used: float = 0.0
    """Share of the limit that was used, from the first end to the last; 0 without."""
    refused: int = 0
    """Answers of 429."""

    @property
    def questions_per_job(self) -> float:
        return self.questions / self.jobs


class Limit:
    """Reads in a rolling window, as a careful client counts them before it asks."""

    def __init__(self, reads: int, window: float) -> None:
        self._reads = reads
        self._window = window
        self._taken: deque[float] = deque(maxlen=reads)
        self.times: list[float] = []

    def take(self, now: float, reads: int = 1) -> None:
        for _ in range(reads):
            at = max(now, self.earliest())
            self._taken.append(at)
            self.times.append(at)

    def earliest(self) -> float:
        if len(self._taken) < self._reads:
            return 0.0
        return self._taken[0] + self._window + 1e-6


def follow(
    strategy: Strategy,
    scenario: Scenario,
    history: History,
    *,
    latency: float = 0.0,
    workers: int = 8,
    one_call: bool = False,
) -> Outcome:
    """Ask until every end is known.

    Args:
        strategy: Says which question comes when.
        scenario: How the service answers.
        history: What happens there, from `run_queue`.
        latency: From a question to its answer; the answer tells how the job stands
            halfway.
        workers: The most questions under way.
        one_call: Whether the answer brings the result, so that no second read is due.
    """
    s = scenario
    what_happens = history.fates
    limit = None if s.units_per_window is None else Limit(s.units_per_window // 10, 10)
    coming = deque(sorted((f.submitted, n) for n, f in enumerate(what_happens)))
    under_way: list[tuple[float, int, bool, bool]] = []
    questions, delays = 0, [0.0] * len(what_happens)
    left, now = len(what_happens), 0.0
    while left:
        while coming and coming[0][0] <= now:
            strategy.add(coming.popleft()[1], now)
        while under_way and under_way[0][0] <= now:
            _, job, ended, failed = heapq.heappop(under_way)
            strategy.observed(
                job,
                now,
                failed=failed,
                ended=ended,
                **({} if failed else _told(s, what_happens[job], now, history.starts)),
            )
            if ended:
                delays[job] = now - s.knowable_at(what_happens[job].ended)
                strategy.discard(job)
                left -= 1
        if not left:
            break
        earliest = 0.0 if limit is None else limit.earliest()
        while len(under_way) < workers and earliest <= now:
            job = strategy.due(now, earliest=earliest)
            if job is None:
                break
            questions += 1
            seen_at = now + latency / 2
            failed = s.in_outage(seen_at)
            ended = not failed and what_happens[job].ended <= seen_at
            heapq.heappush(under_way, (now + latency, job, ended, failed))
            if limit is not None:
                limit.take(now, 2 if ended and not one_call else 1)
                earliest = limit.earliest()
        moments = [under_way[0][0]] if under_way else []
        if coming:
            moments.append(coming[0][0])
        if len(under_way) < workers:
            wakeup = strategy.next_wakeup(earliest=earliest)
            if wakeup is not None:
                moments.append(max(wakeup, earliest))
        if not moments:
            raise RuntimeError(f"{left} jobs are left and nothing is due")
        now = max(now, min(moments))
    return Outcome(
        len(delays),
        questions,
        sum(delays) / len(delays),
        max(delays),
        0.0 if limit is None else _share_used(limit, s, what_happens),
    )


def _told(s: Scenario, fate: Fate, now: float, starts: Sequence[float]) -> Any:
    told: dict[str, Any] = {}
    if s.tells_running:
        told["running"] = fate.started <= now
    if s.tells_position and fate.started > now:
        ahead = bisect_left(starts, fate.started) - bisect_left(starts, now)
        told["queue_position"] = max(ahead, 0)
    if s.tells_times:
        if fate.started <= now:
            told["started"] = fate.started
        if fate.ended <= now:
            told["finished"] = fate.ended
    return told


def _share_used(limit: Limit, s: Scenario, what_happens: Sequence[Fate]) -> float:
    """Reads from the first end to the last answer, as a share of those allowed."""
    assert s.units_per_window is not None
    first = min(f.ended for f in what_happens)
    reads = [at for at in limit.times if at >= first]
    span = max(reads[-1] - first, 10.0)
    return len(reads) / (s.units_per_window / 10 * (span / 10 + 1))


# --- rivals ------------------------------------------------------------------------


class Rival(Struct, frozen=True):
    """Asks about each job at ages that depend on nothing else."""

    kind: str
    parameter: float

    def first_at(self, age: float, phase: float) -> tuple[int, float]:
        """The first question at `age` or later: its number, from 1, and its age."""
        if self.kind == "fixed":
            number = max(1, math.ceil(age / self.parameter - phase))
            return number, (number + phase) * self.parameter
        # from half a second on, each age is `growth` times the one before
        growth, at = self.parameter, 0.5 * self.parameter**phase
        if self.kind == "age-proportional":
            ratio = max(age / at, 1.0)
            number = max(0, math.ceil(math.log(ratio) / math.log(growth) - 1e-9))
            return number + 1, at * growth**number
        # intervals that grow up to 20 s, as many clients have it
        number, interval = 1, 0.5
        while at < age and interval < 20.0:
            interval = min(interval * growth, 20.0)
            at += interval
            number += 1
        more = max(0, math.ceil((age - at) / 20.0))
        return number + more, at + more * 20.0


def rivals() -> dict[str, list[Rival]]:
    """Every rival over its parameter, eager ones first."""
    fixed = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0]
    growths = [1.01, 1.02, 1.05, 1.1, 1.15, 1.25, 1.4, 1.6, 2.0, 2.5, 3.5, 5.0, 8.0]
    return {
        "fixed": [Rival("fixed", p) for p in fixed],
        "backoff": [Rival("backoff", p) for p in growths],
        "age-proportional": [Rival("age-proportional", p) for p in growths],
    }


def follow_as(
    rival: Rival, scenario: Scenario, history: History, random: Random
) -> Outcome:
    """What a rival's questions cost: they depend on nothing, so they are counted."""
    questions, delays = 0, []
    for fate in history.fates:
        phase = random.random()
        number, age = rival.first_at(fate.ended - fate.submitted, phase)
        if scenario.in_outage(fate.submitted + age):
            back = scenario.knowable_at(fate.submitted + age)
            number, age = rival.first_at(back - fate.submitted, phase)
        questions += number
        delays.append(fate.submitted + age - scenario.knowable_at(fate.ended))
    return Outcome(len(delays), questions, sum(delays) / len(delays), max(delays))


def questions_at(curve: Sequence[Outcome], delay: float) -> float:
    """Questions per job that a rival needs for a delay, between its parameters.

    Straight lines between the logarithms; beyond the ends of the curve, the end.
    """
    points = sorted((max(o.delay, 1e-9), o.questions_per_job) for o in curve)
    if delay <= points[0][0]:
        return points[0][1]
    for (d1, q1), (d2, q2) in itertools.pairwise(points):
        if delay <= d2:
            share = math.log(delay / d1) / math.log(d2 / d1) if d2 > d1 else 0.0
            return math.exp(math.log(q1) * (1 - share) + math.log(q2) * share)
    return points[-1][1]
