"""`serve --clock virtual`: service times are jumped over when somebody asks."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

import qawait
from qawait.errors import ConfigurationError
from qawait.local.__main__ import seconds
from qawait.local.moving_on import moved_on
from qawait.local.options import ServeOptions
from qawait.local.pacing import JumpingClock
from tests.service.running import (
    FLIPPED,
    LocalService,
    ended,
    get,
    run_request,
    running,
    submit,
    submit_programs,
)
from tests.service.running import program as qasm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def hours() -> Iterator[LocalService]:
    """A service whose jobs take an hour each."""
    with running("--null", "--service-time", "1h", "--clock", "virtual") as service:
        yield service


def moments(job: dict[str, Any]) -> dict[str, datetime]:
    return {
        entry["status"]: datetime.fromisoformat(entry["timestamp"])
        for entry in job["timeline"]
    }


async def test_a_job_of_an_hour_ends_when_it_is_asked_about(hours: LocalService):
    async with hours.session() as session:
        before = time.perf_counter()
        job_id = await submit(session, run_request(FLIPPED))
        job = await ended(session, f"/api/v1/jobs/{job_id}")
        assert time.perf_counter() - before < 5
        assert job["status"] == "completed"
        at = moments(job)
        assert at["execution_ended"] - at["execution_started"] >= HOUR
        assert at["execution_ended"] - at["execution_started"] < HOUR * 1.01


async def test_each_question_moves_on_by_one_end_and_no_time_goes_back(
    hours: LocalService,
):
    async with hours.session() as session:
        jobs = [await submit(session, run_request(FLIPPED)) for _ in range(4)]
        seen: list[datetime] = []
        for done in range(1, 5):
            # who asks about the last one in the queue passes those before it
            async with session.get(f"/api/v1/jobs/{jobs[-1]}") as response:
                seen.append(parsedate_to_datetime(response.headers["Date"]))
            async with session.get("/_ledger") as response:
                assert response.status == 200
            states = [
                (await get(session, f"/api/v1/jobs/{job}"))["status"]
                for job in jobs[:done]
            ]
            assert states == ["completed"] * done
        ends = [
            moments(await get(session, f"/api/v1/jobs/{j}"))["execution_ended"]
            for j in jobs
        ]
        assert ends == sorted(ends)
        assert ends[3] - ends[0] >= 3 * HOUR
        assert all(b - a >= HOUR * 0.99 for a, b in itertools.pairwise(seen))


async def test_nothing_passes_while_nobody_asks(hours: LocalService):
    async with hours.session() as session:
        job_id = await submit(session, run_request(FLIPPED))
        other = await submit(session, run_request(FLIPPED))
        for path in ("/health", "/_ledger", "/api/v1/quantum-computers"):
            async with session.get(path) as response:
                assert response.status == 200
        first = await ended(session, f"/api/v1/jobs/{job_id}")
        # what has ended is no question
        for _ in range(3):
            await ended(session, f"/api/v1/jobs/{job_id}")
        second = await ended(session, f"/api/v1/jobs/{other}")
        apart = moments(second)["execution_ended"] - moments(first)["execution_ended"]
        assert HOUR <= apart < HOUR * 1.01


async def test_qoros_dialect_has_the_same_clock(hours: LocalService):
    async with hours.session() as session:
        job_id = await submit_programs(session, {"a": qasm("h q[0];")})
        status = await ended(session, f"/api/job/{job_id}/status/")
        assert status["status"] == "COMPLETED"


async def test_a_client_of_ours_gets_through_a_day_of_queue(hours: LocalService):
    service = qawait.IQMService(hours.url, token=hours.token, environment={})
    prx = qawait.iqm.Instruction("prx", ("QB3",), {"angle": 3.0, "phase": 0.0})
    read = qawait.iqm.Instruction("measure", ("QB3",), {"key": "m"})
    circuit = qawait.iqm.Circuit("flip", (prx, read))
    before = time.perf_counter()
    async with qawait.connect(service) as client:
        jobs = [await client.submit(circuit, compile=False) for _ in range(24)]
        for job in jobs:
            await job
    assert time.perf_counter() - before < 20
    span = jobs[-1].changes[-1].at - jobs[0].changes[-1].at
    assert timedelta(hours=23) <= span < timedelta(hours=23.5)


async def test_nothing_is_jumped_over_while_a_circuit_is_simulated():
    with running("--service-time", "1h", "--clock", "virtual") as service:
        async with service.session() as session:
            job_id = await submit(session, run_request(FLIPPED, shots=50))
            job = await ended(session, f"/api/v1/jobs/{job_id}")
            assert job["status"] == "completed"
            at = moments(job)
            assert at["execution_ended"] - at["execution_started"] >= HOUR
            (execution,) = (await get(session, "/_ledger"))["executions"]
            assert execution["job_id"] == job_id


class Occupied:
    """An engine with one job on a machine, and another one that is computed."""

    is_at_rest = False

    def is_live(self, job_id: str) -> bool:
        return True


async def test_no_time_is_jumped_over_that_another_job_computes_in():
    clock, engine = JumpingClock(), Occupied()
    app = web.Application(middlewares=[moved_on(engine, clock)])  # type: ignore[arg-type]

    async def tell(request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/jobs/{id}", tell)
    async with (
        TestClient(TestServer(app)) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(_until, clock, clock.time() + 3600.0)
        await anyio.wait_all_tasks_blocked()
        before = clock.time()
        assert (await client.get("/jobs/7")).status == 200
        assert clock.time() - before < 60
        engine.is_at_rest = True
        assert (await client.get("/jobs/7")).status == 200
        assert clock.time() - before >= 3599


# --- the clock by itself --------------------------------------------------------------


async def test_a_jump_goes_to_the_next_moment_and_ends_when_it_has_happened():
    clock = JumpingClock()
    began = clock.time()
    happened: list[str] = []
    written = anyio.Event()

    async def wait(name: str, after: float) -> None:
        async with clock.moment(began + after):
            if name == "first":
                await written.wait()
            happened.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(wait, "second", 7200.0)
        group.start_soon(wait, "first", 3600.0)
        await anyio.wait_all_tasks_blocked()
        assert clock.waiting == 2
        group.start_soon(clock.jump)
        await anyio.wait_all_tasks_blocked()
        assert (happened, clock.waiting) == ([], 1)
        written.set()
        await anyio.wait_all_tasks_blocked()
        assert happened == ["first"]
        assert 3600 <= clock.time() - began < 3660
        await clock.jump()
        assert happened == ["first", "second"]
        assert 7200 <= clock.time() - began < 7260
        await clock.jump()
        assert clock.time() - began < 7260


async def test_a_moment_that_comes_by_itself_is_not_waited_for_longer_after_a_jump():
    clock = JumpingClock()
    began = clock.time()
    async with anyio.create_task_group() as group:
        group.start_soon(_until, clock, began + 3600.0)
        group.start_soon(_until, clock, began + 3600.2)
        await anyio.wait_all_tasks_blocked()
        await clock.jump()
        with anyio.fail_after(20):
            # 0.2 s are left, and nobody jumps again
            while clock.waiting:
                await anyio.lowlevel.checkpoint()


async def _until(clock: JumpingClock, at: float) -> None:
    async with clock.moment(at):
        pass


def test_the_virtual_clock_begins_at_the_present():
    assert abs(JumpingClock().time() - datetime.now(UTC).timestamp()) < 60


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"clock": "virtual"}, "give one, such as 60s"),
        ({"clock": "imaginary"}, "neither real nor virtual"),
    ],
)
def test_a_clock_that_cannot_be_is_refused(options: dict[str, Any], says: str):
    with pytest.raises(ConfigurationError, match=says):
        ServeOptions(**options)


def test_jobs_of_the_future_are_not_kept(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="keeps no jobs"):
        ServeOptions(clock="virtual", service_time=1.0, store=tmp_path / "jobs.sqlite")


@pytest.mark.parametrize(
    ("text", "duration"),
    [("2s", 2.0), ("250ms", 0.25), ("0.5", 0.5), ("3min", 180.0), ("1.5h", 5400.0)],
)
def test_a_duration_has_a_unit_or_is_in_seconds(text: str, duration: float):
    assert seconds(text) == duration
