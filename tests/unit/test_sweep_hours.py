"""Sweeps in virtual time: queues of hours, outages, and what is left when one leaves."""

# ruff: noqa: SIM117 (a service, in it a client, in it a sweep: three things)
from __future__ import annotations

import functools
import gc
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import qawait
from qawait import Budget, Point, State, Sweep, errors
from qawait.testing import LocalService, run_virtual, service


def native() -> qawait.iqm.Circuit:
    prx = qawait.iqm.Instruction("prx", ("QB3",), {"angle": 3.0, "phase": 0.0})
    read = qawait.iqm.Instruction("measure", ("QB3",), {"key": "m"})
    return qawait.iqm.Circuit("c", (prx, read))


def forever() -> Iterator[qawait.iqm.Circuit]:
    while True:
        yield native()


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in virtual time."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        run_virtual(functools.partial(test, **fixtures))

    return run


async def accepted(sweep: Sweep, jobs: int) -> None:
    """Wait until the service has accepted so many."""
    while sweep.progress.jobs < jobs:  # noqa: ASYNC110 (there is no event for it)
        await anyio.sleep(0.01)


def sent(there: LocalService) -> list[Any]:
    return there.ledger()["submissions"]


# --- long queues ----------------------------------------------------------------------


@virtual
async def test_thousands_of_points_pass_in_few_jobs_that_grow():
    """Each job costs 60 s however many circuits it has, so a job gets many."""
    async with service(service_time=60.0) as there, qawait.connect(there.iqm) as client:
        circuits = (native() for _ in range(2_000))
        async with client.sweep(circuits, shots=5, compile=False) as sweep:
            keys = [p.key async for p in sweep if p.error is None]
        assert sorted(map(int, keys)) == list(range(2_000))
        sizes = [one["circuits"] for one in sent(there)]
        assert sum(sizes) == 2_000
        assert len(sizes) < 20
        assert sizes[0] == 4
        assert max(sizes) == 250


@virtual
async def test_no_more_is_under_way_than_allowed():
    most = 0
    async with service(service_time=5.0, servers=8) as there:
        async with qawait.connect(there.iqm) as client:
            async with client.sweep(
                (native() for _ in range(60)), shots=5, batch=1, max_in_flight=6
            ) as sweep:
                came = 0
                async for _ in sweep:
                    came += 1
                    most = max(most, len(sent(there)) - came)
    assert came == 60
    assert 3 <= most <= 6


@virtual
async def test_a_source_sees_the_result_before_it_decides_what_follows():
    """The loop takes its time with each point, and the source waits for it."""
    seen: list[int] = []
    learned = 0

    def deciding() -> Iterator[qawait.iqm.Circuit]:
        while True:
            seen.append(learned)
            yield native()

    async with service(service_time=5.0) as there, qawait.connect(there.iqm) as client:
        async with client.sweep(deciding(), shots=5, max_in_flight=1) as sweep:
            async for _ in sweep:
                await anyio.sleep(30)
                learned += 1
                if learned == 5:
                    break
    assert seen == [0, 1, 2, 3, 4]


@virtual
async def test_the_end_is_foretold():
    async with service(service_time=10.0) as there, qawait.connect(there.iqm) as client:
        async with client.sweep(
            [native()] * 60, shots=5, batch=1, max_in_flight=10
        ) as sweep:
            assert sweep.eta is None
            for _ in range(20):
                await anext(sweep)
            eta = sweep.eta
            assert eta is not None
            async for _ in sweep:
                last = qawait._clock.utc_now()
            assert sweep.eta is None
    assert eta.earliest <= eta.likely <= eta.latest
    assert eta.earliest <= last <= eta.latest


OF_THE_SERVICE = (
    "*/qawait/local/*",
    "*/qawait/iqm/serving/*",
    "*/qawait/testing/*",
    "*/aiohttp/web*.py",
)
"""It keeps every job, some 5 KiB each."""
NO_MEMORY_OF_A_SWEEP = [
    tracemalloc.Filter(inclusive=False, filename_pattern=pattern)
    for pattern in (*OF_THE_SERVICE, "<frozen *", tracemalloc.__file__)
]


def test_an_endless_sweep_needs_no_more_memory_than_a_short_one():
    """What is imported and cached once is there before it is measured."""
    held: list[int] = []

    @virtual
    async def endless() -> None:
        async with service(most_recorded=10) as there:
            async with qawait.connect(there.iqm) as client:
                async with client.sweep(
                    forever(), shots=5, batch=20, max_in_flight=100
                ) as sweep:
                    number = 0
                    async for _ in sweep:
                        number += 1
                        if number == 600:
                            tracemalloc.start()
                        if number in (900, 915, 930, 1500, 1515, 1530):
                            gc.collect()
                            taken = tracemalloc.take_snapshot()
                            traces = taken.filter_traces(NO_MEMORY_OF_A_SWEEP).traces
                            held.append(sum(trace.size for trace in traces))
                        if number == 1530:
                            break

    try:
        endless()
    finally:
        tracemalloc.stop()
    # how many points are under way is another number each time: the least of three;
    # 600 points more: 200 bytes kept of each are found, and a point has 2,500
    assert min(held[3:]) - min(held[:3]) < 220_000, held


# --- a service that is away -----------------------------------------------------------


@virtual
async def test_a_service_that_is_away_is_waited_for_and_nothing_is_lost():
    """Nobody fails, and nothing is sent twice."""
    async with service(outages=[(30.0, 1_800.0)]) as there:
        async with qawait.connect(there.iqm) as client:
            async with client.sweep(
                (native() for _ in range(40)), shots=5, batch=1, max_in_flight=4
            ) as sweep:
                found: list[tuple[str, Any]] = []
                async for point in sweep:
                    found.append((point.key, point.error))
                    # some are sent before it is away, some while it is, some after
                    await anyio.sleep(2.0)
        assert sorted(int(key) for key, _ in found) == list(range(40))
        assert {error for _, error in found} == {None}
        assert len(sent(there)) == 40


@virtual
async def test_a_service_that_is_too_busy_is_asked_again_later():
    async with service(faults="503:#1-9:2s@submit") as there:
        retry = qawait.Retry(attempts=1)
        async with qawait.connect(there.iqm, retry=retry) as client:
            async with client.sweep([native()] * 3, shots=5, batch=1) as sweep:
                assert [p.error async for p in sweep] == [None] * 3
        assert len(sent(there)) == 3


@virtual
async def test_who_waits_for_a_service_can_leave():
    async with service(outages=[(5.0, 100_000.0)]) as there:
        async with qawait.connect(there.iqm) as client:
            await anyio.sleep(6)
            with anyio.fail_after(120):
                async with client.sweep([native()], shots=5, on_exit="drain") as sweep:
                    with anyio.move_on_after(60):
                        await anext(sweep)
        assert sent(there) == []


# --- leaving --------------------------------------------------------------------------


@virtual
async def test_what_is_detached_goes_on_at_the_service(
    caplog: pytest.LogCaptureFixture,
):
    """And it is said how to come back to it."""
    async with service(service_time=10.0) as there, qawait.connect(there.iqm) as client:
        async with client.sweep([native()] * 4, shots=5, batch=1) as sweep:
            assert (await anext(sweep)).error is None
            await accepted(sweep, 4)
        ids = [one["job_id"] for one in sent(there)]
        assert len(ids) == 4
        assert [(await client.job(job_id))[0].shots for job_id in ids] == [5] * 4
        url = there.url
    said = caplog.messages[-1]
    assert "3 jobs go on" in said
    assert f"--service iqm:{url}" in said
    assert sum(job_id in said for job_id in ids) == 3


@virtual
async def test_what_is_cancelled_ends_at_the_service():
    async with service(service_time=10.0) as there, qawait.connect(there.iqm) as client:
        async with client.sweep(
            [native()] * 4, shots=5, batch=1, on_exit="cancel"
        ) as sweep:
            await anext(sweep)
            await accepted(sweep, 4)
        states = [(await client.status(one["job_id"])).state for one in sent(there)]
        assert sorted(states) == [State.ABORTED] * 3 + [State.READY]


@virtual
async def test_a_timeout_around_the_block_cancels_what_is_to_be_cancelled():
    async with service(service_time=10.0) as there, qawait.connect(there.iqm) as client:
        with anyio.move_on_after(15):
            async with client.sweep(
                [native()] * 4, shots=5, batch=1, on_exit="cancel"
            ) as sweep:
                await sweep.finish()
        states = [(await client.status(one["job_id"])).state for one in sent(there)]
        assert sorted(states) == [State.ABORTED] * 3 + [State.READY]


@virtual
async def test_a_client_that_is_closed_ends_its_sweep():
    async with service(service_time=10.0) as there:
        client = await qawait.open(there.iqm)
        async with client.sweep(forever(), shots=5, max_in_flight=8) as sweep:
            points = [await anext(sweep)]
            await client.close()
            points += [p async for p in sweep]
    assert len(points) < 30
    assert isinstance(points[-1].error, errors.ClientClosed)
    assert sweep.stopped is not None


@virtual
async def test_a_client_that_is_closed_before_anything_was_sent_ends_its_sweep():
    async with service(service_time=10.0) as there:
        client = await qawait.open(there.iqm)
        sweep = await client.start_sweep([native()] * 3, shots=5, batch=1)
        await client.close()
        with pytest.raises(errors.ClientClosed, match="connect again"):
            await sweep.finish()
        await sweep.close()
        assert sent(there) == []


async def test_a_sweep_ends_whenever_its_client_is_closed():
    """Before a submission, with one on its way, and with an answer just come."""
    async with service(service_time=10.0, servers=1000) as there:
        for steps in range(0, 160, 5):
            client = await qawait.open(there.iqm)
            sweep = await client.start_sweep([native()] * 3, shots=5, batch=1)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            await client.close()
            found: list[errors.Error | None] = []
            with anyio.fail_after(30):
                try:
                    found += [point.error async for point in sweep]
                except errors.ClientClosed as error:
                    found.append(error)
            await sweep.close()
            assert found, steps
            closed = (errors.ClientClosed, errors.SubmissionUncertain)
            assert all(isinstance(error, closed) for error in found), (steps, found)


@virtual
async def test_draining_waits_for_what_is_under_way_and_sends_nothing_more():
    async with service(service_time=10.0) as there, qawait.connect(there.iqm) as client:
        async with client.sweep(
            forever(), shots=5, batch=1, max_in_flight=3, on_exit="drain"
        ) as sweep:
            await anext(sweep)
        states = [(await client.status(one["job_id"])).state for one in sent(there)]
        assert 3 <= len(states) <= 4
        assert set(states) == {State.READY}
        assert sweep.progress.ready == len(states)


@virtual
async def test_stopping_brings_in_what_is_under_way():
    async with service(service_time=10.0) as there, qawait.connect(there.iqm) as client:
        async with client.sweep(forever(), shots=5, batch=1, max_in_flight=3) as sweep:
            points = [await anext(sweep)]
            sweep.stop()
            points += [p async for p in sweep]
        assert len(points) == len(sent(there)) <= 4
        assert sweep.stopped


@pytest.mark.parametrize("after", [0.001, 0.004, 0.008, 0.012, 0.013, 0.017, 0.02, 0.5])
@pytest.mark.parametrize("on_exit", ["cancel", "detach", "drain"])
def test_leaving_at_any_moment_leaves_no_submission_uncertain(
    tmp_path: Path, after: float, on_exit: Any
):
    """What is on its way gets its answer first: the journal knows every job."""

    @virtual
    async def leave() -> None:
        async with service(service_time=10.0) as there:
            async with qawait.connect(there.iqm) as client:
                with anyio.move_on_after(after):
                    async with client.sweep(
                        forever(),
                        shots=5,
                        batch=1,
                        max_in_flight=8,
                        on_exit=on_exit,
                        journal=tmp_path / "j",
                    ) as sweep:
                        await sweep.finish()
                ids = {one["job_id"] for one in sent(there)}
            reading = await anyio.to_thread.run_sync(qawait.read, tmp_path / "j")
            assert not reading.unknown
            assert {j.job_id for j in reading.jobs if j.job_id} == ids

    leave()


@pytest.mark.parametrize("on_exit", ["cancel", "detach", "drain"])
def test_what_is_not_on_its_way_when_a_sweep_is_left_is_never_sent(on_exit: Any):
    """Four submissions are on their way at once; the others had not begun."""

    @virtual
    async def leave() -> None:
        async with service(service_time=10.0) as there:
            async with qawait.connect(there.iqm) as client:
                sweep = await client.start_sweep(
                    forever(), shots=5, batch=1, max_in_flight=60
                )
                await accepted(sweep, 4)
                before = len(sent(there))
                assert sweep.progress.taken == 60
                await sweep.close(on_exit)
                await anyio.sleep(60)
                assert 4 <= before <= len(sent(there)) <= before + 4 < 60

    leave()


# --- the budget -----------------------------------------------------------------------


@virtual
async def test_seconds_are_those_of_the_machine():
    """The first job goes alone; then no more go than the figures so far allow."""
    async with service(service_time=10.0, servers=4) as there:
        async with qawait.connect(there.iqm) as client:
            async with client.sweep(
                (native() for _ in range(50)),
                shots=10,
                batch=1,
                budget=Budget(seconds=55),
            ) as sweep:
                await anext(sweep)
                assert len(sent(there)) == 1
                points = [p async for p in sweep]
        assert len(points) + 1 == len(sent(there)) == 5
        assert sweep.stopped is not None
        assert "55 seconds" in sweep.stopped


# --- run again, and gone on with ------------------------------------------------------


async def run(
    there: LocalService, journal: Path, number: int, on_exit: Any = "detach"
) -> list[Point]:
    """The first time it is left when all is under way, the second time it is not."""
    points: list[Point] = []
    async with qawait.connect(there.iqm) as client:
        async with client.sweep(
            {name: native() for name in "abcd"},
            shots=5,
            batch=1,
            journal=journal,
            on_exit=on_exit,
        ) as sweep:
            points.append(await anext(sweep))
            if number == 0:
                await accepted(sweep, 4 - sweep.progress.uncertain)
            else:
                points += [p async for p in sweep]
    return points


@virtual
async def test_detached_jobs_are_taken_up_by_the_next_run(tmp_path: Path):
    async with service(service_time=10.0) as there:
        await run(there, tmp_path / "j", 0)
        points = await run(there, tmp_path / "j", 1)
        assert sorted(p.key for p in points if p.result) == list("abcd")
        assert len(sent(there)) == 4


@virtual
async def test_what_was_cancelled_is_sent_by_the_next_run(tmp_path: Path):
    async with service(service_time=10.0) as there:
        await run(there, tmp_path / "j", 0, "cancel")
        points = await run(there, tmp_path / "j", 1)
        assert sorted(p.key for p in points if p.result) == list("abcd")
        assert len(sent(there)) == 7


@virtual
async def test_recorded_jobs_are_finished_without_the_program(tmp_path: Path):
    """Results, and what is uncertain with its evidence; nothing is submitted."""
    async with service(service_time=10.0, faults="drop_reply:#2@submit") as there:
        [uncertain] = await run(there, tmp_path / "j", 0)
        assert uncertain.uncertain
        for left in ("abcd", uncertain.key):
            async with qawait.connect(there.iqm) as client:
                async with client.resume(tmp_path / "j") as sweep:
                    points = {p.key: p async for p in sweep}
            assert "".join(sorted(points)) == left
            error = points[uncertain.key].error
            assert isinstance(error, errors.SubmissionUncertain)
            assert error.evidence
            assert error.resume == f"qawait resume {tmp_path / 'j'}"
            assert not points[uncertain.key].retry()
            ready = [key for key, point in points.items() if point.result]
            assert len(ready) == len(left) - 1
        assert len(sent(there)) == 4
