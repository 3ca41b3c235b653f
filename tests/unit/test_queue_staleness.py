"""How late news may be where a user says so: every run has its seed."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tests.simulated_queue import Outcome, Scenario, follow, run_queue

from qawait._pace import Pace
from qawait._queue_schedule import QueueSchedule


def run(scenario: Scenario, seed: int, **wishes: Any) -> Outcome:
    history = run_queue(scenario, Random(seed))
    return follow(QueueSchedule(Random(seed), Pace(**wishes)), scenario, history)


@pytest.mark.parametrize(
    "how",
    [
        {"cv": 1.0},
        {"cv": 1.0, "random_order": True},
        {"heavy_tail": True, "random_order": True, "servers": 4},
        {"servers": 8},
        {"servers": 40, "service_time": 100.0},
    ],
    ids=str,
)
def test_no_news_of_few_jobs_is_later_than_wished_whatever_the_order(
    how: dict[str, Any],
):
    """Forty jobs are few for 10 s: 4 questions a second keep all of them."""
    scenario = Scenario(**{"name": "few", "jobs": 40, **how})
    for seed in range(5):
        assert run(scenario, seed, max_staleness=10.0).worst_delay <= 10.0


@pytest.mark.parametrize("servers", [1, 4])
@pytest.mark.parametrize("cv", [0.5, 1.0])
def test_news_of_many_jobs_in_order_is_no_later_than_wished(servers: int, cv: float):
    """As soon as the servers are counted; before, a few jobs may be later."""
    scenario = Scenario(name="many", jobs=600, servers=servers, cv=cv)
    for seed in range(3):
        history = run_queue(scenario, Random(seed))
        s = Delays(Random(seed), Pace(max_staleness=1.0))
        s.ends = [fate.ended for fate in history.fates]
        s.late = {}
        follow(s, scenario, history)
        settled = [late for job, late in s.late.items() if job >= 150]
        assert sum(late > 1.0 + 1e-9 for late in settled) <= 0.02 * len(settled)


class Delays(QueueSchedule[int]):
    """Writes down how late each end was known."""

    ends: list[float]
    late: dict[int, float]

    def observed(self, job: int, now: float, **said: Any) -> None:
        if said.get("ended"):
            self.late[job] = now - self.ends[job]
        super().observed(job, now, **said)


def test_many_jobs_are_not_all_asked_about_for_the_sake_of_staleness():
    """A thousand jobs every half second would be 2,000 questions a second."""
    scenario = Scenario(name="many", jobs=1000, cv=0.5)
    outcome = run(scenario, 1, max_staleness=0.5)
    assert outcome.questions_per_job < 8


def test_a_cap_on_questions_comes_before_staleness():
    scenario = Scenario(name="capped", jobs=40, cv=0.5)
    history = run_queue(scenario, Random(1))
    s = QueueSchedule[int](Random(1), Pace(max_staleness=1.0, polls_per_second=1.0))
    outcome = follow(s, scenario, history)
    assert outcome.questions <= history.fates[-1].ended + outcome.worst_delay + 1


def test_jobs_that_have_become_few_are_kept_too():
    """Ten seconds are kept for fifty jobs; of a hundred, half are gone by then."""
    s = QueueSchedule[int](Random(1), Pace(max_staleness=10.0))
    for job in range(100):
        s.add(job, 0.0)
    for job in range(55):
        s.discard(job)
    asked: dict[int, float] = {}
    now = 0.0
    while (wakeup := s.next_wakeup()) is not None and wakeup <= 10.0:
        now = max(now, wakeup)
        job = s.due(now)
        if job is not None:
            asked.setdefault(job, now)
            s.observed(job, now)
    assert set(asked) == set(range(55, 100))
