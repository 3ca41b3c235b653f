"""What the engine does when things happen at the same time."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio
import msgspec
from tests.service.running import FLIPPED, run_request

from qawait.local.engine import Engine
from qawait.local.jobs import Job, Moment, Stage, now
from qawait.local.ledger import Ledger
from qawait.local.options import ServeOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class SlowStore:
    """Keeps nothing; writing down an end takes until `writable` is set."""

    def __init__(self) -> None:
        self.writing = anyio.Event()
        self.writable = anyio.Event()
        self.written: list[Stage] = []

    async def in_progress(self) -> list[Job]:
        return []

    async def parts(self, job_id: str) -> tuple[bytes, ...]:
        return ()

    async def add(self, job: Job, bodies: Sequence[bytes]) -> None:
        pass

    async def update(self, job: Job, **changes: object) -> None:
        self.written.append(job.stage)
        if job.stage is Stage.READY:
            self.writing.set()
            await self.writable.wait()


def _job(stage: Stage = Stage.RECEIVED) -> Job:
    return Job(
        id=str(uuid4()),
        kind="iqm",
        dialect="iqm-v1",
        target="square20",
        circuits=1,
        shots=1,
        timeline=[Moment(stage, now())],
    )


async def test_a_job_aborted_while_its_end_is_written_stays_aborted() -> None:
    store = SlowStore()
    engine = Engine(store, Ledger(), ServeOptions(null=True, service_time=0.0))  # type: ignore[arg-type]
    job = _job()
    async with anyio.create_task_group() as group:
        await group.start(engine.run)
        await engine.submit(job, [b"{}"])
        with anyio.fail_after(10):
            await store.writing.wait()
        assert job.stage is Stage.RUNNING
        assert await engine.cancel(job)
        store.writable.set()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert job.stage is Stage.ABORTED
    # The store is asked in order, so what it keeps is the abort.
    assert store.written == [Stage.READY, Stage.ABORTED]
    assert not await engine.cancel(job)


async def test_a_job_is_ready_only_when_its_results_are_written() -> None:
    store = SlowStore()
    engine = Engine(store, Ledger(), ServeOptions(null=True, service_time=0.0))  # type: ignore[arg-type]
    job = _job()
    async with anyio.create_task_group() as group:
        await group.start(engine.run)
        await engine.submit(job, [b"{}"])
        with anyio.fail_after(10):
            await store.writing.wait()
        assert job.stage is Stage.RUNNING
        store.writable.set()
        await anyio.wait_all_tasks_blocked()
        assert job.stage is Stage.READY
        group.cancel_scope.cancel()
    assert [moment.stage for moment in job.timeline] == [
        Stage.RECEIVED,
        Stage.COMPILING,
        Stage.COMPILED,
        Stage.RUNNING,
        Stage.READY,
    ]


async def test_an_open_job_takes_its_place_in_the_queue_when_it_is_complete() -> None:
    options = ServeOptions(null=True, service_time=3600.0)
    store = SlowStore()
    engine = Engine(store, Ledger(), options)  # type: ignore[arg-type]
    unfinished, running, waiting = _job(Stage.OPEN), _job(), _job()
    async with anyio.create_task_group() as group:
        await group.start(engine.run)
        await engine.submit(unfinished, [b"{}"])
        assert (engine.queue_length, engine.jobs_ahead(unfinished)) == (0, None)
        await engine.submit(running, [b"{}"])
        await anyio.wait_all_tasks_blocked()
        await engine.submit(waiting, [b"{}"])
        await engine.append(unfinished, b"{}", finished=True)
        await anyio.wait_all_tasks_blocked()
        assert running.stage is Stage.RUNNING
        assert [engine.jobs_ahead(job) for job in (running, waiting, unfinished)] == [
            None,
            0,
            1,
        ]
        group.cancel_scope.cancel()


class SlowToRead(SlowStore):
    """Finds the body of one job only when `readable` is set."""

    def __init__(self, slow: Job) -> None:
        super().__init__()
        self.slow = slow
        self.readable = anyio.Event()

    async def parts(self, job_id: str) -> tuple[bytes, ...]:
        if job_id == self.slow.id:
            await self.readable.wait()
        return (msgspec.json.encode(run_request(FLIPPED)),)


async def _reaches(job: Job, stage: Stage) -> None:
    with anyio.fail_after(30):
        while job.stage is not stage:  # noqa: ASYNC110 - a job tells nobody
            await anyio.sleep(0.01)


@contextlib.asynccontextmanager
async def _overtaken() -> AsyncIterator[tuple[Engine, SlowToRead, Job, Job]]:
    """Two jobs, of which the second is compiled while the first is being read."""
    first, second = _job(), _job()
    store = SlowToRead(first)
    options = ServeOptions(service_time=3600.0, workers=2)
    engine = Engine(store, Ledger(), options)  # type: ignore[arg-type]
    async with anyio.create_task_group() as group:
        await group.start(engine.run)
        for job in (first, second):
            await engine.submit(job, [b"{}"])
        await _reaches(second, Stage.COMPILED)
        yield engine, store, first, second
        group.cancel_scope.cancel()


async def test_a_job_that_compiles_faster_does_not_overtake_the_one_before_it() -> None:
    async with _overtaken() as (engine, store, first, second):
        await anyio.wait_all_tasks_blocked()
        assert (first.stage, second.stage) == (Stage.COMPILING, Stage.COMPILED)
        assert [engine.jobs_ahead(job) for job in (first, second)] == [0, 1]
        store.readable.set()
        await _reaches(first, Stage.RUNNING)
        assert second.stage is Stage.COMPILED


async def test_an_engine_is_at_rest_only_while_it_waits_for_machines() -> None:
    options = ServeOptions(null=True, service_time=3600.0, servers=2)
    engine = Engine(SlowStore(), Ledger(), options)  # type: ignore[arg-type]
    async with anyio.create_task_group() as group:
        await group.start(engine.run)
        await anyio.wait_all_tasks_blocked()
        assert engine.is_at_rest
        for _ in range(3):
            await engine.submit(_job(), [b"{}"])
            # neither compiled nor taken by the machine that is free
            assert not engine.is_at_rest
            await anyio.wait_all_tasks_blocked()
            assert engine.is_at_rest
        group.cancel_scope.cancel()


async def test_an_engine_that_compiles_is_not_at_rest() -> None:
    async with _overtaken() as (engine, store, _, _):
        await anyio.wait_all_tasks_blocked()
        assert not engine.is_at_rest
        store.readable.set()


async def test_a_job_that_cannot_run_leaves_the_turn_to_the_next() -> None:
    async with _overtaken() as (engine, _, first, second):
        assert await engine.cancel(first)
        await _reaches(second, Stage.RUNNING)
