"""Kills the workers of a Dask cluster while a sweep is sharded over them.

Run as a program: a number of kills, a seed, and "sound" or a mutant's name. The service's
own ledger is the judge.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import dask
from distributed import Client, LocalCluster, Status

import qawait
import qawait.dask
from qawait.chaos.address import Address, serving
from qawait.journal import store
from qawait.journal.places import Places, read_commits
from qawait.journal.records import Standing

MUTANT = "QAWAIT_TESTS_MUTANT"
PROGRAM = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; measure q -> c;'
FAULTS = "drop_reply:0.02@submit,slow:0.5:100ms@submit,slow:100ms:acted@submit"
WORKERS = 2
SHARDS = 4
POINTS_PER_KILL = 40
COMMITS = 30
"""Writes of all shards from one kill to the next, at most; a submission takes three."""
LONGEST = 0.1
"""And seconds, so that it does not always come with a write."""


def be_a_mutant(name: str) -> None:
    """Take one promise out of this process."""
    if name == "forget":
        store.AFTER_A_CRASH = Standing.NEW
    elif name == "journal of its own":
        from qawait.dask.places import Directory

        sound = Directory.journal

        def of_this_process(self: Directory, shard: int) -> Path:
            return sound(self, shard).with_suffix(f".{os.getpid()}")

        Directory.journal = of_this_process
    elif name != "sound":
        raise ValueError(name)


def dask_setup(worker: Any) -> None:
    """Dask calls it in each of its workers."""
    be_a_mutant(os.environ[MUTANT])


async def _kill(
    cluster: LocalCluster, random: Random, kills: int, place: Path, killed: list[int]
) -> None:
    while len(killed) < kills:
        enough = _commits(place) + random.randint(1, COMMITS)
        while _commits(place) < enough:  # noqa: ASYNC110 (other processes write)
            await asyncio.sleep(0.005)
        await asyncio.sleep(random.uniform(0, LONGEST))
        # one that is killed while it starts is given up by Dask for ever
        pids = [
            nanny.process.pid
            for nanny in cluster.workers.values()
            if nanny.process is not None and nanny.process.status is Status.running
        ]
        if pids:
            with suppress(ProcessLookupError):
                os.kill(random.choice(pids), signal.SIGKILL)
                killed.append(1)


def _commits(place: Path) -> int:
    """How often all shards together have written into their journals."""
    return sum(read_commits(Places(path)) for path in place.glob("shard-*"))


async def torment(address: Address, kills: int, seed: int, place: Path) -> dict:
    random, killed = Random(seed), list[int]()
    keys = [f"p{n}" for n in range(POINTS_PER_KILL * kills)]
    service = partial(qawait.IQMService, address.url, token=address.token)
    pairs = [(key, PROGRAM) for key in keys]
    async with (
        LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            asynchronous=True,
            dashboard_address=":0",
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        killing = asyncio.create_task(_kill(cluster, random, kills, place, killed))
        async with qawait.dask.sweep(
            client, service, pairs, directory=place, shards=SHARDS, shots=7, batch=2
        ) as sweep:
            points = [point async for point in sweep]
        killing.cancel()
    return found(address, keys, points, place) | {
        "kills": len(killed),
        "seed": seed,
    }


def found(
    address: Address, keys: list[str], points: list[qawait.Point], place: Path
) -> dict[str, Any]:
    """What the ledger, the journals and the user's own loop say."""
    ledger = address.ledger()
    ran = Counter(label for one in ledger.submissions for label in one.labels())
    came = Counter(point.key for point in points)
    uncertain = {point.key for point in points if point.uncertain}
    jobs = {one.job_id: one.labels() for one in ledger.submissions}
    known = {job.job_id for one in qawait.dask.read_shards(place) for job in one.jobs}
    lost = set(keys) - set(came)
    # what ran is in a journal by its id, or its user has heard that it may have run
    for job_id, labels in jobs.items():
        if job_id not in known:
            lost.update(set(labels) - uncertain)
    # and a result is that of a job in which its circuit ran
    for point in points:
        if point.error is None and point.key not in jobs.get(point.job_id or "", ()):
            lost.add(point.key)
    return {
        "points": len(points),
        "submitted": len(ledger.submissions),
        "duplicated": sum(number > 1 for number in ran.values()),
        "twice": sum(number > 1 for number in came.values()),
        "lost": len(lost),
        "uncertain": len(uncertain),
        "dropped": sum(fault.fault == "drop_reply" for fault in ledger.faults),
        "errors": sorted(
            {type(p.error).__name__ for p in points if p.error and not p.uncertain}
        ),
        "sound": not lost
        and set(came.values()) == {1}
        and all(number == 1 for number in ran.values()),
    }


def main(kills: int, seed: int, mutant: str) -> None:
    os.environ[MUTANT] = mutant
    be_a_mutant(mutant)
    dask.config.set(
        {
            # the same few shards are hit again and again
            "distributed.scheduler.allowed-failures": 10 * kills,
            # a worker that is away when Dask looks would not be started again
            "distributed.deploy.lost-worker-timeout": "1 day",
            "distributed.worker.preload": ["tests.crash.killing_workers"],
            "distributed.worker.multiprocessing-method": "forkserver",
        }
    )
    with serving(FAULTS, seed) as address, tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "sweep"
        print(json.dumps(asyncio.run(torment(address, kills, seed, place))))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
