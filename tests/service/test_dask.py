"""Sweeps that are sharded over the processes of a Dask cluster."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from math import pi
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from distributed import Client

import qawait
import qawait.dask
from qawait.chaos.address import Address
from tests.service.clusters import local_cluster
from tests.service.running import LocalService, running

TURN = """OPENQASM 3.0; include "stdgates.inc";
input float gamma; input float beta;
qubit[2] q; bit[2] c;
rx(gamma) q[0]; rx(beta) q[1];
c = measure q;
"""
READ = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; measure q -> c;'
GRID = {"gamma": [0.0, pi], "beta": [0.0, pi / 3, pi]}


@pytest.fixture
def anyio_backend() -> str:
    """Without asyncio's debugging, which says of Dask's own code that it is slow."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> None:
    """Dask's own code, which runs in the same event loop here, may block it."""


def service_of(local: LocalService) -> Any:
    return partial(qawait.IQMService, local.url, token=local.token)


def labels(local: LocalService) -> Counter[str]:
    ledger = Address(local.url, local.token).ledger()
    return Counter(label for one in ledger.submissions for label in one.labels())


@pytest.mark.timeout(120)
async def test_every_point_comes_once_with_its_own_result(
    local_service: LocalService, tmp_path: Path
):
    """And a second run, with a grid that has grown, sends only what is new."""
    service = service_of(local_service)
    grown = {**GRID, "gamma": [pi, 0.0, 2 * pi]}
    async with local_cluster() as cluster:
        about: dict[str, Any] = {"directory": tmp_path / "s", "shots": 40, "shards": 3}
        async with qawait.dask.sweep(cluster, service, TURN, GRID, **about) as sweep:
            points = {point.key: point async for point in sweep}
            assert sweep.progress.ready == sweep.progress.total == 6
        async with qawait.dask.sweep(cluster, service, TURN, grown, **about) as again:
            more = {point.key: point async for point in again}
            data = await again.dataset()
    assert {point.index for point in points.values()} == set(range(6))
    sure = {
        f"gamma=0.0,beta={pi!r}": {"10": 40},
        f"gamma={pi!r},beta=0.0": {"01": 40},
        f"gamma={pi!r},beta={pi!r}": {"11": 40},
    }
    for key, counts in sure.items():
        assert points[key].result.counts() == counts
        assert points[key].params == more[key].params
        assert more[key].result == points[key].result
        assert more[key].recorded
    assert [p.key for p in more.values() if not p.recorded] == [
        key for key in more if key not in points
    ]
    assert len(more) == 9
    assert dict(data["shots"].sizes) == {"gamma": 3, "beta": 3}
    with pytest.raises(qawait.ConfigurationError, match="has 3 shards and not 4"):
        qawait.dask.places.Directory(tmp_path / "s").begin(4, 1)


@pytest.mark.timeout(120)
async def test_a_worker_that_was_given_up_sends_nothing_more(tmp_path: Path):
    """It is frozen and dropped; another one has its shard when it wakes."""
    keys = [f"p{n}" for n in range(40)]
    with running("--null", "--faults", "slow:100ms@submit") as local:
        async with (
            local_cluster() as cluster,
            qawait.dask.sweep(
                cluster,
                service_of(local),
                [(key, READ) for key in keys],
                directory=tmp_path / "s",
                shards=1,
                shots=7,
                batch=1,
            ) as sweep,
        ):
            reading = asyncio.create_task(_all_of(sweep))
            stale = await _at_work(cluster, tmp_path / "s")
            pid = (await cluster.run(os.getpid, workers=[stale]))[stale]
            os.kill(pid, signal.SIGSTOP)
            before = labels(local)
            scheduler = cluster.cluster.scheduler
            await scheduler.remove_worker(stale, stimulus_id="test", close=False)
            await _until(lambda: _owner(cluster) not in (None, stale))
            os.kill(pid, signal.SIGCONT)
            points = await reading
        ran = labels(local)
    assert len(before) < len(keys)
    assert set(ran.values()) == {1}
    assert Counter(point.key for point in points) == Counter(keys)
    assert all(point.error is None or point.uncertain for point in points)


async def _keys_of(sweep: Any, came: list[str]) -> None:
    async for point in sweep:
        came.append(point.key)


async def _all_of(sweep: Any) -> list[qawait.Point]:
    return [point async for point in sweep]


def _owner(cluster: Client) -> str | None:
    tasks = cluster.cluster.scheduler.tasks.values()
    owners = [task.processing_on for task in tasks if task.processing_on is not None]
    return owners[0].address if owners else None


async def _at_work(cluster: Client, directory: Path) -> str:
    """The worker of the only shard, once it has sent something."""
    journal = directory / "shard-00000"

    def has_sent() -> bool:
        try:
            return bool(qawait.read(journal).jobs)
        except qawait.JournalError:
            return False

    while not await anyio.to_thread.run_sync(has_sent):  # noqa: ASYNC110 (a file)
        await asyncio.sleep(0.02)
    owner = _owner(cluster)
    assert owner is not None
    return owner


async def _until(true: Any) -> None:
    while not true():  # noqa: ASYNC110 (the scheduler tells nobody)
        await asyncio.sleep(0.02)


@pytest.mark.timeout(120)
async def test_who_leaves_a_sweep_stops_its_workers_and_goes_on_later(tmp_path: Path):
    """Also through a client of Dask that is not asynchronous."""
    keys = [f"p{n}" for n in range(60)]
    about: dict[str, Any] = {"directory": tmp_path / "s", "shards": 4, "shots": 7}
    with running("--null", "--faults", "slow:50ms@submit") as local:
        async with local_cluster() as cluster:
            address = cluster.scheduler.address
            waiting = await anyio.to_thread.run_sync(partial(Client, address))
            try:
                pairs = [(key, READ) for key in keys]
                service = service_of(local)
                async with qawait.dask.sweep(
                    waiting, service, pairs, batch=1, **about
                ) as sweep:
                    first = [await anext(sweep) for _ in range(3)]
                sent = labels(local)
                async with qawait.dask.sweep(
                    waiting, service, pairs, batch=1, **about
                ) as sweep:
                    points = [point async for point in sweep]
            finally:
                await anyio.to_thread.run_sync(waiting.close)
        assert set(labels(local).values()) == {1}
    assert {point.key for point in first} <= set(sent)
    assert Counter(point.key for point in points) == Counter(keys)
    assert all(point.error is None for point in points)


@pytest.mark.timeout(120)
async def test_the_command_line_shards_a_grid_over_a_cluster(
    null_service: LocalService, tmp_path: Path
):
    """Each worker finds the token in its own environment."""
    program = tmp_path / "turn.qasm"
    program.write_text(TURN)
    environment = {
        **os.environ,
        "QAWAIT_TOKEN": null_service.token,
        "QAWAIT_SERVICE": f"iqm:{null_service.url}",
    }
    command = [sys.executable, "-m", "qawait", "sweep", str(program)]
    grid = ["--set", "gamma=0:1:4", "--set", "beta=0.5", "--shots", "20", "--json"]
    own = {"distributed.nanny.environ": {"QAWAIT_TOKEN": null_service.token}}
    async with local_cluster(1, **own) as cluster:
        on = ["--dask", cluster.scheduler.address]
        where = ["--journal", str(tmp_path / "s")]
        for arguments, code in ((on, 2), ([*on, *where], 0)):
            ran = await anyio.to_thread.run_sync(
                partial(
                    subprocess.run,
                    [*command, *grid, *arguments],
                    capture_output=True,
                    text=True,
                    env=environment,
                )
            )
            assert ran.returncode == code, ran.stderr
            if code:
                assert "--dask needs --journal" in ran.stderr
    points = json.loads(ran.stdout)["points"]
    assert [point["parameters"]["gamma"] for point in points] == [0, 1 / 3, 2 / 3, 1]
    assert [sum(point["counts"].values()) for point in points] == [20] * 4


@pytest.mark.timeout(120)
async def test_outcomes_stay_beside_the_workers_as_parquet(
    null_service: LocalService, tmp_path: Path
):
    import pandas

    pairs = {f"p{n}": READ for n in range(9)}
    async with (
        local_cluster(1) as cluster,
        qawait.dask.sweep(
            cluster,
            service_of(null_service),
            pairs,
            directory=tmp_path / "s",
            shards=2,
            shots=5,
        ) as sweep,
    ):
        index = await sweep.tables()
    assert sum(table.points for table in index) == 9
    assert [table.failed for table in index] == [0, 0]
    found = pandas.concat(pandas.read_parquet(table.path) for table in index)
    assert sorted(found["key"]) == sorted(pairs)
    assert set(found["shots"]) == {5}


@pytest.mark.timeout(120)
async def test_a_failure_of_a_shard_leaves_the_others(
    null_service: LocalService, tmp_path: Path
):
    """A journal that is damaged is named when all else has come."""
    keys = [f"p{n}" for n in range(12)]
    broken = tmp_path / "s" / "shard-00001"
    async with (
        local_cluster(1) as cluster,
        qawait.dask.sweep(
            cluster,
            service_of(null_service),
            [(key, READ) for key in keys],
            directory=tmp_path / "s",
            shards=3,
        ) as sweep,
    ):
        broken.mkdir()
        (broken / "letter").touch()
        came: list[str] = []
        with pytest.raises(qawait.JournalCorrupt, match="shard-00001 is no journal"):
            await _keys_of(sweep, came)
    from qawait.dask.splitting import shard_of

    assert sorted(came) == sorted(key for key in keys if shard_of(key, 3) != 1)
    assert 0 < len(came) < 12


@pytest.mark.timeout(290)
def test_a_kill_of_a_worker_duplicates_and_loses_nothing():
    """`python -m benchmarks.nightly` does it a hundred times."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.crash.killing_workers", "2", "7", "sound"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=280,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["sound"], found
    assert (found["duplicated"], found["lost"], found["twice"]) == (0, 0, 0), found
    assert found["kills"] == 2, found
    # four submissions of two are under way at once, in the shard that was hit
    assert 0 < found["uncertain"] <= 2 * 4 * 2 + 2 * found["dropped"], found
