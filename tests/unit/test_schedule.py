from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qawait._schedule import Pace, Schedule, backoff
from qawait.errors import ConfigurationError

STEADY = Pace(first=1.0, growth=2.0, longest=8.0, jitter=0.0)


def schedule(pace: Pace = STEADY) -> Schedule[str]:
    return Schedule(pace, Random(1))


def test_a_job_is_first_due_after_the_first_interval():
    s = schedule()
    s.add("a", now=10.0)
    assert s.next_wakeup() == 11.0
    assert s.due(10.9) is None
    assert s.due(11.0) == "a"


def test_intervals_grow_up_to_the_longest():
    s = schedule()
    s.add("a", now=0.0)
    now, gaps = 0.0, []
    for _ in range(6):
        wakeup = s.next_wakeup()
        assert wakeup is not None
        gaps.append(wakeup - now)
        now = wakeup
        assert s.due(now) == "a"
        s.observed("a", now)
    assert gaps == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_a_change_of_state_brings_the_first_interval_back():
    s = schedule()
    s.add("a", now=0.0)
    for now in (1.0, 3.0):
        assert s.due(now) == "a"
        s.observed("a", now)
    assert s.due(7.0) == "a"
    s.observed("a", 7.0, changed=True)
    assert s.next_wakeup() == 8.0


def test_a_job_under_question_is_not_due_twice():
    s = schedule()
    s.add("a", now=0.0)
    assert s.due(5.0) == "a"
    assert s.due(5.0) is None
    assert s.next_wakeup() is None


def test_the_job_waiting_longest_comes_first():
    s = schedule()
    s.add("late", now=2.0)
    s.add("early", now=1.0)
    assert [s.due(9.0), s.due(9.0), s.due(9.0)] == ["early", "late", None]


def test_a_wait_asked_for_by_the_service_is_never_shortened():
    s = schedule()
    s.add("a", now=0.0)
    assert s.due(1.0) == "a"
    s.observed("a", 1.0, failed=True, retry_after=30.0)
    wakeup = s.next_wakeup()
    assert wakeup is not None
    assert wakeup >= 31.0


def test_failures_back_off_and_an_answer_forgives_them():
    s = schedule(Pace(first=0.1, growth=1.0, longest=5.0, jitter=0.0))
    s.add("a", now=0.0)
    now = 0.0
    waits = []
    for _ in range(20):
        now = s.next_wakeup() or now
        assert s.due(now) == "a"
        s.observed("a", now, failed=True)
        waits.append((s.next_wakeup() or 0.0) - now)
    assert max(waits) > 5.0, "seed 1"
    assert max(waits) <= 30.0
    now = s.next_wakeup() or now
    assert s.due(now) == "a"
    s.observed("a", now)
    assert (s.next_wakeup() or 0.0) - now == pytest.approx(0.1)


def test_a_discarded_job_is_never_due_again():
    s = schedule()
    s.add("a", now=0.0)
    s.discard("a")
    s.discard("never added")
    assert s.due(99.0) is None
    assert s.next_wakeup() is None
    s.observed("a", 99.0)
    assert len(s) == 0


def test_a_job_added_again_is_due_once():
    s = schedule()
    s.add("a", now=0.0)
    s.add("a", now=5.0)
    assert s.due(4.0) is None
    assert s.due(6.0) == "a"
    assert s.due(6.0) is None


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_backoff_stays_between_nothing_and_its_cap(attempt: int, seed: int):
    wait = backoff(attempt, Random(seed))
    assert 0 <= wait <= min(30.0, 0.5 * 2.0 ** (attempt - 1))


def test_jitter_varies_by_its_share_and_no_more():
    s = schedule(Pace(first=10.0, growth=1.0, longest=10.0, jitter=0.2))
    for n in range(200):
        s.add(str(n), now=0.0)
    whens = []
    while (wakeup := s.next_wakeup()) is not None:
        whens.append(wakeup)
        assert s.due(wakeup) is not None
    assert 8.0 <= min(whens) < 8.5, "seed 1"
    assert 11.5 < max(whens) <= 12.0, "seed 1"


@pytest.mark.parametrize(
    "wrong",
    [{"first": -1.0}, {"first": 30.0}, {"growth": 0.5}, {"jitter": 1.0}],
    ids=str,
)
def test_a_pace_that_cannot_be_right_is_refused(wrong: dict[str, float]):
    with pytest.raises(ConfigurationError):
        Pace(**wrong)
