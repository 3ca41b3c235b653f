"""When a job is to be asked about, as is now believed: pure, time is an argument.

Every question shall bring news with the same probability. A job believed to run is
asked about when the chance that it has ended since it was last known alive reaches
1 / `questions_per_job`, so that each job costs as many questions on average, whatever
its service time is like: without memory, this is as early as can be for that price;
with regular service times, news comes early almost for free.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from qawait._pace import Pace
    from qawait._queue_line import Line, Place
    from qawait._queue_model import QueueModel

__all__ = ["Timing"]

_QUESTIONS_UNORDERED = 8.0
"""Questions per job where no order is known: news is late by a share of all the time
in the queue there, so that more of them are worth it."""
_MOST_SAVED = 100.0
_MANY_MISSES = 3.3
"""A job is asked about ever less after this times the usual number of questions."""
_SHORTEST = 0.01
"""The shortest time between two questions about one job, in seconds."""
_JITTER = 0.05
_HEARTBEAT = 20.0
"""A queue gets a question in so many seconds, however long its jobs take: little for
the service, and much for a user who waits for one long job."""
_SHARE_OF_CAP = 0.5
"""So much of `polls_per_second` may keep `max_staleness` for jobs that are believed to
wait, if that is less than what may anyway."""
_MORE_JOBS = 1.25
"""By this factor more jobs may come until it is given up again."""


class Timing:
    """How long each job may go unasked, from what was learned and what is wished."""

    def __init__(
        self,
        random: Random,
        model: QueueModel,
        line: Line,
        pace: Pace,
        *,
        spare: float,
    ) -> None:
        questions_per_job, max_staleness = pace.questions_per_job, pace.max_staleness
        self._random = random
        self._model = model
        self._line = line
        self._first = max(pace.first, 0.001)
        self._shortest = min(_SHORTEST, self._first / 2)
        self._questions_per_job = questions_per_job
        self._hazard = -math.log1p(-1 / questions_per_job)
        self._hazard_unordered = -math.log1p(
            -1 / max(questions_per_job, _QUESTIONS_UNORDERED)
        )
        # times vary upwards by a share, and staleness is kept nonetheless
        self.staleness = (max_staleness or math.inf) / (1 + _JITTER)
        spare = min(spare, _SHARE_OF_CAP * (pace.polls_per_second or math.inf))
        self._few = 0.0 if max_staleness is None else spare * max_staleness
        self.keeps_all = self._few >= 1
        """Whether staleness is kept for all jobs, whatever is believed of them."""
        self._saved = 0.0

    def spent(self, *, ended: bool) -> None:
        """Note a question and its answer: what was saved is spent, debts are paid."""
        saved = self._saved + self._questions_per_job * ended - 1
        self._saved = min(max(saved, -10 * _MOST_SAVED), _MOST_SAVED)

    def count_jobs(self) -> bool:
        """Note that jobs came or left; whether staleness is now kept for all."""
        jobs, before = len(self._line), self.keeps_all
        self.keeps_all = jobs <= self._few * (_MORE_JOBS if before else 1)
        return self.keeps_all and not before

    def varied(self, when: float, now: float) -> float:
        """A little later, so that many clients do not march in step."""
        return when + _JITTER * self._random.random() * max(when - now, 0.0)

    def time_of(self, place: Place, *, by_age: bool) -> float:
        """When a job is due; infinity: not yet to be known.

        Args:
            place: The job.
            by_age: Whether all jobs are asked about by their ages.
        """
        if place.urgent:
            return place.alive
        wait = math.inf
        if place.in_front:
            wait = self._wait_in_front(place)
        if by_age:
            hazard = self._hazard_unordered / max(self._model.disorder, 0.1)
            when = self._model.time_without_order(place, hazard)
            wait = min(wait, when - place.alive, self._staleness_by_age())
        if self.keeps_all:
            wait = min(wait, self.staleness)
        return place.alive + max(wait, self._shortest)

    def _staleness_by_age(self) -> float:
        """Where no order says who runs: what is kept for all without asking too much."""
        if self.staleness == math.inf:
            return math.inf
        return self.staleness * max(len(self._line) / self._few, 1.0)

    def _wait_in_front(self, place: Place) -> float:
        model, alive = self._model, place.alive
        heartbeat = _HEARTBEAT * len(self._line)
        if not model.learned:
            # nothing is known: ages grow by half from question to question
            wait = 0.5 * (alive - place.submitted) + self._first
            return min(wait, heartbeat, self.staleness)
        # what was saved is spent, and debts are paid, a few hundred questions at a time
        balance = 0.002 * max(self._saved, -_MOST_SAVED)
        hazard = self._hazard * math.exp(-balance) / max(1 - model.disorder, 0.1)
        head_alive = self._line.head_alive
        start = model.start_of(place, model.believed, head_alive)
        wait = model.time_of(place, hazard, start) - alive
        if place.ahead and model.position_time:
            wait = min(wait, 0.7 * place.ahead * model.position_time)
        elif (more := place.misses - _MANY_MISSES * self._questions_per_job) > 0:
            growth = 1.25 ** min(more, 20.0)
            wait = max(wait, min(growth * wait, 0.5 * (alive - start)))
        wait = min(wait, max(start - alive, 0.0) + heartbeat)
        # it cannot have ended before those ahead of it let it start
        return min(wait, max(place.blocked_until - alive, 0.0) + self.staleness)
