"""What a sweep decides, with plain numbers: the budget, the size of jobs, the keys."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qawait import errors
from qawait._sweep.axes import axes_of, key_of, named_numbers
from qawait._sweep.bisection import Verdict, halves, verdict
from qawait._sweep.budget import Budget, Spending, Spent
from qawait._sweep.chunks import Chunks, JobLimits, fitting
from qawait._sweep.estimate import estimated
from qawait._sweep.forecast import end_of_sweep
from qawait._sweep.settings import Settings
from qawait.model import Eta

# --- the budget -----------------------------------------------------------------------


@given(
    st.integers(0, 12),
    st.integers(0, 300),
    st.lists(
        st.tuples(
            st.lists(st.integers(1, 50), min_size=1, max_size=6),
            st.sampled_from(["ended", "unknown", "refused", "accepted", "under way"]),
        ),
        max_size=25,
    ),
)
def test_no_order_of_events_spends_more_jobs_or_shots_than_there_are(
    jobs: int, shots: int, batches: list[tuple[list[int], str]]
):
    """What was refused is free again; everything else stays spent."""
    spending = Spending(Budget(jobs=jobs, shots=shots), Spent())
    spent_jobs = spent_shots = 0
    waiting = False
    for number, (batch, fate) in enumerate(batches):
        room = spending.room(batch)
        assert 0 <= room.circuits <= len(batch)
        fits = spent_jobs < jobs and spent_shots + batch[0] <= shots
        assert (room.circuits > 0) == fits
        # what has no answer yet may be refused, and make room
        assert (room.used_up is None) == (fits or waiting)
        if not fits:
            continue
        taken = sum(batch[: room.circuits])
        # not one circuit less than there is room for
        more = sum(batch[: room.circuits + 1])
        assert room.circuits == len(batch) or spent_shots + more > shots
        spending.reserve(str(number), taken)
        if fate == "refused":
            spending.release(str(number))
        else:
            spent_jobs, spent_shots = spent_jobs + 1, spent_shots + taken
            if fate == "under way":
                waiting = True
            elif fate == "accepted":
                spending.accepted(str(number))
            else:
                spending.settle(str(number), 1.0 if fate == "ended" else None)
        assert spent_jobs <= jobs
        assert spent_shots <= shots
        assert (spending.spent.jobs, spending.spent.shots) == (spent_jobs, spent_shots)


def test_what_earlier_runs_spent_counts():
    spending = Spending(Budget(jobs=5, shots=100), Spent(jobs=4, shots=70))
    assert spending.room([10, 10, 10, 10]).circuits == 3
    spending.reserve("a", 30)
    assert spending.room([1]).used_up is None
    spending.accepted("a")
    assert "5 jobs" in (spending.room([1]).used_up or "")


def test_the_first_job_alone_tells_what_a_second_costs():
    spending = Spending(Budget(seconds=10), Spent())
    assert spending.room([100, 100]).circuits == 2
    spending.reserve("a", 200)
    assert spending.room([1]) == spending.room([1, 1])
    assert spending.room([1]).circuits == 0
    assert spending.room([1]).used_up is None
    spending.settle("a", 4.0)
    # 0.02 s a shot: 6 s are left for 300
    assert spending.room([100] * 9).circuits == 3
    spending.reserve("b", 300)
    assert spending.room([100]).circuits == 0
    assert spending.room([100]).used_up is None
    spending.settle("b", None)
    assert spending.spent.seconds == pytest.approx(10)
    assert "10 seconds" in (spending.room([100]).used_up or "")


def test_the_dearest_shot_so_far_is_expected_again():
    spending = Spending(Budget(seconds=100), Spent())
    for name, seconds in (("a", 1.0), ("b", 5.0), ("c", 1.0)):
        spending.reserve(name, 10)
        spending.settle(name, seconds)
    # 93 s are left, at 0.5 s a shot
    assert spending.room([10] * 50).circuits == 18


def test_credits_count_what_the_account_has_paid():
    spending = Spending(Budget(credits=Decimal("3.5")), Spent())
    spending.reserve("a", 100)
    assert spending.room([1]).circuits == 0
    spending.settle("a", 1.0)
    spending.charged(1.0)
    assert spending.room([100] * 9).circuits == 2
    spending.reserve("b", 200)
    spending.settle("b", 1.0)
    spending.charged(3.0)
    assert spending.spent.credits == 3.0
    assert spending.room([51]).used_up is not None
    assert spending.room([50]).circuits == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"jobs": -1},
        {"jobs": True},
        {"shots": 1.5},
        {"shots": "10"},
        {"seconds": math.nan},
        {"seconds": math.inf},
        {"credits": -0.1},
    ],
)
def test_a_budget_that_cannot_be_is_refused_by_its_name(wrong: dict[str, Any]):
    with pytest.raises(errors.ConfigurationError, match=next(iter(wrong))):
        Budget(**wrong)


# --- the size of jobs -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("overhead", "each", "ideal"),
    [(1.0, 0.1, 90), (0.5, 1.0, 5), (10.0, 0.5, 180), (0.0, 1.0, 1)],
)
def test_jobs_grow_until_their_overhead_is_a_tenth(
    overhead: float, each: float, ideal: int
):
    chunks = Chunks(500)
    sizes: list[int] = []
    for _ in range(20):
        size = chunks.wanted
        chunks.sent(size)
        chunks.observed(size, overhead + each * size)
        sizes.append(size)
    assert sizes[0] == 4
    assert abs(sizes[-1] - ideal) <= 1
    assert all(b <= 2 * max(sizes[: n + 1]) for n, b in enumerate(sizes[1:]))


def test_a_service_without_a_price_for_circuits_gets_full_jobs():
    chunks = Chunks(300)
    for _ in range(9):
        size = chunks.wanted
        chunks.sent(size)
        chunks.observed(size, 60.0)
    assert chunks.wanted == 300


def test_jobs_without_an_end_grow_too():
    chunks = Chunks(50)
    sizes: list[int] = []
    for _ in range(6):
        sizes.append(chunks.wanted)
        chunks.sent(chunks.wanted)
    assert sizes == [4, 8, 16, 32, 50, 50]


def test_a_stated_size_is_kept():
    chunks = Chunks(500, 7)
    chunks.observed(7, 100.0)
    assert chunks.wanted == 7
    assert Chunks(3, 7).wanted == 3


@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.integers(1, 100)), min_size=1, max_size=30
    ),
    st.integers(1, 40),
)
def test_a_job_holds_as_many_circuits_as_all_limits_leave(
    circuits: list[tuple[int, int]], most: int
):
    limits = JobLimits(circuits=20, size_bytes=250, shots=300)
    sizes, shots = [c[0] for c in circuits], [c[1] for c in circuits]

    def fits(number: int) -> bool:
        return number <= min(len(circuits), most, limits.circuits) and (
            number == 1
            or (
                sum(sizes[:number]) <= limits.size_bytes
                and sum(shots[:number]) <= limits.shots
            )
        )

    number = fitting(sizes, shots, limits, most)
    assert fits(number)
    assert not fits(number + 1)


# --- what follows a refusal -----------------------------------------------------------


def rejected(cause: errors.Error) -> errors.Error:
    error = errors.SubmissionRejected("the submission was refused")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (rejected(errors.ResponseError(400, "no")), Verdict.APART),
        (rejected(errors.ResponseError(413, "too large")), Verdict.APART),
        (rejected(errors.ResponseError(422, "no")), Verdict.APART),
        (errors.CircuitError("a", "no"), Verdict.APART),
        (rejected(errors.PermissionDenied(403, "no")), Verdict.NEVER),
        (rejected(errors.AuthenticationError(401, "no")), Verdict.NEVER),
        (rejected(errors.NotFound(404, "no")), Verdict.NEVER),
        (rejected(errors.RateLimited(429, "busy")), Verdict.LATER),
        (rejected(errors.ServiceUnavailable(503, "busy")), Verdict.LATER),
        (errors.ConnectFailed("refused"), Verdict.LATER),
        (errors.TlsFailed("certificate"), Verdict.NEVER),
        (errors.TransportError("reset"), Verdict.NEVER),
        (errors.RequestTimeout("late"), Verdict.NEVER),
        (errors.MissingExtra("this", "qiskit"), Verdict.NEVER),
        (
            errors.SubmissionUncertain("?", evidence="reset", submission_id="s"),
            Verdict.NEVER,
        ),
        (errors.ProtocolError("nonsense"), Verdict.NEVER),
    ],
    ids=lambda value: (
        type(value.__cause__ or value).__name__
        + str(getattr(value.__cause__, "status", ""))
        if isinstance(value, Exception)
        else value.name
    ),
)
def test_only_what_certainly_did_not_run_goes_again(
    error: errors.Error, expected: Verdict
):
    assert verdict(error) is expected


@given(st.integers(1, 64), st.sets(st.integers(0, 63)))
def test_bisection_finds_exactly_the_bad_ones(size: int, bad: set[int]):
    """In at most 2 n log n requests, each good one accepted once."""
    accepted: list[int] = []
    refused: list[int] = []
    requests = 0
    waiting: list[Any] = [list(range(size))]
    while waiting:
        batch = waiting.pop()
        requests += 1
        if not bad & set(batch):
            accepted += batch
        elif len(batch) == 1:
            refused += batch
        else:
            waiting += halves(batch)
    assert sorted(accepted) == sorted(set(range(size)) - bad)
    assert sorted(refused) == sorted(set(range(size)) & bad)
    assert requests <= 1 + 2 * max(1, len(refused)) * math.ceil(math.log2(size) or 1)


# --- names ----------------------------------------------------------------------------


def test_a_grid_goes_over_all_combinations_the_last_one_fastest():
    axes = axes_of({"gamma": [0.5, 1], "beta": np.array([2.0, 3.0, 4.0])})
    assert len(axes) == 6
    points = list(axes)
    assert points[0] == ("gamma=0.5,beta=2.0", {"gamma": 0.5, "beta": 2.0})
    assert points[1][1] == {"gamma": 0.5, "beta": 3.0}
    assert points[5][0] == "gamma=1.0,beta=4.0"


@given(
    st.dictionaries(
        st.text(min_size=1),
        st.lists(
            st.floats(allow_nan=False, allow_infinity=False), min_size=1, unique=True
        ),
        min_size=1,
        max_size=3,
    )
)
def test_every_point_of_a_grid_has_a_key_of_its_own(grid: dict[str, list[float]]):
    axes = axes_of(grid)
    keys = [key for key, _ in axes]
    assert len(set(keys)) == len(keys) == len(axes)
    assert all(key == key_of(parameters) for key, parameters in axes)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({}, "no parameter"),
        ({"a": []}, "no values"),
        ({"a": [1, 2, 1.0]}, "twice"),
        ({"a": [0.0, -0.0]}, "twice"),
        ({"a": ["x"]}, "finite"),
        ({"a": [math.nan]}, "finite"),
        ({"a": [True]}, "finite"),
        ({"a": [1j]}, "finite"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(grid: Any, said: str):
    with pytest.raises(errors.ConfigurationError, match=said):
        axes_of(grid)


def test_the_parameters_of_a_point_are_named_numbers():
    from qiskit.circuit import Parameter

    assert named_numbers({Parameter("a"): np.float32(0.5), "b": 2}) == {
        "a": 0.5,
        "b": 2.0,
    }
    with pytest.raises(errors.ConfigurationError, match="mapping"):
        named_numbers([1, 2])


# --- looking ahead --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "jobs", "requests"),
    [
        ({"points": 100, "recorded": 0, "fixed": 10, "most": 250}, 10, 10 + 25),
        ({"points": 100, "recorded": 95, "fixed": 10, "most": 250}, 1, 1 + 3),
        ({"points": 100, "recorded": 100, "fixed": None, "most": 250}, 0, 0),
        ({"points": 100, "recorded": 0, "fixed": None, "most": 250}, 5, 5 + 13),
        ({"points": 100, "recorded": 0, "fixed": None, "most": 1}, 100, 100 + 250),
        (
            {
                "points": 100,
                "recorded": 0,
                "fixed": 50,
                "most": 250,
                "two_phases": True,
            },
            2,
            4 + 5,
        ),
        (
            {
                "points": 100,
                "recorded": 0,
                "fixed": 50,
                "most": 250,
                "one_answer": False,
            },
            2,
            2 + 5 + 2,
        ),
    ],
)
def test_an_estimate_counts_jobs_and_requests(
    about: dict[str, Any], jobs: int, requests: int
):
    common: dict[str, Any] = {
        "shots": 7,
        "circuit_bytes": 100.0,
        "limits": JobLimits(),
        "two_phases": False,
        "one_answer": True,
    }
    estimate = estimated(**(common | about))
    left = about["points"] - about["recorded"]
    assert (estimate.jobs, estimate.requests) == (jobs, requests)
    assert (estimate.circuits, estimate.shots) == (left, 7 * left)
    assert estimate.size_bytes == 100 * left


def test_the_end_is_that_of_the_last_job_and_of_what_was_not_sent():
    now = datetime(2030, 1, 1, tzinfo=UTC)

    def after(low: float, likely: float, high: float) -> Eta:
        return Eta(*(now + timedelta(seconds=s) for s in (low, likely, high)))

    last = after(15, 20, 90)
    assert end_of_sweep(last, 0, None, now) == last
    assert end_of_sweep(last, 100, 0.5, now) == after(15 + 35, 20 + 50, 90 + 65)
    assert end_of_sweep(None, 100, 0.5, now) == after(35, 50, 65)
    assert end_of_sweep(last, 1, None, now) is None
    # what should have ended long ago does not move the end into the past
    assert end_of_sweep(after(-9, -5, 1), 10, 0.5, now) == after(3.5, 5, 7.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_exit": "stop"},
        {"max_in_flight": 0},
        {"max_in_flight": True},
        {"batch": 0},
        {"stop_on": [ValueError, "x"]},
        {"budget": {"jobs": 5}},
        {"shotz": 5},
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_its_name(wrong: Any):
    with pytest.raises(errors.ConfigurationError, match=next(iter(wrong))):
        Settings.of(wrong)
