"""A sweep on Dask, as its user writes it: ``WORK POINTS WAY``.

WORK is `simulate`, where the local service simulates 16 qubits on a cluster of WAY
workers, or `shard`, where a service that answers at once is sent many small circuits by
the shards of WAY workers; with WAY 0 by a plain sweep with a journal. `divide` only
divides a grid into shards.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec
from distributed import Client, LocalCluster
from tests.service.running import LocalService, running

import qawait
import qawait.dask
from benchmarks.peers.measure import measured
from qawait._sweep.assembly import source_of
from qawait.dask.splitting import split

QUBITS, DEPTH = 16, 80
SMALL = """OPENQASM 3.0; include "stdgates.inc";
input float theta; qubit[2] q; bit[2] c; rx(theta) q[0]; cx q[0], q[1]; c = measure q;
"""


def wide() -> str:
    """A circuit that takes a processor some hundred milliseconds, and compiles quickly."""
    layers = "".join(
        "".join(f"ry(theta) q[{n}];" for n in range(QUBITS))
        + "".join(f"cz q[{n}], q[{n + 1}];" for n in range(layer % 2, QUBITS - 1, 2))
        for layer in range(DEPTH)
    )
    return (
        'OPENQASM 3.0; include "stdgates.inc"; input float theta;'
        f"qubit[{QUBITS}] q; bit[{QUBITS}] c; {layers} c = measure q;"
    )


def bytes_below(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


async def simulate(points: int, workers: int) -> None:
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                asynchronous=True,
                dashboard_address=":0",
            )
        )
        serving = running("--simulate-on", cluster.scheduler.address)
        local = await asyncio.to_thread(serving.__enter__)
        stack.push_async_callback(asyncio.to_thread, serving.__exit__, None, None, None)
        service = qawait.QoroService(f"{local.url}/api", token=local.token)
        client = await stack.enter_async_context(qawait.connect(service))
        grid = {"theta": [0.1 + n / points for n in range(points)]}
        await (await client.submit(wide(), points=[{"theta": 0.05}], shots=10))
        with measured("qawait", "distributed", "numpy", "qiskit-aer") as report:
            began = time.perf_counter()
            async with client.sweep(wide(), grid, shots=100, batch=1) as sweep:
                progress = await sweep.finish()
            report["work_seconds"] = time.perf_counter() - began
        assert progress.ready == points, progress


async def shard(points: int, workers: int) -> None:
    grid = {"theta": [n / points for n in range(points)]}
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as name,
        running("--null") as local,
    ):
        place = Path(name) / "sweep"
        work = _sharded if workers else _plain
        await work(local, grid, place, workers)


def requests_of(local: LocalService) -> int:
    """Requests that a service has had so far."""
    request = Request(
        f"{local.url}/_ledger", headers={"Authorization": f"Bearer {local.token}"}
    )
    with urlopen(request) as answer:
        return len(msgspec.json.decode(answer.read())["requests"])


def _add(report: dict[str, Any], place: Path, began: float, worked: float) -> None:
    """What the sweep itself took, and what it left."""
    report["work_seconds"] = time.perf_counter() - began
    report["work_cpu_seconds"] = time.process_time() - worked
    report["journal_bytes"] = bytes_below(place)


async def _sharded(local: LocalService, grid: Any, place: Path, workers: int) -> None:
    service = partial(qawait.IQMService, local.url, token=local.token)
    async with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            asynchronous=True,
            dashboard_address=":0",
        ) as cluster,
        Client(cluster, asynchronous=True) as dask,
    ):
        about: dict[str, Any] = {"shots": 100}
        # as the plain one, whose client is open and whose compiler is loaded
        async with qawait.dask.sweep(
            dask, service, SMALL, {"theta": [9.0, 9.5]}, directory=f"{place}-0", **about
        ) as first:
            await first.finish()
        before = requests_of(local)
        with measured("qawait", "distributed", "numpy") as report:
            began, worked = time.perf_counter(), time.process_time()
            async with qawait.dask.sweep(
                dask, service, SMALL, grid, directory=place, **about
            ) as sweep:
                progress = await sweep.finish()
            _add(report, place, began, worked)
            report["jobs"] = progress.jobs
            report["requests"] = requests_of(local) - before
        assert progress.ready == progress.total, progress


async def _plain(local: LocalService, grid: Any, place: Path, workers: int) -> None:
    del workers  # none
    service = qawait.IQMService(local.url, token=local.token)
    async with qawait.connect(service, journal=None) as client:
        async with client.sweep(SMALL, {"theta": [9.0, 9.5]}, shots=100) as first:
            await first.finish()
        before = requests_of(local)
        with measured("qawait", "distributed", "numpy") as report:
            began, worked = time.perf_counter(), time.process_time()
            async with client.sweep(SMALL, grid, shots=100, journal=place) as sweep:
                progress = await sweep.finish()
            _add(report, place, began, worked)
            report["jobs"] = progress.jobs
            report["requests"] = requests_of(local) - before
        assert progress.ready == progress.total, progress


async def divide(points: int, workers: int) -> None:
    """The driver's own part: a grid of two parameters, divided and made into orders."""
    side = round(points**0.5)
    grid = {name: [n / side for n in range(side)] for name in ("theta", "phi")}
    with measured("qawait", "distributed", "numpy") as report:
        began = time.perf_counter()
        parts = await split(source_of(SMALL, grid).items, max(1, points // 1000))
        report["work_seconds"] = time.perf_counter() - began
        largest = max(parts, key=len)
        report["order_bytes"] = len(pickle.dumps(largest)) / len(largest)
    assert sum(map(len, parts)) == side**2
    del workers


if __name__ == "__main__":
    works = {"simulate": simulate, "shard": shard, "divide": divide}
    asyncio.run(works[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3])))
