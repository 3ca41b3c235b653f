"""The schedule in simulated queues, in virtual time: every run has its seed."""

from __future__ import annotations

import math
import tracemalloc
from itertools import pairwise
from random import Random
from statistics import median
from typing import Any

import pytest
from tests.simulated_queue import (
    Fate,
    History,
    Outcome,
    Rival,
    Scenario,
    follow,
    follow_as,
    questions_at,
    rivals,
    run_queue,
)

from qawait._pace import Pace
from qawait._queue_agenda import Agenda
from qawait._queue_line import Place
from qawait._queue_schedule import QueueSchedule
from qawait.errors import ConfigurationError

Asked = list[tuple[int, float]]


def schedule(seed: int = 1, **wishes: Any) -> QueueSchedule[int]:
    return QueueSchedule(Random(seed), Pace(**wishes))


class Recorded(QueueSchedule[int]):
    """Writes down who was asked about when."""

    asked: Asked

    def due(self, now: float, *, earliest: float = -math.inf) -> int | None:
        job = super().due(now, earliest=earliest)
        if job is not None:
            self.asked.append((job, now))
        return job


def recorded(seed: int = 1, **wishes: Any) -> Recorded:
    found = Recorded(Random(seed), Pace(**wishes))
    found.asked = []
    return found


def fifo(**how: Any) -> Scenario:
    return Scenario(**{"name": str(how), "jobs": 1000, **how})


def possible(scenario: Scenario) -> float:
    """The mean delay demanded; 0.28 is the least at 2.5 questions, without memory."""
    s = scenario.service_time
    return max(s / scenario.servers, 1.3 * 0.28 * s)


def run(
    scenario: Scenario, seed: int = 1, *, latency: float = 0.0, **wishes: Any
) -> Outcome:
    history = run_queue(scenario, Random(seed))
    return follow(schedule(seed, **wishes), scenario, history, latency=latency)


def answer_until(s: QueueSchedule[int], until: float, **said: Any) -> list[float]:
    """Answer every question in the same way; when they came."""
    times: list[float] = []
    while True:
        now = s.next_wakeup()
        if now is None or now > until:
            return times
        now = max(now, times[-1] if times else 0.0)
        job = s.due(now)
        if job is not None:
            times.append(now)
            s.observed(job, now, **said)


# --- single questions ------------------------------------------------------------------


def test_before_anything_is_known_ages_grow_from_question_to_question():
    s = schedule()
    s.add(7, now=100.0)
    ages = [at - 100.0 for at in answer_until(s, 140.0)]
    assert 0.5 <= ages[0] <= 0.55
    assert all(1.4 < b / a < 2.6 for a, b in pairwise(ages))
    assert 7 <= len(ages) <= 11


def test_one_long_job_is_asked_about_every_twenty_seconds():
    """Ten minutes may be late by ten percent for a queue, and not for whoever waits."""
    s = schedule()
    s.add(7, now=0.0)
    times = answer_until(s, 3600.0)
    assert 19.0 < max(b - a for a, b in pairwise(times)) <= 21.0
    assert len(times) < 200


def test_one_long_job_after_short_ones_is_asked_about_every_twenty_seconds():
    s = schedule()
    now = 0.0
    for job in range(30):
        s.add(job, now)
        end = now + 100.0
        while job in s:
            now = max(now, s.next_wakeup() or 0.0)
            if s.due(now) is not None:
                s.observed(job, now, ended=now >= end)
                if now >= end:
                    s.discard(job)
    s.add(99, now)
    times = answer_until(s, now + 3600.0)
    assert max(b - a for a, b in pairwise([now, *times])) <= 21.0


@pytest.mark.parametrize(
    ("first", "ends", "latest"),
    [(0.01, 0.02, 0.03), (0.5, 0.05, 0.53), (0.5, 2.0, 2.6), (0.5, 600.0, 621.0)],
)
def test_one_job_on_an_unknown_service_is_soon_known(
    first: float, ends: float, latest: float
):
    s = schedule(first=first)
    s.add(7, now=0.0)
    known = next(at for at in answer_until(s, 1000.0) if at >= ends)
    assert ends <= known <= latest


def test_one_job_after_another_on_a_local_service_is_known_in_milliseconds():
    """A notebook: each job is submitted when the last has come; 20 to 30 ms each."""
    s = schedule(first=0.01, questions_per_job=8.0, max_staleness=0.5)
    random = Random(1)
    now, late, questions = 0.0, [], 0
    for job in range(40):
        s.add(job, now)
        end = now + random.uniform(0.02, 0.03)
        while job in s:
            now = max(now, s.next_wakeup() or 0.0)
            if s.due(now) is not None:
                questions += 1
                s.observed(job, now, ended=now >= end)
                if now >= end:
                    s.discard(job)
        late.append(now - end)
    assert max(late[5:]) < 0.012
    assert sum(late) / len(late) < 0.006
    assert questions < 40 * 8


def test_a_job_under_question_is_not_due_twice():
    s = schedule()
    s.add(7, now=0.0)
    assert s.due(5.0) == 7
    assert s.due(500.0) is None
    assert s.next_wakeup() is None


def test_a_discarded_job_is_never_due_again():
    s = schedule()
    s.add(7, now=0.0)
    s.add(8, now=0.0)
    s.add(9, now=0.0)
    assert {s.due(0.6), s.due(0.6)} == {7, None}
    s.discard(7)
    s.discard(8)
    s.discard(99)
    s.observed(7, 6.0)
    assert len(s) == 1
    assert 7 not in s
    assert {s.due(100.0), s.due(100.0)} == {9, None}


def test_a_job_added_again_goes_to_the_end():
    s = schedule()
    s.add(7, now=0.0)
    s.add(8, now=0.0)
    s.add(7, now=0.1)
    assert len(s) == 2
    assert {s.due(0.7), s.due(0.7)} == {8, None}


def test_an_ended_job_is_asked_about_again_only_after_a_further_observation():
    """Its result may fail to come: the poller then puts it back."""
    s = schedule()
    s.add(7, now=0.0)
    assert s.due(5.0) == 7
    s.observed(7, 5.0, ended=True)
    assert s.next_wakeup() is None
    assert 7 in s
    s.observed(7, 6.0, failed=True)
    assert s.next_wakeup() is not None
    assert s.due(60.0) == 7
    s.discard(7)
    assert s.next_wakeup() is None


def test_a_job_of_which_nothing_is_known_is_asked_about_at_once():
    s = schedule()
    for job in range(30):
        s.add(job, now=4.0, at_once=True)
    asked = {s.due(4.0) for _ in range(30)}
    assert asked == set(range(30))


def test_the_rate_limit_comes_before_everything():
    s = schedule()
    s.add(7, now=0.0)
    assert s.next_wakeup(earliest=77.0) == 77.0
    assert s.due(76.9, earliest=77.0) is None
    assert s.due(77.0, earliest=77.0) == 7


def test_a_wait_asked_for_by_the_service_holds_for_all_jobs():
    s = schedule()
    s.add(7, now=0.0)
    s.add(8, now=0.0, at_once=True)
    assert s.due(5.0) == 8
    s.observed(8, 5.0, failed=True, retry_after=30.0)
    assert s.due(34.9) is None
    wakeup = s.next_wakeup()
    assert wakeup is not None
    assert 35.0 <= wakeup <= 38.0


def test_while_the_service_is_away_one_question_at_a_time_finds_out():
    s = schedule()
    for job in range(20):
        s.add(job, now=0.0, at_once=True)
    asked = [s.due(0.0) for _ in range(5)]
    for job in asked:
        assert job is not None
        s.observed(job, 0.0, failed=True)
    probe = s.due(40.0)
    assert probe is not None
    assert s.due(40.0) is None
    assert s.next_wakeup() is None
    s.observed(probe, 41.0)
    first, second = s.due(80.0), s.due(80.0)
    assert None not in (first, second)
    assert s.due(80.0) is None, "each answer allows one more at once"


def test_failures_back_off():
    s = schedule()
    s.add(7, now=0.0)
    times = answer_until(s, 3600.0, failed=True)
    assert 100 < len(times) < 600
    assert max(b - a for a, b in pairwise(times)) > 15.0, "seed 1"
    assert max(b - a for a, b in pairwise(times)) <= 30.0


def test_polls_per_second_are_a_cap():
    s = schedule(polls_per_second=4.0)
    for job in range(300):
        s.add(job, now=0.0, at_once=True)
    times = answer_until(s, 20.0)
    assert len(times) > 60
    assert all(b - a >= 0.25 - 1e-9 for a, b in pairwise(times))


def test_the_times_differ_from_client_to_client_and_not_from_run_to_run():
    scenario = fifo(jobs=50)
    history = run_queue(scenario, Random(3))

    def times(seed: int) -> Asked:
        s = recorded(seed)
        follow(s, scenario, history)
        return s.asked

    assert times(1) == times(1)
    assert times(1) != times(2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"questions_per_job": 1.0},
        {"questions_per_job": math.nan},
        {"max_staleness": 0.0},
        {"max_staleness": math.inf},
        {"polls_per_second": -1.0},
    ],
    ids=str,
)
def test_wishes_that_cannot_be_right_are_refused(wrong: dict[str, float]):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        schedule(**wrong)


# --- queues with an order ----------------------------------------------------------------


@pytest.mark.parametrize("servers", [1, 2, 4, 8])
@pytest.mark.parametrize("cv", [0.1, 0.5, 1.0])
def test_news_is_early_for_two_and_a_half_questions_per_job(servers: int, cv: float):
    scenario = fifo(servers=servers, cv=cv, jobs=1500)
    # without memory there is least to spare, and one run says little
    outcomes = [run(scenario, seed) for seed in ((1, 2, 3) if cv == 1.0 else (2,))]
    assert median(o.questions_per_job for o in outcomes) <= 2.5
    assert median(o.delay for o in outcomes) <= possible(scenario)


@pytest.mark.parametrize("service_time", [0.05, 60.0, 600.0])
def test_the_scale_of_service_times_does_not_matter(service_time: float):
    scenario = fifo(service_time=service_time, servers=2, cv=0.5)
    outcome = run(scenario, seed=5)
    assert outcome.questions_per_job <= 2.6
    assert outcome.delay <= possible(scenario)


def test_regular_service_times_bring_news_almost_at_once():
    outcome = run(fifo(cv=0.1))
    assert outcome.delay < 0.1 * 2.0
    assert outcome.questions_per_job <= 2.5


def test_more_questions_buy_earlier_news():
    delays = [
        run(fifo(servers=4, cv=1.0, jobs=400), questions_per_job=q).delay
        for q in (1.3, 2.4, 6.0)
    ]
    assert delays == sorted(delays, reverse=True)
    assert delays[0] > 4 * delays[-1]


def test_staleness_is_kept_for_jobs_that_run():
    scenario = fifo(cv=1.0, jobs=400)
    history = run_queue(scenario, Random(4))
    s = recorded(4, max_staleness=0.4)
    outcome = follow(s, scenario, history)
    assert outcome.delay < 0.25
    by_job: dict[int, list[float]] = {}
    for job, at in s.asked:
        if at >= history.fates[job].started:
            by_job.setdefault(job, []).append(at)
    late = [b - a for times in by_job.values() for a, b in pairwise(times)]
    assert max(late) <= 0.4 * 1.05 + 1e-9


def test_batches_that_end_together_are_known_early_for_no_more_questions():
    outcome = run(fifo(together=20, cv=0.5))
    assert outcome.questions_per_job < 2.45
    assert outcome.delay < 0.5


def test_jobs_that_have_ended_unseen_are_found_several_at_a_time():
    """Answers take a while; waiting for one at a time would take 200 s."""
    scenario = fifo(jobs=1000, service_time=0.01)
    history = run_queue(scenario, Random(1))
    late = History(
        [Fate(f.submitted + 100, f.started, f.ended) for f in history.fates],
        history.starts,
    )
    outcome = follow(schedule(), scenario, late, latency=0.2, workers=8)
    assert outcome.worst_delay < 100 + 1000 * 0.2 / 8 * 1.6
    assert outcome.questions_per_job < 1.2


def test_a_slower_machine_is_noticed():
    """The service time changes from 0.5 s to 20 s after half of the jobs."""
    fates, now = [], 0.0
    for number in range(800):
        length = 0.5 if number < 400 else 20.0
        fates.append(Fate(0.0, now, now + length))
        now += length
    for seed in (1, 2, 3):
        outcome = follow(schedule(seed), fifo(), History(fates, []))
        assert outcome.questions_per_job < 3.0
        assert outcome.delay < 15.0


def test_long_answers_are_taken_for_what_was_so_when_asked():
    """Taken for the present, news would seem expected and be asked for too late."""
    scenario = fifo(servers=8, service_time=0.2, cv=0.5)
    for seed in (1, 2, 3, 4):
        assert run(scenario, seed, latency=0.1).delay < 0.3


def test_most_of_a_limit_that_binds_is_used():
    scenario = fifo(
        servers=4, service_time=0.2, cv=0.5, jobs=1000, units_per_window=2000
    )
    outcome = run(scenario)
    assert outcome.limit_used >= 0.9
    assert outcome.questions_per_job < 1.2, "questions go where the news is"


def test_an_outage_is_survived_without_a_stampede():
    scenario = fifo(outage=(300.0, 900.0), servers=2, cv=0.5)
    history = run_queue(scenario, Random(1))
    s = recorded()
    outcome = follow(s, scenario, history, latency=0.1, workers=50)
    during = [at for _, at in s.asked if 310.0 <= at < 900.0]
    assert len(during) < 120
    assert outcome.questions_per_job < 2.5
    back = min(at for _, at in s.asked if at >= 900.0)
    assert back < 931.0
    after = [at - back for _, at in s.asked if at >= back]
    assert sum(at < 0.1 for at in after) == 1
    assert sum(0.1 <= at < 0.2 - 1e-6 for at in after) <= 2
    assert sum(at < 5.0 for at in after) > 300, "and then all comes soon"


# --- queues without one --------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        {"random_order": True, "cv": 1.0},
        {"random_order": True, "servers": 4},
        {"heavy_tail": True, "servers": 4},
        {"heavy_tail": True, "random_order": True, "servers": 4},
        {"servers": 600, "service_time": 600.0},
        {"servers": 600, "service_time": 600.0, "heavy_tail": True},
    ],
    ids=str,
)
def test_another_order_costs_no_more_than_asking_by_age(how: dict[str, Any]):
    scenario = fifo(**how, jobs=600)
    history = run_queue(scenario, Random(3))
    outcome = follow(schedule(3), scenario, history)
    random = Random(3)
    curve = [
        follow_as(rival, scenario, history, random)
        for rival in rivals()["age-proportional"]
    ]
    assert outcome.questions_per_job <= 1.2 * questions_at(curve, outcome.delay)


def test_jobs_that_all_run_at_once_are_not_taken_for_a_queue():
    scenario = fifo(servers=1000, service_time=600.0, cv=0.5)
    outcomes = [run(scenario, seed) for seed in (2, 3, 4)]
    assert median(o.delay for o in outcomes) < 0.15 * 600.0
    assert all(o.questions_per_job < 10.0 for o in outcomes)


def test_no_order_is_noticed_before_half_of_the_jobs_have_ended():
    """Two thousand seconds in random order; by age alone, news is about 70 s late."""
    for seed in (1, 2, 3, 4):
        outcome = run(fifo(random_order=True, cv=1.0), seed)
        assert outcome.delay < 250.0
        assert outcome.questions_per_job < 12.0


@pytest.mark.parametrize("told", ["tells_running", "tells_position", "tells_times"])
def test_what_a_service_tells_does_no_harm(told: str):
    scenario = fifo(servers=4, cv=1.0, jobs=1500, **{told: True})
    outcome = run(scenario, seed=2)
    assert outcome.questions_per_job <= 2.55
    assert outcome.delay <= 1.05 * possible(scenario)


def test_positions_tell_of_strangers_jobs():
    silent = fifo(strangers=3.0, cv=0.1, jobs=600)
    telling = fifo(strangers=3.0, cv=0.1, jobs=600, tells_position=True)
    assert run(telling, seed=2).delay < 0.5 * run(silent, seed=2).delay


# --- what it costs -------------------------------------------------------------------


def test_ten_thousand_jobs_take_a_few_megabytes():
    jobs = [10_000 + n for n in range(10_000)]
    tracemalloc.start()
    try:
        s = schedule()
        before, _ = tracemalloc.get_traced_memory()
        for job in jobs:
            s.add(job, now=0.0)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 5e6


@pytest.mark.parametrize("random_order", [False, True])
def test_what_has_ended_is_forgotten(random_order: bool):
    """Ten jobs at a time, thousands after each other, and no more memory for that."""
    random = Random(1)
    s = schedule()
    ends: dict[int, float] = {}
    now, added, sizes = 0.0, 0, []
    tracemalloc.start()
    try:
        while added < 1200:
            while len(ends) < 10:
                s.add(added, now)
                wait = random.uniform(1, 50) if random_order else 2.0
                ends[added] = max(now, 0 if random_order else 2.0 * added) + wait
                added += 1
                if added % 300 == 0:
                    sizes.append(tracemalloc.get_traced_memory()[0])
            now = max(now, s.next_wakeup() or now)
            job = s.due(now)
            if job is None:
                continue
            s.observed(job, now, ended=ends[job] <= now)
            if ends[job] <= now:
                s.discard(job)
                del ends[job]
    finally:
        tracemalloc.stop()
    assert sizes[-1] < sizes[1] + 40_000


def test_only_the_last_time_set_for_a_job_counts_and_is_kept():
    agenda = Agenda()
    places = [Place(n, n, 0.0, 0.0) for n in range(10)]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for turn in range(3000):
            agenda.put(places[turn % 10], 1e6 - turn)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 40_000
    agenda.put(places[9], math.inf)
    taken = []
    while (place := agenda.take(math.inf)) is not None:
        taken.append(place.job)
    assert taken == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert agenda.earliest() == math.inf


# --- the simulation itself -------------------------------------------------------------


@pytest.mark.parametrize("servers", [1, 3])
def test_a_simulated_queue_keeps_its_order_and_its_servers(servers: int):
    history = run_queue(fifo(servers=servers, jobs=300), Random(1))
    starts = [f.started for f in history.fates]
    assert starts == sorted(starts) == history.starts
    for fate in history.fates:
        running = sum(f.started <= fate.started < f.ended for f in history.fates)
        assert 1 <= running <= servers


@pytest.mark.parametrize("cv", [0.1, 0.5, 1.0])
def test_simulated_service_times_have_the_mean_and_spread_asked_for(cv: float):
    history = run_queue(fifo(cv=cv, service_time=3.0, jobs=8000), Random(1))
    times = [f.ended - f.started for f in history.fates]
    mean = sum(times) / len(times)
    spread = math.sqrt(sum((t - mean) ** 2 for t in times) / len(times))
    assert mean == pytest.approx(3.0, rel=0.05)
    assert spread / mean == pytest.approx(cv, rel=0.08)


def test_strangers_take_their_part_of_the_servers():
    alone = run_queue(fifo(), Random(1)).fates[-1].ended
    history = run_queue(fifo(strangers=2.0), Random(1))
    assert len(history.fates) == 1000
    assert history.fates[-1].ended == pytest.approx(3 * alone, rel=0.15)


@pytest.mark.parametrize("kind", ["fixed", "age-proportional", "backoff"])
def test_a_rivals_questions_are_counted_as_if_they_were_asked(kind: str):
    rival = Rival(kind, 1.3)
    random = Random(1)
    for _ in range(200):
        phase, age = random.random(), random.expovariate(1 / 40)
        number, at = 0, 0.0
        interval = 0.5
        while number == 0 or at < age:
            if kind == "fixed":
                at = 1.3 * (number + 1 + phase)
            elif number == 0:
                at = 0.5 * 1.3**phase
            elif kind == "backoff":
                interval = min(interval * 1.3, 20.0)
                at += interval
            else:
                at *= 1.3
            number += 1
        found, when = rival.first_at(age, phase)
        assert found == number
        assert when == pytest.approx(at)


def test_delay_is_counted_from_the_end_of_an_outage():
    scenario = fifo(jobs=1, outage=(5.0, 50.0))
    history = History([Fate(0.0, 0.0, 10.0)], [0.0])
    counted = follow_as(Rival("fixed", 8.0), scenario, history, Random(1))
    assert 0 <= counted.delay <= 8.0
    assert 50.0 <= counted.worst_delay + 50.0 <= 58.0
