"""Clocks that are set, and services that ask for a wait in odd ways."""

# ruff: noqa: SIM117 (a service, and in it a client: two things)
from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from aiohttp import web

import qawait
from qawait._auth import FixedToken, Secret
from qawait._transport import Retry, Transport
from qawait.errors import RateLimited
from qawait.iqm.dialects import SERVER
from qawait.model import Call
from qawait.testing import run_virtual, service, set_wall_clock

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
READ = Call(kind="read", method="GET", path="x", repeatable=True)
HOUR = 3600.0


def wait_asked_for(value: str, date: str | None = DATE) -> float:
    """For how long a client waits that is refused once with this Retry-After."""

    async def main() -> float:
        asked: list[float] = []

        async def refuse_once(request: web.Request) -> web.Response:
            asked.append(anyio.current_time())
            if len(asked) > 1:
                return web.json_response({})
            headers = {"Retry-After": value}
            if date is not None:
                headers["Date"] = date
            return web.json_response({"message": "no"}, status=429, headers=headers)

        app = web.Application()
        app.router.add_get("/x", refuse_once)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 80).start()
        token = FixedToken(Secret("canary-0123456789"))
        try:
            async with Transport(
                "http://127.0.0.1:80", token, SERVER.read_error, retry=Retry(attempts=2)
            ) as transport:
                await transport.ask(READ)
        finally:
            await runner.cleanup()
        return asked[1] - asked[0]

    return run_virtual(main)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 30 ", 30.0),
        ("007", 7.0),
        ("3600", HOUR),
        ("Wed, 21 Oct 2026 07:29:00 GMT", 60.0),
        ("Wed, 21 Oct 2026 08:28:00 GMT", HOUR),
        ("Wed, 21 Oct 2026 09:28:30 +0200", 30.0),
        # nonsense, and what lies in the past, is no wait that was asked for
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("inf", None),
        ("nan", None),
        ("1e9", None),
        ("١٢٠", None),
        ("0x10", None),
        ("9" * 400, None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
        ("Wed, 31 Feb 2026 25:61:61 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_is_what_was_asked_for_or_a_guess_within_the_hour(
    value: str, seconds: float | None
):
    waited = wait_asked_for(value)
    assert 0 <= waited <= HOUR + 60
    if seconds is not None:
        # the limiter may add what it has learned
        assert seconds <= waited <= seconds + 60


@pytest.mark.parametrize(
    "value", ["3700", "999999999", "Fri, 31 Dec 9999 23:59:59 GMT"]
)
def test_a_wait_of_more_than_an_hour_is_reported_at_once(value: str):
    with pytest.raises(RateLimited) as caught:
        wait_asked_for(value)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > HOUR


def test_a_date_without_the_answers_own_date_is_measured_against_nothing_of_ours():
    """aiohttp's server sends its own Date, so this is one that cannot be read."""
    assert wait_asked_for("Wed, 21 Oct 2026 08:28:00 GMT", "yesterday") <= HOUR


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def life(start: datetime, shift: timedelta) -> list[float]:
    """When a job is seen to end, on a clock that is set while it waits."""

    async def main() -> list[float]:
        async with service(service_time=600.0, seed=4) as there:
            async with qawait.connect(there.iqm, seed=4) as client:
                prx = qawait.iqm.Instruction(
                    "prx", ("QB3",), {"angle": 3.0, "phase": 0}
                )
                read = qawait.iqm.Instruction("measure", ("QB3",), {"key": "m"})
                circuit = qawait.iqm.Circuit("flip", (prx, read))
                jobs = [
                    await client.submit(circuit, shots=1, compile=False)
                    for _ in range(3)
                ]
                await anyio.sleep(650)
                now = start + timedelta(seconds=anyio.current_time())
                set_wall_clock(now + shift)
                ends: list[float] = []
                for job in jobs:
                    await job
                    ends.append(anyio.current_time())
                    assert all(c.seen_at.tzinfo is UTC for c in job.changes)
                    states = [c.state for c in job.changes]
                    assert states[-1] is qawait.State.READY
                return ends

    return run_virtual(main, start=start)


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_is_set_by_years_costs_no_job(years: int):
    start = datetime(2030, 6, 1, tzinfo=UTC)
    ends = life(start, timedelta(days=365.25 * years))
    assert ends[0] < 700
    assert all(600 * n <= end < 600 * n + 1800 for n, end in enumerate(ends, 1))


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    "start", [datetime(2030, 3, 31, 0, 55), datetime(2030, 10, 27, 0, 55)]
)
def test_the_change_of_summer_time_changes_nothing(start: datetime):
    """It comes while the jobs run; the moment of day is then skipped, or comes twice."""
    aware = start.replace(tzinfo=UTC)
    quiet = datetime(2030, 6, 1, tzinfo=UTC)
    nothing = timedelta()
    assert life(aware, nothing) == life(quiet, nothing)
