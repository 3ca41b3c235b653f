"""IQM's published limit on requests, on a clock of the test's own."""

from __future__ import annotations

import pytest

from qawait.local.rate_limit import (
    RATE_LIMITS,
    Exhausted,
    RateLimit,
    RateLimiter,
    cost,
)

IQM = RATE_LIMITS["iqm"]
JOB = "/api/v1/jobs/00000000-0000-4000-8000-000000000000"


def test_iqms_numbers_are_those_it_publishes() -> None:
    assert (IQM.units, IQM.window, IQM.block) == (2000, 10.0, 30.0)


@pytest.mark.parametrize(
    ("method", "path", "body_bytes", "units"),
    [
        ("GET", JOB, 0, 10),
        ("GET", "/cocos/jobs/1/status", 0, 10),
        ("GET", "/station/about", 0, 10),
        ("POST", f"{JOB}/cancel", 0, 100),
        ("POST", "/station/jobs/1/abort", 0, 100),
        ("DELETE", JOB, 0, 100),
        ("POST", "/api/v1/jobs/star/circuit", 1, 100),
        ("POST", "/cocos/jobs", 10 * 2**20 - 1, 100),
        ("POST", "/station/circuits", 10 * 2**20, 200),
        ("POST", "/api/v1/jobs/star/circuit", 25 * 2**20, 300),
        ("GET", "/cocos/info/client-libraries", 0, None),
        ("POST", "/api/job/init/", 500, None),
        ("GET", "/health", 0, None),
        ("GET", "/_ledger", 0, None),
    ],
)
def test_a_request_costs_what_iqm_says(
    method: str, path: str, body_bytes: int, units: int | None
) -> None:
    assert cost(IQM, method, path, body_bytes) == units


def test_all_units_may_be_spent_and_none_more() -> None:
    limiter = RateLimiter(IQM)
    assert limiter.spend(1990, 5.0) == 10
    assert limiter.spend(10, 5.0) == 0
    with pytest.raises(Exhausted) as caught:
        limiter.spend(10, 6.0)
    assert caught.value.seconds == 30.0


def test_units_come_back_one_window_after_each_was_spent() -> None:
    limiter = RateLimiter(IQM)
    assert limiter.spend(1500, 0.0) == 500
    assert limiter.spend(400, 4.0) == 100
    assert limiter.spend(100, 9.9) == 0
    assert limiter.spend(1500, 10.0) == 0
    assert limiter.spend(300, 14.0) == 100


def test_a_block_ends_on_time_however_often_one_asks() -> None:
    limiter = RateLimiter(IQM)
    limiter.spend(2000, 100.0)
    for now, left in ((101.0, 30.0), (102.0, 29.0), (120.0, 11.0), (130.5, 0.5)):
        with pytest.raises(Exhausted) as caught:
            limiter.spend(10, now)
        assert caught.value.seconds == left
    assert limiter.spend(10, 131.0) == 1990


def test_a_refused_request_costs_nothing() -> None:
    limiter = RateLimiter(RateLimit(units=100, window=50.0, block=1.0))
    assert limiter.spend(60, 0.0) == 40
    with pytest.raises(Exhausted):
        limiter.spend(50, 1.0)
    assert limiter.spend(40, 2.0) == 0


def test_a_request_dearer_than_the_allowance_is_never_answered() -> None:
    limiter = RateLimiter(RateLimit(units=50, block=2.0))
    for now in (0.0, 100.0):
        with pytest.raises(Exhausted):
            limiter.spend(100, now)
