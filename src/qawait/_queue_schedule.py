"""Which job of a queue is asked about next, and when: pure, time is an argument.

Every question shall bring news with the same probability. A job believed to run is
asked about when the chance that it has ended since it was last known alive reaches
1 / `questions_per_job`, so that each job costs as many questions on average, whatever
its service time is like: without memory, this is as early as can be for that price;
with regular service times, news comes early almost for free. Which jobs run, and since
when, is learned in `QueueModel`. A few questions watch the jobs behind them; where the
order turns out to say nothing, all jobs are asked about by their ages, in a round.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Generic, TypeVar

from qawait._queue_agenda import Agenda
from qawait._queue_forecast import Pace, forecast, pace_of
from qawait._queue_gate import Gate
from qawait._queue_line import Line, Place
from qawait._queue_model import QueueModel
from qawait._queue_watch import Watch
from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Hashable
    from random import Random

__all__ = ["QueueSchedule"]

K = TypeVar("K", bound="Hashable")

_QUESTIONS_UNORDERED = 8.0
"""Questions per job where no order is known: news is late by a share of all the time
in the queue there, so that more of them are worth it."""
_SAVED = 0.9995
"""What an answer leaves of the questions saved before it."""
_MOST_SAVED = 100.0
_SURE = 0.9
"""From this chance on, the next job is asked about before the answer is there."""
_MANY_MISSES = 3.3
"""A job is asked about ever less after this times the usual number of questions."""
_SHORTEST = 0.01
"""The shortest time between two questions about one job, in seconds."""


class QueueSchedule(Generic[K]):
    """The questions about the jobs of one service and target.

    Times are seconds on the caller's clock, which never goes back.
    """

    def __init__(
        self,
        random: Random,
        *,
        questions_per_job: float = 2.45,
        max_staleness: float | None = None,
        polls_per_second: float | None = None,
    ) -> None:
        """Begin without jobs and without knowledge.

        Args:
            random: Varies the times, so that many clients do not march in step.
            questions_per_job: What a job may cost on average, in a queue with an
                order; above 1. More questions bring earlier news.
            max_staleness: The longest time in seconds between two questions about a
                job that may be running; None leaves it to `questions_per_job`. Jobs
                behind those cannot have ended, as long as the queue keeps its order.
            polls_per_second: The most questions per second; None for no cap.

        Raises:
            ConfigurationError: A number cannot be right.
        """
        if not 1 < questions_per_job < math.inf:
            raise ConfigurationError("questions_per_job is a number above 1")
        wishes = {"max_staleness": max_staleness, "polls_per_second": polls_per_second}
        for name, wish in wishes.items():
            if wish is not None and not 0 < wish < math.inf:
                raise ConfigurationError(f"{name} is a number above 0, or None")
        self._random = random
        self._questions_per_job = questions_per_job
        self._hazard = -math.log1p(-1 / questions_per_job)
        self._hazard_unordered = -math.log1p(-1 / _QUESTIONS_UNORDERED)
        self._max_staleness = max_staleness or math.inf
        self._model = QueueModel(random)
        self._pace: tuple[int, Pace] | None = None
        self._now = -math.inf
        self._places: dict[K, Place] = {}
        self._line = Line()
        # those believed to run, and the last of them in order
        self._front: dict[int, Place] = {}
        self._frontier: Place | None = None
        self._eager = 0
        self._front_believed = (self._model.believed, 0.0)
        self._left_early: list[int] = []
        # whether all are asked about by age, and what was known then
        self._round = False
        self._round_power = 1.0
        self._round_answers = 0
        self._agenda = Agenda()
        # whoever wants no stale news wants to know of another order soon, too
        self._watch = Watch(random, 0.02 if max_staleness is None else 0.1)
        # questions not needed so far by jobs that brought news early
        self._saved = 0.0
        self._gate = Gate(random, polls_per_second)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, job: K) -> bool:
        return job in self._places

    # --- jobs ------------------------------------------------------------------------

    def add(
        self, job: K, now: float, *, size: float = 1.0, at_once: bool = False
    ) -> None:
        """Follow a job, behind those already followed.

        Args:
            job: Names it.
            now: When it was submitted.
            size: Its work relative to other jobs, if known; above 0.
            at_once: Whether it is asked about at once, for nothing is known of it.
        """
        self.discard(job)
        self._now = max(self._now, now)
        if not self._line:
            self._watch.begin(now)
        place = self._places[job] = self._line.append(job, now, size)
        place.urgent = at_once
        self._extend_front()
        if at_once or self._round:
            self._put(place)

    def discard(self, job: K) -> None:
        """Stop following a job; unknown jobs are ignored."""
        place = self._places.pop(job, None)
        if place is None:
            return
        if place.asked:
            self._answered(place)
        if not place.ended:
            self._leave(place, self._now)
        place.turn = -1

    def eta(self, job: K, now: float) -> tuple[float, float, float] | None:
        """When a job ends: the 10th, 50th and 90th percent of what is possible.

        None for unknown jobs, for those that have ended and before any job has.
        """
        place = self._places.get(job)
        model = self._model
        if place is None or place.ended or not model.learned:
            return None
        if self._pace is None or self._pace[0] != self._line.left:
            self._pace = (self._line.left, pace_of(model))
        return forecast(
            model,
            place,
            now,
            head_alive=self._line.head_alive,
            jobs=len(self._line),
            pace=self._pace[1],
        )

    # --- questions -------------------------------------------------------------------

    def due(self, now: float, *, earliest: float = -math.inf) -> K | None:
        """The job to ask about now; it is not due again until `observed`.

        Args:
            now: The present.
            earliest: When the rate limit next allows a question.
        """
        self._now = max(self._now, now)
        if now < max(earliest, self._gate.opens_at):
            return None
        place = self._next_watched(now) or self._next_due(now)
        if place is None:
            return None
        place.asked = True
        place.asked_at = now
        place.turn = -1
        self._gate.asked(now)
        self._watch.count()
        if place.in_front and self._model.learned:
            # where many have ended unseen, answers are not waited for one by one
            place.eager = self._model.chance(place, now, self._line.head_alive) > _SURE
            self._eager += place.eager
            self._extend_front()
        return place.job

    def next_wakeup(self, *, earliest: float = -math.inf) -> float | None:
        """When the next job is due; None if that takes an answer or a new job.

        Args:
            earliest: When the rate limit next allows a question.
        """
        wakeup = self._agenda.earliest()
        if self._is_deep():
            wakeup = min(wakeup, self._watch.due_at)
        wakeup = max(wakeup, earliest, self._gate.opens_at)
        return None if wakeup == math.inf else wakeup

    def _is_deep(self) -> bool:
        return bool(self._frontier and self._frontier.next)

    def _next_watched(self, now: float) -> Place | None:
        """Now and then a job deep in the queue, to notice another order."""
        if not self._is_deep():
            return None
        if not self._watch.take(now, len(self._line), settled=self._model.settled):
            return None
        for _ in range(6):
            place = self._line.draw(self._random)
            if place.is_free and not place.in_front:
                return place
        return None

    def _next_due(self, now: float) -> Place | None:
        while (place := self._agenda.take(now)) is not None:
            if not (place.failures or place.ended or place.urgent):
                # what has been learned since may make it later
                when = self._time_of(place)
                if when > now:
                    self._agenda.put(place, self._varied(when))
                    continue
            return place
        return None

    # --- answers ---------------------------------------------------------------------

    def observed(
        self,
        job: K,
        now: float,
        *,
        ended: bool = False,
        running: bool | None = None,
        queue_position: int | None = None,
        started: float | None = None,
        finished: float | None = None,
        failed: bool = False,
        answered: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Take in the answer to a question.

        Args:
            job: The job that was asked about; unknown ones are ignored.
            now: The time of the answer.
            ended: Whether the job has ended. It is still followed until `discard`, and
                asked about again after a further `observed`.
            running: Whether it is on a server; None if the service does not say.
            queue_position: Jobs ahead of it, if the service says.
            started: When it started, on the caller's clock, if the service says.
            finished: When it ended, likewise.
            failed: Whether no usable answer came; nothing else is then looked at but
                the two below.
            answered: Whether the failure is this job's alone: the service itself has
                answered, and is not away.
            retry_after: Seconds the service asked to wait: no job is asked about
                before.
        """
        self._now = max(self._now, now)
        place = self._places.get(job)
        if place is None:
            return
        # an answer may have been long under way; it tells how things stood before
        seen_at = now
        if place.asked:
            seen_at = place.asked_at
            self._answered(place)
        if failed:
            place.failures += 1
            wait = self._gate.failed(
                now, place.failures, retry_after, answered=answered
            )
            self._agenda.put(place, now + wait)
            return
        self._gate.answered()
        place.failures = 0
        place.urgent = False
        if place.ended:
            self._agenda.put(place, self._varied(now + 1.0))
            return
        if started is not None:
            place.started = min(max(started, place.submitted), now)
        if running:
            place.running_at = min(place.running_at, seen_at)
        saved = _SAVED * self._saved + self._questions_per_job * ended - 1
        self._saved = min(max(saved, -10 * _MOST_SAVED), _MOST_SAVED)
        self._model.learn(
            place,
            seen_at,
            self._line.head_alive,
            ended=ended,
            running=None if ended else running,
        )
        if ended:
            at = self._model.end_of(place, seen_at, self._line.head_alive)
            if finished is not None:
                at = min(max(finished, place.alive), now)
            self._model.ended(at)
            self._leave(place, at)
        else:
            place.alive = seen_at
            place.misses += 1
            if place.ahead:
                moved = place.ahead - (queue_position or 0)
                self._model.moved_up(moved, seen_at - place.waiting_at)
            place.waiting_at = seen_at
            place.ahead = queue_position or 0 if place.in_front else 0
        self._follow_beliefs()
        if not ended:
            if running and not place.in_front:
                self._take_to_front(place)
            else:
                self._put(place)

    def _answered(self, place: Place) -> None:
        place.asked = False
        self._gate.settled()
        if place.eager:
            place.eager = False
            self._eager -= 1

    def _put(self, place: Place) -> None:
        self._agenda.put(place, self._varied(self._time_of(place)))

    def _varied(self, when: float) -> float:
        return when + 0.05 * self._random.random() * max(when - self._now, 0.0)

    def _time_of(self, place: Place) -> float:
        """When a job is due, as is now believed; infinity: not yet to be known."""
        if place.urgent:
            return place.alive
        wait = math.inf
        if place.in_front:
            wait = self._wait_in_front(place)
        if self._round:
            hazard = self._hazard_unordered / max(self._model.disorder, 0.1)
            when = self._model.time_without_order(place, hazard)
            wait = min(wait, when - place.alive, self._max_staleness)
        return place.alive + max(wait, _SHORTEST)

    def _wait_in_front(self, place: Place) -> float:
        model = self._model
        if not model.learned:
            # nothing is known: ages grow by half from question to question
            wait = 0.5 * (place.alive - place.submitted + 1.0)
            return min(wait, self._max_staleness)
        # what was saved is spent, and debts are paid, a few hundred questions at a time
        balance = 0.003 * max(self._saved, -_MOST_SAVED)
        hazard = self._hazard * math.exp(-balance) / max(1 - model.disorder, 0.1)
        head_alive = self._line.head_alive
        start = model.start_of(place, model.believed, head_alive)
        wait = model.time_of(place, hazard, head_alive) - place.alive
        if place.ahead and model.position_time:
            wait = min(wait, 0.7 * place.ahead * model.position_time)
        elif (more := place.misses - _MANY_MISSES * self._questions_per_job) > 0:
            growth = 1.25 ** min(more, 20.0)
            wait = max(wait, min(growth * wait, 0.5 * (place.alive - start)))
        # until it starts there is nothing to be late with
        return min(wait, max(start - place.alive, 0.0) + self._max_staleness)

    # --- the front: those believed to run --------------------------------------------

    def _extend_front(self) -> None:
        wanted = (self._model.believed.servers or 1) + self._eager
        while len(self._front) < wanted:
            last = self._frontier
            place = self._line.head if last is None else last.next
            if place is None:
                return
            self._frontier = place
            while self._left_early and self._left_early[0] < place.index:
                heapq.heappop(self._left_early)
                self._model.skipped()
            if not place.in_front:
                self._take_to_front(place)

    def _take_to_front(self, place: Place) -> None:
        place.in_front = True
        place.misses = 0
        self._front[place.index] = place
        if place.is_free:
            self._put(place)

    def _leave(self, place: Place, at: float) -> None:
        """Take a job out of the queue: it ended, or is no longer followed."""
        if self._frontier is place:
            self._frontier = place.previous
        self._line.remove(place)
        place.ended = True
        if place.in_front:
            place.in_front = False
            del self._front[place.index]
            self._model.freed(at)
        else:
            heapq.heappush(self._left_early, place.index)
        self._extend_front()
        head = self._line.head
        self._model.forget(self._line.added if head is None else head.index)

    def _follow_beliefs(self) -> None:
        """Ask as is now believed, if that differs from before."""
        model = self._model
        before, log_scale = self._front_believed
        believed = model.believed
        if believed is not before or abs(believed.log_scale - log_scale) > 0.1:
            self._front_believed = (believed, believed.log_scale)
            self._begin_front()
        if not self._round:
            if model.disorder > 0.1:
                self._begin_round()
        elif model.disorder < 0.05:
            self._round = False
        else:
            self._round_answers += 1
            changed = abs(math.log(model.age_power / self._round_power)) > 0.2
            if changed and self._round_answers > len(self._line) / 20:
                self._begin_round()

    def _begin_front(self) -> None:
        before, self._front = self._front, {}
        self._frontier = None
        for place in before.values():
            place.in_front = False
        for place in before.values():
            if place.running_at < math.inf:
                self._take_to_front(place)
        self._extend_front()
        for place in before.values():
            if place.is_free and not place.in_front:
                self._put(place)

    def _begin_round(self) -> None:
        """Ask about all jobs by age, for the order says nothing."""
        spread = 0.0 if self._round else 0.3
        self._round = True
        self._round_power = self._model.age_power
        self._round_answers = 0
        for place in self._line:
            if place.is_free:
                # most may be overdue by now, and are not all asked about at once
                age = max(self._now - place.submitted, 0.0)
                begin = self._now + spread * age * self._random.random()
                when = self._varied(self._time_of(place))
                self._agenda.put(place, max(when, begin))
