"""What no caller, clock or service may do to the schedule."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from qawait._pace import Pace
from qawait._queue_line import Place
from qawait._queue_model import QueueModel
from qawait._queue_schedule import QueueSchedule

JOBS = st.integers(0, 12)
ODD = st.sampled_from([None, 0.0, -5.0, 0.3, 40.0, 1e12, math.inf, math.nan])


class AnyCaller(RuleBasedStateMachine):
    """Calls in any order, with a clock that stops, jumps and goes back a little."""

    @initialize(
        seed=st.integers(0, 99),
        staleness=st.sampled_from([None, 0.5, 30.0]),
        polls=st.sampled_from([None, 2.0]),
    )
    def begin(self, seed: int, staleness: float | None, polls: float | None):
        self.now = self.latest = 100.0
        self.spacing = 0.0 if polls is None else 1 / polls
        self.asked_last = -math.inf
        self.followed: set[int] = set()
        self.under_way: set[int] = set()
        self.ended: set[int] = set()
        self.s = QueueSchedule[int](
            Random(seed), Pace(max_staleness=staleness, polls_per_second=polls)
        )

    @rule(step=st.sampled_from([-0.2, 0.0, 0.01, 0.7, 5.0, 90.0, 7200.0]))
    def time_passes(self, step: float):
        self.now += step
        self.latest = max(self.latest, self.now)

    @rule(job=JOBS, ago=st.sampled_from([0.0, 3.0, 9e4]), at_once=st.booleans())
    def add(self, job: int, ago: float, at_once: bool):
        self.s.add(job, self.now - ago, at_once=at_once)
        self.followed.add(job)
        self.under_way.discard(job)
        self.ended.discard(job)

    @rule(job=JOBS)
    def discard(self, job: int):
        self.s.discard(job)
        for jobs in (self.followed, self.under_way, self.ended):
            jobs.discard(job)

    @rule(earliest=st.sampled_from([-math.inf, 0.0, 3.0]))
    def ask(self, earliest: float):
        allowed = self.latest + earliest
        job = self.s.due(self.now, earliest=allowed)
        if job is None:
            return
        assert allowed <= self.latest
        assert job in self.followed
        assert job not in self.under_way
        assert self.latest >= self.asked_last + self.spacing - 1e-9
        self.asked_last = self.latest
        self.under_way.add(job)

    @rule(
        job=JOBS,
        ended=st.booleans(),
        running=st.sampled_from([None, True, False]),
        position=st.sampled_from([None, 0, 3, 10**9]),
        started=ODD,
        finished=ODD,
    )
    def hear(
        self,
        job: int,
        ended: bool,
        running: bool | None,
        position: int | None,
        started: float | None,
        finished: float | None,
    ):
        """An answer, asked for or not; what it says need not make sense."""
        self.s.observed(
            job,
            self.now,
            ended=ended,
            running=running,
            queue_position=position,
            started=started,
            finished=finished,
        )
        self.under_way.discard(job)
        if ended and job in self.followed:
            self.ended.add(job)

    @rule(job=JOBS, answered=st.booleans(), retry_after=ODD)
    def fail(self, job: int, answered: bool, retry_after: float | None):
        self.s.observed(
            job, self.now, failed=True, answered=answered, retry_after=retry_after
        )
        self.under_way.discard(job)

    @invariant()
    def forecasts_are_in_order(self):
        for eta in (self.s.eta(3, self.now), self.s.eta_of_all(range(13), self.now)):
            if eta is not None:
                assert not any(math.isnan(at) for at in eta)
                assert eta[0] <= eta[1] <= eta[2]

    @invariant()
    def the_schedule_knows_who_is_followed(self):
        assert len(self.s) == len(self.followed)
        assert all(job in self.s for job in self.followed)

    @precondition(lambda self: self.followed - self.ended)
    @rule()
    def everyone_is_asked_about_in_the_end(self):
        """Answers come and nothing ends; an hour is the longest wait asked for."""
        for job in list(self.under_way):
            self.s.observed(job, self.latest)
        self.under_way.clear()
        missing = self.followed - self.ended
        now = self.latest
        for _ in range(6000):
            if not missing:
                break
            wakeup = self.s.next_wakeup()
            assert wakeup is not None
            now = max(now, wakeup)
            job = self.s.due(now)
            if job is not None:
                missing.discard(job)
                self.asked_last = now
                self.s.observed(job, now, ended=job in self.ended)
        assert not missing
        self.now = self.latest = now


TestAnyCaller = AnyCaller.TestCase
TestAnyCaller.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True
)


@pytest.mark.parametrize("retry_after", [1e12, math.inf])
def test_no_service_silences_the_client_for_more_than_an_hour(retry_after: float):
    s = QueueSchedule[int](Random(1))
    s.add(7, 0.0, at_once=True)
    assert s.due(0.0) == 7
    s.observed(7, 0.0, failed=True, retry_after=retry_after)
    wakeup = s.next_wakeup()
    assert wakeup is not None
    assert 3600.0 <= wakeup <= 3960.0


@pytest.mark.parametrize("retry_after", [math.nan, -5.0])
def test_a_wait_that_means_nothing_is_none(retry_after: float):
    s = QueueSchedule[int](Random(1))
    s.add(7, 0.0, at_once=True)
    assert s.due(10.0) == 7
    s.observed(7, 10.0, failed=True, retry_after=retry_after)
    assert s.next_wakeup() == 10.0
    assert s.due(10.0) == 7


def test_after_a_suspend_questions_come_bit_by_bit():
    """A hundred jobs are overdue when the machine wakes; so many clients may wake."""
    s = QueueSchedule[int](Random(1))
    for job in range(100):
        s.add(job, 0.0, at_once=True)
    assert s.due(0.0) is not None
    woken = 8 * 3600.0
    first = s.due(woken)
    assert first is not None
    assert s.due(woken) is None
    s.observed(first, woken + 0.1)
    assert [s.due(woken + 0.1) is None for _ in range(3)] == [False, False, True]


def test_a_long_wait_with_nothing_due_is_no_suspend():
    s = QueueSchedule[int](Random(1))
    s.add(1, 0.0, at_once=True)
    assert s.due(0.0) == 1
    s.observed(1, 0.0, ended=True)
    s.discard(1)
    for job in range(10):
        s.add(job, 9000.0, at_once=True)
    assert sum(s.due(9000.0) is not None for _ in range(10)) == 10


def test_a_clock_that_goes_back_stands_still():
    s = QueueSchedule[int](Random(1))
    s.add(7, 100.0, at_once=True)
    assert s.due(100.0) == 7
    s.observed(7, 99.0)
    wakeup = s.next_wakeup()
    assert wakeup is not None
    assert wakeup > 100.0
    assert s.due(98.0) is None
    assert s.due(200.0) == 7
    s.observed(7, 150.0, failed=True, retry_after=20.0)
    wakeup = s.next_wakeup()
    assert wakeup is not None
    assert wakeup >= 220.0


def test_jobs_seen_in_progress_before_the_first_end_count():
    """One of thirty had ended: without an order, so would one of thirty others."""
    model = QueueModel(Random(1))
    for number in range(31):
        place = Place(number, number, 0.0, 0.0)
        model.learn(place, 100.0, 0.0, ended=number == 30)
    assert 0.005 < model.believed_unordered.hazard(100.0) < 0.1


def test_a_job_submitted_long_ago_is_asked_about_at_once_and_then_by_its_age():
    s = QueueSchedule[int](Random(1))
    s.add(7, now=-5000.0, at_once=True)
    assert s.due(0.0) == 7
    s.observed(7, 0.0)
    wakeup = s.next_wakeup()
    assert wakeup is not None
    assert 19.0 <= wakeup <= 21.0, "its age says: in an hour; nobody waits so long"
