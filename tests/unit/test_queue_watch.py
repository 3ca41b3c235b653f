"""The watch behind the front, by itself: every run has its seed."""

from __future__ import annotations

from random import Random

import pytest

from qawait._queue_watch import Watch


def far(jobs: int, until: float, *, settled: bool = False) -> list[float]:
    """When the watch looks far, from the first job on."""
    watch = Watch(Random(1), 0.0)
    watch.begin(0.0)
    times: list[float] = []
    while watch.due_at <= until:
        now = watch.due_at
        assert watch.is_far(now, jobs, settled=settled)
        assert not watch.is_far(now, jobs, settled=settled), "once at a time"
        times.append(now)
    return times


def test_far_looks_are_a_share_of_the_jobs_for_each_doubling_of_the_time():
    times = far(2000, 1023.0)
    for doubling in range(1, 10):
        since, until = 2.0**doubling - 1, 2.0 ** (doubling + 1) - 1
        assert 10 <= sum(since <= at < until for at in times) <= 24


def test_few_jobs_are_watched_by_three_looks_for_each_doubling():
    assert 20 <= len(far(100, 1023.0)) <= 40
    assert 2 <= len(far(5, 1023.0)) <= 10


def test_a_known_order_needs_a_third_of_the_watch():
    settled, unsettled = far(2000, 1023.0, settled=True), far(2000, 1023.0)
    assert 0.2 < len(settled) / len(unsettled) < 0.4


@pytest.mark.parametrize(("settled", "looks"), [(False, 20), (True, 6)])
def test_near_looks_are_a_share_of_the_questions(settled: bool, looks: int):
    watch = Watch(Random(1), 0.02)
    seen = 0
    for _ in range(1000):
        watch.count(settled=settled)
        seen += watch.is_near()
    assert abs(seen - looks) <= 1


def test_looks_that_were_not_taken_do_not_pile_up():
    watch = Watch(Random(1), 0.5)
    for _ in range(100):
        watch.count(settled=False)
    assert watch.due_at == float("-inf")
    assert sum(watch.is_near() for _ in range(100)) == 3


def test_an_empty_queue_is_not_watched():
    assert Watch(Random(1), 0.02).due_at == float("inf")
