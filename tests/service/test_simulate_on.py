"""The local service whose simulations run on a Dask cluster."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import msgspec
import pytest
from distributed import Client

import qawait
from tests.service.clusters import local_cluster
from tests.service.running import LocalService, running

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

READ = (
    'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; x q[1]; measure q -> c;'
)


@pytest.fixture
def anyio_backend() -> str:
    """Without asyncio's debugging, which says of Dask's own code that it is slow."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> None:
    """Dask's own code, which runs in the same event loop here, may block it."""


def heavy(qubits: int = 14) -> str:
    """Some seconds of work: many shots, each of its own, for it measures in the middle."""
    turns = "".join(f"ry(0.{n + 1}) q[{n}];" for n in range(qubits))
    links = "".join(f"cx q[{n}], q[{n + 1}];" for n in range(qubits - 1))
    return (
        f'OPENQASM 2.0; include "qelib1.inc"; qreg q[{qubits}]; creg c[{qubits}];'
        f"{turns}{links}measure q[0] -> c[0]; reset q[0]; {turns}{links}measure q -> c;"
    )


def simulating(cluster: Client) -> str | None:
    """The worker that runs a job, or None."""
    for key, task in cluster.cluster.scheduler.tasks.items():
        if str(key).startswith("qawait-simulation") and task.processing_on is not None:
            return task.processing_on.address
    return None


async def worked(cluster: Client) -> None:
    while simulating(cluster) is None:  # noqa: ASYNC110 (another process begins)
        await asyncio.sleep(0.02)


def service_of(local: LocalService) -> qawait.IQMService:
    return qawait.IQMService(local.url, token=local.token)


def executions(local: LocalService) -> list[dict[str, Any]]:
    from urllib.request import Request, urlopen

    request = Request(
        f"{local.url}/_ledger", headers={"Authorization": f"Bearer {local.token}"}
    )
    with urlopen(request) as answer:
        return msgspec.json.decode(answer.read())["executions"]


@pytest.mark.timeout(180)
async def test_a_worker_that_dies_costs_a_retry_and_not_a_job():
    async with local_cluster() as cluster, service_on(cluster) as local:
        pids = await cluster.run(os.getpid)
        async with qawait.connect(service_of(local)) as client:
            job = await client.submit(heavy(), shots=120)
            await worked(cluster)
            dead = pids[simulating(cluster)]
            os.kill(dead, signal.SIGKILL)
            light = await client.submit(READ, shots=30)
            assert (await light)[0].counts() == {"10": 30}
            result = await job
        ran = await anyio.to_thread.run_sync(executions, local)
    assert result[0].shots == 120
    assert len(ran) == 2
    # where it ran in the end, and in none of the service's own processes
    assert dead not in {one["worker"] for one in ran}


@pytest.mark.timeout(180)
async def test_a_job_that_kills_every_worker_fails_and_says_so():
    """As Dask is set here, the first worker that dies is one too many."""
    config = {"distributed.scheduler.allowed-failures": 0}
    async with local_cluster(1, **config) as cluster, service_on(cluster) as local:
        pids = await cluster.run(os.getpid)
        async with qawait.connect(service_of(local)) as client:
            job = await client.submit(heavy(), shots=120)
            await worked(cluster)
            os.kill(pids[simulating(cluster)], signal.SIGKILL)
            with pytest.raises(qawait.JobFailed, match="process ended unexpectedly"):
                await job
            assert (await (await client.submit(READ, shots=30)))[0].shots == 30


@asynccontextmanager
async def service_on(cluster: Client) -> AsyncGenerator[LocalService]:
    about = running("--simulate-on", cluster.scheduler.address)
    local = await anyio.to_thread.run_sync(about.__enter__)
    try:
        yield local
    finally:
        await anyio.to_thread.run_sync(about.__exit__, None, None, None)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--simulate-on", "tcp://127.0.0.1:9"], "there is no Dask scheduler at"),
        (["--simulate-on", "tcp://127.0.0.1:9", "--null"], "null simulates nothing"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_named(arguments: list[str], says: str):
    ran = subprocess.run(
        [sys.executable, "-m", "qawait.local", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert ran.returncode == 2, ran.stderr
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
