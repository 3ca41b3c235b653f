"""Which job of a queue is asked about next, and when: pure, time is an argument.

The oldest jobs are the front: they are believed to run, and `Timing` says when each is
asked about. How many run, and since when, is learned in `QueueModel`. A few questions
watch the jobs behind them; where the order turns out to say nothing, all jobs are asked
about by their ages, in a round.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Generic, TypeVar

from qawait._pace import Pace
from qawait._queue_agenda import Agenda
from qawait._queue_forecast import Forecaster
from qawait._queue_front import Front
from qawait._queue_gate import Gate
from qawait._queue_line import Line, Place
from qawait._queue_model import QueueModel
from qawait._queue_timing import Timing
from qawait._queue_watch import Watch

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from random import Random

__all__ = ["QueueSchedule"]

K = TypeVar("K", bound="Hashable")

_SURE = 0.9
"""From this chance on, the next job is asked about before the answer is there."""
_NEAR = 12
"""How far behind the front the watch looks, mostly at the first few: too few servers
believed explain themselves by a heavy tail."""
_ASLEEP = 60.0
"""So many seconds without a call, and with much overdue: the machine was suspended."""


class QueueSchedule(Generic[K]):
    """The questions about the jobs of one service and target.

    Times are seconds on the caller's clock. If it goes back, it is taken to stand still.
    """

    def __init__(
        self,
        random: Random,
        pace: Pace = Pace(),
        *,
        spare: float = 5.0,
    ) -> None:
        """Begin without jobs and without knowledge.

        Args:
            random: Varies the times, so that many clients do not march in step.
            pace: What the user wishes. `max_staleness` is kept for all jobs while they
                are few (`spare` for each of its seconds, less if `polls_per_second` is
                small). With more it is kept for the jobs that run, as long as they run
                in the order of their submission on no more servers than have been
                recognised. From `first` on, ages at which a job is asked about grow by
                half while nothing is known of the queue.
            spare: So many questions per second may go to keeping `max_staleness` for
                jobs that are believed to wait; 5 are a quarter of IQM's limit.
        """
        self._random = random
        often = pace.max_staleness is not None
        self._model = QueueModel(random, pace.first, asked_often=often)
        self._line = Line()
        self._timing = Timing(random, self._model, self._line, pace, spare=spare)
        self._forecaster = Forecaster(random, self._model, self._line)
        self._now = -math.inf
        self._places: dict[K, Place] = {}
        # those believed to run, and the last of them in order
        self._front = Front()
        self._frontier: Place | None = None
        self._eager = 0
        # until when whoever freed the last server was known to hold it
        self._freed = -math.inf
        self._front_believed = (self._model.believed, 0.0)
        self._left_early: list[int] = []
        # whether all are asked about by age, and what was known then
        self._round = False
        self._round_power = 1.0
        self._round_answers = 0
        self._agenda = Agenda()
        # whoever wants no stale news wants to know of another order soon, too
        self._watch = Watch(random, 0.1 if often else 0.02)
        self._gate = Gate(random, pace.polls_per_second)

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
            self._watch.begin(self._now)
        place = self._places[job] = self._line.append(job, now, size)
        place.urgent = at_once
        self._count_jobs()
        self._extend_front()
        if at_once or self._round or self._timing.keeps_all:
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
        return self.eta_of_all((job,), now)

    def eta_of_all(
        self, jobs: Iterable[K], now: float
    ) -> tuple[float, float, float] | None:
        """When the last of these jobs ends: the 10th, 50th and 90th percent.

        Args:
            jobs: Those that are unknown or have ended are passed over.
            now: The present.

        Returns:
            Times on the caller's clock; None if no job is left, or none has ended yet.
        """
        found = (self._places.get(job) for job in jobs)
        places = [place for place in found if place is not None and not place.ended]
        return self._forecaster.forecast(places, max(self._now, now))

    # --- questions -------------------------------------------------------------------

    def due(self, now: float, *, earliest: float = -math.inf) -> K | None:
        """The job to ask about now; it is not due again until `observed`.

        Args:
            now: The present.
            earliest: When the rate limit next allows a question.
        """
        before, self._now = self._now, max(self._now, now)
        now = self._now
        if now > before + _ASLEEP and self._agenda.earliest() < now - _ASLEEP / 2:
            self._gate.slept()
        if now < max(earliest, self._gate.opens_at):
            return None
        place = self._next_watched(now) or self._next_due(now)
        if place is None:
            return None
        place.asked = True
        place.asked_at = now
        place.turn = -1
        self._gate.asked(now)
        self._watch.count(settled=self._model.settled)
        if place.in_front and self._model.learned:
            # where many have ended unseen, answers are not waited for one by one
            place.eager = self._model.chance(place, now, self._line.head_alive) > _SURE
            self._eager += place.eager
            self._freed = math.inf
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
        """Now and then a job behind the front, to notice another order."""
        if not self._is_deep():
            return None
        place = None
        if self._watch.is_far(now, len(self._line), settled=self._model.settled):
            place = self._line.draw(self._random)
        elif self._watch.is_near():
            if self._timing.staleness < math.inf and self._random.random() < 0.5:
                place = self._line.draw(self._random)
                return place if place.is_free and not place.in_front else None
            place = self._frontier
            for _ in range(int(_NEAR ** self._random.random())):
                place = place and place.next
        return place if place and place.is_free and not place.in_front else None

    def _next_due(self, now: float) -> Place | None:
        while (place := self._agenda.take(now)) is not None:
            if not (place.failures or place.ended or place.urgent):
                # what has been learned since may make it later
                when = self._time_of(place)
                if when > now:
                    self._agenda.put(place, self._timing.varied(when, now))
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
        now = self._now = max(self._now, now)
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
            self._agenda.put(place, self._timing.varied(now + 1.0, now))
            return
        if started is not None and math.isfinite(started):
            place.started = min(max(started, place.submitted), now)
        if running:
            place.running_at = min(place.running_at, seen_at)
        self._timing.spent(ended=ended)
        self._model.learn(
            place,
            seen_at,
            self._line.head_alive,
            ended=ended,
            running=None if ended else running,
        )
        if ended:
            at = self._model.end_of(place, seen_at, self._line.head_alive)
            if finished is not None and math.isfinite(finished):
                at = min(max(finished, place.alive), now)
            self._model.ended(at)
            self._forecaster.ended(place, at)
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
        self._forecaster.practise(now)
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
        when = self._timing.varied(self._time_of(place), self._now)
        self._agenda.put(place, when)

    def _time_of(self, place: Place) -> float:
        return self._timing.time_of(place, by_age=self._round)

    def _count_jobs(self) -> None:
        if self._timing.count_jobs():
            for place in self._line:
                if place.is_free:
                    self._put(place)

    # --- the front: those believed to run --------------------------------------------

    def _extend_front(self) -> None:
        wanted = (self._model.believed.servers or 1) + self._eager
        while len(self._front) < wanted:
            last = self._frontier
            place = self._line.head if last is None else last.next
            if place is None:
                break
            self._frontier = place
            while self._left_early and self._left_early[0] < place.index:
                heapq.heappop(self._left_early)
                self._model.skipped()
            if not place.in_front:
                self._take_to_front(place)
        self._freed = -math.inf

    def _take_to_front(self, place: Place) -> None:
        place.in_front = True
        place.misses = 0
        if self._timing.staleness < math.inf:
            place.blocked_until = min(self._freed, self._front.alive())
        self._front.add(place)
        if place.is_free:
            self._put(place)

    def _leave(self, place: Place, at: float) -> None:
        """Take a job out of the queue: it ended, or is no longer followed."""
        if self._frontier is place:
            self._frontier = place.previous
        self._line.remove(place)
        self._count_jobs()
        place.ended = True
        if place.in_front:
            place.in_front = False
            self._front.remove(place)
            self._model.freed(at)
            self._freed = max(place.alive, place.blocked_until)
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
            if self._age_power_changed() and self._round_answers > len(self._line) / 20:
                self._begin_round()

    def _begin_front(self) -> None:
        before, self._front = self._front, Front()
        self._frontier = None
        for place in before:
            place.in_front = False
        for place in before:
            if place.running_at < math.inf:
                self._take_to_front(place)
        self._extend_front()
        for place in before:
            if place.is_free and not place.in_front:
                self._put(place)

    def _age_power_changed(self) -> bool:
        return abs(math.log(self._model.age_power / self._round_power)) > 0.2

    def _begin_round(self) -> None:
        """Ask about all jobs by age, for the order says nothing."""
        spread = 0.0 if self._round else 0.3
        # where beliefs change to and fro, the times of the last round still hold
        still_holds = not (
            self._round or self._timing.keeps_all or self._age_power_changed()
        )
        self._round = True
        self._round_power = self._model.age_power
        self._round_answers = 0
        for place in self._line:
            if still_holds and place.turn >= 0 and not place.in_front:
                continue
            if place.is_free:
                # most may be overdue by now, and are not all asked about at once
                age = max(self._now - place.submitted, 0.0)
                begin = self._now + spread * age * self._random.random()
                when = self._timing.varied(self._time_of(place), self._now)
                self._agenda.put(place, max(when, begin))
