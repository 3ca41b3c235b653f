"""The job store keeps what it acknowledged, and nothing of what was deleted."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from qawait.errors import ConfigurationError
from qawait.local import store as store_module
from qawait.local.jobs import Job, Moment, Stage, now
from qawait.local.store import Store, default_path


def _job(stage: Stage = Stage.RECEIVED) -> Job:
    return Job(
        id=str(uuid4()),
        kind="iqm",
        dialect="iqm-v1",
        target="square20",
        circuits=2,
        shots=14,
        timeline=[Moment(stage, now())],
        config={"bond_dimension": 4},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "jobs.sqlite"


async def test_a_job_comes_back_as_it_was(path: Path) -> None:
    job = _job()
    store = await Store.open(path)
    await store.add(job, [b"first", b"\x00second"])
    await store.close()
    store = await Store.open(path)
    assert await store.job(job.id) == job
    assert await store.parts(job.id) == (b"first", b"\x00second")
    assert await store.result(job.id, "measurements") is None
    await store.close()


async def test_only_jobs_in_progress_are_taken_up_again_oldest_first(
    path: Path,
) -> None:
    jobs = [_job() for _ in range(5)]
    store = await Store.open(path)
    for job in jobs:
        await store.add(job, [b""])
    jobs[1].enter(Stage.READY)
    await store.update(jobs[1], results={"measurements": b"[1]"})
    jobs[2].enter(Stage.RUNNING)
    await store.update(jobs[2])
    await store.delete(jobs[3].id)
    await store.close()
    store = await Store.open(path)
    found = await store.in_progress()
    assert [job.id for job in found] == [jobs[0].id, jobs[2].id, jobs[4].id]
    assert await store.result(jobs[1].id, "measurements") == b"[1]"
    await store.close()


async def test_a_deleted_job_leaves_nothing_and_cannot_come_back(path: Path) -> None:
    job = _job()
    store = await Store.open(path)
    await store.add(job, [b"body"])
    await store.update(job, results={"measurements": b"[1]"})
    await store.delete(job.id)
    job.enter(Stage.READY)
    await store.update(job, part=b"late", results={"measurements": b"[2]"})
    assert await store.job(job.id) is None
    await store.close()
    with sqlite3.connect(path) as connection:
        for table in ("jobs", "parts", "results"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (
                0,
            )
    connection.close()


async def test_parts_keep_their_order_as_they_arrive(path: Path) -> None:
    job = _job(Stage.OPEN)
    store = await Store.open(path)
    job.parts = 1
    await store.add(job, [b"init"])
    for part in (b"one", b"two"):
        job.parts += 1
        await store.update(job, part=part)
    assert await store.parts(job.id) == (b"init", b"one", b"two")
    await store.close()


async def test_many_writers_at_once_are_all_kept(path: Path) -> None:
    jobs = [_job() for _ in range(300)]
    store = await Store.open(path)
    async with anyio.create_task_group() as group:
        for job in jobs:
            group.start_soon(store.add, job, [job.id.encode()])
    await store.close()
    store = await Store.open(path)
    assert {job.id for job in await store.in_progress()} == {job.id for job in jobs}
    await store.close()


async def test_one_bad_order_does_not_harm_those_beside_it(path: Path) -> None:
    job, other = _job(), _job()
    store = await Store.open(path)
    await store.add(job, [])

    async def again() -> None:
        with pytest.raises(sqlite3.IntegrityError):
            await store.add(job, [])

    async with anyio.create_task_group() as group:
        group.start_soon(again)
        group.start_soon(store.add, other, [b"x"])
    assert await store.parts(other.id) == (b"x",)
    await store.close()


async def test_what_is_written_later_is_read_by_whoever_comes_after() -> None:
    job = _job()
    store = await Store.open(None)
    store.add_later(job, [b"body"])
    assert await store.job(job.id) == job
    await store.close()


async def test_a_job_written_later_changes_and_goes_as_any_other() -> None:
    """Its bodies are at hand without the file; what comes after is in the file only."""
    job = _job()
    store = await Store.open(None)
    store.add_later(job, [b"body"])
    assert await store.parts(job.id) == (b"body",)
    job.parts = 2
    await store.update(job, part=b"more")
    assert await store.parts(job.id) == (b"body", b"more")
    await store.delete(job.id)
    assert await store.parts(job.id) == ()
    store.add_later(job, [b"again"])
    await store.delete(job.id)
    assert await store.parts(job.id) == ()
    await store.close()


async def test_bodies_are_kept_at_hand_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_module, "MOST_KEPT_BYTES", 25)
    jobs = [_job() for _ in range(5)]
    store = await Store.open(None)
    for number, job in enumerate(jobs):
        store.add_later(job, [b"x" * 10, b"%d" % number])
    assert store.kept_bytes == 22
    for number, job in enumerate(jobs):
        assert await store.parts(job.id) == (b"x" * 10, b"%d" % number)
    await store.close()


async def test_a_store_belongs_to_one_service_at_a_time(path: Path) -> None:
    store = await Store.open(path)
    with pytest.raises(ConfigurationError, match="another service uses the store"):
        await Store.open(path)
    await store.close()
    await (await Store.open(path)).close()


async def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(ConfigurationError, match="not a job store"):
        await Store.open(path)


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = anyio.Path(tmp_path / "notes.txt")
    text = "no database at all, and long enough to be looked at " * 20
    await path.write_text(text)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        await Store.open(tmp_path / "notes.txt")
    assert await path.read_text() == text


def test_the_default_place_is_the_users_state_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "qawait" / "service.sqlite"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_path() == Path.home() / ".local/state/qawait/service.sqlite"
